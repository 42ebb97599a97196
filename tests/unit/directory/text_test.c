/* The parsers: filters, LDIF, DNs, AD's values, login names, passwords. */
#include "directory/ad_value.h"
#include "directory/dn.h"
#include "directory/entry.h"
#include "directory/filter.h"
#include "directory/ldif.h"
#include "directory/login_name.h"
#include "directory/password.h"
#include "tests/unit/lib/test.h"

static void
filters_match(void **state)
{
	static struct str mail[] = { STR_INIT("Ann@Example.org"),
		STR_INIT("b(c)@x") };
	static struct str uac[] = { STR_INIT("514") };
	static struct dir_attr attr[] = { { STR_INIT("mail"), mail, 2 },
		{ STR_INIT("userAccountControl"), uac, 1 } };
	static const struct dir_raw e = { STR_INIT("cn=x"), attr, 2 };
	static const struct {
		const char *filter;
		int match; /* -1: malformed */
	} rows[] = {
		{ "(mail=ann@example.org)", 1 },
		{ "(MAIL=ANN@example.org)", 1 },
		{ "(mail=ann)", 0 },
		{ "(mail=b\\28c\\29@x)", 1 },
		{ "(mail=*)", 1 },
		{ "(cn=*)", 0 },
		{ "(mail=ann*)", 1 },
		{ "(mail=*@example.org)", 1 },
		{ "(mail=a*@*.org)", 1 },
		{ "(mail=a*zz*org)", 0 },
		{ "(mail=*ann@example.org*)", 1 },
		{ "(!(mail=ann@example.org))", 0 },
		{ "(&(mail=*)(userAccountControl=514))", 1 },
		{ "(|(cn=a)(mail=b\\28c\\29@x))", 1 },
		{ "(&)", 1 },
		{ "(|)", 0 },
		{ "(userAccountControl:1.2.840.113556.1.4.803:=2)", 1 },
		{ "(userAccountControl:1.2.840.113556.1.4.803:=17)", 0 },
		{ "(userAccountControl:1.2.840.113556.1.4.804:=3)", 1 },
		{ "(mail:9.9.9:=x)", 0 },
		{ "(userAccountControl>=500)", 1 },
		{ "(userAccountControl<=500)", 0 },
		{ "", -1 },
		{ "mail=x", -1 },
		{ "(mail=x", -1 },
		{ "(mail)", -1 },
		{ "(=x)", -1 },
		{ "(mail=x)y", -1 },
		{ "(mail=\\2)", -1 },
		{ "(mail=\\zz)", -1 },
		{ "(!)", -1 },
		{ "(!(a=b)(c=d))", -1 },
		{ "(m ail=x)", -1 },
		{ "((a=b))", -1 },
	};
	AUTO_ARENA a = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dir_filter *f;
		enum rc rc = dir_filter_parse(&a, str_c(rows[i].filter), &f);
		int got = rc != RC_OK ? -1 : dir_filter_match(f, &e);

		if (got != rows[i].match)
			fail_msg("%s: %d", rows[i].filter, got);
	}
}

static void
filters_have_a_depth(void **state)
{
	struct str s = STR("(a=b)");
	AUTO_ARENA a = { 0 };
	struct dir_filter *f;

	(void)state;
	for (unsigned i = 1; i < DIR_FILTER_DEPTH; i++)
		s = str_fmt(&a, "(!%.*s)", STRF(s));
	assert_rc(dir_filter_parse(&a, s, &f), RC_OK);
	s = str_fmt(&a, "(!%.*s)", STRF(s));
	assert_rc(dir_filter_parse(&a, s, &f), RC_BAD);
}

