/* The queue as delivery sees it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/store/rig.h"

static enum rc
queue_update(struct rig *r, const unsigned char id[BODY_ID], const char *op,
    const struct store_queued *set, size_t nset, const uint64_t *remove,
    size_t nremove, struct str to)
{
	struct engine_delivery d = { .account = to,
		.name = STR("INBOX"),
		.prefix = STR("X-Late: 1\r\n") };
	struct engine_intent in = { .kind = ENGINE_QUEUE,
		.op_id = str_c(op),
		.a = &r->a,
		.submit = { .set = set,
		    .nset = nset,
		    .remove = remove,
		    .nremove = nremove,
		    .to = &d,
		    .nto = to.n > 0 } };

	memcpy(in.submit.id, id, BODY_ID);
	return engine_run(r->e, &in);
}

static struct rig_message
enqueue(struct rig *r, size_t n, unsigned char id[BODY_ID])
{
	struct rig_message m = rig_message(r, 40, 3000);
	struct store_queued q[8];
	struct engine_content c = { .edits = m.edits,
		.data = m.body,
		.fd = -1,
		.size = m.body.n,
		.meta = m.meta };
	struct engine_intent in = { .kind = ENGINE_SUBMIT,
		.a = &r->a,
		.submit = { .received_at = 1700000000,
		    .from = STR("from@example.org"),
		    .submitter = STR("ann"),
		    .set = q,
		    .nset = n } };

	assert_true(n <= COUNT(q));
	for (size_t i = 0; i < n; i++)
		q[i] = (struct store_queued){ .rcpt = STR("x@example.org"),
			.dir_id = STR("dir"),
			.kind = 1,
			.state = 2,
			.attempts = 3,
			.next_at = -4,
			.expires_at = 5,
			.reason = STR("why"),
			.prefix = STR("P: 1\r\n"),
			.data = STR("d\0ta") };
	engine_body_id(c.id);
	assert_int_equal(r->e->ops->put_body(r->e, &c, &in.submit.body), RC_OK);
	assert_int_equal(engine_run(r->e, &in), RC_OK);
	memcpy(id, in.out.body, BODY_ID);
	return m;
}

static void
queue_keeps_what_delivery_gave(void **state)
{
	struct rig *r = *state;
	struct store_queue_item item, *list;
	unsigned char id[BODY_ID];
	struct rig_message m = enqueue(r, 2, id);
	size_t n;

	for (int round = 0; round < 3; round++) {
		assert_int_equal(
		    r->e->ops->queue_get(r->e, &r->a, id, &item), RC_OK);
		assert_true(str_eq(item.from, STR("from@example.org")));
		assert_true(str_eq(item.submitter, STR("ann")));
		assert_true(str_eq(item.edits, m.edits));
		assert_int_equal(item.size, m.body.n);
		assert_int_equal(item.received_at, 1700000000);
		assert_int_equal(item.nentries, 2);
		assert_true(item.entries[0].id != item.entries[1].id);
		assert_int_equal(item.entries[1].next_at, -4);
		assert_int_equal(item.entries[1].attempts, 3);
		assert_true(str_eq(item.entries[1].data, STR("d\0ta")));
		assert_true(str_eq(item.entries[1].prefix, STR("P: 1\r\n")));
		if (round == 0)
			rig_reopen(r);
		else
			rig_rebuild(r);
	}
	assert_int_equal(
	    r->e->ops->queue_list(r->e, &r->a, STR(""), 10, &list, &n), RC_OK);
	assert_int_equal(n, 1);
	assert_int_equal(r->e->ops->queue_list(
			     r->e, &r->a, str_n(id, BODY_ID), 10, &list, &n),
	    RC_OK);
	assert_int_equal(n, 0);
}

static void
queued_message_is_delivered_once_and_goes(void **state)
{
	struct rig *r = *state;
	struct store_queue_item item;
	unsigned char id[BODY_ID];
	struct rig_message m = enqueue(r, 2, id);
	struct store_queued q;
	struct engine_stats x;
	uint64_t ids[2], none = 999;

	assert_int_equal(r->e->ops->queue_get(r->e, &r->a, id, &item), RC_OK);
	ids[0] = item.entries[0].id;
	ids[1] = item.entries[1].id;
	assert_int_equal(
	    queue_update(r, id, "u0", NULL, 0, &none, 1, ANN), RC_NOENT);
	assert_int_equal(
	    queue_update(r, id, "u1", NULL, 0, ids, 1, ANN), RC_OK);
	/* Asked again: the answer, not another message. */
	assert_int_equal(
	    queue_update(r, id, "u1", NULL, 0, ids, 1, ANN), RC_OK);
	assert_int_equal(
	    queue_update(r, id, "u2", NULL, 0, ids, 1, ANN), RC_NOENT);
	assert_int_equal(rig_count(r, ANN, "INBOX"), 1);
	m.prefix = STR("X-Late: 1\r\n");
	rig_expect(r, ANN, "INBOX", 1, &m);
	q = item.entries[1];
	q.reason = STR("later");
	q.attempts++;
	assert_int_equal(
	    queue_update(r, id, "u3", &q, 1, NULL, 0, STR("")), RC_OK);
	assert_int_equal(r->e->ops->queue_get(r->e, &r->a, id, &item), RC_OK);
	assert_int_equal(item.nentries, 1);
	assert_true(str_eq(item.entries[0].reason, STR("later")));
	assert_int_equal(
	    queue_update(r, id, "u4", NULL, 0, ids + 1, 1, STR("")), RC_OK);
	assert_int_equal(
	    r->e->ops->queue_get(r->e, &r->a, id, &item), RC_NOENT);
	rig_reopen(r);
	rig_expect(r, ANN, "INBOX", 1, &m); /* the body has a holder */
	r->e->ops->stats(r->e, &x);
	assert_int_equal(x.bodies, 1);
	assert_int_equal(x.queued, 0);
}

