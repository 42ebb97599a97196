#include "imap/gather.h"
#include "tests/unit/imap/test.h"

enum token { TAG, ATOM, ASTRING, STRING, NSTRING, PATTERN };

static bool
cut(enum token t, struct imap_parse *p, struct str *out)
{
	switch (t) {
	case TAG:
		return imap_parse_tag(p, out);
	case ATOM:
		return imap_parse_atom(p, out);
	case ASTRING:
		return imap_parse_astring(p, out);
	case STRING:
		return imap_parse_string(p, out);
	case NSTRING:
		return imap_parse_nstring(p, out);
	default:
		return imap_parse_pattern(p, out);
	}
}

static void
tokens_end_where_the_grammar_says(void **state)
{
	static const struct {
		enum token t;
		struct str in;
		bool ok;
		struct str out, rest;
	} rows[] = {
		{ TAG, S("a001 NOOP"), true, S("a001"), S(" NOOP") },
		{ TAG, S("a.b]c x"), true, S("a.b]c"), S(" x") },
		{ TAG, S("+ x"), false },
		{ TAG, S("a+b x"), true, S("a"), S("+b x") },
		{ TAG, S("\\x"), false },
		{ ATOM, S("FLAGS)"), true, S("FLAGS"), S(")") },
		{ ATOM, S("BODY[1]"), true, S("BODY[1"), S("]") },
		{ ATOM, S("a%"), true, S("a"), S("%") },
		{ ATOM, S("a\x7f"), true, S("a"), S("\x7f") },
		{ ATOM, S("\xc3\xa4"), false },
		{ ATOM, S(""), false },
		{ ASTRING, S("a]b c"), true, S("a]b"), S(" c") },
		{ ASTRING, S("\"a b\" c"), true, S("a b"), S(" c") },
		{ ASTRING, S("\"\""), true, S(""), S("") },
		{ ASTRING, S("NIL"), true, S("NIL"), S("") },
		{ ASTRING, S("(x"), false },
		{ STRING, S("\"a\\\"b\\\\c\"d"), true, S("a\"b\\c"), S("d") },
		{ STRING, S("\"a\\n\""), false },
		{ STRING, S("\"a"), false },
		{ STRING, S("\"a\\"), false },
		{ STRING, S("\"a\rb\""), false },
		{ STRING, S("\"a\nb\""), false },
		{ STRING, S("\"a\0b\""), false },
		{ STRING, S("\"\xc3\xa4\""), true, S("\xc3\xa4"), S("") },
		{ STRING, S("\"\xc3\""), false },
		{ STRING, S("x"), false },
		{ STRING, S("{3}\r\nabcd"), true, S("abc"), S("d") },
		{ STRING, S("{3+}\r\na\r\n d"), true, S("a\r\n"), S(" d") },
		{ STRING, S("{0}\r\n"), true, S(""), S("") },
		{ STRING, S("{3}\r\nab"), false },
		{ STRING, S("{3}\r\na\0b"), false },
		{ STRING, S("{}\r\n"), false },
		{ STRING, S("{3}abc"), false },
		{ STRING, S("{-1}\r\nabc"), false },
		{ STRING, S("{99999999999999999999}\r\nabc"), false },
		{ NSTRING, S("nil)"), true, S(""), S(")") },
		{ NSTRING, S("\"NIL\""), true, S("NIL"), S("") },
		{ NSTRING, S("NILS"), false },
		{ PATTERN, S("a/%*]b x"), true, S("a/%*]b"), S(" x") },
		{ PATTERN, S("\"*\""), true, S("*"), S("") },
		{ PATTERN, S("(a"), false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct imap_parse p = { rows[i].in, &a };
		struct str out = STR("?");

		if (cut(rows[i].t, &p, &out) != rows[i].ok)
			fail_msg("row %zu: %.*s", i, STRF(rows[i].in));
		if (!rows[i].ok)
			continue;
		CHECK_STR(i, out, rows[i].out);
		CHECK_STR(i, p.in, rows[i].rest);
	}
}

static void
numbers_have_bounds(void **state)
{
	static const struct {
		struct str in;
		bool number, nz;
		uint32_t value;
	} rows[] = {
		{ S("0"), true, false, 0 },
		{ S("1"), true, true, 1 },
		{ S("007"), true, false, 7 },
		{ S("4294967295"), true, true, UINT32_MAX },
		{ S("4294967296"), false, false },
		{ S("-1"), false, false },
		{ S("+1"), false, false },
		{ S(""), false, false },
		{ S("x"), false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct imap_parse p = { rows[i].in, NULL };
		uint32_t n = 0;

		assert_int_equal(imap_parse_number(&p, &n), rows[i].number);
		if (rows[i].number)
			assert_int_equal(n, rows[i].value);
		p.in = rows[i].in;
		assert_int_equal(imap_parse_nz(&p, &n), rows[i].nz);
	}
}

static void
literals_are_announced_at_the_end(void **state)
{
	static const struct {
		struct str line;
		bool announced, sync;
		uint64_t size;
	} rows[] = {
		{ S("a LOGIN {5}\r\n"), true, true, 5 },
		{ S("a LOGIN {5+}\r\n"), true, false, 5 },
		{ S("{0}\r\n"), true, true, 0 },
		{ S("a {12} \r\n"), false },
		{ S("a {}\r\n"), false },
		{ S("a {+}\r\n"), false },
		{ S("a {5++}\r\n"), false },
		{ S("a 5}\r\n"), false },
		{ S("}\r\n"), false },
		{ S("a {x}\r\n"), false },
		{ S("a {99999999999999999999}\r\n"), false },
		{ S("a {5}\n"), false },
		{ S("\r\n"), false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct imap_literal lit;

		if (imap_literal_announced(rows[i].line, &lit) !=
		    rows[i].announced)
			fail_msg("row %zu", i);
		if (!rows[i].announced)
			continue;
		assert_int_equal(lit.sync, rows[i].sync);
		assert_int_equal(lit.size, rows[i].size);
		assert_int_equal(rows[i].line.p[lit.at], '{');
	}
}

static void
only_crlf_ends_a_line(void **state)
{
	static const struct {
		struct str in;
		size_t frame;
	} rows[] = {
		{ S("a NOOP\r\nb"), 8 },
		{ S("a NOOP\n"), 0 },
		{ S("a NOOP\nb\r\n"), 10 },
		{ S("a NOOP\rb\r\n"), 10 },
		{ S("\n\r\n"), 3 },
		{ S("\r\n"), 2 },
		{ S("a NOOP\r"), 0 },
		{ S(""), 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct imap_gather g;

		imap_gather_init(&g);
		/* growing, as the reactor calls it */
		for (size_t n = 0; n <= rows[i].in.n; n++) {
			size_t cut =
			    imap_gather_frame(&g, str_sub(rows[i].in, 0, n));

			if (cut == 0)
				continue;
			assert_int_equal(cut, rows[i].frame);
			assert_int_equal(n, cut);
			break;
		}
		g.scanned = 0;
		assert_int_equal(
		    imap_gather_frame(&g, rows[i].in), rows[i].frame);
		imap_gather_free(&g);
	}
}

static void
a_command_has_a_cap(void **state)
{
	struct imap_gather g;
	struct imap_literal lit;
	char big[1000];
	enum rc rc;
	unsigned lines = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = 'x';
	imap_gather_init(&g);
	do {
		rc = imap_gather_line(&g, STR("a x {1000+}\r\n"), &lit);
		assert_int_equal(rc, RC_NOENT);
		imap_gather_expect(&g, GATHER_LITERAL, lit.size);
		assert_true(imap_gather_bytes(&g, str_n(big, sizeof(big))));
	} while (++lines < 1000);
	assert_true(g.dropping);
	assert_true(g.b.n <= IMAP_COMMAND_MAX);
	assert_int_equal(imap_gather_line(&g, STR("\r\n"), &lit), RC_BAD);
	imap_gather_reset(&g);
	assert_int_equal(imap_gather_line(&g, STR("a NOOP\r\n"), &lit), RC_OK);
	CHECK_STR(0, imap_gather_command(&g), STR("a NOOP"));
	imap_gather_free(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_end_where_the_grammar_says),
		cmocka_unit_test(numbers_have_bounds),
		cmocka_unit_test(literals_are_announced_at_the_end),
		cmocka_unit_test(only_crlf_ends_a_line),
		cmocka_unit_test(a_command_has_a_cap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
