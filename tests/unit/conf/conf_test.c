#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/lib/test.h"
#include "conf/conf_table.h"

#define GOOD                                                                   \
	"hostname = 'Mail.Example.org'\n"                                      \
	"domains = {'Example.org', 'example.net'}\n"                           \
	"directory = ldif\n"                                                   \
	"ldif_file = /etc/people.ldif\n"

static const struct conf *
load(struct arena *a, const char *text)
{
	const struct conf *c = NULL;
	struct str why = STR_NULL;

	if (conf_parse(a, "t.conf", str_c(text), &c, &why) != RC_OK)
		fail_msg("%.*s", STRF(why));
	return c;
}

static void
defaults_fill_what_is_not_said(void **state)
{
	AUTO_ARENA a = { 0 };
	const struct conf *c = load(&a, GOOD);

	(void)state;
	assert_string_equal(c->hostname, "mail.example.org");
	assert_int_equal(c->domains.n, 2);
	assert_string_equal(c->domains.v[0], "example.org");
	assert_string_equal(c->postmaster, "postmaster@example.org");
	assert_true(c->message_size_max == 50u << 20);
	assert_int_equal(c->listen_imaps.n, 1);
	assert_string_equal(c->listen_imaps.v[0], "*:993");
	assert_int_equal(c->tls_key.n, 0);
	assert_int_equal(c->directory, CONF_LDIF);
	assert_int_equal(c->log_level, LOG_INFO);
	assert_false(c->group_open);
	assert_true(conf_is_local_domain(c, STR("EXAMPLE.net")));
	assert_false(conf_is_local_domain(c, STR("ample.net")));
	conf_unref(&c);
	assert_null(c);
}

static void
every_kind_of_value_is_read(void **state)
{
	AUTO_ARENA a = { 0 };
	const struct conf *c = load(&a, GOOD
	    "listen_smtp = {}\nlisten_imap = {'127.0.0.1:0', '[::1]:1143'}\n"
	    "message_size_max = 1M\nworkers = 7 # comment\n"
	    "group_open = YES\nlog_level = Debug\n"
	    "scope_filter = '(cn=it\\'s \\\\2a)'\n"
	    "domains += third.example\n");

	(void)state;
	assert_int_equal(c->listen_smtp.n, 0);
	assert_int_equal(c->listen_imap.n, 2);
	assert_true(c->message_size_max == 1u << 20);
	assert_int_equal(c->workers, 7);
	assert_true(c->group_open);
	assert_int_equal(c->log_level, LOG_DEBUG);
	assert_string_equal(c->scope_filter, "(cn=it's \\2a)");
	assert_int_equal(c->domains.n, 3);
	conf_unref(&c);
}

