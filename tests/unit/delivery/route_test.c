#include "delivery/dlv_route.h"
#include "tests/unit/delivery/fake.h"

#define NOW   1000000
#define TRACE "Received: from a by b; Sun, 22 Nov 2026 05:00:00 +0000\r\n"

struct test {
	struct arena a;
	struct dir_client dir;
	struct dlv_plan p;
	struct dlv_submit m;
	struct dlv_scan scan;
	struct dir_rcpt team[8], staff[8];
};

static void
begin(struct test *t, const struct dlv_rcpt *to, size_t nto)
{
	*t = (struct test){ 0 };
	t->dir.team = t->team;
	t->dir.staff = t->staff;
	t->m = (struct dlv_submit){
		.from = STR("joe@example.net"),
		.trace = STR(TRACE),
		.to = to,
		.nto = nto,
		.fd = -1,
	};
	t->scan.received = 1;
	assert_int_equal(dlv_plan_init(&t->p, &t->a, &fake_log, &fake_conf,
			     t->m.from, t->m.trace, NOW, 7),
	    RC_OK);
}

static void
member(struct test *t, const char *id, const char *address)
{
	t->team[t->dir.nteam++] = fake_person(id, address);
}

static enum rc
route(struct test *t)
{
	return dlv_route(&t->p, &t->dir, &t->m, &t->scan, deadline_in(60000));
}

static void
each_person_gets_one_copy(void **state)
{
	static const struct dlv_rcpt to[] = {
		{ S("team@example.org"), DIR_GROUP, S(TEAM) },
		{ S("ann@example.org"), DIR_USER, S(ANN) },
		{ S("ann.alias@example.org"), DIR_USER, S(ANN) },
		{ S("staff@example.org"), DIR_GROUP, S(STAFF) },
		{ S("crew@example.org"), DIR_GROUP, S(TEAM) },
	};
	struct test t;

	(void)state;
	begin(&t, to, COUNT(to));
	member(&t, ANN, "ann@example.org");
	member(&t, BOB, "bob@example.org");
	t.staff[t.dir.nstaff++] = fake_person(BOB, "bob@example.org");
	t.staff[t.dir.nstaff++] = fake_person(CEE, "cee@example.org");
	assert_int_equal(route(&t), RC_OK);
	assert_int_equal(t.p.nqueue, 0);
	assert_int_equal(t.p.nto, 3);
	CHECK_STR(t.p.to[0].account, STR(ANN));
	CHECK_STR(t.p.to[0].mailbox, STR("INBOX"));
	CHECK_STR(
	    t.p.to[0].prefix, STR("Return-Path: <joe@example.net>\r\n"
				  "Delivered-To: ann@example.org\r\n" TRACE));
	CHECK_STR(t.p.to[1].account, STR(BOB));
	CHECK_STR(
	    t.p.to[1].prefix, STR("Return-Path: <joe@example.net>\r\n"
				  "Delivered-To: bob@example.org\r\n" TRACE));
	CHECK_STR(t.p.to[2].account, STR(CEE));
	arena_free(&t.a);
}

static void
junk_goes_to_junk(void **state)
{
	static const struct dlv_rcpt to[] = {
		{ S("team@example.org"), DIR_GROUP, S(TEAM) },
		{ S("ann@example.org"), DIR_USER, S(ANN) },
	};
	struct dlv_entry e;
	struct test t;

	(void)state;
	begin(&t, to, COUNT(to));
	member(&t, BOB, "bob@example.org");
	member(&t, TOM, "tom@example.org");
	t.m.junk = true;
	assert_int_equal(route(&t), RC_OK);
	assert_int_equal(t.p.nto, 2);
	for (size_t i = 0; i < t.p.nto; i++)
		CHECK_STR(t.p.to[i].mailbox, STR("Junk"));
	assert_int_equal(t.p.nqueue, 1);
	assert_int_equal(dlv_entry_get(t.p.queue[0].data, &e), RC_OK);
	assert_int_equal(e.junk, 1);
	arena_free(&t.a);
}

static void
what_policy_holds_waits_for_an_administrator(void **state)
{
	static const struct dlv_rcpt to[] = {
		{ S("team@example.org"), DIR_GROUP, S(TEAM) },
		{ S("ann@example.org"), DIR_USER, S(ANN) },
		{ S("dan@example.org"), DIR_ELSEWHERE, S(DAN) },
	};
	struct test t;

	(void)state;
	begin(&t, to, COUNT(to));
	member(&t, BOB, "bob@example.org");
	t.m.hold = true;
	assert_int_equal(route(&t), RC_OK);
	assert_int_equal(t.p.nto, 0);
	assert_int_equal(t.p.nqueue, 3);
	for (size_t i = 0; i < t.p.nqueue; i++) {
		assert_int_equal(t.p.queue[i].state, DLV_HELD);
		CHECK_STR(t.p.queue[i].reason, STR("held by policy"));
	}
	arena_free(&t.a);
}

