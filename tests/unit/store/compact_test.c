/*
 * Compaction: space comes back, nothing else changes; the index can be built
 * from what is left, with UIDs, flags, MODSEQs, expunges, queue and operation
 * ids; readers and large bodies on their way in are not in its way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/ckpt.h"
#include "tests/unit/store/rig.h"

#define MESSAGES 64u

static struct rig_message
message(struct rig *r, uint32_t n)
{
	return rig_message(r, n, n % 20 == 6 || n == 47 ? 2500000 : 9000);
}

/* Every 8th message stays. */
static void
fill_and_thin(struct rig *r)
{
	struct engine_result out;

	for (uint32_t n = 1; n <= MESSAGES; n++) {
		struct rig_message m = message(r, n);

		m.op_id = str_fmt(&r->a, "op-%u", (unsigned)n);
		assert_int_equal(rig_deliver(r, ANN, "INBOX", &m), n);
	}
	assert_int_equal(rig_flags(r, ANN, "INBOX", 1, 30, STORE_FLAGS_ADD,
			     STORE_FLAGGED, "todo", NULL),
	    RC_OK);
	for (uint32_t n = 0; n <= MESSAGES; n += 8)
		assert_int_equal(
		    rig_flags(r, ANN, "INBOX", MAX(n, 1), n + 6,
			STORE_FLAGS_ADD, STORE_DELETED, NULL, NULL),
		    RC_OK);
	assert_int_equal(
	    rig_expunge(r, ANN, "INBOX", 1, MESSAGES, &out), RC_OK);
}

static uint64_t
log_bytes(struct rig *r)
{
	uint64_t sum = 0;
	struct stat st;
	uint32_t *ids;
	char path[256];
	size_t n;

	assert_int_equal(seglog_list(&r->log, r->dir, &ids, &n), RC_OK);
	for (size_t i = 0; i < n; i++) {
		seglog_path(r->dir, ids[i], path, sizeof(path));
		if (stat(path, &st) == 0)
			sum += (uint64_t)st.st_size;
	}
	xfree(ids);
	return sum;
}

static void
expect_survivors(struct rig *r)
{
	struct store_row *rows;
	uint64_t id = rig_id(r, ANN, "INBOX");
	size_t n = rig_rows(r, id, &rows);

	assert_int_equal(n, MESSAGES / 8);
	for (size_t i = 0; i < n; i++) {
		struct rig_message m = message(r, rows[i].uid);

		assert_int_equal(rows[i].uid, 8 * (i + 1) - 1);
		rig_expect(r, ANN, "INBOX", rows[i].uid, &m);
	}
}

/* Field by field: there are holes between them. */
static void
expect_same(const struct store_row *a, const struct store_row *b)
{
	assert_int_equal(a->uid, b->uid);
	assert_true(a->flags == b->flags);
	assert_true(a->modseq == b->modseq);
	assert_true(a->size == b->size);
	assert_int_equal(a->prefix_len, b->prefix_len);
	assert_true(a->internal_date == b->internal_date);
	assert_true(a->save_date == b->save_date);
	assert_memory_equal(a->body, b->body, sizeof(a->body));
}

static void
space_comes_back_and_nothing_else_changes(void **state)
{
	struct rig *r = *state;
	struct store_mailbox before, after;
	struct store_row *rows, *again;
	AUTO_VIEW *v = NULL;
	struct uid_set gone;
	uint64_t was;
	size_t n;

	fill_and_thin(r);
	assert_true(rig_find(r, ANN, "INBOX", &before));
	n = rig_rows(r, before.id, &rows);
	was = log_bytes(r);
	assert_int_equal(rig_compact(r), RC_OK);
	assert_true(log_bytes(r) < was / 2);
	for (int i = 0; i < 3; i++) {
		assert_true(rig_find(r, ANN, "INBOX", &after));
		assert_int_equal(after.id, before.id);
		assert_int_equal(after.uidvalidity, before.uidvalidity);
		assert_int_equal(after.highest_modseq, before.highest_modseq);
		assert_int_equal(after.uidnext, before.uidnext);
		assert_int_equal(rig_rows(r, after.id, &again), n);
		for (size_t k = 0; k < n; k++)
			expect_same(&rows[k], &again[k]);
		expect_survivors(r);
		if (i == 0)
			rig_reopen(r);
		if (i == 1)
			rig_rebuild(r);
	}
	assert_int_equal(store_view_begin(r->reader, &v), RC_OK);
	assert_int_equal(store_expunged(v, &r->a, before.id, 0, &gone), RC_OK);
	assert_int_equal(uid_set_count(&gone), MESSAGES - MESSAGES / 8);
	store_view_end(&v);
	/* Nothing is left to do: the log stays as it is. */
	assert_int_equal(rig_compact(r), RC_OK);
	was = log_bytes(r);
	assert_int_equal(rig_compact(r), RC_OK);
	assert_int_equal(log_bytes(r), was);
	rig_reopen(r);
}

