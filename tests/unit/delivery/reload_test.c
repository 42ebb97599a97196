/* When the queue is read again.  Time is injected. */
#include "delivery/dlv_heap.h"
#include "delivery/dlv_reload.h"
#include "tests/unit/delivery/fake.h"

#define T 1000000

/* The next one, which takes so long. */
static void
check_next(struct dlv_reload *r, int64_t at, int64_t takes)
{
	assert_int_equal(dlv_reload_at(r), at);
	dlv_reload_begin(r, at);
	dlv_reload_end(r, at + takes, true);
}

static void
check_series(struct dlv_reload *r, int64_t from)
{
	check_next(r, from + 1, 0);
	check_next(r, from + 11, 0);
	check_next(r, from + 71, 0);
	check_next(r, from + 671, 0);
	assert_true(dlv_reload_at(r) == DLV_NEVER);
}

static void
a_start_is_a_doubt(void **state)
{
	struct dlv_reload r;

	(void)state;
	dlv_reload_init(&r, T);
	check_next(&r, T, 0);
	check_next(&r, T + 10, 0);
	check_next(&r, T + 70, 0);
	check_next(&r, T + 670, 0);
	assert_true(dlv_reload_at(&r) == DLV_NEVER);
}

/* What began earlier, and has come to an end. */
static void
settled(struct dlv_reload *r)
{
	dlv_reload_init(r, 0);
	while (dlv_reload_at(r) != DLV_NEVER)
		check_next(r, dlv_reload_at(r), 0);
}

static void
a_late_commit_is_looked_for_again_and_again(void **state)
{
	struct dlv_reload r;

	(void)state;
	settled(&r);
	dlv_reload_doubt(&r, T);
	check_series(&r, T);
	/* Another one begins anew, also in the middle. */
	dlv_reload_doubt(&r, T);
	check_next(&r, T + 1, 0);
	check_next(&r, T + 11, 0);
	dlv_reload_doubt(&r, T + 20);
	dlv_reload_doubt(&r, T + 20);
	check_series(&r, T + 20);
	/* One that comes while it is read may be missed by it. */
	dlv_reload_in(&r, T, 0);
	dlv_reload_begin(&r, T);
	dlv_reload_doubt(&r, T + 5);
	dlv_reload_end(&r, T + 9, true);
	assert_int_equal(dlv_reload_at(&r), T + 6);
}

/* What is read for another reason does not use up a turn. */
static void
other_reasons_come_in_between(void **state)
{
	struct dlv_reload r;

	(void)state;
	settled(&r);
	dlv_reload_doubt(&r, T);
	check_next(&r, T + 1, 0);
	dlv_reload_in(&r, T + 2, 1);
	check_next(&r, T + 3, 0);
	check_next(&r, T + 11, 0);
	check_next(&r, T + 71, 0);
}

/* As when the store commits nothing for minutes, and mail comes in. */
static void
many_doubts_cost_a_tenth_of_the_time(void **state)
{
	struct dlv_reload r;
	int64_t busy = 0;

	(void)state;
	settled(&r);
	dlv_reload_in(&r, T, 0);
	check_next(&r, T, 3);
	for (int64_t now = T + 10; now < T + 1000; now++) {
		dlv_reload_doubt(&r, now);
		if (dlv_reload_at(&r) > now)
			continue;
		dlv_reload_begin(&r, now);
		dlv_reload_end(&r, now + 3, true);
		now += 2;
		busy += 3;
	}
	assert_in_range(busy, 80, 100);
}

static void
a_silent_store_is_asked_less_and_less(void **state)
{
	static const int64_t wait[] = { 1, 2, 4, 8, 16, 30, 30 };
	struct dlv_reload r;
	int64_t at = T;

	(void)state;
	dlv_reload_init(&r, T);
	for (size_t i = 0; i < COUNT(wait); i++) {
		assert_int_equal(dlv_reload_at(&r), at);
		dlv_reload_begin(&r, at);
		dlv_reload_end(&r, at, false);
		/* Each message that it does not take is one. */
		dlv_reload_doubt(&r, at);
		at += wait[i];
	}
	check_next(&r, at, 0);
	check_next(&r, at + 10, 0);
}

/* The queue is read when that is noticed. */
static void
a_clock_set_back_does_not_put_it_off(void **state)
{
	struct dlv_reload r;

	(void)state;
	settled(&r);
	dlv_reload_doubt(&r, T + 86400);
	dlv_reload_in(&r, T, 0);
	check_next(&r, T, 0);
	check_next(&r, T + 10, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_is_a_doubt),
		cmocka_unit_test(a_late_commit_is_looked_for_again_and_again),
		cmocka_unit_test(other_reasons_come_in_between),
		cmocka_unit_test(many_doubts_cost_a_tenth_of_the_time),
		cmocka_unit_test(a_silent_store_is_asked_less_and_less),
		cmocka_unit_test(a_clock_set_back_does_not_put_it_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
