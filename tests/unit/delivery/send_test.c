/* Mail to other systems, from the queue to remote and back. */
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "delivery/dlv.h"
#include "delivery/dlv_retry.h"
#include "delivery/dlv_send.h"
#include "tests/unit/delivery/fake.h"
#include "tests/unit/delivery/fake_rem.h"
#include "tests/unit/delivery/fake_store.h"

struct test {
	struct dlv d;
	struct conf conf;
	struct store_client store;
	struct dir_client dir;
	struct rem_client rem;
	struct sgn_client signer;
	struct arena a;
};

static void
begin(struct test *t)
{
	*t = (struct test){ .conf = fake_conf };
	fake_store_init(&t->store);
	fake_rem_init(&t->rem);
	pthread_mutex_init(&t->d.conf_lock, NULL);
	pthread_mutex_init(&t->d.key_lock, NULL);
	t->d.log = &fake_log;
	t->d.conf = &t->conf;
	t->d.store = &t->store;
	t->d.dir = &t->dir;
	t->d.remote = &t->rem;
	t->d.reader = (struct store_reader *)(void *)&t->store;
	t->d.inflight = inflight_open(-1);
	t->d.started_ns = now_ns();
	t->d.spool_dir = "/tmp";
}

static void
end(struct test *t)
{
	assert_true(dlv_queue_stop(t->d.queue, deadline_in(10000)));
	dlv_queue_free(&t->d.queue);
	fake_store_free(&t->store);
	fake_rem_free(&t->rem);
	inflight_close(&t->d.inflight);
	pthread_mutex_destroy(&t->d.conf_lock);
	pthread_mutex_destroy(&t->d.key_lock);
	arena_free(&t->a);
}

/* A message to one foreign address; more can be added. */
static struct store_queued *
message(
    struct test *t, const char *id, const char *to, const struct dlv_entry *e)
{
	struct store_queued *q = fake_store_add(&t->store, id, "");

	q->rcpt = str_c(to);
	q->kind = DIR_ELSEWHERE;
	q->attempts = 0;
	q->prefix = STR("Received: x\r\n");
	q->expires_at = now_unix() + 1000;
	if (e != NULL)
		q->data = dlv_entry_put(&t->store.a, e);
	return q;
}

static struct store_queued *
another(struct test *t, const char *to)
{
	struct store_queue_item *it = &t->store.item[t->store.nitem - 1];
	struct store_queued *q = &it->entries[it->nentries];

	*q = it->entries[0];
	q->id = ++it->nentries;
	q->rcpt = str_c(to);
	return q;
}

/* Until the queue's threads have got there, 10 s at most. */
static bool
becomes(struct test *t, bool (*is)(struct test *))
{
	struct deadline dl = deadline_in(10000);
	const struct timespec ms = { 0, 1000000 };

	while (!is(t) && !deadline_over(dl))
		nanosleep(&ms, NULL);
	return is(t);
}

static bool
nothing_left(struct test *t)
{
	struct dlv_queue_sum sum;

	dlv_queue_sum(t->d.queue, &sum);
	return sum.loaded && sum.messages == 0 &&
	       fake_store_entries(&t->store) == 0;
}

static bool
updated(struct test *t)
{
	struct dlv_queue_sum sum;

	dlv_queue_sum(t->d.queue, &sum);
	return t->store.updates > 0 && sum.sending == 0;
}

static bool
two_sent(struct test *t)
{
	return fake_rem_count(&t->rem) == 2;
}

static void
foreign_mail_is_sent_and_gone(void **state)
{
	const struct dlv_entry e = { .notify = REM_NOTIFY_FAILURE,
		.orcpt = STR("rfc822;Ok"),
		.envid = STR("QQ314"),
		.ret = REM_RET_HDRS };
	struct test t;

	(void)state;
	begin(&t);
	message(&t, "a1", "ok@example.net", &e);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, nothing_left));
	assert_int_equal(t.rem.nsent, 1);
	CHECK_STR(t.rem.sent[0].hop, STR("mx:example.net"));
	CHECK_STR(t.rem.sent[0].address, STR("ok@example.net"));
	CHECK_STR(t.rem.sent[0].from, STR("joe@example.net"));
	CHECK_STR(t.rem.sent[0].prefix, STR("Received: x\r\n"));
	CHECK_STR(t.rem.sent[0].body, t.store.queued_body);
	CHECK_STR(t.rem.sent[0].orcpt, STR("rfc822;Ok"));
	CHECK_STR(t.rem.sent[0].envid, STR("QQ314"));
	assert_int_equal(t.rem.sent[0].notify, REM_NOTIFY_FAILURE);
	assert_int_equal(t.store.submits, 0); /* no notice */
	end(&t);
}

