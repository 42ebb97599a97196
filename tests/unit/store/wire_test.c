/* What one side puts the other side gets, and nothing else is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/ipc_impl.h"
#include "store/wire.h"

/* As if it had been received. */
static struct ipc_in
received(struct ipc_msg *m)
{
	struct ipc_in in;

	assert_int_equal(ipc_seal(m), RC_OK);
	assert_int_equal(ipc_open(m), RC_OK);
	ipc_in_init(&in, m);
	return in;
}

static struct str keywords[] = { STR_INIT("$Forwarded"), STR_INIT("x") };
static const struct store_delivery to[] = {
	{ .account = STR_INIT("a1"),
	    .mailbox = STR_INIT("INBOX"),
	    .prefix = STR_INIT("Return-Path: <>\r\n"),
	    .flags = STORE_SEEN,
	    .keywords = keywords,
	    .nkeywords = 2 },
	{ .account = STR_INIT("a2"), .mailbox = STR_INIT("Junk") },
};
static const struct store_queued entries[] = {
	{ .id = 7,
	    .rcpt = STR_INIT("x@example.org"),
	    .kind = 2,
	    .state = 1,
	    .attempts = 3,
	    .next_at = -1,
	    .expires_at = 5,
	    .reason = STR_INIT("why"),
	    .data = STR_INIT("\0\1") },
};

static void
submit_round_trip(void **state)
{
	struct store_submit in = { .op_id = STR("op"),
		.from = STR("f@x"),
		.submitter = STR("s"),
		.received_at = 12,
		.body = { .edits = STR("E: 1\r\n"),
		    .meta = STR("m"),
		    .inline_data = STR("body\0"),
		    .size = 5,
		    .fd = -1 },
		.to = to,
		.nto = COUNT(to),
		.queue = entries,
		.nqueue = COUNT(entries) };
	AUTO_ARENA a = { 0 };
	struct store_submit out;
	struct ipc_in cursor;
	AUTO_MSG m = { 0 };

	(void)state;
	ipc_msg_init(&m, STORE_OP_SUBMIT);
	wire_put_submit(&m, &in);
	cursor = received(&m);
	assert_int_equal(wire_get_submit(&cursor, &a, &out), RC_OK);
	assert_true(str_eq(out.op_id, in.op_id));
	assert_true(str_eq(out.body.inline_data, in.body.inline_data));
	assert_int_equal(out.body.fd, -1);
	assert_int_equal(out.nto, 2);
	assert_int_equal(out.to[0].nkeywords, 2);
	assert_true(str_eq(out.to[0].keywords[1], STR("x")));
	assert_int_equal(out.to[1].nkeywords, 0);
	assert_int_equal(out.nqueue, 1);
	assert_int_equal(out.queue[0].next_at, -1);
	assert_true(str_eq(out.queue[0].data, STR("\0\1")));
}

static void
submit_with_descriptor(void **state)
{
	AUTO_FD fd = fd_sealed("t", STR("hello"));
	struct store_submit in = { .op_id = STR("op"),
		.body = { .fd = fd, .size = 5 } };
	AUTO_ARENA a = { 0 };
	struct store_submit out;
	struct ipc_in cursor;
	AUTO_MSG m = { 0 };
	char got[5];

	(void)state;
	ipc_msg_init(&m, STORE_OP_SUBMIT);
	wire_put_submit(&m, &in);
	cursor = received(&m);
	assert_int_equal(wire_get_submit(&cursor, &a, &out), RC_OK);
	assert_true(out.body.fd >= 0 && out.body.fd != fd);
	assert_int_equal(fd_pread_all(out.body.fd, got, 5, 0), RC_OK);
	assert_memory_equal(got, "hello", 5);
	fd_close(&out.body.fd);
}

/* Each is malformed in one way; no descriptor may leak or be left. */
static void
bad_submits(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 5; how++) {
		struct store_submit in = { .op_id = STR("op"),
			.body = {
			    .fd = -1, .inline_data = STR("abc"), .size = 3 } };
		char longid[STORE_OPID_MAX + 1] = { 0 };
		AUTO_ARENA a = { 0 };
		struct store_submit out;
		struct ipc_in cursor;
		AUTO_MSG m = { 0 };

		if (how == 0)
			in.op_id = STR("");
		else if (how == 1)
			in.op_id = str_n(longid, sizeof(longid));
		else if (how == 2)
			in.body.size = 4;
		ipc_msg_init(&m, STORE_OP_SUBMIT);
		if (how != 3)
			wire_put_submit(&m, &in);
		if (how == 4)
			ipc_put_u64(&m, "unheard", 1);
		cursor = received(&m);
		assert_int_equal(wire_get_submit(&cursor, &a, &out), RC_BAD);
	}
}