static void
escaped_values_mean_themselves(void **state)
{
	static const char *const values[] = { "*", "(x)", "a\\b", "a)(b=*",
		"\xc3\xa9", "x y", "" };
	AUTO_ARENA a = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		struct str v = str_c(values[i]);
		struct str text =
		    str_fmt(&a, "(x=%.*s)", STRF(dir_filter_escape(&a, v)));
		struct dir_filter *f;

		assert_rc(dir_filter_parse(&a, text, &f), RC_OK);
		assert_int_equal(f->op, DIR_F_EQ);
		assert_true(str_eq(f->value, v));
	}
	assert_str(dir_filter_escape(&a, STR("a\0b")), "a\\00b");
}

static void
ldif_records(void **state)
{
	static const char text[] =
	    "version: 1\n# a comment\n  that goes on\n\n\n"
	    "dn: cn=a\r\nobjectClass: person\r\nmail: long@exa\r\n mple\r\n"
	    "MAIL: two@x\nphoto:: AAEC\nempty:\n\n"
	    "dn:: Y249Yg==\ncn: b";
	AUTO_ARENA a = { 0 };
	struct dir_raw *e;
	struct str why;
	size_t n;

	(void)state;
	assert_rc(dir_ldif_parse(&a, STR(text), &e, &n, &why), RC_OK);
	assert_int_equal(n, 2);
	assert_str(e[0].dn, "cn=a");
	assert_int_equal(e[0].nattr, 4);
	assert_int_equal(dir_raw_attr(&e[0], STR("mail"))->n, 2);
	assert_str(e[0].attr[1].v[0], "long@example");
	assert_str(dir_raw_attr(&e[0], STR("photo"))->v[0], "\0\1\2");
	assert_str(dir_raw_attr(&e[0], STR("empty"))->v[0], "");
	assert_str(e[1].dn, "cn=b");
}

static void
ldif_errors_have_a_line(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "dn: a\nx\n", "line 2: no \"attribute:\"" },
		{ "cn: a\n", "line 1: expected \"dn:\"" },
		{ "dn: a\nx:: !\n", "line 2: bad base64" },
		{ "dn: a\nx:< file:///etc/passwd\n",
		    "line 2: values from URLs are not read" },
		{ "dn: a\nchangetype: add\n",
		    "line 2: change records are not read" },
		{ "dn: a\nx y: b\n", "line 2: not an attribute name" },
	};
	AUTO_ARENA a = { 0 };
	struct dir_raw *e;
	struct str why;
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_rc(dir_ldif_parse(&a, str_c(rows[i].text), &e, &n, &why),
		    RC_BAD);
		if (!str_eq(why, str_c(rows[i].why)))
			fail_msg("%.*s", STRF(why));
	}
}

static void
dns_have_a_normal_form(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "CN=Ann,DC=example,DC=test", "cn=ann, dc=EXAMPLE , dc=test",
		    true },
		{ "CN=a\\,b,DC=x", "CN=a\\2Cb,DC=x", true },
		{ "CN=a+OU=b,DC=x", "ou=b+cn=a,dc=x", true },
		{ "CN=a  b,DC=x", "CN=a b,DC=x", true },
		{ "CN=a,DC=x", "CN=b,DC=x", false },
		{ "CN=a,DC=x", "CN=a", false },
	};
	AUTO_ARENA a = { 0 };
	struct str x, y;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_rc(dir_dn_norm(&a, str_c(rows[i].a), &x), RC_OK);
		assert_rc(dir_dn_norm(&a, str_c(rows[i].b), &y), RC_OK);
		if (str_eq(x, y) != rows[i].same)
			fail_msg("%.*s / %.*s", STRF(x), STRF(y));
	}
	assert_rc(dir_dn_norm(&a, STR("no dn"), &x), RC_BAD);
	assert_rc(dir_dn_norm(&a, STR("cn=a\0b"), &x), RC_BAD);
	assert_true(dir_dn_below(STR("cn=a,dc=x"), STR("dc=x")));
	assert_true(dir_dn_below(STR("dc=x"), STR("dc=x")));
	assert_false(dir_dn_below(STR("cn=a,adc=x"), STR("dc=x")));
	assert_false(dir_dn_below(STR("dc=x"), STR("cn=a,dc=x")));
}

