#include "tests/unit/delivery/fake.h"

static void
only_canonical_ids_are_people(void **state)
{
	static const struct {
		struct str id;
		enum rc rc;
	} rows[] = {
		{ S(ANN), RC_OK },
		{ S("6f9619ff-8b86-d011-b42d-00c04fc964ff"), RC_OK },
		{ S("00000000-0000-0000-0000-000000000000"), RC_BAD },
		{ S("6F9619FF-8b86-d011-b42d-00c04fc964ff"), RC_BAD },
		{ S("6f9619ff-8b86-d011-b42d-00c04fc964f"), RC_BAD },
		{ S("6f9619ff-8b86-d011-b42d-00c04fc964ff0"), RC_BAD },
		{ S("6f9619ff08b86-d011-b42d-00c04fc964ff"), RC_BAD },
		{ S("6f9619f--8b86-d011-b42d-00c04fc964ff"), RC_BAD },
		{ S("6f9619f\0-8b86-d011-b42d-00c04fc964ff"), RC_BAD },
		{ S(""), RC_BAD },
	};
	AUTO_ARENA a = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dlv_people p;
		bool new;

		dlv_people_init(&p, &a);
		assert_false(dlv_people_has(&p, rows[i].id, STR("")));
		assert_int_equal(
		    dlv_people_add(&p, rows[i].id, STR(""), &new), rows[i].rc);
		assert_int_equal(new, rows[i].rc == RC_OK);
		assert_int_equal(dlv_people_has(&p, rows[i].id, STR("")),
		    rows[i].rc == RC_OK);
	}
}

static struct str
numbered(struct arena *a, unsigned i)
{
	return str_fmt(a, "%08x-0000-4000-8000-000000000000", i + 1);
}

static void
everybody_is_in_once_and_survives_saving(void **state)
{
	AUTO_ARENA a = { 0 };
	struct dlv_people p, q;
	struct str saved;
	bool new;

	(void)state;
	dlv_people_init(&p, &a);
	for (unsigned i = 0; i < 5000; i++) {
		assert_int_equal(
		    dlv_people_add(&p, numbered(&a, i), STR("x"), &new), RC_OK);
		assert_true(new);
		assert_int_equal(
		    dlv_people_add(&p, numbered(&a, i / 2), STR("x"), &new),
		    RC_OK);
		assert_false(new);
	}
	assert_int_equal(p.n, 5000);
	saved = dlv_people_save(&p, &a);
	dlv_people_init(&q, &a);
	assert_int_equal(dlv_people_load(&q, saved), RC_OK);
	assert_int_equal(dlv_people_load(&q, STR("")), RC_OK);
	assert_int_equal(dlv_people_load(&q, saved), RC_OK);
	assert_int_equal(q.n, 5000);
	for (unsigned i = 0; i < 5000; i++)
		assert_true(dlv_people_has(&q, numbered(&a, i), STR("x")));
	assert_false(dlv_people_has(&q, numbered(&a, 5000), STR("x")));
}

static void
foreign_people_are_known_by_address(void **state)
{
	AUTO_ARENA a = { 0 };
	struct dlv_people p;
	bool new;

	(void)state;
	dlv_people_init(&p, &a);
	assert_int_equal(
	    dlv_people_add(&p, STR(""), STR("Joe@example.net"), &new), RC_OK);
	assert_true(new);
	assert_int_equal(
	    dlv_people_add(&p, STR(""), STR("joe@EXAMPLE.net"), &new), RC_OK);
	assert_false(new);
	assert_true(dlv_people_has(&p, STR(""), STR("joe@example.net")));
	assert_false(dlv_people_has(&p, STR(""), STR("jim@example.net")));
	assert_false(dlv_people_has(&p, STR(ANN), STR("joe@example.net")));
}

static void
damaged_sets_are_refused(void **state)
{
	static const struct str rows[] = {
		S("\1x"),
		S("\2"),
		S("\1"
		  "0123456789abcde"),
		S("\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
	};
	AUTO_ARENA a = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dlv_people p;

		dlv_people_init(&p, &a);
		assert_int_equal(dlv_people_load(&p, rows[i]), RC_BAD);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_canonical_ids_are_people),
		cmocka_unit_test(everybody_is_in_once_and_survives_saving),
		cmocka_unit_test(foreign_people_are_known_by_address),
		cmocka_unit_test(damaged_sets_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
