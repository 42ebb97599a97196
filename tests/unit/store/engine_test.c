/* The engine and the reader together, on a directory of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
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

/* A copy of a large mailbox costs the memory of one row. */
static void
many_copies_need_no_memory(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 5, 100);
	size_t before = 0;

	(void)rig_deliver(r, ANN, "INBOX", &m);
	for (uint32_t n = 1; n < 4096; n *= 2) {
		before = r->a.used;
		assert_int_equal(
		    rig_copy(r, ANN, "INBOX", 1, n, "INBOX", false, NULL),
		    RC_OK);
	}
	assert_int_equal(rig_count(r, ANN, "INBOX"), 4096);
	assert_true(r->a.used - before < (64u << 10));
	rig_expect(r, ANN, "INBOX", 4096, &m);
}

static void
last_reference_takes_the_body_along(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 5, 100);
	struct engine_stats x;

	(void)rig_deliver(r, ANN, "INBOX", &m);
	assert_int_equal(
	    rig_copy(r, ANN, "INBOX", 1, 1, "Archive", false, NULL), RC_OK);
	assert_int_equal(rig_flags(r, ANN, "INBOX", 1, 1, STORE_FLAGS_ADD,
			     STORE_DELETED, NULL, NULL),
	    RC_OK);
	assert_int_equal(rig_expunge(r, ANN, "INBOX", 1, 9, NULL), RC_OK);
	rig_expect(r, ANN, "Archive", 1, &m);
	r->e->ops->stats(r->e, &x);
	assert_int_equal(x.bodies, 1);
	assert_int_equal(rig_delete(r, ANN, "Archive"), RC_OK);
	r->e->ops->stats(r->e, &x);
	assert_int_equal(x.bodies, 0);
	assert_int_equal(x.messages, 0);
	rig_reopen(r);
}

static void
rename_takes_children_and_empties_inbox(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 6, 100);
	struct store_mailbox mb;
	uint64_t work, deep;

	(void)rig_deliver(r, ANN, "Work/Old/Deep", &m);
	(void)rig_deliver(r, ANN, "INBOX", &m);
	work = rig_id(r, ANN, "Work");
	deep = rig_id(r, ANN, "Work/Old/Deep");
	assert_int_equal(rig_name_op(r, ENGINE_RENAME, ANN, "Work",
			     "Archive/2025/Job", false),
	    RC_OK);
	assert_int_equal(rig_id(r, ANN, "Archive/2025/Job"), work);
	assert_int_equal(rig_id(r, ANN, "Archive/2025/Job/Old/Deep"), deep);
	assert_true(rig_find(r, ANN, "Archive/2025", &mb) && mb.exists);
	assert_false(rig_find(r, ANN, "Work/Old", &mb) && mb.exists);
	rig_expect(r, ANN, "Archive/2025/Job/Old/Deep", 1, &m);
	assert_int_equal(
	    rig_name_op(r, ENGINE_RENAME, ANN, "Sent", "Trash", false),
	    RC_DENY);
	assert_int_equal(
	    rig_name_op(r, ENGINE_RENAME, ANN, "Sent", "Sent/x", false),
	    RC_BAD);
	assert_int_equal(
	    rig_name_op(r, ENGINE_RENAME, ANN, "none", "x", false), RC_NOENT);
	assert_int_equal(
	    rig_name_op(r, ENGINE_RENAME, ANN, "inbox", "Old mail", false),
	    RC_OK);
	assert_int_equal(rig_count(r, ANN, "INBOX"), 0);
	rig_expect(r, ANN, "Old mail", 1, &m);
	assert_int_equal(
	    rig_name_op(r, ENGINE_CREATE, ANN, "INBOX", NULL, false), RC_DENY);
	rig_rebuild(r);
	assert_int_equal(rig_id(r, ANN, "Archive/2025/Job"), work);
	rig_expect(r, ANN, "Old mail", 1, &m);
}

