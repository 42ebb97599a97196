#include <pthread.h>
#include <unistd.h>

#include "tests/unit/lib/test.h"
#include "lib/inflight.h"

/* One life of a process: enters what it is given and ends as told. */
static void
live(int fd, struct str id, bool die)
{
	struct inflight *f = inflight_open(fd);
	unsigned slot;

	assert_rc(inflight_begin(f, id, &slot), RC_OK);
	if (!die)
		inflight_end(f, slot);
	inflight_close(&f);
}

static void
two_deaths_are_poison(void **state)
{
	AUTO_FD fd = inflight_make();
	struct inflight *f;
	unsigned char id[INFLIGHT_ID];
	unsigned slot, deaths = 0;

	(void)state;
	assert_true(fd >= 0);
	live(fd, STR("bad"), true);
	live(fd, STR("bad"), true);
	f = inflight_open(fd);
	assert_int_equal(inflight_deaths(f, STR("bad")), 2);
	assert_rc(inflight_begin(f, STR("bad"), &slot), RC_DENY);
	assert_rc(inflight_begin(f, STR("good"), &slot), RC_OK);
	inflight_end(f, slot);
	assert_true(inflight_found(f, 0, id, &deaths));
	assert_memory_equal(id, "bad\0\0\0\0\0\0\0\0\0\0\0\0\0", INFLIGHT_ID);
	assert_int_equal(deaths, 2);
	assert_false(inflight_found(f, 1, id, &deaths));
	inflight_forget(f, STR("bad"));
	assert_rc(inflight_begin(f, STR("bad"), &slot), RC_OK);
	inflight_end(f, slot);
	inflight_close(&f);
}

static void
what_was_finished_is_not_blamed(void **state)
{
	AUTO_FD fd = inflight_make();
	struct inflight *f;
	unsigned char id[INFLIGHT_ID];
	unsigned deaths;

	(void)state;
	live(fd, STR("fine"), false);
	live(fd, STR("once"), true);
	live(fd, STR("fine"), false);
	f = inflight_open(fd);
	assert_int_equal(inflight_deaths(f, STR("fine")), 0);
	assert_int_equal(inflight_deaths(f, STR("once")), 1);
	/* It was the life before the last that died with it. */
	assert_false(inflight_found(f, 0, id, &deaths));
	inflight_close(&f);
}

static void
a_full_table_says_so(void **state)
{
	struct inflight *f = inflight_open(-1);
	unsigned slot[INFLIGHT_SLOTS], more;

	(void)state;
	for (unsigned i = 0; i < INFLIGHT_SLOTS; i++)
		assert_rc(inflight_begin(f, STR("x"), &slot[i]), RC_OK);
	assert_rc(inflight_begin(f, STR("x"), &more), RC_TEMP);
	inflight_end(f, slot[77]);
	assert_rc(inflight_begin(f, STR("x"), &more), RC_OK);
	assert_int_equal(more, slot[77]);
	inflight_close(&f);
}

static void
many_deaths_push_out_the_oldest(void **state)
{
	AUTO_FD fd = inflight_make();
	AUTO_ARENA a = { 0 };
	struct inflight *f;

	(void)state;
	for (unsigned i = 0; i <= INFLIGHT_DEATHS; i++)
		live(fd, str_fmt(&a, "id-%u", i), true);
	f = inflight_open(fd);
	assert_int_equal(inflight_deaths(f, STR("id-0")), 0);
	assert_int_equal(inflight_deaths(f, STR("id-1")), 1);
	assert_int_equal(
	    inflight_deaths(f, str_fmt(&a, "id-%u", INFLIGHT_DEATHS)), 1);
	inflight_close(&f);
}

static void *
enter_and_leave(void *arg)
{
	struct inflight *f = arg;

	for (int i = 0; i < 20000; i++) {
		unsigned slot;

		if (inflight_begin(f, STR("id"), &slot) != RC_OK)
			return f;
		inflight_end(f, slot);
	}
	return NULL;
}

static void
threads_do_not_meet_in_a_slot(void **state)
{
	AUTO_FD fd = inflight_make();
	struct inflight *f = inflight_open(fd);
	pthread_t t[4];
	void *failed;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		assert_int_equal(
		    pthread_create(&t[i], NULL, enter_and_leave, f), 0);
	for (size_t i = 0; i < COUNT(t); i++) {
		pthread_join(t[i], &failed);
		assert_null(failed);
	}
	inflight_close(&f);
	f = inflight_open(fd);
	assert_int_equal(inflight_deaths(f, STR("id")), 0);
	inflight_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_deaths_are_poison),
		cmocka_unit_test(what_was_finished_is_not_blamed),
		cmocka_unit_test(a_full_table_says_so),
		cmocka_unit_test(many_deaths_push_out_the_oldest),
		cmocka_unit_test(threads_do_not_meet_in_a_slot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
