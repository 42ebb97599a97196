#include "directory/auth.h"
#include "directory/explain.h"
#include "tests/unit/directory/dirtest.h"

static enum rc
login(struct dirtest *t, const char *name, const char *password,
    struct dir_account *out)
{
	const struct dir_login in = { .name = str_c(name),
		.password = str_c(password),
		.service = STR_INIT("imap"),
		.client_ip = STR_INIT("192.0.2.1") };

	return dir_auth_password(t->d, &t->a, &in, soon(), out);
}

static void
every_form_of_a_name_is_one_person(void **state)
{
	static const char *const names[] = { "alice", "ALICE", "EX\\alice",
		"ex\\Alice", "alice@example.test", "alice@EXAMPLE.TEST",
		"alice.adams@example.test", "a.adams@second.test" };
	struct dir_account x;
	struct dirtest t;

	(void)state;
	dirtest_open(&t, AD_SETTINGS, ad_people);
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_rc(login(&t, names[i], "pw-alice", &x), RC_OK);
		assert_str(x.id, "00000000-0000-4000-8000-000000000001");
		assert_str(x.login, "alice");
		assert_str(x.address, "Alice.Adams@example.test");
	}
	/* account@REALM, whatever the userPrincipalName is */
	assert_rc(login(&t, "bob@example.test", "pw-bob", &x), RC_OK);
	dirtest_close(&t);
}

static void
refusals(void **state)
{
	static const struct {
		const char *name, *password;
		enum rc rc;
	} rows[] = {
		{ "alice", "wrong", RC_DENY },
		{ "alice", "", RC_DENY },
		{ "nobody", "x", RC_DENY },
		{ "*", "x", RC_DENY },
		{ "OTHER\\alice", "pw-alice", RC_DENY },
		{ "alice@other.test", "pw-alice", RC_DENY },
		{ "", "x", RC_DENY },
		{ "info", "pw-info", RC_DENY },
		{ "gone", "pw-gone", RC_DENY },
		{ "routed", "pw-routed", RC_DENY },
		{ "PC1$", "x", RC_DENY },
		{ "dark", "pw-dark", RC_TEMP },
		/* two people: refused without a bind */
		{ "tie@example.test", "pw-tie1", RC_DENY },
		{ "contested@example.test", "pw-viaproxy", RC_DENY },
		{ "never", "pw-never", RC_OK },
	};
	struct dir_account x;
	struct dirtest t;

	(void)state;
	dirtest_open(&t, AD_SETTINGS, ad_people);
	for (size_t i = 0; i < COUNT(rows); i++)
		if (login(&t, rows[i].name, rows[i].password, &x) != rows[i].rc)
			fail_msg("%s", rows[i].name);
	dirtest_close(&t);
}

static void
rfc_logins(void **state)
{
	struct dir_account x;
	struct dirtest t;

	(void)state;
	dirtest_open(&t, RFC_SETTINGS, rfc_people);
	assert_rc(login(&t, "ada", "ada-pw", &x), RC_OK);
	assert_rc(login(&t, "ada@example.test", "ada-pw", &x), RC_OK);
	assert_rc(login(&t, "ada.lovelace@example.test", "ada-pw", &x), RC_OK);
	assert_rc(login(&t, "ada", "ada-pW", &x), RC_DENY);
	assert_rc(login(&t, "grace", "grace-pw", &x), RC_DENY);
	assert_rc(login(&t, "old", "pw", &x), RC_DENY);
	dirtest_close(&t);
}

static void
an_authorisation_identity_is_the_same_person(void **state)
{
	struct dir_login in = { .name = STR_INIT("alice"),
		.password = STR_INIT("pw-alice"),
		.authzid = STR_INIT("a.adams@second.test"),
		.service = STR_INIT("smtp"),
		.client_ip = STR_INIT("::1") };
	struct dir_account x;
	struct dirtest t;

	(void)state;
	dirtest_open(&t, AD_SETTINGS, ad_people);
	assert_rc(dir_auth_password(t.d, &t.a, &in, soon(), &x), RC_OK);
	in.authzid = STR("bob");
	assert_rc(dir_auth_password(t.d, &t.a, &in, soon(), &x), RC_DENY);
	dirtest_close(&t);
}

