#include "tests/unit/mail/test.h"
#include "mail/rules.h"

#define S STR_INIT

static const char text[] =
    "# rules\n"
    "\n"
    "sender printer@lan.example office@example.org\r\n"
    "sender @old.example @example.org\n"
    "  recipient\tAnna@Example.org  anna.huber@example.org\n"
    "recipient @example.org all@example.net\n"
    "recipient anna@ anna@elsewhere.example\n"
    "recipient sales@example.org ann@example.org ben@partner.example\n"
    "bcc audit@example.org\n"
    "bcc second@example.org\n"
    "bcc-from @example.org sent@example.org\n"
    "bcc-from @example.org sent2@example.org\n"
    "bcc-to ann@example.org boss@example.org\n"
    "catch-all @example.org office@example.org\n"
    "size-limit news@example.org 200K\n"
    "header Subject /spam/i junk\n"
    "header * /a b/ reject No a b\n"
    "recipient \"a b\"@example.org ann@example.org\n";

static const struct mail_rules *
parse(struct arena *a, struct str in)
{
	const struct mail_rules *r = NULL;
	struct str why = STR("");

	if (mail_rules_parse(a, "rules", in, &r, &why) != RC_OK)
		fail_msg("%.*s", STRF(why));
	return r;
}

static struct addr
addr(struct arena *a, struct str s)
{
	struct addr x = { 0 };

	assert_int_equal(mail_addr_parse(a, s, &x), RC_OK);
	return x;
}

static void
the_most_specific_pattern_counts(void **state)
{
	static const struct {
		struct str to, first;
		size_t n;
	} rows[] = {
		{ S("anna@example.org"), S("anna.huber@example.org"), 1 },
		{ S("ANNA@EXAMPLE.ORG"), S("anna.huber@example.org"), 1 },
		{ S("anna@other.example"), S("anna@elsewhere.example"), 1 },
		{ S("carl@example.org"), S("all@example.net"), 1 },
		{ S("sales@example.org"), S("ann@example.org"), 2 },
		{ S("\"a b\"@example.org"), S("ann@example.org"), 1 },
		{ S("carl@other.example"), S(""), 0 },
	};
	AUTO_ARENA a = { 0 };
	const struct mail_rules *r = parse(&a, STR(text));

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct addr x = addr(&a, rows[i].to);
		struct str *to;
		size_t n = 0;
		enum rc rc = mail_rules_recipient(r, &a, &x, &to, &n);

		assert_int_equal(rc, rows[i].n > 0 ? RC_OK : RC_NOENT);
		assert_int_equal(n, rows[i].n);
		if (n > 0)
			assert_true(str_eq(to[0], rows[i].first));
	}
	mail_rules_unref(&r);
}

static void
a_domain_keeps_the_local_part(void **state)
{
	AUTO_ARENA a = { 0 };
	const struct mail_rules *r = parse(&a, STR(text));
	struct addr x = addr(&a, STR("Joe@old.example"));
	struct str to;

	(void)state;
	assert_int_equal(mail_rules_sender(r, &a, &x, &to), RC_OK);
	assert_true(str_eq(to, STR("Joe@example.org")));
	x = addr(&a, STR("joe@example.org"));
	assert_int_equal(mail_rules_sender(r, &a, &x, &to), RC_NOENT);
	mail_rules_unref(&r);
}

static void
count(void *ctx, struct str address)
{
	assert_true(address.n > 0);
	++*(unsigned *)ctx;
}

static void
copies_add_up(void **state)
{
	AUTO_ARENA a = { 0 };
	const struct mail_rules *r = parse(&a, STR(text));
	struct addr x = addr(&a, STR("ann@example.org"));
	unsigned n = 0;

	(void)state;
	assert_true(mail_rules_has_bcc(r));
	mail_rules_bcc(r, count, &n);
	assert_int_equal(n, 2);
	mail_rules_bcc_from(r, &x, count, &n);
	assert_int_equal(n, 4);
	mail_rules_bcc_to(r, &x, count, &n);
	assert_int_equal(n, 5);
	mail_rules_unref(&r);
}

static void
the_rest_is_found(void **state)
{
	AUTO_ARENA a = { 0 };
	const struct mail_rules *r = parse(&a, STR(text));
	const struct mail_rules *none = parse(&a, STR("")), *all;
	struct addr x = addr(&a, STR("news@example.org"));

	(void)state;
	assert_true(str_eq(mail_rules_catch_all(r, STR("EXAMPLE.org")),
	    STR("office@example.org")));
	assert_int_equal(mail_rules_catch_all(r, STR("example.net")).n, 0);
	assert_int_equal(mail_rules_size_limit(r, &x, 1 << 20), 200 << 10);
	assert_int_equal(mail_rules_size_limit(r, &x, 1000), 1000);
	assert_int_equal(mail_rules_size_limit(none, &x, 1000), 1000);
	assert_int_equal(mail_rules_capture(r).n, 0);
	assert_false(mail_rules_has_bcc(none));
	all = parse(&a, STR("capture ann@example.org"));
	assert_true(str_eq(mail_rules_capture(all), STR("ann@example.org")));
	mail_rules_unref(&all);
	mail_rules_unref(&none);
	mail_rules_unref(&r);
}

