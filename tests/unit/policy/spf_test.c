/* RFC 7208 over a zone in memory; the sections are in the rows' names. */
#include <stdio.h>

#include "tests/unit/lib/test.h"
#include "policy/pol_spf_impl.h"
#include "tests/unit/policy/spf_zone.h"

#define A63 "a23456789012345678901234567890123456789012345678901234567890123"

/* Common to all rows; what a row adds comes first. */
static const char common[] = "mx.ok.example A 192.0.2.1\n"
			     "mx.ok.example AAAA 2001:db8::1\n"
			     "two.example A 192.0.2.2\n"
			     "two.example AAAA 2001:db8::2\n"
			     "pass.example TXT v=spf1 +all\n"
			     "fail.example TXT v=spf1 -all\n"
			     "soft.example TXT v=spf1 ~all\n"
			     "neutral.example TXT v=spf1 ?all\n"
			     "broken.example TXT v=spf1 nonsense -all\n"
			     "slow.example TIMEOUT\n"
			     "loop.example TXT v=spf1 include:loop.example\n"
			     "plain.example TXT no policy at all\n";

struct row {
	const char *rule;
	const char *zone; /* "NAME TYPE VALUE" lines; "" alone: the policy of
			     d.example is `policy` */
	const char *policy;
	const char *ip;
	enum pol_spf_result result;
	const char *mechanism; /* NULL: not asked about */
};

#define V4 "192.0.2.1"
#define V6 "2001:db8::1"
#define R(rule, policy, ip, result, mechanism)                                 \
	{                                                                      \
		rule, "", policy, ip, POL_SPF_##result, mechanism              \
	}
#define Z(rule, zone, policy, ip, result, mechanism)                           \
	{                                                                      \
		rule, zone, policy, ip, POL_SPF_##result, mechanism            \
	}

static void
zone_text(struct zone *z, struct str text)
{
	struct str line;

	while (str_split(&text, '\n', &line)) {
		struct zone_rr rr = { .name = str_word(&line) };

		rr.type = str_word(&line);
		rr.value = line;
		if (rr.name.n > 0)
			zone_add(z, rr);
	}
}

struct world {
	struct zone zone;
	struct pol_spf_conf conf;
	struct pol_spf_in in;
	struct pol_spf_out out;
	struct arena a;
};

static void
world_init(struct world *w, const char *zone, const char *policy)
{
	*w = (struct world){ .conf = { .ask = zone_ask,
				 .receiver = STR_INIT("mx.here.example") },
		.in = { .identity = POL_SPF_MAILFROM,
		    .client_ip = STR_INIT(V4),
		    .helo = STR_INIT("client.d.example"),
		    .from = STR_INIT("ann@d.example"),
		    .now = 1234567890 } };
	w->conf.arg = &w->zone;
	if (policy != NULL)
		zone_add(&w->zone, (struct zone_rr){ STR("d.example"),
				       STR("TXT"), str_c(policy) });
	zone_text(&w->zone, str_c(zone));
	zone_text(&w->zone, str_c(common));
}

static void
world_check(struct world *w)
{
	pol_spf_check(&w->conf, &w->a, &w->in, deadline_in(60000), &w->out);
}

static void
world_free(struct world *w)
{
	arena_free(&w->a);
}

static bool
is(struct str got, const char *want)
{
	return str_eq(got, str_c(want));
}

static void
run_rows(const struct row *rows, size_t n)
{
	int bad = 0;

	for (size_t i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		struct world w;

		world_init(&w, r->zone, r->policy);
		w.in.client_ip = str_c(r->ip);
		world_check(&w);
		if (w.out.result != r->result ||
		    (r->mechanism != NULL &&
			!is(w.out.mechanism, r->mechanism))) {
			print_error("%s: %s by '%.*s' (%.*s), not %s\n",
			    r->rule, pol_spf_name(w.out.result),
			    STRF(w.out.mechanism), STRF(w.out.problem),
			    pol_spf_name(r->result));
			bad++;
		}
		world_free(&w);
	}
	assert_int_equal(bad, 0);
}

