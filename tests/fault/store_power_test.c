/*
 * Power cuts: a run of the store, with compaction, is recorded, then the files
 * are made again as a cut at every moment may leave them (a sample; all with
 * GP_LONG=1), and the store must open on them, have everything that was
 * acknowledged, show nothing by halves, and go on.
 *
 * The index is none, or one of the copies made during the run: LMDB without
 * a sync of its meta page may come back older, never newer than the log.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fault/recio.h"
#include "tests/unit/store/rig.h"

#define ROUNDS 24
#define COPIES 8

struct acked {
	size_t event; /* acknowledged when so many had happened */
	uint64_t seed;
	size_t size;
	bool flagged; /* afterwards, also acknowledged */
	size_t flag_event;
};

struct copy {
	size_t event;
	char *data;
	size_t n;
};

struct run {
	struct rig *r;
	struct recio rec;
	struct acked acked[ROUNDS];
	size_t nacked;
	struct copy copies[COPIES];
	size_t ncopies;
};

/* One message for two people and the queue: all or nothing. */
static enum rc
submit_both(struct rig *r, uint64_t seed, size_t size)
{
	struct rig_message m = rig_message(r, seed, size);
	struct engine_content c = { .edits = m.edits,
		.data = m.body,
		.fd = -1,
		.size = m.body.n,
		.meta = m.meta };
	struct engine_delivery d[2] = {
		{ .account = ANN, .name = STR("INBOX"), .prefix = m.prefix },
		{ .account = BOB,
		    .name = STR("New/Folder"),
		    .prefix = m.prefix },
	};
	struct store_queued q = { .rcpt = STR("carl@example.org"),
		.reason = str_fmt(&r->a, "%llu", (unsigned long long)seed) };
	struct engine_intent in = { .kind = ENGINE_SUBMIT,
		.op_id = str_fmt(&r->a, "op-%llu", (unsigned long long)seed),
		.a = &r->a,
		.submit = { .received_at = 1700000000,
		    .to = d,
		    .nto = 2,
		    .set = &q,
		    .nset = 1 } };
	enum rc rc;

	engine_body_id(c.id);
	rc = r->e->ops->put_body(r->e, &c, &in.submit.body);
	return rc == RC_OK ? engine_run(r->e, &in) : rc;
}

static size_t
size_of(uint64_t seed)
{
	return seed % 7 == 3 ? 2500000 : 200 + seed * 97 % 9000;
}

/*
 * What a store on `dir` shows: every message for both or for none, whole;
 * present[i] says which.
 */
static void
look(struct rig *r, bool present[ROUNDS + 1], uint64_t flags[ROUNDS + 1])
{
	struct store_queue_item *q = NULL;
	struct store_row *rows, *other = NULL;
	struct store_mailbox mb;
	unsigned char key[32];
	size_t n, k, nq = 0;

	memset(present, 0, (ROUNDS + 1) * sizeof(*present));
	assert_int_equal(
	    r->e->ops->queue_list(r->e, &r->a, STR(""), 1000, &q, &nq), RC_OK);
	if (r->e->ops->attach(r->e, ANN, key) == RC_NOENT) {
		assert_int_equal(r->e->ops->attach(r->e, BOB, key), RC_NOENT);
		assert_int_equal(nq, 0);
		return;
	}
	n = rig_rows(r, rig_id(r, ANN, "INBOX"), &rows);
	k = rig_find(r, BOB, "New/Folder", &mb) ? rig_rows(r, mb.id, &other)
						: 0;
	assert_int_equal(n, k);
	assert_int_equal(n, nq);
	for (size_t i = 0; i < n && other != NULL; i++) {
		struct store_queue_item item;
		struct rig_message m;
		uint64_t seed;

		assert_memory_equal(rows[i].body, other[i].body, BODY_ID);
		assert_int_equal(
		    r->e->ops->queue_get(r->e, &r->a, rows[i].body, &item),
		    RC_OK);
		assert_int_equal(item.nentries, 1);
		assert_int_equal(
		    str_u64(item.entries[0].reason, ROUNDS + 1, &seed), RC_OK);
		m = rig_message(r, seed, size_of(seed));
		rig_expect(r, ANN, "INBOX", rows[i].uid, &m);
		rig_expect(r, BOB, "New/Folder", other[i].uid, &m);
		assert_true(str_eq(item.edits, m.edits));
		present[seed - 1] = true;
		flags[seed - 1] = rows[i].flags;
	}
}