static void
principals_have_a_realm(void **state)
{
	static const struct {
		const char *principal;
		enum rc rc;
	} rows[] = {
		{ "alice@EXAMPLE.TEST", RC_OK },
		{ "alice@OTHER.TEST", RC_DENY },
		{ "alice@example.test", RC_DENY },
		{ "alice", RC_DENY },
		{ "alice@", RC_DENY },
		{ "@EXAMPLE.TEST", RC_DENY },
		{ "host/alice@EXAMPLE.TEST", RC_DENY },
		{ "info@EXAMPLE.TEST", RC_DENY },
		{ "nobody@EXAMPLE.TEST", RC_DENY },
	};
	struct dir_account x;
	struct dirtest t;

	(void)state;
	dirtest_open(&t, AD_SETTINGS, ad_people);
	for (size_t i = 0; i < COUNT(rows); i++)
		if (dir_resolve_principal(t.d, &t.a, str_c(rows[i].principal),
			soon(), &x) != rows[i].rc)
			fail_msg("%s", rows[i].principal);
	dirtest_close(&t);
}

static void
an_outage_is_temporary(void **state)
{
	struct dir_account x;
	bool down = true;
	struct dirtest t;

	(void)state;
	dirtest_open(&t, AD_SETTINGS, ad_people);
	t.be = t.d->be = dirtest_flaky(t.be, &down);
	assert_rc(login(&t, "alice", "pw-alice", &x), RC_TEMP);
	down = false;
	assert_rc(login(&t, "alice", "pw-alice", &x), RC_OK);
	dirtest_close(&t);
}

static void
five_wrong_passwords_put_off_the_sixth(void **state)
{
	static const char *const wrong[] = { "1", "2", "3", "4", "5" };
	struct dir_account x;
	struct dirtest t;

	(void)state;
	dirtest_open(&t, AD_SETTINGS, ad_people);
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_rc(login(&t, "alice", wrong[i], &x), RC_DENY);
	assert_rc(login(&t, "alice", "pw-alice", &x), RC_TEMP);
	/* Kerberos and other accounts are not touched. */
	assert_rc(dir_resolve_principal(
		      t.d, &t.a, STR("alice@EXAMPLE.TEST"), soon(), &x),
	    RC_OK);
	assert_rc(login(&t, "bob", "pw-bob", &x), RC_OK);
	dirtest_close(&t);
}

static void
explanations_name_the_deciding_fact(void **state)
{
	static const struct {
		const char *kind, *arg, *says;
	} rows[] = {
		{ "rcpt", "a.adams@second.test",
		    "claim through proxyAddresses wins" },
		{ "rcpt", "nobody@example.test", "no entry has this address" },
		{ "rcpt", "x@foreign.test", "not in the setting domains" },
		{ "rcpt", "tie@example.test", "two claims" },
		{ "rcpt", "routed@example.test", "routed@cloud.invalid" },
		{ "rcpt", "dark@example.test", "userAccountControl" },
		{ "rcpt", "tech@example.test", "members, nested ones" },
		{ "rcpt", "postmaster", "the setting postmaster" },
		{ "rcpt", "alice@example.test", "proxyAddresses=smtp:alice" },
		{ "login", "info", "userAccountControl says" },
		{ "login", "OTHER\\x", "netbios_domain" },
		{ "login", "tie@example.test", "two accounts have it" },
		{ "login", "EX\\alice", "account alice may log in" },
	};
	struct dirtest t;
	struct str text;

	(void)state;
	dirtest_open(&t, AD_SETTINGS, ad_people);
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_rc(dir_explain_text(t.d, &t.a, str_c(rows[i].kind),
			      str_c(rows[i].arg), soon(), &text),
		    RC_OK);
		if (str_find(text, str_c(rows[i].says)) == text.n)
			fail_msg("%s: %.*s", rows[i].arg, STRF(text));
	}
	assert_rc(
	    dir_explain_text(t.d, &t.a, STR("x"), STR("y"), soon(), &text),
	    RC_BAD);
	dirtest_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_a_name_is_one_person),
		cmocka_unit_test(refusals),
		cmocka_unit_test(rfc_logins),
		cmocka_unit_test(an_authorisation_identity_is_the_same_person),
		cmocka_unit_test(principals_have_a_realm),
		cmocka_unit_test(an_outage_is_temporary),
		cmocka_unit_test(five_wrong_passwords_put_off_the_sixth),
		cmocka_unit_test(explanations_name_the_deciding_fact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
