#include "directory/wire.h"
#include "tests/unit/lib/test.h"

static void
members_survive_packing(void **state)
{
	static const struct dir_rcpt in[] = {
		{ .rc = RC_OK,
		    .kind = DIR_USER,
		    .id = STR_INIT("id1"),
		    .address = STR_INIT("a@x"),
		    .has_quota = true,
		    .quota = 1ull << 40 },
		{ .rc = RC_DENY, .why = STR_INIT("because") },
		{ .rc = RC_OK,
		    .kind = DIR_ELSEWHERE,
		    .route = STR_INIT("b@y") },
	};
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	struct dir_rcpt *out;
	size_t n;

	(void)state;
	buf_init(&b, 4096);
	for (size_t i = 0; i < COUNT(in); i++)
		assert_rc(dir_wire_pack(&b, &in[i], i, COUNT(in)), RC_OK);
	assert_rc(dir_wire_unpack(&a, buf_str(&b), &out, &n), RC_OK);
	assert_int_equal(n, COUNT(in));
	for (size_t i = 0; i < n; i++) {
		assert_rc(out[i].rc, in[i].rc);
		assert_int_equal(out[i].kind, in[i].kind);
		assert_true(str_eq(out[i].id, in[i].id));
		assert_true(str_eq(out[i].address, in[i].address));
		assert_true(str_eq(out[i].route, in[i].route));
		assert_true(str_eq(out[i].why, in[i].why));
		assert_int_equal(out[i].has_quota, in[i].has_quota);
		assert_true(out[i].quota == in[i].quota);
	}
	/* every cut is refused */
	for (size_t cut = 0; cut < b.n; cut++)
		assert_rc(
		    dir_wire_unpack(&a, str_sub(buf_str(&b), 0, cut), &out, &n),
		    RC_BAD);
	assert_rc(buf_add_char(&b, 'x'), RC_OK);
	assert_rc(dir_wire_unpack(&a, buf_str(&b), &out, &n), RC_BAD);
}

static void
an_empty_group_has_no_members(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	struct dir_rcpt *out;
	size_t n = 7;

	(void)state;
	buf_init(&b, 4096);
	assert_rc(dir_wire_pack(&b, NULL, 0, 0), RC_OK);
	assert_rc(dir_wire_unpack(&a, buf_str(&b), &out, &n), RC_OK);
	assert_int_equal(n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_survive_packing),
		cmocka_unit_test(an_empty_group_has_no_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