static enum rc
update_expecting(struct rig *r, const unsigned char id[BODY_ID], const char *op,
    const struct store_queued *set, const struct store_expect *expect)
{
	struct engine_delivery d = { .account = ANN,
		.name = STR("INBOX"),
		.prefix = STR("X-Late: 1\r\n") };
	struct engine_intent in = { .kind = ENGINE_QUEUE,
		.op_id = str_c(op),
		.a = &r->a,
		.submit = { .set = set,
		    .nset = set != NULL,
		    .remove = &expect->id,
		    .nremove = set == NULL,
		    .expect = expect,
		    .nexpect = 1,
		    .to = &d,
		    .nto = set == NULL } };

	memcpy(in.submit.id, id, BODY_ID);
	return engine_run(r->e, &in);
}

/* One reads, another changes: the first one's update does nothing. */
static void
what_was_changed_since_it_was_read_is_left(void **state)
{
	struct rig *r = *state;
	struct store_queue_item item;
	unsigned char id[BODY_ID];
	struct store_expect read, now;
	struct store_queued q;

	enqueue(r, 1, id);
	assert_int_equal(r->e->ops->queue_get(r->e, &r->a, id, &item), RC_OK);
	q = item.entries[0];
	now = read = (struct store_expect){ q.id, q.state, q.attempts };
	q.state = now.state = 7;
	assert_int_equal(update_expecting(r, id, "h1", &q, &read), RC_OK);
	/* Said again, it is known; anew, it is refused. */
	assert_int_equal(update_expecting(r, id, "h1", &q, &read), RC_OK);
	assert_int_equal(update_expecting(r, id, "h2", &q, &read), RC_NOENT);
	assert_int_equal(update_expecting(r, id, "h3", NULL, &read), RC_NOENT);
	q.attempts++;
	assert_int_equal(update_expecting(r, id, "h4", &q, &now), RC_OK);
	assert_int_equal(update_expecting(r, id, "h5", NULL, &now), RC_NOENT);
	now.attempts++;
	rig_rebuild(r);
	assert_int_equal(update_expecting(r, id, "h6", NULL, &now), RC_OK);
	assert_int_equal(rig_count(r, ANN, "INBOX"), 1);
	assert_int_equal(
	    r->e->ops->queue_get(r->e, &r->a, id, &item), RC_NOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
		T(queue_keeps_what_delivery_gave),
		T(queued_message_is_delivered_once_and_goes),
		T(what_was_changed_since_it_was_read_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
