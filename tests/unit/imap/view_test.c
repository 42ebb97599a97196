#include <string.h>

#include "imap/set.h"
#include "tests/unit/imap/test.h"

static void
fill(struct view *v, const uint32_t *uids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		imap_view_add(v, uids[i]);
}

static void
numbers_and_uids(void **state)
{
	static const uint32_t uids[] = { 1, 2, 3, 7, 9, 10, 4000000000u };
	struct view v = { 0 };

	(void)state;
	assert_int_equal(imap_view_count(&v), 0);
	assert_int_equal(imap_view_max_uid(&v), 0);
	assert_int_equal(imap_view_seq(&v, 1), 0);
	fill(&v, uids, COUNT(uids));
	assert_int_equal(v.n, 4);
	assert_int_equal(imap_view_count(&v), COUNT(uids));
	assert_int_equal(imap_view_max_uid(&v), 4000000000u);
	for (uint32_t i = 0; i < COUNT(uids); i++) {
		assert_int_equal(imap_view_uid(&v, i + 1), uids[i]);
		assert_int_equal(imap_view_seq(&v, uids[i]), i + 1);
	}
	assert_int_equal(imap_view_seq(&v, 4), 0);
	assert_int_equal(imap_view_seq(&v, UINT32_MAX), 0);
	imap_view_free(&v);
}

/* Every way of removing, against a plain array. */
static void
removing_renumbers(void **state)
{
	uint64_t random = 42;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		struct view v = { 0 };
		bool there[41] = { false };

		for (uint32_t uid = 1; uid <= 40; uid++) {
			random = random * 6364136223846793005u + 1;
			there[uid] = (random >> 33) % 4 > 0;
			if (there[uid])
				imap_view_add(&v, uid);
		}
		for (unsigned k = 0; k < 4; k++) {
			uint32_t lo, hi, seq = 0, want = 0, first = 0, n = 0;

			random = random * 6364136223846793005u + 1;
			lo = 1 + (uint32_t)(random >> 33) % 40;
			hi = lo + (uint32_t)(random >> 50) % 8;
			hi = MIN(hi, 40);
			for (uint32_t uid = 1; uid <= hi; uid++) {
				n += there[uid];
				if (uid < lo || !there[uid])
					continue;
				want++;
				first = first == 0 ? n : first;
				there[uid] = false;
			}
			assert_int_equal(
			    imap_view_remove(&v, lo, hi, &seq), want);
			if (want > 0)
				assert_int_equal(seq, first);
			n = 0;
			for (uint32_t uid = 1; uid <= 40; uid++) {
				n += there[uid];
				assert_int_equal(
				    imap_view_seq(&v, uid), there[uid] ? n : 0);
				if (there[uid])
					assert_int_equal(
					    imap_view_uid(&v, n), uid);
			}
			assert_int_equal(imap_view_count(&v), n);
		}
		imap_view_free(&v);
	}
}

static void
recent_is_a_set(void **state)
{
	struct view v = { 0 };

	(void)state;
	for (uint32_t uid = 1; uid <= 10; uid++)
		imap_view_add(&v, uid);
	assert_int_equal(imap_view_recent(&v), 0);
	imap_view_add_recent(&v, 3, 4);
	imap_view_add_recent(&v, 5, 5);
	imap_view_add_recent(&v, 9, 12);
	imap_view_add_recent(&v, 20, 12);
	assert_int_equal(v.recent.n, 2);
	assert_int_equal(imap_view_recent(&v), 5);
	assert_true(imap_view_is_recent(&v, 5));
	assert_false(imap_view_is_recent(&v, 6));
	assert_true(imap_view_is_recent(&v, 10));
	imap_view_free(&v);
}

