#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "directory/check.h"
#include "directory/lookup.h"
#include "tests/unit/directory/dirtest.h"

#define MS 1000000ll

static struct dir_answer
answer(enum rc rc, const char *id)
{
	return (struct dir_answer){ .r = { .rc = rc, .id = str_c(id) } };
}

static void
answers_live_for_a_second_at_most(void **state)
{
	struct dir_cache *c = dir_cache_new(5000);
	struct dir_answer x = answer(RC_OK, "one"), got;
	AUTO_ARENA a = { 0 };

	(void)state;
	dir_cache_put(c, STR("a@b"), 5 * MS, &x);
	assert_true(dir_cache_get(c, &a, STR("a@b"), 1004 * MS, &got));
	assert_str(got.r.id, "one");
	assert_false(dir_cache_get(c, &a, STR("a@b"), 1005 * MS, &got));
	assert_false(dir_cache_get(c, &a, STR("a@c"), 5 * MS, &got));
	dir_cache_free(&c);
}

static void
not_knowing_is_not_kept(void **state)
{
	struct dir_cache *c = dir_cache_new(1000), *off = dir_cache_new(0);
	struct dir_answer temp = answer(RC_TEMP, ""), x = answer(RC_OK, "one");
	struct dir_answer got;
	AUTO_ARENA a = { 0 };

	(void)state;
	dir_cache_put(c, STR("a@b"), MS, &temp);
	assert_false(dir_cache_get(c, &a, STR("a@b"), MS, &got));
	dir_cache_put(off, STR("a@b"), MS, &x);
	assert_false(dir_cache_get(off, &a, STR("a@b"), MS, &got));
	dir_cache_free(&c);
	dir_cache_free(&off);
}

static void
a_newer_answer_replaces_the_older(void **state)
{
	struct dir_cache *c = dir_cache_new(1000);
	struct dir_answer no = answer(RC_NOENT, ""), x = answer(RC_OK, "one");
	struct dir_answer got;
	AUTO_ARENA a = { 0 };

	(void)state;
	dir_cache_put(c, STR("a@b"), MS, &no);
	dir_cache_put(c, STR("a@b"), MS, &x);
	assert_int_equal(dir_cache_count(c), 1);
	assert_true(dir_cache_get(c, &a, STR("a@b"), MS, &got));
	assert_rc(got.r.rc, RC_OK);
	dir_cache_free(&c);
}

static void
what_is_put_again_gets_no_older(void **state)
{
	struct dir_cache *c = dir_cache_new(1000);
	struct dir_answer x = answer(RC_OK, "one"), got;
	AUTO_ARENA a = { 0 };

	(void)state;
	dir_cache_put(c, STR("a@b"), 5 * MS, &x);
	assert_true(dir_cache_get(c, &a, STR("a@b"), 700 * MS, &got));
	dir_cache_put(c, STR("group a@b"), 700 * MS, &got);
	assert_true(dir_cache_get(c, &a, STR("group a@b"), 1004 * MS, &got));
	assert_false(dir_cache_get(c, &a, STR("group a@b"), 1005 * MS, &got));
	dir_cache_put(c, STR("late"), 1005 * MS, &got);
	assert_false(dir_cache_get(c, &a, STR("late"), 1005 * MS, &got));
	dir_cache_free(&c);
}

static void
guesses_do_not_push_out_people(void **state)
{
	struct dir_cache *c = dir_cache_new(1000);
	struct dir_answer no = answer(RC_NOENT, ""), x = answer(RC_OK, "one");
	struct dir_answer got;
	AUTO_ARENA a = { 0 };

	(void)state;
	dir_cache_put(c, STR("a@b"), MS, &x);
	for (unsigned i = 0; i < 2 * DIR_CACHE_MAX; i++) {
		arena_reset(&a);
		dir_cache_put(c, str_fmt(&a, "%u@b", i), MS, &no);
	}
	assert_int_equal(dir_cache_count(c), DIR_CACHE_MAX + 1);
	assert_true(dir_cache_get(c, &a, STR("a@b"), MS, &got));
	dir_cache_free(&c);
}

static void
write_file(const char *path, const char *text)
{
	AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_rc(fd_write_all(fd, str_c(text)), RC_OK);
}

/* The number of entries found by `filter`, or -1. */
static int
found(struct dir_backend *be, const char *filter)
{
	static const char *const attrs[] = { "cn", NULL };
	struct dir_query q = { .scope = DIR_SUBTREE,
		.filter = str_c(filter),
		.attrs = attrs,
		.max = 10 };
	/* longer than the back-end waits before it looks again */
	const struct timespec pause = { 0, 110 * MS };
	AUTO_ARENA a = { 0 };

	nanosleep(&pause, NULL);
	if (dir_search(be, &a, &q, 1, soon()) != RC_OK || q.rc != RC_OK)
		return -1;
	return (int)q.nfound;
}

static void
a_changed_file_is_read_and_a_broken_one_is_not(void **state)
{
	char path[] = "/tmp/dirtest-XXXXXX";
	struct log_sink *sink = log_sink_new(STDERR_FILENO, "t", LOG_ERROR);
	struct log log = { .sink = sink };
	struct dir_backend *be;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	be = dir_ldif_open(&log, path, "");
	assert_int_equal(found(be, "(cn=a)"), -1);
	write_file(path, "dn: cn=a\ncn: a\n");
	assert_int_equal(found(be, "(cn=a)"), 1);
	write_file(path, "dn: cn=a\ncn: a\n\ndn: cn=b\ncn: b\n");
	assert_int_equal(found(be, "(|(cn=a)(cn=b))"), 2);
	write_file(path, "this is no LDIF\n");
	assert_int_equal(found(be, "(|(cn=a)(cn=b))"), 2);
	unlink(path);
	assert_int_equal(found(be, "(|(cn=a)(cn=b))"), 2);
	be->ops->free(be);
	log_sink_free(&sink);
}

static bool
said(const char *text)
{
	return str_find(buf_str(&dirtest_lines), str_c(text)) < dirtest_lines.n;
}

static void
check_says_what_it_cannot_see(void **state)
{
	AUTO_MSG m = { 0 };
	struct dirtest t;

	(void)state;
	ipc_msg_init(&m, 1);
	dirtest_open(&t, AD_SETTINGS, ad_people);
	dir_check(t.d, STR(""), &m);
	assert_true(said("U attributes that an entry may have"));
	assert_true(said("lockoutTime"));
	assert_false(said("proxyAddresses "));
	assert_true(said("F read CN=Dark"));
	assert_true(said("no userAccountControl"));
	assert_true(said("G postmaster: post@example.test"));
	buf_free(&dirtest_lines);
	dirtest_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_live_for_a_second_at_most),
		cmocka_unit_test(not_knowing_is_not_kept),
		cmocka_unit_test(a_newer_answer_replaces_the_older),
		cmocka_unit_test(what_is_put_again_gets_no_older),
		cmocka_unit_test(guesses_do_not_push_out_people),
		cmocka_unit_test(
		    a_changed_file_is_read_and_a_broken_one_is_not),
		cmocka_unit_test(check_says_what_it_cannot_see),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
