#include <stdio.h>

#include "directory/ad_value.h"
#include "directory/dn.h"
#include "directory/member.h"
#include "tests/unit/directory/dirtest.h"

#define ID(n)   "00000000-0000-4000-8000-0000000000" n
#define BASE    "dc=example,dc=test"
#define UUID(n) "entryUUID: " ID(n) "\n"
#define PERSON(n, uid)                                                         \
	"dn: uid=" uid ",ou=people," BASE "\nobjectClass: inetOrgPerson\n"     \
	"uid: " uid "\nmail: " uid "@example.test\n" UUID(n) "\n"
#define GROUP(n, cn, members)                                                  \
	"dn: cn=" cn "," BASE "\nobjectClass: groupOfNames\nmail: " cn         \
	"@example.test\n" UUID(n) members "\n"
#define USER(uid)  "member: uid=" uid ",ou=people," BASE "\n"
#define NESTED(cn) "member: cn=" cn "," BASE "\n"

static const char rfc[] =
    "dn: " BASE "\nobjectClass: organization\n\n" PERSON("01", "ann")
	PERSON("02", "ben") PERSON("03", "cat") PERSON("04", "dan")
	    PERSON("05", "eve") GROUP("20", "big", NESTED("mid"))
		GROUP("21", "mid", NESTED("low") USER("ben"))
		    GROUP("22", "low", USER("ann") NESTED("big")) /* a loop */
    GROUP("23", "other",
	USER("cat") USER(
	    "ann")) "dn: cn=unix," BASE
		    "\nobjectClass: posixGroup\n" UUID(
			"24") "mail: unix@example.test\nmemberUid: dan\n\n"
			      "dn: cn=list," BASE
			      "\nobjectClass: mailGroup\n" UUID(
				  "25") "mail: "
					"list@example.test\nrfc822MailMember: "
					"EVE@example.test\n"
					"rfc822MailMember: "
					"unix@example.test\n\n";

static const struct str names[] = {
	STR_INIT("big@example.test"),
	STR_INIT("CN=Other, DC=example,DC=test"),
	STR_INIT("list@example.test"),
	STR_INIT("cn=unix," BASE),
};

static const char *
letters(enum rc rc)
{
	return rc == RC_OK      ? "y"
	       : rc == RC_DENY  ? "n"
	       : rc == RC_NOENT ? "-"
				: "?";
}

/* A letter for each group. */
static struct str
verdicts(struct dirtest *t, const char *id, const struct str *name, size_t n)
{
	struct dir_group g[8];
	enum rc is[8], rc;
	struct str who = str_c(id), out = STR("");

	dir_groups_find(t->d, &t->a, name, n, soon(), g);
	rc = dir_member_of(t->d, &t->a, &who, 1, g, n, soon(), is);
	if (rc != RC_OK)
		return str_c(rc_name(rc));
	for (size_t i = 0; i < n; i++)
		out = str_cat(&t->a, out, str_c(letters(is[i])));
	return out;
}

static void
assert_text(struct str got, const char *want)
{
	if (!str_eq(got, str_c(want)))
		fail_msg("%.*s, not %s", STRF(got), want);
}

static void
people_are_in_groups_through_groups(void **state)
{
	static const struct {
		const char *id, *want;
	} rows[] = {
		{ ID("01"), "yynn" },
		{ ID("02"), "ynnn" },
		{ ID("03"), "nynn" },
		/* by uid, and so by the group's address */
		{ ID("04"), "nnyy" },
		/* by address */
		{ ID("05"), "nnyn" },
		/* groups: in itself, by nesting */
		{ ID("20"), "ynnn" },
		{ ID("22"), "ynnn" },
		{ ID("24"), "nnyy" },
		/* gone: who knows */
		{ ID("99"), "????" },
	};
	struct dirtest t;

	(void)state;
	dirtest_open(&t, RFC_SETTINGS, rfc);
	for (int again = 0; again < 2; again++)
		for (size_t i = 0; i < COUNT(rows); i++)
			assert_text(
			    verdicts(&t, rows[i].id, names, COUNT(names)),
			    rows[i].want);
	assert_str(verdicts(&t, "short", names, 1), "bad");
	dirtest_close(&t);
}

