/* The file: what goes in comes out, and what is done about old, big, damaged
 * and full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "track/trk_db.h"
#include "track/trk_query.h"

#define DAY_MS INT64_C(86400000)
#define T0     INT64_C(1795000000000)

struct rig {
	char dir[64];
	struct log log;
	struct trk_db *db;
	struct arena a;
	struct buf events;
	size_t n;
	uint64_t seq;
	const char *client;
};

static const char client_a[] = "aaaaaaaaaaaaaaaa",
		  client_b[] = "bbbbbbbbbbbbbbbb";

static int
set_up(void **state)
{
	struct rig *r = xcalloc(1, sizeof(*r));

	snprintf(r->dir, sizeof(r->dir), "/tmp/trk-test-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	r->log.sink = log_sink_new(2, "db_test", LOG_ERROR);
	log_sink_set(r->log.sink, open("/dev/null", O_WRONLY), LOG_ERROR);
	r->client = client_a;
	buf_init(&r->events, TRK_BATCH_BYTES);
	assert_int_equal(trk_db_open(&r->log, r->dir, &r->db), RC_OK);
	*state = r;
	return 0;
}

static const char *
file(struct rig *r, const char *name)
{
	return str_fmt(&r->a, "%s/%s", r->dir, name).p;
}

static int
tear_down(void **state)
{
	static const char *const names[] = { "events.db", "events.db-wal",
		"events.db-shm", "events.damaged" };
	struct rig *r = *state;

	trk_db_close(&r->db);
	for (size_t i = 0; i < COUNT(names); i++)
		unlink(file(r, names[i]));
	assert_int_equal(rmdir(r->dir), 0);
	log_sink_free(&r->log.sink);
	buf_free(&r->events);
	arena_free(&r->a);
	xfree(r);
	return 0;
}

static void
add(struct rig *r, struct trk_event e)
{
	char p[TRK_RECORD_MAX];

	if (e.at_ms == 0)
		e.at_ms = T0 + (int64_t)r->n;
	assert_int_equal(
	    buf_add(&r->events, str_n(p, trk_record_put(p, &e))), RC_OK);
	r->n++;
}

static enum rc
put(struct rig *r, uint64_t seq, uint64_t *count)
{
	const struct trk_batch b = {
		.client = str_n(r->client, TRK_CLIENT_ID),
		.seq = seq,
		.events = buf_str(&r->events),
		.n = r->n,
	};
	const struct trk_batch *v = &b;

	return trk_db_write(r->db, &v, 1, count);
}

static void
commit(struct rig *r)
{
	uint64_t count;

	assert_int_equal(put(r, ++r->seq, &count), RC_OK);
	assert_int_equal(count, r->n);
	buf_clear(&r->events);
	r->n = 0;
}

static size_t
found(struct rig *r, struct trk_find f, struct trk_event **out)
{
	struct trk_event *v;
	uint64_t next;
	size_t n;

	if (f.until_ms == 0)
		f.until_ms = INT64_MAX;
	if (f.limit == 0)
		f.limit = 10;
	assert_int_equal(trk_query_find(&r->a, r->dir, &f, deadline_in(60000),
			     &v, &n, &next),
	    RC_OK);
	if (out != NULL)
		*out = v;
	return n;
}

static size_t
steps(struct rig *r, const char *qid, const char *sid, struct trk_event **out)
{
	size_t n;

	assert_int_equal(trk_query_steps(&r->a, r->dir, str_c(qid), str_c(sid),
			     0, deadline_in(60000), out, &n),
	    RC_OK);
	return n;
}

#define EV(k, ...)                                                             \
	((struct trk_event){ .kind = TRK_##k, .nrcpt = 1, __VA_ARGS__ })
#define S(field, text) .field = STR_INIT(text)

/* Two messages in a session, and something refused before each. */
static void
two_messages(struct rig *r)
{
	add(r, EV(CONNECT, S(sid, "s1"), S(client_ip, "192.0.2.1")));
	add(r, EV(REJECT, S(sid, "s1"), S(client_ip, "192.0.2.1"),
		   S(rcpt, "no1@x"), S(from, "A@y"), S(code, "550 5.1.1"),
		   S(text, "No such user here")));
	add(r, EV(DELIVER, S(sid, "s1"), S(qid, "q1"), S(message_id, "<1@y>"),
		   S(rcpt, "ann@x"), S(text, "INBOX"), .size = 100));
	add(r, EV(ACCEPT, S(sid, "s1"), S(qid, "q1"), S(client_ip, "192.0.2.1"),
		   S(from, "A@y"), .size = 100));
	add(r, EV(REJECT, S(sid, "s1"), S(client_ip, "192.0.2.1"),
		   S(rcpt, "no2@x"), S(from, "b@y"), S(code, "550 5.1.1")));
	add(r, EV(ACCEPT, S(sid, "s1"), S(qid, "q2"), S(client_ip, "192.0.2.1"),
		   S(from, "b@y"), .size = 50));
	add(r, EV(DELIVER, S(sid, "s1"), S(qid, "q2"), S(message_id, "<2@y>"),
		   S(rcpt, "ben@x"), S(text, "Junk"), .size = 50));
	add(r, EV(BOUNCE, S(qid, "q2"), S(rcpt, "cat@z")));
	add(r,
	    EV(ACCEPT, S(sid, "q2"), S(qid, "q3"), S(rcpt, "b@y"), .size = 9));
	commit(r);
}