static void
keywords_travel_by_name(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 7, 10);
	struct store_mailbox mb;
	struct store_row *rows;
	struct str name = STR("");
	char kw[16];

	(void)rig_deliver(r, ANN, "INBOX", &m);
	(void)rig_deliver(r, ANN, "Archive", &m);
	assert_int_equal(rig_flags(r, ANN, "Archive", 1, 1, STORE_FLAGS_ADD, 0,
			     "other", NULL),
	    RC_OK);
	assert_int_equal(
	    rig_flags(r, ANN, "INBOX", 1, 1, STORE_FLAGS_ADD, 0, "mine", NULL),
	    RC_OK);
	assert_int_equal(
	    rig_copy(r, ANN, "INBOX", 1, 1, "Archive", false, NULL), RC_OK);
	assert_true(rig_find(r, ANN, "Archive", &mb));
	assert_int_equal(rig_rows(r, mb.id, &rows), 2);
	for (unsigned i = 0; i < STORE_KEYWORDS_MAX; i++)
		if (rows[1].flags & UINT64_C(1) << (i + 8))
			name = mb.keywords[i];
	assert_true(str_eq(name, STR("mine")));
	/* 56 of them, and no more. */
	for (unsigned i = 0; i < STORE_KEYWORDS_MAX - 2; i++) {
		(void)snprintf(kw, sizeof(kw), "k%u", i);
		assert_int_equal(rig_flags(r, ANN, "Archive", 1, 1,
				     STORE_FLAGS_ADD, 0, kw, NULL),
		    RC_OK);
	}
	assert_int_equal(rig_flags(r, ANN, "Archive", 1, 1, STORE_FLAGS_ADD, 0,
			     "full", NULL),
	    RC_DENY);
	assert_int_equal(rig_flags(r, ANN, "Archive", 1, 1, STORE_FLAGS_REMOVE,
			     0, "unheard", NULL),
	    RC_OK);
}

static void
condition_on_modseq_names_who_failed_it(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 8, 10);
	struct uid_range range = { 1, 2 };
	struct engine_intent in = {
		.kind = ENGINE_FLAGS, .account = ANN, .a = &r->a
	};
	struct store_mailbox mb;

	(void)rig_deliver(r, ANN, "INBOX", &m);
	(void)rig_deliver(r, ANN, "INBOX", &m);
	assert_true(rig_find(r, ANN, "INBOX", &mb));
	assert_int_equal(rig_flags(r, ANN, "INBOX", 2, 2, STORE_FLAGS_ADD,
			     STORE_SEEN, NULL, NULL),
	    RC_OK);
	in.mailbox = mb.id;
	in.flags = (struct store_flags){ .account = ANN,
		.mailbox = mb.id,
		.uids = { &range, 1 },
		.op = STORE_FLAGS_ADD,
		.flags = STORE_FLAGGED,
		.unchanged_since = mb.highest_modseq };
	assert_int_equal(engine_run(r->e, &in), RC_OK);
	assert_int_equal(in.out.modified.n, 1);
	assert_int_equal(in.out.modified.v[0].lo, 2);
	in.expect_modseq = 1; /* the guard of the contract */
	assert_int_equal(engine_run(r->e, &in), RC_DENY);
}

static void
one_account_does_not_reach_anothers_mail(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 9, 100);
	struct uid_range all = { 1, 9 };
	struct engine_intent in = { .kind = ENGINE_EXPUNGE,
		.account = BOB,
		.expunge = { &all, 1 },
		.a = &r->a };
	AUTO_VIEW *v = NULL;
	AUTO_STORE_MSG *msg = NULL;
	struct store_mailbox *list;
	unsigned char key[32];
	uint32_t first;
	size_t n;

	(void)rig_deliver(r, ANN, "INBOX", &m);
	(void)rig_deliver(r, BOB, "INBOX", &m);
	in.mailbox = rig_id(r, ANN, "INBOX");
	assert_int_equal(engine_run(r->e, &in), RC_NOENT);
	assert_int_equal(
	    r->e->ops->take_recent(r->e, BOB, in.mailbox, true, &first),
	    RC_NOENT);
	rig_key(r, BOB, key);
	assert_int_equal(store_view_begin(r->reader, &v), RC_OK);
	assert_int_equal(
	    store_msg_open(v, ANN, key, in.mailbox, 1, &msg), RC_TEMP);
	assert_int_equal(
	    store_msg_open(v, ANN, NULL, in.mailbox, 1, &msg), RC_DENY);
	assert_int_equal(
	    store_mailboxes(v, &r->a, ANN, key, &list, &n), RC_TEMP);
}

static void
recent_is_handed_out_once(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 10, 10);
	uint64_t id;
	uint32_t first;

	(void)rig_deliver(r, ANN, "INBOX", &m);
	id = rig_id(r, ANN, "INBOX");