static void
all_at_once_is_as_one_by_one(void **state)
{
	const struct str id[] = { STR(ID("03")), STR(ID("99")), STR(ID("01")),
		STR(ID("03")) };
	static const char want[] = "nynn????yynnnynn";
	struct dir_group g[COUNT(names)];
	enum rc is[COUNT(id) * COUNT(names)];
	struct dirtest t;

	(void)state;
	dirtest_open(&t, RFC_SETTINGS, rfc);
	dir_groups_find(t.d, &t.a, names, COUNT(names), soon(), g);
	assert_rc(dir_member_of(
		      t.d, &t.a, id, COUNT(id), g, COUNT(names), soon(), is),
	    RC_OK);
	for (size_t i = 0; i < COUNT(is); i++)
		assert_int_equal(letters(is[i])[0], want[i]);
	dirtest_close(&t);
}

static void
a_group_that_is_none_says_why(void **state)
{
	static const struct {
		struct str name;
		const char *why;
	} rows[] = {
		{ STR_INIT("none@example.test"), "there is no such address" },
		{ STR_INIT("a@elsewhere.test"), "there is no such address" },
		{ STR_INIT("ann@example.test"), "the address is no group's" },
		{ STR_INIT("cn=none," BASE), "there is no such entry" },
		{ STR_INIT("uid=ann,ou=people," BASE),
		    "the entry is no group" },
		{ STR_INIT("cn=big,dc=other"), "it is outside of ldap_base" },
		{ STR_INIT("nonsense"), "this is not a DN" },
	};
	struct dirtest t;

	(void)state;
	dirtest_open(&t, RFC_SETTINGS, rfc);
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct str two[] = { names[0], rows[i].name };
		struct dir_group g;

		dir_groups_find(t.d, &t.a, &rows[i].name, 1, soon(), &g);
		assert_rc(g.rc, RC_NOENT);
		assert_text(g.why, rows[i].why);
		/* The others are not the worse for it. */
		assert_str(verdicts(&t, ID("01"), two, 2), "y-");
	}
	dirtest_close(&t);
}

static void
not_knowing_is_no_answer(void **state)
{
	struct dirtest t;
	struct dir_group g[COUNT(names)];
	struct str id = STR(ID("01"));
	enum rc is[COUNT(names)];
	bool down = false;

	(void)state;
	dirtest_open(&t, RFC_SETTINGS, rfc);
	t.be = t.d->be = dirtest_flaky(t.be, &down);
	dir_groups_find(t.d, &t.a, names, COUNT(names), soon(), g);
	down = true;
	assert_rc(dir_member_of(t.d, &t.a, &id, 1, g, COUNT(names), soon(), is),
	    RC_TEMP);
	down = false;
	assert_str(verdicts(&t, ID("01"), names, COUNT(names)), "yynn");
	/* From the cache; of somebody else, nothing; nor of a new group. */
	down = true;
	assert_str(verdicts(&t, ID("01"), names, COUNT(names)), "yynn");
	assert_str(verdicts(&t, ID("02"), names, COUNT(names)), "temp");
	dir_groups_find(t.d, &t.a, &STR("low@example.test"), 1, soon(), g);
	assert_rc(g[0].rc, RC_TEMP);
	dir_groups_find(t.d, &t.a, &STR("cn=low," BASE), 1, soon(), g);
	assert_rc(g[0].rc, RC_TEMP);
	assert_rc(dir_member_of(t.d, &t.a, &id, 1, g, 1, soon(), is), RC_OK);
	assert_rc(is[0], RC_TEMP);
	dirtest_close(&t);
}

static void
an_unreadable_entry_may_be_a_group(void **state)
{
	struct dir_group g;
	struct dirtest t;

	(void)state;
	dirtest_open(&t, RFC_SETTINGS,
	    "dn: " BASE "\nobjectClass: organization\n\n"
	    "dn: cn=dark," BASE "\n" UUID("20") "cn: dark\n");
	dir_groups_find(t.d, &t.a, &STR("cn=dark," BASE), 1, soon(), &g);
	assert_rc(g.rc, RC_TEMP);
	dirtest_close(&t);
}