static void
guids_are_mixed_endian(void **state)
{
	static const char raw[] = "\x33\x22\x11\x00\x55\x44\x77\x66"
				  "\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
	AUTO_ARENA a = { 0 };
	struct str s, back;

	(void)state;
	assert_rc(ad_guid_text(&a, str_n(raw, 16), &s), RC_OK);
	assert_str(s, "00112233-4455-6677-8899-aabbccddeeff");
	assert_rc(ad_guid_bytes(
		      &a, STR("00112233-4455-6677-8899-AABBCCDDEEFF"), &back),
	    RC_OK);
	assert_int_equal(back.n, 16);
	assert_memory_equal(back.p, raw, 16);
	assert_rc(ad_guid_text(&a, str_n(raw, 15), &s), RC_BAD);
	assert_rc(dir_uuid_canonical(
		      &a, STR("00112233-4455-6677-8899-aabbccddeefg"), &s),
	    RC_BAD);
	assert_rc(dir_uuid_canonical(
		      &a, STR("001122334-455-6677-8899-aabbccddeeff"), &s),
	    RC_BAD);
}

static void
ad_times_and_sids(void **state)
{
	static const char sid[] = "\1\2\0\0\0\0\0\5\1\0\0\0\x59\4\0\0";
	uint32_t rid;
	int64_t t;

	(void)state;
	assert_true(ad_time(STR("132223104000000000"), &t));
	assert_int_equal(t, 1577836800); /* 2020-01-01 */
	assert_false(ad_time(STR("0"), &t));
	assert_false(ad_time(STR("9223372036854775807"), &t));
	assert_false(ad_time(STR("-1"), &t));
	assert_rc(dir_generalized_time(STR("20200101000000Z"), &t), RC_OK);
	assert_int_equal(t, 1577836800);
	assert_rc(dir_generalized_time(STR("20200229010203.0Z"), &t), RC_OK);
	assert_int_equal(t, 1582938123);
	assert_rc(dir_generalized_time(STR("20201301000000Z"), &t), RC_BAD);
	assert_rc(dir_generalized_time(STR("2020Z"), &t), RC_BAD);
	assert_rc(ad_sid_rid(str_n(sid, 16), &rid), RC_OK);
	assert_int_equal(rid, 1113);
	assert_rc(ad_sid_rid(str_n(sid, 15), &rid), RC_BAD);
	assert_rc(ad_sid_rid(STR(""), &rid), RC_BAD);
}

