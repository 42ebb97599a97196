#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "track/trk_wire.h"

static const struct trk_event full = {
	.kind = TRK_SEND,
	.at_ms = INT64_C(1795812699123),
	.sid = STR_INIT("s1"),
	.qid = STR_INIT("q1"),
	.message_id = STR_INIT("<m@x>"),
	.client_ip = STR_INIT("192.0.2.1"),
	.from = STR_INIT("a@x"),
	.rcpt = STR_INIT("b@y"),
	.host = STR_INIT("mx.y [192.0.2.2]"),
	.code = STR_INIT("250 2.0.0"),
	.text = STR_INIT("ok\0\xff"),
	.size = 1ull << 40,
	.nrcpt = 3,
};

static void
a_record_comes_back_as_it_was(void **state)
{
	char p[TRK_RECORD_MAX];
	struct str in = str_n(p, trk_record_put(p, &full));
	struct trk_event e;

	(void)state;
	assert_int_equal(trk_record_get(&in, &e), RC_OK);
	assert_int_equal(in.n, 0);
	assert_int_equal(e.kind, full.kind);
	assert_int_equal(e.at_ms, full.at_ms);
	assert_int_equal(e.size, full.size);
	assert_int_equal(e.nrcpt, full.nrcpt);
	for (size_t i = 0; i < TRK_NTEXTS; i++) {
		const struct str *a =
		    (const void *)((const char *)&e + trk_texts[i]);
		const struct str *b =
		    (const void *)((const char *)&full + trk_texts[i]);

		assert_true(str_eq(*a, *b));
	}
	assert_int_equal(trk_record_get(&in, &e), RC_NOENT);
}

static void
texts_are_cut(void **state)
{
	char p[TRK_RECORD_MAX], big[4 * TRK_TEXT_MAX];
	struct trk_event e = full;
	struct str in;

	(void)state;
	memset(big, 'x', sizeof(big));
	for (size_t i = 0; i < TRK_NTEXTS; i++)
		*(struct str *)(void *)((char *)&e + trk_texts[i]) =
		    str_n(big, sizeof(big));
	in = str_n(p, trk_record_put(p, &e));
	assert_int_equal(in.n, TRK_RECORD_MAX);
	assert_int_equal(trk_record_get(&in, &e), RC_OK);
	assert_int_equal(e.text.n, TRK_TEXT_MAX);
}

/* No prefix of a record is one, and a byte changed never reads beyond it. */
static void
what_is_cut_short_is_bad(void **state)
{
	char p[TRK_RECORD_MAX];
	size_t n = trk_record_put(p, &full), count;
	struct trk_event e;

	(void)state;
	for (size_t i = 1; i < n; i++) {
		char *copy = xmalloc(i);
		struct str in = str_n(copy, i);

		memcpy(copy, p, i);
		assert_int_equal(trk_record_get(&in, &e), RC_BAD);
		assert_int_equal(trk_records_check(in, &count), RC_BAD);
		xfree(copy);
	}
}

static void
a_text_that_we_do_not_know_is_skipped(void **state)
{
	const struct trk_event small = {
		.kind = TRK_HOLD, .at_ms = 1, .text = STR_INIT("why")
	};
	char p[TRK_RECORD_MAX];
	struct str in = str_n(p, trk_record_put(p, &small));
	struct trk_event e;

	(void)state;
	p[4 + TRK_RECORD_HEAD] = (char)(TRK_NTEXTS + 1);
	assert_int_equal(trk_record_get(&in, &e), RC_OK);
	assert_int_equal(e.text.n, 0);
}

static void
a_batch_has_limits(void **state)
{
	static const char id[TRK_CLIENT_ID + 1] = "0123456789abcdef";
	static const struct {
		struct str client;
		size_t events;
		uint64_t seq;
		enum rc rc;
	} rows[] = {
		{ { id, TRK_CLIENT_ID }, 0, 1, RC_OK },
		{ { id, TRK_CLIENT_ID }, TRK_BATCH_EVENTS, 7, RC_OK },
		{ { id, TRK_CLIENT_ID }, TRK_BATCH_EVENTS + 1, 7, RC_BAD },
		{ { id, TRK_CLIENT_ID - 1 }, 1, 1, RC_BAD },
		{ { id, TRK_CLIENT_ID }, 1, UINT64_MAX, RC_BAD },
	};
	const struct trk_event small = { .kind = TRK_HOLD, .at_ms = 1 };
	char p[TRK_RECORD_MAX];
	size_t n = trk_record_put(p, &small);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct trk_batch got, b = { .client = rows[i].client,
			.seq = rows[i].seq,
			.dropped = 5 };
		AUTO_MSG m = { 0 };
		AUTO_BUF all = { 0 };
		struct ipc_in in;

		buf_init(&all, 1u << 20);
		for (size_t k = 0; k < rows[i].events; k++)
			assert_int_equal(buf_add(&all, str_n(p, n)), RC_OK);
		b.events = buf_str(&all);
		ipc_msg_init(&m, TRK_OP_TELL);
		trk_put_batch(&m, &b);
		ipc_in_init(&in, &m);
		assert_int_equal(trk_get_batch(&in, &got), rows[i].rc);
		if (rows[i].rc != RC_OK)
			continue;
		assert_int_equal(got.n, rows[i].events);
		assert_int_equal(got.dropped, 5);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_comes_back_as_it_was),
		cmocka_unit_test(texts_are_cut),
		cmocka_unit_test(what_is_cut_short_is_bad),
		cmocka_unit_test(a_text_that_we_do_not_know_is_skipped),
		cmocka_unit_test(a_batch_has_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