static void
errors_name_file_line_setting_and_rule(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "t.conf: hostname: is required" },
		{ GOOD "workers = 0\n",
		    "t.conf:5: workers: must be a number from 2 to 256, not "
		    "\"0\"" },
		{ GOOD "\n\nworkers = -1\n",
		    "t.conf:7: workers: must be a number from 2 to 256, not "
		    "\"-1\"" },
		{ GOOD "workers = 99999999999999999999\n",
		    "t.conf:5: workers: must be a number" },
		{ GOOD "worker = 1\n", "t.conf:5: no such option 'worker'" },
		{ GOOD "workers = 4\nworkers = 5\n",
		    "t.conf:6: workers: is set already in line 5" },
		{ GOOD "domains = {a}\n",
		    "t.conf:5: domains: is set already in line 2" },
		{ GOOD "message_size_max = 0\n",
		    "t.conf:5: message_size_max: must be a size" },
		{ GOOD "message_size_max = 50T\n",
		    "t.conf:5: message_size_max: must be a size" },
		{ GOOD "message_size_max = 18446744073709551615G\n",
		    "t.conf:5: message_size_max: must be a size" },
		{ GOOD "group_open = maybe\n",
		    "t.conf:5: group_open: must be yes or no, not \"maybe\"" },
		{ GOOD "log_level = loud\n",
		    "t.conf:5: log_level: must be one of error, warn, info, "
		    "debug, not \"loud\"" },
		{ GOOD "data_dir = spool\n",
		    "t.conf:5: data_dir: must be an absolute path" },
		{ GOOD "data_dir = ''\n",
		    "t.conf:5: data_dir: must not be empty" },
		{ GOOD "tls_certificate = {'a.pem'}\n",
		    "t.conf:5: tls_certificate: must be an absolute path" },
		{ GOOD "tls_certificate = {'/a.pem'}\n",
		    "t.conf: tls_key: has 0 files for 1 certificates" },
		{ GOOD "listen_imap = {'localhost:143'}\n",
		    "t.conf:5: listen_imap: must be ADDRESS:PORT" },
		{ GOOD "listen_imap = {'*:70000'}\n",
		    "t.conf:5: listen_imap: must be ADDRESS:PORT" },
		{ GOOD "proxy_listeners = {'*:26'}\n",
		    "proxy_listeners: *:26 is no listener" },
		{ GOOD "proxy_listeners = {'*:25'}\nproxy_networks = {}\n",
		    "proxy_networks: is empty: nobody could use "
		    "proxy_listeners" },
		{ GOOD "proxy_networks = {'10.0.0.1/8'}\n",
		    "t.conf:5: proxy_networks: must be a network like "
		    "192.0.2.0/24 or 2001:db8::/32, or an address, not "
		    "\"10.0.0.1/8\"" },
		{ GOOD "listen_lmtp = {'lmtp.sock'}\n",
		    "t.conf:5: listen_lmtp: must be ADDRESS:PORT, or an "
		    "absolute path of at most 100 bytes" },
		{ GOOD "listen_lmtp = {'/run/lmtp', '/run/lmtp'}\n",
		    "listen_lmtp: /run/lmtp is taken twice" },
		{ GOOD "listen_imap = {'*:993'}\n",
		    "listen_imaps: *:993 is taken twice" },
		{ GOOD "attr_mail = \"a\\x01b\"\n",
		    "t.conf:5: attr_mail: holds a control character" },
		{ GOOD "attr_mail = ${HOME}\n",
		    "t.conf:5: \"${\" is not allowed" },
		{ GOOD "' context' = x\n", "t.conf:5: " },
		{ GOOD "include('/etc/passwd')\n", "t.conf:5: no such option" },
		{ GOOD "postmaster = me@elsewhere.example\n",
		    "t.conf:5: postmaster: must be an address in one of" },
		{ GOOD "queue_retry_min_s = 7200\n",
		    "t.conf:5: queue_retry_min_s: is larger than" },
		{ GOOD "dns_servers = {'dns.example'}\n",
		    "t.conf:5: dns_servers: must be an address" },
		{ GOOD "dns_servers = {'192.0.2.1@0'}\n",
		    "t.conf:5: dns_servers: must be an address" },
		{ GOOD "dns_servers = {'192.0.2.1@65536'}\n",
		    "t.conf:5: dns_servers: must be an address" },
		{ GOOD "dns_servers = {'192.0.2.1:53'}\n",
		    "t.conf:5: dns_servers: must be an address" },
		{ GOOD "smart_hosts = {'relay.example.net'}\n",
		    "t.conf:5: smart_hosts: must be HOST:PORT or "
		    "[V6ADDRESS]:PORT, not \"relay.example.net\"" },
		{ GOOD "smart_hosts = {'relay.example.net:0'}\n",
		    "t.conf:5: smart_hosts: must be HOST:PORT" },
#ifndef HAVE_LIBSPF2
		{ GOOD "spf_engine = libspf2\n",
		    "t.conf:5: spf_engine: libspf2 is not part of this "
		    "Gatepost" },
#endif
		{ "hostname = a..b\n", "t.conf:1: hostname: must be a host" },
		{ "hostname = a\ndomains = {}\n",
		    "t.conf: domains: needs at least one domain" },
		{ "hostname = a\ndomains = a\n",
		    "t.conf: ldap_servers: needs at least one URL" },
		{ "hostname = a\ndomains = a\nldap_servers='http://x'\n",
		    "t.conf:3: ldap_servers: must be a URL like" },
		{ "hostname = a\ndomains = a\nldap_servers='ldap://x'\n"
		  "ldap_base='dc=x'\n",
		    "t.conf: ldap_keytab: ldap_bind gssapi needs it" },
		{ "hostname = a\ndomains = a\nldap_servers='ldap://x'\n"
		  "ldap_base='dc=x'\nldap_bind=simple\nldap_bind_dn='cn=x'\n"
		  "ldap_password_file=/x\nldap_tls=none\n",
		    "t.conf:8: ldap_tls: none would send the password" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		const struct conf *c = NULL;
		struct str why = STR_NULL;

		assert_rc(
		    conf_parse(&a, "t.conf", str_c(rows[i].text), &c, &why),
		    RC_BAD);
		assert_null(c);
		if (str_find(why, str_c(rows[i].why)) == why.n)
			fail_msg("want \"%s\", got \"%.*s\"", rows[i].why,
			    STRF(why));
	}
}