static void
messages_are_found_by_each_key(void **state)
{
	static const struct {
		struct trk_find f;
		const char *keys; /* newest first */
	} rows[] = {
		{ { S(id, "q1") }, "q1" },
		{ { S(id, "s1") }, "q2 s1 q1" },
		{ { S(id, "q2") }, "q3 q2" },
		{ { S(message_id, "<1@y>") }, "q1" },
		{ { S(from, "a@Y") }, "q1 s1" },
		{ { S(to, "ANN@x") }, "q1" },
		{ { S(to, "no2@x") }, "s1" },
		{ { S(to, "ann@x"), S(from, "a@y") }, "q1" },
		{ { S(to, "ann@x"), S(from, "b@y") }, "" },
		{ { S(message_id, "<2@y>"), S(to, "ben@x"), S(from, "b@y") },
		    "q2" },
		{ { S(id, "s1"), S(message_id, "<2@y>") }, "q2" },
		{ { S(id, "nothing") }, "" },
		{ { .since_ms = T0 + 5, .until_ms = T0 + 6 }, "q2" },
		{ { S(to, "ann@x"), .since_ms = T0 + 3 }, "" },
		{ { S(to, "ann@x"), .until_ms = T0 + 2 }, "" },
		{ { S(id, "s1"), .limit = 1 }, "q2" },
	};
	struct rig *r = *state;

	two_messages(r);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct trk_event *v;
		size_t n = found(r, rows[i].f, &v);
		struct str keys = STR("");

		for (size_t k = 0; k < n; k++)
			keys = str_fmt(&r->a, "%.*s%s%.*s", STRF(keys),
			    k ? " " : "",
			    STRF(v[k].qid.n ? v[k].qid : v[k].sid));
		assert_string_equal(
		    str_fmt(&r->a, "%.*s", STRF(keys)).p, rows[i].keys);
	}
}

static void
pages_do_not_lose_a_message(void **state)
{
	struct rig *r = *state;
	struct trk_find f = { S(from, "a@y"), .until_ms = INT64_MAX,
		.limit = 7 };
	size_t n, all = 0;
	bool seen[100] = { false };

	for (int i = 0; i < 100; i++) {
		struct str q = str_fmt(&r->a, "q%02d", i);

		add(r, (struct trk_event){
			   .kind = TRK_ACCEPT, S(from, "a@y"), .qid = q });
	}
	commit(r);
	do {
		struct trk_event *v;

		assert_int_equal(trk_query_find(&r->a, r->dir, &f,
				     deadline_in(60000), &v, &n, &f.before),
		    RC_OK);
		for (size_t i = 0; i < n; i++) {
			uint64_t k;

			assert_int_equal(
			    str_u64(str_from(v[i].qid, 1), 99, &k), RC_OK);
			seen[k] = true;
		}
		all += n;
	} while (f.before != 0);
	assert_int_equal(all, 100);
	for (size_t i = 0; i < 100; i++)
		assert_true(seen[i]);
}

static void
a_message_has_its_part_of_the_session(void **state)
{
	static const struct {
		const char *qid, *sid, *kinds;
	} rows[] = {
		{ "q1", "", "1 2 7 4" },
		{ "q2", "", "1 2 4 7 11 4" }, /* the last one is its notice */
		{ "q3", "", "4" },
		{ "", "s1", "1 2 2" },
		{ "q9", "", "" },
	};
	struct rig *r = *state;

	two_messages(r);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct trk_event *v;
		size_t n = steps(r, rows[i].qid, rows[i].sid, &v);
		struct str got = STR("");

		for (size_t k = 0; k < n; k++)
			got = str_fmt(&r->a, "%.*s%s%d", STRF(got),
			    k ? " " : "", (int)v[k].kind);
		assert_string_equal(
		    str_fmt(&r->a, "%.*s", STRF(got)).p, rows[i].kinds);
	}
}