static void
terms_decide_in_order(void **state)
{
	static const struct row rows[] = {
		R("2.6 pass", "v=spf1 +all", V4, PASS, "all"),
		R("4.6.2 no qualifier is +", "v=spf1 all", V4, PASS, "all"),
		R("2.6 fail", "v=spf1 -all", V4, FAIL, "all"),
		R("2.6 softfail", "v=spf1 ~all", V4, SOFTFAIL, "all"),
		R("2.6 neutral", "v=spf1 ?all", V4, NEUTRAL, "all"),
		R("4.7 nothing matches", "v=spf1 ip4:10.0.0.1", V4, NEUTRAL,
		    "default"),
		R("4.7 empty record", "v=spf1", V4, NEUTRAL, "default"),
		R("4.5 spaces at the end", "v=spf1   ", V4, NEUTRAL, "default"),
		R("4.6.1 several spaces", "v=spf1   ip4:192.0.2.1    -all", V4,
		    PASS, "ip4:192.0.2.1"),
		R("the first match wins", "v=spf1 -ip4:192.0.2.0/24 +all", V4,
		    FAIL, "ip4:192.0.2.0/24"),
		R("5.1 behind all is ignored",
		    "v=spf1 ~all include:slow.example", V4, SOFTFAIL, "all"),
		R("5.1 all beats redirect", "v=spf1 redirect=pass.example -all",
		    V4, FAIL, "all"),
		R("12 names in any case", "V=SPF1 IP4:192.0.2.1 -ALL", V4, PASS,
		    NULL),
		R("an unknown modifier is ignored",
		    "v=spf1 x.y-z_1=%{d}:/, ip4:192.0.2.1 -all", V4, PASS,
		    NULL),
		R("ip4= is an unknown modifier", "v=spf1 ip4=192.0.2.1 -all",
		    V4, FAIL, "all"),
	};

	(void)state;
	run_rows(rows, COUNT(rows));
}

static void
records_are_selected(void **state)
{
	static const struct row rows[] = {
		Z("4.5 no record", "d.example A 192.0.2.9\n", NULL, V4, NONE,
		    ""),
		Z("4.4 no such name", "", NULL, V4, NONE, ""),
		Z("4.4 no answer", "d.example TIMEOUT\n", NULL, V4, TEMPERROR,
		    ""),
		Z("4.5 others do not matter",
		    "d.example TXT v=spf10 -all\nd.example TXT spf2.0/pra "
		    "-all\n"
		    "d.example TXT \xff\xfe\n",
		    "v=spf1 +all", V4, PASS, "all"),
		Z("4.5 two records", "d.example TXT v=spf1 -all\n",
		    "v=spf1 -all", V4, PERMERROR, ""),
		R("4.5 no space behind the version", "v=spf1-all", V4, NONE,
		    ""),
		R("4.5 another version", "v=spf2 -all", V4, NONE, ""),
		Z("a CNAME is followed",
		    "d.example CNAME e.example\ne.example TXT v=spf1 -all\n",
		    NULL, V4, FAIL, "all"),
		Z("CNAMEs in a circle",
		    "d.example CNAME e.example\ne.example CNAME d.example\n",
		    NULL, V4, TEMPERROR, ""),
	};

	(void)state;
	run_rows(rows, COUNT(rows));
}

