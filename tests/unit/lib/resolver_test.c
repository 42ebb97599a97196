#include <pthread.h>
#include <time.h>

#include "tests/unit/lib/dns_peer.h"
#include "tests/unit/lib/test.h"

#define S       STR_INIT
#define LONG_MS 20000 /* nothing waits so long unless it is broken */
#define ASKERS  8u

#define TEXT255                                                                \
	"\377xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
	"x"                                                                    \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"  \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"  \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define TEXT1K TEXT255 TEXT255 TEXT255 TEXT255
#define TEXT8K TEXT1K TEXT1K TEXT1K TEXT1K TEXT1K TEXT1K TEXT1K TEXT1K

static const struct peer_row rows[] = {
	{ S("\1a\4test\0"), DNS_A, PEER_ANSWER, { { 1, S("\300\0\2\1") } } },
	{ S("\1a\4test\0"), 0, PEER_ANSWER },
	{ S("\2mx\4test\0"), DNS_MX, PEER_ANSWER,
	    { { 15, S("\0\24\1B\4test\0") }, { 15, S("\0\12\1a\4test\0") } } },
	{ S("\3fail\4test\0"), 0, PEER_SERVFAIL },
	{ S("\7refused\4test\0"), 0, PEER_REFUSED },
	{ S("\4mute\4test\0"), 0, PEER_SILENT },
	{ S("\3big\4test\0"), DNS_TXT, PEER_TRUNCATE, { { 16, S(TEXT8K) } } },
	{ S("\3lie\4test\0"), 0, PEER_OTHER, { { 1, S("\300\0\2\1") } } },
	{ S("\3bad\4test\0"), 0, PEER_GARBAGE, { { 1, S("\300\0\2\1") } } },
	{ S("\5short\4test\0"), DNS_A, PEER_ANSWER, { { 1, S("\300\0") } } },
	{ S("\5alias\4test\0"), 0, PEER_ANSWER,
	    { { 5, S("\1a\4test\0") }, { 0, S("") } } },
	{ S("\4hang\4test\0"), 0, PEER_ANSWER, { { 5, S("\2no\4test\0") } } },
	{ S("\5loop1\4test\0"), 0, PEER_ANSWER,
	    { { 5, S("\5loop2\4test\0") } } },
	{ S("\5loop2\4test\0"), 0, PEER_ANSWER,
	    { { 5, S("\5loop1\4test\0") } } },
	{ S("\4many\4test\0"), DNS_A, PEER_TRUNCATE, { { 1, S("\300\0\2\0") } },
	    150 },
	{ S("\4hold\4test\0"), DNS_A, PEER_HOLD, { { 1, S("\300\0\2\7") } } },
	{ S("\2x \4test\0"), DNS_A, PEER_ANSWER, { { 1, S("\300\0\2\3") } } },
};

struct rig {
	struct peer peer;
	struct log_sink *sink;
	struct log log;
	struct resolver *r;
};

static void
rig_start(struct rig *g)
{
	const char *servers[1];

	*g = (struct rig){
		.peer = { .rows = rows, .nrows = COUNT(rows), .ttl = 300 }
	};
	peer_start(&g->peer);
	servers[0] = g->peer.server;
	g->sink = log_sink_new(2, "test", LOG_WARN);
	g->log.sink = g->sink;
	g->r = resolver_new(
	    &g->log, &(struct resolver_conf){
			 .servers = servers, .nservers = 1, .cache_max = 100 });
	assert_non_null(g->r);
}

static void
rig_stop(struct rig *g)
{
	resolver_free(&g->r);
	assert_null(g->r);
	peer_stop(&g->peer);
	log_sink_free(&g->sink);
}

static struct resolver_stats
stats(struct rig *g)
{
	struct resolver_stats x;

	resolver_stats(g->r, &x);
	return x;
}

