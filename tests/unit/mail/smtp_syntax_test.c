#include "tests/unit/mail/test.h"
#include "mail/smtp_syntax.h"

static void
argument_rules(void **state)
{
	static const struct {
		struct str in;
		bool to;
		enum rc rc;
		size_t nparam;
	} rows[] = {
		{ S("FROM:<a@b>"), false, RC_OK, 0 },
		{ S("from:<>"), false, RC_OK, 0 },
		{ S("FROM: <a@b>"), false, RC_OK, 0 },
		{ S("FROM:<a@b> "), false, RC_OK, 0 },
		{ S("FROM:<a@b> SIZE=10 BODY=8BITMIME"), false, RC_OK, 2 },
		{ S("FROM:<a@b>  SIZE=10   X-y"), false, RC_OK, 2 },
		{ S("FROM:<a@b> AUTH=<>"), false, RC_OK, 1 },
		{ S("FROM:<a@b> A B C D E F G H I J K L"), false, RC_OK, 12 },
		{ S("FROM:<a@b> A B C D E F G H I J K L M"), false, RC_BAD },
		{ S("FROM:<a@b>SIZE=10"), false, RC_BAD },
		{ S("FROM:<a@b> SIZE="), false, RC_BAD },
		{ S("FROM:<a@b> =1"), false, RC_BAD },
		{ S("FROM:<a@b> -x=1"), false, RC_BAD },
		{ S("FROM:<a@b> a=b=c"), false, RC_BAD },
		{ S("FROM:<a@b> a=\x7f"), false, RC_BAD },
		{ S("FROM:<a@b> SIZE=1 size=2"), false, RC_BAD },
		{ S("FROM:<a@b>\tSIZE=1"), false, RC_BAD },
		{ S("FROM <a@b>"), false, RC_BAD },
		{ S("FROM:<postmaster>"), false, RC_BAD },
		{ S("FROM:a@b"), false, RC_BAD },
		{ S("FROM:"), false, RC_BAD },
		{ S("TO:<a@b>"), false, RC_BAD },
		{ S("TO:<a@b>"), true, RC_OK, 0 },
		{ S("TO:<postmaster>"), true, RC_OK, 0 },
		{ S("TO:<>"), true, RC_BAD },
		{ S("TO:<a@b> NOTIFY=NEVER"), true, RC_OK, 1 },
	};
	AUTO_ARENA a = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mail_smtp_args args;
		enum rc rc = rows[i].to ? mail_smtp_to(&a, rows[i].in, &args)
					: mail_smtp_from(&a, rows[i].in, &args);

		if (rc != rows[i].rc)
			fail_msg("%.*s: %s", STRF(rows[i].in), rc_name(rc));
		if (rc == RC_OK)
			assert_int_equal(args.nparam, rows[i].nparam);
	}
}

static void
from_parameters(void **state)
{
	static const struct {
		struct str in;
		unsigned ext;
		enum rc rc;
		struct str bad;
	} rows[] = {
		{ S("FROM:<> SIZE=99999999999999999999"), MAIL_EXT_SIZE, RC_BAD,
		    S("SIZE") },
		{ S("FROM:<> SIZE=x"), MAIL_EXT_SIZE, RC_BAD, S("SIZE") },
		{ S("FROM:<> SIZE"), MAIL_EXT_SIZE, RC_BAD, S("SIZE") },
		{ S("FROM:<> SIZE=1"), 0, RC_DENY, S("SIZE") },
		{ S("FROM:<> Foo=1"), 31, RC_DENY, S("Foo") },
		{ S("FROM:<> BODY=8BITMIME"), MAIL_EXT_8BITMIME, RC_OK },
		{ S("FROM:<> BODY=9BIT"), MAIL_EXT_8BITMIME, RC_BAD,
		    S("BODY") },
		{ S("FROM:<> BODY=BINARYMIME"), MAIL_EXT_8BITMIME, RC_DENY,
		    S("BODY") },
		{ S("FROM:<> BODY=BINARYMIME"), 31, RC_OK },
		{ S("FROM:<> RET=HDRS ENVID=a+2Bb AUTH=x+40y"), 31, RC_OK },
		{ S("FROM:<> RET=HDRS"), 15, RC_DENY, S("RET") },
		{ S("FROM:<> RET=SOME"), 31, RC_BAD, S("RET") },
		{ S("FROM:<> ENVID=a+0Ab"), 31, RC_BAD, S("ENVID") },
		{ S("FROM:<> ENVID=a+2"), 31, RC_BAD, S("ENVID") },
		{ S("FROM:<> ENVID=a+2b"), 31, RC_BAD, S("ENVID") },
		{ S("FROM:<> AUTH=<>"), 31, RC_OK },
	};
	AUTO_ARENA a = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mail_smtp_args args;
		struct mail_from_params p;
		struct str bad = STR_NULL;
		enum rc rc = mail_smtp_from(&a, rows[i].in, &args);

		assert_int_equal(rc, RC_OK);
		rc = mail_smtp_from_params(&a, &args, rows[i].ext, &p, &bad);
		if (rc != rows[i].rc)
			fail_msg("%.*s: %s", STRF(rows[i].in), rc_name(rc));
		if (rc != RC_OK)
			CHECK_STR(bad, rows[i].bad);
	}
}

