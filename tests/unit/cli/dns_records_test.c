#include "tests/unit/lib/test.h"
#include "cli/dns_records.h"

#define S      STR_INIT
#define KEY    "v=DKIM1; k=rsa; p=AAAA"
#define ANY(k) .kind = (k), .type = DNS_TXT

struct row {
	struct dns_item item;
	enum rc rc; /* of the DNS */
	struct dns_record v[3];
	enum dns_state state;
	const char *why; /* in it */
};

#define TXT(lit)                                                               \
	{                                                                      \
		.text = S(lit)                                                 \
	}
#define HOST(pref, lit)                                                        \
	{                                                                      \
		.preference = (pref), .name = S(lit)                           \
	}
#define SRV_(lit, port_)                                                       \
	{                                                                      \
		.name = S(lit), .port = (port_)                                \
	}
#define IS(kind_, type_, host_)                                                \
	{                                                                      \
		.kind = (kind_), .type = (type_), .host = S(host_),            \
		.port = 993                                                    \
	}

static const struct row table[] = {
	/* MX */
	{ IS(DNS_IS_MX, DNS_MX, "gw.test"), RC_OK, { HOST(10, "gw.test") },
	    DNS_RIGHT, "" },
	{ IS(DNS_IS_MX, DNS_MX, "gw.test"), RC_OK,
	    { HOST(5, "first.test"), HOST(10, "GW.test") }, DNS_RIGHT,
	    "first.test first" },
	{ IS(DNS_IS_MX, DNS_MX, "gw.test"), RC_OK, { HOST(0, "other.test") },
	    DNS_WRONG, "not to this server" },
	{ IS(DNS_IS_MX, DNS_MX, "gw.test"), RC_OK, { HOST(0, "") }, DNS_WRONG,
	    "no mail at all" },
	{ IS(DNS_IS_MX, DNS_MX, "gw.test"), RC_NOENT, { { { 0 } } },
	    DNS_MISSING, "address of the domain" },
	{ IS(DNS_IS_MX, DNS_MX, "gw.test"), RC_TEMP, { { { 0 } } }, DNS_UNASKED,
	    "no answer" },
	/* SRV */
	{ IS(DNS_IS_SRV, DNS_SRV, "gw.test"), RC_OK, { SRV_("gw.test", 993) },
	    DNS_RIGHT, "" },
	{ IS(DNS_IS_SRV, DNS_SRV, "gw.test"), RC_OK, { SRV_("gw.test", 994) },
	    DNS_WRONG, "the port is 993" },
	{ IS(DNS_IS_SRV, DNS_SRV, "gw.test"), RC_OK, { SRV_("old.test", 993) },
	    DNS_WRONG, "elsewhere" },
	{ IS(DNS_IS_SRV, DNS_SRV, "gw.test"), RC_NOENT, { { { 0 } } },
	    DNS_MISSING, "by hand" },
	{ IS(DNS_IS_SRV, DNS_SRV, ""), RC_NOENT, { { { 0 } } }, DNS_RIGHT, "" },
	{ IS(DNS_IS_SRV, DNS_SRV, ""), RC_OK, { SRV_("", 0) }, DNS_RIGHT, "" },
	{ IS(DNS_IS_SRV, DNS_SRV, ""), RC_OK, { SRV_("gw.test", 143) },
	    DNS_WRONG, "not offered" },
	/* PTR */
	{ IS(DNS_IS_PTR, DNS_PTR, "gw.test"), RC_OK,
	    { HOST(0, "x.test"), HOST(0, "gw.test") }, DNS_RIGHT, "" },
	{ IS(DNS_IS_PTR, DNS_PTR, "gw.test"), RC_OK, { HOST(0, "dsl-7.test") },
	    DNS_WRONG, "another name" },
	{ IS(DNS_IS_PTR, DNS_PTR, "gw.test"), RC_NOENT, { { { 0 } } },
	    DNS_MISSING, "no name" },
	/* SPF */
	{ { ANY(DNS_IS_SPF) }, RC_OK, { TXT("hello"), TXT("v=spf1 mx -all") },
	    DNS_RIGHT, "" },
	{ { ANY(DNS_IS_SPF) }, RC_OK, { TXT("v=spf1 +MX/24 ~ALL") }, DNS_RIGHT,
	    "" },
	{ { ANY(DNS_IS_SPF) }, RC_OK, { TXT("v=spf1 redirect=x.test") },
	    DNS_RIGHT, "" },
	{ { ANY(DNS_IS_SPF) }, RC_OK, { TXT("hello"), TXT("v=spf10 mx -all") },
	    DNS_MISSING, "forged" },
	{ { ANY(DNS_IS_SPF) }, RC_OK, { TXT("v=spf1 a -all"), TXT("v=spf1") },
	    DNS_WRONG, "2 SPF records" },
	{ { ANY(DNS_IS_SPF) }, RC_OK, { TXT("v=spf1 mx all") }, DNS_WRONG,
	    "everybody" },
	{ { ANY(DNS_IS_SPF) }, RC_OK, { TXT("v=spf1 mx") }, DNS_WRONG,
	    "nobody anything" },
	{ { ANY(DNS_IS_SPF) }, RC_OK, { TXT("v=spf1 -all") }, DNS_WRONG,
	    "our own mail fails" },
	{ { ANY(DNS_IS_SPF) }, RC_OK, { TXT("v=spf1 -mx allx -all") },
	    DNS_WRONG, "our own mail fails" },
	/* DMARC */
	{ { ANY(DNS_IS_DMARC) }, RC_OK,
	    { TXT("v=DMARC1; p=reject; rua=mailto:a@b.test,mailto:c@d.test;") },
	    DNS_RIGHT, "" },
	{ { ANY(DNS_IS_DMARC) }, RC_OK, { TXT("v=DMARC1;p=none") }, DNS_RIGHT,
	    "only asks for reports" },
	{ { ANY(DNS_IS_DMARC) }, RC_OK, { TXT("v=DMARC1; p=rejct") }, DNS_WRONG,
	    "p must be none" },
	{ { ANY(DNS_IS_DMARC) }, RC_OK, { TXT("v=DMARC1; p=none; sp=no") },
	    DNS_WRONG, "sp must be" },
	{ { ANY(DNS_IS_DMARC) }, RC_OK, { TXT("v=DMARC1; p=none; rua=a@b") },
	    DNS_WRONG, "list of URIs" },
	{ { ANY(DNS_IS_DMARC) }, RC_OK, { TXT("v=DMARC1; p=none; adkim=x") },
	    DNS_WRONG, "adkim must be" },
	{ { ANY(DNS_IS_DMARC) }, RC_OK, { TXT("v=DMARC1; rua=mailto:a@b") },
	    DNS_WRONG, "no p=" },
	{ { ANY(DNS_IS_DMARC) }, RC_OK, { TXT("p=none; v=DMARC1") }, DNS_WRONG,
	    "must begin with" },
	{ { ANY(DNS_IS_DMARC) }, RC_OK,
	    { TXT("v=DMARC1; p=none"), TXT("v=DMARC1; p=reject") }, DNS_WRONG,
	    "more than one" },
	/* TLS-RPT */
	{ { ANY(DNS_IS_TLSRPT) }, RC_OK,
	    { TXT("v=TLSRPTv1; rua=https://r.test/x") }, DNS_RIGHT, "" },
	{ { ANY(DNS_IS_TLSRPT) }, RC_OK, { TXT("v=TLSRPTv1; rua=x") },
	    DNS_WRONG, "rua=mailto" },
	{ { ANY(DNS_IS_TLSRPT) }, RC_OK,
	    { TXT("v=TLSRPTv1;rua=mailto:a@b"),
		TXT("v=TLSRPTv1;rua=mailto:a@b") },
	    DNS_WRONG, "one record" },
	/* DKIM */
	{ { ANY(DNS_IS_DKIM), .text = S(KEY) }, RC_OK,
	    { TXT("v=DKIM1;k=rsa;  p=AA AA ;") }, DNS_RIGHT, "" },
	{ { ANY(DNS_IS_DKIM), .text = S(KEY) }, RC_OK,
	    { TXT("v=DKIM1; k=rsa; p=AAAB") }, DNS_WRONG, "not the key" },
	{ { ANY(DNS_IS_DKIM), .text = S(KEY) }, RC_OK, { TXT(KEY), TXT("x") },
	    DNS_WRONG, "undefined" },
	{ { ANY(DNS_IS_DKIM), .text = S(KEY) }, RC_NOENT, { { { 0 } } },
	    DNS_MISSING, "signatures" },
};