static void
uids(void **state)
{
	static const struct {
		struct uid_range v[3];
		size_t n;
		enum rc rc;
	} rows[] = {
		{ { { 0 } }, 0, RC_OK },
		{ { { 1, 1 }, { 5, UINT32_MAX } }, 2, RC_OK },
		{ { { 0, 3 } }, 1, RC_BAD },
		{ { { 4, 3 } }, 1, RC_BAD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct uid_range v[3];
		struct wire_account in = { .account = STR("a"),
			.uids = { v, rows[i].n },
			.mailbox = 3 };
		AUTO_ARENA a = { 0 };
		struct wire_account out;
		struct ipc_in cursor;
		AUTO_MSG m = { 0 };

		memcpy(v, rows[i].v, sizeof(v));
		ipc_msg_init(&m, STORE_OP_EXPUNGE);
		wire_put_account(&m, &in);
		cursor = received(&m);
		assert_int_equal(
		    wire_get_account(&cursor, &a, &out), rows[i].rc);
		if (rows[i].rc != RC_OK)
			continue;
		assert_int_equal(out.uids.n, rows[i].n);
		if (rows[i].n)
			assert_memory_equal(
			    out.uids.v, v, rows[i].n * sizeof(v[0]));
	}
}

static void
items_and_updates(void **state)
{
	static const uint64_t gone[] = { 1, UINT64_MAX };
	static const struct store_expect expect[] = {
		{ 1, 2, 3 },
		{ UINT64_MAX, UINT32_MAX, UINT32_MAX },
	};
	struct store_queued e = entries[0];
	struct store_queue_item item = {
		.message_id = STR("m1"), .size = 9, .entries = &e, .nentries = 1
	};
	struct store_queue_update update = { .op_id = STR("o"),
		.message_id = STR("m1"),
		.set = entries,
		.nset = 1,
		.remove = gone,
		.nremove = 2,
		.expect = expect,
		.nexpect = 2,
		.to = to,
		.nto = 1 };
	struct store_queue_update got;
	struct store_queue_item *items;
	AUTO_ARENA a = { 0 };
	struct ipc_in cursor;
	AUTO_MSG m = { 0 }, u = { 0 };
	size_t n;

	(void)state;
	ipc_msg_init(&m, STORE_OP_QUEUE_LIST);
	wire_put_item(&m, &item);
	wire_put_item(&m, &item);
	cursor = received(&m);
	assert_int_equal(wire_get_items(&cursor, &a, &items, &n), RC_OK);
	assert_int_equal(n, 2);
	assert_int_equal(items[1].nentries, 1);
	assert_true(str_eq(items[1].entries[0].rcpt, e.rcpt));

	ipc_msg_init(&u, STORE_OP_QUEUE_UPDATE);
	wire_put_update(&u, &update);
	cursor = received(&u);
	assert_int_equal(wire_get_update(&cursor, &a, &got), RC_OK);
	assert_int_equal(got.nremove, 2);
	assert_true(got.remove[1] == UINT64_MAX);
	assert_int_equal(got.nexpect, 2);
	assert_memory_equal(got.expect, expect, sizeof(expect));
	assert_int_equal(got.nset, 1);
	assert_int_equal(got.nto, 1);
}

static void
hints(void **state)
{
	struct wire_hint h = { STR("a"), 5, 6 }, got;
	struct ipc_in cursor;
	AUTO_MSG m = { 0 };
	size_t pos = 0;

	(void)state;
	ipc_msg_init(&m, STORE_OP_HINT);
	wire_put_hint(&m, &h);
	h.mailbox = 7;
	wire_put_hint(&m, &h);
	cursor = received(&m);
	assert_int_equal(wire_next_hint(&cursor, &pos, &got), RC_OK);
	assert_int_equal(got.mailbox, 5);
	assert_int_equal(wire_next_hint(&cursor, &pos, &got), RC_OK);
	assert_int_equal(got.mailbox, 7);
	assert_int_equal(wire_next_hint(&cursor, &pos, &got), RC_NOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(submit_round_trip),
		cmocka_unit_test(submit_with_descriptor),
		cmocka_unit_test(bad_submits),
		cmocka_unit_test(uids),
		cmocka_unit_test(items_and_updates),
		cmocka_unit_test(hints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