static void
canonical_maps_are_for_the_header_too(void **state)
{
	static const struct {
		bool sender;
		struct str in, out; /* "": no rule; "-": not for it */
	} rows[] = {
		{ true, S("a@one.example"), S("a@new.example") },
		{ true, S("b@one.example"), S("-") },
		{ false, S("a@one.example"), S("-") },
		{ false, S("c@one.example"), S("d@new.example") },
		{ false, S("list@one.example"), S("-") },
		{ false, S("info@one.example"), S("-") },
		{ false, S("nobody@one.example"), S("") },
		{ false, S("x@one.example"), S("x@new.example") },
	};
	AUTO_ARENA a = { 0 };
	const struct mail_rules *r = parse(
	    &a, STR("sender @one.example @new.example\n"
		    "envelope-sender b@one.example bounces@new.example\n"
		    "recipient c@one.example d@new.example\n"
		    "recipient a@one.example b@new.example c@new.example\n"
		    "recipient list@one.example b@new.example c@new.example\n"
		    "envelope-recipient info@one.example b@new.example\n"
		    "recipient x@ @new.example\n"));
	const struct mail_rules *env =
	    parse(&a, STR("envelope-sender a@b.example c@d.example\n"
			  "recipient a@b.example c@d.example e@f.example\n"));
	struct addr x = addr(&a, STR("b@one.example"));
	struct str to;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct addr y = addr(&a, rows[i].in);
		enum rc rc = mail_rules_header(r, &a, rows[i].sender, &y, &to);

		assert_int_equal(rc, rows[i].out.n > 1   ? RC_OK
				     : rows[i].out.n > 0 ? RC_DENY
							 : RC_NOENT);
		if (rc == RC_OK)
			assert_true(str_eq(to, rows[i].out));
	}
	/* The envelope has both kinds. */
	assert_int_equal(mail_rules_sender(r, &a, &x, &to), RC_OK);
	assert_true(str_eq(to, STR("bounces@new.example")));
	assert_true(mail_rules_has_header_map(r));
	assert_false(mail_rules_has_header_map(env));
	assert_false(mail_rules_has_header_map(NULL));
	mail_rules_unref(&env);
	mail_rules_unref(&r);
}

static void
groups_have_sizes(void **state)
{
	AUTO_ARENA a = { 0 };
	const struct mail_rules *r =
	    parse(&a, STR("send-limit Big@Example.org 20M\n"
			  "send-limit \"CN=Big Mail,OU=x\\, y,DC=z\" 30M\n"
			  "send-limit CN=a\\,b 1G\n"
			  "send-limit \"CN=\\\"q\\\"\" 1G\n"
			  "send-limit * 100K\n"));
	const struct mail_size_limits *l = mail_rules_send_limits(r);

	(void)state;
	assert_null(mail_rules_receive_limits(r));
	assert_null(mail_rules_send_limits(NULL));
	assert_int_equal(l->n, 4);
	assert_true(str_eq(l->group[0], STR("Big@example.org")));
	assert_true(str_eq(l->group[1], STR("CN=Big Mail,OU=x\\, y,DC=z")));
	assert_true(str_eq(l->group[2], STR("CN=a\\,b")));
	assert_true(str_eq(l->group[3], STR("CN=\"q\"")));
	assert_int_equal(l->size[1], 30 << 20);
	assert_int_equal(l->rest, 100 << 10);
	mail_rules_unref(&r);
}

static void
header_rules_keep_their_lines(void **state)
{
	AUTO_BUF b = { 0 };

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(
	    mail_rules_headers(
		STR("bcc a@b.example\n# x\n header A /x/ junk\r\n"), &b),
	    RC_OK);
	assert_true(
	    str_has_prefix(buf_str(&b), STR("\n\nheader A /x/ junk\n")));
}

