/* Damage, full disks, and what must not find the store unprepared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "store/ix.h"
#include "tests/unit/store/rig.h"

static void
damaged_index_is_built_anew(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 12, 2000);
	const char *path = str_fmt(&r->a, "%s/index/data.mdb", r->dir).p;
	char junk[8192];
	AUTO_FD fd = -1;

	(void)rig_deliver(r, ANN, "INBOX", &m);
	rig_close(r);
	memset(junk, 0x5a, sizeof(junk));
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, junk, sizeof(junk), 0), sizeof(junk));
	rig_quiet(r, true);
	rig_open(r);
	rig_quiet(r, false);
	rig_expect(r, ANN, "INBOX", 1, &m);
}

/* A log that was put back from a backup, under a newer index. */
static void
index_ahead_of_the_log_is_built_anew(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 13, 2000);
	const char *seg = str_fmt(&r->a, "%s/log/00000001.seg", r->dir).p;
	struct str old;

	(void)rig_deliver(r, ANN, "INBOX", &m);
	rig_close(r);
	{
		AUTO_FD fd = open(seg, O_RDONLY | O_CLOEXEC);

		assert_int_equal(fd_read_file(&r->a, fd, 1 << 20, &old), RC_OK);
	}
	rig_open(r);
	(void)rig_deliver(r, ANN, "INBOX", &m);
	rig_close(r);
	{
		AUTO_FD fd = open(seg, O_WRONLY | O_CLOEXEC);

		assert_int_equal(fd_pwrite_all(fd, old, 0), RC_OK);
	}
	rig_quiet(r, true);
	rig_open(r);
	rig_quiet(r, false);
	assert_int_equal(rig_count(r, ANN, "INBOX"), 1);
	rig_expect(r, ANN, "INBOX", 1, &m);
}

static void
damaged_log_is_not_served(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 14, 2000);
	const char *seg = str_fmt(&r->a, "%s/log/00000001.seg", r->dir).p;
	AUTO_FD fd = -1;

	for (int i = 0; i < 3; i++)
		(void)rig_deliver(r, ANN, "INBOX", &m);
	rig_close(r);
	fd = open(seg, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "damage", 6, 200), 6);
	rig_remove_tree(str_fmt(&r->a, "%s/index", r->dir).p);
	rig_quiet(r, true);
	assert_int_equal(engine_local_open(&r->log, &r->conf, &r->e), RC_BAD);
	assert_int_equal(rig_check(r, false), RC_BAD);
	rig_quiet(r, false);
}

static void
index_of_a_later_version_is_refused(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 19, 100);
	struct ix_info info;
	struct ix ix;
	MDB_txn *t;

	(void)rig_deliver(r, ANN, "INBOX", &m);
	rig_close(r);
	assert_int_equal(
	    ix_open(&r->log, r->dir, r->conf.map_bytes, false, &ix), RC_OK);
	assert_int_equal(mdb_txn_begin(ix.env, NULL, 0, &t), 0);
	assert_int_equal(ix_info_get(&ix, t, &info), RC_OK);
	info.format = IX_FORMAT + 1;
	assert_int_equal(ix_info_put(&ix, t, &info), RC_OK);
	assert_int_equal(mdb_txn_commit(t), 0);
	ix_close(&ix);
	rig_quiet(r, true);
	/* Not set aside: the newer program's work is not thrown away. */
	assert_int_equal(engine_local_open(&r->log, &r->conf, &r->e), RC_DENY);
	rig_quiet(r, false);
	assert_int_equal(
	    ix_open(&r->log, r->dir, r->conf.map_bytes, false, &ix), RC_OK);
	assert_int_equal(mdb_txn_begin(ix.env, NULL, MDB_RDONLY, &t), 0);
	assert_int_equal(ix_info_get(&ix, t, &info), RC_DENY);
	mdb_txn_abort(t);
	ix_close(&ix);
}

static void
second_process_is_kept_out(void **state)
{
	struct rig *r = *state;
	struct engine *e;

	rig_quiet(r, true);
	assert_int_equal(engine_local_open(&r->log, &r->conf, &e), RC_TEMP);
	rig_quiet(r, false);
}

