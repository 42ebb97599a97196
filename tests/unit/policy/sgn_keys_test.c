/* The key directory: what is read, and what is refused with a reason. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/sgn_keys.h"

#define S(lit) STR_INIT(lit)

static void
state_lines(void **state)
{
	static const struct {
		struct str text;
		enum rc rc;
		size_t n;
	} rows[] = {
		{ S(""), RC_OK, 0 },
		{ S("# nothing\n\n  \n"), RC_OK, 0 },
		{ S("a active\nb new 17\nc retired 9 # old\n"), RC_OK, 3 },
		{ S("a active"), RC_OK, 1 },
		{ S("a.b-c active 1"), RC_OK, 1 },
		{ S("a"), RC_BAD, 0 },
		{ S("a Active"), RC_BAD, 0 },
		{ S("a active x"), RC_BAD, 0 },
		{ S("a active -1"), RC_BAD, 0 },
		{ S("a active 99999999999999999999"), RC_BAD, 0 },
		{ S("a active 1 2"), RC_BAD, 0 },
		{ S("../a active"), RC_BAD, 0 },
		{ S(".a active"), RC_BAD, 0 },
		{ S("a/b active"), RC_BAD, 0 },
		{ S("A active"), RC_BAD, 0 },
		{ S("a\0b active"), RC_BAD, 0 },
		{ S("a active\r\n"), RC_BAD, 0 },
		{ S("a active\na new\n"), RC_BAD, 0 },
	};
	AUTO_ARENA a = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sgn_selector *v = NULL;
		size_t n = 0;

		assert_int_equal(
		    sgn_state_parse(&a, rows[i].text, &v, &n), rows[i].rc);
		assert_int_equal(n, rows[i].n);
	}
}

static void
state_limits(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	struct sgn_selector *v;
	size_t n;

	(void)state;
	buf_init(&b, 64u << 10);
	for (unsigned i = 0; i < SGN_SELECTORS_MAX; i++)
		assert_int_equal(buf_fmt(&b, "s%u active\n", i), RC_OK);
	assert_int_equal(sgn_state_parse(&a, buf_str(&b), &v, &n), RC_OK);
	assert_int_equal(n, SGN_SELECTORS_MAX);
	assert_int_equal(buf_add(&b, STR("more active\n")), RC_OK);
	assert_int_equal(sgn_state_parse(&a, buf_str(&b), &v, &n), RC_BAD);
	buf_clear(&b);
	while (b.n <= SGN_STATE_MAX)
		assert_int_equal(buf_add(&b, STR("# filling\n")), RC_OK);
	assert_int_equal(sgn_state_parse(&a, buf_str(&b), &v, &n), RC_BAD);
}

static void
state_goes_round(void **state)
{
	const struct sgn_selector in[] = {
		{ STR("gp2026a-rsa"), SGN_RETIRED, 5 },
		{ STR("gp2026b-rsa"), SGN_ACTIVE, 0 },
		{ STR("gp2026c-rsa"), SGN_NEW, INT64_MAX },
	};
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	struct sgn_selector *v = NULL;
	size_t n = 0;

	(void)state;
	buf_init(&b, SGN_STATE_MAX);
	assert_int_equal(sgn_state_format(&b, in, COUNT(in)), RC_OK);
	assert_int_equal(sgn_state_parse(&a, buf_str(&b), &v, &n), RC_OK);
	assert_int_equal(n, COUNT(in));
	for (size_t i = 0; i < COUNT(in); i++) {
		assert_true(str_eq(v[i].name, in[i].name));
		assert_int_equal(v[i].state, in[i].state);
		assert_int_equal(v[i].since, in[i].since);
	}
}

static void
names(void **state)
{
	static const struct {
		struct str name;
		bool domain;
	} rows[] = {
		{ S("example.org"), true },
		{ S("xn--bcher-kva.example"), true },
		{ S("a"), true },
		{ S(""), false },
		{ S("."), false },
		{ S(".."), false },
		{ S("a..b"), false },
		{ S("a."), false },
		{ S(".a"), false },
		{ S("-a.org"), false },
		{ S("a-.org"), false },
		{ S("a/b"), false },
		{ S("A.org"), false },
		{ S("a b"), false },
		{ S("a\0"), false },
		{ S("a_b.org"), false },
		{ S("[192.0.2.1]"), false },
	};
	char longest[300];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(sgn_domain_ok(rows[i].name), rows[i].domain);
	memset(longest, 'a', sizeof(longest));
	for (size_t i = 50; i < sizeof(longest); i += 50)
		longest[i] = '.';
	assert_true(sgn_domain_ok(str_n(longest, 253)));
	assert_false(sgn_domain_ok(str_n(longest, 254)));
	assert_true(sgn_selector_ok(str_n(longest, 63)));
	assert_false(sgn_selector_ok(str_n(longest, 64)));
	longest[50] = longest[100] = 'b'; /* a label of more than 63 */
	assert_false(sgn_domain_ok(str_n(longest, 149)));
}

