#include "tests/unit/mail/test.h"
#include "mail/date.h"

static void
mail_dates(void **state)
{
	static const struct {
		struct str in;
		enum rc rc;
		int64_t t;
		int zone;
	} rows[] = {
		{ S("Thu, 01 Jan 1970 00:00:00 +0000"), RC_OK, 0, 0 },
		{ S("Sun, 22 Nov 2026 05:22:52 +0100 (CET)"), RC_OK, 1795321372,
		    60 },
		{ S("22 Nov 2026 05:22 -0330"), RC_OK, 1795337520, -210 },
		{ S("\r\n\tSun , 22 (a (b\\) c)) Nov 2026 05 : 22 : 52 GMT"),
		    RC_OK, 1795324972, 0 },
		{ S("21 Nov 97 09:55:06 EST"), RC_OK, 880124106, -300 },
		{ S("21 Nov 04 09:55:06 UT"), RC_OK, 1101030906, 0 },
		{ S("21 Nov 104 09:55:06 Z"), RC_OK, 1101030906, 0 },
		{ S("Fri Nov 21 09:55:06 1997"), RC_OK, 880106106, 0 },
		{ S("Fri, 21-Nov-1997 09:55:06"), RC_OK, 880106106, 0 },
		{ S("Fri, 21 November 1997 09:55:06 +9999"), RC_OK, 880106106,
		    0 },
		{ S("31 Dec 1998 23:59:60 +0000"), RC_OK, 915148800, 0 },
		{ S("Mar, 24 Nov 2026 00:00:00 +0000"), RC_OK, 1795478400, 0 },
		{ S("29 Feb 2024 00:00:00 +0000"), RC_OK, 1709164800, 0 },
		{ S("29 Feb 2023 00:00:00 +0000"), RC_BAD },
		{ S("29 Feb 1900 00:00:00 +0000"), RC_BAD },
		{ S("0 Jan 2000 00:00:00 +0000"), RC_BAD },
		{ S("32 Jan 2000 00:00:00 +0000"), RC_BAD },
		{ S("1 Foo 2000 00:00:00 +0000"), RC_BAD },
		{ S("1 Jan 2000 24:00:00 +0000"), RC_BAD },
		{ S("1 Jan 2000 00:60:00 +0000"), RC_BAD },
		{ S("1 Jan 1899 00:00:00 +0000"), RC_BAD },
		{ S("1 Jan 10000 00:00:00 +0000"), RC_BAD },
		{ S("1 Jan 2000"), RC_BAD },
		{ S("Sun,"), RC_BAD },
		{ S("((("), RC_BAD },
		{ S("(\\"), RC_BAD },
		{ S(""), RC_BAD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mail_date d = { -1, -1 };
		enum rc rc = mail_date_parse(rows[i].in, &d);

		if (rc != rows[i].rc)
			fail_msg("%.*s: %s", STRF(rows[i].in), rc_name(rc));
		if (rc != RC_OK)
			continue;
		if (d.unixtime != rows[i].t || d.zone != rows[i].zone)
			fail_msg("%.*s: %lld %d", STRF(rows[i].in),
			    (long long)d.unixtime, d.zone);
	}
}

static void
imap_dates(void **state)
{
	static const struct {
		struct str in;
		enum rc rc;
	} rows[] = {
		{ S("22-Nov-2026 05:22:52 +0100"), RC_OK },
		{ S(" 2-Nov-2026 05:22:52 -0130"), RC_OK },
		{ S("02-nov-2026 05:22:52 -0130"), RC_OK },
		{ S("2-Nov-2026 05:22:52 +0100"), RC_BAD },
		{ S("22-Nov-2026 05:22:52"), RC_BAD },
		{ S("22-Nov-2026 05:22:52 +0100 "), RC_BAD },
		{ S("22-Nov-26 05:22:52 +0100"), RC_BAD },
		{ S("31-Nov-2026 05:22:52 +0100"), RC_BAD },
		{ S(""), RC_BAD },
	};
	AUTO_ARENA a = { 0 };
	struct mail_date d;
	int64_t day;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum rc rc = mail_date_imap_parse(rows[i].in, &d);

		if (rc != rows[i].rc)
			fail_msg("%.*s: %s", STRF(rows[i].in), rc_name(rc));
		if (rc == RC_OK && i < 2)
			CHECK_STR(mail_date_imap_text(&a, d), rows[i].in);
	}
	assert_int_equal(mail_date_day_parse(STR("2-Jan-1970"), &day), RC_OK);
	assert_int_equal(day, 1);
	assert_int_equal(mail_date_day_parse(STR("31-Dec-1969"), &day), RC_OK);
	assert_int_equal(day, -1);
	assert_int_equal(mail_date_day_parse(STR("30-Feb-1970"), &day), RC_BAD);
	assert_int_equal(mail_date_day_parse(STR("1-Jan-70"), &day), RC_BAD);
	assert_int_equal(mail_date_day_parse(STR("1-Jan-1970 "), &day), RC_BAD);
	/* The day is the one that the sender's clock showed. */
	assert_int_equal(
	    mail_date_imap_parse(STR("02-Jan-1970 01:00:00 +0200"), &d), RC_OK);
	assert_int_equal(mail_date_day(d), 1);
	assert_int_equal(d.unixtime, 23 * 3600);
}

static void
texts_go_round(void **state)
{
	AUTO_ARENA a = { 0 };
	int y, m, d;

	(void)state;
	CHECK_STR(mail_date_text(&a, (struct mail_date){ 1795321372, 60 }),
	    STR("Sun, 22 Nov 2026 05:22:52 +0100"));
	CHECK_STR(mail_date_text(&a, (struct mail_date){ -1, -90 }),
	    STR("Wed, 31 Dec 1969 22:29:59 -0130"));
	for (int64_t t = -2208988800; t < 253402300799;
	     t += 86400 * 37 + 4711) {
		struct mail_date in = { t, (int)(t % 700) }, out;

		assert_int_equal(
		    mail_date_parse(mail_date_text(&a, in), &out), RC_OK);
		assert_true(out.unixtime == t || t < -2208988800 + 50000);
		arena_reset(&a);
	}
	for (int64_t t = -800000; t < 3000000; t += 13) {
		mail_civil_from_days(t, &y, &m, &d);
		assert_int_equal(mail_days_from_civil(y, m, d), t);
	}
	/* A damaged record prints something, nothing more. */
	mail_date_text(&a, (struct mail_date){ INT64_MAX, INT32_MIN });
	mail_date_imap_text(&a, (struct mail_date){ INT64_MIN, INT32_MAX });
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_dates),
		cmocka_unit_test(imap_dates),
		cmocka_unit_test(texts_go_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
