#include "tests/unit/lib/test.h"

#include "lib/proxy2.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define V4                                                                     \
	SIG "\x21\x11\0\x0c"                                                   \
	    "\xc0\0\x02\x07\xcb\0\x71\x09\xc0\x01\0\x19"
#define V6                                                                     \
	SIG "\x21\x21\0\x24"                                                   \
	    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"                       \
	    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09"                       \
	    "\xc0\x01\0\x19"
#define V4_ADDR "\xc0\0\x02\x07\xcb\0\x71\x09\xc0\x01\0\x19"
#define S(lit)  lit, sizeof(lit) - 1

static void
a_header_says_who_it_is(void **state)
{
	static const struct {
		const char *p;
		size_t n;
		enum rc rc;
		const char *src; /* NULL: local */
	} rows[] = {
		{ S(V4), RC_OK, "192.0.2.7" },
		{ S(V6), RC_OK, "2001:db8::7" },
		{ S(SIG "\x20\0\0\0"), RC_OK, NULL },
		{ S(SIG "\x20\x11\0\x0c" V4_ADDR), RC_OK, NULL },
		{ S(SIG "\x20\xff\0\x02zz"), RC_OK, NULL },
		/* TLVs */
		{ S(SIG "\x21\x11\0\x0f" V4_ADDR "\x04\0\0"), RC_OK,
		    "192.0.2.7" },
		{ S(SIG "\x21\x11\0\x14" V4_ADDR "\x02\0\x01x\x04\0\x01y"),
		    RC_OK, "192.0.2.7" },
		{ S(SIG "\x21\x11\0\x10" V4_ADDR "\x04\0\x02x"), RC_BAD, "" },
		{ S(SIG "\x21\x11\0\x0d" V4_ADDR "\x04"), RC_BAD, "" },
		/* no address that would count */
		{ S(SIG "\x21\0\0\0"), RC_BAD, "" },
		{ S(SIG "\x21\x10\0\x0c" V4_ADDR), RC_BAD, "" },
		{ S(SIG "\x21\x12\0\x0c" V4_ADDR), RC_BAD, "" },
		{ S(SIG "\x21\x31\0\x0c" V4_ADDR), RC_BAD, "" },
		{ S(SIG "\x21\x21\0\x0c" V4_ADDR), RC_BAD, "" },
		{ S(SIG "\x21\x11\0\x0b" V4_ADDR), RC_BAD, "" },
		{ S(SIG "\x21\x11\0\0"), RC_BAD, "" },
		/* other versions, other commands, other protocols */
		{ S(SIG "\x11\x11\0\x0c" V4_ADDR), RC_BAD, "" },
		{ S(SIG "\x22\x11\0\x0c" V4_ADDR), RC_BAD, "" },
		{ S("PROXY TCP4 192.0.2.7 203.0.113.9 1 2\r\n"), RC_BAD, "" },
		{ S("EHLO client.test\r\n"), RC_BAD, "" },
		{ S("\r\n\r\n\0\r\nQUIT\r"), RC_BAD, "" },
		{ S("\x16\x03\x01"), RC_BAD, "" },
		/* sizes */
		{ S(""), RC_TEMP, "" },
		{ S("\r\n\r\n"), RC_TEMP, "" },
		{ S(SIG), RC_TEMP, "" },
		{ S(SIG "\x21\x11\x0f\xf0"), RC_TEMP, "" },
		{ S(SIG "\x21\x11\x0f\xf1"), RC_BAD, "" },
		{ S(SIG "\x20\0\xff\xff"), RC_BAD, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char buf[NET_TEXT_MAX];
		struct proxy2 p;
		size_t n = 0;

		if (proxy2_parse(str_n(rows[i].p, rows[i].n), &p, &n) !=
		    rows[i].rc)
			fail_msg("row %zu", i);
		if (rows[i].rc != RC_OK)
			continue;
		assert_int_equal(n, rows[i].n);
		assert_int_equal(p.local, rows[i].src == NULL);
		if (!p.local)
			assert_string_equal(
			    net_text(&p.src, buf).p, rows[i].src);
	}
}

static void
ports_and_what_follows(void **state)
{
	struct str in = { S(V4 "EHLO x\r\n") };
	char buf[NET_TEXT_MAX];
	struct proxy2 p;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(V4) - 1; i++)
		assert_rc(proxy2_parse(str_sub(in, 0, i), &p, &n), RC_TEMP);
	assert_rc(proxy2_parse(in, &p, &n), RC_OK);
	assert_int_equal(n, sizeof(V4) - 1);
	assert_int_equal(p.src_port, 0xc001);
	assert_int_equal(p.dst_port, 25);
	assert_string_equal(net_text(&p.dst, buf).p, "203.0.113.9");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_says_who_it_is),
		cmocka_unit_test(ports_and_what_follows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