static void
answers_given_are_remembered(void **state)
{
	struct rig *r = *state;
	struct rig_message m = message(r, 3);
	struct engine_result out = { 0 };

	fill_and_thin(r);
	assert_int_equal(rig_compact(r), RC_OK);
	rig_rebuild(r);
	m.op_id = STR("op-3");
	assert_int_equal(rig_submit(r, ANN, "INBOX", &m, &out), RC_OK);
	assert_true(out.repeated);
	assert_int_equal(out.uid, 3);
	/* Numbers go on where they were. */
	m.op_id = STR("op-new");
	assert_int_equal(rig_deliver(r, ANN, "INBOX", &m), MESSAGES + 1);
}

/* A message that somebody reads is found where it went. */
static void
open_messages_are_read_on(void **state)
{
	struct rig *r = *state;
	struct rig_message m = message(r, 7);
	AUTO_VIEW *v = NULL;
	AUTO_STORE_MSG *msg = NULL;
	struct str meta, prefix, want;
	unsigned char key[32];
	size_t got, off = 0;
	uint64_t id;
	char *p;

	m.meta = rig_message(r, 99, 20000).body; /* read from the log */
	assert_int_equal(rig_deliver(r, BOB, "INBOX", &m), 1);
	fill_and_thin(r);
	id = rig_id(r, BOB, "INBOX");
	rig_key(r, BOB, key);
	assert_int_equal(store_view_begin(r->reader, &v), RC_OK);
	assert_int_equal(store_msg_open(v, BOB, key, id, 1, &msg), RC_OK);
	want = str_cat(&r->a, str_cat(&r->a, m.prefix, m.edits), m.body);
	p = arena_alloc(&r->a, want.n + 1);
	assert_int_equal(store_msg_read(msg, 0, p, 1000, &off), RC_OK);
	assert_int_equal(rig_compact(r), RC_OK);
	assert_int_equal(
	    store_meta(v, &r->a, BOB, key, id, 1, &meta, &prefix), RC_OK);
	assert_true(str_eq(meta, m.meta));
	do {
		assert_int_equal(
		    store_msg_read(msg, off, p + off, 99991, &got), RC_OK);
		off += got;
	} while (got > 0 && off < want.n);
	assert_int_equal(off, want.n);
	assert_memory_equal(p, want.p, want.n);
}

