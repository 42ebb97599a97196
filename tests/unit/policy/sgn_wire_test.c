/* What goes over the wire arrives, and nothing that is out of range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/ipc_impl.h"
#include "policy/sgn_wire.h"

static void
over(struct ipc_msg *m, struct ipc_in *in)
{
	assert_int_equal(ipc_seal(m), RC_OK);
	assert_int_equal(ipc_open(m), RC_OK);
	ipc_in_init(in, m);
}

static void
messages_go_round(void **state)
{
	struct sgn_message in = {
		.domain = STR("example.org"),
		.edits = STR("Date: x\r\n"),
		.inline_data = STR("a\0b"),
		.fd = -1,
		.size = 3,
	};
	struct sgn_message out;
	AUTO_MSG m = { 0 };
	struct ipc_in f;

	(void)state;
	ipc_msg_init(&m, SGN_OP_SIGN);
	sgn_put_message(&m, &in);
	over(&m, &f);
	assert_int_equal(sgn_get_message(&f, &out), RC_OK);
	assert_true(str_eq(out.domain, in.domain));
	assert_true(str_eq(out.edits, in.edits));
	assert_true(str_eq(out.inline_data, in.inline_data));
	assert_int_equal(out.size, 3);
	assert_int_equal(out.fd, -1);
}

static void
messages_are_checked(void **state)
{
	const struct {
		size_t domain, edits, body;
		uint64_t size;
		enum rc rc;
	} rows[] = {
		{ 255, SGN_EDITS_MAX, SGN_INLINE_MAX, SGN_INLINE_MAX, RC_OK },
		{ 0, 0, 0, 0, RC_OK },
		{ 256, 0, 0, 0, RC_BAD },
		{ 1, SGN_EDITS_MAX + 1, 0, 0, RC_BAD },
		{ 1, 0, SGN_INLINE_MAX + 1, SGN_INLINE_MAX + 1, RC_BAD },
		{ 1, 0, 5, 4, RC_BAD },
		{ 1, 0, 5, 6, RC_BAD },
	};
	AUTO_ARENA a = { 0 };
	char *fill = arena_calloc(&a, 1, SGN_EDITS_MAX + 1);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sgn_message out;
		AUTO_MSG m = { 0 };
		struct ipc_in f;

		ipc_msg_init(&m, SGN_OP_SIGN);
		ipc_put_str(&m, "domain", str_n(fill, rows[i].domain));
		ipc_put_str(&m, "edits", str_n(fill, rows[i].edits));
		ipc_put_u64(&m, "size", rows[i].size);
		ipc_put_str(&m, "body", str_n(fill, rows[i].body));
		over(&m, &f);
		assert_int_equal(sgn_get_message(&f, &out), rows[i].rc);
		assert_int_equal(out.fd, -1);
	}
}

static void
trials_go_round(void **state)
{
	const struct sgn_trial in = {
		STR("example.org"),
		STR("sel"),
		STR("v=DKIM1; p=x"),
	};
	struct sgn_trial out;
	AUTO_MSG m = { 0 }, extra = { 0 };
	struct ipc_in f;

	(void)state;
	ipc_msg_init(&m, SGN_OP_TEST);
	sgn_put_trial(&m, &in);
	over(&m, &f);
	assert_int_equal(sgn_get_trial(&f, &out), RC_OK);
	assert_true(str_eq(out.selector, in.selector));
	assert_true(str_eq(out.record, in.record));
	/* A critical field that is not known. */
	ipc_msg_init(&extra, SGN_OP_TEST);
	sgn_put_trial(&extra, &in);
	ipc_put_u64(&extra, "what", 1);
	over(&extra, &f);
	assert_int_equal(sgn_get_trial(&f, &out), RC_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_go_round),
		cmocka_unit_test(messages_are_checked),
		cmocka_unit_test(trials_go_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