static const char *const wrong_records[] = {
	"all:x.example",
	"all/8",
	"all.",
	"+",
	"-",
	"all -",
	"foo",
	"foo:bar",
	"?foo/24",
	"redirect:x.example",
	"exp:x.example",
	"-redirect=x.example",
	"+exp=x.example",
	"redirect=",
	"exp=",
	"redirect=x.example redirect=y.example",
	"exp=x.example exp=x.example",
	"REDIRECT=x.example redirect=x.example",
	"include",
	"include:",
	"include/24",
	"include:x.example/24",
	"exists",
	"exists:",
	"exists:x.example/24",
	"a:",
	"a:/24",
	"mx:",
	"ptr:",
	"ptr/24",
	"ptr:x.example/24",
	"a:x",
	"a:example.",
	"a:x.1",
	"a:192.0.2.1",
	"a:x.-com",
	"a:x.com-",
	"a:x.c_m",
	"a:x.example:25",
	"a:%{d}com",
	"a:x..",
	"a/33",
	"a/",
	"a//",
	"a/01",
	"a//129",
	"a//032",
	"a/24/64",
	"a/24//",
	"a//64/24",
	"a///64",
	"a/-1",
	"a/24x",
	"a:x.example/1234",
	"mx/33",
	"mx//129",
	"ip4",
	"ip4:",
	"ip4/24",
	"ip4:192.0.2",
	"ip4:192.0.2.256",
	"ip4:192.0.2.01",
	"ip4:192.0.2.1/33",
	"ip4:192.0.2.1/",
	"ip4:192.0.2.1/024",
	"ip4:192.0.2.1//32",
	"ip4:192.0.2.1/24/",
	"ip4:2001:db8::1",
	"ip4:1.2.3.4.5",
	"ip4:x.example",
	"ip4:%{i}",
	"ip6",
	"ip6:",
	"ip6:192.0.2.1",
	"ip6:::1/129",
	"ip6:::1/",
	"ip6:::1//64",
	"ip6:2001:db8::1::2",
	"ip6:1:2:3:4:5:6:7:8:9",
	"ip6:fe80::1%eth0",
	"ip6:x.example",
	"a:%{x}.example",
	"a:%{d.example",
	"a:%{d0}.example",
	"a:%{d00r}.example",
	"a:%{}.example",
	"a:%{dr2}.example",
	"a:%{d;}.example",
	"a:%d.example",
	"a:x%.example",
	"a:%",
	"a:x.example%",
	"a:%{c}.example",
	"a:%{r}.example",
	"a:%{t}.example",
	"a:%(d).example",
	"exists:%{c}",
	"x=%",
	"x=%{z}",
	"x=%{d",
	"1x=y",
	"x y=",
	"moo.cow/x=y",
	"moo:x=y",
	"=x",
	"a:x.\xc3\xa4.example",
	"\xc3\xa4=x",
	"x=\xc3\xa4",
	"ip4:192.0.2.1\tall",
	"ip4:192.0.2.1\rall",
	"a:x\x01.example",
	"a:x.example,",
	"all;",
	"include:%",
	"mx:x.example/24//",
	"%{d}",
	"v=%{",
	"all/0",
};

static const char *const right_records[] = {
	"",
	"all",
	"x=",
	"x=%%%_%-",
	"x=%{d}",
	"x=a/b:c=d",
	"v=spf1",
	"all=x",
	"a",
	"a/0",
	"a//0",
	"a/0//0",
	"a/32//128",
	"mx/9//100",
	"A/24",
	"a:x.example",
	"a:x.example.",
	"a:x.xn--p1ai",
	"a:x.c-m",
	"a:x.1m",
	"a:x:y/z.example",
	"a:x/24.example/24//64",
	"a:.example",
	"a:x..example",
	"a:%{d}",
	"a:%{D2R.-+,/_=}",
	"a:%{d}/24",
	"a:%{d2}.example/24//64",
	"a:x.%%",
	"a:%_",
	"a:x.%-",
	"a:%{d999999999999999999999}",
	"a:%{dR}",
	"a:_x.example",
	"a:!$&'*;<>?@[]^`{|}~.example",
	"a:" A63 "b.example",
	"ptr",
	"ptr:x.example",
	"ptr:%{d}",
	"ip4:0.0.0.0/0",
	"ip4:255.255.255.255/32",
	"ip6:::/0",
	"ip6:::1",
	"ip6:::ffff:192.0.2.1",
	"ip6:1:2:3:4:5:6:7:8/128",
	"exists:%{ir}.%{v}._spf.%{d2}",
	"exists:%{l1r+-}.%{o}.%{h}.%{s}.%{p}",
	"include:x.example",
	"redirect=x.example",
	"redirect=%{d}",
	"exp=x.example",
	"redirect=x.example exp=y.example z=1 z=2",
};

