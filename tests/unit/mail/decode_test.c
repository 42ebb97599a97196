#include "tests/unit/mail/test.h"
#include "mail/decode.h"

/* Fed in three pieces, cut at c and d. */
static void
run_cte(enum mail_cte cte, struct str in, size_t c, size_t d, struct buf *out)
{
	struct str pieces[3] = { str_sub(in, 0, c), str_sub(in, c, d - c),
		str_from(in, d) };
	struct mail_b64 b64 = { 0, 0 };
	struct mail_qp qp = { 0 };

	buf_init(out, 4096 * 4);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(cte == MAIL_CTE_B64
				     ? mail_b64_feed(&b64, pieces[i], out)
				     : mail_qp_feed(&qp, pieces[i], out),
		    RC_OK);
	if (cte == MAIL_CTE_QP)
		assert_int_equal(mail_qp_end(&qp, out), RC_OK);
}

static void
transfer_encodings(void **state)
{
	static const struct {
		enum mail_cte cte;
		struct str in, want;
	} rows[] = {
		{ MAIL_CTE_B64, S(""), S("") },
		{ MAIL_CTE_B64, S("aGVsbG8="), S("hello") },
		{ MAIL_CTE_B64, S("aGVs\r\nbG8"), S("hello") },
		{ MAIL_CTE_B64, S("aGVsbA=="), S("hell") },
		{ MAIL_CTE_B64, S("aGVsbA=aGVsbG8="), S("hellhello") },
		{ MAIL_CTE_B64, S("a*G-V s\0bG8="), S("hello") },
		{ MAIL_CTE_B64, S("a"), S("") },
		{ MAIL_CTE_B64, S("/+8A"), S("\xff\xef\0") },
		{ MAIL_CTE_QP, S(""), S("") },
		{ MAIL_CTE_QP, S("a=20b=3D"), S("a b=") },
		{ MAIL_CTE_QP, S("=c3=A4"), S("\xc3\xa4") },
		{ MAIL_CTE_QP, S("a=\r\nb"), S("ab") },
		{ MAIL_CTE_QP, S("a= \t\r\nb"), S("ab") },
		{ MAIL_CTE_QP, S("a=\nb"), S("ab") },
		{ MAIL_CTE_QP, S("a \t \r\nb  c"), S("a\r\nb  c") },
		{ MAIL_CTE_QP, S("a \n"), S("a\n") },
		{ MAIL_CTE_QP, S("a="), S("a") },
		{ MAIL_CTE_QP, S("a  "), S("a") },
		{ MAIL_CTE_QP, S("a=4"), S("a=4") },
		{ MAIL_CTE_QP, S("=4x =zz ==41"), S("=4x =zz =A") },
		{ MAIL_CTE_QP, S("= x"), S("= x") },
		{ MAIL_CTE_QP, S("=\rx"), S("=\rx") },
		{ MAIL_CTE_QP, S("=4=41"), S("=4A") },
		{ MAIL_CTE_QP, S("\0=00"), S("\0\0") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t c = 0; c <= rows[i].in.n; c++)
			for (size_t d = c; d <= rows[i].in.n; d++) {
				AUTO_BUF b = { 0 };

				run_cte(rows[i].cte, rows[i].in, c, d, &b);
				CHECK_STR(buf_str(&b), rows[i].want);
			}
	assert_int_equal(mail_cte_of(STR(" Base64")), MAIL_CTE_B64);
	assert_int_equal(mail_cte_of(STR("QUOTED-PRINTABLE")), MAIL_CTE_QP);
	assert_int_equal(mail_cte_of(STR("8bit")), MAIL_CTE_IDENTITY);
	assert_int_equal(mail_cte_of(STR("x-uu")), MAIL_CTE_IDENTITY);
}

static void
a_cap_is_kept(void **state)
{
	struct mail_b64 b64 = { 0, 0 };
	struct mail_qp qp = { 0 };
	AUTO_BUF b = { 0 };

	(void)state;
	buf_init(&b, 2);
	assert_int_equal(mail_b64_feed(&b64, STR("aGVsbG8="), &b), RC_BAD);
	assert_int_equal(mail_qp_feed(&qp, STR("hello"), &b), RC_BAD);
	assert_int_equal(
	    mail_charset_convert(STR(""), STR("hello"), &b), RC_BAD);
	assert_int_equal(
	    mail_charset_convert(STR("koi8-r"), STR("hello"), &b), RC_BAD);
	assert_int_equal(
	    mail_words_decode(STR("=?utf-8?q?hello?="), &b), RC_BAD);
	assert_true(b.n <= 2);
}

static void
charsets(void **state)
{
	static const struct {
		struct str charset, in, want;
	} rows[] = {
		{ S(""), S("abc"), S("abc") },
		{ S("UTF-8"), S("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
		    S("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80") },
		{ S("us-ascii"), S("a\xe4g"), S("a\xef\xbf\xbdg") },
		{ S("utf-8"), S("\xc0\x80\xed\xa0\x80"),
		    S("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
		      "\xef\xbf\xbd") },
		{ S("utf-8"), S("a\xe2\x82"), S("a\xef\xbf\xbd") },
		{ S("ISO-8859-1"), S("a\xe4\xdf"), S("a\xc3\xa4\xc3\x9f") },
		{ S("windows-1252"), S("\x80"), S("\xe2\x82\xac") },
		{ S("iso-8859-15"), S("\xa4"), S("\xe2\x82\xac") },
		{ S("ISO-2022-JP"), S("\x1b$B$\"\x1b(Ba"),
		    S("\xe3\x81\x82"
		      "a") },
		{ S("gb2312"), S("\xd6\xd0"), S("\xe4\xb8\xad") },
		{ S("ks_c_5601-1987"), S("\xb0\xa1"), S("\xea\xb0\x80") },
		{ S("Shift_JIS"), S("\x82\xa0"), S("\xe3\x81\x82") },
		{ S("utf-16be"), S("\0a\xd8\x3d\xde\0"),
		    S("a\xf0\x9f\x98\x80") },
		{ S("utf-16be"), S("\0a\0"), S("a\xef\xbf\xbd") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t c = 0; c <= rows[i].in.n; c++)
			for (size_t d = c; d <= rows[i].in.n; d++) {
				struct str in = rows[i].in;
				struct mail_charset *cs;
				AUTO_BUF b = { 0 };

				buf_init(&b, 4096);
				assert_int_equal(
				    mail_charset_new(rows[i].charset, &cs),
				    RC_OK);
				assert_int_equal(mail_charset_feed(
						     cs, str_sub(in, 0, c), &b),
				    RC_OK);
				assert_int_equal(mail_charset_feed(cs,
						     str_sub(in, c, d - c), &b),
				    RC_OK);
				assert_int_equal(
				    mail_charset_feed(cs, str_from(in, d), &b),
				    RC_OK);
				assert_int_equal(
				    mail_charset_end(cs, &b), RC_OK);
				mail_charset_free(&cs);
				assert_null(cs);
				CHECK_STR(buf_str(&b), rows[i].want);
			}
}

static void
hostile_charset_names(void **state)
{
	static const struct str names[] = { S("no-such"), S("utf-8//IGNORE"),
		S("../../x"), S("/etc/passwd"), S("koi8-r\0"), S("a,b"),
		S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") };
	struct mail_charset *cs = NULL;

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		assert_int_equal(mail_charset_new(names[i], &cs), RC_NOENT);
	assert_null(cs);
}

static void
encoded_words(void **state)
{
	static const struct {
		struct str in, want;
	} rows[] = {
		{ S(""), S("") },
		{ S(" plain\r\n\tfolded "), S("plain\tfolded") },
		{ S("=?utf-8?Q?a_b=C3=A4?="), S("a b\xc3\xa4") },
		{ S("=?UTF-8?b?w6Q=?= x"), S("\xc3\xa4 x") },
		{ S("x =?utf-8*de?q?a?=\r\n =?iso-8859-1?q?=E4?= y"),
		    S("x a\xc3\xa4 y") },
		{ S("=?utf-8?b?w6==?==?utf-8?b?pA==?="), S("\xc3\xa4") },
		{ S("=?utf-8?q?=C3?= =?utf-8?q?=A4?="), S("\xc3\xa4") },
		{ S("=?utf-8?q?a?= b =?utf-8?q?c?="), S("a b c") },
		{ S("(=?utf-8?q?a?=)"), S("(a)") },
		{ S("=?x-none?q?a?= =?utf-8?q?b?="), S("=?x-none?q?a?= b") },
		{ S("=?utf-8?x?a?="), S("=?utf-8?x?a?=") },
		{ S("=?utf-8?q?a"), S("=?utf-8?q?a") },
		{ S("=?\?q?a?="), S("=?\?q?a?=") },
		{ S("=?=?=?utf-8?q?a?="), S("=?=?a") },
		{ S("=?utf-8?q?\?=x"), S("x") },
		{ S("=?utf-8?q?=4?="), S("=4") },
		{ S("a\xff"), S("a\xef\xbf\xbd") },
		{ S("=?utf-8?q?a\r\n b?="), S("=?utf-8?q?a b?=") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_BUF b = { 0 };

		buf_init(&b, 4096);
		assert_int_equal(mail_words_decode(rows[i].in, &b), RC_OK);
		CHECK_STR(buf_str(&b), rows[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transfer_encodings),
		cmocka_unit_test(a_cap_is_kept),
		cmocka_unit_test(charsets),
		cmocka_unit_test(hostile_charset_names),
		cmocka_unit_test(encoded_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
