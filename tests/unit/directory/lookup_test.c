#include "directory/lookup.h"
#include "tests/unit/directory/dirtest.h"

#define ID(n) "00000000-0000-4000-8000-0000000000" n

struct row {
	const char *address;
	enum rc rc;
	enum dir_kind kind;
	const char *id;
	const char *primary;
	const char *route;
	const char *bar; /* login_bar */
};

static void
check_rows(struct dirtest *t, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct str addr = str_c(rows[i].address);
		struct dir_answer x;

		assert_rc(
		    dir_lookup(t->d, &t->a, &addr, 1, soon(), NULL, &x), RC_OK);
		if (x.r.rc != rows[i].rc)
			fail_msg("%s: %s (%.*s)", rows[i].address,
			    rc_name(x.r.rc), STRF(x.r.why));
		if (x.r.rc != RC_OK)
			continue;
		assert_int_equal(x.r.kind, rows[i].kind);
		assert_true(str_eq(x.r.id, str_c(rows[i].id)));
		if (!str_eq(x.r.address, str_c(rows[i].primary)))
			fail_msg("%s: primary %.*s", rows[i].address,
			    STRF(x.r.address));
		assert_true(str_eq(x.r.route, str_c(rows[i].route)));
		assert_true(str_eq(x.login_bar, str_c(rows[i].bar)));
	}
}

static void
ad_addresses(void **state)
{
#define ALICE RC_OK, DIR_USER, ID("01"), "Alice.Adams@example.test", "", ""
	static const struct row rows[] = {
		{ "alice@example.test", ALICE },
		{ "ALICE.adams@EXAMPLE.test", ALICE },
		{ "a.adams@second.test", ALICE },
		{ "bob@example.test", RC_OK, DIR_USER, ID("02"),
		    "bob@example.test", "", "" },
		/* only a UPN */
		{ "carol@example.test", RC_OK, DIR_USER, ID("03"),
		    "carol@example.test", "", "" },
		{ "nobody@example.test", RC_NOENT },
		{ "alice@foreign.test", RC_BAD },
		{ "not an address", RC_BAD },
		{ "*@example.test", RC_NOENT },
		/* disabled and expired accounts receive */
		{ "info@example.test", RC_OK, DIR_USER, ID("04"),
		    "info@example.test", "", "account_disabled" },
		{ "gone@example.test", RC_OK, DIR_USER, ID("05"),
		    "gone@example.test", "", "account_expired" },
		{ "never@example.test", RC_OK, DIR_USER, ID("06"),
		    "never@example.test", "", "" },
		/* a mailbox elsewhere is never local */
		{ "routed@example.test", RC_OK, DIR_ELSEWHERE, ID("07"),
		    "routed@example.test", "routed@cloud.invalid",
		    "mailbox_elsewhere" },
		{ "exch@example.test", RC_OK, DIR_ELSEWHERE, ID("08"),
		    "exch@example.test", "CN=DB1,DC=example,DC=test",
		    "mailbox_elsewhere" },
		{ "remote@example.test", RC_OK, DIR_ELSEWHERE, ID("09"),
		    "remote@example.test", "", "mailbox_elsewhere" },
		{ "partner@example.test", RC_OK, DIR_ELSEWHERE, ID("10"),
		    "partner@example.test", "partner@foreign.invalid",
		    "not_a_person" },
		/* what is not readable is unknown */
		{ "dark@example.test", RC_TEMP },
		{ "noguid@example.test", RC_TEMP },
		/* the higher attribute wins; a tie is nobody's */
		{ "contested@example.test", RC_OK, DIR_USER, ID("12"),
		    "contested@example.test", "", "" },
		{ "tie@example.test", RC_TEMP },
		{ "tech@example.test", RC_OK, DIR_GROUP, ID("20"),
		    "tech@example.test", "", "not_a_person" },
		{ "pc1@example.test", RC_DENY },
		{ "folder@example.test", RC_OK, DIR_ELSEWHERE, ID("19"),
		    "folder@example.test", "", "not_a_person" },
		/* postmaster, in every domain and without one */
		{ "postmaster", RC_OK, DIR_USER, ID("17"), "post@example.test",
		    "", "" },
		{ "PostMaster@second.test", RC_OK, DIR_USER, ID("17"),
		    "post@example.test", "", "" },
	};
	struct dirtest t;

	(void)state;
	dirtest_open(&t, AD_SETTINGS, ad_people);
	check_rows(&t, rows, COUNT(rows));
	dirtest_close(&t);
}