static void
a_mistake_is_named_with_its_line(void **state)
{
	static const struct {
		struct str text;
		const char *why;
	} rows[] = {
		{ S("\nnonsense a b"), "rules:2: unknown rule: nonsense" },
		{ S("sender a@b.example"), "rules:1: an address is missing" },
		{ S("sender joe x@y.example"), "rules:1: no pattern" },
		{ S("sender @ x@y.example"), "rules:1: no domain" },
		{ S("sender @a@b x@y.example"), "rules:1: no domain" },
		{ S("sender a@b.example x@y.example z@y.example"),
		    "rules:1: too many words" },
		{ S("bcc @y.example"), "rules:1: no address" },
		{ S("catch-all joe@b.example x@y.example"),
		    "rules:1: catch-all wants @DOMAIN" },
		{ S("capture a@b.example\ncapture a@b.example"),
		    "rules:2: a second capture" },
		{ S("recipient a@b.example x@y.example\n"
		    "recipient A@b.example z@y.example"),
		    "rules:2: there is such a rule already: line 1" },
		{ S("size-limit a@b.example 0"), "rules:1: no size" },
		{ S("size-limit a@b.example 5X"), "rules:1: no size" },
		{ S("bcc a@b.example\0"), "rules:1: a NUL" },
		{ S("sender a@b.example x@y.example\n"
		    "envelope-sender a@b.example z@y.example"),
		    "rules:2: there is such a rule already: line 1" },
		{ S("send-limit staff 5M"), "rules:1: no group" },
		{ S("send-limit \"CN=a 5M"), "rules:1: a quote is missing" },
		{ S("send-limit * 5M 6M"), "rules:1: no size" },
		{ S("receive-limit *"), "rules:1: no size" },
		{ S("receive-limit * 1M\nreceive-limit * 2M"),
		    "rules:2: there is such a rule already" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		const struct mail_rules *r = NULL;
		struct str why;

		assert_int_equal(
		    mail_rules_parse(&a, "rules", rows[i].text, &r, &why),
		    RC_BAD);
		assert_null(r);
		if (!str_has_prefix(why, str_c(rows[i].why)))
			fail_msg("row %zu: %.*s", i, STRF(why));
	}
}

static void
a_hundred_thousand_rules_and_no_more(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	const struct mail_rules *r;
	struct addr x = addr(&a, STR("u99999@example.org"));
	struct str *to, why;
	size_t n;

	(void)state;
	buf_init(&b, RULES_BYTES_MAX);
	for (unsigned i = 0; i < RULES_MAX; i++)
		assert_int_equal(buf_fmt(&b,
				     "recipient u%u@example.org "
				     "v%u@example.net\n",
				     i, i),
		    RC_OK);
	r = parse(&a, buf_str(&b));
	assert_int_equal(mail_rules_recipient(r, &a, &x, &to, &n), RC_OK);
	assert_true(str_eq(to[0], STR("v99999@example.net")));
	mail_rules_unref(&r);
	assert_int_equal(buf_add(&b, STR("bcc a@b.example\n")), RC_OK);
	assert_int_equal(
	    mail_rules_parse(&a, "rules", buf_str(&b), &r, &why), RC_BAD);
}

static void
details_are_cut_off(void **state)
{
	static const struct {
		struct str in;
		const char *sep;
		struct str out; /* "": none */
	} rows[] = {
		{ S("joe+x@example.org"), "+", S("joe") },
		{ S("joe+x+y@example.org"), "+", S("joe") },
		{ S("joe+@example.org"), "+", S("joe") },
		{ S("+x@example.org"), "+", S("") },
		{ S("joe@example.org"), "+", S("") },
		{ S("joe-x@example.org"), "-", S("joe") },
		{ S("joe+x@example.org"), "", S("") },
		/* would be relayed to by the next server */
		{ S("joe+x%other.test@example.org"), "+", S("") },
		{ S("\"joe+x@other.test\"@example.org"), "+", S("") },
		{ S("joe+other.test!x@example.org"), "+", S("") },
	};
	AUTO_ARENA a = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct addr x = addr(&a, rows[i].in), base;
		enum rc rc = mail_subaddress(&a, &x, rows[i].sep, &base);

		assert_int_equal(rc, rows[i].out.n > 0 ? RC_OK : RC_NOENT);
		if (rc == RC_OK)
			assert_true(str_eq(base.local, rows[i].out));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_most_specific_pattern_counts),
		cmocka_unit_test(a_domain_keeps_the_local_part),
		cmocka_unit_test(copies_add_up),
		cmocka_unit_test(the_rest_is_found),
		cmocka_unit_test(canonical_maps_are_for_the_header_too),
		cmocka_unit_test(groups_have_sizes),
		cmocka_unit_test(header_rules_keep_their_lines),
		cmocka_unit_test(a_mistake_is_named_with_its_line),
		cmocka_unit_test(a_hundred_thousand_rules_and_no_more),
		cmocka_unit_test(details_are_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