/* remote reads what it sends for as long as the other side takes. */
static void
queued_messages_are_read_on(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 700, 300000);
	struct engine_content c = { .edits = m.edits,
		.data = m.body,
		.fd = -1,
		.size = m.body.n,
		.meta = m.meta };
	struct store_queued q = { .rcpt = STR("carl@example.org") };
	struct engine_intent in = { .kind = ENGINE_SUBMIT,
		.a = &r->a,
		.submit = { .set = &q, .nset = 1 } };
	struct str want = str_cat(&r->a, m.edits, m.body);
	AUTO_VIEW *v = NULL;
	AUTO_STORE_MSG *msg = NULL;
	unsigned char key[32];
	size_t got, off = 0;
	char *p = arena_alloc(&r->a, want.n + 1);

	engine_body_id(c.id);
	assert_int_equal(r->e->ops->put_body(r->e, &c, &in.submit.body), RC_OK);
	assert_int_equal(engine_run(r->e, &in), RC_OK);
	fill_and_thin(r);
	r->e->ops->queue_key(r->e, key);
	assert_int_equal(store_view_begin(r->reader, &v), RC_OK);
	assert_int_equal(store_queue_msg_open(v, key,
			     str_hex(&r->a, str_n(c.id, BODY_ID)), &msg),
	    RC_OK);
	assert_int_equal(store_msg_read(msg, 0, p, 1000, &off), RC_OK);
	store_view_end(&v);
	assert_int_equal(rig_compact(r), RC_OK);
	do {
		assert_int_equal(
		    store_msg_read(msg, off, p + off, want.n + 1 - off, &got),
		    RC_OK);
		off += got;
	} while (got > 0);
	assert_int_equal(off, want.n);
	assert_memory_equal(p, want.p, want.n);
}

/* Parts of a body that nobody has named yet. */
static void
bodies_on_their_way_in_are_kept(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 500, 3200000);
	struct engine_content c = { .edits = m.edits,
		.data = m.body,
		.fd = -1,
		.size = m.body.n,
		.meta = m.meta };
	struct engine_delivery d = {
		.account = BOB, .name = STR("INBOX"), .prefix = m.prefix
	};
	struct engine_intent in = { .kind = ENGINE_SUBMIT,
		.a = &r->a,
		.submit = { .received_at = 1700000000, .to = &d, .nto = 1 } };

	engine_body_id(c.id);
	assert_int_equal(r->e->ops->put_body(r->e, &c, &in.submit.body), RC_OK);
	fill_and_thin(r);
	assert_int_equal(rig_compact(r), RC_OK);
	assert_int_equal(rig_compact(r), RC_OK);
	assert_int_equal(engine_run(r->e, &in), RC_OK);
	rig_expect(r, BOB, "INBOX", 1, &m);
	rig_rebuild(r);
	rig_expect(r, BOB, "INBOX", 1, &m);
	expect_survivors(r);
	assert_int_equal(rig_compact(r), RC_OK);
	rig_reopen(r);
	rig_expect(r, BOB, "INBOX", 1, &m);
}

static void
nothing_goes_while_pinned(void **state)
{
	struct rig *r = *state;
	struct engine_position at;
	struct engine_upkeep x;
	uint64_t was;

	fill_and_thin(r);
	assert_int_equal(r->e->ops->pin(r->e, true, &at), RC_OK);
	was = log_bytes(r);
	assert_int_equal(r->e->ops->compact(r->e, false), RC_OK);
	do {
		assert_int_equal(r->e->ops->upkeep(r->e, &x), RC_OK);
		assert_true(x.running);
		usleep(1000);
	} while (!x.waits);
	assert_true(log_bytes(r) >= was);
	assert_int_equal(r->e->ops->pin(r->e, false, NULL), RC_OK);
	do {
		assert_int_equal(r->e->ops->upkeep(r->e, &x), RC_OK);
		usleep(1000);
	} while (x.running);
	assert_false(x.failed);
	assert_true(log_bytes(r) < was / 2);
	rig_reopen(r);
	expect_survivors(r);
}

/* A store that is stopped while it waits, or in the middle, is whole. */
static void
stopping_in_the_middle_is_safe(void **state)
{
	struct rig *r = *state;
	struct engine_position at;

	fill_and_thin(r);
	assert_int_equal(r->e->ops->pin(r->e, true, &at), RC_OK);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(r->e->ops->compact(r->e, false), RC_OK);
		usleep(3000u * (unsigned)i);
		rig_quiet(r, true);
		rig_reopen(r);
		rig_quiet(r, false);
		expect_survivors(r);
	}
	rig_rebuild(r);
	expect_survivors(r);
}

static void
corrupt(struct rig *r, const char *path, off_t at)
{
	AUTO_FD fd = open(path, O_RDWR | O_CLOEXEC);
	unsigned char c;

	(void)r;
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &c, 1, at), 1);
	c ^= 0x40;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
}

