#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "cli/out.h"

#define S STR_INIT

#define CHECK_STR(got, want)                                                   \
	do {                                                                   \
		struct str got_ = (got), want_ = (want);                       \
		if (!str_eq(got_, want_))                                      \
			fail_msg("got \"%.*s\", want \"%.*s\"", STRF(got_),    \
			    STRF(want_));                                      \
	} while (0)

static void
nothing_reaches_the_terminal_as_a_command(void **state)
{
	static const struct {
		struct str in, out;
	} rows[] = {
		{ S("plain text <a@b>"), S("plain text <a@b>") },
		{ S("Gr\xc3\xbc\xc3\x9f"
		    "e \xe6\x97\xa5 \xf0\x9f\x98\x80"),
		    S("Gr\xc3\xbc\xc3\x9f"
		      "e \xe6\x97\xa5 \xf0\x9f\x98\x80") },
		{ S("\x1b[2J"), S("\\x1b[2J") },
		{ S("a\rb\nc\td\0e\x7f"), S("a\\x0db\\x0ac\\x09d\\x00e\\x7f") },
		{ S("\\x1b"), S("\\x5cx1b") },
		{ S("\xc2\x9b"
		    "1m"),
		    S("\\xc2\\x9b1m") }, /* CSI in C1 */
		{ S("\xe2\x80\xae"
		    "evil"),
		    S("\\xe2\\x80\\xaeevil") }, /* right to left */
		{ S("\xe2\x80\x8b"), S("\\xe2\\x80\\x8b") },
		{ S("\xff\xfe"), S("\\xff\\xfe") },
		{ S("cut \xe6\x97"), S("cut \\xe6\\x97") },
		{ S("\xc0\x80"), S("\\xc0\\x80") },
		{ S("\xed\xa0\x80"), S("\\xed\\xa0\\x80") },
		{ S("\xf3\xa0\x80\xa1"), S("\\xf3\\xa0\\x80\\xa1") },
		{ S(""), S("") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };

		CHECK_STR(out_escape(&a, rows[i].in), rows[i].out);
	}
}

static void
lines_are_escaped_one_by_one(void **state)
{
	char *p = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&p, &n);

	(void)state;
	assert_non_null(f);
	out_lines(f, "  ", STR("one\ntwo\r\n\nthree\x1b\n\n"));
	fclose(f);
	CHECK_STR(str_n(p, n), STR("  one\n  two\\x0d\n  \n  three\\x1b\n"));
	free(p);
}

static void
numbers_are_for_people(void **state)
{
	AUTO_ARENA a = { 0 };

	(void)state;
	CHECK_STR(out_size(&a, 0), STR("0 B"));
	CHECK_STR(out_size(&a, 1023), STR("1023 B"));
	CHECK_STR(out_size(&a, 4096), STR("4.0 KiB"));
	CHECK_STR(out_size(&a, 5u << 20), STR("5.0 MiB"));
	CHECK_STR(out_size(&a, UINT64_MAX), STR("16777216.0 TiB"));
	CHECK_STR(out_span(&a, -5), STR("0 s"));
	CHECK_STR(out_span(&a, 119), STR("119 s"));
	CHECK_STR(out_span(&a, 120), STR("2 min"));
	CHECK_STR(out_span(&a, 7200), STR("2 h"));
	CHECK_STR(out_span(&a, 864000), STR("10 d"));
	CHECK_STR(out_time(&a, 1795323600), STR("2026-11-22 05:00:00Z"));
	CHECK_STR(out_time(&a, INT64_MAX), STR("?"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_reaches_the_terminal_as_a_command),
		cmocka_unit_test(lines_are_escaped_one_by_one),
		cmocka_unit_test(numbers_are_for_people),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