/* The first try asks the store for nothing: it would say something else. */
static void
a_new_message_is_sent_from_what_is_at_hand(void **state)
{
	struct store_queued *q;
	struct dlv_fresh *f;
	struct dlv_plan p;
	struct test t;
	const struct dlv_submit m = { .from = STR("joe@example.net"),
		.inline_data = STR("at hand"),
		.fd = -1,
		.size = 7 };

	(void)state;
	begin(&t);
	q = message(&t, "a1", "ok@example.net", NULL);
	another(&t, "ok@other.example");
	t.store.item[0].nentries = 0; /* not there yet */
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, nothing_left));
	p = (struct dlv_plan){ .queue = q, .nqueue = 2, .now = now_unix() };
	f = dlv_fresh_new(&t.d, &m, &p);
	assert_non_null(f);
	dlv_fresh_name(f, STR("a1"), 1);
	pthread_mutex_lock(&t.store.lock);
	t.store.item[0].nentries = 2;
	pthread_mutex_unlock(&t.store.lock);
	dlv_queue_fresh(t.d.queue, f);
	assert_true(becomes(&t, nothing_left));
	assert_int_equal(t.rem.nsent, 2);
	CHECK_STR(t.rem.sent[0].body, STR("at hand"));
	CHECK_STR(t.rem.sent[1].body, STR("at hand"));
	assert_true(dlv_queue_stop(t.d.queue, deadline_in(10000)));
	dlv_queue_free(&t.d.queue);
	assert_int_equal(t.d.fresh, 0);
	assert_int_equal(t.d.fresh_bytes, 0);
	end(&t);
}

static void
recipients_of_a_domain_go_together(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	message(&t, "a1", "ok@example.net", NULL);
	another(&t, "ok+2@example.net");
	another(&t, "ok@other.example");
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, nothing_left));
	assert_int_equal(t.rem.nsent, 2);
	assert_int_equal(t.rem.sent[0].nto + t.rem.sent[1].nto, 3);
	end(&t);
}

/* A large message may share a thin line with others. */
static void
a_large_message_has_more_time(void **state)
{
	struct test t;
	char *large = xcalloc(1, 8u << 20);

	(void)state;
	begin(&t);
	memset(large, 'x', 8u << 20);
	t.store.queued_body = str_n(large, 8u << 20);
	message(&t, "a1", "ok@example.net", NULL);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, nothing_left));
	assert_true(t.rem.sent[0].ms > (20 * 60 + 30 * 60) * 1000);
	assert_true(t.rem.sent[0].ms < 2 * 3600 * 1000);
	end(&t);
	xfree(large);
}

/* What became of thousands must fit, or all of them would be tried for ever. */
static void
words_that_do_not_fit_are_left_out(void **state)
{
	struct dlv_plan p = { .log = &fake_log, .conf = &fake_conf };
	const struct store_queued *q;
	struct store_queue_update up;
	struct rem_result said = { .rc = RC_TEMP, .code = 450 };
	const struct rem_outcome out = { .to = &said, .nto = 1 };
	struct dlv_entry e;
	struct test t;

	(void)state;
	begin(&t);
	message(&t, "a1", "wordy@example.net", NULL);
	another(&t, "wordy+2@example.net");
	t.store.weight_max = 2000;
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, updated));
	assert_int_equal(t.store.updates, 1);
	for (size_t i = 0; i < 2; i++) {
		q = &t.store.item[0].entries[i];
		assert_int_equal(q->attempts, 1);
		assert_true(q->next_at > now_unix());
		assert_int_equal(dlv_entry_get(q->data, &e), RC_OK);
		assert_int_equal(e.code, 450);
		assert_int_equal(e.reply.n, 0);
	}
	/* of a message to many, shorter from the start */
	p.a = &t.a;
	said.reply = str_n(arena_calloc(&t.a, 1, 1000), 1000);
	for (size_t n = 1; n <= 4096; n *= 64) {
		struct store_queue_item item = t.store.item[0];

		item.entries = arena_calloc(&t.a, n, sizeof(item.entries[0]));
		for (size_t i = 0; i < n; i++) {
			item.entries[i] = t.store.item[0].entries[0];
			item.entries[i].id = i + 1;
		}
		item.nentries = n;
		q = &item.entries[0];
		up =
		    dlv_send_result(&p, &item, &q, 1, STR("mx:x"), &out, false);
		assert_int_equal(up.nset, 1);
		assert_int_equal(dlv_entry_get(up.set[0].data, &e), RC_OK);
		assert_int_equal(e.reply.n, n < 4096 ? 1000 : 128);
	}
	end(&t);
}