static void
answers_are_what_the_server_means(void **state)
{
	static const struct {
		struct str name;
		enum dns_type type;
		enum rc rc;
		bool nxdomain;
		size_t n;
	} table[] = {
		{ S("a.test"), DNS_A, RC_OK, false, 1 },
		{ S("A.Test."), DNS_A, RC_OK, false, 1 },
		{ S("a.test"), DNS_AAAA, RC_NOENT, false, 0 },
		{ S("mx.test"), DNS_MX, RC_OK, false, 2 },
		{ S("no.test"), DNS_A, RC_NOENT, true, 0 },
		{ S("refused.test"), DNS_A, RC_TEMP, false, 0 },
		{ S("big.test"), DNS_TXT, RC_OK, false, 1 },
		{ S("many.test"), DNS_A, RC_OK, false, DNS_RECORDS_MAX },
		{ S("alias.test"), DNS_A, RC_OK, false, 1 },
		{ S("alias.test"), DNS_CNAME, RC_OK, false, 1 },
		{ S("hang.test"), DNS_A, RC_NOENT, true, 0 },
		{ S("loop1.test"), DNS_A, RC_TEMP, false, 0 },
		{ S("x\\032.test"), DNS_A, RC_OK, false, 1 },
		{ S("x .test"), DNS_A, RC_OK, false, 1 },
		{ S("a..test"), DNS_A, RC_BAD, false, 0 },
		{ S(""), DNS_A, RC_BAD, false, 0 },
	};
	struct rig g;

	(void)state;
	rig_start(&g);
	for (size_t i = 0; i < COUNT(table); i++) {
		AUTO_ARENA a = { 0 };
		struct dns_answer x;
		enum rc rc = resolver_ask(g.r, &a, table[i].name, table[i].type,
		    deadline_in(LONG_MS), &x);

		if (rc != table[i].rc || x.rc != rc || x.n != table[i].n ||
		    x.nxdomain != table[i].nxdomain)
			fail_msg("%.*s: %s, %zu records", STRF(table[i].name),
			    rc_name(rc), x.n);
		assert_false(x.secure || x.bogus);
		assert_true(x.ttl <= 300);
		assert_int_equal(x.cut, i == 7);
		assert_int_equal(x.n > 0, x.v != NULL);
	}
	assert_true(g.peer.tcps >= 2);
	rig_stop(&g);
}

static void
records_are_read(void **state)
{
	static const struct dns_question q[] = {
		{ S("mx.test"), DNS_MX },
		{ S("big.test"), DNS_TXT },
		{ S("alias.test"), DNS_A },
		{ S("alias.test"), DNS_CNAME },
	};
	struct dns_answer x[COUNT(q)];
	AUTO_ARENA a = { 0 };
	struct rig g;

	(void)state;
	rig_start(&g);
	resolver_ask_all(g.r, &a, q, COUNT(q), deadline_in(LONG_MS), x);
	for (size_t i = 0; i < COUNT(q); i++)
		assert_rc(x[i].rc, RC_OK);
	assert_str(x[0].v[0].name, "a.test");
	assert_int_equal(x[0].v[0].preference, 10);
	assert_str(x[0].v[1].name, "b.test");
	assert_int_equal(x[0].v[1].preference, 20);
	assert_int_equal(x[1].v[0].text.n, 8 * 4 * 255);
	assert_memory_equal(x[2].v[0].addr, "\300\0\2\1", 4);
	assert_str(x[3].v[0].name, "a.test");
	rig_stop(&g);
}

/* Wrong names, broken packets and RDATA that is too short: nothing is found. */
static void
lies_are_no_answers(void **state)
{
	static const struct dns_question q[] = {
		{ S("lie.test"), DNS_A },
		{ S("bad.test"), DNS_A },
		{ S("short.test"), DNS_A },
	};
	struct dns_answer x[COUNT(q)];
	AUTO_ARENA a = { 0 };
	struct rig g;

	(void)state;
	rig_start(&g);
	resolver_ask_all(g.r, &a, q, COUNT(q), deadline_in(LONG_MS), x);
	for (size_t i = 0; i < COUNT(q); i++) {
		assert_int_equal(x[i].n, 0);
		assert_true(x[i].rc == RC_TEMP || x[i].rc == RC_NOENT);
	}
	rig_stop(&g);
}

static void
the_cache_asks_once(void **state)
{
	static const struct dns_question q[] = { { S("a.test"), DNS_A },
		{ S("no.test"), DNS_A }, { S("a.test"), DNS_MX } };
	AUTO_ARENA a = { 0 };
	struct rig g;
	unsigned asked = 0;

	(void)state;
	rig_start(&g);
	for (int round = 0; round < 3; round++) {
		struct dns_answer x[COUNT(q)];

		resolver_ask_all(g.r, &a, q, COUNT(q), deadline_in(LONG_MS), x);
		assert_rc(x[0].rc, RC_OK);
		assert_rc(x[1].rc, RC_NOENT);
		assert_true(x[1].nxdomain);
		assert_rc(x[2].rc, RC_NOENT);
		assert_false(x[2].nxdomain);
		for (size_t i = 0; i < COUNT(q); i++)
			assert_in_range(x[i].ttl, 250, 300);
		if (round == 0)
			asked = g.peer.asked;
	}
	assert_int_equal(g.peer.asked, asked);
	assert_int_equal(stats(&g).asked, 9);
	assert_int_equal(stats(&g).cached, 6);
	rig_stop(&g);
}

