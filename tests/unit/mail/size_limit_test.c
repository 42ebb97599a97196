#include "tests/unit/mail/test.h"
#include "mail/size_limit.h"

#define MOST 100u

static struct mail_size_limits
limits(struct arena *a, uint64_t rest)
{
	struct mail_size_limits l = { .n = 0 };

	assert_int_equal(mail_size_limit_add(&l, a, STR("big@x"), 50), RC_OK);
	assert_int_equal(mail_size_limit_add(&l, a, STR("all@x"), 500), RC_OK);
	assert_int_equal(mail_size_limit_add(&l, a, STR("few@x"), 5), RC_OK);
	if (rest > 0)
		assert_int_equal(
		    mail_size_limit_add(&l, a, STR("*"), rest), RC_OK);
	return l;
}

static void
the_largest_group_counts(void **state)
{
	static const struct {
		enum rc is[3];
		uint64_t rest, want; /* 0: RC_TEMP */
	} rows[] = {
		{ { RC_DENY, RC_DENY, RC_DENY }, 0, MOST },
		{ { RC_DENY, RC_DENY, RC_DENY }, 10, 10 },
		{ { RC_DENY, RC_DENY, RC_DENY }, 1000, MOST },
		{ { RC_NOENT, RC_NOENT, RC_NOENT }, 10, 10 },
		{ { RC_OK, RC_DENY, RC_DENY }, 10, 50 },
		{ { RC_OK, RC_OK, RC_OK }, 10, MOST },
		/* a group may have less than the others */
		{ { RC_DENY, RC_DENY, RC_OK }, 10, 5 },
		{ { RC_DENY, RC_DENY, RC_OK }, 0, 5 },
		{ { RC_OK, RC_DENY, RC_OK }, 10, 50 },
		/* what nobody knows decides, or does not */
		{ { RC_TEMP, RC_DENY, RC_DENY }, 10, 0 },
		{ { RC_DENY, RC_DENY, RC_TEMP }, 10, 0 },
		{ { RC_OK, RC_TEMP, RC_DENY }, 10, 0 },
		{ { RC_OK, RC_DENY, RC_TEMP }, 10, 50 },
		{ { RC_TEMP, RC_OK, RC_TEMP }, 10, MOST },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct mail_size_limits l = limits(&a, rows[i].rest);
		uint64_t size = 0;
		enum rc rc = mail_size_limit_of(&l, rows[i].is, MOST, &size);

		if (rc != (rows[i].want > 0 ? RC_OK : RC_TEMP) ||
		    size != rows[i].want)
			fail_msg(
			    "row %zu: %s %u", i, rc_name(rc), (unsigned)size);
	}
}

static void
nobody_need_be_asked_up_to_the_least(void **state)
{
	AUTO_ARENA a = { 0 };
	struct mail_size_limits l = limits(&a, 0);
	struct mail_size_limits star = { .n = 0 };

	(void)state;
	assert_int_equal(mail_size_limit_least(&l, MOST), 5);
	assert_int_equal(mail_size_limit_most(&l, MOST), MOST);
	l = limits(&a, 2);
	assert_int_equal(mail_size_limit_least(&l, MOST), 2);
	assert_int_equal(mail_size_limit_least(&l, 1), 1);
	assert_int_equal(mail_size_limit_add(&star, &a, STR("*"), 7), RC_OK);
	assert_int_equal(mail_size_limit_least(&star, MOST), 7);
	assert_int_equal(mail_size_limit_most(&star, MOST), 7);
}

static void
a_group_has_one_limit(void **state)
{
	AUTO_ARENA a = { 0 };
	struct mail_size_limits l = limits(&a, 1);

	(void)state;
	assert_int_equal(mail_size_limit_add(&l, &a, STR("BIG@x"), 1), RC_BAD);
	assert_int_equal(mail_size_limit_add(&l, &a, STR("*"), 1), RC_BAD);
	while (l.n < MAIL_SIZE_GROUPS_MAX)
		assert_int_equal(mail_size_limit_add(&l, &a,
				     str_fmt(&a, "g%u@x", (unsigned)l.n), 1),
		    RC_OK);
	assert_int_equal(mail_size_limit_add(&l, &a, STR("one@x"), 1), RC_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_largest_group_counts),
		cmocka_unit_test(nobody_need_be_asked_up_to_the_least),
		cmocka_unit_test(a_group_has_one_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