/*
 * What makes compaction worth while: a message that comes and goes.  Each
 * step may fail; needs no reader.
 */
static void
churn(struct rig *r, uint64_t seed)
{
	struct rig_message m = rig_message(r, 1000 + seed, 60000);
	struct uid_range all = { 1, UINT32_MAX };
	struct engine_result out = { 0 };
	struct engine_intent in = {
		.kind = ENGINE_FLAGS, .account = ANN, .a = &r->a
	};

	if (rig_submit(r, ANN, "Junk", &m, &out) != RC_OK)
		return;
	in.mailbox = out.mailbox;
	in.flags = (struct store_flags){ .account = ANN,
		.mailbox = out.mailbox,
		.uids = { &all, 1 },
		.op = STORE_FLAGS_ADD,
		.flags = STORE_DELETED,
		.unchanged_since = UINT64_MAX };
	if (engine_run(r->e, &in) != RC_OK)
		return;
	in = (struct engine_intent){ .kind = ENGINE_EXPUNGE,
		.account = ANN,
		.mailbox = out.mailbox,
		.expunge = { &all, 1 },
		.a = &r->a };
	(void)!engine_run(r->e, &in);
}

static void
copy_index(struct run *run)
{
	struct copy *c = &run->copies[run->ncopies];
	AUTO_FD fd =
	    open(str_fmt(&run->r->a, "%s/index/data.mdb", run->r->dir).p,
		O_RDONLY | O_CLOEXEC);
	struct str s;

	if (run->ncopies == COPIES)
		return;
	assert_true(fd >= 0);
	assert_int_equal(fd_read_file(&run->r->a, fd, 200u << 20, &s), RC_OK);
	c->data = xmalloc(s.n);
	memcpy(c->data, s.p, s.n);
	c->n = s.n;
	c->event = recio_events(&run->rec);
	run->ncopies++;
}

static void
record(struct run *run)
{
	struct rig *r = run->r;

	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		struct acked *x = &run->acked[run->nacked++];

		*x = (struct acked){ .seed = seed, .size = size_of(seed) };
		assert_int_equal(submit_both(r, seed, x->size), RC_OK);
		x->event = recio_events(&run->rec);
		if (seed % 3 == 0) {
			assert_int_equal(
			    rig_flags(r, ANN, "INBOX", (uint32_t)seed,
				(uint32_t)seed, STORE_FLAGS_ADD, STORE_FLAGGED,
				NULL, NULL),
			    RC_OK);
			x->flagged = true;
			x->flag_event = recio_events(&run->rec);
		}
		if (seed % 3 == 2)
			churn(r, seed);
		if (seed % 4 == 1)
			copy_index(run);
		if (seed % 5 == 4)
			assert_int_equal(rig_compact(r), RC_OK);
		if (seed == ROUNDS / 2)
			rig_reopen(r);
		arena_reset(&r->a);
	}
}

static void
put_index(struct run *run, size_t upto, uint64_t seed, const char *dir)
{
	char path[512];
	size_t i = seed % (COPIES + 1);
	AUTO_FD fd = -1;

	if (i >= run->ncopies || run->copies[i].event > upto)
		return;
	(void)snprintf(path, sizeof(path), "%s/index", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/index/data.mdb", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(
	    fd_write_all(fd, str_n(run->copies[i].data, run->copies[i].n)),
	    RC_OK);
}

