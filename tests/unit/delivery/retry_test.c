#include "delivery/dlv_queue.h"
#include "delivery/dlv_retry.h"
#include "delivery/dlv_sched.h"
#include "tests/unit/delivery/fake.h"

#define NOW   1000000
#define TRACE "Received: by b; Sun, 22 Nov 2026 05:00:00 +0000\r\n"

struct test {
	struct arena a;
	struct dir_client dir;
	struct dlv_plan p;
	struct dir_rcpt team[8];
	struct store_queue_update up;
	const struct conf *conf;
	bool places; /* there is somebody to ask about them */
};

/* Every place is down. */
enum rc
dlv_queue_why(
    struct dlv_queue *q, struct arena *a, struct str hop, struct dlv_why *out)
{
	(void)q;
	(void)a;
	*out = (struct dlv_why){ .host = hop,
		.status = STR("4.4.1"),
		.reply = STR("refused"),
		.at = NOW - 5 };
	return RC_OK;
}

/* An entry that is due. */
static struct store_queued
entry(uint64_t id, const char *rcpt, enum dir_kind kind, const char *dir_id)
{
	return (struct store_queued){
		.id = id,
		.rcpt = str_c(rcpt),
		.dir_id = str_c(dir_id),
		.kind = kind,
		.state = DLV_READY,
		.attempts = 1,
		.next_at = NOW,
		.expires_at = NOW + 500,
		.prefix = kind == DIR_GROUP
			      ? STR(TRACE)
			      : STR("Return-Path: <>\r\nX: kept\r\n"),
	};
}

static void
begin(struct test *t)
{
	*t = (struct test){ .conf = &fake_conf };
	t->dir.team = t->team;
}

static void
try(struct test *t, struct store_queued *entries, size_t n)
{
	const struct store_queue_item item = {
		.message_id = STR("0123456789abcdef0123456789abcdef"),
		.from = STR(""),
		.entries = entries,
		.nentries = n,
	};

	assert_int_equal(dlv_plan_init(&t->p, &t->a, &fake_log, t->conf,
			     item.from, STR(""), NOW, 3),
	    RC_OK);
	if (t->places)
		t->p.places = (struct dlv_queue *)(void *)t;
	assert_int_equal(
	    dlv_retry_plan(&t->p, &t->dir, &item, deadline_in(60000), &t->up),
	    RC_OK);
	assert_true(t->up.op_id.n > 0 && t->up.op_id.n <= STORE_OPID_MAX);
}

static struct str
people(struct arena *a, const char *one)
{
	struct dlv_people p;
	bool new;

	dlv_people_init(&p, a);
	assert_int_equal(dlv_people_add(&p, str_c(one), STR(""), &new), RC_OK);
	return dlv_people_save(&p, a);
}

static void
person_follows_directory(void **state)
{
	static const struct {
		const char *id;
		bool down;
		bool delivered;
		enum dlv_state after;
	} rows[] = {
		{ ANN, false, true, 0 },
		{ ANN, true, false, DLV_READY },
		{ DAN, false, false, DLV_HELD },
		{ EVE, false, false, DLV_HELD },
		{ GONE, false, false, DLV_HELD },
		{ TOM, false, false, DLV_READY },
		{ "", false, true, 0 },
		{ "", true, false, DLV_READY },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct store_queued q =
		    entry(7, "ann@example.org", DIR_USER, rows[i].id);
		struct test t;

		begin(&t);
		t.dir.down = rows[i].down;
		try(&t, &q, 1);
		assert_int_equal(t.up.nto, rows[i].delivered);
		assert_int_equal(t.up.nremove, rows[i].delivered);
		assert_int_equal(t.up.nset, !rows[i].delivered);
		if (rows[i].delivered) {
			assert_int_equal(t.up.remove[0], 7);
			CHECK_STR(t.up.to[0].prefix,
			    STR("Return-Path: <>\r\nX: kept\r\n"));
			CHECK_STR(t.up.to[0].account, STR(ANN));
		} else {
			assert_int_equal(t.up.set[0].id, 7);
			assert_int_equal(t.up.set[0].state, rows[i].after);
			assert_int_equal(t.up.set[0].attempts, 2);
			assert_true(t.up.set[0].next_at > NOW + 60);
			assert_int_equal(t.up.set[0].expires_at, NOW + 500);
			assert_true(t.up.set[0].reason.n > 0);
		}
		arena_free(&t.a);
	}
}

