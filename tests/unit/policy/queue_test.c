/* Who is checked when, and who never. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/pol_queue.h"

#define A STR("192.0.2.1")
#define B STR("192.0.2.2")

static const struct deadline never = { INT64_MAX }, past = { 1 };

static enum pol_turn_is
enter(struct pol_queue *q, struct str ip, struct pol_turn *t)
{
	return pol_queue_enter(q, ip, never, t);
}

static void
a_client_has_its_share(void **state)
{
	struct pol_queue *q = pol_queue_new(8, 4);
	struct pol_turn a[6], b[4];

	(void)state;
	assert_int_equal(enter(q, A, &a[0]), POL_TURN_RUN);
	assert_int_equal(enter(q, A, &a[1]), POL_TURN_RUN);
	assert_int_equal(enter(q, A, &a[2]), POL_TURN_WAIT);
	assert_int_equal(enter(q, A, &a[3]), POL_TURN_WAIT);
	assert_int_equal(enter(q, A, &a[4]), POL_TURN_WAIT);
	assert_int_equal(enter(q, A, &a[5]), POL_TURN_BUSY);
	/* Others do not wait for it. */
	assert_int_equal(enter(q, B, &b[0]), POL_TURN_RUN);
	assert_int_equal(enter(q, B, &b[1]), POL_TURN_RUN);
	assert_int_equal(enter(q, B, &b[2]), POL_TURN_WAIT);
	assert_int_equal(enter(q, B, &b[3]), POL_TURN_BUSY);
	assert_ptr_equal(pol_queue_done(q, &b[1]), &b[2]);
	assert_ptr_equal(pol_queue_done(q, &b[2]), NULL);
	assert_ptr_equal(pol_queue_done(q, &b[0]), NULL);
	/* In the order in which they came. */
	assert_ptr_equal(pol_queue_done(q, &a[1]), &a[2]);
	assert_ptr_equal(pol_queue_done(q, &a[0]), &a[3]);
	assert_ptr_equal(pol_queue_done(q, &a[3]), &a[4]);
	assert_ptr_equal(pol_queue_done(q, &a[4]), NULL);
	assert_ptr_equal(pol_queue_done(q, &a[2]), NULL);
	pol_queue_free(&q);
}

static void
a_network_of_ipv6_is_one_client(void **state)
{
	static const struct {
		struct str x, y;
		enum pol_turn_is third;
	} rows[] = {
		{ STR_INIT("2001:db8::1"), STR_INIT("2001:db8::2:3"),
		    POL_TURN_WAIT },
		{ STR_INIT("2001:db8::1"), STR_INIT("2001:db8:0:1::1"),
		    POL_TURN_RUN },
		{ STR_INIT("192.0.2.1"), STR_INIT("::ffff:192.0.2.1"),
		    POL_TURN_WAIT },
		{ STR_INIT("192.0.2.1"), STR_INIT("192.0.2.2"), POL_TURN_RUN },
		{ STR_INIT("x"), STR_INIT(""), POL_TURN_WAIT },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pol_queue *q = pol_queue_new(8, 8);
		struct pol_turn t[3];

		assert_int_equal(enter(q, rows[i].x, &t[0]), POL_TURN_RUN);
		assert_int_equal(enter(q, rows[i].x, &t[1]), POL_TURN_RUN);
		assert_int_equal(enter(q, rows[i].y, &t[2]), rows[i].third);
		(void)pol_queue_stop(q);
		(void)pol_queue_done(q, &t[0]);
		(void)pol_queue_done(q, &t[1]);
		if (rows[i].third == POL_TURN_RUN)
			(void)pol_queue_done(q, &t[2]);
		pol_queue_free(&q);
	}
}

/* The next is the first that may, not the first. */
static void
full_houses_let_in_who_may(void **state)
{
	struct pol_queue *q = pol_queue_new(3, 8);
	struct pol_turn a[3], b[3];

	(void)state;
	assert_int_equal(enter(q, A, &a[0]), POL_TURN_RUN);
	assert_int_equal(enter(q, A, &a[1]), POL_TURN_RUN);
	assert_int_equal(enter(q, A, &a[2]), POL_TURN_WAIT);
	assert_int_equal(enter(q, B, &b[0]), POL_TURN_RUN);
	assert_int_equal(enter(q, B, &b[1]), POL_TURN_WAIT);
	assert_ptr_equal(pol_queue_done(q, &b[0]), &b[1]);
	assert_int_equal(enter(q, B, &b[2]), POL_TURN_WAIT);
	assert_ptr_equal(pol_queue_done(q, &a[0]), &a[2]);
	assert_ptr_equal(pol_queue_done(q, &a[1]), &b[2]);
	assert_ptr_equal(pol_queue_done(q, &a[2]), NULL);
	assert_ptr_equal(pol_queue_done(q, &b[1]), NULL);
	assert_ptr_equal(pol_queue_done(q, &b[2]), NULL);
	pol_queue_free(&q);
}

static void
who_is_too_late_gets_no_turn(void **state)
{
	struct pol_queue *q = pol_queue_new(1, 40);
	struct pol_turn a[5], *late;

	(void)state;
	assert_int_equal(enter(q, A, &a[0]), POL_TURN_RUN);
	assert_int_equal(enter(q, B, &a[1]), POL_TURN_WAIT);
	assert_int_equal(pol_queue_enter(q, A, past, &a[2]), POL_TURN_WAIT);
	assert_int_equal(pol_queue_enter(q, B, past, &a[3]), POL_TURN_WAIT);
	assert_ptr_equal(pol_queue_done(q, &a[0]), &a[1]);
	late = pol_queue_late(q);
	assert_ptr_equal(late, &a[2]);
	assert_ptr_equal(late->next, &a[3]);
	assert_ptr_equal(late->next->next, NULL);
	/* The end of the list is where it should be. */
	assert_int_equal(enter(q, A, &a[4]), POL_TURN_WAIT);
	assert_ptr_equal(pol_queue_done(q, &a[1]), &a[4]);
	assert_ptr_equal(pol_queue_done(q, &a[4]), NULL);
	pol_queue_free(&q);
}

static void
a_stop_lets_nobody_wait(void **state)
{
	struct pol_queue *q = pol_queue_new(1, 8);
	struct pol_turn a[3];

	(void)state;
	assert_int_equal(enter(q, A, &a[0]), POL_TURN_RUN);
	assert_int_equal(enter(q, B, &a[1]), POL_TURN_WAIT);
	assert_ptr_equal(pol_queue_stop(q), &a[1]);
	assert_ptr_equal(pol_queue_late(q), NULL);
	assert_int_equal(enter(q, B, &a[2]), POL_TURN_BUSY);
	assert_ptr_equal(pol_queue_done(q, &a[0]), NULL);
	pol_queue_free(&q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_has_its_share),
		cmocka_unit_test(a_network_of_ipv6_is_one_client),
		cmocka_unit_test(full_houses_let_in_who_may),
		cmocka_unit_test(who_is_too_late_gets_no_turn),
		cmocka_unit_test(a_stop_lets_nobody_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