static void
who_cannot_be_reached_now_is_queued(void **state)
{
	static const struct dlv_rcpt to[] = {
		{ S("team@example.org"), DIR_GROUP, S(TEAM) },
		{ S("dan@example.org"), DIR_ELSEWHERE, S(DAN) },
		{ S("old@example.org"), DIR_GROUP, S(GONE) },
	};
	static const struct {
		struct str rcpt;
		enum dir_kind kind;
		enum dlv_state state;
	} want[] = {
		{ S("dan@example.org"), DIR_ELSEWHERE, DLV_HELD },
		{ S("tom@example.org"), DIR_USER, DLV_READY },
		{ S("gone@example.org"), DIR_USER, DLV_HELD },
		{ S("old@example.org"), DIR_GROUP, DLV_HELD },
	};
	struct test t;

	(void)state;
	begin(&t, to, COUNT(to));
	member(&t, DAN, "dan@example.org");
	member(&t, EVE, "eve@example.org");
	member(&t, TOM, "tom@example.org");
	member(&t, BOB, "bob@example.org");
	t.team[t.dir.nteam] = fake_person(ID("99"), "gone@example.org");
	t.team[t.dir.nteam++].rc = RC_NOENT;
	assert_int_equal(route(&t), RC_OK);
	assert_int_equal(t.p.nto, 1);
	CHECK_STR(t.p.to[0].account, STR(BOB));
	assert_int_equal(t.p.nqueue, COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++) {
		const struct store_queued *q = &t.p.queue[i];

		CHECK_STR(q->rcpt, want[i].rcpt);
		assert_int_equal(q->kind, want[i].kind);
		assert_int_equal(q->state, want[i].state);
		assert_true(q->reason.n > 0);
		assert_int_equal(q->expires_at, NOW + 86400);
		assert_true(q->next_at > NOW);
		if (q->kind != DIR_USER)
			CHECK_STR(q->prefix, STR(TRACE));
		else
			assert_true(
			    str_find(q->prefix, want[i].rcpt) < q->prefix.n);
	}
	arena_free(&t.a);
}

static void
directory_down_queues_the_group_with_its_people(void **state)
{
	static const struct dlv_rcpt to[] = {
		{ S("team@example.org"), DIR_GROUP, S(TEAM) },
		{ S("staff@example.org"), DIR_GROUP, S(STAFF) },
		{ S("ann@example.org"), DIR_USER, S(ANN) },
	};
	struct dlv_people seen;
	struct test t;

	(void)state;
	begin(&t, to, COUNT(to));
	t.dir.down = true;
	assert_int_equal(route(&t), RC_OK);
	assert_int_equal(t.p.nto, 1);
	assert_int_equal(t.p.nqueue, 2);
	assert_int_equal(t.p.queue[0].state, DLV_READY);
	assert_int_equal(t.p.queue[1].state, DLV_READY);
	assert_int_equal(t.p.queue[1].data.n, 0);
	dlv_people_init(&seen, &t.a);
	assert_int_equal(
	    dlv_people_load(&seen, fake_people(t.p.queue[0].data)), RC_OK);
	assert_true(dlv_people_has(&seen, STR(ANN), STR("")));
	assert_false(dlv_people_has(&seen, STR(BOB), STR("")));
	arena_free(&t.a);
}

static void
members_without_an_address_of_ours(void **state)
{
	static const struct dlv_rcpt to[] = {
		{ S("team@example.org"), DIR_GROUP, S(TEAM) },
		{ S("crew@example.org"), DIR_GROUP, S(STAFF) },
	};
	static const struct {
		struct str rcpt;
		enum dir_kind kind;
		enum dlv_state state;
	} want[] = {
		{ S("exchange.example.org"), DIR_ELSEWHERE, DLV_HELD },
		{ S(TOM), DIR_USER, DLV_READY },
		{ S("joe@example.net"), DIR_ELSEWHERE, DLV_READY },
		{ S("team@example.org"), DIR_GROUP, DLV_READY },
	};
	const struct dir_rcpt joe = {
		.rc = RC_OK,
		.kind = DIR_ELSEWHERE,
		.address = STR("joe@example.net"),
		.route = STR("joe@example.net"),
	};
	struct test t;

	(void)state;
	begin(&t, to, COUNT(to));
	member(&t, DAN, "");
	member(&t, TOM, "");
	member(&t, BOB, "bob@example.org");
	t.team[t.dir.nteam++] = joe;
	t.staff[t.dir.nstaff++] = joe;
	t.team[t.dir.nteam++] = (struct dir_rcpt){ .rc = RC_TEMP };
	assert_int_equal(route(&t), RC_OK);
	assert_int_equal(t.p.nto, 1);
	assert_int_equal(t.p.nqueue, COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++) {
		CHECK_STR(t.p.queue[i].rcpt, want[i].rcpt);
		assert_int_equal(t.p.queue[i].kind, want[i].kind);
		assert_int_equal(t.p.queue[i].state, want[i].state);
		/* What has a route is sent at once. */
		assert_int_equal(t.p.queue[i].next_at > NOW, i != 2);
	}
	CHECK_STR(t.p.queue[0].prefix, STR(TRACE));
	arena_free(&t.a);
}