static void
syntax_is_checked_as_a_whole(void **state)
{
	AUTO_ARENA a = { 0 };
	struct pol_spf_record rec;
	struct str problem;

	(void)state;
	for (size_t i = 0; i < COUNT(wrong_records); i++) {
		struct str txt =
		    str_fmt(&a, "v=spf1 +all %s", wrong_records[i]);

		if (pol_spf_parse(&a, txt, &rec, &problem) != RC_BAD)
			fail_msg("4.6: '%s' was taken", wrong_records[i]);
		assert_true(problem.n > 0 && str_is_ascii(problem));
	}
	for (size_t i = 0; i < COUNT(right_records); i++)
		if (pol_spf_parse(&a,
			str_fmt(&a, "v=spf1 %s", right_records[i]), &rec,
			&problem) != RC_OK)
			fail_msg(
			    "12: '%s': %.*s", right_records[i], STRF(problem));
	/* A NUL is neither space nor end. */
	assert_int_equal(
	    pol_spf_parse(&a, STR("v=spf1 a:x.example\0 -all"), &rec, &problem),
	    RC_BAD);
	/* One byte more than we read. */
	char *long_one = arena_calloc(&a, POL_SPF_RECORD_MAX + 1, 1);

	for (size_t i = 0; i <= POL_SPF_RECORD_MAX; i++)
		long_one[i] = i < 6 ? "v=spf1"[i] : ' ';
	assert_int_equal(pol_spf_parse(&a, str_n(long_one, POL_SPF_RECORD_MAX),
			     &rec, &problem),
	    RC_OK);
	assert_int_equal(
	    pol_spf_parse(
		&a, str_n(long_one, POL_SPF_RECORD_MAX + 1), &rec, &problem),
	    RC_BAD);
}

static void
addresses_are_compared(void **state)
{
	static const struct row rows[] = {
		R("5.6 ip4", "v=spf1 ip4:192.0.2.1 -all", V4, PASS, NULL),
		R("5.6 another", "v=spf1 ip4:192.0.2.2 -all", V4, FAIL, NULL),
		R("5.6 /24", "v=spf1 ip4:192.0.2.99/24 -all", V4, PASS, NULL),
		R("5.6 /31", "v=spf1 ip4:192.0.2.0/31 -all", V4, PASS, NULL),
		R("5.6 /32 is exact", "v=spf1 ip4:192.0.2.0/32 -all", V4, FAIL,
		    NULL),
		R("5.6 /23", "v=spf1 ip4:192.0.3.7/23 -all", V4, PASS, NULL),
		R("5.6 /1", "v=spf1 ip4:255.0.0.0/1 -all", V4, PASS, NULL),
		R("5.6 /1 other half", "v=spf1 ip4:1.0.0.0/1 -all", V4, FAIL,
		    NULL),
		R("5.6 /0", "v=spf1 ip4:10.0.0.0/0 -all", V4, PASS, NULL),
		R("5.6 ip4 and a v6 client", "v=spf1 ip4:0.0.0.0/0 -all", V6,
		    FAIL, NULL),
		R("5.6 ip6", "v=spf1 ip6:2001:db8::1 -all", V6, PASS, NULL),
		R("5.6 ip6 /33", "v=spf1 ip6:2001:db8:7fff::/33 -all", V6, PASS,
		    NULL),
		R("5.6 ip6 /33 outside", "v=spf1 ip6:2001:db8:8000::/33 -all",
		    V6, FAIL, NULL),
		R("5.6 ip6 /0", "v=spf1 ip6:::/0 -all", V6, PASS, NULL),
		R("5.6 ip6 and a v4 client", "v=spf1 ip6:::/0 -all", V4, FAIL,
		    NULL),
		R("5 a mapped client is v4", "v=spf1 ip4:192.0.2.1 -all",
		    "::FFFF:192.0.2.1", PASS, NULL),
		R("5 and never v6", "v=spf1 ip6:::ffff:192.0.2.1 -all",
		    "::ffff:192.0.2.1", FAIL, NULL),
		R("this host is a client like others", "v=spf1 -all",
		    "127.0.0.1", FAIL, "all"),
		R("and in v6", "v=spf1 -all", "::1", FAIL, "all"),
	};

	(void)state;
	run_rows(rows, COUNT(rows));
}

