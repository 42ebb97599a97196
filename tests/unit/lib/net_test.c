#include "tests/unit/lib/test.h"

#include "lib/net.h"

static void
a_network_is_an_address_and_a_prefix(void **state)
{
	static const struct {
		const char *text;
		enum rc rc;
		unsigned bits;
	} rows[] = {
		{ "192.0.2.0/24", RC_OK, 120 },
		{ "192.0.2.7", RC_OK, 128 },
		{ "0.0.0.0/0", RC_OK, 96 },
		{ "2001:db8::/32", RC_OK, 32 },
		{ "::1", RC_OK, 128 },
		{ "::/0", RC_OK, 0 },
		{ "::ffff:192.0.2.0/120", RC_OK, 120 },
		{ "", RC_BAD, 0 },
		{ "/8", RC_BAD, 0 },
		{ "192.0.2.1/24", RC_BAD, 0 },
		{ "192.0.2.0/", RC_BAD, 0 },
		{ "192.0.2.0/33", RC_BAD, 0 },
		{ "192.0.2.0/+8", RC_BAD, 0 },
		{ "192.0.2.0/0024", RC_BAD, 0 },
		{ "192.0.2", RC_BAD, 0 },
		{ "192.0.2.0.0", RC_BAD, 0 },
		{ "192.000.2.0/24", RC_BAD, 0 },
		{ " 192.0.2.0/24", RC_BAD, 0 },
		{ "2001:db8::1/32", RC_BAD, 0 },
		{ "2001:db8::/129", RC_BAD, 0 },
		{ "fe80::1%lo", RC_BAD, 0 },
		{ "mail.example.test", RC_BAD, 0 },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa", RC_BAD,
		    0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct net n = { .bits = 0 };

		assert_int_equal(
		    net_parse(str_c(rows[i].text), &n), rows[i].rc);
		assert_int_equal(n.bits, rows[i].bits);
	}
	{
		struct net n;

		assert_int_equal(
		    net_parse(str_n("127.0.0.1\0", 10), &n), RC_BAD);
	}
}

static void
a_network_holds_what_begins_like_it(void **state)
{
	static const struct {
		const char *net, *ip;
		bool has;
	} rows[] = {
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.0/25", "192.0.2.127", true },
		{ "192.0.2.0/25", "192.0.2.128", false },
		{ "192.0.2.7", "192.0.2.7", true },
		{ "192.0.2.7", "192.0.2.6", false },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "192.0.2.1", false },
		{ "192.0.2.0/24", "::ffff:192.0.2.9", true },
		{ "2001:db8::/33", "2001:db8:7fff::", true },
		{ "2001:db8::/33", "2001:db8:8000::", false },
		{ "2001:db8::/32", "not an address", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(
		    net_match(str_c(rows[i].ip), &rows[i].net, 1), rows[i].has);
}

static void
a_list_is_any_of_them(void **state)
{
	static const char *const texts[] = { "127.0.0.0/8", "::1" };
	static const char *const bad[] = { "127.0.0.0/8", "10.0.0.1/8" };
	AUTO_ARENA a = { 0 };
	struct net_list l;
	struct net_addr ip;

	(void)state;
	assert_int_equal(net_list_parse(&a, bad, 2, &l), RC_BAD);
	assert_int_equal(net_list_parse(&a, texts, 2, &l), RC_OK);
	assert_int_equal(net_addr_parse(STR("::1"), &ip), RC_OK);
	assert_true(net_list_has(&l, &ip) && net_is_loopback(&ip));
	assert_int_equal(net_addr_parse(STR("127.9.9.9"), &ip), RC_OK);
	assert_true(net_list_has(&l, &ip) && net_is_loopback(&ip));
	assert_int_equal(net_addr_parse(STR("128.0.0.1"), &ip), RC_OK);
	assert_false(net_list_has(&l, &ip) || net_is_loopback(&ip));
	assert_int_equal(net_list_parse(&a, NULL, 0, &l), RC_OK);
	assert_false(net_list_has(&l, &ip));
}

static void
a_source_is_an_address_or_a_slash_64(void **state)
{
	static const struct {
		const char *ip, *source;
	} rows[] = {
		{ "192.0.2.7", "192.0.2.7" },
		{ "::ffff:192.0.2.7", "192.0.2.7" },
		{ "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::" },
		{ "2001:DB8::1", "2001:db8::" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char buf[NET_TEXT_MAX];
		struct net_addr a;

		assert_int_equal(net_addr_parse(str_c(rows[i].ip), &a), RC_OK);
		a = net_source(&a);
		assert_true(str_eq(net_text(&a, buf), str_c(rows[i].source)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_network_is_an_address_and_a_prefix),
		cmocka_unit_test(a_network_holds_what_begins_like_it),
		cmocka_unit_test(a_list_is_any_of_them),
		cmocka_unit_test(a_source_is_an_address_or_a_slash_64),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
