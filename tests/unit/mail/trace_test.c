#include "tests/unit/mail/test.h"
#include "mail/header.h"
#include "mail/trace.h"

static void
received_tells_the_way(void **state)
{
	struct mail_received r = {
		.helo = S("client.example"),
		.client_ip = S("2001:db8::1"),
		.client_dns = S("host.example"),
		.by = S("mx.example.org"),
		.id = S("4ABC"),
		.rcpt = S("anna@example.org"),
		.tls = S("TLS1.3 TLS_AES_256_GCM_SHA384"),
		.esmtp = true,
		.authenticated = true,
		.when = { 1795321372, 0 },
	};
	AUTO_BUF b = { 0 };

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(mail_trace_received(&b, &r), RC_OK);
	CHECK_STR(buf_str(&b), STR("Received: from client.example"
				   " (host.example [IPv6:2001:db8::1])\r\n"
				   "\tby mx.example.org with ESMTPSA"
				   " (TLS1.3 TLS_AES_256_GCM_SHA384)\r\n"
				   "\tid 4ABC\r\n"
				   "\tfor <anna@example.org>;\r\n"
				   "\tSun, 22 Nov 2026 04:22:52 +0000\r\n"));
	buf_clear(&b);
	r = (struct mail_received){
		.client_ip = S("192.0.2.1"), .by = S("mx"), .id = S("1")
	};
	assert_int_equal(mail_trace_received(&b, &r), RC_OK);
	CHECK_STR(
	    buf_str(&b), STR("Received: from unknown (unknown [192.0.2.1])\r\n"
			     "\tby mx with SMTP id 1;\r\n"
			     "\tThu, 1 Jan 1970 00:00:00 +0000\r\n"));
}

static void
protocol_names(void **state)
{
	static const struct {
		bool esmtp, lmtp, tls, auth;
		struct str want;
	} rows[] = {
		{ false, false, false, false, S(" with SMTP id") },
		{ true, false, false, false, S(" with ESMTP id") },
		{ true, false, true, false, S(" with ESMTPS (") },
		{ true, false, false, true, S(" with ESMTPA id") },
		{ true, false, true, true, S(" with ESMTPSA (") },
		{ false, true, false, false, S(" with LMTP id") },
		{ false, true, true, true, S(" with LMTPSA (") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mail_received r = { .esmtp = rows[i].esmtp,
			.lmtp = rows[i].lmtp,
			.authenticated = rows[i].auth,
			.tls = str_c(rows[i].tls ? "TLS1.2" : "") };
		AUTO_BUF b = { 0 };

		buf_init(&b, 4096);
		assert_int_equal(mail_trace_received(&b, &r), RC_OK);
		if (str_find(buf_str(&b), rows[i].want) == b.n)
			fail_msg("%.*s", STRF(buf_str(&b)));
	}
}

static void
a_hostile_client_writes_no_header(void **state)
{
	char evil[256];
	struct mail_received r = { .esmtp = true };
	struct mail_field f;
	struct mail_header_iter it;
	AUTO_BUF b = { 0 };

	(void)state;
	for (int i = 0; i < 256; i++)
		evil[i] = (char)i;
	r.helo = r.client_ip = r.client_dns = r.by = r.id = r.rcpt = r.tls =
	    str_n(evil, sizeof(evil));
	buf_init(&b, 8192);
	assert_int_equal(mail_trace_received(&b, &r), RC_OK);
	it.rest = buf_str(&b);
	assert_true(mail_header_next(&it, &f));
	CHECK_STR(f.name, STR("Received"));
	assert_int_equal(it.rest.n, 0);
	for (size_t i = 0; i < b.n; i++) {
		assert_true(b.p[i] >= ' ' || b.p[i] == '\t' || b.p[i] == '\r' ||
			    b.p[i] == '\n');
		assert_true(b.p[i] >= 0 && b.p[i] != 0x7f);
	}
}

static void
small_fields(void **state)
{
	struct addr none = { S(""), S("") }, x = { S("a b"), S("c") };
	AUTO_BUF b = { 0 };
	AUTO_BUF tiny = { 0 };

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(mail_trace_return_path(&b, &none), RC_OK);
	assert_int_equal(mail_trace_return_path(&b, &x), RC_OK);
	assert_int_equal(mail_trace_delivered_to(&b, &x), RC_OK);
	assert_int_equal(
	    mail_trace_date(&b, (struct mail_date){ 0, 0 }), RC_OK);
	assert_int_equal(
	    mail_trace_message_id(&b, STR("1.2\r\n"), STR("h.example")), RC_OK);
	CHECK_STR(
	    buf_str(&b), STR("Return-Path: <>\r\nReturn-Path: <\"a b\"@c>\r\n"
			     "Delivered-To: \"a b\"@c\r\n"
			     "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n"
			     "Message-ID: <1.2??@h.example>\r\n"));
	buf_init(&tiny, 20);
	assert_int_equal(mail_trace_return_path(&tiny, &x), RC_BAD);
	assert_int_equal(tiny.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(received_tells_the_way),
		cmocka_unit_test(protocol_names),
		cmocka_unit_test(a_hostile_client_writes_no_header),
		cmocka_unit_test(small_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
