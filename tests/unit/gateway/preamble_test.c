#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/preamble.h"

#define S STR_INIT

static const struct preamble sample = { .service = S("imap"),
	.ticket = S("feed"),
	.client = S("2001:db8::1"),
	.port = 65535,
	.tag = S("a.1"),
	.tls = true,
	.sid = S("s0") };

static void
what_is_put_is_read(void **state)
{
	AUTO_BUF b = { 0 };
	struct preamble p;
	size_t n;

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(preamble_put(&b, &sample), RC_OK);
	n = b.n;
	assert_int_equal(buf_add(&b, STR("a2 NOOP\r\n")), RC_OK);
	for (size_t i = 0; i <= b.n; i++)
		assert_int_equal(
		    preamble_frame(str_sub(buf_str(&b), 0, i)), i < n ? 0 : n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
		    preamble_parse(str_sub(buf_str(&b), 0, i), &p), RC_BAD);
	assert_int_equal(preamble_parse(buf_str(&b), &p), RC_BAD);
	assert_int_equal(preamble_parse(str_sub(buf_str(&b), 0, n), &p), RC_OK);
	assert_true(str_eq(p.service, sample.service));
	assert_true(str_eq(p.ticket, sample.ticket));
	assert_true(str_eq(p.client, sample.client));
	assert_true(str_eq(p.tag, sample.tag));
	assert_true(str_eq(p.sid, sample.sid));
	assert_true(p.tls && p.port == 65535);
}

static void
a_value_stays_on_its_line(void **state)
{
	static const struct str bad[] = { S("a\r\nticket=x"), S("a\n"),
		S("a\rb"), S("a\0b") };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		AUTO_BUF b = { 0 };
		struct preamble p = sample;

		buf_init(&b, 4096);
		p.tag = bad[i];
		assert_int_equal(preamble_put(&b, &p), RC_BAD);
		assert_int_equal(b.n, 0);
	}
}

static void
longest_is_refused(void **state)
{
	AUTO_ARENA a = { 0 };
	struct preamble p = sample, got;
	size_t n = 0;

	(void)state;
	for (size_t i = 1800; i < 2100; i++) {
		AUTO_BUF b = { 0 };

		buf_init(&b, 8192);
		p.tag = str_n(arena_calloc(&a, 1, i + 1), i);
		for (size_t k = 0; k < i; k++)
			((char *)(uintptr_t)p.tag.p)[k] = 't';
		if (preamble_put(&b, &p) != RC_OK)
			break;
		assert_true(b.n <= PREAMBLE_MAX);
		assert_int_equal(preamble_frame(buf_str(&b)), b.n);
		assert_int_equal(preamble_parse(buf_str(&b), &got), RC_OK);
		assert_int_equal(got.tag.n, i);
		n = i;
	}
	assert_true(n > 1800 && n < 2048);
}

static void
anything_else_is_refused(void **state)
{
	static const struct str bad[] = {
		S("GP2 10\r\n"),
		S("GP1 0\r\n"),
		S("GP1 -5\r\n"),
		S("GP1 99999\r\n"),
		S("GP1 5\nabcde"),
		S("EHLO me\r\n"),
		S("GP1 83\r\nservice=imap\r\nticket=\r\nclient=\r\nport=70000"
		  "\r\ntag=a\r\ntls=1\r\nsid=\r\n\r\n"),
		S("GP1 79\r\nservice=imap\r\nticket=\r\nclient=\r\nport=1"
		  "\r\ntag=a\r\ntls=2\r\nsid=\r\n\r\n"),
		S("GP1 71\r\nticket=\r\nservice=\r\nclient=\r\nport=1"
		  "\r\ntag=a\r\ntls=1\r\nsid=\r\n\r\n"),
	};
	struct preamble p = { .port = 7 };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		/* netd must not wait for more of it for ever */
		if (i < 6)
			assert_int_equal(preamble_frame(bad[i]), bad[i].n);
		assert_int_equal(preamble_parse(bad[i], &p), RC_BAD);
		assert_int_equal(p.port, 7);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_read),
		cmocka_unit_test(a_value_stays_on_its_line),
		cmocka_unit_test(longest_is_refused),
		cmocka_unit_test(anything_else_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