static void
a_report_counts(void **state)
{
	static const struct trk_row want[] = {
		{ TRK_BY_KIND, TRK_CONNECT, 0, 1, 1, 0 },
		{ TRK_BY_KIND, TRK_REJECT, 0, 2, 2, 0 },
		{ TRK_BY_KIND, TRK_ACCEPT, 0, 2, 2, 150 },
		{ TRK_BY_KIND, TRK_NOTICE, 0, 1, 1, 9 },
		{ TRK_BY_KIND, TRK_DELIVER, 0, 1, 1, 100 },
		{ TRK_BY_KIND, TRK_JUNK, 0, 1, 1, 50 },
		{ TRK_BY_REASON, TRK_REJECT, 0, 2, 0, 0, S(who, "550 5.1.1"),
		    S(text, "No such user here") },
		{ TRK_BY_TIME, TRK_ACCEPT, 0, 2, 2, 150 },
		{ TRK_BY_SENDER, TRK_ACCEPT, 0, 1, 1, 100, S(who, "A@y") },
		{ TRK_BY_RCPT, TRK_DELIVER, 0, 1, 0, 50, S(who, "ben@x") },
	};
	struct rig *r = *state;
	struct trk_row *v;
	size_t n;

	two_messages(r);
	add(r, EV(ACCEPT, .at_ms = T0 + DAY_MS, S(client_ip, "192.0.2.1")));
	commit(r);
	assert_int_equal(trk_query_report(&r->a, r->dir, T0, T0 + DAY_MS,
			     3600000, 10, deadline_in(60000), &v, &n),
	    RC_OK);
	for (size_t i = 0; i < COUNT(want); i++) {
		const struct trk_row *w = &want[i];
		bool there = false;

		for (size_t k = 0; k < n; k++)
			there =
			    there ||
			    (v[k].table == w->table && v[k].kind == w->kind &&
				v[k].slot == w->slot && v[k].n == w->n &&
				v[k].nrcpt == w->nrcpt &&
				v[k].bytes == w->bytes &&
				str_eq(v[k].who, w->who) &&
				str_eq(v[k].text, w->text));
		if (!there)
			fail_msg("row %zu", i);
	}
	/* Time over: no answer rather than half of one. */
	assert_int_equal(trk_query_report(&r->a, file(r, "none"), 0, 1, 1, 10,
			     deadline_in(1000), &v, &n),
	    RC_TEMP);
}

static void
a_repeated_batch_counts_once(void **state)
{
	struct rig *r = *state;
	uint64_t count;

	add(r, EV(HOLD, S(qid, "q1")));
	assert_int_equal(put(r, 5, &count), RC_OK);
	assert_int_equal(count, 1);
	assert_int_equal(put(r, 5, &count), RC_OK);
	assert_int_equal(count, 0);
	assert_int_equal(put(r, 4, &count), RC_OK);
	assert_int_equal(count, 0);
	trk_db_close(&r->db);
	assert_int_equal(trk_db_open(&r->log, r->dir, &r->db), RC_OK);
	assert_int_equal(put(r, 5, &count), RC_OK);
	assert_int_equal(count, 0);
	assert_int_equal(put(r, 6, &count), RC_OK);
	assert_int_equal(count, 1);
	r->client = client_b;
	assert_int_equal(put(r, 5, &count), RC_OK);
	assert_int_equal(count, 1);
}

/* Of n events with some text each; the oldest first. */
static void
fill(struct rig *r, int n)
{
	static const char filler[400] = "x";

	for (int i = 0; i < n; i++) {
		struct str q = str_fmt(&r->a, "f%06d", i);

		add(r, (struct trk_event){ .kind = TRK_QUEUE,
			   .at_ms = T0 + i,
			   .qid = q,
			   .text = str_n(filler, sizeof(filler)) });
		if (r->n == 500)
			commit(r);
	}
	commit(r);
}

static unsigned
prune_all(struct rig *r, int64_t before, uint64_t max)
{
	unsigned steps_taken = 0;
	bool more = true;

	for (; more; steps_taken++) {
		assert_int_equal(
		    trk_db_prune(r->db, before, max, &more), RC_OK);
		assert_true(steps_taken < 1000);
	}
	return steps_taken;
}

static void
what_is_old_goes_in_steps(void **state)
{
	struct rig *r = *state;
	struct trk_event *v;

	fill(r, 3000);
	assert_true(prune_all(r, T0 + 2000, UINT64_MAX) >= 4);
	assert_int_equal(steps(r, "f001999", "", &v), 0);
	assert_int_equal(steps(r, "f002000", "", &v), 1);
	assert_int_equal(prune_all(r, T0 + 2000, UINT64_MAX), 1);
}