/* It is needed only when the index is gone; then nothing is guessed. */
static void
damaged_checkpoint_is_said_and_made_anew(void **state)
{
	struct rig *r = *state;
	const char *path = str_fmt(&r->a, "%s/log/checkpoint", r->dir).p;
	struct engine *e = NULL;

	fill_and_thin(r);
	assert_int_equal(rig_compact(r), RC_OK);
	rig_close(r);
	corrupt(r, path, 300);
	rig_quiet(r, true);
	assert_int_equal(rig_check(r, true), RC_BAD);
	rig_open(r);
	expect_survivors(r);
	fill_and_thin(r);
	assert_int_equal(rig_compact(r), RC_OK);
	rig_close(r);
	rig_quiet(r, false);
	assert_int_equal(rig_check(r, true), RC_OK);
	corrupt(r, path, 300);
	rig_remove_tree(str_fmt(&r->a, "%s/index", r->dir).p);
	rig_quiet(r, true);
	assert_int_equal(engine_local_open(&r->log, &r->conf, &e), RC_BAD);
	rig_quiet(r, false);
	corrupt(r, path, 300);
	rig_open(r);
}

/* Rot is not given a new sum: the segment stays, and is named. */
static void
damaged_bodies_are_not_moved(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 1000, 5000);
	struct store_row *rows;
	unsigned char key[32];
	struct ix_body b = { 0 };
	char path[256];
	uint64_t pos;
	struct ix ix;
	MDB_txn *t;

	assert_int_equal(rig_deliver(r, BOB, "INBOX", &m), 1);
	fill_and_thin(r);
	rig_key(r, BOB, key);
	assert_int_equal(rig_rows(r, rig_id(r, BOB, "INBOX"), &rows), 1);
	rig_close(r);
	assert_int_equal(ix_open(&r->log, r->dir, 0, true, &ix), RC_OK);
	assert_int_equal(mdb_txn_begin(ix.env, NULL, MDB_RDONLY, &t), 0);
	assert_int_equal(ix_body_get(&ix, t, rows[0].body, &b), RC_OK);
	pos = le_get(b.body.parts.p, 8);
	mdb_txn_abort(t);
	ix_close(&ix);
	rig_open(r);
	seglog_path(r->dir, POS_SEG(pos), path, sizeof(path));
	corrupt(r, path, (off_t)POS_OFF(pos) + 100);
	rig_quiet(r, true);
	assert_int_equal(rig_compact(r), RC_OK);
	rig_quiet(r, false);
	assert_int_equal(access(path, F_OK), 0);
	expect_survivors(r);
	corrupt(r, path, (off_t)POS_OFF(pos) + 100);
	rig_expect(r, BOB, "INBOX", 1, &m);
	assert_int_equal(rig_compact(r), RC_OK);
	assert_int_not_equal(access(path, F_OK), 0);
	rig_expect(r, BOB, "INBOX", 1, &m);
}

static void
below_the_floor_it_goes_on(void **state)
{
	struct rig *r = *state;
	struct rig_message m = message(r, 1);
	struct engine_result out;
	uint64_t was;

	fill_and_thin(r);
	was = log_bytes(r);
	rig_close(r);
	r->conf.floor_bytes = UINT64_MAX / 2;
	rig_quiet(r, true);
	rig_open(r);
	assert_int_equal(rig_submit(r, ANN, "INBOX", &m, &out), RC_TEMP);
	assert_int_equal(rig_compact(r), RC_OK);
	rig_quiet(r, false);
	assert_true(log_bytes(r) < was / 2);
	rig_close(r);
	r->conf.floor_bytes = 0;
	rig_open(r);
	expect_survivors(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
		T(space_comes_back_and_nothing_else_changes),
		T(answers_given_are_remembered),
		T(open_messages_are_read_on),
		T(queued_messages_are_read_on),
		T(bodies_on_their_way_in_are_kept),
		T(nothing_goes_while_pinned),
		T(stopping_in_the_middle_is_safe),
		T(damaged_checkpoint_is_said_and_made_anew),
		T(damaged_bodies_are_not_moved),
		T(below_the_floor_it_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