static void
what_was_not_taken_waits(void **state)
{
	const struct store_queued *q;
	struct dlv_entry e;
	struct test t;

	(void)state;
	begin(&t);
	message(&t, "a1", "later@example.net", NULL);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, updated));
	q = &t.store.item[0].entries[0];
	assert_int_equal(q->state, DLV_READY);
	assert_int_equal(q->attempts, 1);
	assert_true(q->next_at > now_unix() + 30);
	CHECK_STR(q->reason, STR("mx.example.net: 451 4.3.0 Not now"));
	assert_int_equal(dlv_entry_get(q->data, &e), RC_OK);
	assert_int_equal(e.code, 451);
	CHECK_STR(e.host, STR("mx.example.net [192.0.2.1]"));
	assert_int_equal(t.rem.nsent, 1);
	end(&t);
}

static void
notices_follow_notify(void **state)
{
	static const struct {
		const char *to;
		uint64_t notify;
		bool notice;
		const char *says;
	} rows[] = {
		{ "no@example.net", 0, true, "Action: failed" },
		{ "no@example.net", REM_NOTIFY_FAILURE, true, "550 5.1.1" },
		{ "no@example.net", REM_NOTIFY_NEVER, false, "" },
		{ "no@example.net", REM_NOTIFY_SUCCESS, false, "" },
		{ "ok@example.net", 0, false, "" },
		{ "ok@example.net", REM_NOTIFY_SUCCESS, true,
		    "Action: relayed" },
		{ "dsn@example.net", REM_NOTIFY_SUCCESS, false, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct dlv_entry e = { .notify = rows[i].notify };
		struct test t;

		begin(&t);
		message(&t, "a1", rows[i].to, &e);
		dlv_queue_start(&t.d);
		assert_true(becomes(&t, nothing_left));
		assert_int_equal(t.store.submits, rows[i].notice);
		if (rows[i].notice) {
			assert_true(str_find(t.store.body,
					str_c(rows[i].says)) < t.store.body.n);
			CHECK_STR(t.store.first_queued, STR("joe@example.net"));
		}
		end(&t);
	}
}

static bool
signer_asked(struct test *t)
{
	return t->signer.asked > 0;
}

/*
 * A signer that is down makes it wait, for an hour at most; then it goes as it
 * is.
 */
static void
notices_are_signed(void **state)
{
	static const struct {
		enum rc rc;
		const char *domain; /* that there is a key of */
		int64_t age;
		bool sent;
		const char *edits;
	} rows[] = {
		{ RC_OK, "mail.example.org", 0, true,
		    "DKIM-Signature: d=mail.example.org\r\n" },
		{ RC_OK, "example.org", 0, true,
		    "DKIM-Signature: d=example.org\r\n" },
		{ RC_OK, "example.net", 0, true, "" },
		{ RC_BAD, "", 0, true, "" },
		{ RC_TEMP, "", 0, false, "" },
		{ RC_DENY, "", 3500, false, "" },
		{ RC_TEMP, "", 3700, true, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct dlv_entry e = { .action = DLV_FAILED };
		struct store_queued *q;
		struct test t;

		begin(&t);
		t.conf.dkim_dir = "/x";
		t.d.signer = &t.signer;
		t.signer.rc = rows[i].rc;
		t.signer.domain = rows[i].domain;
		q = message(&t, "a1", "no@example.net", &e);
		q->state = DLV_DONE;
		q->next_at = now_unix() - rows[i].age;
		dlv_queue_start(&t.d);
		assert_true(
		    becomes(&t, rows[i].sent ? nothing_left : signer_asked));
		assert_true(dlv_queue_stop(t.d.queue, deadline_in(10000)));
		dlv_queue_free(&t.d.queue);
		assert_true(signer_asked(&t));
		assert_int_equal(t.store.submits, rows[i].sent);
		assert_int_equal(fake_store_entries(&t.store), !rows[i].sent);
		if (rows[i].sent)
			CHECK_STR(t.store.edits, str_c(rows[i].edits));
		end(&t);
	}
}

static void
a_failed_notice_goes_to_the_postmaster(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	message(&t, "a1", "no@example.net", NULL);
	t.store.item[0].from = STR("");
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, nothing_left));
	assert_int_equal(t.store.submits, 1);
	/* The fake directory takes everybody for Ann. */
	CHECK_STR(t.store.first_to, STR(ANN));
	assert_true(str_find(t.store.body,
			STR("To: <postmaster@example.org>")) < t.store.body.n);
	end(&t);
}