static void
what_is_too_big_loses_its_oldest(void **state)
{
	struct rig *r = *state;
	struct trk_event *v;
	struct stat st;
	uint64_t before, cap;

	fill(r, 8000);
	before = trk_db_bytes(r->db);
	cap = before / 2;
	prune_all(r, 0, cap);
	assert_true(trk_db_bytes(r->db) <= cap);
	assert_true(trk_db_bytes(r->db) > cap / 2);
	assert_int_equal(steps(r, "f000000", "", &v), 0);
	assert_int_equal(steps(r, "f007999", "", &v), 1);
	/* The file itself has shrunk, too. */
	trk_db_close(&r->db);
	assert_int_equal(stat(file(r, "events.db"), &st), 0);
	assert_true((uint64_t)st.st_size < before * 3 / 4 + (8u << 20));
	assert_int_equal(trk_db_open(&r->log, r->dir, &r->db), RC_OK);
}

static void
overwrite(struct rig *r, off_t at, size_t n)
{
	int fd = open(file(r, "events.db"), O_WRONLY);
	char *junk = xmalloc(n);

	memset(junk, 0x5a, n);
	assert_int_equal(pwrite(fd, junk, n, at), n);
	close(fd);
	xfree(junk);
}

static void
a_damaged_file_is_set_aside(void **state)
{
	static const struct {
		off_t at;
		size_t n;
	} rows[] = {
		{ 0, 100 },         /* the header */
		{ 4096, 64 << 10 }, /* all pages of the schema and roots */
	};
	struct rig *r = *state;
	struct trk_event *v;

	for (size_t i = 0; i < COUNT(rows); i++) {
		fill(r, 1000);
		trk_db_close(&r->db);
		overwrite(r, rows[i].at, rows[i].n);
		assert_int_equal(trk_db_open(&r->log, r->dir, &r->db), RC_OK);
		add(r, EV(HOLD, S(qid, "after")));
		commit(r);
		assert_int_equal(steps(r, "after", "", &v), 1);
		assert_int_equal(access(file(r, "events.damaged"), F_OK), 0);
		assert_int_equal(unlink(file(r, "events.damaged")), 0);
	}
}

/* It was damaged, and no new one could be made at that moment. */
static void
a_new_file_that_could_not_be_made_is_made_later(void **state)
{
	struct rig *r = *state;
	struct rlimit was, none;
	struct trk_event *v;

	fill(r, 10);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(trk_db_set_aside(r->db), RC_TEMP);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	add(r, EV(HOLD, S(qid, "after")));
	commit(r);
	assert_int_equal(steps(r, "after", "", &v), 1);
}

static void
a_file_of_another_version_is_set_aside(void **state)
{
	struct rig *r = *state;
	char version[4] = { 0, 0, 0, 9 };
	int fd;

	add(r, EV(HOLD, S(qid, "before")));
	commit(r);
	trk_db_close(&r->db);
	fd = open(file(r, "events.db"), O_WRONLY);
	assert_int_equal(pwrite(fd, version, 4, 60), 4);
	close(fd);
	assert_int_equal(trk_db_open(&r->log, r->dir, &r->db), RC_OK);
	assert_int_equal(access(file(r, "events.damaged"), F_OK), 0);
	add(r, EV(HOLD, S(qid, "after")));
	commit(r);
}

static void
a_full_disk_loses_that_batch_alone(void **state)
{
	struct rig *r = *state;
	struct rlimit was, small;
	struct trk_event *v;
	uint64_t count;
	bool refused = false;

	signal(SIGXFSZ, SIG_IGN);
	fill(r, 1000);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small = was;
	small.rlim_cur = 2u << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int k = 0; k < 40 && !refused; k++) {
		for (int i = 0; i < 400; i++)
			add(r,
			    EV(QUEUE, S(qid, "later"),
				.text = STR_INIT("0123456789012345678901234567"
						 "89012345678901234567890123456"
						 "78901234567890")));
		refused = put(r, ++r->seq, &count) == RC_TEMP;
		if (refused)
			assert_int_equal(count, 0);
		buf_clear(&r->events);
		r->n = 0;
	}
	assert_true(refused);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	add(r, EV(HOLD, S(qid, "after")));
	commit(r);
	assert_int_equal(steps(r, "after", "", &v), 1);
	assert_int_equal(steps(r, "f000999", "", &v), 1);
	assert_int_equal(access(file(r, "events.damaged"), F_OK), -1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(messages_are_found_by_each_key),
		T(pages_do_not_lose_a_message),
		T(a_message_has_its_part_of_the_session),
		T(a_report_counts),
		T(a_repeated_batch_counts_once),
		T(what_is_old_goes_in_steps),
		T(what_is_too_big_loses_its_oldest),
		T(a_damaged_file_is_set_aside),
		T(a_new_file_that_could_not_be_made_is_made_later),
		T(a_file_of_another_version_is_set_aside),
		T(a_full_disk_loses_that_batch_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