static void
names_are_looked_up(void **state)
{
	static const struct row rows[] = {
		Z("5.3 a of the domain", "d.example A 192.0.2.1\n",
		    "v=spf1 a -all", V4, PASS, "a"),
		R("5.3 a:", "v=spf1 a:mx.ok.example -all", V4, PASS,
		    "a:mx.ok.example"),
		R("5.3 a, dot at the end", "v=spf1 a:mx.ok.example. -all", V4,
		    PASS, NULL),
		R("5.3 AAAA for v6", "v=spf1 a:mx.ok.example -all", V6, PASS,
		    NULL),
		R("5.3 a/24", "v=spf1 a:two.example/24 -all", V4, PASS, NULL),
		R("5.3 /24 is not for v6", "v=spf1 a:two.example/24 -all", V6,
		    FAIL, NULL),
		R("5.3 //64", "v=spf1 a:two.example//64 -all", V6, PASS, NULL),
		R("5.3 //64 is not for v4", "v=spf1 a:two.example//64 -all", V4,
		    FAIL, NULL),
		R("5.3 /0 wants an address", "v=spf1 a:no.example/0 -all", V4,
		    FAIL, NULL),
		R("5.3 /0", "v=spf1 a:two.example/0 -all", "10.1.1.1", PASS,
		    NULL),
		Z("5.3 //0 wants an AAAA", "v4.example A 10.0.0.1\n",
		    "v=spf1 a:v4.example//0 -all", V6, FAIL, NULL),
		R("5.3 no answer", "v=spf1 a:slow.example -all", V4, TEMPERROR,
		    ""),
		Z("5.4 mx",
		    "d.example MX 20 no.example\nd.example MX 10 "
		    "mx.ok.example\n",
		    "v=spf1 mx -all", V4, PASS, "mx"),
		Z("5.4 mx:/24", "e.example MX 0 two.example\n",
		    "v=spf1 mx:e.example/24 -all", V4, PASS, NULL),
		Z("5.4 no implicit MX", "d.example A 192.0.2.1\n",
		    "v=spf1 mx -all", V4, FAIL, "all"),
		Z("RFC 7505 a null MX has no hosts", "d.example MX 0 .\n",
		    "v=spf1 mx/0 -all", V4, FAIL, "all"),
		R("5.4 no answer for MX", "v=spf1 mx:slow.example -all", V4,
		    TEMPERROR, NULL),
		Z("5.4 no answer for a host", "d.example MX 1 slow.example\n",
		    "v=spf1 mx -all", V4, TEMPERROR, NULL),
		Z("5.4 a match beside it counts",
		    "d.example MX 1 slow.example\nd.example MX 2 "
		    "mx.ok.example\n",
		    "v=spf1 mx -all", V4, PASS, NULL),
		R("5.7 exists", "v=spf1 exists:mx.ok.example -all", V4, PASS,
		    NULL),
		R("5.7 exists asks for A", "v=spf1 exists:mx.ok.example -all",
		    "2001:db8::99", PASS, NULL),
		Z("5.7 AAAA does not do", "v6.example AAAA 2001:db8::1\n",
		    "v=spf1 exists:v6.example -all", V6, FAIL, NULL),
		R("5.7 no answer", "v=spf1 exists:slow.example -all", V4,
		    TEMPERROR, NULL),
		R("4.8 a name that cannot be", "v=spf1 a:x..example -all", V4,
		    FAIL, "all"),
		R("4.8 a label of 64", "v=spf1 a:" A63 "b.example -all", V4,
		    FAIL, "all"),
		R("4.8 a backslash", "v=spf1 exists:mx\\.ok.example -all", V4,
		    FAIL, "all"),
	};

	(void)state;
	run_rows(rows, COUNT(rows));
}

#define PTR4 "1.2.0.192.in-addr.arpa PTR "
#define PTR6                                                                   \
	"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."     \
	"ip6.arpa PTR "