static void
too_old_is_given_up(void **state)
{
	static const struct {
		enum dlv_state state;
		bool waits, gone;
	} rows[] = {
		{ DLV_READY, false, true },
		{ DLV_HELD, true, true },
		{ DLV_HELD, false, false }, /* an administrator's */
		{ DLV_POISON, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct dlv_entry e = { .waits = rows[i].waits };
		struct dlv_step step;
		struct store_queued *q;
		struct test t;

		begin(&t);
		t.conf.queue_retry_min_s = 0; /* no grace */
		q = message(&t, "a1", "later@example.net", &e);
		q->state = rows[i].state;
		q->attempts = 1;
		q->expires_at = now_unix() - 1;
		dlv_queue_start(&t.d);
		if (rows[i].gone) {
			assert_true(becomes(&t, nothing_left));
			assert_int_equal(t.store.submits, 1);
			assert_true(str_find(t.store.body, STR("5.4.7")) <
				    t.store.body.n);
		} else {
			dlv_retry_step(&t.d, STR("a1"), &step);
			assert_int_equal(fake_store_entries(&t.store), 1);
			assert_int_equal(t.store.submits, 0);
		}
		assert_int_equal(t.rem.nsent, 0);
		end(&t);
	}
}

/* Too late or not: one try it gets. */
static void
nothing_is_given_up_untried(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	dlv_queue_start(&t.d);
	t.d.grace_ns = 0;
	pthread_mutex_lock(&t.store.lock);
	message(&t, "a1", "later@example.net", NULL)->expires_at =
	    now_unix() - 1;
	pthread_mutex_unlock(&t.store.lock);
	dlv_queue_poke(t.d.queue, STR("a1"));
	assert_true(becomes(&t, nothing_left));
	assert_int_equal(t.rem.nsent, 1);
	assert_int_equal(t.store.submits, 1);
	assert_true(str_find(t.store.body, STR("smtp;451 4.3.0 Not now")) <
		    t.store.body.n);
	end(&t);
}

static bool
one_left(struct test *t)
{
	struct dlv_queue_sum sum;

	dlv_queue_sum(t->d.queue, &sum);
	return t->store.submits == 1 && sum.messages == 1;
}

/* Where it cannot be tried the sender hears why. */
static void
a_dead_places_error_is_told(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	message(&t, "a1", "down@dead.example", NULL);
	dlv_queue_start(&t.d);
	t.d.grace_ns = 0;
	assert_true(becomes(&t, updated));
	pthread_mutex_lock(&t.store.lock);
	message(&t, "a2", "ok@dead.example", NULL)->expires_at = now_unix() - 1;
	pthread_mutex_unlock(&t.store.lock);
	dlv_queue_poke(t.d.queue, STR("a2"));
	assert_true(becomes(&t, one_left));
	assert_int_equal(t.rem.nsent, 1);
	assert_true(str_find(t.store.body, STR("5.4.7")) < t.store.body.n);
	assert_true(str_find(t.store.body,
			STR("x-gatepost;not tried, the last error of")) <
		    t.store.body.n);
	assert_true(str_find(t.store.body, STR("in the time allowed")) <
		    t.store.body.n);
	assert_true(
	    str_find(t.store.body, STR("connection refused")) < t.store.body.n);
	assert_true(
	    str_find(t.store.body, STR("Last-Attempt")) == t.store.body.n);
	end(&t);
}

/* A machine that was off for a week, or whose clock was wrong. */
static void
what_is_too_old_at_a_start_is_tried_first(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	message(&t, "a1", "ok@example.net", NULL)->expires_at =
	    now_unix() - 100;
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, nothing_left));
	assert_int_equal(t.rem.nsent, 1);
	assert_int_equal(t.store.submits, 0);
	end(&t);
}