static void
a_failure_is_remembered_for_a_moment(void **state)
{
	AUTO_ARENA a = { 0 };
	struct dns_answer x;
	struct rig g;

	(void)state;
	rig_start(&g);
	assert_rc(resolver_ask(g.r, &a, STR("refused.test"), DNS_A,
		      deadline_in(LONG_MS), &x),
	    RC_TEMP);
	assert_int_equal(stats(&g).failed, 1);
	/* Not even time to ask. */
	assert_rc(resolver_ask(
		      g.r, &a, STR("refused.test"), DNS_A, deadline_in(0), &x),
	    RC_TEMP);
	assert_int_equal(stats(&g).cached, 1);
	assert_true(x.ttl <= RESOLVER_TEMP_TTL);
	rig_stop(&g);
}

static void
silence_ends_at_the_deadline_and_is_not_remembered(void **state)
{
	AUTO_ARENA a = { 0 };
	struct dns_answer x[2];
	struct rig g;

	(void)state;
	rig_start(&g);
	assert_rc(resolver_ask(
		      g.r, &a, STR("a.test"), DNS_A, deadline_in(LONG_MS), x),
	    RC_OK); /* so that it does not depend on time below */
	resolver_ask_all(g.r, &a,
	    (struct dns_question[]){
		{ STR("hold.test"), DNS_A }, { STR("a.test"), DNS_A } },
	    2, deadline_in(200), x);
	assert_rc(x[0].rc, RC_TEMP);
	assert_rc(x[1].rc, RC_OK);
	assert_int_equal(stats(&g).timeouts, 1);
	assert_int_equal(stats(&g).waiting, 0);
	peer_release(&g.peer);
	assert_rc(resolver_ask(g.r, &a, STR("hold.test"), DNS_A,
		      deadline_in(LONG_MS), x),
	    RC_OK);
	rig_stop(&g);
}

struct asker {
	pthread_t thread;
	struct rig *g;
	enum rc rc;
};

static void *
ask_held(void *arg)
{
	struct asker *k = arg;
	AUTO_ARENA a = { 0 };
	struct dns_answer x;

	k->rc = resolver_ask(
	    k->g->r, &a, STR("hold.test"), DNS_A, deadline_in(LONG_MS), &x);
	return NULL;
}

static void
equal_questions_are_asked_once(void **state)
{
	const struct timespec step = { 0, 1000000 };
	struct asker k[ASKERS];
	struct rig g;

	(void)state;
	rig_start(&g);
	for (unsigned i = 0; i < ASKERS; i++) {
		k[i].g = &g;
		assert_int_equal(
		    pthread_create(&k[i].thread, NULL, ask_held, &k[i]), 0);
	}
	while (stats(&g).waiting < ASKERS)
		nanosleep(&step, NULL);
	assert_true(peer_saw(&g.peer, 1));
	peer_release(&g.peer);
	for (unsigned i = 0; i < ASKERS; i++) {
		pthread_join(k[i].thread, NULL);
		assert_rc(k[i].rc, RC_OK);
	}
	/* libunbound may have sent it again; nobody has asked it again. */
	assert_int_equal(stats(&g).asked, ASKERS);
	assert_int_equal(stats(&g).cached, 0);
	assert_int_equal(stats(&g).waiting, 0);
	rig_stop(&g);
}

struct calls {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned n, good, temp;
	pthread_t last;
};

static void
on_done(void *arg, const struct dns_answer *out)
{
	struct calls *c = arg;

	pthread_mutex_lock(&c->lock);
	c->n++;
	c->good += out->rc == RC_OK && out->n == 1;
	c->temp += out->rc == RC_TEMP;
	c->last = pthread_self();
	pthread_cond_signal(&c->cond);
	pthread_mutex_unlock(&c->lock);
}

