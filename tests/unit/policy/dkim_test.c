/* What libopendkim says, and what we make of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mail/header.h"
#include "tests/unit/policy/dkim_rig.h"

#define MESSAGE                                                                \
	"From: a@x.test\r\nTo: b@y.test\r\nSubject: hello\r\n\r\nOne "         \
	"line.\r\n"

/* log: silent */
bool
log_on(const struct log *l, enum log_level level)
{
	(void)l, (void)level;
	return false;
}
void
log_write(const struct log *l, enum log_level level, const char *event,
    const struct log_kv *kv, size_t nkv)
{
	(void)l, (void)level, (void)event, (void)kv, (void)nkv;
}

static const struct log quiet;

struct verified {
	struct pol_dkim_out out;
	enum rc rc;
};

/* One key for all that is asked; rc: of its lookup. */
static struct verified
verify(struct arena *a, struct str message, struct str txt, enum rc rc, int fd)
{
	struct dns_record *record = arena_calloc(a, 1, sizeof(*record));
	struct pol_dkim *d = pol_dkim_new(&quiet);
	struct pol_dkim_key key[POL_DKIM_MAX];
	struct pol_body body = { fd < 0 ? message : STR(""), fd, message.n };
	struct pol_dkim_in in = {
		.header = str_sub(message, 0, mail_header_len(message)),
		.body = &body,
		.key = key,
	};
	struct verified v = { 0 };

	in.nkey = pol_dkim_keys(a, in.header, key);
	record->text = txt;
	for (size_t i = 0; i < in.nkey; i++)
		key[i].answer = (struct dns_answer){
			.rc = rc, .v = record, .n = rc == RC_OK
		};
	v.rc = pol_dkim_verify(d, a, &in, &v.out);
	pol_dkim_free(&d);
	return v;
}

static struct str
signed_by(struct arena *a, const struct dkim_rig_sign *how)
{
	return str_cat(a, dkim_rig_field(a, STR(MESSAGE), how), STR(MESSAGE));
}

/* The n-th `from` becomes `to`. */
static struct str
change(struct arena *a, struct str s, const char *from, const char *to)
{
	size_t at = str_find(s, str_c(from));

	if (at == s.n)
		panic("nothing to change: %s", from);
	return str_fmt(a, "%.*s%s%.*s", STRF(str_sub(s, 0, at)), to,
	    STRF(str_from(s, at + strlen(from))));
}

#define X "x.test", "s1"