static void
the_sender_is_told_once_that_it_is_late(void **state)
{
	struct store_queued *q;
	struct test t;

	(void)state;
	begin(&t);
	q = message(&t, "a1", "later@example.net", NULL);
	q->attempts = 3;
	q->next_at = now_unix() + 500;
	t.store.item[0].received_at = now_unix() - 20000;
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, updated));
	assert_int_equal(t.store.submits, 1);
	assert_true(
	    str_find(t.store.body, STR("Action: delayed")) < t.store.body.n);
	dlv_queue_poke(t.d.queue, STR("a1"));
	assert_int_equal(t.store.updates, 1);
	assert_int_equal(t.store.item[0].entries[0].state, DLV_READY);
	assert_int_equal(t.store.item[0].entries[0].attempts, 3);
	end(&t);
}

static void
no_answer_asks_again_under_the_same_id(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	t.rem.mute = 1;
	message(&t, "a1", "ok@example.net", NULL);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, nothing_left));
	assert_int_equal(t.rem.nsent, 2);
	CHECK_STR(t.rem.sent[0].id, t.rem.sent[1].id);
	end(&t);
}

static bool
eight_sent(struct test *t)
{
	return fake_rem_count(&t->rem) == 8;
}

/* Counted one by one, these would be a pause of half a minute. */
static void
a_death_of_remote_is_one_pause(void **state)
{
	static const char *const to[] = { "ok@a.example", "ok@b.example",
		"ok@c.example", "ok@d.example", "ok@e.example", "ok@f.example",
		"ok@g.example", "ok@h.example" };
	struct test t;

	(void)state;
	begin(&t);
	t.rem.silent = true;
	message(&t, "a1", to[0], NULL);
	for (size_t i = 1; i < COUNT(to); i++)
		another(&t, to[i]);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, eight_sent));
	pthread_mutex_lock(&t.rem.lock);
	t.rem.silent = false;
	pthread_mutex_unlock(&t.rem.lock);
	for (size_t i = 0; i < COUNT(to); i++)
		fake_rem_answer(&t.rem, i, RC_TEMP);
	assert_true(becomes(&t, nothing_left));
	assert_int_equal(t.rem.nsent, 2 * COUNT(to));
	end(&t);
}

/* The other domain's mail flows; the dead one's second message waits. */
static void
a_dead_place_holds_up_nobody_else(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	t.conf.remote_concurrency = 1;
	message(&t, "a1", "down@dead.example", NULL);
	message(&t, "a2", "down@dead.example", NULL);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, updated));
	message(&t, "a3", "ok@example.net", NULL);
	dlv_queue_poke(t.d.queue, STR("a3"));
	assert_true(becomes(&t, two_sent));
	CHECK_STR(t.rem.sent[0].hop, STR("mx:dead.example"));
	CHECK_STR(t.rem.sent[1].hop, STR("mx:example.net"));
	end(&t);
}

static bool
one_sent(struct test *t)
{
	return fake_rem_count(&t->rem) == 1;
}

static bool
none_sending(struct test *t)
{
	struct dlv_queue_sum sum;

	dlv_queue_sum(t->d.queue, &sum);
	return sum.sending == 0;
}

static bool
one_held(struct test *t)
{
	struct dlv_queue_sum sum;

	dlv_queue_sum(t->d.queue, &sum);
	return sum.held == 1;
}

/*
 * What an administrator did while it was on its way is not undone, also if the
 * queue has looked at the message before the answer came.
 */