static void
sets_are_resolved(void **state)
{
	/* the view: numbers 1 to 6 are the UIDs 2 3 4 8 9 20 */
	static const uint32_t uids[] = { 2, 3, 4, 8, 9, 20 };
	static const struct {
		struct str set;
		struct str seq, clamped, uid; /* "BAD", or the UIDs */
	} rows[] = {
		{ S("1"), S("2"), S("2"), S("1") },
		{ S("1:3"), S("2:4"), S("2:4"), S("1:3") },
		{ S("3:1"), S("2:4"), S("2:4"), S("1:3") },
		{ S("*"), S("20"), S("20"), S("20") },
		{ S("1:*"), S("2:20"), S("2:20"), S("1:20") },
		{ S("*:4"), S("8:20"), S("8:20"), S("4:20") },
		{ S("6:*"), S("20"), S("20"), S("6:20") },
		{ S("7"), S("BAD"), S(""), S("7") },
		{ S("7:*"), S("BAD"), S("20"), S("7:20") },
		{ S("5:9"), S("BAD"), S("9:20"), S("5:9") },
		{ S("100:*"), S("BAD"), S("20"), S("20") },
		{ S("100:200"), S("BAD"), S(""), S("") },
		{ S("4294967295:1"), S("BAD"), S("2:20"), S("1:20") },
		{ S("4,1,2:3,2"), S("2:4,8"), S("2:4,8"), S("1:4") },
		{ S("1,1,1"), S("2"), S("2"), S("1") },
	};
	struct view v = { 0 };

	(void)state;
	fill(&v, uids, COUNT(uids));
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct imap_resolve how[] = { { false, false },
			{ false, true }, { true, false } };
		const struct str want[] = { rows[i].seq, rows[i].clamped,
			rows[i].uid };
		AUTO_ARENA a = { 0 };
		struct imap_parse p = { rows[i].set, &a };
		struct imap_set set;

		assert_true(imap_set_parse(&p, &set));
		assert_int_equal(p.in.n, 0);
		for (size_t k = 0; k < COUNT(how); k++) {
			AUTO_BUF b = { 0 };
			struct uid_set out;

			buf_init(&b, 1000);
			if (imap_set_resolve(&a, &v, &set, how[k], &out) !=
			    RC_OK)
				assert_int_equal(
				    buf_add(&b, STR("BAD")), RC_OK);
			else
				assert_int_equal(
				    imap_set_print(&b, &out), RC_OK);
			CHECK_STR(i * 10 + k, buf_str(&b), want[k]);
		}
	}
	imap_view_free(&v);
}

/* RFC 3501 section 9, seq-number: "*" of an empty mailbox does not exist. */
static void
an_empty_mailbox_has_no_numbers(void **state)
{
	static const struct str sets[] = { S("1"), S("*"), S("1:*") };
	struct view v = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(sets); i++) {
		AUTO_ARENA a = { 0 };
		struct imap_parse p = { sets[i], &a };
		struct imap_set set;
		struct uid_set out;

		assert_true(imap_set_parse(&p, &set));
		assert_int_equal(imap_set_resolve(&a, &v, &set,
				     (struct imap_resolve){ 0 }, &out),
		    RC_BAD);
		assert_int_equal(
		    imap_set_resolve(&a, &v, &set,
			(struct imap_resolve){ .clamp = true }, &out),
		    RC_OK);
		assert_int_equal(out.n, 0);
		assert_int_equal(
		    imap_set_resolve(&a, &v, &set,
			(struct imap_resolve){ .uid = true }, &out),
		    RC_OK);
		assert_int_equal(out.n, 0);
	}
}

static void
malformed_sets(void **state)
{
	static const struct {
		struct str in;
		bool ok;
		struct str rest;
	} rows[] = {
		{ S("0"), false },
		{ S("1:0"), false },
		{ S("1,"), false },
		{ S(",1"), false },
		{ S(":1"), false },
		{ S("1:"), false },
		{ S("a"), false },
		{ S("4294967296"), false },
		{ S("1:2:3"), true, S(":3") },
		{ S("1 2"), true, S(" 2") },
		{ S("**"), true, S("*") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct imap_parse p = { rows[i].in, &a };
		struct imap_set set;

		if (imap_set_parse(&p, &set) != rows[i].ok)
			fail_msg("row %zu", i);
		if (rows[i].ok)
			CHECK_STR(i, p.in, rows[i].rest);
	}
}

static void
sets_have_a_limit(void **state)
{
	AUTO_ARENA a = { 0 };
	size_t n = (IMAP_SET_MAX + 1) * 2;
	char *text = arena_alloc(&a, n);
	struct imap_parse p = { .a = &a };
	struct imap_set set;

	(void)state;
	for (size_t i = 0; i < n; i++)
		text[i] = i % 2 == 0 ? '7' : ',';
	p.in = str_n(text, IMAP_SET_MAX * 2 - 1);
	assert_true(imap_set_parse(&p, &set));
	assert_int_equal(set.n, IMAP_SET_MAX);
	p.in = str_n(text, IMAP_SET_MAX * 2 + 1);
	assert_false(imap_set_parse(&p, &set));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_and_uids),
		cmocka_unit_test(removing_renumbers),
		cmocka_unit_test(recent_is_a_set),
		cmocka_unit_test(sets_are_resolved),
		cmocka_unit_test(an_empty_mailbox_has_no_numbers),
		cmocka_unit_test(malformed_sets),
		cmocka_unit_test(sets_have_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