static void
large_group_goes_on_in_the_queue(void **state)
{
	static const struct dlv_rcpt to[] = {
		{ S("team@example.org"), DIR_GROUP, S(TEAM) },
	};
	enum { PEOPLE = DLV_BATCH_MAX + 10 };
	struct dlv_people seen;
	struct test t;

	(void)state;
	begin(&t, to, COUNT(to));
	t.dir.team = arena_calloc(&t.a, PEOPLE, sizeof(t.dir.team[0]));
	t.dir.nteam = PEOPLE;
	for (unsigned i = 0; i < PEOPLE; i++) {
		t.dir.team[i] = (struct dir_rcpt){
			.rc = RC_OK,
			.kind = DIR_USER,
			.id = str_fmt(
			    &t.a, "%08x-0000-4000-8000-000000000000", i + 1),
			.address = STR("m@example.org"),
		};
	}
	assert_int_equal(route(&t), RC_OK);
	assert_int_equal(t.p.nto, DLV_BATCH_MAX);
	assert_int_equal(t.p.nqueue, 1);
	assert_int_equal(t.p.queue[0].next_at, NOW);
	dlv_people_init(&seen, &t.a);
	assert_int_equal(
	    dlv_people_load(&seen, fake_people(t.p.queue[0].data)), RC_OK);
	assert_true(
	    dlv_people_has(&seen, t.dir.team[DLV_BATCH_MAX - 1].id, STR("")));
	assert_false(
	    dlv_people_has(&seen, t.dir.team[DLV_BATCH_MAX].id, STR("")));
	arena_free(&t.a);
}

static void
loops_are_refused(void **state)
{
	static const struct dlv_rcpt to[] = {
		{ S("ann@example.org"), DIR_USER, S(ANN) },
		{ S("bob@example.org"), DIR_USER, S(BOB) },
	};
	static const struct {
		unsigned received;
		struct str fields[2];
		enum rc rc;
		size_t delivered, queued;
	} rows[] = {
		{ 1, { S("") }, RC_OK, 2, 0 },
		{ 5, { S("") }, RC_OK, 2, 0 },
		{ 6, { S("") }, RC_DENY, 0, 0 },
		{ 1, { S("Delivered-To: ann@example.org\r\n") }, RC_OK, 1, 1 },
		{ 1,
		    { S("Delivered-To: ANN@example.org\r\n"),
			S("delivered-to: bob@example.org\r\n") },
		    RC_DENY, 0, 0 },
		{ 1, { S("Delivered-To: cee@example.org\r\n") }, RC_OK, 2, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct test t;

		begin(&t, to, COUNT(to));
		t.scan.received = rows[i].received;
		for (size_t k = 0; k < 2 && rows[i].fields[k].n > 0; k++)
			t.scan.field[t.scan.delivered++] = rows[i].fields[k];
		assert_int_equal(route(&t), rows[i].rc);
		assert_int_equal(t.p.nto, rows[i].delivered);
		assert_int_equal(t.p.nqueue, rows[i].queued);
		if (t.p.nqueue > 0)
			assert_int_equal(t.p.queue[0].state, DLV_HELD);
		arena_free(&t.a);
	}
}

static void
malformed_recipients_are_refused(void **state)
{
	static const struct dlv_rcpt rows[] = {
		{ S("ann@example.org"), DIR_USER, S("not an id") },
		{ S("ann@example.org\r\nX: y"), DIR_USER, S(ANN) },
		{ S("@"), DIR_ELSEWHERE, S(ANN) },
		{ S("ann@example.org"), DIR_USER, S("") },
		{ S("team@example.org"), DIR_GROUP, S("") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct test t;

		begin(&t, &rows[i], 1);
		assert_int_equal(route(&t), RC_BAD);
		arena_free(&t.a);
	}
}

static void
back_off_doubles_up_to_the_maximum(void **state)
{
	(void)state;
	for (uint32_t attempts = 1; attempts < 100; attempts++) {
		int64_t whole = attempts < 7 ? 60 << (attempts - 1) : 3600;

		for (uint32_t rnd = 0; rnd < 1000; rnd += 37) {
			int64_t s = dlv_backoff(&fake_conf, attempts, rnd);

			assert_in_range(
			    s, whole - whole / 8, whole + whole / 8 + 1);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_person_gets_one_copy),
		cmocka_unit_test(junk_goes_to_junk),
		cmocka_unit_test(what_policy_holds_waits_for_an_administrator),
		cmocka_unit_test(who_cannot_be_reached_now_is_queued),
		cmocka_unit_test(
		    directory_down_queues_the_group_with_its_people),
		cmocka_unit_test(members_without_an_address_of_ours),
		cmocka_unit_test(large_group_goes_on_in_the_queue),
		cmocka_unit_test(loops_are_refused),
		cmocka_unit_test(malformed_recipients_are_refused),
		cmocka_unit_test(back_off_doubles_up_to_the_maximum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
