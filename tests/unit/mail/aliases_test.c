#include "tests/unit/mail/test.h"
#include "mail/aliases.h"

#define S STR_INIT

static const char text[] =
    "# see aliases(5)\n"
    "postmaster:    root\n"
    "root: admin, ann@example.org\n"
    "Admin:\n"
    "\tben@example.org,\n"
    "  # a comment in between\n"
    "  cat@example.org\n"
    "\n"
    "www: \"|/usr/bin/vacation joe, x\", dan@example.org, /dev/null,\n"
    " :include:/etc/list\n"
    "a: b\n"
    "b: a, eve@example.org\n"
    "self: self, fay@example.org\n"
    "quoted: \"gil hay\"@example.org\n"
    "\"odd name\": \\root\n"
    "here: ann@host.example\n";

static bool
is_host(void *ctx, struct str domain)
{
	(void)ctx;
	return str_ieq(domain, STR("host.example"));
}

static unsigned warned_line[8];

static void
note(void *ctx, unsigned line, struct str what)
{
	unsigned *n = ctx;

	assert_true(what.n > 0);
	warned_line[(*n)++ % COUNT(warned_line)] = line;
}

static const struct mail_aliases *
parse(struct arena *a, unsigned *warnings)
{
	const struct mail_aliases *m = NULL;
	struct str why = STR("");

	*warnings = 0;
	if (mail_aliases_parse(
		a, "aliases", STR(text), note, warnings, &m, &why) != RC_OK)
		fail_msg("%.*s", STRF(why));
	return m;
}

static void
names_lead_to_addresses(void **state)
{
	static const struct {
		struct str name;
		const char *to; /* names and addresses, each with a space */
		bool cut;
	} rows[] = {
		{ S("POSTMASTER"),
		    "ben@example.org cat@example.org ann@example.org ", false },
		{ S("admin"), "ben@example.org cat@example.org ", false },
		{ S("www"), "dan@example.org ", false },
		{ S("a"), "eve@example.org ", true },
		{ S("self"), "self fay@example.org ", false },
		{ S("quoted"), "\"gil hay\"@example.org ", false },
		{ S("odd name"), "root ", false },
		{ S("here"), "ann ", false },
	};
	AUTO_ARENA a = { 0 };
	unsigned warnings;
	const struct mail_aliases *m = parse(&a, &warnings);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mail_alias_to *to;
		struct str all = STR("");
		bool cut;
		size_t n;

		assert_int_equal(mail_aliases_expand(m, &a, rows[i].name,
				     is_host, NULL, &to, &n, &cut),
		    RC_OK);
		for (size_t k = 0; k < n; k++)
			all = str_fmt(&a, "%.*s%.*s%.*s ", STRF(all),
			    STRF(to[k].name), STRF(to[k].address));
		if (!str_eq(all, str_c(rows[i].to)))
			fail_msg("row %zu: %.*s", i, STRF(all));
		assert_int_equal(cut, rows[i].cut);
	}
	mail_aliases_unref(&m);
}

static void
what_is_not_done_is_named(void **state)
{
	AUTO_ARENA a = { 0 };
	unsigned warnings;
	const struct mail_aliases *m = parse(&a, &warnings);

	(void)state;
	assert_int_equal(warnings, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(warned_line[i], 9);
	mail_aliases_unref(&m);
}

static void
a_name_without_an_entry(void **state)
{
	AUTO_ARENA a = { 0 };
	unsigned warnings;
	const struct mail_aliases *m = parse(&a, &warnings);
	struct mail_alias_to *to;
	size_t n;
	bool cut;

	(void)state;
	assert_int_equal(mail_aliases_expand(
			     m, &a, STR("joe"), is_host, NULL, &to, &n, &cut),
	    RC_NOENT);
	assert_int_equal(mail_aliases_expand(NULL, &a, STR("root"), is_host,
			     NULL, &to, &n, &cut),
	    RC_NOENT);
	mail_aliases_unref(&m);
}

/* Each level doubles: 2^40 ways would be walked without a limit. */
static void
a_bomb_goes_off_quietly(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	const struct mail_aliases *m;
	struct mail_alias_to *to;
	struct str why;
	size_t n;
	bool cut;

	(void)state;
	buf_init(&b, 1 << 16);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(buf_fmt(&b, "n%u: n%u, n%u, u%u@example.org\n",
				     i, i + 1, i + 1, i),
		    RC_OK);
	assert_int_equal(mail_aliases_parse(
			     &a, "aliases", buf_str(&b), NULL, NULL, &m, &why),
	    RC_OK);
	assert_int_equal(
	    mail_aliases_expand(m, &a, STR("n0"), is_host, NULL, &to, &n, &cut),
	    RC_OK);
	assert_true(cut);
	assert_true(n <= ALIASES_TO_MAX);
	mail_aliases_unref(&m);
}

static void
a_mistake_is_named_with_its_line(void **state)
{
	static const struct {
		struct str text;
		const char *why;
	} rows[] = {
		{ S("\nroot ann@example.org\n"), "al:2: no \"name: target\"" },
		{ S("root: \"ann\n"), "al:1: a quote stays open" },
		{ S(" ann@example.org\n"), "al:1: goes on with no entry" },
		{ S("a: b\nA: c\n"), "al:2: there is such an entry already" },
		{ S("a: b@@c\n"), "al:1: a target is no address" },
		{ S("a: b\x01\n"), "al:1: a target is neither" },
		{ S("a@example.org: b\n"), "al:1: no local name" },
		{ S("a: b\0c\n"), "al:1: a NUL" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		const struct mail_aliases *m = NULL;
		struct str why;

		assert_int_equal(mail_aliases_parse(&a, "al", rows[i].text,
				     NULL, NULL, &m, &why),
		    RC_BAD);
		if (!str_has_prefix(why, str_c(rows[i].why)))
			fail_msg("row %zu: %.*s", i, STRF(why));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_lead_to_addresses),
		cmocka_unit_test(what_is_not_done_is_named),
		cmocka_unit_test(a_name_without_an_entry),
		cmocka_unit_test(a_bomb_goes_off_quietly),
		cmocka_unit_test(a_mistake_is_named_with_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