static void
one_signature(void **state)
{
	static const struct {
		struct dkim_rig_sign how;
		enum dkim_rig_key txt;
		const char *from, *to; /* a change after signing, or NULL */
		enum rc key;           /* of the lookup */
		enum pol_dkim_result result;
		const char *why;
	} rows[] = {
		{ { RIG_RSA, X, .length = -1 }, RIG_RSA, NULL, NULL, RC_OK,
		    POL_DKIM_PASS, "" },
		{ { RIG_RSA, X, .length = -1, .simple = true }, RIG_RSA, NULL,
		    NULL, RC_OK, POL_DKIM_PASS, "" },
		{ { RIG_ED25519, X, .length = -1 }, RIG_ED25519, NULL, NULL,
		    RC_OK, POL_DKIM_PASS, "" },
		/* relaxed forgives white space, and nothing else */
		{ { RIG_RSA, X, .length = -1 }, RIG_RSA, "Subject: hello",
		    "SUBJECT:  hello ", RC_OK, POL_DKIM_PASS, "" },
		{ { RIG_RSA, X, .length = -1 }, RIG_RSA, "hello", "hallo",
		    RC_OK, POL_DKIM_FAIL, "signature did not verify" },
		{ { RIG_ED25519, X, .length = -1 }, RIG_ED25519, "hello",
		    "hallo", RC_OK, POL_DKIM_FAIL, "signature did not verify" },
		{ { RIG_RSA, X, .length = -1 }, RIG_RSA, "One line",
		    "Two lines", RC_OK, POL_DKIM_FAIL,
		    "body hash did not verify" },
		{ { RIG_RSA, X, .length = -1, .simple = true }, RIG_RSA,
		    "Subject: hello", "Subject:  hello", RC_OK, POL_DKIM_FAIL,
		    "signature did not verify" },
		/* what never counts */
		{ { RIG_RSA, X, .length = -1, .sha1 = true }, RIG_RSA, NULL,
		    NULL, RC_OK, POL_DKIM_PERMERROR,
		    "rsa-sha1 is not accepted" },
		{ { RIG_RSA, X, .length = 5 }, RIG_RSA, NULL, NULL, RC_OK,
		    POL_DKIM_POLICY, "l= is not accepted" },
		{ { RIG_RSA, X, .length = 11 }, RIG_RSA, "One line.\r\n",
		    "One line.\r\nMore.\r\n", RC_OK, POL_DKIM_POLICY,
		    "l= is not accepted" },
		{ { RIG_SHORT, X, .length = -1 }, RIG_SHORT, NULL, NULL, RC_OK,
		    POL_DKIM_PERMERROR, "key under 1024 bits" },
		/* time */
		{ { RIG_RSA, X, .length = -1, .at = 1000000000, .valid = 60 },
		    RIG_RSA, NULL, NULL, RC_OK, POL_DKIM_POLICY,
		    "signature expired" },
		{ { RIG_RSA, X, .length = -1, .at = 32000000000 }, RIG_RSA,
		    NULL, NULL, RC_OK, POL_DKIM_POLICY,
		    "signed in the future" },
		/* keys */
		{ { RIG_RSA, X, .length = -1 }, RIG_RSA, NULL, NULL, RC_NOENT,
		    POL_DKIM_PERMERROR, "no key" },
		{ { RIG_RSA, X, .length = -1 }, RIG_RSA, NULL, NULL, RC_TEMP,
		    POL_DKIM_TEMPERROR, "key could not be looked up" },
		{ { RIG_RSA, X, .length = -1 }, RIG_ED25519, NULL, NULL, RC_OK,
		    POL_DKIM_PERMERROR, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct str m = signed_by(&a, &rows[i].how);
		struct verified v;

		if (rows[i].from != NULL)
			m = change(&a, m, rows[i].from, rows[i].to);
		v = verify(
		    &a, m, dkim_rig_txt(&a, rows[i].txt), rows[i].key, -1);
		assert_int_equal(v.rc, RC_OK);
		assert_int_equal(v.out.n, 1);
		if (v.out.sig[0].result != rows[i].result ||
		    (rows[i].why != NULL &&
			strcmp(v.out.sig[0].why, rows[i].why) != 0))
			fail_msg("row %zu: %s (%s)", i,
			    pol_dkim_name(v.out.sig[0].result),
			    v.out.sig[0].why);
		assert_true(str_eq(v.out.sig[0].domain, STR("x.test")));
		assert_true(str_eq(v.out.sig[0].selector, STR("s1")));
		assert_int_equal(v.out.sig[0].b.n, 12);
	}
}

static void
key_records(void **state)
{
	static const struct {
		const char *before, *after; /* around the p= of a good key */
		enum pol_dkim_result result;
		const char *why;
		bool test;
	} rows[] = {
		{ "t=y; ", "", POL_DKIM_PASS, "", true },
		{ "s=email; ", "", POL_DKIM_PASS, "", false },
		{ "s=tlsrpt; ", "", POL_DKIM_PERMERROR, NULL, false },
		{ "h=sha1; ", "", POL_DKIM_PERMERROR, NULL, false },
	};
	const struct dkim_rig_sign how = { RIG_RSA, X, .length = -1 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct str txt = dkim_rig_txt(&a, RIG_RSA);
		struct verified v;

		txt = change(&a, txt, "p=",
		    str_fmt(&a, "%sp=%s", rows[i].before, rows[i].after).p);
		v = verify(&a, signed_by(&a, &how), txt, RC_OK, -1);
		if (v.out.sig[0].result != rows[i].result ||
		    v.out.sig[0].test_key != rows[i].test)
			fail_msg("row %zu: %s (%s)", i,
			    pol_dkim_name(v.out.sig[0].result),
			    v.out.sig[0].why);
	}
}

static void
a_revoked_key_is_no_key(void **state)
{
	const struct dkim_rig_sign how = { RIG_RSA, X, .length = -1 };
	AUTO_ARENA a = { 0 };
	struct verified v =
	    verify(&a, signed_by(&a, &how), STR("v=DKIM1; p="), RC_OK, -1);

	(void)state;
	assert_int_equal(v.out.sig[0].result, POL_DKIM_PERMERROR);
	assert_string_equal(v.out.sig[0].why, "key revoked");
}

static void
a_second_from_is_noticed(void **state)
{
	const struct dkim_rig_sign how = { RIG_RSA, X, .length = -1 };
	AUTO_ARENA a = { 0 };
	struct str m =
	    str_cat(&a, STR("From: evil@z.test\r\n"), signed_by(&a, &how));
	struct verified v = verify(&a, m, dkim_rig_txt(&a, RIG_RSA), RC_OK, -1);

	(void)state;
	/* The last From is the signed one (RFC 6376 section 5.4.2): it is for
	 * DMARC to see that there are two. */
	assert_int_equal(v.out.sig[0].result, POL_DKIM_PASS);
}

static void
a_nul_in_the_header_never_passes(void **state)
{
	const struct dkim_rig_sign how = { RIG_RSA, X, .length = -1 };
	AUTO_ARENA a = { 0 };
	struct str m = signed_by(&a, &how);
	char *p = arena_alloc(&a, m.n);
	struct verified v;

	(void)state;
	memcpy(p, m.p, m.n);
	p[str_find(m, STR("hello")) + 4] = '\0';
	v = verify(&a, str_n(p, m.n), dkim_rig_txt(&a, RIG_RSA), RC_OK, -1);
	for (size_t i = 0; i < v.out.n; i++)
		assert_int_not_equal(v.out.sig[i].result, POL_DKIM_PASS);
}

static void
ten_signatures_and_no_more(void **state)
{
	const struct dkim_rig_sign good = { RIG_RSA, X, .length = -1 };
	AUTO_ARENA a = { 0 };
	struct str m = signed_by(&a, &good);
	struct str bad = change(&a, dkim_rig_field(&a, STR(MESSAGE), &good),
	    "d=x.test", "d=y.test");
	struct verified v;

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		m = str_cat(&a, bad, m);
	v = verify(&a, m, dkim_rig_txt(&a, RIG_RSA), RC_OK, -1);
	assert_int_equal(v.out.n, 10);
	assert_int_equal(v.out.ignored, 0);
	assert_int_equal(v.out.sig[9].result, POL_DKIM_PASS);
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(v.out.sig[i].result, POL_DKIM_FAIL);
	v = verify(
	    &a, str_cat(&a, bad, m), dkim_rig_txt(&a, RIG_RSA), RC_OK, -1);
	assert_int_equal(v.out.n, 10);
	assert_int_equal(v.out.ignored, 1);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(v.out.sig[i].result, POL_DKIM_FAIL);
}

static void
malformed_signatures_harm_nobody(void **state)
{
	static const char *const fields[] = {
		"DKIM-Signature:\r\n",
		"DKIM-Signature: v=1\r\n",
		"DKIM-Signature: rubbish\r\n",
		"DKIM-Signature: v=1; a=rsa-sha256; d=; s=; h=; b=; bh=\r\n",
		"DKIM-Signature: v=2; a=rsa-sha256; d=x.test; s=s1; h=from; "
		"b=QQ==; bh=QQ==\r\n",
		"DKIM-Signature: v=1; a=x; d=x.test; s=s1; h=to; b=QQ==; "
		"bh=QQ==\r\n",
		"DKIM-Signature: v=1; a=rsa-sha256; c=a/b/c; d=x.test; "
		"s=s1; h=from; b=****; bh=QQ==; t=-5; x=99999999999999999999"
		"\r\n",
		"DKIM-Signature: v=1; a=rsa-sha256; d=x.test; s=s1; h=from; "
		"l=99999999999999999999; b=QQ==; bh=QQ==\r\n",
	};
	const struct dkim_rig_sign good = { RIG_RSA, X, .length = -1 };

	(void)state;
	for (size_t i = 0; i < COUNT(fields); i++) {
		AUTO_ARENA a = { 0 };
		struct str m =
		    str_cat(&a, str_c(fields[i]), signed_by(&a, &good));
		struct verified v =
		    verify(&a, m, dkim_rig_txt(&a, RIG_RSA), RC_OK, -1);
		unsigned passed = 0;

		assert_int_equal(v.rc, RC_OK);
		for (size_t k = 0; k < v.out.n; k++) {
			passed += v.out.sig[k].result == POL_DKIM_PASS;
			assert_non_null(v.out.sig[k].why);
		}
		if (passed != 1)
			fail_msg("row %zu: %u pass of %zu", i, passed, v.out.n);
	}
}

static void
keys_are_named_once(void **state)
{
	struct str h = STR("DKIM-Signature: d=X.test; s=S\r\n"
			   "DKIM-Signature: s=s; d=x.TEST\r\n"
			   "DKIM-Signature: d=x.test;\r\n s=t\r\n"
			   "DKIM-Signature: d=a b; s=t\r\n"
			   "DKIM-Signature: d=x.test\r\n\r\n");
	struct pol_dkim_key key[POL_DKIM_MAX];
	AUTO_ARENA a = { 0 };
	size_t n = pol_dkim_keys(&a, h, key);

	(void)state;
	assert_int_equal(n, 2);
	assert_true(str_eq(
	    pol_dkim_question(&a, &key[0]).name, STR("S._domainkey.x.test")));
	assert_true(str_eq(
	    pol_dkim_question(&a, &key[1]).name, STR("t._domainkey.x.test")));
}

static void
bodies_in_files_are_read_in_pieces(void **state)
{
	const struct dkim_rig_sign how = { RIG_RSA, X, .length = -1 };
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	char name[] = "/tmp/gp-dkim-XXXXXX";
	AUTO_FD fd = mkstemp(name), memfd = -1;
	struct str m;
	struct verified v;

	(void)state;
	assert_true(fd >= 0);
	unlink(name);
	buf_init(&b, 1u << 20);
	assert_int_equal(buf_add(&b, STR(MESSAGE)), RC_OK);
	for (unsigned i = 0; i < 9000; i++)
		assert_int_equal(buf_fmt(&b, "line %u\r\n", i), RC_OK);
	m = str_cat(&a, dkim_rig_field(&a, buf_str(&b), &how), buf_str(&b));
	assert_int_equal(fd_write_all(fd, m), RC_OK);
	v = verify(&a, m, dkim_rig_txt(&a, RIG_RSA), RC_OK, fd);
	assert_int_equal(v.rc, RC_OK);
	assert_int_equal(v.out.sig[0].result, POL_DKIM_PASS);
	memfd = fd_sealed("body", m);
	v = verify(&a, m, dkim_rig_txt(&a, RIG_RSA), RC_OK, memfd);
	assert_int_equal(v.out.sig[0].result, POL_DKIM_PASS);
	/* It shrinks while we read. */
	assert_int_equal(ftruncate(fd, 70000), 0);
	v = verify(&a, m, dkim_rig_txt(&a, RIG_RSA), RC_OK, fd);
	assert_int_equal(v.rc, RC_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_signature),
		cmocka_unit_test(key_records),
		cmocka_unit_test(a_revoked_key_is_no_key),
		cmocka_unit_test(a_second_from_is_noticed),
		cmocka_unit_test(a_nul_in_the_header_never_passes),
		cmocka_unit_test(ten_signatures_and_no_more),
		cmocka_unit_test(malformed_signatures_harm_nobody),
		cmocka_unit_test(keys_are_named_once),
		cmocka_unit_test(bodies_in_files_are_read_in_pieces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
