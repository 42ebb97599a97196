#include "tests/unit/mail/test.h"
#include <string.h>
#include "mail/addr.h"

#define L63  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define L64  L63 "a"
#define D255 L63 "." L63 "." L63 "." L63

static void
path_rules(void **state)
{
	static const struct {
		struct str in;
		enum rc rc;
		struct str local, domain, text, rest;
	} rows[] = {
		{ S("<a@b.c>"), RC_OK, S("a"), S("b.c"), S("a@b.c"), S("") },
		{ S("<A.b@B.C> SIZE=1"), RC_OK, S("A.b"), S("b.c"),
		    S("A.b@b.c"), S(" SIZE=1") },
		{ S("<>"), RC_OK, S(""), S(""), S(""), S("") },
		{ S("<PostMaster>"), RC_OK, S("postmaster"), S(""),
		    S("postmaster"), S("") },
		{ S("<\"a\"@b>"), RC_OK, S("a"), S("b"), S("a@b"), S("") },
		{ S("<\"a b\"@c>"), RC_OK, S("a b"), S("c"), S("\"a b\"@c"),
		    S("") },
		{ S("<\"a\\\"\\>\"@c>x"), RC_OK, S("a\">"), S("c"),
		    S("\"a\\\">\"@c"), S("x") },
		{ S("<\"@x:>\"@c>"), RC_OK, S("@x:>"), S("c"), S("\"@x:>\"@c"),
		    S("") },
		{ S("<@x,@y.z:a@b>"), RC_OK, S("a"), S("b"), S("a@b"), S("") },
		{ S("<@x:a@b>"), RC_OK, S("a"), S("b"), S("a@b"), S("") },
		{ S("<a@[127.0.0.1]>"), RC_OK, S("a"), S("[127.0.0.1]"),
		    S("a@[127.0.0.1]"), S("") },
		{ S("<a@[IPv6:2001:DB8::1]>"), RC_OK, S("a"),
		    S("[ipv6:2001:db8::1]"), S("a@[ipv6:2001:db8::1]"), S("") },
		{ S("<a+b=c@d_e.f-g>"), RC_OK, S("a+b=c"), S("d_e.f-g"),
		    S("a+b=c@d_e.f-g"), S("") },
		{ S("<" L64 "@b>"), RC_OK, S(L64), S("b"), S(L64 "@b"), S("") },
		{ S(""), RC_BAD }, { S("<"), RC_BAD }, { S("a@b"), RC_BAD },
		{ S("<a@b"), RC_BAD }, { S("<a>"), RC_BAD },
		{ S("<a@>"), RC_BAD }, { S("<@b>"), RC_BAD },
		{ S("<@x:>"), RC_BAD }, { S("<@x,a@b>"), RC_BAD },
		{ S("<@x,:a@b>"), RC_BAD }, { S("<@:a@b>"), RC_BAD },
		{ S("< a@b>"), RC_BAD }, { S("<a@b >"), RC_BAD },
		{ S("<a@b@c>"), RC_BAD }, { S("<a..b@c>"), RC_BAD },
		{ S("<.a@c>"), RC_BAD }, { S("<a.@c>"), RC_BAD },
		{ S("<a b@c>"), RC_BAD }, { S("<\"\"@c>"), RC_BAD },
		{ S("<\"a@c>"), RC_BAD }, { S("<\"a\\\">"), RC_BAD },
		{ S("<\"a\"b@c>"), RC_BAD }, { S("<\"a\rb\"@c>"), RC_BAD },
		{ S("<\"a\0b\"@c>"), RC_BAD }, { S("<a\0@c>"), RC_BAD },
		{ S("<\xc3\xa4@c>"), RC_BAD }, { S("<a@\xc3\xa4>"), RC_BAD },
		{ S("<a@b..c>"), RC_BAD }, { S("<a@b.c.>"), RC_BAD },
		{ S("<a@.b>"), RC_BAD }, { S("<a@-b>"), RC_BAD },
		{ S("<a@b->"), RC_BAD }, { S("<a@b-.c>"), RC_BAD },
		{ S("<a@[]>"), RC_BAD }, { S("<a@[1.2.3]>"), RC_BAD },
		{ S("<a@[1.2.3.4>"), RC_BAD }, { S("<a@[IPv6:]>"), RC_BAD },
		{ S("<a@[::1]>"), RC_BAD }, { S("<a@[1.2.3.4\0]>"), RC_BAD },
		{ S("<a" L64 "@b>"), RC_BAD }, { S("<a@a" L63 ">"), RC_BAD },
		{ S("<a@" D255 ">"), RC_BAD }, /* longer than a path */
	};
	AUTO_ARENA a = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str in = rows[i].in;
		struct mail_path path;
		enum rc rc = mail_path_parse(&a, &in, &path);

		if (rc != rows[i].rc)
			fail_msg("%.*s: %s", STRF(rows[i].in), rc_name(rc));
		if (rc != RC_OK) {
			assert_ptr_equal(in.p, rows[i].in.p);
			continue;
		}
		CHECK_STR(path.addr.local, rows[i].local);
		CHECK_STR(path.addr.domain, rows[i].domain);
		CHECK_STR(mail_addr_text(&a, &path.addr), rows[i].text);
		CHECK_STR(in, rows[i].rest);
		assert_int_equal(path.null_path, i == 2);
		assert_int_equal(path.no_domain, i == 3);
	}
}

static void
a_directory_value_is_bare(void **state)
{
	AUTO_ARENA a = { 0 };
	struct addr x = { STR_NULL, STR_NULL }, y;

	(void)state;
	assert_int_equal(
	    mail_addr_parse(&a, STR("Anna@Example.ORG"), &x), RC_OK);
	assert_int_equal(
	    mail_addr_parse(&a, STR("\"aNNA\"@example.org"), &y), RC_OK);
	assert_true(mail_addr_eq(&x, &y));
	assert_int_equal(mail_addr_parse(&a, STR("<a@b>"), &y), RC_BAD);
	assert_int_equal(mail_addr_parse(&a, STR("postmaster"), &y), RC_BAD);
	assert_int_equal(mail_addr_parse(&a, STR("a@b "), &y), RC_BAD);
	assert_int_equal(mail_addr_parse(&a, STR(""), &y), RC_BAD);
	assert_int_equal(mail_addr_parse(&a, STR("a@" D255), &y), RC_OK);
	assert_int_equal(mail_addr_parse(&a, STR("a@" D255 "a"), &y), RC_BAD);
	assert_false(mail_addr_eq(&x, &y));
}

static void
a_canonical_text_is_stable(void **state)
{
	AUTO_ARENA a = { 0 };

	(void)state;
	for (int c = 0; c < 256; c++) {
		char text[] = "\"x\\?y\"@b";
		struct addr x, y;
		struct str canon;

		text[3] = (char)c;
		if (mail_addr_parse(&a, str_c(text), &x) != RC_OK) {
			assert_true(c < ' ' || c > '~');
			continue;
		}
		canon = mail_addr_text(&a, &x);
		assert_int_equal(mail_addr_parse(&a, canon, &y), RC_OK);
		CHECK_STR(y.local, x.local);
		CHECK_STR(mail_addr_text(&a, &y), canon);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_rules),
		cmocka_unit_test(a_directory_value_is_bare),
		cmocka_unit_test(a_canonical_text_is_stable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
