/* RFC 7208 over a zone in memory; the sections are in the rows' names. */
#include "tests/unit/policy/spf_rig.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
