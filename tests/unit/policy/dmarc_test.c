/*
 * RFC 9989 by tables: the record, the walk, alignment, the policy that
 * applies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/pol_dmarc.h"
#include "policy/pol_tags.h"
#include "tests/unit/policy/spf_zone.h"

#define S STR_INIT

static void
tags_are_read_as_they_are_meant(void **state)
{
	static const struct {
		struct str list;
		const char *out; /* "name=value|" */
	} rows[] = {
		{ S("a=1;b=2"), "a=1|b=2|" },
		{ S(" a = 1 \r\n\t; b=\r\n 2 ;"), "a=1|b=2|" },
		{ S("p=MIIB+/=="), "p=MIIB+/==|" },
		{ S("nothing;a=1;;=x;1a=2;a b=3"), "a=1|" },
		{ S("a="), "a=|" },
		{ S("A=1;a=2;b_1=x"), "A=1|a=2|b_1=x|" },
		{ S(";;;"), "" },
		{ S(""), "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str in = rows[i].list, name, value, got = STR("");
		AUTO_ARENA a = { 0 };

		while (pol_tag_next(&in, &name, &value))
			got = str_fmt(&a, "%.*s%.*s=%.*s|", STRF(got),
			    STRF(name), STRF(value));
		if (!str_eq(got, str_c(rows[i].out)))
			fail_msg("%.*s: %.*s", STRF(rows[i].list), STRF(got));
	}
}

enum {
	N = POL_DMARC_P_NONE,
	Q = POL_DMARC_P_QUARANTINE,
	R = POL_DMARC_P_REJECT
};