/* RFC 8463 appendix A.2: the key and its record. */
static void
record_of_a_known_key(void **state)
{
	/* secretkey nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A= */
	static const struct str pem = S("-----BEGIN PRIVATE KEY-----\n"
					"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9"
					"JLsLMREScVpezJpGXA7rAMcrn9g\n"
					"-----END PRIVATE KEY-----\n");
	AUTO_ARENA a = { 0 };
	struct sgn_public pub;

	(void)state;
	assert_int_equal(sgn_pem_public(&a, pem, &pub), RC_OK);
	assert_int_equal(pub.alg, SGN_ED25519);
	assert_true(str_eq(
	    pub.record, STR("v=DKIM1; k=ed25519; "
			    "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")));
	assert_int_equal(sgn_pem_public(&a, STR(""), &pub), RC_BAD);
	assert_int_equal(
	    sgn_pem_public(&a, str_sub(pem, 0, pem.n - 40), &pub), RC_BAD);
}

/* ---- a directory of keys */

struct dir {
	char path[64];
	struct arena a;
	struct sgn_writer w;
	struct str why;
};

static const struct str domain = S("example.org");

static int
setup(void **state)
{
	struct dir *d = xcalloc(1, sizeof(*d));

	memcpy(d->path, "/tmp/sgn-keys-XXXXXX", 21);
	if (mkdtemp(d->path) == NULL)
		return -1;
	d->w = (struct sgn_writer){ str_fmt(&d->a, "%s/dkim", d->path).p,
		geteuid(), getegid(), 1000 };
	*state = d;
	return 0;
}

static const char *
path_of(struct dir *d, const char *file)
{
	return str_fmt(&d->a, "%s/example.org/%s", d->w.dir, file).p;
}

static int
teardown(void **state)
{
	struct dir *d = *state;
	struct sgn_domain k;

	if (sgn_domain_read(&d->a, d->w.dir, domain, geteuid(), false, &k) ==
	    RC_OK)
		for (size_t i = 0; i < k.n; i++)
			unlink(path_of(
			    d, str_fmt(&d->a, "%.*s.pem", STRF(k.v[i].sel.name))
				   .p));
	unlink(path_of(d, "selectors"));
	rmdir(path_of(d, "."));
	rmdir(str_fmt(&d->a, "%s/example.org", d->w.dir).p);
	rmdir(d->w.dir);
	rmdir(d->path);
	arena_free(&d->a);
	xfree(d);
	return 0;
}

static void
must_new(struct dir *d)
{
	assert_int_equal(
	    sgn_domain_new(&d->a, &d->w, domain, STR("gp1"), &d->why), RC_OK);
}

static enum rc
read_back(struct dir *d, struct sgn_domain *k)
{
	enum rc rc =
	    sgn_domain_read(&d->a, d->w.dir, domain, geteuid(), false, k);

	d->why = k->why;
	return rc;
}