static void
what_is_published_is_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		const struct row *r = &table[i];
		struct dns_answer x = { .rc = r->rc };
		struct dns_record v[3];
		struct dns_item item = r->item;
		bool found;
		AUTO_ARENA a = { 0 };

		memcpy(v, r->v, sizeof(v));
		x.v = v;
		for (; r->rc == RC_OK && x.n < COUNT(v) &&
		       (v[x.n].text.p != NULL || v[x.n].name.p != NULL);
		     x.n++)
			;
		dns_item_judge(&a, &item, &x);
		found = str_find(item.why, str_c(r->why)) < item.why.n;
		if (item.state != r->state || found != (r->why[0] != '\0'))
			fail_msg("row %zu: state %d, \"%.*s\"", i,
			    (int)item.state, STRF(item.why));
	}
}

static void
forged_answers_are_none(void **state)
{
	struct dns_item i = IS(DNS_IS_MX, DNS_MX, "gw.test");
	AUTO_ARENA a = { 0 };

	(void)state;
	dns_item_judge(
	    &a, &i, &(struct dns_answer){ .rc = RC_TEMP, .bogus = true });
	assert_int_equal(i.state, DNS_UNASKED);
	assert_str(i.why, "DNSSEC says that the answer is forged");
}

static void
lookups_of_spf_are_found(void **state)
{
	struct str spf =
	    STR("v=spf1 ip4:192.0.2.1 a mx:x.test ?PTR ~exists:%{i} "
		"Include:y.test aa mxx all redirect=z.test");
	static const struct str want[] = { S(""), S(""), S(""), S(""),
		S("y.test"), S("z.test") };
	struct str target;
	size_t n = 0;

	(void)state;
	for (; dns_spf_lookup(&spf, &target); n++) {
		assert_in_range(n, 0, COUNT(want) - 1);
		assert_true(str_eq(target, want[n]));
	}
	assert_int_equal(n, COUNT(want));
}

static void
texts_are_quoted(void **state)
{
	AUTO_ARENA a = { 0 };
	char *big = arena_calloc(&a, 1, 300);
	struct str got;

	(void)state;
	assert_str(dns_quote(&a, STR("")), "\"\"");
	assert_str(
	    dns_quote(&a, STR("a\"b\\c\n\xff")), "\"a\\\"b\\\\c\\010\\255\"");
	memset(big, 'x', 300);
	got = dns_quote(&a, str_n(big, 300));
	assert_int_equal(got.n, 300 + 4 + 1);
	assert_memory_equal(got.p + 255, "x\" \"x", 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_published_is_judged),
		cmocka_unit_test(forged_answers_are_none),
		cmocka_unit_test(lookups_of_spf_are_found),
		cmocka_unit_test(texts_are_quoted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