/* What a server said of an earlier try is not what this one says. */
static void
the_way_out_begins_anew(void **state)
{
	const char *const routes[] = {
		"server:exchange.example.org=smtp:ex.example.org:25",
	};
	const struct dlv_entry was = { .notify = REM_NOTIFY_DELAY,
		.envid = STR("envelope"),
		.warned = 1,
		.hop = STR("smtp:old.example.org"),
		.host = STR("old.example.org"),
		.status = STR("4.5.1"),
		.reply = STR("busy"),
		.code = 451,
		.from_server = 1,
		.tried_at = NOW - 9 };
	struct store_queued q = entry(7, "dan@example.org", DIR_USER, DAN);
	struct conf conf = fake_conf;
	struct dlv_entry e;
	struct test t;

	(void)state;
	conf.routes = (struct conf_list){ routes, COUNT(routes) };
	begin(&t);
	t.conf = &conf;
	q.data = dlv_entry_put(&t.a, &was);
	try(&t, &q, 1);
	assert_int_equal(t.up.nset, 1);
	assert_int_equal(t.up.set[0].kind, DIR_ELSEWHERE);
	assert_int_equal(t.up.set[0].state, DLV_READY);
	assert_int_equal(t.up.set[0].attempts, 0);
	assert_int_equal(dlv_entry_get(t.up.set[0].data, &e), RC_OK);
	assert_true(e.hop.n + e.host.n + e.status.n + e.reply.n == 0);
	assert_true(e.code == 0 && e.from_server == 0 && e.tried_at == 0);
	CHECK_STR(e.route, STR("exchange.example.org"));
	CHECK_STR(e.envid, STR("envelope"));
	assert_true(e.notify == REM_NOTIFY_DELAY && e.warned == 1);
	arena_free(&t.a);
}

/* A person, a group's members, and the entries that these get. */
static void
junk_stays_junk(void **state)
{
	const struct dlv_entry junk = { .junk = 1 };
	struct store_queued q[] = {
		entry(1, "ann@example.org", DIR_USER, ANN),
		entry(2, "bob@example.org", DIR_USER, BOB),
		entry(3, "team@example.org", DIR_GROUP, TEAM),
	};
	struct dlv_entry e;
	struct test t;

	(void)state;
	begin(&t);
	q[0].data = q[2].data = dlv_entry_put(&t.a, &junk);
	t.team[t.dir.nteam++] = fake_person(CEE, "cee@example.org");
	t.team[t.dir.nteam++] = fake_person(TOM, "tom@example.org");
	try(&t, q, COUNT(q));
	assert_int_equal(t.up.nto, 3);
	CHECK_STR(t.up.to[0].mailbox, STR("Junk"));
	CHECK_STR(t.up.to[1].mailbox, STR("INBOX"));
	CHECK_STR(t.up.to[2].mailbox, STR("Junk"));
	assert_int_equal(t.up.nset, 1); /* Tom */
	assert_int_equal(dlv_entry_get(t.up.set[0].data, &e), RC_OK);
	assert_int_equal(e.junk, 1);
	arena_free(&t.a);
}