static void
names_of_the_client_are_validated(void **state)
{
	static const struct row rows[] = {
		Z("5.5 below the domain",
		    PTR4 "h.d.example\nh.d.example A 192.0.2.1\n",
		    "v=spf1 ptr -all", V4, PASS, "ptr"),
		Z("5.5 the domain itself",
		    PTR4 "D.Example.\nd.example A 192.0.2.1\n",
		    "v=spf1 ptr -all", V4, PASS, NULL),
		Z("5.5 v6", PTR6 "h.d.example\nh.d.example AAAA 2001:db8::1\n",
		    "v=spf1 ptr:d.example -all", V6, PASS, NULL),
		Z("5.5 not validated", PTR4 "h.d.example\n", "v=spf1 ptr -all",
		    V4, FAIL, NULL),
		Z("5.5 another domain", PTR4 "mx.ok.example\n",
		    "v=spf1 ptr -all", V4, FAIL, NULL),
		Z("5.5 not a label of its own",
		    PTR4 "xd.example\nxd.example A 192.0.2.1\n",
		    "v=spf1 ptr -all", V4, FAIL, NULL),
		Z("5.5 an error is no match",
		    "1.2.0.192.in-addr.arpa TIMEOUT\n", "v=spf1 ptr -all", V4,
		    FAIL, NULL),
		Z("5.5 a name with an error is skipped",
		    PTR4 "slow.example\n" PTR4 "mx.ok.example\n",
		    "v=spf1 ptr:ok.example -all", V4, PASS, NULL),
		Z("4.6.4 the tenth name",
		    PTR4 "1.x\n" PTR4 "2.x\n" PTR4 "3.x\n" PTR4 "4.x\n" PTR4
			 "5.x\n" PTR4 "6.x\n" PTR4 "7.x\n" PTR4 "8.x\n" PTR4
			 "9.x\n" PTR4 "mx.ok.example\n",
		    "v=spf1 ptr:ok.example -all", V4, PASS, NULL),
		Z("4.6.4 not the eleventh",
		    PTR4 "1.x\n" PTR4 "2.x\n" PTR4 "3.x\n" PTR4 "4.x\n" PTR4
			 "5.x\n" PTR4 "6.x\n" PTR4 "7.x\n" PTR4 "8.x\n" PTR4
			 "9.x\n" PTR4 "10.x\n" PTR4 "mx.ok.example\n",
		    "v=spf1 ptr:ok.example -all", V4, FAIL, NULL),
	};

	(void)state;
	run_rows(rows, COUNT(rows));
}

static void
other_records_are_included(void **state)
{
	static const struct row rows[] = {
		R("5.2 pass matches", "v=spf1 ~include:pass.example -all", V4,
		    SOFTFAIL, "include:pass.example"),
		R("5.2 fail does not", "v=spf1 include:fail.example ?all", V4,
		    NEUTRAL, "all"),
		R("5.2 softfail does not", "v=spf1 include:soft.example -all",
		    V4, FAIL, "all"),
		R("5.2 neutral does not", "v=spf1 include:neutral.example -all",
		    V4, FAIL, "all"),
		R("5.2 temperror", "v=spf1 include:slow.example -all", V4,
		    TEMPERROR, ""),
		R("5.2 permerror", "v=spf1 include:broken.example -all", V4,
		    PERMERROR, ""),
		R("5.2 none is permerror", "v=spf1 include:plain.example -all",
		    V4, PERMERROR, ""),
		R("5.2 no such name", "v=spf1 include:no.example -all", V4,
		    PERMERROR, ""),
		R("5.2 not a name", "v=spf1 include:x..example -all", V4,
		    PERMERROR, ""),
		R("5.2 a loop", "v=spf1 include:loop.example -all", V4,
		    PERMERROR, ""),
		Z("5.2 the domain changes and comes back",
		    "e.example TXT v=spf1 a:%{d}.x -all\n"
		    "d.example.y A 192.0.2.1\ne.example.x A 10.0.0.1\n",
		    "v=spf1 include:e.example a:%{d}.y -all", V4, PASS,
		    "a:%{d}.y"),
		Z("5.2 within an include redirect leads on",
		    "e.example TXT v=spf1 redirect=pass.example\n",
		    "v=spf1 include:e.example -all", V4, PASS,
		    "include:e.example"),
		R("6.1 redirect", "v=spf1 redirect=fail.example", V4, FAIL,
		    "all"),
		R("6.1 behind all terms",
		    "v=spf1 redirect=fail.example ip4:192.0.2.1", V4, PASS,
		    "ip4:192.0.2.1"),
		R("6.1 to nothing", "v=spf1 redirect=no.example", V4, PERMERROR,
		    ""),
		R("6.1 to no name", "v=spf1 redirect=x..example", V4, PERMERROR,
		    ""),
		R("6.1 to no record", "v=spf1 redirect=plain.example", V4,
		    PERMERROR, ""),
		R("6.1 no answer", "v=spf1 redirect=slow.example", V4,
		    TEMPERROR, ""),
		R("6.1 to an error", "v=spf1 redirect=broken.example", V4,
		    PERMERROR, ""),
		R("6.1 a loop", "v=spf1 redirect=d.example", V4, PERMERROR, ""),
		Z("6.1 twice",
		    "e.example TXT v=spf1 redirect=f.example\n"
		    "f.example TXT v=spf1 a -all\nf.example A 192.0.2.1\n",
		    "v=spf1 redirect=e.example", V4, PASS, "a"),
	};

	(void)state;
	run_rows(rows, COUNT(rows));
}

