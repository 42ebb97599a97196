#include <arpa/inet.h>

#include "tests/unit/lib/test.h"
#include "lib/dns_wire.h"

#define S STR_INIT
/* Labels of 63, 61, 50 and 10 bytes. */
#define L10 "0123456789"
#define L50 L10 L10 L10 L10 L10
#define L61 L50 L10 "x"
#define L63 L61 "xx"

static void
names_are_read_as_people_write_them(void **state)
{
	static const struct {
		struct str text;
		enum rc rc;
		struct str wire;
		const char *plain;
	} rows[] = {
		{ S("Example.ORG"), RC_OK, S("\7example\3org\0"),
		    "example.org" },
		{ S("example.org."), RC_OK, S("\7example\3org\0"),
		    "example.org" },
		{ S("x"), RC_OK, S("\1x\0"), "x" },
		{ S("_dmarc.a-b"), RC_OK, S("\6_dmarc\3a-b\0"), "_dmarc.a-b" },
		{ S("a b@c.d"), RC_OK, S("\5a b@c\1d\0"), "a\\032b\\064c.d" },
		{ S("a\\.b.d"), RC_OK, S("\3a.b\1d\0"), "a\\046b.d" },
		{ S("a\\\\b"), RC_OK, S("\3a\\b\0"), "a\\092b" },
		{ S("\\065\\000\\255"), RC_OK, S("\3a\0\xff\0"),
		    "a\\000\\255" },
		{ S("a\0b"), RC_OK, S("\3a\0b\0"), "a\\000b" },
		{ S(L63 ".a"), RC_OK, S("\x3f" L63 "\1a\0"), L63 ".a" },
		/* 253 is the most */
		{ S(L63 "." L63 "." L63 "." L61), RC_OK,
		    S("\x3f" L63 "\x3f" L63 "\x3f" L63 "\x3d" L61 "\0"),
		    L63 "." L63 "." L63 "." L61 },
		{ S(L63 "." L63 "." L63 "." L61 "y"), RC_BAD },
		{ S(L63 "." L63 "." L63 "." L50 "0123456.x.y"), RC_OK,
		    S("\x3f" L63 "\x3f" L63 "\x3f" L63 "\x39" L50
		      "0123456\1x\1y\0"),
		    L63 "." L63 "." L63 "." L50 "0123456.x.y" },
		{ S(L63 "." L63 "." L63 "." L50 "0123456.x.y.z"), RC_BAD },
		{ S(L63 "x.a"), RC_BAD },
		{ S(""), RC_BAD },
		{ S("."), RC_BAD },
		{ S(".a"), RC_BAD },
		{ S("a..b"), RC_BAD },
		{ S("a.."), RC_BAD },
		{ S("a\\"), RC_BAD },
		{ S("a\\25"), RC_BAD },
		{ S("a\\256"), RC_BAD },
		{ S("a\\1x3"), RC_BAD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dns_name name;
		char plain[DNS_PLAIN_MAX];

		if (dns_name_read(rows[i].text, &name) != rows[i].rc)
			fail_msg("row %zu", i);
		if (rows[i].rc != RC_OK)
			continue;
		assert_int_equal(name.n, rows[i].wire.n);
		assert_memory_equal(name.v, rows[i].wire.p, name.n);
		dns_name_plain(&name, plain);
		assert_string_equal(plain, rows[i].plain);
	}
}

static void
names_on_the_wire_are_not_believed(void **state)
{
	static const struct {
		struct str wire;
		enum rc rc;
		struct str text;
		size_t left;
	} rows[] = {
		{ S("\7eXample\3org\0!"), RC_OK, S("example.org"), 1 },
		{ S("\0"), RC_OK, S(""), 0 },
		{ S("\4a.\\b\2 c\0"), RC_OK, S("a\\.\\\\b.\\032c"), 0 },
		{ S("\3\x80\0\n\0"), RC_OK, S("\\128\\000\\010"), 0 },
		{ S(""), RC_BAD }, { S("\1"), RC_BAD }, { S("\3org"), RC_BAD },
		{ S("\300\14"), RC_BAD },        /* a pointer */
		{ S("\1a\300\0"), RC_BAD },      /* ... in the middle */
		{ S("\x40" L63 "x\0"), RC_BAD }, /* a label of 64 */
		{ S("\x3f" L63 "\x3f" L63 "\x3f" L63 "\x3e" L61 "y\0"),
		    RC_BAD }, /* 256 bytes */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct str wire = rows[i].wire, text = STR_NULL;

		if (dns_name_cut(&a, &wire, &text) != rows[i].rc)
			fail_msg("row %zu", i);
		if (rows[i].rc != RC_OK)
			continue;
		assert_true(str_eq(text, rows[i].text));
		assert_int_equal(wire.n, rows[i].left);
	}
}

static void
rdata_must_be_what_its_type_says(void **state)
{
	static const struct {
		enum dns_type type;
		struct str rdata;
		enum rc rc;
		uint16_t preference, weight, port;
		struct str name, text;
	} rows[] = {
		{ DNS_A, S("\300\0\2\1"), RC_OK },
		{ DNS_A, S("\300\0\2"), RC_BAD },
		{ DNS_A, S("\300\0\2\1\0"), RC_BAD },
		{ DNS_A, S(""), RC_BAD },
		{ DNS_AAAA, S("0123456789abcdef"), RC_OK },
		{ DNS_AAAA, S("0123456789abcde"), RC_BAD },
		{ DNS_MX, S("\1\2\1M\0"), RC_OK, 258, 0, 0, S("m") },
		{ DNS_MX, S("\0\0\0"), RC_OK, 0, 0, 0, S("") },
		{ DNS_MX, S("\0\0"), RC_BAD },
		{ DNS_MX, S("\0"), RC_BAD },
		{ DNS_MX, S("\0\12\1m\0x"), RC_BAD },
		{ DNS_MX, S("\0\12\300\14"), RC_BAD },
		{ DNS_SRV, S("\0\1\0\2\2\113\1s\0"), RC_OK, 1, 2, 587, S("s") },
		{ DNS_SRV, S("\0\1\0\2\2\113"), RC_BAD },
		{ DNS_SRV, S("\0\1\0\2\2"), RC_BAD },
		{ DNS_PTR, S("\1p\0"), RC_OK, 0, 0, 0, S("p") },
		{ DNS_CNAME, S("\1c"), RC_BAD },
		{ DNS_NS, S(""), RC_BAD },
		{ DNS_TXT, S("\6v=spf1\5 -all"), RC_OK, 0, 0, 0, S(""),
		    S("v=spf1 -all") },
		{ DNS_TXT, S("\0"), RC_OK },
		{ DNS_TXT, S("\0\0\1x\0"), RC_OK, 0, 0, 0, S(""), S("x") },
		{ DNS_TXT, S(""), RC_BAD },
		{ DNS_TXT, S("\5abcd"), RC_BAD },
		{ DNS_TXT, S("\1a\1"), RC_BAD },
		{ DNS_TLSA, S("\3\1\1\0"), RC_OK },
		{ DNS_TLSA, S(""), RC_OK },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct dns_record r;

		if (dns_rdata_read(&a, rows[i].type, rows[i].rdata, &r) !=
			rows[i].rc ||
		    dns_rdata_check(rows[i].type, rows[i].rdata) != rows[i].rc)
			fail_msg("row %zu", i);
		if (rows[i].rc != RC_OK)
			continue;
		assert_int_equal(r.preference, rows[i].preference);
		assert_int_equal(r.weight, rows[i].weight);
		assert_int_equal(r.port, rows[i].port);
		assert_true(str_eq(r.name, rows[i].name));
		assert_true(str_eq(r.text, rows[i].text));
		assert_true(str_eq(r.data, rows[i].rdata));
		if (rows[i].type == DNS_A || rows[i].type == DNS_AAAA)
			assert_memory_equal(
			    r.addr, rows[i].rdata.p, rows[i].rdata.n);
	}
}

static void
addresses_are_reversed(void **state)
{
	static const struct {
		struct str ip;
		enum rc rc;
		struct str name;
	} rows[] = {
		{ S("192.0.2.1"), RC_OK, S("1.2.0.192.in-addr.arpa") },
		{ S("::ffff:192.0.2.1"), RC_OK, S("1.2.0.192.in-addr.arpa") },
		{ S("2001:db8::cb01"), RC_OK,
		    S("1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0."
		      "0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa") },
		{ S("::1"), RC_OK,
		    S("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
		      "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa") },
		{ S(""), RC_BAD },
		{ S("192.0.2"), RC_BAD },
		{ S("192.0.2.256"), RC_BAD },
		{ S("192.0.2.1\0"), RC_BAD },
		{ S("[::1]"), RC_BAD },
		{ S("fe80::1%eth0"), RC_BAD },
		{ S("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"),
		    RC_BAD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct str name = STR_NULL;

		if (dns_reverse_name(&a, rows[i].ip, &name) != rows[i].rc ||
		    !str_eq(name, rows[i].name))
			fail_msg("row %zu: %.*s", i, STRF(name));
	}
}

static void
domains_become_ascii(void **state)
{
	static const struct {
		struct str typed;
		enum rc rc;
		struct str ascii;
	} rows[] = {
		{ S("Example.ORG"), RC_OK, S("example.org") },
		{ S("example.org."), RC_OK, S("example.org") },
		{ S("_sip._tcp.Example"), RC_OK, S("_sip._tcp.example") },
		{ S("B\xc3\xbc"
		    "cher.example"),
		    RC_OK, S("xn--bcher-kva.example") },
		{ S("B\xc3\x9c"
		    "CHER.example"),
		    RC_OK, S("xn--bcher-kva.example") },
		/* IDNA 2008: the sharp s is a letter of its own */
		{ S("stra\xc3\x9f"
		    "e.example"),
		    RC_OK, S("xn--strae-oqa.example") },
		/* decomposed, and an ideographic full stop */
		{ S("bu\xcc\x88"
		    "cher\xe3\x80\x82"
		    "example"),
		    RC_OK, S("xn--bcher-kva.example") },
		{ S("xn--bcher-kva.example"), RC_OK,
		    S("xn--bcher-kva.example") },
		{ S(""), RC_BAD },
		{ S("."), RC_BAD },
		{ S("a..b"), RC_BAD },
		{ S(".a"), RC_BAD },
		{ S("a b"), RC_BAD },
		{ S("a\0b"), RC_BAD },
		{ S("\xc3\xbc\0.example"), RC_BAD },
		{ S("b\xfc"
		    "cher.example"),
		    RC_BAD }, /* Latin-1 */
		{ S("[192.0.2.1]"), RC_BAD },
		{ S(L63 "x.example"), RC_BAD },
		{ S("\xe2\x98\x83\xe2\x81\xa6.example"), RC_BAD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct str got = STR_NULL;

		if (dns_to_ascii(&a, rows[i].typed, &got) != rows[i].rc ||
		    !str_eq(got, rows[i].ascii))
			fail_msg("row %zu: %.*s", i, STRF(got));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_read_as_people_write_them),
		cmocka_unit_test(names_on_the_wire_are_not_believed),
		cmocka_unit_test(rdata_must_be_what_its_type_says),
		cmocka_unit_test(addresses_are_reversed),
		cmocka_unit_test(domains_become_ascii),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
