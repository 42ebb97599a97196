/* Hops, addresses, and what remote and its client say to each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "delivery/rem_hop.h"
#include "delivery/rem_wire.h"

static void
hops(void **state)
{
	static const struct {
		const char *text;
		enum rc rc;
		enum rem_hop_kind kind;
		const char *host;
		unsigned port;
		bool literal;
	} rows[] = {
		{ "mx:Example.ORG", RC_OK, REM_HOP_MX, "example.org", 25,
		    false },
		{ "mx:[192.0.2.1]", RC_OK, REM_HOP_MX, "192.0.2.1", 25, true },
		{ "mx:[IPv6:2001:DB8::1]", RC_OK, REM_HOP_MX, "2001:db8::1", 25,
		    true },
		{ "smtp:relay.example.org:587", RC_OK, REM_HOP_SMTP,
		    "relay.example.org", 587, false },
		{ "smtp:[2001:db8::1]:25", RC_OK, REM_HOP_SMTP, "2001:db8::1",
		    25, true },
		{ "smtp:127.0.0.1:2525", RC_OK, REM_HOP_SMTP, "127.0.0.1", 2525,
		    true },
		{ "lmtp:store:24", RC_OK, REM_HOP_LMTP, "store", 24, false },
		{ "lmtp:/run/Dovecot/lmtp", RC_OK, REM_HOP_PATH,
		    "/run/Dovecot/lmtp", 0, false },
		{ "", RC_BAD },
		{ "mx:", RC_BAD },
		{ "mx:a b", RC_BAD },
		{ "mx:a\n", RC_BAD },
		{ "mx:[10.0.0]", RC_BAD },
		{ "mx:[]", RC_BAD },
		{ "smtp:host", RC_BAD },
		{ "smtp:host:", RC_BAD },
		{ "smtp:host:0", RC_BAD },
		{ "smtp:host:65536", RC_BAD },
		{ "smtp::25", RC_BAD },
		{ "smtp:2001:db8::1:25", RC_BAD },
		{ "smtp:[x]:25", RC_BAD },
		{ "smtp:/run/x", RC_BAD },
		{ "lmtp:/", RC_BAD },
		{ "lmtp:/a b", RC_BAD },
		{ "http:host:80", RC_BAD },
		{ "SMTP:host:25", RC_BAD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct rem_hop h = { 0 };

		assert_int_equal(
		    rem_hop_parse(&a, str_c(rows[i].text), &h), rows[i].rc);
		if (rows[i].rc != RC_OK)
			continue;
		assert_int_equal(h.kind, rows[i].kind);
		assert_true(str_eq(h.host, str_c(rows[i].host)));
		assert_int_equal(h.port, rows[i].port);
		assert_int_equal(h.literal, rows[i].literal);
	}
}

static void
private_addresses(void **state)
{
	static const struct {
		const char *text;
		bool private;
	} rows[] = {
		{ "8.8.8.8", false },
		{ "1.0.0.1", false },
		{ "0.0.0.0", true },
		{ "0.1.2.3", true },
		{ "10.0.0.1", true },
		{ "11.0.0.1", false },
		{ "9.255.255.255", false },
		{ "100.63.255.255", false },
		{ "100.64.0.0", true },
		{ "100.127.255.255", true },
		{ "100.128.0.0", false },
		{ "127.0.0.1", true },
		{ "127.255.255.255", true },
		{ "169.253.0.1", false },
		{ "169.254.169.254", true },
		{ "172.15.0.1", false },
		{ "172.16.0.1", true },
		{ "172.31.255.255", true },
		{ "172.32.0.0", false },
		{ "192.0.0.8", true },
		{ "192.0.1.8", false },
		{ "192.167.1.1", false },
		{ "192.168.0.1", true },
		{ "198.17.1.1", false },
		{ "198.19.1.1", true },
		{ "223.255.255.255", false },
		{ "224.0.0.1", true },
		{ "240.0.0.1", true },
		{ "255.255.255.255", true },
		{ "2a00:1450::1", false },
		{ "::", true },
		{ "::1", true },
		{ "::192.0.2.1", true },
		{ "::ffff:8.8.8.8", true },
		{ "64:ff9b::8.8.8.8", false },
		{ "64:ff9b::10.0.0.1", true },
		{ "64:ff9b:1::1", true },
		{ "2002:0808:0808::1", false },
		{ "2002:0a00:0001::1", true },
		{ "2001::1", true },
		{ "2001:1::1", false },
		{ "100::1", true },
		{ "fc00::1", true },
		{ "fdff::1", true },
		{ "fe00::1", false },
		{ "fe80::1", true },
		{ "febf::1", true },
		{ "fec0::1", true },
		{ "ff02::1", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rem_ip ip;

		assert_int_equal(rem_ip_parse(str_c(rows[i].text), &ip), RC_OK);
		if (rem_ip_is_private(&ip) != rows[i].private)
			fail_msg("%s", rows[i].text);
	}
}

static void
no_addresses(void **state)
{
	static const char *const rows[] = { "", "1.2.3", "1.2.3.4.5", "::g",
		"[::1]", "1.2.3.4 ", "fe80::1%eth0", "example.org",
		"01.2.3.4x" };
	struct rem_ip ip;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(rem_ip_parse(str_c(rows[i]), &ip), RC_BAD);
}

static const struct rem_rcpt one = { .address = STR_INIT("b@y.test"),
	.notify = REM_NOTIFY_FAILURE,
	.orcpt = STR_INIT("rfc822;b") };

static enum rc
pass(const struct rem_message *in, struct arena *a, struct rem_message *out)
{
	struct ipc_msg m;
	struct ipc_in cursor;

	ipc_msg_init(&m, REM_OP_SEND);
	rem_put_message(&m, in);
	ipc_in_init(&cursor, &m);
	enum rc rc = rem_get_message(&cursor, a, out);

	if (rc == RC_OK) {
		out->id = str_dup(a, out->id);
		out->hop = str_dup(a, out->hop);
		out->inline_data = str_dup(a, out->inline_data);
	}
	ipc_msg_free(&m);
	return rc;
}

static void
a_message_is_checked(void **state)
{
	const struct rem_message good = { .id = STR("id"),
		.qid = STR("q"),
		.hop = STR("mx:y.test"),
		.from = STR("a@x.test"),
		.to = &one,
		.nto = 1,
		.inline_data = STR("body"),
		.fd = -1,
		.size = 4 };
	static const struct rem_rcpt bad_rcpt = { .address = STR_INIT("b") };
	static const struct rem_rcpt bad_notify = {
		.address = STR_INIT("b@y.test"), .notify = 16
	};
	struct rem_message rows[9], out;
	AUTO_ARENA a = { 0 };

	(void)state;
	assert_int_equal(pass(&good, &a, &out), RC_OK);
	assert_true(str_eq(out.hop, good.hop) && out.nto == 1);
	assert_true(str_eq(out.inline_data, good.inline_data));
	for (size_t i = 0; i < COUNT(rows); i++)
		rows[i] = good;
	rows[0].id = STR("");
	rows[1].id = str_n(
	    "0123456789012345678901234567890123456789012345678901234567890123"
	    "4",
	    65);
	rows[2].from = STR("a b@x");
	rows[3].nto = 0;
	rows[4].to = &bad_rcpt;
	rows[5].to = &bad_notify;
	rows[6].size = 5;
	rows[7].ret = (enum rem_ret)3;
	rows[8].from = STR("a@x.test>\r\nDATA");
	for (size_t i = 0; i < COUNT(rows); i++)
		if (pass(&rows[i], &a, &out) != RC_BAD)
			fail_msg("row %zu", i);
}

static void
an_outcome_comes_back(void **state)
{
	struct rem_result r[2] = {
		{ .rc = RC_OK,
		    .code = 250,
		    .status = STR("2.0.0"),
		    .reply = STR("250 ok"),
		    .from_server = true,
		    .dsn_passed_on = true },
		{ .rc = RC_TEMP, .status = STR("4.4.1"), .reply = STR("no") },
	};
	const struct rem_outcome in = { .host = STR("h"),
		.ip = STR("192.0.2.1"),
		.tls = STR("TLS1.3 X"),
		.ms = 7,
		.hop_down = true,
		.to = r,
		.nto = 2 };
	struct rem_outcome out = { 0 };
	struct ipc_in cursor;
	AUTO_ARENA a = { 0 };
	AUTO_MSG m;

	(void)state;
	ipc_msg_init(&m, REM_OP_SEND);
	rem_put_outcome(&m, &in);
	ipc_in_init(&cursor, &m);
	assert_int_equal(rem_get_outcome(&cursor, &a, &out), RC_OK);
	assert_true(out.nto == 2 && out.hop_down && out.ms == 7);
	assert_true(out.to[0].dsn_passed_on && out.to[0].from_server);
	assert_true(str_eq(out.to[1].status, r[1].status));
	/* without a status it is none */
	r[1].status = STR("");
	ipc_msg_free(&m);
	ipc_msg_init(&m, REM_OP_SEND);
	rem_put_outcome(&m, &in);
	ipc_in_init(&cursor, &m);
	assert_int_equal(rem_get_outcome(&cursor, &a, &out), RC_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hops),
		cmocka_unit_test(private_addresses),
		cmocka_unit_test(no_addresses),
		cmocka_unit_test(a_message_is_checked),
		cmocka_unit_test(an_outcome_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