static void
held_while_on_its_way_stays_held(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	t.rem.silent = true;
	message(&t, "a1", "later@example.net", NULL);
	another(&t, "ok@example.net");
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, one_sent));
	pthread_mutex_lock(&t.store.lock);
	t.store.item[0].entries[0].state = DLV_HELD;
	pthread_mutex_unlock(&t.store.lock);
	dlv_queue_poke(t.d.queue, STR("a1"));
	assert_true(becomes(&t, one_held));
	fake_rem_answer(&t.rem, 0, RC_OK);
	assert_true(becomes(&t, none_sending));
	assert_int_equal(fake_store_entries(&t.store), 1);
	assert_int_equal(t.store.item[0].entries[0].state, DLV_HELD);
	CHECK_STR(t.store.item[0].entries[0].rcpt, STR("later@example.net"));
	end(&t);
}

static void
hold_it(struct store_client *s)
{
	s->item[0].entries[0].state = DLV_HELD;
	s->item[0].entries[0].reason = STR("held by an administrator");
}

/* Between our reading it and the store's commit. */
static void
held_at_the_last_moment_stays_held(void **state)
{
	struct store_queued *q;
	struct test t;

	(void)state;
	begin(&t);
	t.store.before = hold_it;
	message(&t, "a1", "later@example.net", NULL);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, one_held));
	assert_true(becomes(&t, updated));
	q = &t.store.item[0].entries[0];
	assert_int_equal(t.rem.nsent, 1);
	assert_int_equal(q->state, DLV_HELD);
	assert_int_equal(q->attempts, 1);
	end(&t);
}

/* Deleting one of two does not send the other twice. */
static void
deleted_while_on_its_way(void **state)
{
	struct test t;

	(void)state;
	begin(&t);
	t.rem.silent = true;
	message(&t, "a1", "ok@example.net", NULL);
	another(&t, "ok+2@example.net");
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, one_sent));
	pthread_mutex_lock(&t.store.lock);
	t.store.item[0].nentries = 1;
	pthread_mutex_unlock(&t.store.lock);
	fake_rem_answer(&t.rem, 0, RC_OK);
	assert_true(becomes(&t, nothing_left));
	assert_int_equal(t.rem.nsent, 1);
	end(&t);
}

/* The mailbox has moved here since the first try. */
static void
people_are_followed_before_another_try(void **state)
{
	const struct dlv_entry e = { .route = STR("ann@old.example") };
	struct store_queued *q;
	struct test t;

	(void)state;
	begin(&t);
	q = message(&t, "a1", "ann@example.org", &e);
	q->dir_id = STR(ANN);
	q->attempts = 1;
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, nothing_left));
	assert_int_equal(t.rem.nsent, 0);
	assert_int_equal(t.store.delivered, 1);
	CHECK_STR(t.store.last_account, STR(ANN));
	end(&t);
}

/* Asked to try what has no route: the directory is asked, and it is held. */
static void
without_a_route_it_is_held_again(void **state)
{
	const struct dlv_entry e = { .route = STR("exchange.example.org") };
	struct store_queued *q;
	struct test t;

	(void)state;
	begin(&t);
	q = message(&t, "a1", "dan@example.org", &e);
	q->dir_id = STR(DAN);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, updated));
	assert_int_equal(t.rem.nsent, 0);
	assert_int_equal(t.store.item[0].entries[0].state, DLV_HELD);
	assert_int_equal(t.store.item[0].entries[0].attempts, 1);
	end(&t);
}

static void
a_try_is_the_same_after_a_crash(void **state)
{
	const struct store_queued **v;
	struct store_queue_item *it;
	struct str id1, id2, id3;
	struct test t;
	size_t n;

	(void)state;
	begin(&t);
	message(&t, "a1", "ok@example.net", NULL);
	another(&t, "ok+2@example.net");
	another(&t, "ok+3@example.net")->attempts = 1;
	it = &t.store.item[0];
	dlv_send_choose(
	    &t.a, &t.conf, it, STR("mx:example.net"), now_unix(), &v, &n, &id1);
	assert_int_equal(n, 2);
	it->nentries = 2; /* the third one's result came in meanwhile */
	dlv_send_choose(
	    &t.a, &t.conf, it, STR("mx:example.net"), now_unix(), &v, &n, &id2);
	CHECK_STR(id1, id2);
	it->entries[0].attempts++;
	dlv_send_choose(
	    &t.a, &t.conf, it, STR("mx:example.net"), now_unix(), &v, &n, &id3);
	assert_int_equal(n, 1);
	assert_false(str_eq(id1, id3));
	dlv_send_choose(&t.a, &t.conf, it, STR("mx:other.example"), now_unix(),
	    &v, &n, &id3);
	assert_int_equal(n, 0);
	end(&t);
}