static void
rfc_addresses(void **state)
{
	static const struct row rows[] = {
		{ "ada@example.test", RC_OK, DIR_USER, ID("01"),
		    "Ada.Lovelace@example.test", "", "" },
		{ "grace@example.test", RC_OK, DIR_USER, ID("02"),
		    "grace@example.test", "", "account_locked" },
		{ "old@example.test", RC_OK, DIR_USER, ID("03"),
		    "old@example.test", "", "account_expired" },
		{ "hosted@example.test", RC_OK, DIR_ELSEWHERE, ID("04"),
		    "hosted@example.test", "other.example.test",
		    "mailbox_elsewhere" },
		{ "ours@example.test", RC_OK, DIR_USER, ID("05"),
		    "ours@example.test", "", "" },
		{ "noid@example.test", RC_TEMP },
		{ "crew@example.test", RC_OK, DIR_GROUP, ID("20"),
		    "crew@example.test", "", "not_a_person" },
	};
	struct dirtest t;

	(void)state;
	dirtest_open(&t, RFC_SETTINGS, rfc_people);
	check_rows(&t, rows, COUNT(rows));
	dirtest_close(&t);
}

static void
a_quota_has_its_unit(void **state)
{
	struct str addr = STR("alice@example.test");
	struct dir_answer x;
	struct dirtest t;

	(void)state;
	dirtest_open(&t, AD_SETTINGS, ad_people);
	assert_rc(dir_lookup(t.d, &t.a, &addr, 1, soon(), NULL, &x), RC_OK);
	assert_true(x.r.has_quota);
	assert_true(x.r.quota == 2048 * 1024);
	dirtest_close(&t);
}

static void
scope_is_about_people(void **state)
{
	static const struct row filtered[] = {
		{ "bob@example.test", RC_OK, DIR_USER, ID("02"),
		    "bob@example.test", "", "" },
		{ "alice@example.test", RC_NOENT },
		{ "tech@example.test", RC_OK, DIR_GROUP, ID("20"),
		    "tech@example.test", "", "not_a_person" },
	};
	static const struct row grouped[] = {
		{ "ada@example.test", RC_OK, DIR_USER, ID("01"),
		    "Ada.Lovelace@example.test", "", "" },
		{ "old@example.test", RC_NOENT },
	};
	struct dirtest t;

	(void)state;
	dirtest_open(&t,
	    AD_SETTINGS "scope_filter = '(|(sAMAccountName=b*b)"
			"(sAMAccountName=post))'\n",
	    ad_people);
	check_rows(&t, filtered, COUNT(filtered));
	dirtest_close(&t);
	dirtest_open(&t,
	    RFC_SETTINGS
	    "scope_group = 'cn=crew,ou=groups,dc=example,dc=test'\n",
	    rfc_people);
	check_rows(&t, grouped, COUNT(grouped));
	dirtest_close(&t);
}

static void
an_outage_is_temporary_and_the_cache_helps(void **state)
{
	struct str known = STR("bob@example.test");
	struct str other = STR("carol@example.test");
	struct dir_answer x;
	struct dirtest t;
	bool down = false;

	(void)state;
	dirtest_open(&t, AD_SETTINGS, ad_people);
	t.be = t.d->be = dirtest_flaky(t.be, &down);
	assert_rc(dir_lookup(t.d, &t.a, &known, 1, soon(), NULL, &x), RC_OK);
	down = true;
	assert_rc(dir_lookup(t.d, &t.a, &known, 1, soon(), NULL, &x), RC_OK);
	assert_rc(x.r.rc, RC_OK);
	assert_rc(dir_lookup(t.d, &t.a, &other, 1, soon(), NULL, &x), RC_TEMP);
	dirtest_close(&t);
}

static void
an_id_is_found_again(void **state)
{
	struct dir_answer x;
	struct dirtest t;

	(void)state;
	dirtest_open(&t, AD_SETTINGS, ad_people);
	assert_rc(
	    dir_lookup_id(t.d, &t.a, STR(ID("02")), soon(), NULL, &x), RC_OK);
	assert_rc(x.r.rc, RC_OK);
	assert_str(x.r.address, "bob@example.test");
	assert_rc(
	    dir_lookup_id(t.d, &t.a, STR(ID("99")), soon(), NULL, &x), RC_OK);
	assert_rc(x.r.rc, RC_NOENT);
	assert_rc(dir_lookup_id(t.d, &t.a, STR("*"), soon(), NULL, &x), RC_BAD);
	dirtest_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ad_addresses),
		cmocka_unit_test(rfc_addresses),
		cmocka_unit_test(a_quota_has_its_unit),
		cmocka_unit_test(scope_is_about_people),
		cmocka_unit_test(an_outage_is_temporary_and_the_cache_helps),
		cmocka_unit_test(an_id_is_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
