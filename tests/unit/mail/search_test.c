#include "tests/unit/mail/test.h"
#include "mail/search.h"

static void
folding(void **state)
{
	static const struct {
		struct str in, want;
	} rows[] = {
		{ S("aZ0@"), S("AZ0@") },
		{ S("\xc3\xa4"), S("A\xcc\x88") }, /* a with diaeresis */
		{ S("A\xcc\x88"), S("A\xcc\x88") },
		{ S("\xc3\x9f"), S("\xc3\x9f") }, /* sharp s stays */
		{ S("\xcf\x82\xcf\x83"), S("\xce\xa3\xce\xa3") }, /* sigmas */
		{ S("\xef\xac\x81"), S("fi") }, /* ligature: 5051 */
		{ S("\xea\xb0\x81"),
		    S("\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8") },
		{ S("\xea\xb0\x80"), S("\xe1\x84\x80\xe1\x85\xa1") },
		{ S("\xf0\x9f\x98\x80"), S("\xf0\x9f\x98\x80") },
		{ S("\xff"), S("\xef\xbf\xbd") },
		{ S("\xd0\xb6"), S("\xd0\x96") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_BUF b = { 0 };

		buf_init(&b, 1024);
		assert_int_equal(mail_casefold(rows[i].in, &b), RC_OK);
		CHECK_STR(buf_str(&b), rows[i].want);
	}
}

/* No character may fold to more than search.c makes room for. */
static void
growth_is_bounded(void **state)
{
	(void)state;
	for (uint32_t c = 1; c < 0x110000; c++) {
		char in[4];
		size_t n = 0;
		AUTO_BUF b = { 0 };

		if (c >= 0xd800 && c < 0xe000)
			continue;
		if (c < 0x80) {
			in[n++] = (char)c;
		} else if (c < 0x800) {
			in[n++] = (char)(0xc0 | c >> 6);
		} else if (c < 0x10000) {
			in[n++] = (char)(0xe0 | c >> 12);
			in[n++] = (char)(0x80 | (c >> 6 & 63));
		} else {
			in[n++] = (char)(0xf0 | c >> 18);
			in[n++] = (char)(0x80 | (c >> 12 & 63));
			in[n++] = (char)(0x80 | (c >> 6 & 63));
		}
		if (c >= 0x80)
			in[n++] = (char)(0x80 | (c & 63));
		buf_init(&b, 12 * n);
		assert_int_equal(mail_casefold(str_n(in, n), &b), RC_OK);
		assert_true(str_is_utf8(buf_str(&b)));
	}
}

static void
needles(void **state)
{
	static const struct {
		struct str needle, text;
		bool in;
	} rows[] = {
		{ S(""), S(""), true },
		{ S("a"), S(""), false },
		{ S("ELL"), S("hello"), true },
		{ S("hellO "), S("hello"), false },
		{ S("\xc3\xa4rger"), S("\xc3\x84RGER"), true },
		{ S("STRASSE"),
		    S("Stra\xc3\x9f"
		      "e"),
		    false },
		{ S("\xce\xa3\xce\xa3"), S("\xcf\x83\xcf\x82"), true },
	};
	AUTO_ARENA a = { 0 };
	struct mail_needle nd;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    mail_needle_init(&a, rows[i].needle, &nd), RC_OK);
		assert_int_equal(mail_needle_in(&nd, rows[i].text), rows[i].in);
	}
	assert_int_equal(
	    mail_needle_init(&a, STR("M\xc3\xbcller"), &nd), RC_OK);
	assert_true(mail_needle_in_value(
	    &nd, STR(" =?iso-8859-1?q?m=FC?=\r\n =?iso-8859-1?q?ller?= x")));
	assert_false(mail_needle_in_value(&nd, STR("=?utf-8?q?muller?=")));
	assert_int_equal(mail_needle_init(&a, STR("\xff"), &nd), RC_BAD);
	assert_int_equal(
	    mail_needle_init(&a, str_n(arena_calloc(&a, 1, 5000), 5000), &nd),
	    RC_BAD);
}

static bool
search(struct str needle, enum mail_cte cte, struct str charset, struct str in,
    size_t step)
{
	AUTO_ARENA a = { 0 };
	struct mail_needle nd;
	struct mail_search *s;
	bool found;

	assert_int_equal(mail_needle_init(&a, needle, &nd), RC_OK);
	s = mail_search_new(&nd, cte, charset);
	for (size_t i = 0; i < in.n; i += step)
		mail_search_feed(s, str_sub(in, i, step));
	found = mail_search_end(s);
	assert_int_equal(mail_search_end(s), found);
	mail_search_free(&s);
	assert_null(s);
	return found;
}

static void
bodies(void **state)
{
	static const struct {
		struct str needle;
		enum mail_cte cte;
		struct str charset, in;
		bool found;
	} rows[] = {
		{ S("hello"), MAIL_CTE_B64, S("utf-8"), S("eHhIRUxM\r\nT3g="),
		    true },
		{ S("gr\xc3\xbc\xc3\x9f"), MAIL_CTE_QP, S("iso-8859-1"),
		    S("xx GR=FC=\r\n=DF"), true },
		{ S("gr\xc3\xbc\xc3\x9f"), MAIL_CTE_QP, S("utf-8"),
		    S("gr=FC=DF"), false },
		{ S("ab"), MAIL_CTE_IDENTITY, S("x-none"),
		    S("a\xff"
		      "b aB"),
		    true },
		{ S("b "), MAIL_CTE_QP, S(""), S("b   "), false },
		{ S(""), MAIL_CTE_QP, S(""), S(""), true },
		{ S("\xef\xbf\xbd"), MAIL_CTE_IDENTITY, S("utf-8"),
		    S("\xe2\x82"), true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t step = 1; step < 12; step++)
			if (search(rows[i].needle, rows[i].cte, rows[i].charset,
				rows[i].in, step) != rows[i].found)
				fail_msg("row %zu, step %zu", i, step);
}

static void
a_match_across_steps_is_found(void **state)
{
	AUTO_BUF b = { 0 };

	(void)state;
	buf_init(&b, 1u << 20);
	for (size_t at = 16380; at < 16390; at++) {
		buf_clear(&b);
		for (size_t i = 0; i < 40000; i++)
			assert_int_equal(
			    buf_add_char(&b, "neEdlX"[i == at + 4 ? 4 : 5]),
			    RC_OK);
		for (size_t i = 0; i < 6; i++)
			b.p[at + i] = "NeedLe"[i];
		assert_true(search(STR("needle"), MAIL_CTE_IDENTITY, STR(""),
		    buf_str(&b), 40000));
		b.p[at + 5] = 'x';
		assert_false(search(STR("needle"), MAIL_CTE_IDENTITY, STR(""),
		    buf_str(&b), 40000));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folding),
		cmocka_unit_test(growth_is_bounded),
		cmocka_unit_test(needles),
		cmocka_unit_test(bodies),
		cmocka_unit_test(a_match_across_steps_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
