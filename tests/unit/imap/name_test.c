#include "imap/mutf7.h"
#include "imap/name.h"
#include "tests/unit/imap/test.h"

static void
mutf7_has_one_form(void **state)
{
	static const struct {
		struct str wire;
		enum rc rc;
		struct str name;
	} rows[] = {
		{ S("INBOX"), RC_OK, S("INBOX") },
		{ S("A&-B"), RC_OK, S("A&B") },
		{ S("Entw&APw-rfe"), RC_OK, S("Entw\xc3\xbcrfe") },
		{ S("~peter/mail/&U,BTFw-/&ZeVnLIqe-"), RC_OK,
		    S("~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/"
		      "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e") },
		{ S("&2D3eAA-"), RC_OK, S("\xf0\x9f\x98\x80") },
		/* RFC 3501 section 5.1.3: superfluous shift */
		{ S("&U,BTFw-&ZeVnLIqe-"), RC_BAD },
		{ S("&AEE-"), RC_BAD },    /* "A" in base64 */
		{ S("&APx-"), RC_BAD },    /* bits left over */
		{ S("&APwA-"), RC_BAD },   /* a unit cut short */
		{ S("&"), RC_BAD },        /* no end */
		{ S("&APw"), RC_BAD },     /* no end */
		{ S("&AP=w-"), RC_BAD },   /* no such digit */
		{ S("&2D0-"), RC_BAD },    /* a high surrogate alone */
		{ S("&3gA-"), RC_BAD },    /* a low surrogate alone */
		{ S("&2D0APw-"), RC_BAD }, /* a wrong pair */
		{ S("\xc3\xbc"), RC_BAD }, /* raw UTF-8 */
		{ S("a\x01"), RC_BAD },
		{ S("a\0b"), RC_BAD },
		{ S(""), RC_OK, S("") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct str out;
		enum rc rc = imap_mutf7_decode(&a, rows[i].wire, &out);

		if (rc != rows[i].rc)
			fail_msg("row %zu: %s", i, rc_name(rc));
		if (rc != RC_OK)
			continue;
		CHECK_STR(i, out, rows[i].name);
		assert_int_equal(imap_mutf7_encode(&a, out, &out), RC_OK);
		CHECK_STR(i, out, rows[i].wire);
	}
}

/* Every code point there is: back and forth, alone and in a run. */
static void
mutf7_round_trips(void **state)
{
	(void)state;
	for (uint32_t c = 1; c < 0x110000; c += c < 0x3000 ? 1 : 97) {
		AUTO_ARENA a = { 0 };
		char utf8[16] = "";
		size_t n = 0;
		struct str wire, back;

		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		for (int k = 0; k < 4; k++) {
			if (c < 0x80) {
				utf8[n++] = (char)c;
			} else if (c < 0x800) {
				utf8[n++] = (char)(0xc0 | c >> 6);
				utf8[n++] = (char)(0x80 | (c & 0x3f));
			} else if (c < 0x10000) {
				utf8[n++] = (char)(0xe0 | c >> 12);
				utf8[n++] = (char)(0x80 | (c >> 6 & 0x3f));
				utf8[n++] = (char)(0x80 | (c & 0x3f));
			} else {
				utf8[n++] = (char)(0xf0 | c >> 18);
				utf8[n++] = (char)(0x80 | (c >> 12 & 0x3f));
				utf8[n++] = (char)(0x80 | (c >> 6 & 0x3f));
				utf8[n++] = (char)(0x80 | (c & 0x3f));
			}
			assert_int_equal(
			    imap_mutf7_encode(&a, str_n(utf8, n), &wire),
			    RC_OK);
			if (imap_mutf7_decode(&a, wire, &back) != RC_OK ||
			    !str_eq(back, str_n(utf8, n)))
				fail_msg("U+%04X: %.*s", c, STRF(wire));
		}
	}
}

static void
names_that_may_be(void **state)
{
	static const struct {
		struct str wire;
		enum rc rc, fresh; /* imap_name_parse, imap_name_parse_new */
		struct str name;
	} rows[] = {
		{ S("inbox"), RC_OK, RC_OK, S("INBOX") },
		{ S("InBox/a"), RC_OK, RC_OK, S("INBOX/a") },
		{ S("inboxes"), RC_OK, RC_OK, S("inboxes") },
		{ S("a/b"), RC_OK, RC_OK, S("a/b") },
		{ S("a/"), RC_BAD, RC_OK, S("a") },
		{ S("a//"), RC_BAD, RC_BAD },
		{ S("/a"), RC_BAD, RC_BAD },
		{ S("/"), RC_BAD, RC_BAD },
		{ S(""), RC_BAD, RC_BAD },
		{ S("a*b"), RC_OK, RC_BAD, S("a*b") },
		{ S("a%"), RC_OK, RC_BAD, S("a%") },
		{ S("&AAE-"), RC_BAD, RC_BAD }, /* a control character */
		{ S("&AIU-"), RC_BAD, RC_BAD }, /* U+0085 */
		{ S("&AKA-"), RC_OK, RC_OK, S("\xc2\xa0") },
		{ S("1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/"
		    "9/0/1/2/3"),
		    RC_BAD, RC_BAD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct str out;

		if (imap_name_parse(&a, rows[i].wire, &out) != rows[i].rc)
			fail_msg("row %zu", i);
		if (rows[i].rc == RC_OK)
			CHECK_STR(i, out, rows[i].name);
		if (imap_name_parse_new(&a, rows[i].wire, &out) !=
		    rows[i].fresh)
			fail_msg("row %zu, new", i);
		if (rows[i].fresh == RC_OK)
			CHECK_STR(i, out, rows[i].name);
	}
}

static void
long_names_are_refused(void **state)
{
	AUTO_ARENA a = { 0 };
	struct str long_name = { arena_calloc(&a, 1, 6000), 6000 }, out;
	char *p = arena_calloc(&a, 1, 6000);

	(void)state;
	for (size_t i = 0; i < 6000; i++)
		p[i] = 'x';
	long_name.p = p;
	long_name.n = 1000;
	assert_int_equal(imap_name_parse(&a, long_name, &out), RC_OK);
	long_name.n = 1001;
	assert_int_equal(imap_name_parse(&a, long_name, &out), RC_BAD);
	long_name.n = 6000;
	assert_int_equal(imap_name_parse(&a, long_name, &out), RC_BAD);
}

static void
patterns(void **state)
{
	static const struct {
		struct str pattern, name;
		bool match;
	} rows[] = {
		{ S("*"), S("a/b/c"), true },
		{ S("%"), S("a"), true },
		{ S("%"), S("a/b"), false },
		{ S("%/%"), S("a/b"), true },
		{ S("%/%"), S("a/b/c"), false },
		{ S("a/%"), S("a/b"), true },
		{ S("a/%"), S("a"), false },
		{ S("a*c"), S("a/b/c"), true },
		{ S("a%c"), S("a/b/c"), false },
		{ S("a%c"), S("abbc"), true },
		{ S("*%"), S("a/b"), true },
		{ S("%*"), S("a/b"), true },
		{ S("*/%/x"), S("a/b/c/x"), true },
		{ S("%b%"), S("abab"), true },
		{ S("*b%c"), S("ab/bxc"), true },
		{ S("*b%c"), S("abx/c"), false },
		{ S("INBOX"), S("INBOX"), true },
		{ S("INBOX"), S("INBOXx"), false },
		{ S(""), S(""), true },
		{ S(""), S("a"), false },
		{ S("a"), S(""), false },
		{ S("%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%b"),
		    S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
		    false },
		{ S("*a*a*a*a*a*a*a*a*a*a*a*a*b"),
		    S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
		    false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (imap_name_match(rows[i].pattern, rows[i].name) !=
		    rows[i].match)
			fail_msg("row %zu", i);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mutf7_has_one_form),
		cmocka_unit_test(mutf7_round_trips),
		cmocka_unit_test(names_that_may_be),
		cmocka_unit_test(long_names_are_refused),
		cmocka_unit_test(patterns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