static void
check_cut(struct run *run, size_t upto, uint64_t seed)
{
	struct rig r = {
		.sink = run->r->sink, .log = run->r->log, .conf = run->r->conf
	};
	bool present[ROUNDS + 1], again[ROUNDS + 1];
	uint64_t flags[ROUNDS + 1] = { 0 };

	(void)snprintf(r.dir, sizeof(r.dir), "%.40s.cut", run->r->dir);
	rig_remove_tree(r.dir);
	recio_replay(&run->rec, upto, seed, r.dir);
	put_index(run, upto, seed, r.dir);
	r.conf.dir = r.dir;
	r.conf.io = &io_system;
	r.conf.ctx = &r;
	rig_quiet(&r, true); /* an old index is set aside */
	rig_open(&r);
	rig_quiet(&r, false);
	look(&r, present, flags);
	for (size_t i = 0; i < run->nacked; i++) {
		if (run->acked[i].event <= upto)
			assert_true(present[i]);
		if (run->acked[i].flagged && run->acked[i].flag_event <= upto)
			assert_true(flags[i] & STORE_FLAGGED);
	}
	/* It goes on, and what goes on lasts. */
	assert_int_equal(
	    submit_both(&r, ROUNDS + 1, size_of(ROUNDS + 1)), RC_OK);
	present[ROUNDS] = true;
	if (seed % 3 == 0)
		assert_int_equal(rig_compact(&r), RC_OK);
	rig_reopen(&r);
	look(&r, again, flags);
	assert_memory_equal(present, again, sizeof(present));
	rig_rebuild(&r);
	look(&r, again, flags);
	assert_memory_equal(present, again, sizeof(present));
	rig_close(&r);
	arena_free(&r.a);
	rig_remove_tree(r.dir);
}

static size_t
removed(const struct recio *rec)
{
	size_t n = 0;

	for (size_t i = 0; i < rec->n; i++)
		n += rec->v[i].kind == RECIO_UNLINK;
	return n;
}

static void
power_cut_loses_nothing_acknowledged(void **state)
{
	struct rig *r = *state;
	struct run run = { .r = r };
	bool full = rig_long();
	size_t upto, step, seeds = full ? 8 : 1;

	rig_close(r);
	rig_remove_tree(r->dir);
	assert_int_equal(mkdir(r->dir, 0700), 0);
	recio_init(&run.rec, r->dir, true);
	r->conf.io = &run.rec.io;
	r->conf.inline_prepare = true;
	rig_open(r);
	record(&run);
	rig_close(r);
	/* Compaction must have had something to do. */
	assert_true(removed(&run.rec) > 3);
	step = full ? 1 : MAX(recio_events(&run.rec) / 24, 1);
	for (upto = 0; upto <= recio_events(&run.rec); upto += step)
		for (uint64_t s = 0; s < seeds; s++)
			check_cut(&run, upto, upto * 131 + s + 1);
	for (size_t i = 0; i < run.ncopies; i++)
		xfree(run.copies[i].data);
	recio_free(&run.rec);
	r->conf.io = &io_system;
}

/*
 * Each call fails once: what was acknowledged stays, what failed is there as
 * a whole or not at all, and a failed sync of the log is final.
 */
static void
check_failure(struct rig *r, size_t at, int error, size_t *calls)
{
	bool ok[ROUNDS] = { false }, present[ROUNDS + 1], again[ROUNDS + 1];
	uint64_t flags[ROUNDS + 1];
	struct recio rec;
	enum rc rc;

	rig_close(r);
	rig_remove_tree(r->dir);
	assert_int_equal(mkdir(r->dir, 0700), 0);
	recio_init(&rec, r->dir, false);
	rec.fail_at = at;
	rec.fail_errno = error;
	r->conf.io = &rec.io;
	r->conf.inline_prepare = true;
	rc = engine_local_open(&r->log, &r->conf, &r->e);
	for (uint64_t seed = 1; rc == RC_OK && seed <= 8; seed++) {
		enum rc rc1 = submit_both(r, seed, size_of(seed));

		assert_true(rc1 == RC_OK || rc1 == RC_TEMP);
		ok[seed - 1] = rc1 == RC_OK;
		churn(r, seed);
		if (seed == 4 || seed == 7) {
			rc1 = rig_compact(r);
			assert_true(rc1 == RC_OK || rc1 == RC_TEMP);
		}
	}
	if (r->e != NULL)
		r->e->ops->close(&r->e);
	*calls = rec.calls;
	recio_free(&rec);
	r->conf.io = &io_system;
	r->conf.inline_prepare = false;
	rig_open(r);
	look(r, present, flags);
	for (size_t i = 0; i < 8; i++)
		if (ok[i])
			assert_true(present[i]);
	assert_int_equal(rig_compact(r), RC_OK);
	rig_rebuild(r);
	look(r, again, flags);
	assert_memory_equal(present, again, sizeof(present));
	arena_reset(&r->a);
}