/* The store is away when a message is looked at: its jobs are not lost. */
static void
what_could_not_be_read_is_tried_later(void **state)
{
	const struct timespec some = { 0, 300000000 };
	struct test t;

	(void)state;
	begin(&t);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, nothing_left));
	pthread_mutex_lock(&t.store.lock);
	message(&t, "a1", "ok@example.net", NULL);
	t.store.answer = RC_TEMP;
	pthread_mutex_unlock(&t.store.lock);
	dlv_queue_poke(t.d.queue, STR("a1"));
	nanosleep(&some, NULL);
	assert_int_equal(fake_rem_count(&t.rem), 0);
	pthread_mutex_lock(&t.store.lock);
	t.store.answer = RC_OK;
	pthread_mutex_unlock(&t.store.lock);
	assert_true(becomes(&t, nothing_left));
	assert_int_equal(t.rem.nsent, 1);
	end(&t);
}

static bool
on_its_way(struct test *t)
{
	return fake_rem_count(&t->rem) == 1;
}

static void *
answer_soon(void *arg)
{
	const struct timespec some = { 0, 200000000 };
	struct test *t = arg;

	nanosleep(&some, NULL);
	fake_rem_answer(&t->rem, 0, RC_OK);
	return NULL;
}

/* Or it would leave once more in the next life. */
static void
a_stop_waits_for_what_is_on_its_way(void **state)
{
	pthread_t other;
	struct test t;

	(void)state;
	begin(&t);
	t.rem.silent = true;
	message(&t, "a1", "ok@example.net", NULL);
	dlv_queue_start(&t.d);
	assert_true(becomes(&t, on_its_way));
	assert_int_equal(pthread_create(&other, NULL, answer_soon, &t), 0);
	assert_true(dlv_queue_stop(t.d.queue, deadline_in(8000)));
	dlv_queue_free(&t.d.queue);
	pthread_join(other, NULL);
	assert_int_equal(fake_store_entries(&t.store), 0);
	end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_mail_is_sent_and_gone),
		cmocka_unit_test(a_new_message_is_sent_from_what_is_at_hand),
		cmocka_unit_test(recipients_of_a_domain_go_together),
		cmocka_unit_test(a_large_message_has_more_time),
		cmocka_unit_test(words_that_do_not_fit_are_left_out),
		cmocka_unit_test(what_was_not_taken_waits),
		cmocka_unit_test(notices_follow_notify),
		cmocka_unit_test(notices_are_signed),
		cmocka_unit_test(a_failed_notice_goes_to_the_postmaster),
		cmocka_unit_test(too_old_is_given_up),
		cmocka_unit_test(nothing_is_given_up_untried),
		cmocka_unit_test(a_dead_places_error_is_told),
		cmocka_unit_test(what_is_too_old_at_a_start_is_tried_first),
		cmocka_unit_test(the_sender_is_told_once_that_it_is_late),
		cmocka_unit_test(no_answer_asks_again_under_the_same_id),
		cmocka_unit_test(a_death_of_remote_is_one_pause),
		cmocka_unit_test(a_dead_place_holds_up_nobody_else),
		cmocka_unit_test(held_while_on_its_way_stays_held),
		cmocka_unit_test(held_at_the_last_moment_stays_held),
		cmocka_unit_test(deleted_while_on_its_way),
		cmocka_unit_test(people_are_followed_before_another_try),
		cmocka_unit_test(without_a_route_it_is_held_again),
		cmocka_unit_test(a_try_is_the_same_after_a_crash),
		cmocka_unit_test(what_could_not_be_read_is_tried_later),
		cmocka_unit_test(a_stop_waits_for_what_is_on_its_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
