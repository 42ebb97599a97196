#include "directory/guard.h"
#include "tests/unit/lib/test.h"

#define S 1000000000ll
/* Not 0: 0 means "no failure" inside. */
#define T0 (1000 * S)

static struct dir_guard_try
try_of(const char *id, const char *ip, const char *password)
{
	return (struct dir_guard_try){ .id = str_c(id),
		.client_ip = str_c(ip),
		.password = str_c(password),
		.pw_changed = STR_INIT("1") };
}

static void
fail_once(struct dir_guard *g, const char *ip, const char *password, int64_t at)
{
	struct dir_guard_try t = try_of("a", ip, password);

	assert_int_equal(dir_guard_begin(g, &t, at), DIR_GUARD_ASK);
	dir_guard_end(g, &t, true, at);
}

static void
five_within_a_minute_put_off_that_network(void **state)
{
	static const char *const pw[] = { "1", "2", "3", "4", "5" };
	struct dir_guard *g = dir_guard_new();
	struct dir_guard_try t = try_of("a", "192.0.2.200", "right");

	(void)state;
	for (int i = 0; i < 5; i++)
		fail_once(g, "192.0.2.1", pw[i], T0 + i * S);
	assert_int_equal(dir_guard_begin(g, &t, T0 + 5 * S), DIR_GUARD_WAIT);
	/* 60 s after the fifth, not after the first */
	assert_int_equal(dir_guard_begin(g, &t, T0 + 63 * S), DIR_GUARD_WAIT);
	assert_int_equal(dir_guard_begin(g, &t, T0 + 65 * S), DIR_GUARD_ASK);
	dir_guard_end(g, &t, false, T0 + 65 * S);
	/* another network, another account */
	t = try_of("a", "192.0.3.1", "right");
	assert_int_equal(dir_guard_begin(g, &t, T0 + 5 * S), DIR_GUARD_ASK);
	t = try_of("b", "192.0.2.1", "right");
	assert_int_equal(dir_guard_begin(g, &t, T0 + 5 * S), DIR_GUARD_ASK);
	dir_guard_free(&g);
}

static void
slow_mistakes_are_not_counted_together(void **state)
{
	struct dir_guard *g = dir_guard_new();
	struct dir_guard_try t = try_of("a", "192.0.2.1", "right");
	static const char *const pw[] = { "1", "2", "3", "4", "5", "6" };

	(void)state;
	for (int i = 0; i < 6; i++)
		fail_once(g, "192.0.2.1", pw[i], T0 + i * 16 * S);
	assert_int_equal(dir_guard_begin(g, &t, T0 + 82 * S), DIR_GUARD_ASK);
	dir_guard_free(&g);
}

static void
a_wrong_password_is_asked_once(void **state)
{
	struct dir_guard *g = dir_guard_new();
	struct dir_guard_try t = try_of("a", "192.0.2.1", "old");

	(void)state;
	fail_once(g, "192.0.2.1", "old", T0);
	assert_int_equal(dir_guard_begin(g, &t, T0 + 59 * S), DIR_GUARD_WRONG);
	/* from anywhere, but only for this account */
	t.client_ip = STR("2001:db8::1");
	assert_int_equal(dir_guard_begin(g, &t, T0 + 59 * S), DIR_GUARD_WRONG);
	t.id = STR("b");
	assert_int_equal(dir_guard_begin(g, &t, T0 + 59 * S), DIR_GUARD_ASK);
	dir_guard_end(g, &t, false, T0 + 59 * S);
	/* the account's password was changed, perhaps to this one */
	t.id = STR("a");
	t.pw_changed = STR("2");
	assert_int_equal(dir_guard_begin(g, &t, T0 + 59 * S), DIR_GUARD_ASK);
	dir_guard_end(g, &t, false, T0 + 59 * S);
	t.pw_changed = STR("1");
	assert_int_equal(dir_guard_begin(g, &t, T0 + 61 * S), DIR_GUARD_ASK);
	dir_guard_free(&g);
}

static void
repeating_one_mistake_does_not_put_off(void **state)
{
	struct dir_guard *g = dir_guard_new();
	struct dir_guard_try t = try_of("a", "192.0.2.1", "old");

	(void)state;
	fail_once(g, "192.0.2.1", "old", T0);
	for (int i = 1; i < 10; i++)
		assert_int_equal(
		    dir_guard_begin(g, &t, T0 + i * S), DIR_GUARD_WRONG);
	t.password = STR("right");
	assert_int_equal(dir_guard_begin(g, &t, T0 + 20 * S), DIR_GUARD_ASK);
	dir_guard_free(&g);
}

static void
tries_under_way_count_once_one_failed(void **state)
{
	struct dir_guard *g = dir_guard_new();
	static const char *const pw[] = { "1", "2", "3", "4", "5" };
	struct dir_guard_try t;

	(void)state;
	/* several sessions of one person open at once */
	for (int i = 0; i < 8; i++) {
		t = try_of("a", "192.0.2.1", "right");
		assert_int_equal(dir_guard_begin(g, &t, T0), DIR_GUARD_ASK);
	}
	for (int i = 0; i < 8; i++)
		dir_guard_end(g, &t, false, T0);
	fail_once(g, "192.0.2.1", "0", T0);
	for (int i = 0; i < 4; i++) {
		t = try_of("a", "192.0.2.1", pw[i]);
		assert_int_equal(dir_guard_begin(g, &t, T0 + S), DIR_GUARD_ASK);
	}
	t = try_of("a", "192.0.2.1", pw[4]);
	assert_int_equal(dir_guard_begin(g, &t, T0 + S), DIR_GUARD_WAIT);
	dir_guard_free(&g);
}

static void
networks(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.254", true },
		{ "192.0.2.1", "192.0.3.1", false },
		{ "192.0.2.1", "::ffff:192.0.2.7", true },
		{ "2001:db8::1", "2001:db8::ffff:1", true },
		{ "2001:db8:0:1::1", "2001:db8:0:2::1", false },
		{ "junk", "junk", true },
		{ "", "192.0.2.1", false },
	};
	AUTO_ARENA a = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(str_eq(dir_guard_net(&a, str_c(rows[i].a)),
				     dir_guard_net(&a, str_c(rows[i].b))),
		    rows[i].same);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(five_within_a_minute_put_off_that_network),
		cmocka_unit_test(slow_mistakes_are_not_counted_together),
		cmocka_unit_test(a_wrong_password_is_asked_once),
		cmocka_unit_test(repeating_one_mistake_does_not_put_off),
		cmocka_unit_test(tries_under_way_count_once_one_failed),
		cmocka_unit_test(networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