static void
any_call_may_fail(void **state)
{
	struct rig *r = *state;
	size_t step = 1, calls = 1;

	{
		AUTO_FD null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		log_sink_set(r->sink, null, LOG_ERROR);
		check_failure(r, 0, 0, &calls);
		step = rig_long() ? 1 : MAX(calls / 30, 1) | 1;
		for (size_t at = 1; at <= calls; at += step) {
			size_t used;

			check_failure(r, at, at % 2 ? EIO : ENOSPC, &used);
		}
		log_sink_set(r->sink, 2, LOG_ERROR);
	}
	assert_true(calls > 30);
}

/* Asking the kernel again would be answered from pages it calls clean. */
static void
failed_sync_is_final_until_opened_anew(void **state)
{
	struct rig *r = *state;
	struct recio rec;
	bool present[ROUNDS + 1];
	uint64_t flags[ROUNDS + 1];
	struct engine_stats x;

	rig_close(r);
	rig_remove_tree(r->dir);
	assert_int_equal(mkdir(r->dir, 0700), 0);
	recio_init(&rec, r->dir, false);
	r->conf.io = &rec.io;
	r->conf.inline_prepare = true;
	rig_open(r);
	assert_int_equal(submit_both(r, 1, size_of(1)), RC_OK);
	rig_quiet(r, true);
	rec.fail_sync = true;
	assert_int_equal(submit_both(r, 2, size_of(2)), RC_TEMP);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(submit_both(r, 2, size_of(2)), RC_TEMP);
		assert_int_equal(rig_flags(r, ANN, "INBOX", 1, 1,
				     STORE_FLAGS_ADD, STORE_SEEN, NULL, NULL),
		    RC_TEMP);
	}
	rig_quiet(r, false);
	r->e->ops->stats(r->e, &x);
	assert_true(x.read_only);
	/* What was there can be read, and only that. */
	look(r, present, flags);
	assert_true(present[0]);
	assert_false(present[1]);
	rig_close(r);
	recio_free(&rec);
	r->conf.io = &io_system;
	rig_open(r);
	assert_int_equal(submit_both(r, 2, size_of(2)), RC_OK);
	look(r, present, flags);
	assert_true(present[0] && present[1]);
}

/*
 * The index cannot be written after the log was synced: the answer is "not
 * known", and once it can, the log gives the index what it lacks.
 */
static void
index_catches_up_after_a_failed_commit(void **state)
{
	struct rig *r = *state;
	struct rlimit limit, old;
	struct rig_message m = rig_message(r, 30, 100);
	struct engine_result out;
	struct engine_stats x;
	struct stat st;
	uint32_t n = 0;
	enum rc rc;

	signal(SIGXFSZ, SIG_IGN);
	m.meta = rig_message(r, 31, 9000).body;
	while (n < 60) {
		(void)rig_deliver(r, ANN, "INBOX", &m);
		n++;
	}
	assert_int_equal(
	    stat(str_fmt(&r->a, "%s/index/data.mdb", r->dir).p, &st), 0);
	assert_true((uint64_t)st.st_size > r->conf.segment_bytes);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){ (rlim_t)st.st_size, old.rlim_max };
	rig_quiet(r, true);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	do {
		m.op_id = str_fmt(&r->a, "late-%u", n);
		rc = rig_submit(r, ANN, "INBOX", &m, &out);
		n += rc == RC_OK;
	} while (rc == RC_OK && n < 2000);
	assert_int_equal(rc, RC_TEMP);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	rig_quiet(r, false);
	r->e->ops->stats(r->e, &x);
	assert_false(x.read_only);
	assert_int_equal(rig_submit(r, ANN, "INBOX", &m, &out), RC_OK);
	assert_true(out.repeated); /* the log had it */
	assert_int_equal(rig_count(r, ANN, "INBOX"), n + 1);
	rig_reopen(r);
	assert_int_equal(rig_count(r, ANN, "INBOX"), n + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
		T(power_cut_loses_nothing_acknowledged),
		T(any_call_may_fail),
		T(failed_sync_is_final_until_opened_anew),
		T(index_catches_up_after_a_failed_commit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