static void
sub_codes_of_ad(void **state)
{
#define AD_TEXT(code)                                                          \
	"80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext "    \
	"error, data " code ", v1db1"
	static const struct {
		const char *text;
		enum dir_bind_why why;
	} rows[] = {
		{ AD_TEXT("52e"), DIR_BIND_WRONG_PASSWORD },
		{ AD_TEXT("525"), DIR_BIND_NO_ACCOUNT },
		{ AD_TEXT("530"), DIR_BIND_HOURS },
		{ AD_TEXT("531"), DIR_BIND_WORKSTATION },
		{ AD_TEXT("532"), DIR_BIND_PW_EXPIRED },
		{ AD_TEXT("533"), DIR_BIND_DISABLED },
		{ AD_TEXT("701"), DIR_BIND_EXPIRED },
		{ AD_TEXT("773"), DIR_BIND_MUST_CHANGE },
		{ AD_TEXT("775"), DIR_BIND_LOCKED },
		{ AD_TEXT("999"), DIR_BIND_REFUSED },
		/* OpenLDAP says nothing */
		{ "", DIR_BIND_WRONG_PASSWORD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(ad_bind_why(str_c(rows[i].text)), rows[i].why);
}

static void
login_names(void **state)
{
	static const struct {
		struct str in;
		int form; /* -1: refused */
		const char *account, *domain;
	} rows[] = {
		{ STR_INIT("ann"), DIR_LOGIN_ACCOUNT, "ann", "" },
		{ STR_INIT("EX\\ann"), DIR_LOGIN_DOMAIN, "ann", "EX" },
		{ STR_INIT("ann@x.org"), DIR_LOGIN_AT, "ann", "x.org" },
		{ STR_INIT("a@b@x.org"), DIR_LOGIN_AT, "a@b", "x.org" },
		{ STR_INIT("EX\\a@b"), DIR_LOGIN_DOMAIN, "a@b", "EX" },
		{ STR_INIT(""), -1, "", "" },
		{ STR_INIT("@x.org"), -1, "", "" },
		{ STR_INIT("ann@"), -1, "", "" },
		{ STR_INIT("\\ann"), -1, "", "" },
		{ STR_INIT("EX\\"), -1, "", "" },
		{ STR_INIT("EX\\a\\b"), -1, "", "" },
		{ STR_INIT("a\0b"), -1, "", "" },
		{ STR_INIT("a\nb"), -1, "", "" },
		{ STR_INIT("\xff"), -1, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dir_login_name n = { 0 };
		enum rc rc = dir_login_name_parse(rows[i].in, &n);

		assert_rc(rc, rows[i].form < 0 ? RC_BAD : RC_OK);
		if (rc != RC_OK)
			continue;
		assert_int_equal((int)n.form, rows[i].form);
		assert_true(str_eq(n.account, str_c(rows[i].account)));
		assert_true(str_eq(n.domain, str_c(rows[i].domain)));
	}
}

static void
address_values_have_prefixes(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: another kind of address */
		bool primary;
	} rows[] = {
		{ "SMTP:a@b", "a@b", true },
		{ "smtp:a@b", "a@b", false },
		{ "Smtp: a@b ", "a@b", false },
		{ "a@b", "a@b", false },
		{ "X500:/o=x", NULL, false },
		{ "sip:a@b", NULL, false },
		{ "smtp:", NULL, false },
		{ "", NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str out = STR("");
		bool primary;
		bool ok = dir_address_value(str_c(rows[i].in), &out, &primary);

		assert_int_equal(ok, rows[i].out != NULL);
		if (!ok)
			continue;
		assert_true(str_eq(out, str_c(rows[i].out)));
		assert_int_equal(primary, rows[i].primary);
	}
}

static void
stored_passwords(void **state)
{
	static const struct {
		const char *stored, *password;
		bool match;
	} rows[] = {
		{ "secret", "secret", true },
		{ "secret", "Secret", false },
		{ "secret", "", false },
		{ "", "", false },
		{ "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret", true },
		{ "{sha}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret", true },
		{ "{SSHA}I+gRBaK0FAtcRJrBxVNdJuPJsld6enp6", "ada-pw", true },
		{ "{SSHA}I+gRBaK0FAtcRJrBxVNdJuPJsld6enp6", "ada", false },
		{ "{SSHA}!", "x", false },
		{ "{SSHA}", "x", false },
		{ "{CRYPT}x", "x", false },
		{ "{CRYPT}x", "{CRYPT}x", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (dir_password_match(str_c(rows[i].stored),
			str_c(rows[i].password)) != rows[i].match)
			fail_msg("%s %s", rows[i].stored, rows[i].password);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_match),
		cmocka_unit_test(filters_have_a_depth),
		cmocka_unit_test(escaped_values_mean_themselves),
		cmocka_unit_test(ldif_records),
		cmocka_unit_test(ldif_errors_have_a_line),
		cmocka_unit_test(dns_have_a_normal_form),
		cmocka_unit_test(guids_are_mixed_endian),
		cmocka_unit_test(ad_times_and_sids),
		cmocka_unit_test(sub_codes_of_ad),
		cmocka_unit_test(login_names),
		cmocka_unit_test(address_values_have_prefixes),
		cmocka_unit_test(stored_passwords),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