static void
a_new_domain(void **state)
{
	struct dir *d = *state;
	struct sgn_record *r;
	struct sgn_domain k;
	struct str *all;
	struct stat st;
	size_t n;

	assert_int_equal(sgn_domains(&d->a, d->w.dir, &all, &n), RC_NOENT);
	must_new(d);
	assert_int_equal(read_back(d, &k), RC_OK);
	assert_int_equal(k.n, 2);
	assert_int_equal(k.v[0].pub.alg, SGN_RSA);
	assert_int_equal(k.v[0].pub.bits, 2048);
	assert_int_equal(k.v[1].pub.alg, SGN_ED25519);
	assert_int_equal(k.v[1].sel.state, SGN_ACTIVE);
	assert_null(k.v[0].pem);
	assert_int_equal(stat(path_of(d, "gp1-rsa.pem"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
	assert_int_equal(
	    sgn_domain_new(&d->a, &d->w, domain, STR("gp2"), &d->why), RC_DENY);
	assert_int_equal(sgn_domains(&d->a, d->w.dir, &all, &n), RC_OK);
	assert_int_equal(n, 1);
	assert_true(str_eq(all[0], domain));
	assert_int_equal(
	    dkim_records(&d->a, d->w.dir, domain, geteuid(), &r, &n, &d->why),
	    RC_OK);
	assert_int_equal(n, 2);
	assert_true(str_eq(r[1].name, STR("gp1-ed._domainkey.example.org")));
	assert_true(str_has_prefix(r[1].text, STR("v=DKIM1; k=ed25519; p=")));
	assert_int_equal(dkim_records(&d->a, d->w.dir, STR("other.org"),
			     geteuid(), &r, &n, &d->why),
	    RC_NOENT);
	assert_int_equal(
	    sgn_domain_new(&d->a, &d->w, STR("../x"), STR("gp2"), &d->why),
	    RC_BAD);
	assert_int_equal(
	    sgn_domain_new(&d->a, &d->w, STR("other.org"), STR("a/b"), &d->why),
	    RC_BAD);
	assert_int_equal(sgn_domains(&d->a, d->w.dir, &all, &n), RC_OK);
	assert_int_equal(n, 1);
}

static void
rotation(void **state)
{
	struct dir *d = *state;
	struct sgn_domain k;

	must_new(d);
	assert_int_equal(
	    sgn_domain_switch(&d->a, &d->w, domain, &d->why), RC_DENY);
	assert_int_equal(
	    sgn_domain_add(&d->a, &d->w, domain, STR("gp1"), &d->why), RC_DENY);
	assert_int_equal(
	    sgn_domain_add(&d->a, &d->w, domain, STR("gp2"), &d->why), RC_OK);
	assert_int_equal(
	    sgn_domain_add(&d->a, &d->w, domain, STR("gp3"), &d->why), RC_DENY);
	d->w.now = 2000;
	assert_int_equal(
	    sgn_domain_switch(&d->a, &d->w, domain, &d->why), RC_OK);
	assert_int_equal(read_back(d, &k), RC_OK);
	assert_int_equal(k.n, 4);
	assert_int_equal(k.v[0].sel.state, SGN_RETIRED);
	assert_int_equal(k.v[0].sel.since, 2000);
	assert_int_equal(k.v[3].sel.state, SGN_ACTIVE);
	/* The next round clears away what the last one retired. */
	assert_int_equal(
	    sgn_domain_add(&d->a, &d->w, domain, STR("gp3"), &d->why), RC_OK);
	assert_int_equal(read_back(d, &k), RC_OK);
	assert_int_equal(k.n, 4);
	assert_true(str_eq(k.v[0].sel.name, STR("gp2-rsa")));
	assert_int_equal(access(path_of(d, "gp1-rsa.pem"), F_OK), -1);
	assert_int_equal(access(path_of(d, "gp2-rsa.pem"), F_OK), 0);
}

static void
put_file(struct dir *d, const char *name, mode_t mode, struct str text)
{
	const char *path = path_of(d, name);
	AUTO_FD fd = -1;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text), RC_OK);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void
what_is_wrong_names_the_file(void **state)
{
	static const struct {
		const char *file;
		mode_t mode;
		struct str text;
		const char *why;
	} rows[] = {
		{ "gp1-ed.pem", 0400, S("no key"), "gp1-ed.pem: not a" },
		{ "gp1-ed.pem", 0400, S("a\0b"), "gp1-ed.pem: not a" },
		{ "gp1-ed.pem", 0440, S(""), "gp1-ed.pem: others" },
		{ "gp1-ed.pem", 0404, S(""), "gp1-ed.pem: others" },
		{ "selectors", 0400, S("gp1 what\n"),
		    "selectors: not understood" },
		{ "selectors", 0420, S(""), "selectors: must" },
		{ "selectors", 0400, S("gone active\n"), "gone.pem: No such" },
	};
	struct dir *d = *state;

	must_new(d);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sgn_domain k;

		put_file(d, rows[i].file, rows[i].mode, rows[i].text);
		assert_int_equal(read_back(d, &k), RC_TEMP);
		assert_int_equal(k.n, 0);
		assert_true(str_find(d->why, str_c(rows[i].why)) < d->why.n);
	}
	/* Not the signer's. */
	put_file(d, "selectors", 0400, STR("gp1-rsa active\n"));
	{
		struct sgn_domain k;

		assert_int_equal(read_back(d, &k), RC_OK);
		assert_int_equal(sgn_domain_read(&d->a, d->w.dir, domain,
				     geteuid() + 1, false, &k),
		    RC_TEMP);
	}
	put_file(d, "selectors", 0400, STR("gp1-rsa active\ngp1-ed new\n"));
}

static void
a_link_is_not_followed(void **state)
{
	struct dir *d = *state;
	struct sgn_domain k;

	must_new(d);
	assert_int_equal(
	    rename(path_of(d, "gp1-ed.pem"), path_of(d, "real")), 0);
	assert_int_equal(symlink("real", path_of(d, "gp1-ed.pem")), 0);
	assert_int_equal(read_back(d, &k), RC_TEMP);
	assert_int_equal(
	    rename(path_of(d, "real"), path_of(d, "gp1-ed.pem")), 0);
	assert_int_equal(read_back(d, &k), RC_OK);
}

/* A crash while a domain was made leaves nothing that counts. */
static void
leftovers_are_cleared(void **state)
{
	struct dir *d = *state;
	struct str *all;
	size_t n;

	assert_int_equal(mkdir(d->w.dir, 0700), 0);
	assert_int_equal(
	    mkdir(str_fmt(&d->a, "%s/.example.org.new", d->w.dir).p, 0700), 0);
	assert_int_equal(
	    mknod(str_fmt(&d->a, "%s/.example.org.new/x.pem", d->w.dir).p,
		S_IFREG | 0600, 0),
	    0);
	assert_int_equal(sgn_domains(&d->a, d->w.dir, &all, &n), RC_OK);
	assert_int_equal(n, 0);
	must_new(d);
	assert_int_equal(access(path_of(d, "x.pem"), F_OK), -1);
}

static void
bases(void **state)
{
	struct sgn_key v[] = {
		{ .sel = { STR("gp2026a-rsa"), SGN_ACTIVE, 0 } },
		{ .sel = { STR("gp2026b-rsa"), SGN_NEW, 0 } },
	};
	struct sgn_domain d = { .v = v };
	AUTO_ARENA a = { 0 };

	(void)state;
	assert_true(str_eq(sgn_next_base(&a, &d, 1795810314), STR("gp2026a")));
	d.n = 2;
	assert_true(str_eq(sgn_next_base(&a, &d, 1795810314), STR("gp2026c")));
	assert_true(str_eq(sgn_next_base(&a, &d, 1799810314), STR("gp2027a")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_lines),
		cmocka_unit_test(state_limits),
		cmocka_unit_test(state_goes_round),
		cmocka_unit_test(names),
		cmocka_unit_test(record_of_a_known_key),
		cmocka_unit_test_setup_teardown(a_new_domain, setup, teardown),
		cmocka_unit_test_setup_teardown(rotation, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    what_is_wrong_names_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_link_is_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    leftovers_are_cleared, setup, teardown),
		cmocka_unit_test(bases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