/* As in the domain of dirtest.c: its Staff has the RID 1113. */
static const char ad[] =
    "dn: DC=example,DC=test\nobjectClass: domain\n\n"
    "dn: CN=Pia,DC=example,DC=test\nobjectClass: user\n"
    "objectGUID: " ID(
	"01") "\nuserAccountControl: 512\n"
	      "objectSid:: AQUAAAAAAAUVAAAAAQAAAAIAAAADAAAATQAAAA==\n"
	      "primaryGroupID: 1113\n\n"
	      "dn: CN=Quin,DC=example,DC=test\nobjectClass: user\n"
	      "objectGUID: " ID(
		  "02") "\nuserAccountControl: 512\n"
			"objectSid:: AQUAAAAAAAUVAAAAAQAAAAIAAAADAAAATQAAAA==\n"
			"primaryGroupID: 513\n\n"
			"dn: CN=Staff,DC=example,DC=test\nobjectClass: group\n"
			"objectGUID: " ID(
			    "20") "\n"
				  "objectSid:: "
				  "AQUAAAAAAAUVAAAAAQAAAAIAAAADAAAAWQQAAA==\n\n"
				  "dn: "
				  "CN=Tech,DC=example,DC=test\nobjectClass: "
				  "group\n"
				  "objectGUID: " ID(
				      "21") "\n"
					    "member: "
					    "CN=Staff,DC=example,DC=test\n";

static void
primary_groups_count(void **state)
{
	const struct str group[] = {
		STR("CN=Staff,DC=example,DC=test"),
		STR("CN=Tech,DC=example,DC=test"),
	};
	struct dirtest t;

	(void)state;
	dirtest_open(&t, AD_SETTINGS, ad);
	assert_str(verdicts(&t, ID("01"), group, 2), "yy");
	assert_str(verdicts(&t, ID("02"), group, 2), "nn");
	dirtest_close(&t);
}

/* Escaped, each of these values is half as long again as a filter may be. */
static void
values_that_fit_no_filter_are_passed_over(void **state)
{
	struct str ldif = str_c(rfc), bang;
	char many[30000];
	struct dirtest t = { 0 };
	AUTO_ARENA a = { 0 };

	(void)state;
	memset(many, '!', sizeof(many));
	bang = str_n(many, sizeof(many));
	ldif = str_fmt(&a,
	    "%.*s\n" PERSON("06",
		"fay") "dn: cn=odd," BASE
		       "\nobjectClass: groupOfNames\n" UUID("26")
			   USER("fay") "mail: %.*s\nmailAlternateAddress: "
				       "odd@example.test\n\n"
				       "dn: cn=by-mail," BASE
				       "\nobjectClass: mailGroup\n" UUID(
					   "27") "rfc822MailMember: "
						 "odd@example.test\n\n"
						 "dn: uid=loud," BASE
						 "\nobjectClass: "
						 "inetOrgPerson\n" UUID(
						     "07") "uid: %.*s\nmail: "
							   "%.*s\n\n",
	    STRF(ldif), STRF(bang), STRF(bang), STRF(bang));
	dirtest_open(&t, RFC_SETTINGS, ldif.p);
	assert_str(verdicts(&t, ID("06"), &STR("cn=by-mail," BASE), 1), "y");
	assert_str(verdicts(&t, ID("07"), names, COUNT(names)), "nnnn");
	dirtest_close(&t);
}

/* `n` groups from `from` on; member of each: text that cuts the number out. */
static void
add_groups(
    struct buf *b, unsigned from, unsigned n, const char *member, unsigned div)
{
	for (unsigned i = 0; i < n; i++) {
		assert_rc(buf_fmt(b,
			      "dn: cn=g%u," BASE "\nobjectClass: groupOfNames\n"
			      "entryUUID: 10000000-0000-4000-8000-%012u\n",
			      from + i, from + i),
		    RC_OK);
		if (div == 0)
			assert_rc(buf_fmt(b, "%s\n", member), RC_OK);
		else
			assert_rc(
			    buf_fmt(b, "member: cn=g%u," BASE "\n\n", i / div),
			    RC_OK);
	}
}