static void
below_the_floor_only_deleting_works(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 15, 100);
	struct engine_result out;
	struct engine_stats x;

	(void)rig_deliver(r, ANN, "INBOX", &m);
	rig_close(r);
	r->conf.floor_bytes = UINT64_MAX;
	rig_quiet(r, true);
	rig_open(r);
	rig_quiet(r, false);
	assert_int_equal(rig_submit(r, ANN, "INBOX", &m, &out), RC_TEMP);
	r->e->ops->stats(r->e, &x);
	assert_true(x.below_floor);
	assert_int_equal(rig_flags(r, ANN, "INBOX", 1, 1, STORE_FLAGS_ADD,
			     STORE_DELETED, NULL, NULL),
	    RC_OK);
	assert_int_equal(rig_expunge(r, ANN, "INBOX", 1, 1, NULL), RC_OK);
	assert_int_equal(rig_count(r, ANN, "INBOX"), 0);
}

/* Names of all lengths that were only subscribed to give way at once. */
static void
long_names_over_ghosts_fit(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 17, 10);
	struct store_mailbox mb;
	char name[STORE_NAME_MAX + 1];

	assert_int_equal(rig_ensure(r, ANN), RC_OK);
	memset(name, 'x', sizeof(name) - 1);
	name[STORE_NAME_MAX] = '\0';
	for (size_t i = 0; i < 30; i++) {
		char *end = name + 930 + i * 2;

		*end = '\0';
		assert_int_equal(
		    rig_name_op(r, ENGINE_SUBSCRIBE, ANN, name, NULL, true),
		    RC_OK);
		*end = '/';
	}
	assert_int_equal(
	    rig_name_op(r, ENGINE_CREATE, ANN, name, NULL, false), RC_OK);
	assert_true(rig_find(r, ANN, name, &mb) && mb.exists);
	(void)rig_deliver(r, BOB, name, &m);
	name[0] = 'y';
	(void)rig_deliver(r, ANN, name, &m);
	rig_reopen(r);
}

static void
full_index_still_lets_people_delete(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 18, 10);
	struct engine_result out;
	uint32_t n = 0;
	enum rc rc;

	rig_close(r);
	r->conf.map_bytes = 16 << 20;
	rig_open(r);
	m.meta = rig_message(r, 18, 12000).body;
	rig_quiet(r, true);
	do {
		rc = rig_submit(r, ANN, "INBOX", &m, &out);
		n += rc == RC_OK;
		arena_reset(&r->a);
		m = rig_message(r, 18, 10);
		m.meta = rig_message(r, 18, 12000).body;
	} while (rc == RC_OK && n < 3000);
	rig_quiet(r, false);
	assert_int_equal(rc, RC_TEMP);
	assert_int_equal(rig_count(r, ANN, "INBOX"), n);
	for (uint32_t i = 1; i <= n; i += 50) {
		assert_int_equal(
		    rig_flags(r, ANN, "INBOX", i, i + 49, STORE_FLAGS_ADD,
			STORE_DELETED, NULL, NULL),
		    RC_OK);
		assert_int_equal(
		    rig_expunge(r, ANN, "INBOX", i, i + 49, NULL), RC_OK);
	}
	assert_int_equal(rig_count(r, ANN, "INBOX"), 0);
	rig_reopen(r);
	assert_int_equal(rig_submit(r, ANN, "INBOX", &m, &out), RC_OK);
}

static void
sets_in_any_order_mean_the_same(void **state)
{
	struct rig *r = *state;
	struct uid_range v[] = { { 5, 9 }, { 2, 3 }, { 3, 6 } };
	struct uid_range bad[] = { { 4, 3 } };
	struct uid_set s;

	assert_int_equal(
	    uid_set_normal(&r->a, &(struct uid_set){ v, 3 }, &s), RC_OK);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.v[0].lo, 2);
	assert_int_equal(s.v[0].hi, 9);
	assert_int_equal(
	    uid_set_normal(&r->a, &(struct uid_set){ bad, 1 }, &s), RC_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
		T(damaged_index_is_built_anew),
		T(index_ahead_of_the_log_is_built_anew),
		T(damaged_log_is_not_served),
		T(index_of_a_later_version_is_refused),
		T(second_process_is_kept_out),
		T(below_the_floor_only_deleting_works),
		T(long_names_over_ghosts_fit),
		T(full_index_still_lets_people_delete),
		T(sets_in_any_order_mean_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
