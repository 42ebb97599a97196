/* Who is next: turns, limits, places that are down.  Time is injected. */
#include "delivery/dlv_entry.h"
#include "delivery/dlv_sched.h"
#include "tests/unit/delivery/fake.h"

static const struct dlv_numbers one = { .ready = 1, .expires_at = DLV_NEVER };

static const struct dlv_why why = { .reply = STR_INIT("refused") };

static struct dlv_message *
message(struct dlv_sched *s, const char *id, const char *hop, int64_t at)
{
	struct dlv_message *m = dlv_sched_add(s, str_c(id));

	dlv_sched_begin(s, m, &one);
	dlv_sched_want(s, m, str_c(hop), at);
	dlv_sched_end(s, m);
	return m;
}

static void
check_next(struct dlv_sched *s, int64_t now, const char *id)
{
	int64_t at;
	struct dlv_job *j = dlv_sched_next(s, now, &at);

	if (id == NULL) {
		assert_null(j);
		return;
	}
	assert_non_null(j);
	CHECK_STR(str_n(j->m->id, j->m->id_n), str_c(id));
}

static void
begin(struct dlv_sched *s)
{
	dlv_sched_init(s);
	s->limit = 2;
	s->cap = 3;
	s->local = 1;
}

static void
places_take_turns_within_limits(void **state)
{
	struct dlv_sched s;
	int64_t at;

	(void)state;
	begin(&s);
	message(&s, "a1", "mx:a", 10);
	message(&s, "a2", "mx:a", 11);
	message(&s, "a3", "mx:a", 12);
	message(&s, "b1", "mx:b", 20);
	message(&s, "b2", "mx:b", 21);
	check_next(&s, 5, NULL);
	check_next(&s, 30, "a1");
	check_next(&s, 31, "b1"); /* though a2 has waited longer */
	check_next(&s, 32, "a2");
	check_next(&s, 33, NULL); /* cap */
	assert_null(dlv_sched_next(&s, 33, &at));
	assert_true(at == DLV_NEVER);
	s.cap = 10;
	check_next(&s, 34, "b2");
	check_next(&s, 35, NULL); /* a3: the limit of its place */
	s.limit = 3;
	dlv_sched_poke_place(&s, dlv_sched_find(&s, STR("a3"))->jobs->place);
	check_next(&s, 36, "a3");
	assert_int_equal(s.running, 5);
	dlv_sched_free(&s);
}

static void
a_place_that_is_down_is_probed(void **state)
{
	struct dlv_sched s;
	struct dlv_job *j;
	int64_t at;

	(void)state;
	begin(&s);
	message(&s, "a1", "mx:a", 10);
	message(&s, "a2", "mx:a", 11);
	message(&s, "a3", "mx:a", 12);
	j = dlv_sched_next(&s, 10, &at);
	dlv_sched_down(&s, j, 1000, &why);
	dlv_sched_done(&s, j, 11);
	assert_null(dlv_sched_next(&s, 999, &at));
	assert_int_equal(at, 1000);
	j = dlv_sched_next(&s, 1000, &at);
	assert_non_null(j);
	check_next(&s, 1001, NULL); /* one probe at a time */
	dlv_sched_up(&s, j->place);
	check_next(&s, 1002, "a3");
	dlv_sched_free(&s);
}

static const struct dlv_why later = { .reply = STR_INIT("timeout") };

/* Three tries are under way when a server goes away. */
static void
what_fails_together_is_one_failure(void **state)
{
	struct dlv_job *j[3], *probe;
	struct dlv_sched s;
	struct dlv_place *p;
	int64_t at;

	(void)state;
	begin(&s);
	s.limit = 3;
	message(&s, "a1", "mx:a", 10);
	message(&s, "a2", "mx:a", 10);
	message(&s, "a3", "mx:a", 10);
	message(&s, "a4", "mx:a", 20);
	for (size_t i = 0; i < COUNT(j); i++)
		j[i] = dlv_sched_next(&s, 10, &at);
	p = j[0]->place;
	dlv_sched_down(&s, j[0], 1000, &why);
	dlv_sched_done(&s, j[0], 11);
	dlv_sched_down(&s, j[1], 2000, &later); /* while it is down */
	dlv_sched_done(&s, j[1], 12);
	assert_int_equal(p->fails, 1);
	assert_int_equal(p->down_until, 1000);
	CHECK_STR(dlv_sched_why(&s, STR("mx:a"))->reply, later.reply);
	check_next(&s, 1500, NULL);
	dlv_sched_down(&s, j[2], 3000, &why); /* after a long silence */
	dlv_sched_done(&s, j[2], 1501);
	assert_int_equal(p->fails, 1);
	probe = dlv_sched_next(&s, 1502, &at);
	assert_non_null(probe);
	dlv_sched_down(&s, probe, 4000, &why);
	assert_int_equal(p->fails, 2);
	assert_int_equal(p->down_until, 4000);
	dlv_sched_free(&s);
}