#define TAKE(peek)                                                             \
	(assert_int_equal(                                                     \
	     r->e->ops->take_recent(r->e, ANN, id, peek, &first), RC_OK),      \
	    first)
	assert_int_equal(TAKE(true), 1);
	assert_int_equal(TAKE(false), 1);
	assert_int_equal(TAKE(false), 2);
	(void)rig_deliver(r, ANN, "INBOX", &m);
	assert_int_equal(TAKE(true), 2);
	rig_reopen(r); /* the delivery took it along */
	assert_int_equal(TAKE(true), 2);
	rig_rebuild(r);
	assert_int_equal(TAKE(false), 2);
	assert_int_equal(TAKE(false), 3);
#undef TAKE
}

static void
body_comes_by_descriptor_and_must_be_whole(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 11, 300000);
	struct engine_body *b = NULL;
	AUTO_FD fd = fd_sealed("body", m.body);
	struct engine_content c = { .fd = fd, .size = m.body.n + 1 };
	int pipes[2];

	engine_body_id(c.id);
	assert_int_equal(r->e->ops->put_body(r->e, &c, &b), RC_BAD);
	assert_int_equal(pipe(pipes), 0);
	c.fd = pipes[0];
	c.size = 1;
	assert_int_equal(r->e->ops->put_body(r->e, &c, &b), RC_BAD);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(rig_submit_fd(r, ANN, &m, fd), RC_OK);
	rig_expect(r, ANN, "INBOX", 1, &m);
}

static void
long_meta_and_odd_bodies_come_back(void **state)
{
	struct rig *r = *state;
	static const size_t sizes[] = { 0, 1, 65536, 65537, 1 << 20,
		(1 << 20) + 1 };
	uint32_t uid;

	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct rig_message m = rig_message(r, 20 + i, sizes[i]);

		if (i == 1)
			m.meta = rig_message(r, 99, 100000).body;
		if (i % 2 == 0)
			m.edits = STR("");
		uid = rig_deliver(r, ANN, "INBOX", &m);
		rig_expect(r, ANN, "INBOX", uid, &m);
	}
}

struct crowd {
	struct rig *r;
	unsigned number;
};

static void *
crowd_main(void *arg)
{
	struct crowd *c = arg;
	struct rig mine = { .e = c->r->e };

	for (unsigned i = 0; i < 20; i++) {
		struct rig_message m =
		    rig_message(&mine, c->number * 100 + i, 500);
		struct engine_result out;

		assert(rig_submit(&mine, ANN, "INBOX", &m, &out) == RC_OK);
		arena_reset(&mine.a);
	}
	arena_free(&mine.a);
	return NULL;
}

static void
company_shares_a_commit(void **state)
{
	struct rig *r = *state;
	struct crowd c[20];
	pthread_t t[20];
	struct engine_stats x;

	r->conf.gather_us = 20000; /* the others come, on a slow machine too */
	rig_reopen(r);
	for (unsigned i = 0; i < 20; i++) {
		c[i] = (struct crowd){ r, i };
		assert_int_equal(
		    pthread_create(&t[i], NULL, crowd_main, &c[i]), 0);
	}
	for (unsigned i = 0; i < 20; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(rig_count(r, ANN, "INBOX"), 400);
	r->e->ops->stats(r->e, &x);
	assert_true(x.log_syncs + x.index_commits <= 200); /* 0.5 each */
	rig_rebuild(r);
	assert_int_equal(rig_count(r, ANN, "INBOX"), 400);
}

static void
nonsense_is_refused_without_a_trace(void **state)
{
	struct rig *r = *state;
	struct rig_message m = rig_message(r, 16, 100);
	struct engine_result out;
	struct engine_stats x;

	assert_int_equal(rig_submit(r, STR(""), "INBOX", &m, &out), RC_BAD);
	assert_int_equal(rig_submit(r, ANN, "a//b", &m, &out), RC_BAD);
	assert_int_equal(rig_submit(r, ANN, "", &m, &out), RC_BAD);
	assert_int_equal(
	    rig_name_op(r, ENGINE_CREATE, ANN, "x", NULL, false), RC_NOENT);
	r->e->ops->stats(r->e, &x);
	assert_int_equal(x.accounts, 0);
	assert_int_equal(x.commits, 0);
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
		T(many_copies_need_no_memory),
		T(last_reference_takes_the_body_along),
		T(rename_takes_children_and_empties_inbox),
		T(keywords_travel_by_name),
		T(condition_on_modseq_names_who_failed_it),
		T(one_account_does_not_reach_anothers_mail),
		T(recent_is_handed_out_once),
		T(body_comes_by_descriptor_and_must_be_whole),
		T(long_meta_and_odd_bodies_come_back),
		T(company_shares_a_commit),
		T(nonsense_is_refused_without_a_trace),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
