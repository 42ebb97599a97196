#include "tests/unit/mail/test.h"
#include "mail/route.h"

#define S STR_INIT

static const char *const domains[] = { "example.org", "split.example" };
static const char *const routes[] = {
	"*=smtp:relay.example.net:25",
	".example.com=mx:gateway.example.com",
	"deep.example.com=smtp:[2001:db8::1]:2525",
	"split.example=smtp:exchange.split.example:25",
	"server:EX1=lmtp:/run/lmtp",
	"relay:inner.example=smtp:192.0.2.9:25",
};

static struct conf
site(size_t nroutes)
{
	return (struct conf){ .domains = { domains, COUNT(domains) },
		.routes = { nroutes ? routes : routes + 1,
		    nroutes ? COUNT(routes) : COUNT(routes) - 1 } };
}

static void
the_closest_route_wins(void **state)
{
	static const struct {
		struct str rcpt, where;
		bool smart; /* with the smart host */
		enum rc rc;
		struct str hop, address;
	} rows[] = {
		{ S("joe@example.net"), S(""), false, RC_OK,
		    S("mx:example.net"), S("joe@example.net") },
		{ S("joe@example.net"), S(""), true, RC_OK,
		    S("smtp:relay.example.net:25"), S("joe@example.net") },
		{ S("joe@a.example.com"), S(""), true, RC_OK,
		    S("mx:gateway.example.com"), S("joe@a.example.com") },
		{ S("joe@deep.example.com"), S(""), true, RC_OK,
		    S("smtp:[2001:db8::1]:2525"), S("joe@deep.example.com") },
		{ S("joe@example.com"), S(""), true, RC_OK,
		    S("smtp:relay.example.net:25"), S("joe@example.com") },
		/* what the directory says */
		{ S("dan@example.org"), S("SMTP:Dan@Old.Example.NET"), false,
		    RC_OK, S("mx:old.example.net"), S("Dan@old.example.net") },
		{ S("dan@example.org"), S("dan@split.example"), true, RC_OK,
		    S("smtp:exchange.split.example:25"),
		    S("dan@split.example") },
		{ S("dan@example.org"), S("/o=Org/ou=S/cn=Servers/cn=EX1"),
		    true, RC_OK, S("lmtp:/run/lmtp"), S("dan@example.org") },
		{ S("dan@example.org"),
		    S("CN=DB1,CN=InformationStore,CN=ex1,CN=Servers"), true,
		    RC_OK, S("lmtp:/run/lmtp"), S("dan@example.org") },
		{ S("dan@split.example"), S("unknown.server"), true, RC_OK,
		    S("smtp:exchange.split.example:25"),
		    S("dan@split.example") },
		/* never to ourselves */
		{ S("dan@example.org"), S(""), true, RC_NOENT, S(""), S("") },
		{ S("dan@example.org"), S("dan@example.org"), true, RC_NOENT,
		    S(""), S("") },
		{ S("dan@example.org"), S("unknown.server"), true, RC_NOENT,
		    S(""), S("") },
		{ S("joe@[192.0.2.1]"), S(""), false, RC_NOENT, S(""), S("") },
		{ S("no address"), S(""), true, RC_BAD, S(""), S("") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct conf conf = site(rows[i].smart);
		struct mail_route got = { 0 };
		AUTO_ARENA a = { 0 };

		assert_int_equal(
		    mail_route(&a, &conf, rows[i].rcpt, rows[i].where, &got),
		    rows[i].rc);
		if (rows[i].rc != RC_OK)
			continue;
		if (!str_eq(got.hop, rows[i].hop) ||
		    !str_eq(got.address, rows[i].address))
			fail_msg("row %zu: %.*s %.*s", i, STRF(got.hop),
			    STRF(got.address));
	}
}

static void
strangers_relay_only_where_it_is_written(void **state)
{
	static const struct {
		struct addr addr;
		bool may;
	} rows[] = {
		{ { S("kim"), S("inner.example") }, true },
		{ { S("kim"), S("x.inner.example") }, false },
		{ { S("kim"), S("deep.example.com") }, false },
		{ { S("kim"), S("example.net") }, false },
		{ { S("a%b"), S("inner.example") }, false },
		{ { S("a!b"), S("inner.example") }, false },
		{ { S("a@b"), S("inner.example") }, false },
		{ { S("@a:b"), S("inner.example") }, false },
	};
	const struct conf conf = site(1);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(
		    mail_route_relays(&conf, &rows[i].addr), rows[i].may);
}

static void
routes_are_checked(void **state)
{
	static const struct {
		struct str text;
		enum rc rc;
	} rows[] = {
		{ S("a.example=mx:b.example"), RC_OK },
		{ S(" a.example = mx:b.example "), RC_OK },
		{ S(".a.example=smtp:h:25"), RC_OK },
		{ S("server:/o=x"), RC_BAD },
		{ S("server:EX=lmtp:/p"), RC_OK },
		{ S("server:=lmtp:/p"), RC_BAD },
		{ S("relay:a.example=smtp:[::1]:25"), RC_OK },
		{ S("relay:*=mx:b"), RC_BAD },
		{ S("*=mx:b"), RC_OK },
		{ S("a"), RC_BAD },
		{ S("=mx:b"), RC_BAD },
		{ S("a=mx:"), RC_BAD },
		{ S("a=mx:b c"), RC_BAD },
		{ S("a=smtp:b"), RC_BAD },
		{ S("a=smtp:b:0"), RC_BAD },
		{ S("a=smtp:b:70000"), RC_BAD },
		{ S("a=http:b:80"), RC_BAD },
		{ S("a=lmtp:x"), RC_BAD },
		{ S("..a=mx:b"), RC_BAD },
		{ S("a b=mx:b"), RC_BAD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct conf_route r;

		if (conf_route_parse(rows[i].text, &r) != rows[i].rc)
			fail_msg("%.*s", STRF(rows[i].text));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_closest_route_wins),
		cmocka_unit_test(strangers_relay_only_where_it_is_written),
		cmocka_unit_test(routes_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