/* `direct` groups of fay's, `above` groups that these are in. */
static void
assert_fay_alone_is_unknown(unsigned direct, unsigned above)
{
	const struct str id[] = { STR(ID("01")), STR(ID("06")), STR(ID("02")) };
	static const char want[] = "yynn????ynnn";
	struct dir_group g[COUNT(names)];
	enum rc is[COUNT(id) * COUNT(names)];
	struct dirtest t = { 0 };
	AUTO_BUF b = { 0 };

	buf_init(&b, 16u << 20);
	assert_rc(buf_fmt(&b, "%s\n" PERSON("06", "fay"), rfc), RC_OK);
	add_groups(&b, 0, direct, USER("fay"), 0);
	if (above > 0)
		add_groups(&b, direct, above, "", above / direct + 1);
	assert_rc(buf_add_char(&b, '\0'), RC_OK);
	dirtest_open(&t, RFC_SETTINGS, b.p);
	dir_groups_find(t.d, &t.a, names, COUNT(names), soon(), g);
	for (int again = 0; again < 2; again++) {
		assert_rc(dir_member_of(t.d, &t.a, id, COUNT(id), g,
			      COUNT(names), deadline_in(60000), is),
		    RC_OK);
		for (size_t i = 0; i < COUNT(is); i++)
			assert_int_equal(letters(is[i])[0], want[i]);
	}
	dirtest_close(&t);
}

static void
too_many_groups_are_that_accounts_affair(void **state)
{
	(void)state;
	assert_fay_alone_is_unknown(DIR_ABOVE_MAX + 1, 0);
	assert_fay_alone_is_unknown(20, DIR_CLIMB_MAX);
}

/*
 * A DC, as far as it is asked here: everybody is there and has the primary
 * group 513, which is in CN=Third; account number 7 is in CN=First.
 */
struct dc {
	struct dir_backend b;
	size_t chains, others;
	size_t fail_after; /* searches */
};

#define DC_PEOPLE 100u
#define DC_SID    "\1\5\0\0\0\0\0\5\25\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\115\4\0\0"

static struct str
guid_of(struct arena *a, unsigned i)
{
	struct str raw = STR("");

	assert_rc(ad_guid_bytes(
		      a, str_fmt(a, "10000000-0000-4000-8000-%012u", i), &raw),
	    RC_OK);
	return raw;
}

static struct dir_attr
attr(struct arena *a, const char *name, struct str v)
{
	struct dir_attr at = { .name = str_c(name), .n = 1 };

	at.v = arena_calloc(a, 1, sizeof(*at.v));
	at.v[0] = v;
	return at;
}

static void
found_one(struct arena *a, struct dir_query *q, const char *dn, struct str guid)
{
	struct dir_raw *e = arena_calloc(a, 1, sizeof(*e));

	e->dn = str_c(dn);
	e->attr = arena_calloc(a, 5, sizeof(*e->attr));
	e->attr[e->nattr++] = attr(a, "objectGUID", guid);
	e->attr[e->nattr++] = attr(a, "objectClass", STR("user"));
	e->attr[e->nattr++] = attr(a, "userAccountControl", STR("512"));
	e->attr[e->nattr++] = attr(a, "primaryGroupID", STR("513"));
	e->attr[e->nattr++] =
	    attr(a, "objectSid", str_n(DC_SID, sizeof(DC_SID) - 1));
	q->found = e;
	q->nfound = 1;
}

static bool
has(struct str s, struct str part)
{
	return str_ifind(s, part) < s.n;
}

static void
dc_answer(struct dc *dc, struct arena *a, struct dir_query *q)
{
	bool chain = has(q->filter, STR(":1.2.840.113556.1.4.1941:="));
	bool domain_users = has(q->base, STR("CN=Domain Users"));
	struct str seven = dir_filter_escape(a, guid_of(a, 7));

	dc->chains += chain;
	dc->others += !chain;
	q->rc = RC_OK;
	q->nfound = 0;
	if (has(q->base, STR("<SID="))) {
		assert_true(str_has_isuffix(q->base, STR("01020000>")));
		found_one(a, q, "CN=Domain Users,CN=Users,DC=test", STR("x"));
	} else if (chain && domain_users) {
		if (has(q->filter, STR("CN\\3dThird")))
			found_one(a, q, "CN=Domain Users", STR("x"));
	} else if (chain) {
		if (has(q->filter, seven) && has(q->filter, STR("CN\\3dFirst")))
			found_one(a, q, "CN=Seven,DC=test", guid_of(a, 7));
	} else if (!has(q->filter, dir_filter_escape(a, guid_of(a, 9)))) {
		/* 9 is gone when its entry is asked for. */
		found_one(a, q, "CN=Somebody,DC=test", STR("x"));
	}
}

