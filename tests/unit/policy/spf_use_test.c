/*
 * SPF around the terms: whose policy is asked, macros, explanations, time, the
 * header field, and libspf2 behind the same call.
 */
#include "tests/unit/policy/spf_rig.h"

static void
identities_are_told_apart(void **state)
{
	static const struct {
		const char *rule, *helo, *from;
		enum pol_spf_identity asked, used;
		enum pol_spf_result result;
		const char *domain, *sender;
	} rows[] = {
		{ "2.4 mail from", "h.example", "Ann@Pass.Example",
		    POL_SPF_MAILFROM, POL_SPF_MAILFROM, POL_SPF_PASS,
		    "pass.example", "Ann@Pass.Example" },
		{ "2.3 helo", "fail.example", "ann@pass.example", POL_SPF_HELO,
		    POL_SPF_HELO, POL_SPF_FAIL, "fail.example",
		    "postmaster@fail.example" },
		{ "2.4 null sender", "soft.example", "", POL_SPF_MAILFROM,
		    POL_SPF_HELO, POL_SPF_SOFTFAIL, "soft.example",
		    "postmaster@soft.example" },
		{ "4.3 no local part", "h.example", "@fail.example",
		    POL_SPF_MAILFROM, POL_SPF_MAILFROM, POL_SPF_FAIL,
		    "fail.example", "postmaster@fail.example" },
		{ "4.3 no at", "h.example", "fail.example", POL_SPF_MAILFROM,
		    POL_SPF_MAILFROM, POL_SPF_FAIL, "fail.example",
		    "postmaster@fail.example" },
		{ "the last at", "h.example", "\"a@pass.example\"@fail.example",
		    POL_SPF_MAILFROM, POL_SPF_MAILFROM, POL_SPF_FAIL,
		    "fail.example", "\"a@pass.example\"@fail.example" },
		{ "4.3 a dot at the end", "h.example", "a@fail.example.",
		    POL_SPF_MAILFROM, POL_SPF_MAILFROM, POL_SPF_FAIL,
		    "fail.example", "a@fail.example" },
		{ "4.3 one label", "client", "", POL_SPF_MAILFROM, POL_SPF_HELO,
		    POL_SPF_NONE, "client", "postmaster@client" },
		{ "4.3 a literal", "[192.0.2.1]", "", POL_SPF_MAILFROM,
		    POL_SPF_HELO, POL_SPF_NONE, "[192.0.2.1]",
		    "postmaster@[192.0.2.1]" },
		{ "4.3 an empty label", "h.example", "a@x..example",
		    POL_SPF_MAILFROM, POL_SPF_MAILFROM, POL_SPF_NONE,
		    "x..example", "a@x..example" },
		{ "4.3 a label of 64", "h.example", "a@" A63 "b.example",
		    POL_SPF_MAILFROM, POL_SPF_MAILFROM, POL_SPF_NONE,
		    A63 "b.example", "a@" A63 "b.example" },
		{ "no helo", "", "", POL_SPF_MAILFROM, POL_SPF_HELO,
		    POL_SPF_NONE, "", "postmaster@" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world w;

		world_init(&w, "", NULL);
		w.in.identity = rows[i].asked;
		w.in.helo = str_c(rows[i].helo);
		w.in.from = str_c(rows[i].from);
		world_check(&w);
		if (w.out.result != rows[i].result ||
		    w.out.identity != rows[i].used ||
		    !is(w.out.domain, rows[i].domain) ||
		    !is(w.out.sender, rows[i].sender))
			fail_msg("%s: %s '%.*s' '%.*s'", rows[i].rule,
			    pol_spf_name(w.out.result), STRF(w.out.domain),
			    STRF(w.out.sender));
		if (w.out.result == POL_SPF_NONE)
			assert_int_equal(w.zone.questions, 0);
		world_free(&w);
	}
}

static void
a_client_needs_an_address(void **state)
{
	static const char *const wrong[] = { "", "192.0.2", "192.0.2.1 ",
		"192.0.2.01", "fe80::1%eth0", "localhost", "::ffff:1.2.3",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb" };

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct world w;

		world_init(&w, "", "v=spf1 -all");
		w.in.client_ip = str_c(wrong[i]);
		world_check(&w);
		assert_int_equal(w.out.result, POL_SPF_NONE);
		assert_true(w.out.problem.n > 0);
		world_free(&w);
	}
}

static void
macros_expand(void **state)
{
	static const struct {
		const char *text, *ip, *want;
	} rows[] = {
		{ "%{s}|%{l}|%{o}|%{d}", V4,
		    "a.b-c+d@d.example|a.b-c+d|d.example|d.example" },
		{ "%{i}|%{ir}|%{v}|%{c}", V4,
		    "192.0.2.1|1.2.0.192|in-addr|192.0.2.1" },
		{ "%{i}", V6,
		    "2.0.0.1.0.D.B.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
		    "0.0.0.1" },
		{ "%{ir}.%{v}|%{c}", V6,
		    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0."
		    "1.0.0.2.ip6|2001:db8::1" },
		{ "%{c}", "::ffff:192.0.2.1", "192.0.2.1" },
		{ "%{h}|%{r}|%{t}", V4,
		    "client.d.example|mx.here.example|1234567890" },
		{ "%{p}", V4, "unknown" },
		{ "%{d1}|%{d2}|%{d9}|%{h2}|%{h1r}", V4,
		    "example|d.example|d.example|d.example|client" },
		{ "%{dr}|%{hr}|%{h2r}", V4,
		    "example.d|example.d.client|d.client" },
		{ "%{l-}|%{lr-}|%{l1-}|%{l+}|%{l-+}|%{l1r-+}", V4,
		    "a.b.c+d|c+d.a.b|c+d|a.b-c.d|a.b.c.d|a.b" },
		{ "%{l2r.-+}", V4, "b.a" },
		{ "%{L}|%{S}|%{LR-}", V4,
		    "a.b-c%2Bd|a.b-c%2Bd%40d.example|c%2Bd.a.b" },
		{ "100%%, a%_b, a%-b", V4, "100%, a b, a%20b" },
		{ "no macros: (x) \"y\" {z}", V4, "no macros: (x) \"y\" {z}" },
		{ "%{i2}|%{i1r}", V4, "2.1|192" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world w;

		world_init(&w, "", "v=spf1 -all exp=x.example");
		zone_add(&w.zone, (struct zone_rr){ STR("x.example"),
				      STR("TXT"), str_c(rows[i].text) });
		w.in.client_ip = str_c(rows[i].ip);
		w.in.from = STR("a.b-c+d@d.example");
		world_check(&w);
		if (!is(w.out.explanation, rows[i].want))
			fail_msg("7: '%s' is '%.*s', not '%s'", rows[i].text,
			    STRF(w.out.explanation), rows[i].want);
		world_free(&w);
	}
}

static void
macros_make_names(void **state)
{
	static const struct row rows[] = {
		Z("7.4 d2", "x.d.example A 192.0.2.1\n",
		    "v=spf1 a:x.%{d2} -all", V4, PASS, NULL),
		Z("7.3 names are in lower case", "ann.x.example A 192.0.2.1\n",
		    "v=spf1 exists:%{L}.X.Example -all", V4, PASS, NULL),
		Z("7.3 ir and v", "1.2.0.192.in-addr.x.example A 127.0.0.2\n",
		    "v=spf1 -exists:%{ir}.%{v}.x.example +all", V4, FAIL, NULL),
		Z("7.3 a long name loses its left",
		    A63 "." A63 "." A63 ".d.example A 192.0.2.1\n",
		    "v=spf1 exists:" A63 "." A63 "." A63 "." A63
		    ".d.example -all",
		    V4, PASS, NULL),
		Z("7.3 p is the domain first",
		    PTR4 "mx.ok.example\n" PTR4 "h.d.example\n" PTR4
			 "d.example\nh.d.example A 192.0.2.1\n"
			 "d.example A 192.0.2.1\nd.example.x A 127.0.0.1\n",
		    "v=spf1 exists:%{p}.x -all", V4, PASS, NULL),
		Z("7.3 p is below the domain next",
		    PTR4 "mx.ok.example\n" PTR4 "h.d.example\n"
			 "h.d.example A 192.0.2.1\n"
			 "h.d.example.x A 127.0.0.1\n",
		    "v=spf1 exists:%{p}.x -all", V4, PASS, NULL),
		Z("7.3 p is any",
		    PTR4 "h.d.example\n" PTR4 "mx.ok.example\n"
			 "mx.ok.example.x A 127.0.0.1\n",
		    "v=spf1 exists:%{p}.x -all", V4, PASS, NULL),
		Z("7.3 p is unknown", "unknown.x A 127.0.0.1\n",
		    "v=spf1 exists:%{p}.x -all", V4, PASS, NULL),
		Z("7.1 spaces in a name", "a b.example A 192.0.2.1\n", NULL, V4,
		    NONE, NULL),
	};

	(void)state;
	run_rows(rows, COUNT(rows));
}

static void
fails_are_explained(void **state)
{
	static const struct {
		const char *rule, *policy, *zone, *want;
	} rows[] = {
		{ "6.2 a text", "v=spf1 exp=x.example -all",
		    "x.example TXT See me.\n", "See me." },
		{ "6.2 only on fail", "v=spf1 exp=x.example ~all",
		    "x.example TXT See me.\n", "" },
		{ "6.2 none asked for", "v=spf1 -all", "", "" },
		{ "6.2 no such text", "v=spf1 exp=x.example -all", "", "" },
		{ "6.2 two texts", "v=spf1 exp=x.example -all",
		    "x.example TXT a\nx.example TXT b\n", "" },
		{ "6.2 no answer", "v=spf1 exp=slow.example -all", "", "" },
		{ "6.2 a syntax error", "v=spf1 exp=x.example -all",
		    "x.example TXT 100% sure\n", "" },
		{ "6.2 not ASCII", "v=spf1 exp=x.example -all",
		    "x.example TXT S\xc3\xa4h\n", "" },
		{ "6.2 a control character", "v=spf1 exp=x.example -all",
		    "x.example TXT a\r\n", "" },
		{ "6.2 not a name", "v=spf1 exp=x..example -all", "", "" },
		{ "6.2 include does not explain",
		    "v=spf1 -include:i.example ?all exp=x.example",
		    "i.example TXT v=spf1 +all exp=y.example\n"
		    "x.example TXT ours\ny.example TXT theirs\n",
		    "ours" },
		{ "6.2 and never for the outer record",
		    "v=spf1 include:i.example -all",
		    "i.example TXT v=spf1 -all exp=y.example\n"
		    "y.example TXT theirs\n",
		    "" },
		{ "6.2 redirect does",
		    "v=spf1 redirect=i.example exp=x.example",
		    "i.example TXT v=spf1 -all exp=y.%{d}\n"
		    "x.example TXT ours\ny.i.example TXT of %{d} for %{o}\n",
		    "of i.example for d.example" },
		{ "6.2 and else nobody",
		    "v=spf1 redirect=fail.example exp=x.example",
		    "x.example TXT ours\n", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world w;

		world_init(&w, rows[i].zone, rows[i].policy);
		world_check(&w);
		if (!is(w.out.explanation, rows[i].want))
			fail_msg("%s: '%.*s'", rows[i].rule,
			    STRF(w.out.explanation));
		world_free(&w);
	}
}

/* What a client chose must not get out of its line. */
static void
an_explanation_is_one_short_line(void **state)
{
	struct world w;
	char text[1024];

	(void)state;
	world_init(&w, "x.example TXT by %{l} and %{h}\n",
	    "v=spf1 -all exp=x.example");
	w.in.from = STR("a\r\n250 ok\x01@d.example");
	w.in.helo = STR("h\xff\n.example");
	world_check(&w);
	assert_true(is(w.out.explanation, "by a??250 ok? and h??.example"));
	world_free(&w);

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = 'x';
	world_init(&w, "", "v=spf1 -all exp=x.example");
	zone_add(&w.zone, (struct zone_rr){ STR("x.example"), STR("TXT"),
			      str_n(text, sizeof(text)) });
	world_check(&w);
	assert_int_equal(w.out.explanation.n, POL_SPF_EXPLAIN_MAX);
	world_free(&w);
}

/* RFC 8616 section 4. */
static void
a_local_part_beyond_ascii_never_matches(void **state)
{
	static const struct {
		const char *policy;
		enum pol_spf_result result;
	} rows[] = {
		{ "v=spf1 exists:%{l}.x.example -all", POL_SPF_FAIL },
		{ "v=spf1 exists:%{s}.x.example -all", POL_SPF_FAIL },
		{ "v=spf1 include:%{l}.x.example ~all", POL_SPF_SOFTFAIL },
		{ "v=spf1 a:%{o}.y.example -all", POL_SPF_PASS },
		{ "v=spf1 redirect=%{l}.x.example", POL_SPF_PERMERROR },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world w;

		world_init(&w,
		    "J\xc3\xb6rg.x.example A 192.0.2.1\n"
		    "J\xc3\xb6rg.x.example TXT v=spf1 +all\n"
		    "d.example.y.example A 192.0.2.1\n",
		    rows[i].policy);
		w.in.from = STR("J\xc3\xb6rg@d.example");
		world_check(&w);
		assert_int_equal(w.out.result, rows[i].result);
		assert_true(str_is_ascii(w.out.problem));
		world_free(&w);
	}
}

static void
questions_go_out_together(void **state)
{
	struct world w;

	(void)state;
	/* Everything of the record, then the hosts of the mx. */
	world_init(&w, "d.example MX 1 two.example\n",
	    "v=spf1 ip4:10.0.0.1 include:fail.example include:soft.example "
	    "a:two.example mx -all");
	world_check(&w);
	assert_int_equal(w.out.result, POL_SPF_FAIL);
	assert_int_equal(w.zone.batches, 3);
	assert_int_equal(w.zone.questions, 6);
	assert_int_equal(w.out.lookups, 4);
	world_free(&w);

	/* Nothing is asked when an address decides. */
	world_init(&w, "", "v=spf1 ip4:192.0.2.1 include:fail.example a mx");
	world_check(&w);
	assert_int_equal(w.zone.questions, 1);
	world_free(&w);

	/* exists waits for its turn, and a name is asked for once. */
	world_init(&w, "",
	    "v=spf1 include:pass.example exists:%{i}.x a:two.example "
	    "a:two.example -all");
	world_check(&w);
	assert_int_equal(w.out.result, POL_SPF_PASS);
	assert_int_equal(w.zone.questions, 3);
	world_free(&w);

	/* A tree of includes does not multiply them. */
	world_init(&w,
	    "i.example TXT v=spf1 include:j.example include:1.x "
	    "include:2.x include:3.x include:4.x include:5.x include:6.x\n"
	    "j.example TXT v=spf1 include:k.example include:7.x "
	    "include:8.x include:9.x include:10.x include:11.x\n"
	    "k.example TXT v=spf1 include:l.example include:12.x "
	    "include:13.x include:14.x include:15.x include:16.x\n",
	    "v=spf1 include:i.example include:a.x include:b.x include:c.x "
	    "include:d.x include:e.x include:f.x include:g.x include:h.x "
	    "include:i.x include:j.x");
	world_check(&w);
	assert_int_equal(w.out.result, POL_SPF_PERMERROR);
	assert_true(w.zone.questions <= 1 + 2 * POL_SPF_LOOKUPS_MAX);
	world_free(&w);
}

static void
no_time_is_temperror(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "", "v=spf1 -all");
	pol_spf_check(&w.conf, &w.a, &w.in, (struct deadline){ 0 }, &w.out);
	assert_int_equal(w.out.result, POL_SPF_TEMPERROR);
	assert_int_equal(w.zone.questions, 0);
	assert_true(str_find(w.out.problem, STR("no time")) < w.out.problem.n);
	world_free(&w);
}

static void
the_field_is_written(void **state)
{
	struct world w;
	struct str field;

	(void)state;
	world_init(&w, "", "v=spf1 ip4:192.0.2.0/24 -all");
	world_check(&w);
	field = pol_spf_received(&w.a, &w.conf, &w.in, &w.out);
	assert_string_equal(str_fmt(&w.a, "%.*s", STRF(field)).p,
	    "Received-SPF: pass (mx.here.example: d.example permits "
	    "192.0.2.1)\r\n"
	    " client-ip=192.0.2.1; envelope-from=\"ann@d.example\"; "
	    "helo=client.d.example;\r\n"
	    " identity=mailfrom; mechanism=\"ip4:192.0.2.0/24\"; "
	    "receiver=mx.here.example\r\n");
	world_free(&w);

	/* Whatever strangers chose stays within its quotes and its line. */
	world_init(&w, "", "v=spf1 a:x -all");
	w.in.from = STR("\"a\\b\"\r\nX: y\xff@d.example");
	w.in.helo = STR(")(\\ \r\n;=\0x");
	world_check(&w);
	assert_int_equal(w.out.result, POL_SPF_PERMERROR);
	field = pol_spf_received(&w.a, &w.conf, &w.in, &w.out);
	assert_true(str_find(field, STR("envelope-from=\"\\\"a\\\\b\\\"??X: "
					"y?@d.example\";")) < field.n);
	assert_true(str_find(field, STR("helo=\")(\\\\ ??;=?x\";")) < field.n);
	assert_true(
	    str_find(field, STR("problem=\"a:x: not a domain\";")) < field.n);
	for (size_t i = 0; i + 2 < field.n; i++)
		if (field.p[i] == '\n')
			assert_true(field.p[i + 1] == ' ');
	world_free(&w);
}

#ifdef HAVE_LIBSPF2
static void
libspf2_answers_behind_the_same_call(void **state)
{
	static const struct {
		const char *rule, *policy, *ip;
		enum pol_spf_result result;
	} rows[] = {
		{ "pass", "v=spf1 a:mx.ok.example -all", V4, POL_SPF_PASS },
		{ "v6", "v=spf1 mx:m.example -all", V6, POL_SPF_PASS },
		{ "mapped", "v=spf1 ip4:192.0.2.1 -all", "::ffff:192.0.2.1",
		    POL_SPF_PASS },
		{ "ptr", "v=spf1 ptr:ok.example -all", V4, POL_SPF_PASS },
		{ "fail", "v=spf1 -all exp=x.example", V4, POL_SPF_FAIL },
		{ "softfail", "v=spf1 ~all", V4, POL_SPF_SOFTFAIL },
		{ "neutral", "v=spf1 ?all", V4, POL_SPF_NEUTRAL },
		{ "none", "not ours", V4, POL_SPF_NONE },
		{ "temperror", "v=spf1 include:slow.example -all", V4,
		    POL_SPF_TEMPERROR },
		{ "permerror", "v=spf1 nonsense -all", V4, POL_SPF_PERMERROR },
		{ "this host is a client like others", "v=spf1 -all",
		    "127.0.0.1", POL_SPF_FAIL },
		{ "and in v6", "v=spf1 -all", "::1", POL_SPF_FAIL },
	};

	(void)state;
	assert_true(pol_spf_engine_built(POL_SPF_LIBSPF2));
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world w;

		world_init(&w,
		    PTR4 "mx.ok.example\nm.example MX 1 mx.ok.example\n"
			 "x.example TXT See me.\n",
		    rows[i].policy);
		w.conf.engine = POL_SPF_LIBSPF2;
		w.in.client_ip = str_c(rows[i].ip);
		world_check(&w);
		if (w.out.result != rows[i].result)
			fail_msg("%s: %s (%.*s)", rows[i].rule,
			    pol_spf_name(w.out.result), STRF(w.out.problem));
		/* Its words are never passed on. */
		assert_int_equal(w.out.explanation.n, 0);
		world_free(&w);
	}
}

static void
libspf2_gets_no_more_time(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "", "v=spf1 -all");
	w.conf.engine = POL_SPF_LIBSPF2;
	pol_spf_check(&w.conf, &w.a, &w.in, (struct deadline){ 0 }, &w.out);
	assert_int_equal(w.out.result, POL_SPF_TEMPERROR);
	assert_int_equal(w.zone.questions, 0);
	world_free(&w);
}
#else
static void
libspf2_is_only_there_when_built(void **state)
{
	(void)state;
	assert_true(pol_spf_engine_built(POL_SPF_OWN));
	assert_false(pol_spf_engine_built(POL_SPF_LIBSPF2));
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identities_are_told_apart),
		cmocka_unit_test(a_client_needs_an_address),
		cmocka_unit_test(macros_expand),
		cmocka_unit_test(macros_make_names),
		cmocka_unit_test(fails_are_explained),
		cmocka_unit_test(an_explanation_is_one_short_line),
		cmocka_unit_test(a_local_part_beyond_ascii_never_matches),
		cmocka_unit_test(questions_go_out_together),
		cmocka_unit_test(no_time_is_temperror),
		cmocka_unit_test(the_field_is_written),
#ifdef HAVE_LIBSPF2
		cmocka_unit_test(libspf2_answers_behind_the_same_call),
		cmocka_unit_test(libspf2_gets_no_more_time),
#else
		cmocka_unit_test(libspf2_is_only_there_when_built),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