static void
records(void **state)
{
	static const struct {
		struct str text;
		enum rc rc;
		unsigned p, sp, np;
		const char *flags; /* u usable, d adkim=s, s aspf=s, t, y, n */
	} rows[] = {
		{ S("v=DMARC1; p=reject"), RC_OK, R, 0, 0, "u" },
		{ S("v=DMARC1;p=Quarantine;sp=NONE;np=reject"), RC_OK, Q, N, R,
		    "u" },
		{ S("v=DMARC1; adkim=s; aspf=s; p=none; t=y; psd=n"), RC_OK, N,
		    0, 0, "udstn" },
		{ S("v=DMARC1; p=none; psd=Y; adkim=r; t=n"), RC_OK, N, 0, 0,
		    "uy" },
		{ S("v = DMARC1 ; p = reject ;"), RC_OK, R, 0, 0, "u" },
		{ S("v=DMARC1; P=reject; PCT=0; ri=1; x=y"), RC_OK, R, 0, 0,
		    "u" },
		/* the first of two counts */
		{ S("v=DMARC1; p=reject; p=none"), RC_OK, R, 0, 0, "u" },
		/* what is broken is as if not there */
		{ S("v=DMARC1; garbage; p=reject"), RC_OK, R, 0, 0, "u" },
		/* no valid p: none with reports, else of no use */
		{ S("v=DMARC1; rua=mailto:a@b.test"), RC_OK, N, 0, 0, "u" },
		{ S("v=DMARC1; p=maybe; rua=mailto:a@b.test"), RC_OK, N, 0, 0,
		    "u" },
		{ S("v=DMARC1; p=reject; sp=maybe; rua=mailto:a@b.test"), RC_OK,
		    N, 0, 0, "u" },
		{ S("v=DMARC1; p=maybe; rua=nobody"), RC_OK, N, 0, 0, "" },
		{ S("v=DMARC1"), RC_OK, N, 0, 0, "" },
		{ S("v=DMARC1; p=reject; np=?"), RC_OK, N, 0, 0, "" },
		{ S("v=DMARC1; p=maybe; rua=, mailto:a@b.test"), RC_OK, N, 0, 0,
		    "u" },
		/* no record */
		{ S("v=DMARC2; p=reject"), RC_NOENT, 0, 0, 0, "" },
		{ S("v=dmarc1; p=reject"), RC_NOENT, 0, 0, 0, "" },
		{ S("V=DMARC1; p=reject"), RC_NOENT, 0, 0, 0, "" },
		{ S("p=reject; v=DMARC1"), RC_NOENT, 0, 0, 0, "" },
		{ S("; v=DMARC1; p=reject"), RC_NOENT, 0, 0, 0, "" },
		{ S("v=DMARC1 p=reject"), RC_NOENT, 0, 0, 0, "" },
		{ S("v=spf1 -all"), RC_NOENT, 0, 0, 0, "" },
		{ S(""), RC_NOENT, 0, 0, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pol_dmarc_record r = { 0 };
		AUTO_ARENA a = { 0 };
		struct str flags;

		if (pol_dmarc_parse(rows[i].text, &r) != rows[i].rc)
			fail_msg("%.*s", STRF(rows[i].text));
		flags = str_fmt(&a, "%s%s%s%s%s", r.usable ? "u" : "",
		    r.strict_dkim ? "d" : "", r.strict_spf ? "s" : "",
		    r.test ? "t" : "",
		    r.psd == POL_DMARC_PSD_Y   ? "y"
		    : r.psd == POL_DMARC_PSD_N ? "n"
					       : "");
		if (r.p != rows[i].p || r.sp != rows[i].sp ||
		    r.np != rows[i].np || !str_eq(flags, str_c(rows[i].flags)))
			fail_msg("%.*s: %d %d %d %.*s", STRF(rows[i].text), r.p,
			    r.sp, r.np, STRF(flags));
	}
}

static void
a_walk_has_eight_names_at_most(void **state)
{
	static const struct {
		struct str domain;
		const char *names;
	} rows[] = {
		{ S("com"), "com " },
		{ S("a.mail.example.com"),
		    "a.mail.example.com mail.example.com example.com com " },
		{ S("1.2.3.4.5.6.7.8"),
		    "1.2.3.4.5.6.7.8 2.3.4.5.6.7.8 3.4.5.6.7.8 4.5.6.7.8 "
		    "5.6.7.8 6.7.8 7.8 8 " },
		{ S("a.b.c.d.e.f.g.h.i.j.mail.example.com"),
		    "a.b.c.d.e.f.g.h.i.j.mail.example.com "
		    "g.h.i.j.mail.example.com h.i.j.mail.example.com "
		    "i.j.mail.example.com j.mail.example.com "
		    "mail.example.com example.com com " },
		{ S(""), "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str v[POL_DMARC_WALK_MAX], got = STR("");
		size_t n = pol_dmarc_names(rows[i].domain, v);
		AUTO_ARENA a = { 0 };

		for (size_t k = 0; k < n; k++)
			got = str_fmt(&a, "%.*s%.*s ", STRF(got), STRF(v[k]));
		if (!str_eq(got, str_c(rows[i].names)))
			fail_msg("%.*s", STRF(got));
	}
}

static const struct zone_rr zone[] = {
	{ S("_dmarc.plain.test"), S("TXT"), S("v=DMARC1; p=reject") },
	{ S("_dmarc.sub.plain.test"), S("TXT"),
	    S("v=DMARC1; p=quarantine; adkim=s; aspf=s") },
	{ S("_dmarc.own.plain.test"), S("TXT"),
	    S("v=DMARC1; p=quarantine; psd=n") },
	{ S("_dmarc.tags.test"), S("TXT"),
	    S("v=DMARC1; p=reject; sp=quarantine; np=none") },
	{ S("here.tags.test"), S("MX"), S("10 mx.test") },
	{ S("unsure.tags.test"), S("TIMEOUT"), S("") },
	{ S("_dmarc.trial.test"), S("TXT"), S("v=DMARC1; p=reject; t=y") },
	{ S("_dmarc.trial2.test"), S("TXT"), S("v=DMARC1; p=quarantine; t=y") },
	{ S("_dmarc.bank"), S("TXT"), S("v=DMARC1; p=reject; psd=y") },
	{ S("_dmarc.good.bank"), S("TXT"), S("v=DMARC1; p=none") },
	{ S("_dmarc.two.test"), S("TXT"), S("v=DMARC1; p=reject") },
	{ S("_dmarc.two.test"), S("TXT"), S("v=DMARC1; p=none") },
	{ S("_dmarc.mixed.test"), S("TXT"), S("v=spf1 -all") },
	{ S("_dmarc.mixed.test"), S("TXT"), S("v=DMARC1; p=quarantine") },
	{ S("_dmarc.useless.test"), S("TXT"), S("v=DMARC1; p=x") },
	{ S("_dmarc.down.test"), S("TIMEOUT"), S("") },
	{ S("_dmarc.below.plain.test"), S("TIMEOUT"), S("") },
};

static void
fill_zone(struct zone *z)
{
	*z = (struct zone){ 0 };
	for (size_t i = 0; i < COUNT(zone); i++)
		zone_add(z, zone[i]);
}

static void
whole_checks(void **state)
{
	static const struct {
		struct str from, spf, dkim, spf_unsure, dkim_unsure;
		const char *result, *policy, *at;
	} rows[] = {
		/* nobody cares */
		{ S("no.record.test"), S(""), S(""), S(""), S(""), "none", "",
		    "" },
		{ S("two.test"), S(""), S(""), S(""), S(""), "none", "", "" },
		/* exact matches */
		{ S("plain.test"), S("plain.test"), S(""), S(""), S(""), "pass",
		    "reject", "plain.test" },
		{ S("plain.test"), S(""), S("plain.test"), S(""), S(""), "pass",
		    "reject", "plain.test" },
		{ S("plain.test"), S("PLAIN.test"), S(""), S(""), S(""), "pass",
		    "reject", "plain.test" },
		{ S("plain.test"), S("other.test"), S("other.test"), S(""),
		    S(""), "fail", "reject", "plain.test" },
		{ S("plain.test"), S(""), S(""), S(""), S(""), "fail", "reject",
		    "plain.test" },
		/* relaxed: the same organization */
		{ S("plain.test"), S("x.y.plain.test"), S(""), S(""), S(""),
		    "pass", "reject", "plain.test" },
		{ S("x.plain.test"), S(""), S("plain.test"), S(""), S(""),
		    "pass", "reject", "plain.test" },
		{ S("x.plain.test"), S(""), S("y.plain.test"), S(""), S(""),
		    "pass", "reject", "plain.test" },
		/* a name that only ends alike is somebody else's */
		{ S("plain.test"), S(""), S("notplain.test"), S(""), S(""),
		    "fail", "reject", "plain.test" },
		{ S("plain.test"), S(""), S("test"), S(""), S(""), "fail",
		    "reject", "plain.test" },
		/* strict */
		{ S("sub.plain.test"), S("sub.plain.test"), S(""), S(""), S(""),
		    "pass", "quarantine", "sub.plain.test" },
		{ S("sub.plain.test"), S("plain.test"), S("x.sub.plain.test"),
		    S(""), S(""), "fail", "quarantine", "sub.plain.test" },
		/* psd=n cuts an organization in two */
		{ S("own.plain.test"), S(""), S("plain.test"), S(""), S(""),
		    "fail", "quarantine", "own.plain.test" },
		{ S("plain.test"), S(""), S("own.plain.test"), S(""), S(""),
		    "fail", "reject", "plain.test" },
		{ S("a.own.plain.test"), S(""), S("b.own.plain.test"), S(""),
		    S(""), "pass", "quarantine", "own.plain.test" },
		/* psd=y: one label below is the organization */
		{ S("bad.bank"), S(""), S("good.bank"), S(""), S(""), "fail",
		    "reject", "bank" },
		{ S("bad.bank"), S(""), S("x.bad.bank"), S(""), S(""), "pass",
		    "reject", "bank" },
		{ S("good.bank"), S(""), S(""), S(""), S(""), "fail", "none",
		    "good.bank" },
		{ S("x.good.bank"), S("y.good.bank"), S(""), S(""), S(""),
		    "pass", "none", "good.bank" },
		{ S("bank"), S(""), S(""), S(""), S(""), "fail", "reject",
		    "bank" },
		/* sp and np */
		{ S("tags.test"), S(""), S(""), S(""), S(""), "fail", "reject",
		    "tags.test" },
		{ S("here.tags.test"), S(""), S(""), S(""), S(""), "fail",
		    "quarantine", "tags.test" },
		{ S("gone.tags.test"), S(""), S(""), S(""), S(""), "fail",
		    "none", "tags.test" },
		{ S("unsure.tags.test"), S(""), S(""), S(""), S(""), "fail",
		    "none", "tags.test" },
		/* t=y: one step lower */
		{ S("trial.test"), S(""), S(""), S(""), S(""), "fail",
		    "quarantine", "trial.test" },
		{ S("trial2.test"), S(""), S(""), S(""), S(""), "fail", "none",
		    "trial2.test" },
		/* other texts at the name do not matter */
		{ S("mixed.test"), S(""), S(""), S(""), S(""), "fail",
		    "quarantine", "mixed.test" },
		{ S("useless.test"), S(""), S(""), S(""), S(""), "permerror",
		    "", "useless.test" },
		/* not knowing */
		{ S("down.test"), S("down.test"), S(""), S(""), S(""),
		    "temperror", "", "" },
		{ S("x.down.test"), S(""), S(""), S(""), S(""), "temperror", "",
		    "" },
		{ S("plain.test"), S(""), S(""), S("plain.test"), S(""),
		    "temperror", "reject", "plain.test" },
		{ S("plain.test"), S(""), S(""), S(""), S("x.plain.test"),
		    "temperror", "reject", "plain.test" },
		{ S("plain.test"), S(""), S(""), S("other.test"),
		    S("other.test"), "fail", "reject", "plain.test" },
		{ S("plain.test"), S(""), S("below.plain.test"), S(""), S(""),
		    "temperror", "reject", "plain.test" },
		{ S("plain.test"), S("plain.test"), S("below.plain.test"),
		    S(""), S(""), "pass", "reject", "plain.test" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct pol_dmarc_in in = { .from = rows[i].from,
			.spf = rows[i].spf,
			.spf_unsure = rows[i].spf_unsure,
			.dkim = &rows[i].dkim,
			.ndkim = rows[i].dkim.n > 0,
			.dkim_unsure = &rows[i].dkim_unsure,
			.ndkim_unsure = rows[i].dkim_unsure.n > 0 };
		struct pol_dmarc_out out;
		AUTO_ARENA a = { 0 };
		struct pol_ask ask;
		struct zone z;
		struct str got, want;

		fill_zone(&z);
		pol_ask_init(&ask, &a, zone_ask, &z, deadline_in(1000));
		pol_dmarc_check(&ask, &in, &out);
		got = str_fmt(&a, "%s %s %.*s", pol_dmarc_name(out.result),
		    pol_dmarc_policy_name(out.policy), STRF(out.record_at));
		want = str_fmt(
		    &a, "%s %s %s", rows[i].result, rows[i].policy, rows[i].at);
		if (!str_eq(got, want))
			fail_msg("row %zu, %.*s: %.*s, want %.*s", i,
			    STRF(rows[i].from), STRF(got), STRF(want));
	}
}

static void
nothing_is_asked_twice(void **state)
{
	struct str dkim = STR("x.plain.test");
	const struct pol_dmarc_in in = {
		.from = STR("y.plain.test"), .dkim = &dkim, .ndkim = 1
	};
	struct pol_dmarc_out out;
	AUTO_ARENA a = { 0 };
	struct pol_ask ask;
	struct zone z;

	(void)state;
	fill_zone(&z);
	pol_ask_init(&ask, &a, zone_ask, &z, deadline_in(1000));
	pol_dmarc_check(&ask, &in, &out);
	/* y.plain.test, plain.test, test; then x.plain.test. */
	assert_int_equal(z.questions, 4);
	assert_int_equal(z.batches, 2);
	pol_dmarc_check(&ask, &in, &out);
	assert_int_equal(z.questions, 4);
}

static void
a_message_asks_a_bounded_number_of_questions(void **state)
{
	AUTO_ARENA a = { 0 };
	struct pol_ask ask;
	struct zone z;

	(void)state;
	fill_zone(&z);
	pol_ask_init(&ask, &a, zone_ask, &z, deadline_in(1000));
	for (unsigned i = 0; i < POL_ASK_MAX + 5; i++) {
		struct dns_question q = { str_fmt(&a, "n%u.test", i), DNS_TXT };
		struct dns_answer answer;

		pol_ask_all(&ask, &q, 1, &answer);
		assert_int_equal(
		    answer.rc, i < POL_ASK_MAX ? RC_NOENT : RC_TEMP);
	}
	assert_int_equal(z.questions, POL_ASK_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tags_are_read_as_they_are_meant),
		cmocka_unit_test(records),
		cmocka_unit_test(a_walk_has_eight_names_at_most),
		cmocka_unit_test(whole_checks),
		cmocka_unit_test(nothing_is_asked_twice),
		cmocka_unit_test(a_message_asks_a_bounded_number_of_questions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
