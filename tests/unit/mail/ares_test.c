/* Authentication-Results: whose it is, where it is, how ours is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mail/header.h"
#include "mail/ares.h"

#define S  STR_INIT
#define US STR("mx.example.org")

static void
whose_it_is(void **state)
{
	static const struct {
		struct str value;
		bool ours;
	} rows[] = {
		{ S(" mx.example.org; spf=pass"), true },
		{ S("mx.example.org"), true },
		{ S(" MX.Example.ORG;none"), true },
		{ S(" mx.example.org.; none"), true },
		{ S(" mx.example.org 1; none"), true },
		{ S("\r\n\tmx.example.org; none"), true },
		{ S(" (hello) mx.example.org; none"), true },
		{ S(" (a (nested \\) one)) mx.example.org (x);"), true },
		{ S(" \"mx.example.org\"; none"), true },
		{ S(" \"mx.\\example.org\"; none"), true },
		{ S(" \"mx.exam\r\n ple.org\"; none"), true },
		{ S(" \"mx.example.org \"; none"), true },
		{ S(" other.example; spf=pass"), false },
		{ S(" sub.mx.example.org; spf=pass"), false },
		{ S(" mx.example.org.evil.example; x"), false },
		{ S(" (mx.example.org) other.example; x"), false },
		{ S(" other.example; spf=pass smtp.helo=mx.example.org"),
		    false },
		{ S(""), false },
		{ S(" ;"), false },
		/* what cannot be parsed and names us is not left to chance */
		{ S(" (unclosed mx.example.org; spf=pass"), true },
		{ S(" \"mx.example.org; spf=pass"), true },
		{ S(" <mx.example.org>; spf=pass"), true },
		{ S(" x@mx.example.org; spf=pass"), true },
		{ S(" @mx.example.org"), true },
		{ S(" mx.example.org\0; spf=pass"), true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (mail_ares_is_ours(rows[i].value, US) != rows[i].ours)
			fail_msg("row %zu: %.*s", i, STRF(rows[i].value));
}

static void
cuts_are_whole_fields(void **state)
{
	static const struct {
		struct str header, left;
		size_t cuts;
	} rows[] = {
		{ S("A: b\r\n\r\n"), S("A: b\r\n\r\n"), 0 },
		{ S("Authentication-Results: mx.example.org; x\r\nA: b\r\n"),
		    S("A: b\r\n"), 1 },
		{ S("A: b\r\nauthentication-results :\r\n mx.example.org;\r\n"
		    "\tx\r\nC: d\r\n\r\n"),
		    S("A: b\r\nC: d\r\n\r\n"), 1 },
		{ S("Authentication-Results: mx.example.org; x\r\n"
		    "Authentication-Results: mx.example.org; y\r\nA: b\r\n"
		    "Authentication-Results: else.example; z\r\n"
		    "Authentication-Results: mx.example.org; w\r\n"),
		    S("A: b\r\nAuthentication-Results: else.example; z\r\n"),
		    2 },
		{ S("X-Spam-Flag: NO\r\n"
		    "Authentication-Results: mx.example.org; x\r\n"
		    "x-spam-flag :\r\n yes\r\nX-Spam-Flags: YES\r\n"),
		    S("X-Spam-Flags: YES\r\n"), 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str h = rows[i].header, left = STR("");
		struct mail_range cut[4];
		AUTO_ARENA a = { 0 };
		size_t n, at = 0;

		assert_int_equal(
		    mail_ares_cuts(h, US, true, cut, 4, &n), RC_OK);
		assert_int_equal(n, rows[i].cuts);
		for (size_t k = 0; k < n; k++) {
			left =
			    str_cat(&a, left, str_sub(h, at, cut[k].off - at));
			at = cut[k].off + cut[k].len;
		}
		left = str_cat(&a, left, str_from(h, at));
		assert_true(str_eq(left, rows[i].left));
	}
}

static void
the_mark_of_junk(void **state)
{
	static const struct {
		struct str header;
		bool junk;
	} rows[] = {
		{ S(MAIL_JUNK_MARK "A: b\r\n"), true },
		{ S("A: b\r\nx-spam-flag:yes, very\r\n\r\n"), true },
		{ S("X-Spam-Flag: NO\r\nX-Spam-Flag:\r\n\tYES\r\n"), true },
		{ S("X-Spam-Flag: NO\r\n"), false },
		{ S("X-Spam-Flag:\r\n"), false },
		{ S("X-Spam-Status: YES\r\n"), false },
		{ S("A: b\r\n\r\nX-Spam-Flag: YES\r\n"), false },
		{ S(""), false },
	};
	struct mail_range cut[2];
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(
		    mail_ares_is_junk(rows[i].header), rows[i].junk);
	/* Who is trusted keeps it. */
	assert_int_equal(
	    mail_ares_cuts(rows[0].header, US, false, cut, COUNT(cut), &n),
	    RC_OK);
	assert_int_equal(n, 0);
}

static void
more_than_fit_is_bad(void **state)
{
	struct str h = STR("Authentication-Results: mx.example.org; x\r\nA: b"
			   "\r\nAuthentication-Results: mx.example.org; x\r\n");
	struct mail_range cut[1];
	size_t n;

	(void)state;
	assert_int_equal(mail_ares_cuts(h, US, true, cut, 1, &n), RC_BAD);
}

static void
ours_is_one_field(void **state)
{
	static const struct mail_ares_result r[] = {
		{ "spf", "fail", S("a (b) \\ c\r\nX: y\x01"),
		    { { "smtp.mailfrom", S("joe@x.example") } }, 1 },
		{ "dkim", "pass", S(""),
		    { { "header.d", S("x.example") }, { "header.s", S("s 1") },
			{ "header.b", S("ab+/") } },
		    3 },
		{ "dmarc", "none", S(""),
		    { { "header.from", S("a\"b\\c\r\nEvil: 1") } }, 1 },
		{ "spf", "pass", S(""),
		    { { "smtp.mailfrom", S("\"a b\"@x.example") },
			{ "smtp.helo", S("") } },
		    2 },
	};
	AUTO_ARENA a = { 0 };
	struct str got = mail_ares_field(&a, US, r, COUNT(r));
	struct mail_header_iter it = { got };
	struct mail_field f;

	(void)state;
	assert_true(str_eq(got,
	    STR("Authentication-Results: mx.example.org;\r\n"
		"\tspf=fail (a ?b? ? c??X: y?) smtp.mailfrom=joe@x.example;"
		"\r\n"
		"\tdkim=pass header.d=x.example header.s=\"s 1\"\r\n"
		"\t header.b=\"ab+/\";\r\n"
		"\tdmarc=none header.from=\"a\\\"b\\\\c??Evil: 1\";\r\n"
		"\tspf=pass smtp.mailfrom=\"\\\"a b\\\"@x.example\"\r\n")));
	assert_true(mail_header_next(&it, &f));
	assert_int_equal(f.whole.n, got.n);
	assert_true(mail_ares_is_ours(f.value, US));
	assert_true(str_eq(mail_ares_field(&a, US, NULL, 0),
	    STR("Authentication-Results: mx.example.org; none\r\n")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whose_it_is),
		cmocka_unit_test(cuts_are_whole_fields),
		cmocka_unit_test(the_mark_of_junk),
		cmocka_unit_test(more_than_fit_is_bad),
		cmocka_unit_test(ours_is_one_field),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