static void
text_that_is_no_text_is_refused(void **state)
{
	AUTO_ARENA a = { 0 };
	const struct conf *c;
	struct str why;
	char *big = xmalloc(CONF_FILE_MAX + 1);

	(void)state;
	memset(big, '\n', CONF_FILE_MAX + 1);
	assert_rc(conf_parse(&a, "t", str_n(big, CONF_FILE_MAX + 1), &c, &why),
	    RC_BAD);
	assert_rc(conf_parse(&a, "t", STR("user = a\0b"), &c, &why), RC_BAD);
	assert_rc(conf_load(&a, "/nonexistent/x", &c, &why), RC_TEMP);
	assert_str(why, "/nonexistent/x: No such file or directory");
	xfree(big);
}

/* Set every row to something unusual, dump, load, dump: the same. */
static void
a_dump_can_be_loaded_and_says_the_same(void **state)
{
	static const char *const unusual[] = {
		[CONF_TEXT] = "'it\\'s \\\\ # \"x\" {y}'",
		[CONF_HOST] = "Other.example",
		[CONF_PATH] = "'/a b/c'",
		[CONF_BOOL] = "yes",
		[CONF_TEXTS] = "{'a', 'b \\\\'}",
		[CONF_HOSTS] = "{x.example}",
		[CONF_PATHS] = "{'/x', '/y'}",
		[CONF_LISTENS] = "{'[::1]:0', '*:0'}",
		[CONF_PLACES] = "{'[::1]:0', '/run/x/lmtp'}",
		[CONF_URLS] = "{'ldaps://x:636'}",
		[CONF_NETS] = "{'10.0.0.0/8', '2001:db8::/32', '::1'}",
		[CONF_SERVERS] = "{'::1@65535', '192.0.2.53'}",
		[CONF_ROUTES] = "{'*=smtp:relay.example.net:25'}",
		[CONF_PEERS] = "{'relay.example.net:587', '[::1]:25'}",
	};
	AUTO_ARENA a = { 0 };
	AUTO_BUF text, one, two;
	const struct conf *c, *d;

	(void)state;
	buf_init(&text, CONF_FILE_MAX);
	buf_init(&one, CONF_FILE_MAX);
	buf_init(&two, CONF_FILE_MAX);
	for (size_t i = 0; i < conf_nrows; i++) {
		const struct conf_row *r = &conf_rows[i];
		struct str v;

		if (strcmp(r->name, "spf_engine") == 0)
			v = str_c(r->words[0]); /* the other may be left out */
		else if (r->type == CONF_WORD)
			v = str_c(r->words[1]);
		else if (r->type == CONF_NUMBER || r->type == CONF_SIZE)
			v = str_fmt(&a, "%llu", (unsigned long long)r->max);
		else if (strcmp(r->name, "postmaster") == 0)
			v = STR("x@x.example");
		else if (strcmp(r->name, "subaddress") == 0)
			v = STR("-");
		else if (strcmp(r->name, "smart_hosts") == 0)
			v = STR("{a.example:25, b.example:587}");
		else
			v = str_c(unusual[r->type]);
		assert_rc(
		    buf_fmt(&text, "%s = %.*s\n", r->name, STRF(v)), RC_OK);
	}
	assert_rc(buf_add_char(&text, '\0'), RC_OK);
	c = load(&a, text.p);
	assert_rc(conf_dump(c, &one), RC_OK);
	assert_rc(buf_add_char(&one, '\0'), RC_OK);
	d = load(&a, one.p);
	assert_rc(conf_dump(d, &two), RC_OK);
	assert_rc(buf_add_char(&two, '\0'), RC_OK);
	assert_string_equal(one.p, two.p);
	assert_string_equal(c->scope_filter, "it's \\ # \"x\" {y}");
	conf_unref(&c);
	conf_unref(&d);
}

static void
every_row_has_a_good_default_and_a_line_in_the_manual(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF man;
	struct str why;

	(void)state;
	buf_init(&man, CONF_FILE_MAX);
	assert_rc(conf_manual(&man), RC_OK);
	for (size_t i = 0; i < conf_nrows; i++) {
		const struct conf_row *r = &conf_rows[i];
		struct str left = str_c(r->dflt), v;

		assert_true(strlen(r->help) > 8);
		assert_true(str_find(buf_str(&man),
				str_fmt(&a, ".It Ic %s\n", r->name)) < man.n);
		if (!conf_is_list(r)) {
			if (r->type != CONF_HOST)
				assert_rc(
				    conf_value_check(&a, r, left, &why), RC_OK);
			continue;
		}
		while (left.n > 0) {
			v = str_word(&left);
			assert_rc(conf_value_check(&a, r, v, &why), RC_OK);
		}
	}
}

