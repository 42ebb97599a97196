#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "gateway/gw_limit.h"

static struct gw_limit_key
client(const char *ip)
{
	struct net_addr a;

	assert_int_equal(net_addr_parse(str_c(ip), &a), RC_OK);
	return gw_limit_client(&a);
}

static void
a_bucket_overflows_and_drains(void **state)
{
	static const struct {
		int64_t at;
		uint32_t amount;
		bool ok;
	} rows[] = {
		{ 1000, 6, true },
		{ 1000, 4, true },
		{ 1000, 1, false },
		/* ten in a minute: one each six seconds */
		{ 6999, 1, false },
		{ 7000, 1, true },
		{ 7000, 1, false },
		{ 19000, 3, false },
		{ 19000, 2, true },
		/* a refusal does not count */
		{ 79000, 10, true },
		{ 79000, 11, false },
		/* the clock does not go back, but if it did */
		{ 50, 1, false },
		{ INT64_MAX / 2, 10, true },
		{ INT64_MAX / 2, UINT32_MAX, false },
	};
	const struct gw_rate rate = { 10, 60 };
	struct gw_limit *l = gw_limit_new(100);
	struct gw_limit_key k = client("192.0.2.7"),
			    other = client("192.0.2.8");

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (gw_limit_take(l, &k, GW_LIMIT_MESSAGES, rows[i].amount,
			rate, rows[i].at) != rows[i].ok)
			fail_msg("row %zu", i);
	/* Others, and other things, are not affected. */
	assert_true(
	    gw_limit_take(l, &other, GW_LIMIT_MESSAGES, 10, rate, 5000));
	assert_true(gw_limit_take(l, &k, GW_LIMIT_RECIPIENTS, 10, rate, 5000));
	gw_limit_free(&l);
}

static void
who_counts_as_one(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "192.0.2.7", "192.0.2.7", true },
		{ "192.0.2.7", "::ffff:192.0.2.7", true },
		{ "192.0.2.7", "192.0.2.8", false },
		{ "2001:db8:1:2::1", "2001:db8:1:2:ffff::2", true },
		{ "2001:db8:1:2::1", "2001:db8:1:3::1", false },
	};
	const struct gw_rate once = { 1, 3600 };
	AUTO_ARENA a = { 0 };
	struct gw_limit_key u, v;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gw_limit *l = gw_limit_new(100);
		struct gw_limit_key x = client(rows[i].a),
				    y = client(rows[i].b);

		assert_true(
		    gw_limit_take(l, &x, GW_LIMIT_CONNECTIONS, 1, once, 1000));
		assert_int_equal(
		    gw_limit_take(l, &y, GW_LIMIT_CONNECTIONS, 1, once, 1000),
		    !rows[i].same);
		gw_limit_free(&l);
	}
	u = client("2001:db8:1:2::1");
	assert_string_equal(gw_limit_name(&a, &u).p, "2001:db8:1:2::/64");
	u = client("192.0.2.7");
	assert_string_equal(gw_limit_name(&a, &u).p, "192.0.2.7");
	u = gw_limit_user(STR("5f0e1c9a-0000-4000-8000-000000000001"));
	v = gw_limit_user(STR("5f0e1c9a-0000-4000-8000-000000000002"));
	assert_memory_not_equal(&u, &v, sizeof(u));
	assert_string_equal(gw_limit_name(&a, &u).p,
	    "user 5f0e1c9a-0000-4000-8000-000000000001");
	u = gw_limit_user(STR("anything else"));
	v = gw_limit_user(STR("anything elsf"));
	assert_memory_not_equal(&u, &v, sizeof(u));
}

static void
a_ban_ends_by_itself_or_is_lifted(void **state)
{
	struct gw_limit *l = gw_limit_new(100);
	struct gw_limit_key k = client("192.0.2.7"), o = client("192.0.2.8");
	const struct gw_rate once = { 1, 3600 };

	(void)state;
	assert_false(gw_limit_banned(l, &k, 1000));
	assert_true(gw_limit_ban(l, &k, 5000, 1000));
	assert_false(gw_limit_ban(l, &k, 4000, 1500));
	assert_true(gw_limit_banned(l, &k, 4999));
	assert_false(gw_limit_banned(l, &o, 4999));
	assert_false(gw_limit_banned(l, &k, 5000));
	assert_true(gw_limit_ban(l, &k, 9000, 6000));
	assert_true(gw_limit_take(l, &k, GW_LIMIT_FAILURES, 1, once, 6000));
	assert_false(gw_limit_take(l, &k, GW_LIMIT_FAILURES, 1, once, 6000));
	assert_true(gw_limit_lift(l, &k, 6000));
	assert_false(gw_limit_banned(l, &k, 6000));
	assert_true(gw_limit_take(l, &k, GW_LIMIT_FAILURES, 1, once, 6000));
	assert_false(gw_limit_lift(l, &k, 6000));
	assert_false(gw_limit_lift(l, &o, 6000));
	gw_limit_free(&l);
}