static void
calls_wait(struct calls *c, unsigned n)
{
	pthread_mutex_lock(&c->lock);
	while (c->n < n)
		pthread_cond_wait(&c->cond, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

static void
callbacks_run_once(void **state)
{
	struct calls c = { PTHREAD_MUTEX_INITIALIZER,
		PTHREAD_COND_INITIALIZER };
	struct rig g;

	(void)state;
	rig_start(&g);
	resolver_start(
	    g.r, STR("a.test"), DNS_A, deadline_in(LONG_MS), on_done, &c);
	calls_wait(&c, 1);
	assert_int_equal(c.good, 1);
	assert_false(pthread_equal(c.last, pthread_self()));
	/* From the cache, and a name that is none: at once. */
	resolver_start(
	    g.r, STR("a.test"), DNS_A, deadline_in(LONG_MS), on_done, &c);
	assert_int_equal(c.good, 2);
	assert_true(pthread_equal(c.last, pthread_self()));
	resolver_start(
	    g.r, STR(".."), DNS_A, deadline_in(LONG_MS), on_done, &c);
	assert_int_equal(c.n, 3);
	assert_int_equal(c.temp, 0);
	/* The deadline: one of two that wait for the same. */
	resolver_start(
	    g.r, STR("hold.test"), DNS_A, deadline_in(LONG_MS), on_done, &c);
	resolver_start(
	    g.r, STR("hold.test"), DNS_A, deadline_in(50), on_done, &c);
	calls_wait(&c, 4);
	assert_int_equal(c.temp, 1);
	assert_int_equal(stats(&g).waiting, 1);
	peer_release(&g.peer);
	calls_wait(&c, 5);
	assert_int_equal(c.good, 3);
	/* What is on its way at the end. */
	resolver_start(
	    g.r, STR("mute.test"), DNS_A, deadline_in(LONG_MS), on_done, &c);
	rig_stop(&g);
	assert_int_equal(c.n, 6);
	assert_int_equal(c.temp, 2);
}

static void
there_is_an_end_to_waiting_questions(void **state)
{
	struct calls c = { PTHREAD_MUTEX_INITIALIZER,
		PTHREAD_COND_INITIALIZER };
	AUTO_ARENA a = { 0 };
	struct dns_answer x;
	struct rig g;

	(void)state;
	rig_start(&g);
	for (unsigned i = 0; i < RESOLVER_WAITING_MAX; i++)
		resolver_start(g.r, STR("mute.test"), DNS_A,
		    deadline_in(LONG_MS), on_done, &c);
	assert_int_equal(stats(&g).waiting, RESOLVER_WAITING_MAX);
	assert_rc(resolver_ask(
		      g.r, &a, STR("a.test"), DNS_A, deadline_in(LONG_MS), &x),
	    RC_TEMP);
	rig_stop(&g);
	assert_int_equal(c.n, RESOLVER_WAITING_MAX);
	assert_int_equal(c.temp, RESOLVER_WAITING_MAX);
}

/* Many threads, many names, short deadlines: answers never mix. */
static void *
ask_much(void *arg)
{
	struct asker *k = arg;

	for (unsigned i = 0; i < 300; i++) {
		static const struct dns_question q[] = {
			{ S("a.test"), DNS_A },
			{ S("mx.test"), DNS_MX },
			{ S("x .test"), DNS_A },
			{ S("mute.test"), DNS_A },
			{ S("no.test"), DNS_A },
		};
		struct dns_answer x[COUNT(q)];
		AUTO_ARENA a = { 0 };

		resolver_ask_all(
		    k->g->r, &a, q, COUNT(q), deadline_in(i % 3), x);
		if ((x[0].rc == RC_OK && x[0].v[0].addr[3] != 1) ||
		    (x[1].rc == RC_OK && x[1].n != 2) ||
		    (x[2].rc == RC_OK && x[2].v[0].addr[3] != 3) ||
		    x[3].rc != RC_TEMP || x[4].rc == RC_OK)
			k->rc = RC_BAD;
	}
	return NULL;
}

static void
many_threads_ask_and_give_up(void **state)
{
	struct asker k[ASKERS];
	struct rig g;

	(void)state;
	rig_start(&g);
	for (unsigned i = 0; i < ASKERS; i++) {
		k[i] = (struct asker){ .g = &g };
		assert_int_equal(
		    pthread_create(&k[i].thread, NULL, ask_much, &k[i]), 0);
	}
	for (unsigned i = 0; i < ASKERS; i++) {
		pthread_join(k[i].thread, NULL);
		assert_rc(k[i].rc, RC_OK);
	}
	assert_int_equal(stats(&g).waiting, 0);
	rig_stop(&g);
}

static void
what_cannot_work_is_refused_at_once(void **state)
{
	static const char *const servers[] = { "no.address.test" };
	struct log_sink *sink = log_sink_new(2, "test", LOG_ERROR);
	const struct log log = { .sink = sink };
	struct resolver *r = NULL;

	(void)state;
	assert_null(resolver_new(
	    &log, &(struct resolver_conf){
		      .servers = servers, .nservers = 1, .cache_max = 16 }));
	assert_null(resolver_new(
	    &log, &(struct resolver_conf){
		      .trust_anchor = "/nonexistent/key", .cache_max = 16 }));
	resolver_free(&r);
	log_sink_free(&sink);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_what_the_server_means),
		cmocka_unit_test(records_are_read),
		cmocka_unit_test(lies_are_no_answers),
		cmocka_unit_test(the_cache_asks_once),
		cmocka_unit_test(a_failure_is_remembered_for_a_moment),
		cmocka_unit_test(
		    silence_ends_at_the_deadline_and_is_not_remembered),
		cmocka_unit_test(equal_questions_are_asked_once),
		cmocka_unit_test(callbacks_run_once),
		cmocka_unit_test(there_is_an_end_to_waiting_questions),
		cmocka_unit_test(many_threads_ask_and_give_up),
		cmocka_unit_test(what_cannot_work_is_refused_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
