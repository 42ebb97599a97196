/* The engine and the reader together, on a directory of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "store/name.h"
#include "tests/unit/store/rig.h"

static void
delivered_message_reads_back_the_same(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 1, 5000);
	uint32_t uid = rig_deliver(r, ANN, "INBOX", &m);

	assert_int_equal(uid, 1);
	rig_expect(r, ANN, "INBOX", 1, &m);
	rig_reopen(r);
	rig_expect(r, ANN, "INBOX", 1, &m);
}

static void
large_body_spans_parts_and_segments(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 2, 5 * 1024 * 1024 + 17);

	assert_int_equal(rig_deliver(r, ANN, "INBOX", &m), 1);
	rig_expect(r, ANN, "INBOX", 1, &m);
	rig_rebuild(r);
	rig_expect(r, ANN, "INBOX", 1, &m);
}

static void
first_delivery_makes_the_default_folders_once(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 3, 100);
	struct store_mailbox *v;
	size_t n;

	(void)rig_deliver(r, ANN, "inbox", &m);
	rig_mailboxes(r, ANN, &v, &n);
	assert_int_equal(n, NAME_SPECIALS);
	for (size_t i = 0; i < n; i++)
		assert_true(v[i].subscribed && v[i].exists);
	assert_int_equal(rig_delete(r, ANN, "Junk"), RC_OK);
	assert_int_equal(rig_ensure(r, ANN), RC_OK);
	rig_mailboxes(r, ANN, &v, &n);
	/* The subscription stays. */
	assert_int_equal(n, NAME_SPECIALS);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(v[i].exists, !str_eq(v[i].name, STR("Junk")));
}

static void
repeated_operation_gives_the_first_answer(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 4, 700);
	struct engine_result a, b;

	m.op_id = STR("op-1");
	assert_int_equal(rig_submit(r, ANN, "INBOX", &m, &a), RC_OK);
	assert_int_equal(rig_submit(r, ANN, "INBOX", &m, &b), RC_OK);
	assert_false(a.repeated);
	assert_true(b.repeated);
	assert_memory_equal(a.body, b.body, BODY_ID);
	rig_reopen(r);
	assert_int_equal(rig_submit(r, ANN, "INBOX", &m, &b), RC_OK);
	assert_true(b.repeated);
	assert_memory_equal(a.body, b.body, BODY_ID);
	rig_rebuild(r);
	assert_int_equal(rig_submit(r, ANN, "INBOX", &m, &b), RC_OK);
	assert_true(b.repeated);
	assert_int_equal(rig_count(r, ANN, "INBOX"), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
		T(delivered_message_reads_back_the_same),
		T(large_body_spans_parts_and_segments),
		T(first_delivery_makes_the_default_folders_once),
		T(repeated_operation_gives_the_first_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