static void
from_parameter_values(void **state)
{
	AUTO_ARENA a = { 0 };
	struct mail_smtp_args args;
	struct mail_from_params p;
	struct str bad;

	(void)state;
	assert_int_equal(mail_smtp_from(&a,
			     STR("FROM:<a@b> SIZE=123 BODY=8bitmime ret=full "
				 "ENVID=a+2Bb AUTH=x+40y"),
			     &args),
	    RC_OK);
	assert_int_equal(mail_smtp_from_params(&a, &args, 31, &p, &bad), RC_OK);
	assert_true(p.has_size);
	assert_int_equal(p.size, 123);
	assert_int_equal(p.body, MAIL_BODY_8BITMIME);
	assert_int_equal(p.ret, MAIL_RET_FULL);
	CHECK_STR(p.envid, STR("a+b"));
	CHECK_STR(p.auth, STR("x@y"));
	assert_non_null(mail_smtp_param(&args, "body"));
	assert_null(mail_smtp_param(&args, "NOTIFY"));
}

static void
to_parameters(void **state)
{
	static const struct {
		struct str in;
		enum rc rc;
		unsigned notify;
		struct str orcpt;
	} rows[] = {
		{ S("TO:<a@b> NOTIFY=NEVER"), RC_OK, MAIL_NOTIFY_NEVER, S("") },
		{ S("TO:<a@b> NOTIFY=SUCCESS,delay"), RC_OK,
		    MAIL_NOTIFY_SUCCESS | MAIL_NOTIFY_DELAY, S("") },
		{ S("TO:<a@b> ORCPT=rfc822;x+2By@z"), RC_OK, 0, S("x+y@z") },
		{ S("TO:<a@b> NOTIFY=NEVER,DELAY"), RC_BAD },
		{ S("TO:<a@b> NOTIFY=DELAY,DELAY"), RC_BAD },
		{ S("TO:<a@b> NOTIFY=DELAY,"), RC_BAD },
		{ S("TO:<a@b> NOTIFY"), RC_BAD },
		{ S("TO:<a@b> ORCPT=rfc822"), RC_BAD },
		{ S("TO:<a@b> ORCPT=;x"), RC_BAD },
		{ S("TO:<a@b> RET=FULL"), RC_DENY },
	};
	AUTO_ARENA a = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mail_smtp_args args;
		struct mail_to_params p;
		struct str bad;
		enum rc rc = mail_smtp_to(&a, rows[i].in, &args);

		assert_int_equal(rc, RC_OK);
		rc = mail_smtp_to_params(&a, &args, MAIL_EXT_DSN, &p, &bad);
		if (rc != rows[i].rc)
			fail_msg("%.*s: %s", STRF(rows[i].in), rc_name(rc));
		if (rc == RC_OK) {
			assert_int_equal(p.notify, rows[i].notify);
			CHECK_STR(p.orcpt, rows[i].orcpt);
		}
		if (args.nparam > 0)
			assert_int_equal(
			    mail_smtp_to_params(&a, &args, 15, &p, &bad),
			    RC_DENY);
	}
}

static void
bdat_and_helo(void **state)
{
	struct mail_bdat b;

	(void)state;
	assert_int_equal(mail_bdat_parse(STR("10"), 10, &b), RC_OK);
	assert_false(b.last);
	assert_int_equal(mail_bdat_parse(STR("0 last"), 10, &b), RC_OK);
	assert_true(b.last && b.size == 0);
	assert_int_equal(mail_bdat_parse(STR("11"), 10, &b), RC_BAD);
	assert_int_equal(mail_bdat_parse(STR(""), 10, &b), RC_BAD);
	assert_int_equal(mail_bdat_parse(STR("-1"), 10, &b), RC_BAD);
	assert_int_equal(mail_bdat_parse(STR("1 LAST x"), 10, &b), RC_BAD);
	assert_true(mail_helo_ok(STR("mail.example.org")));
	assert_true(mail_helo_ok(STR("WIN_7")));
	assert_true(mail_helo_ok(STR("[127.0.0.1]")));
	assert_true(mail_helo_ok(STR("[IPv6:::1]")));
	assert_false(mail_helo_ok(STR("")));
	assert_false(mail_helo_ok(STR("a b")));
	assert_false(mail_helo_ok(STR("[a]")));
}

static void
xtext_goes_round(void **state)
{
	AUTO_ARENA a = { 0 };
	struct str s = STR("a+b=c d~!"), out;

	(void)state;
	CHECK_STR(mail_xtext_encode(&a, s), STR("a+2Bb+3Dc+20d~!"));
	assert_int_equal(
	    mail_xtext_decode(&a, mail_xtext_encode(&a, s), &out), RC_OK);
	CHECK_STR(out, s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(argument_rules),
		cmocka_unit_test(from_parameters),
		cmocka_unit_test(from_parameter_values),
		cmocka_unit_test(to_parameters),
		cmocka_unit_test(bdat_and_helo),
		cmocka_unit_test(xtext_goes_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