#define MX9                                                                    \
	"m.example MX 1 x1.example\nm.example MX 2 x2.example\n"               \
	"m.example MX 3 two.example\nm.example MX 4 two.example\n"             \
	"m.example MX 5 two.example\nm.example MX 6 two.example\n"             \
	"m.example MX 7 two.example\nm.example MX 8 two.example\n"             \
	"m.example MX 9 two.example\n"

static void
limits_hold(void **state)
{
	static const struct row rows[] = {
		R("4.6.4 ten terms that ask",
		    "v=spf1 a:two.example a:two.example a:two.example "
		    "a:two.example a:two.example a:two.example a:two.example "
		    "a:two.example a:two.example a:mx.ok.example -all",
		    V4, PASS, "a:mx.ok.example"),
		R("4.6.4 not eleven",
		    "v=spf1 a:two.example a:two.example a:two.example "
		    "a:two.example a:two.example a:two.example a:two.example "
		    "a:two.example a:two.example a:two.example "
		    "a:mx.ok.example -all",
		    V4, PERMERROR, ""),
		R("4.6.4 what does not ask is free",
		    "v=spf1 ip4:10.0.0.1 ip4:10.0.0.2 ip4:10.0.0.3 "
		    "ip4:10.0.0.4 ip4:10.0.0.5 ip4:10.0.0.6 ip4:10.0.0.7 "
		    "ip4:10.0.0.8 ip4:10.0.0.9 ip4:10.0.0.10 ip4:10.0.0.11 "
		    "exp=mx.ok.example -all",
		    V4, FAIL, "all"),
		Z("4.6.4 includes share the ten",
		    "i.example TXT v=spf1 a:two.example a:two.example "
		    "a:two.example a:two.example -all\n",
		    "v=spf1 include:i.example include:i.example ?all", V4,
		    NEUTRAL, "all"),
		Z("4.6.4 and end together",
		    "i.example TXT v=spf1 a:two.example a:two.example "
		    "a:two.example a:two.example -all\n",
		    "v=spf1 include:i.example include:i.example a:two.example "
		    "?all",
		    V4, PERMERROR, ""),
		Z("4.6.4 redirect is one of them",
		    "i.example TXT v=spf1 a:two.example a:two.example "
		    "a:two.example a:two.example a:two.example -all\n",
		    "v=spf1 a:two.example a:two.example a:two.example "
		    "a:two.example a:two.example redirect=i.example",
		    V4, PERMERROR, ""),
		R("4.6.4 two void lookups",
		    "v=spf1 a:x.example exists:y.example ?all", V4, NEUTRAL,
		    "all"),
		R("4.6.4 not three",
		    "v=spf1 a:x.example mx:z.example exists:y.example ?all", V4,
		    PERMERROR, ""),
		R("4.6.4 no data is void too",
		    "v=spf1 mx:two.example mx:mx.ok.example mx:two.example "
		    "?all",
		    V4, PERMERROR, ""),
		Z("4.6.4 a term is void once", MX9,
		    "v=spf1 mx:m.example a:x.example ?all", V4, NEUTRAL, "all"),
		Z("4.6.4 ten MX", MX9 "m.example MX 10 mx.ok.example\n",
		    "v=spf1 mx:m.example -all", V4, PASS, "mx:m.example"),
		Z("4.6.4 not eleven MX",
		    MX9 "m.example MX 10 mx.ok.example\n"
			"m.example MX 11 two.example\n",
		    "v=spf1 mx:m.example -all", V4, PERMERROR, ""),
		R("4.6.4 p asks once",
		    "v=spf1 a:two.example a:two.example a:two.example "
		    "a:two.example a:two.example a:two.example a:two.example "
		    "a:two.example exists:%{p}.x.example exists:%{p}.y.example "
		    "?all",
		    V4, PERMERROR, ""),
	};

	(void)state;
	run_rows(rows, COUNT(rows));
}

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
		cmocka_unit_test(terms_decide_in_order),
		cmocka_unit_test(records_are_selected),
		cmocka_unit_test(syntax_is_checked_as_a_whole),
		cmocka_unit_test(addresses_are_compared),
		cmocka_unit_test(names_are_looked_up),
		cmocka_unit_test(names_of_the_client_are_validated),
		cmocka_unit_test(other_records_are_included),
		cmocka_unit_test(limits_hold),
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