/* fake_conf: an hour between tries at most. */
static void
times_of_another_clock(void **state)
{
	static const struct {
		enum dlv_state state;
		int64_t next_at, expires_at, grace, next, expires;
	} rows[] = {
		{ DLV_READY, 60, 500, 0, 60, 500 },
		{ DLV_READY, 4051, 9999, 0, 4051, 9999 },
		{ DLV_READY, 4052, 9999, 0, 0, 9999 }, /* set back */
		{ DLV_DONE, 86400, 9999, 0, 0, 9999 },
		{ DLV_READY, -9, -5, 0, -9, -5 },
		{ DLV_READY, -9, -5, 300, -9, 300 }, /* set forward */
		{ DLV_READY, -9, 500, 300, -9, 500 },
		{ DLV_HELD, -9, -5, 300, -9, -5 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct store_queued q = entry(1, "x@y.test", DIR_USER, ANN);
		struct store_queue_item item = { .entries = &q, .nentries = 1 };

		q.state = rows[i].state;
		q.next_at = NOW + rows[i].next_at;
		q.expires_at = NOW + rows[i].expires_at;
		dlv_retry_clock(&fake_conf, &item, NOW, rows[i].grace);
		assert_int_equal(q.next_at, NOW + rows[i].next);
		assert_int_equal(q.expires_at, NOW + rows[i].expires);
	}
}

static void
only_what_is_due_is_tried(void **state)
{
	struct store_queued q[] = {
		entry(1, "ann@example.org", DIR_USER, ANN),
		entry(2, "bob@example.org", DIR_USER, BOB),
		entry(3, "cee@example.org", DIR_USER, CEE),
		entry(4, "dan@example.org", DIR_USER, DAN),
	};
	struct test t;

	(void)state;
	begin(&t);
	q[0].next_at = NOW + 1;
	q[2].state = DLV_HELD;
	q[3].state = DLV_POISON;
	try(&t, q, COUNT(q));
	assert_int_equal(t.dir.asked, 1);
	assert_int_equal(t.up.nto, 1);
	CHECK_STR(t.up.to[0].account, STR(BOB));
	assert_int_equal(t.up.nset, 0);
	arena_free(&t.a);
}

static void
group_skips_those_who_have_it(void **state)
{
	struct store_queued q[] = {
		entry(1, "team@example.org", DIR_GROUP, TEAM),
		entry(2, "cee@example.org", DIR_USER, CEE), /* held */
		entry(3, "bob@example.org", DIR_USER, BOB), /* due */
	};
	struct test t;

	(void)state;
	begin(&t);
	q[0].data = people(&t.a, ANN);
	q[1].state = DLV_HELD;
	t.team[t.dir.nteam++] = fake_person(ANN, "ann@example.org");
	t.team[t.dir.nteam++] = fake_person(BOB, "bob@example.org");
	t.team[t.dir.nteam++] = fake_person(CEE, "cee@example.org");
	t.team[t.dir.nteam++] = fake_person(DAN, "dan@example.org");
	t.team[t.dir.nteam++] = fake_person(ID("55"), "new@example.org");
	try(&t, q, COUNT(q));
	assert_int_equal(t.up.nto, 2);
	CHECK_STR(t.up.to[0].account, STR(BOB));
	CHECK_STR(t.up.to[0].prefix, STR("Return-Path: <>\r\nX: kept\r\n"));
	CHECK_STR(t.up.to[1].account, STR(ID("55")));
	CHECK_STR(t.up.to[1].prefix,
	    STR("Return-Path: <>\r\nDelivered-To: new@example.org\r\n" TRACE));
	assert_int_equal(t.up.nremove, 2);
	assert_int_equal(t.up.nset, 1); /* Dan, elsewhere, is new */
	assert_int_equal(t.up.set[0].id, 0);
	assert_int_equal(t.up.set[0].state, DLV_HELD);
	assert_int_equal(t.up.set[0].expires_at, NOW + 500);
	CHECK_STR(t.up.set[0].dir_id, STR(DAN));
	arena_free(&t.a);
}

static void
people_move_to_the_group_that_stays(void **state)
{
	struct store_queued q[] = {
		entry(1, "team@example.org", DIR_GROUP, TEAM),
		entry(2, "staff@example.org", DIR_GROUP, STAFF),
	};
	struct dlv_people seen;
	struct test t;

	(void)state;
	begin(&t);
	q[0].data = people(&t.a, ANN);
	q[1].next_at = NOW + 100;
	t.team[t.dir.nteam++] = fake_person(BOB, "bob@example.org");
	try(&t, q, COUNT(q));
	assert_int_equal(t.up.nto, 1);
	assert_int_equal(t.up.nremove, 1);
	assert_int_equal(t.up.nset, 1);
	assert_int_equal(t.up.set[0].id, 2);
	assert_int_equal(t.up.set[0].attempts, 1);
	assert_int_equal(t.up.set[0].next_at, NOW + 100);
	dlv_people_init(&seen, &t.a);
	assert_int_equal(
	    dlv_people_load(&seen, fake_people(t.up.set[0].data)), RC_OK);
	assert_true(dlv_people_has(&seen, STR(ANN), STR("")));
	assert_true(dlv_people_has(&seen, STR(BOB), STR("")));
	arena_free(&t.a);
}

static void
delivered_person_is_remembered_for_the_group(void **state)
{
	struct store_queued q[] = {
		entry(1, "team@example.org", DIR_GROUP, TEAM), /* later */
		entry(2, "bob@example.org", DIR_USER, BOB),
	};
	struct dlv_people seen;
	struct test t;

	(void)state;
	begin(&t);
	q[0].next_at = NOW + 100;
	try(&t, q, COUNT(q));
	assert_int_equal(t.up.nto, 1);
	assert_int_equal(t.up.nset, 1);
	assert_int_equal(t.up.set[0].id, 1);
	dlv_people_init(&seen, &t.a);
	assert_int_equal(
	    dlv_people_load(&seen, fake_people(t.up.set[0].data)), RC_OK);
	assert_true(dlv_people_has(&seen, STR(BOB), STR("")));
	arena_free(&t.a);
}

static void
group_waits_for_the_directory(void **state)
{
	static const struct {
		const char *id;
		bool down;
		enum dlv_state after;
	} rows[] = {
		{ TEAM, true, DLV_READY },
		{ GONE, false, DLV_HELD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct store_queued q =
		    entry(9, "team@example.org", DIR_GROUP, rows[i].id);
		struct test t;

		begin(&t);
		t.dir.down = rows[i].down;
		q.data = people(&t.a, ANN);
		try(&t, &q, 1);
		assert_int_equal(t.up.nto + t.up.nremove, 0);
		assert_int_equal(t.up.nset, 1);
		assert_int_equal(t.up.set[0].state, rows[i].after);
		CHECK_STR(fake_people(t.up.set[0].data), q.data);
		arena_free(&t.a);
	}
}

/* The same try has one name, the next one another. */
static void
operation_ids_name_the_try(void **state)
{
	struct store_queued q = entry(9, "team@example.org", DIR_GROUP, TEAM);
	struct test t[4];

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		begin(&t[i]);
		if (i == 2)
			q.attempts = 2;
		if (i == 3)
			q.data = people(&t[i].a, ANN);
		try(&t[i], &q, 1);
	}
	CHECK_STR(t[0].up.op_id, t[1].up.op_id);
	assert_false(str_eq(t[1].up.op_id, t[2].up.op_id));
	assert_false(str_eq(t[2].up.op_id, t[3].up.op_id));
	for (size_t i = 0; i < COUNT(t); i++)
		arena_free(&t[i].a);
}

/* An organisation that moves in may have most of its people elsewhere. */
static void
crowded_queue_still_delivers_to_those_here(void **state)
{
	struct store_queued q[] = {
		entry(1, "team@example.org", DIR_GROUP, TEAM),
		entry(2, "cee@example.org", DIR_ELSEWHERE, CEE), /* held */
	};
	struct test t;

	(void)state;
	begin(&t);
	q[1].state = DLV_HELD;
	q[1].prefix.p = arena_calloc(&t.a, 1, DLV_ENTRY_BYTES);
	q[1].prefix.n = DLV_ENTRY_BYTES;
	t.team[t.dir.nteam++] = fake_person(DAN, "dan@example.org");
	t.team[t.dir.nteam++] = fake_person(BOB, "bob@example.org");
	try(&t, q, COUNT(q));
	assert_int_equal(t.up.nto, 1);
	CHECK_STR(t.up.to[0].account, STR(BOB));
	assert_int_equal(t.up.nremove, 0);
	assert_int_equal(t.up.nset, 1);
	assert_int_equal(t.up.set[0].id, 1);
	assert_int_equal(t.up.set[0].state, DLV_READY);
	assert_true(t.up.set[0].next_at > NOW);
	arena_free(&t.a);
}

static void
damaged_items_are_not_tried(void **state)
{
	struct store_queued q = entry(9, "team@example.org", DIR_GROUP, TEAM);
	const struct store_queue_item item = {
		.message_id = STR("00"),
		.entries = &q,
		.nentries = 1,
	};
	struct test t;

	(void)state;
	begin(&t);
	q.data = STR("\1short");
	assert_int_equal(dlv_plan_init(&t.p, &t.a, &fake_log, &fake_conf,
			     item.from, STR(""), NOW, 3),
	    RC_OK);
	assert_int_equal(
	    dlv_retry_plan(&t.p, &t.dir, &item, deadline_in(60000), &t.up),
	    RC_BAD);
	assert_int_equal(t.dir.expanded, 0);
	arena_free(&t.a);
}

/* What is known of the place counts if it is newer than the own try. */
static void
the_last_error_is_told(void **state)
{
	static const struct {
		bool places;
		uint32_t attempts;
		int64_t tried_at;
		const char *reply; /* NULL: it is not given up */
		int64_t late;      /* seconds past its time */
	} rows[] = {
		{ false, 0, 0, NULL },
		{ false, 0, 0, NULL, 3600 },
		{ false, 0, 0, "it could not be tried here; the log says why",
		    3601 },
		{ true, 0, 0,
		    "not tried, the last error of mx:x.example: "
		    "refused" },
		{ true, 1, NOW - 9,
		    "not tried again, the last error of mx:x.example: "
		    "refused" },
		{ true, 1, NOW - 5, "own" },
		{ false, 1, NOW - 9, "own" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dlv_entry e = { .tried_at = rows[i].tried_at };
		struct store_queued q =
		    entry(1, "joe@x.example", DIR_ELSEWHERE, "");
		struct test t;

		begin(&t);
		if (rows[i].attempts > 0)
			e.reply = STR("own");
		q.attempts = rows[i].attempts;
		q.expires_at = NOW - rows[i].late;
		q.data = dlv_entry_put(&t.a, &e);
		t.places = rows[i].places;
		try(&t, &q, 1);
		assert_int_equal(t.up.nset, rows[i].reply != NULL);
		if (t.up.nset > 0) {
			assert_int_equal(t.up.set[0].state, DLV_DONE);
			assert_int_equal(
			    dlv_entry_get(t.up.set[0].data, &e), RC_OK);
			CHECK_STR(e.reply, str_c(rows[i].reply));
			assert_int_equal(e.expired, 1);
		}
		arena_free(&t.a);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(person_follows_directory),
		cmocka_unit_test(the_way_out_begins_anew),
		cmocka_unit_test(junk_stays_junk),
		cmocka_unit_test(times_of_another_clock),
		cmocka_unit_test(only_what_is_due_is_tried),
		cmocka_unit_test(group_skips_those_who_have_it),
		cmocka_unit_test(people_move_to_the_group_that_stays),
		cmocka_unit_test(delivered_person_is_remembered_for_the_group),
		cmocka_unit_test(group_waits_for_the_directory),
		cmocka_unit_test(operation_ids_name_the_try),
		cmocka_unit_test(crowded_queue_still_delivers_to_those_here),
		cmocka_unit_test(damaged_items_are_not_tried),
		cmocka_unit_test(the_last_error_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