/* It says what was, not what is. */
static void
a_late_failure_does_not_undo_a_success(void **state)
{
	struct dlv_job *slow, *quick, *next;
	struct dlv_sched s;
	int64_t at;

	(void)state;
	begin(&s);
	message(&s, "a1", "mx:a", 10);
	message(&s, "a2", "mx:a", 10);
	message(&s, "a3", "mx:a", 10);
	slow = dlv_sched_next(&s, 10, &at);
	quick = dlv_sched_next(&s, 10, &at);
	dlv_sched_up(&s, quick->place);
	dlv_sched_done(&s, quick, 11);
	next = dlv_sched_next(&s, 12, &at);
	dlv_sched_down(&s, slow, 1000, &why);
	dlv_sched_done(&s, slow, 13);
	assert_int_equal(next->place->fails, 0);
	assert_null(dlv_sched_why(&s, STR("mx:a")));
	dlv_sched_down(&s, next, 1000, &why); /* began behind the success */
	assert_int_equal(next->place->fails, 1);
	dlv_sched_free(&s);
}

/* By an administrator; what fails after the command is down again. */
static void
a_place_is_revived_once_for_each_command(void **state)
{
	struct dlv_job *before, *after;
	struct dlv_sched s;
	struct dlv_place *p;
	uint64_t mark;
	int64_t at;

	(void)state;
	begin(&s);
	message(&s, "a1", "mx:a", 10);
	message(&s, "a2", "mx:a", 11);
	message(&s, "a3", "mx:a", 12);
	before = dlv_sched_next(&s, 10, &at);
	p = before->place;
	mark = dlv_sched_mark(&s);
	dlv_sched_down(&s, before, 1000, &why);
	dlv_sched_revive(&s, STR("mx:other"), mark);
	assert_int_equal(p->fails, 1);
	dlv_sched_revive(&s, STR("mx:a"), mark);
	assert_int_equal(p->fails, 0);
	after = dlv_sched_next(&s, 20, &at);
	assert_non_null(after);
	dlv_sched_down(&s, after, 1000, &why);
	dlv_sched_done(&s, after, 20);
	dlv_sched_revive(&s, STR("mx:a"), mark);
	assert_int_equal(p->fails, 1);
	dlv_sched_done(&s, before, 20);
	check_next(&s, 30, NULL);
	dlv_sched_revive(&s, STR("mx:a"), dlv_sched_mark(&s));
	check_next(&s, 30, "a3");
	dlv_sched_free(&s);
}

static void
the_house_and_others_exclude_each_other(void **state)
{
	struct dlv_sched s;
	struct dlv_message *m;
	struct dlv_job *j;
	int64_t at;

	(void)state;
	begin(&s);
	m = dlv_sched_add(&s, STR("a1"));
	dlv_sched_begin(&s, m, &one);
	dlv_sched_want(&s, m, STR(""), 10);
	dlv_sched_want(&s, m, STR("mx:a"), 10);
	dlv_sched_want(&s, m, STR("mx:b"), 10);
	dlv_sched_end(&s, m);
	j = dlv_sched_next(&s, 10, &at);
	assert_true(j->place == s.house);
	check_next(&s, 10, NULL);
	dlv_sched_done(&s, j, 11);
	/* It is looked at, and says again what it wants. */
	dlv_sched_begin(&s, m, &one);
	dlv_sched_want(&s, m, STR(""), 20);
	dlv_sched_want(&s, m, STR("mx:a"), 10);
	dlv_sched_want(&s, m, STR("mx:b"), 10);
	dlv_sched_end(&s, m);
	check_next(&s, 12, "a1");
	check_next(&s, 12, "a1");
	assert_int_equal(m->running, 2);
	check_next(&s, 30, NULL);
	dlv_sched_free(&s);
}

static void
pauses_hold_all_but_the_house(void **state)
{
	struct dlv_sched s;
	int64_t at;

	(void)state;
	begin(&s);
	message(&s, "a1", "mx:a", 10);
	message(&s, "b1", "", 10);
	s.pause_until = 500;
	check_next(&s, 20, "b1");
	assert_null(dlv_sched_next(&s, 20, &at));
	assert_int_equal(at, 500);
	check_next(&s, 500, "a1");
	dlv_sched_free(&s);
}

/* Set back by a day: what was due in a minute is due in a minute. */
static void
a_clock_set_back_puts_nothing_off(void **state)
{
	const int64_t day = 86400000, t = 10 * day;
	struct dlv_sched s;
	struct dlv_job *j;
	int64_t at;

	(void)state;
	begin(&s);
	message(&s, "a1", "mx:a", t);
	message(&s, "a2", "mx:a", t + 60000);
	message(&s, "b1", "", t + 70000);
	message(&s, "c1", "mx:c", t);
	check_next(&s, t, "a1"); /* a place that was just served */
	j = dlv_sched_next(&s, t, &at);
	dlv_sched_down(&s, j, t + 80000, &why); /* and one that is down */
	dlv_sched_done(&s, j, t);
	dlv_sched_want(&s, j->m, STR("mx:c"), t);
	s.pause_until = t + 10000;
	assert_null(dlv_sched_next(&s, t - day, &at));
	assert_int_equal(at, t - day + 60000);
	message(&s, "a3", "mx:a", t - day); /* new */
	assert_null(dlv_sched_next(&s, t - day + 9999, &at));
	check_next(&s, t - day + 10000, "a3");
	assert_int_equal(s.running, 2);
	check_next(&s, t - day + 70000, "b1");
	check_next(&s, t - day + 80000, "c1");
	dlv_sched_free(&s);
}