static enum rc
dc_search(struct dir_backend *b, struct arena *a, struct dir_query *q, size_t n,
    struct deadline dl)
{
	struct dc *dc = (struct dc *)b;

	(void)dl;
	if (dc->chains + dc->others + n > dc->fail_after)
		return RC_TEMP;
	for (size_t i = 0; i < n; i++)
		dc_answer(dc, a, &q[i]);
	return RC_OK;
}

static void
ask_dc(struct dirtest *t, size_t fail_after, struct dc *dc, enum rc *is)
{
	static const struct dir_backend_ops ops = { .search = dc_search };
	struct dir_group g[5] = { { .dn = STR("CN=First"),
				      .key = STR("cn=first") },
		{ .dn = STR("CN=Second"), .key = STR("cn=second") },
		{ .dn = STR("CN=Third"), .key = STR("cn=third") },
		{ .rc = RC_NOENT },
		{ .dn = STR("CN=Fifth"), .key = STR("cn=fifth") } };
	struct conf conf = *t->d->conf;
	const struct conf *keep = t->d->conf;
	struct str id[DC_PEOPLE];

	for (unsigned i = 0; i < DC_PEOPLE; i++)
		id[i] = str_fmt(&t->a, "10000000-0000-4000-8000-%012u", i);
	*dc = (struct dc){ .b.ops = &ops, .fail_after = fail_after };
	conf.directory = CONF_LDAP;
	t->d->conf = &conf;
	t->d->be = &dc->b;
	assert_rc(
	    dir_member_of(t->d, &t->a, id, DC_PEOPLE, g, 5, soon(), is), RC_OK);
	t->d->conf = keep;
	t->d->be = t->be;
}

static void
a_dc_is_asked_little(void **state)
{
	enum rc is[DC_PEOPLE * 5];
	struct dirtest t;
	struct dc dc;

	(void)state;
	dirtest_open(&t, AD_SETTINGS, ad);
	/* It falls silent over the second half: the first one stays. */
	ask_dc(&t, 70, &dc, is);
	for (unsigned i = 0; i < DC_PEOPLE; i++) {
		assert_rc(is[i * 5], i >= 50 || i == 9 ? RC_TEMP
				     : i == 7          ? RC_OK
						       : RC_DENY);
		assert_rc(is[i * 5 + 2], i >= 50 || i == 9 ? RC_TEMP : RC_OK);
		assert_rc(is[i * 5 + 3], RC_NOENT);
	}
	/* Four groups for fifty people, for their primary group alone; its
	   SID. */
	assert_int_equal(dc.chains, 4 + 4 + 4);
	assert_int_equal(dc.others, 50 + 1);
	dirtest_close(&t);
	dirtest_open(&t, AD_SETTINGS "directory_cache_ms = 0\n", ad);
	ask_dc(&t, SIZE_MAX, &dc, is);
	assert_int_equal(dc.chains, 2 * 4 + 4);
	assert_int_equal(dc.others, 100 + 1);
	for (unsigned i = 0; i < DC_PEOPLE; i++)
		assert_rc(is[i * 5 + 4], i == 9 ? RC_TEMP : RC_DENY);
	dirtest_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(people_are_in_groups_through_groups),
		cmocka_unit_test(all_at_once_is_as_one_by_one),
		cmocka_unit_test(a_group_that_is_none_says_why),
		cmocka_unit_test(not_knowing_is_no_answer),
		cmocka_unit_test(an_unreadable_entry_may_be_a_group),
		cmocka_unit_test(primary_groups_count),
		cmocka_unit_test(too_many_groups_are_that_accounts_affair),
		cmocka_unit_test(a_dc_is_asked_little),
		cmocka_unit_test(values_that_fit_no_filter_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
