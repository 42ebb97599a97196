#include <stdio.h>

#include "directory/group.h"
#include "directory/query.h"
#include "tests/unit/directory/dirtest.h"

#define ID(n) STR("00000000-0000-4000-8000-0000000000" n)

/* "id:kind:rc" of each member, in order, as one text. */
static struct str
members(struct dirtest *t, struct str id, enum rc *rc)
{
	struct str text = STR("");
	struct dir_answer *x;
	size_t n;

	*rc = dir_group_expand(t->d, &t->a, id, soon(), NULL, &x, &n);
	if (*rc != RC_OK)
		return text;
	for (size_t i = 0; i < n; i++)
		text = str_fmt(&t->a, "%.*s%s%.*s/%d/%s", STRF(text),
		    i ? " " : "", STRF(str_from(x[i].r.id, 34)),
		    (int)x[i].r.kind, rc_name(x[i].r.rc));
	return text;
}

static void
nested_with_a_loop_each_once(void **state)
{
	struct dirtest t;
	enum rc rc;

	(void)state;
	dirtest_open(&t, AD_SETTINGS, ad_people);
	/* alice, bob; staff: routed, contact, and by primaryGroupID 16 */
	assert_str(members(&t, ID("20"), &rc),
	    "01/1/ok 02/1/ok 07/3/ok 10/3/ok 16/1/ok");
	assert_str(members(&t, ID("21"), &rc),
	    "01/1/ok 07/3/ok 10/3/ok 16/1/ok 02/1/ok");
	assert_rc(rc, RC_OK);
	dirtest_close(&t);
}

static void
ranges_are_followed(void **state)
{
	struct dirtest t;
	enum rc rc;

	(void)state;
	for (size_t max = 1; max < 6; max++) {
		dirtest_open(&t, AD_SETTINGS, ad_people);
		t.be->max_range = max;
		assert_str(members(&t, ID("20"), &rc),
		    "01/1/ok 02/1/ok 07/3/ok 10/3/ok 16/1/ok");
		dirtest_close(&t);
	}
}

static void
an_unreadable_member_stops_the_whole(void **state)
{
	struct dirtest t;
	enum rc rc;

	(void)state;
	dirtest_open(&t, AD_SETTINGS, ad_people);
	(void)members(&t, ID("22"), &rc);
	assert_rc(rc, RC_TEMP);
	/* a person is no group, and a group that is gone is gone */
	(void)members(&t, ID("01"), &rc);
	assert_rc(rc, RC_NOENT);
	(void)members(&t, ID("99"), &rc);
	assert_rc(rc, RC_NOENT);
	dirtest_close(&t);
}

static void
rfc_groups_name_members_in_three_ways(void **state)
{
	struct dirtest t;
	enum rc rc;

	(void)state;
	dirtest_open(&t, RFC_SETTINGS, rfc_people);
	assert_str(members(&t, ID("20"), &rc), "01/1/ok 02/1/ok");
	/* by uid, by address (of a person, foreign, of a group) */
	assert_str(members(&t, ID("21"), &rc), "01/1/ok 03/1/ok 02/1/ok /3/ok");
	dirtest_close(&t);
}

static void
a_large_group_is_whole(void **state)
{
	AUTO_BUF b = { 0 };
	struct dirtest t;
	struct dir_answer *x;
	size_t n;

	(void)state;
	buf_init(&b, 4u << 20);
	assert_rc(
	    buf_fmt(&b, "dn: CN=All,DC=example,DC=test\nobjectClass: group\n"
			"objectGUID: 00000000-0000-4000-8000-000000000099\n"
			"mail: all@example.test\n"),
	    RC_OK);
	for (int i = 0; i < 1600; i++)
		assert_rc(buf_fmt(&b, "member: CN=u%d,DC=example,DC=test\n", i),
		    RC_OK);
	for (int i = 0; i < 1600; i++)
		assert_rc(buf_fmt(&b,
			      "\ndn: CN=u%d,DC=example,DC=test\n"
			      "objectClass: user\nuserAccountControl: 512\n"
			      "objectGUID: 10000000-0000-4000-8000-%012d\n"
			      "mail: u%d@example.test\n",
			      i, i, i),
		    RC_OK);
	assert_rc(buf_add_char(&b, '\0'), RC_OK);
	dirtest_open(&t, AD_SETTINGS, b.p);
	t.be->max_range = 1500;
	assert_rc(
	    dir_group_expand(t.d, &t.a, ID("99"), soon(), NULL, &x, &n), RC_OK);
	assert_int_equal(n, 1600);
	dirtest_close(&t);
}

static void
a_value_that_fits_no_filter_is_no_member(void **state)
{
	static char bang[30000];
	struct dir_query q;
	struct dirtest t = { 0 };
	AUTO_ARENA a = { 0 };
	struct str ldif;
	enum rc rc;

	(void)state;
	memset(bang, '!', sizeof(bang));
	ldif = str_fmt(&a,
	    "%s\ndn: cn=odd,ou=groups,dc=example,dc=test\n"
	    "objectClass: posixGroup\nmail: odd@example.test\n"
	    "entryUUID: 00000000-0000-4000-8000-000000000022\n"
	    "memberUid: ada\nmemberUid: %.*s\nmemberUid: old\n",
	    rfc_people, (int)sizeof(bang), bang);
	dirtest_open(&t, RFC_SETTINGS, ldif.p);
	assert_str(members(&t, ID("22"), &rc), "01/1/ok 03/1/ok");
	/* Asked all the same, there is no answer. */
	q = dir_q_attr(t.d, &t.a, DIR_R_LOGIN, str_n(bang, sizeof(bang)));
	assert_int_equal(q.filter.n, 0);
	assert_rc(dir_search(t.be, &t.a, &q, 1, soon()), RC_OK);
	assert_rc(q.rc, RC_TEMP);
	dirtest_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nested_with_a_loop_each_once),
		cmocka_unit_test(ranges_are_followed),
		cmocka_unit_test(an_unreadable_member_stops_the_whole),
		cmocka_unit_test(rfc_groups_name_members_in_three_ways),
		cmocka_unit_test(a_large_group_is_whole),
		cmocka_unit_test(a_value_that_fits_no_filter_is_no_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