static void
sessions_at_a_time(void **state)
{
	struct gw_limit *l = gw_limit_new(100);
	struct gw_limit_key k = gw_limit_user(STR("ann"));

	(void)state;
	assert_true(gw_limit_enter(l, &k, 2, 1000));
	assert_true(gw_limit_enter(l, &k, 2, 1000));
	assert_false(gw_limit_enter(l, &k, 2, 1000));
	gw_limit_leave(l, &k);
	assert_true(gw_limit_enter(l, &k, 2, 1000));
	gw_limit_leave(l, &k);
	gw_limit_leave(l, &k);
	gw_limit_free(&l);
}

static struct gw_limit_key
numbered(unsigned i)
{
	unsigned char b[4] = { 10, (unsigned char)(i >> 16),
		(unsigned char)(i >> 8), (unsigned char)i };
	struct net_addr a = net_v4(b);

	return gw_limit_client(&a);
}

/* A flood of strangers pushes out neither bans nor those who are here. */
static void
a_full_table_forgets_the_quiet(void **state)
{
	const struct gw_rate rate = { 1000, 60 };
	struct gw_limit_row rows[10];
	struct gw_limit *l = gw_limit_new(1600);
	struct gw_limit_key in = numbered(1), banned = numbered(2);
	size_t bans;

	(void)state;
	assert_true(gw_limit_enter(l, &in, 1, 1000));
	assert_true(gw_limit_ban(l, &banned, 1000000, 1000));
	for (unsigned i = 10; i < 100000; i++) {
		struct gw_limit_key k = numbered(i);

		assert_true(gw_limit_take(
		    l, &k, GW_LIMIT_CONNECTIONS, 1, rate, 1000 + i / 1000));
	}
	assert_false(gw_limit_enter(l, &in, 1, 2000));
	assert_true(gw_limit_banned(l, &banned, 2000));
	assert_int_equal(gw_limit_list(l, 2000, rows, 10, &bans) > 0, 1);
	assert_int_equal(bans, 1);
	gw_limit_leave(l, &in);
	gw_limit_free(&l);
}

static void
the_list_begins_with_the_worst(void **state)
{
	const struct gw_rate rate = { 100, 3600 };
	struct gw_limit *l = gw_limit_new(1000);
	struct gw_limit_row rows[3];
	size_t bans;

	(void)state;
	assert_int_equal(gw_limit_list(l, 1000, rows, 3, &bans), 0);
	for (unsigned i = 1; i < 90; i++) {
		struct gw_limit_key k = numbered(i);

		assert_true(
		    gw_limit_take(l, &k, GW_LIMIT_RECIPIENTS, i, rate, 1000));
		if (i == 5 || i == 6)
			gw_limit_ban(l, &k, 1000 + i * 1000, 1000);
	}
	assert_int_equal(gw_limit_list(l, 1000, rows, 3, &bans), 3);
	assert_int_equal(bans, 2);
	assert_int_equal(rows[0].banned_ms, 6000);
	assert_int_equal(rows[1].banned_ms, 5000);
	assert_int_equal(rows[2].percent[GW_LIMIT_RECIPIENTS], 89);
	gw_limit_free(&l);
}

struct crowd {
	struct gw_limit *l;
	unsigned taken, number;
};

static void *
one_of_a_crowd(void *arg)
{
	const struct gw_rate rate = { 5000, 3600 };
	struct gw_limit_key all = numbered(7);
	struct crowd *c = arg;

	for (unsigned i = 0; i < 4000; i++) {
		struct gw_limit_key own = numbered(c->number * 5000 + i);
		struct gw_limit_row rows[4];
		size_t bans;

		c->taken +=
		    gw_limit_take(c->l, &all, GW_LIMIT_MESSAGES, 1, rate, 1000);
		gw_limit_ban(c->l, &own, 2000, 1000);
		if (gw_limit_enter(c->l, &all, 100, 1000))
			gw_limit_leave(c->l, &all);
		if (i % 1000 == 0)
			gw_limit_list(c->l, 1000, rows, 4, &bans);
	}
	return NULL;
}

static void
threads_count_together(void **state)
{
	struct crowd c[4];
	pthread_t t[4];
	unsigned sum = 0;
	struct gw_limit *l = gw_limit_new(1000);

	(void)state;
	for (unsigned i = 0; i < COUNT(t); i++) {
		c[i] = (struct crowd){ .l = l, .number = i + 1 };
		assert_int_equal(
		    pthread_create(&t[i], NULL, one_of_a_crowd, &c[i]), 0);
	}
	for (unsigned i = 0; i < COUNT(t); i++) {
		pthread_join(t[i], NULL);
		sum += c[i].taken;
	}
	assert_int_equal(sum, 5000);
	gw_limit_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bucket_overflows_and_drains),
		cmocka_unit_test(who_counts_as_one),
		cmocka_unit_test(a_ban_ends_by_itself_or_is_lifted),
		cmocka_unit_test(sessions_at_a_time),
		cmocka_unit_test(a_full_table_forgets_the_quiet),
		cmocka_unit_test(the_list_begins_with_the_worst),
		cmocka_unit_test(threads_count_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