/* Set forward by a day: all is due, and taken within the limits. */
static void
a_clock_set_forward_makes_no_storm(void **state)
{
	const int64_t day = 86400000;
	struct dlv_sched s;

	(void)state;
	begin(&s);
	message(&s, "a1", "mx:a", 1000);
	message(&s, "a2", "mx:a", 2000);
	message(&s, "a3", "mx:a", 3000);
	check_next(&s, 10, NULL);
	check_next(&s, day, "a1");
	check_next(&s, day, "a2");
	check_next(&s, day, NULL);
	dlv_sched_free(&s);
}

static void
looks_are_remembered(void **state)
{
	struct dlv_sched s;
	struct dlv_message *m;

	(void)state;
	begin(&s);
	m = dlv_sched_add(&s, STR("a1"));
	assert_null(dlv_sched_take_look(&s));
	dlv_sched_look(&s, m);
	dlv_sched_look(&s, m);
	assert_ptr_equal(dlv_sched_take_look(&s), m);
	assert_false(m->changed);
	dlv_sched_look(&s, m); /* while somebody looks */
	assert_null(dlv_sched_take_look(&s));
	assert_true(m->changed);
	m->looking = false;
	dlv_sched_forget(&s, m);
	assert_int_equal(s.sum.ready, 0);
	dlv_sched_free(&s);
}

/* Places live as long as somebody wants to go there. */
static void
places_come_and_go(void **state)
{
	struct dlv_sched s;

	(void)state;
	begin(&s);
	message(&s, "a1", "mx:a", 10);
	message(&s, "a2", "mx:a", 20);
	assert_int_equal(HASH_COUNT(s.by_hop), 2);
	dlv_sched_forget(&s, dlv_sched_find(&s, STR("a1")));
	assert_int_equal(HASH_COUNT(s.by_hop), 2);
	dlv_sched_forget(&s, dlv_sched_find(&s, STR("a2")));
	assert_int_equal(HASH_COUNT(s.by_hop), 1);
	dlv_sched_free(&s);
}

static void
entries_are_kept_whole(void **state)
{
	const struct dlv_entry e = {
		.notify = 6,
		.orcpt = STR("rfc822;x"),
		.route = STR("a\0b"),
		.people = STR("\1people"),
		.code = 451,
		.tried_at = 1700000000,
		.waits = 1,
	};
	static const struct {
		struct str data;
		enum rc rc;
	} rows[] = {
		{ S(""), RC_OK }, { S("\2"), RC_OK },
		{ S("\1pppppppppppppppp"), RC_OK }, { S("\3"), RC_BAD },
		{ S("\2\1\10\0\0\0\0\0\0\0"), RC_BAD }, /* short */
		{ S("\2\1\1\0\0\0\0"), RC_BAD },        /* not 8 */
		{ S("\2\3\377\377\377\377"), RC_BAD },  /* long */
		{ S("\2\143\0\0\0\0"), RC_BAD },        /* unknown */
	};
	AUTO_ARENA a = { 0 };
	struct dlv_entry got;

	(void)state;
	assert_int_equal(dlv_entry_get(dlv_entry_put(&a, &e), &got), RC_OK);
	CHECK_STR(got.orcpt, e.orcpt);
	CHECK_STR(got.route, e.route);
	CHECK_STR(got.people, e.people);
	assert_int_equal(got.notify, 6);
	assert_int_equal(got.code, 451);
	assert_int_equal(got.tried_at, 1700000000);
	assert_int_equal(got.waits, 1);
	assert_int_equal(got.host.n, 0);
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(dlv_entry_get(rows[i].data, &got), rows[i].rc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_take_turns_within_limits),
		cmocka_unit_test(a_place_that_is_down_is_probed),
		cmocka_unit_test(what_fails_together_is_one_failure),
		cmocka_unit_test(a_late_failure_does_not_undo_a_success),
		cmocka_unit_test(a_place_is_revived_once_for_each_command),
		cmocka_unit_test(the_house_and_others_exclude_each_other),
		cmocka_unit_test(pauses_hold_all_but_the_house),
		cmocka_unit_test(a_clock_set_back_puts_nothing_off),
		cmocka_unit_test(a_clock_set_forward_makes_no_storm),
		cmocka_unit_test(looks_are_remembered),
		cmocka_unit_test(places_come_and_go),
		cmocka_unit_test(entries_are_kept_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