static void
differences_that_need_a_restart_are_named(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF out;
	const struct conf *x = load(&a, GOOD);
	const struct conf *y = load(
	    &a, GOOD "workers = 5\nhops_max = 20\nlisten_imap = {'*:1'}\n");

	(void)state;
	buf_init(&out, 1000);
	assert_rc(conf_restart_needed(x, x, &out), RC_OK);
	assert_int_equal(out.n, 0);
	assert_rc(conf_restart_needed(x, y, &out), RC_OK);
	assert_str(buf_str(&out), "listen_imap workers ");
	conf_unref(&x);
	conf_unref(&y);
}

static void
a_reference_keeps_it(void **state)
{
	AUTO_ARENA a = { 0 };
	const struct conf *c = load(&a, GOOD), *d = conf_ref(c);

	(void)state;
	conf_unref(&c);
	assert_string_equal(d->hostname, "mail.example.org");
	conf_unref(&d);
	conf_unref(&d);
}

static void
listeners_are_taken_apart(void **state)
{
	struct conf_listen l;

	(void)state;
	assert_rc(conf_listen_parse(STR("[::1]:25"), &l), RC_OK);
	assert_str(l.host, "::1");
	assert_true(l.v6 && l.port == 25);
	assert_rc(conf_listen_parse(STR("*:0"), &l), RC_OK);
	assert_true(!l.v6 && l.port == 0);
	assert_rc(conf_listen_parse(STR("[*]:0"), &l), RC_BAD);
	assert_rc(conf_listen_parse(STR(":25"), &l), RC_BAD);
	assert_rc(conf_listen_parse(STR("::1:25"), &l), RC_BAD);
	assert_rc(conf_listen_parse(STR("1.2.3.4"), &l), RC_BAD);
	assert_rc(conf_listen_parse(STR("1.2.3.4:-5"), &l), RC_BAD);
}

/* `make check` says where the sources are; by hand, from a build directory. */
static struct str
source_file(struct arena *a, const char *name)
{
	const char *top = getenv("srcdir");
	AUTO_FD fd = open(str_fmt(a, "%s/%s", top != NULL ? top : "..", name).p,
	    O_RDONLY | O_CLOEXEC);
	struct str text = STR_NULL;

	assert_true(fd >= 0);
	assert_rc(fd_read_file(a, fd, CONF_FILE_MAX, &text), RC_OK);
	return text;
}

static void
the_samples_are_valid(void **state)
{
	static const char *const names[] = { "conf/gatepost.conf",
		"conf/gatepost-openldap.conf",
		"conf/gatepost-quickstart.conf" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		AUTO_ARENA a = { 0 };
		AUTO_BUF text;
		struct str left = source_file(&a, names[i]);
		const struct conf *c;
		size_t at;

		/* The quickstart's places are put in by its reader. */
		buf_init(&text, CONF_FILE_MAX);
		while ((at = str_find(left, STR("@DIR@"))) < left.n) {
			assert_rc(buf_add(&text, str_sub(left, 0, at)), RC_OK);
			assert_rc(buf_add(&text, STR("/dir")), RC_OK);
			left = str_from(left, at + 5);
		}
		assert_rc(buf_add(&text, left), RC_OK);
		assert_rc(buf_add_char(&text, '\0'), RC_OK);
		c = load(&a, text.p);
		conf_unref(&c);
	}
}

/* What "make manual" does. */
static void
the_manual_has_the_table(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF table;
	struct str page = source_file(&a, "doc/gatepost.conf.5");
	size_t at = str_find(page, STR(".\\\" table:"));

	(void)state;
	buf_init(&table, CONF_FILE_MAX);
	assert_rc(conf_manual(&table), RC_OK);
	page = str_from(page, at);
	page = str_from(page, str_chr(page, '\n') + 1);
	page = str_sub(page, 0, str_find(page, STR(".\\\" end of the table")));
	if (!str_eq(page, buf_str(&table)))
		fail_msg("doc/gatepost.conf.5 is old: run \"make manual\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_fill_what_is_not_said),
		cmocka_unit_test(every_kind_of_value_is_read),
		cmocka_unit_test(errors_name_file_line_setting_and_rule),
		cmocka_unit_test(text_that_is_no_text_is_refused),
		cmocka_unit_test(a_dump_can_be_loaded_and_says_the_same),
		cmocka_unit_test(
		    every_row_has_a_good_default_and_a_line_in_the_manual),
		cmocka_unit_test(differences_that_need_a_restart_are_named),
		cmocka_unit_test(a_reference_keeps_it),
		cmocka_unit_test(listeners_are_taken_apart),
		cmocka_unit_test(the_samples_are_valid),
		cmocka_unit_test(the_manual_has_the_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
