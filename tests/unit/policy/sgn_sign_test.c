/*
 * Canonicalisation by the RFC's own example, and signatures as libopendkim
 * judges them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/sgn_canon.h"
#include "policy/sgn_ring.h"

/* Behind ours: it brings the system's MIN and MAX along. */
#include <opendkim/dkim.h>

#define S(lit) STR_INIT(lit)

static void
collect(void *arg, struct str piece)
{
	assert_int_equal(buf_add(arg, piece), RC_OK);
}

/* Any split gives the same. */
static void
body_canonical(void **state)
{
	static const struct {
		struct str in, out;
	} rows[] = {
		/* RFC 6376 section 3.4.5 */
		{ S(" C \r\nD \t E\r\n\r\n\r\n"), S(" C\r\nD E\r\n") },
		{ S(""), S("") },
		{ S("\r\n"), S("") },
		{ S("\r\n\r\n \t\r\n"), S("") },
		{ S("a"), S("a\r\n") },
		{ S("a "), S("a\r\n") },
		{ S("a\r\n"), S("a\r\n") },
		{ S("\r\n\r\na\r\n"), S("\r\n\r\na\r\n") },
		{ S("a\r\n \r\n\t\tb"), S("a\r\n\r\n b\r\n") },
		{ S("  a"), S(" a\r\n") },
		{ S("a\rb\nc\r\n"), S("a\rb\nc\r\n") },
		{ S("a\r"), S("a\r\r\n") },
		{ S("a\r\r\nb"), S("a\r\r\nb\r\n") },
		{ S("a \r b"), S("a \r b\r\n") },
		{ S("a\0 \0b\r\n"), S("a\0 \0b\r\n") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t step = 1; step <= rows[i].in.n + 1; step++) {
			AUTO_BUF out = { 0 };
			struct sgn_body b;

			buf_init(&out, 4096);
			sgn_body_init(&b, collect, &out);
			for (size_t at = 0; at < rows[i].in.n; at += step)
				sgn_body_add(&b, str_sub(rows[i].in, at, step));
			sgn_body_end(&b);
			assert_true(str_eq(buf_str(&out), rows[i].out));
		}
}

static void
body_of_any_size(void **state)
{
	AUTO_BUF in = { 0 }, out = { 0 };
	struct sgn_body b;

	(void)state;
	buf_init(&in, 64u << 10);
	buf_init(&out, 64u << 10);
	for (size_t i = 0; i < 3 * SGN_CANON_OUT; i++)
		assert_int_equal(
		    buf_add_char(&in, (char)('a' + i % 26)), RC_OK);
	sgn_body_init(&b, collect, &out);
	sgn_body_add(&b, STR("x "));
	sgn_body_add(&b, buf_str(&in));
	sgn_body_add(&b, STR("\r\n"));
	sgn_body_end(&b);
	assert_int_equal(out.n, in.n + 4);
	assert_memory_equal(out.p + 2, in.p, in.n);
}

static void
field_canonical(void **state)
{
	static const struct {
		struct str name, value, out;
	} rows[] = {
		/* RFC 6376 section 3.4.5 */
		{ S("A"), S(" X"), S("a:X") },
		{ S("B"), S(" Y\t\r\n\tZ  "), S("b:Y Z") },
		{ S("Cc"), S(""), S("cc:") },
		{ S("Cc"), S(" \r\n\t "), S("cc:") },
		{ S("Subject"), S("a  b\tc"), S("subject:a b c") },
		{ S("x"), S("\xc3\xa9 \xff"), S("x:\xc3\xa9 \xff") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_BUF out = { 0 };

		buf_init(&out, 4096);
		assert_int_equal(
		    sgn_canon_field(&out, rows[i].name, rows[i].value), RC_OK);
		assert_true(str_eq(buf_str(&out), rows[i].out));
	}
}

/* ---- signatures */

struct keys {
	struct arena a;
	struct sgn_signer v[2];
	struct str record[2];
};

static int
make_keys(void **state)
{
	static const enum sgn_alg algs[] = { SGN_RSA, SGN_ED25519 };
	struct keys *k = xcalloc(1, sizeof(*k));

	for (size_t i = 0; i < COUNT(algs); i++) {
		AUTO_BUF pem = { 0 };
		struct sgn_public pub;

		buf_init(&pem, SGN_PEM_MAX);
		if (sgn_pem_make(algs[i], &pem) != RC_OK ||
		    sgn_pem_public(&k->a, buf_str(&pem), &pub) != RC_OK)
			return -1;
		k->record[i] = pub.record;
		k->v[i] = (struct sgn_signer){ i ? STR("ed") : STR("rsa"),
			algs[i], sgn_private_new(buf_str(&pem)) };
	}
	*state = k;
	return 0;
}

static int
free_keys(void **state)
{
	struct keys *k = *state;

	for (size_t i = 0; i < COUNT(k->v); i++)
		sgn_private_free(&k->v[i].key);
	arena_free(&k->a);
	xfree(k);
	return 0;
}

static DKIM_CBSTAT
give_record(DKIM *dk, DKIM_SIGINFO *sig, u_char *buf, size_t n)
{
	const struct keys *k = dkim_get_user_context(dk);
	struct str selector = str_c((const char *)dkim_sig_getselector(sig));
	const struct str *r = &k->record[str_eq(selector, STR("ed"))];

	assert_true(r->n < n);
	memcpy(buf, r->p, r->n);
	buf[r->n] = '\0';
	return DKIM_CBSTAT_CONTINUE;
}

/* How many of the signatures are good. */
static int
good(struct keys *k, struct str text)
{
	DKIM_LIB *lib = dkim_init(NULL, NULL);
	DKIM_STAT stat;
	DKIM_SIGINFO **sigs = NULL;
	int n = 0, found = 0;
	DKIM *dk;

	assert_int_equal(dkim_set_key_lookup(lib, give_record), DKIM_STAT_OK);
	dk = dkim_verify(lib, (const unsigned char *)"t", NULL, &stat);
	assert_non_null(dk);
	dkim_set_user_context(dk, k);
	assert_int_equal(
	    dkim_chunk(dk, (u_char *)(uintptr_t)text.p, text.n), DKIM_STAT_OK);
	assert_int_equal(dkim_chunk(dk, NULL, 0), DKIM_STAT_OK);
	(void)dkim_eom(dk, NULL);
	assert_int_equal(dkim_getsiglist(dk, &sigs, &n), DKIM_STAT_OK);
	for (int i = 0; i < n; i++)
		if (dkim_sig_process(dk, sigs[i]) == DKIM_STAT_OK &&
		    DKIM_SIG_CHECK(sigs[i]))
			found++;
	dkim_free(dk);
	dkim_close(lib);
	return found;
}

static const struct log quiet = { 0 };

static enum rc
sign(struct keys *k, struct str edits, struct str body, struct str *out)
{
	struct sgn_message m = {
		.domain = STR("example.org"),
		.edits = edits,
		.inline_data = body,
		.fd = -1,
		.size = body.n,
	};

	return sgn_sign_message(
	    &quiet, &k->a, k->v, COUNT(k->v), &m, 1000000000, out);
}

#define FROM "From: Ann <ann@example.org>\r\n"

static void
libopendkim_agrees(void **state)
{
	static const struct {
		struct str edits, body;
	} rows[] = {
		{ S(""), S(FROM "Subject: x\r\n\r\nHello.\r\n") },
		{ S("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"),
		    S(FROM "\r\n") },
		{ S(""), S(FROM "\r\n\r\n\r\n") },
		{ S(""), S(FROM "Reply-To : a@b\r\nCC:  \r\n\r\nx\r\n") },
		{ S(""),
		    S(FROM "To: a,\r\n\t b,\r\n  c\r\n\r\n a  b \r\n\r\n") },
		{ S(""), S(FROM "References: <a@b>\r\nReferences: <c@d>\r\n"
				"References: <e@f>\r\n\r\nx\r\n") },
		{ S(""), S("Content-Type: a\r\n" FROM
			   "content-type: b\r\n\r\nx\r\n") },
		{ S(""),
		    S(FROM "Subject: \xc3\xa9\xff\r\n\r\n\xc3\xa9\xff\r\n") },
		{ S("Message-ID: <a@b>\r\n"),
		    S(FROM "List-Id: <x>\r\nList-Unsubscribe: <y>\r\n"
			   "List-Unsubscribe-Post: List-Unsubscribe=One-Click"
			   "\r\n\r\nx\r\n") },
	};
	struct keys *k = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str fields, text;

		assert_int_equal(
		    sign(k, rows[i].edits, rows[i].body, &fields), RC_OK);
		text = str_cat(
		    &k->a, fields, str_cat(&k->a, rows[i].edits, rows[i].body));
		assert_int_equal(good(k, text), 2);
		text = str_cat(&k->a, text, STR("more\r\n"));
		assert_int_equal(good(k, text), 0);
	}
}

/* Without an empty line, or a last line end: as it will be sent. */
static void
unfinished_messages(void **state)
{
	struct keys *k = *state;
	struct str fields;

	assert_int_equal(sign(k, STR(""), STR(FROM), &fields), RC_OK);
	assert_int_equal(good(k, str_cat(&k->a, fields, STR(FROM "\r\n"))), 2);
	assert_int_equal(sign(k, STR(""), STR(FROM "\r\nx"), &fields), RC_OK);
	assert_int_equal(
	    good(k, str_cat(&k->a, fields, STR(FROM "\r\nx\r\n"))), 2);
}

static void
malformed_messages(void **state)
{
	struct keys *k = *state;
	AUTO_BUF many = { 0 };
	struct str fields;

	assert_int_equal(
	    sign(k, STR(""), STR(FROM "Subject: a\0b\r\n\r\nx\r\n"), &fields),
	    RC_BAD);
	buf_init(&many, 1u << 20);
	assert_int_equal(buf_add(&many, STR(FROM)), RC_OK);
	for (unsigned i = 1; i < SGN_SIGNED_MAX; i++)
		assert_int_equal(buf_add(&many, STR("To: a\r\n")), RC_OK);
	assert_int_equal(sign(k, STR(""), buf_str(&many), &fields), RC_OK);
	assert_int_equal(buf_add(&many, STR("To: a\r\n")), RC_OK);
	assert_int_equal(sign(k, STR(""), buf_str(&many), &fields), RC_BAD);
	/* What is not signed may look like anything. */
	assert_int_equal(
	    sign(k, STR(""), STR(FROM "no field\r\nX-\0: \0\r\n\r\nx\r\n"),
		&fields),
	    RC_OK);
}

/* Long headers and bodies come from the descriptor. */
static void
from_a_descriptor(void **state)
{
	static const size_t heads[] = { 10, 65000, 70000, 500000 };
	static const size_t bodies[] = { 0, 1, 65536, 400000 };
	struct keys *k = *state;

	for (size_t h = 0; h < COUNT(heads); h++)
		for (size_t b = 0; b < COUNT(bodies); b++) {
			AUTO_BUF text = { 0 };
			struct sgn_message m = { .domain = STR("example.org") };
			struct str fields;
			size_t head;

			buf_init(&text, 2u << 20);
			assert_int_equal(buf_add(&text, STR(FROM)), RC_OK);
			while (text.n < heads[h])
				assert_int_equal(
				    buf_add(&text, STR("X-Fill: 0123456789 "
						       "0123456789\r\n")),
				    RC_OK);
			assert_int_equal(
			    buf_add(&text, STR("Subject: end\r\n\r\n")), RC_OK);
			head = text.n;
			while (text.n - head < bodies[b])
				assert_int_equal(
				    buf_add(&text, STR("0123  456789\r\n")),
				    RC_OK);
			m.size = text.n;
			m.fd = fd_sealed("t", buf_str(&text));
			assert_true(m.fd >= 0);
			assert_int_equal(sgn_sign_message(&quiet, &k->a, k->v,
					     2, &m, 1000000000, &fields),
			    RC_OK);
			assert_int_equal(
			    good(k, str_cat(&k->a, fields, buf_str(&text))), 2);
			m.size++;
			assert_int_equal(sgn_sign_message(&quiet, &k->a, k->v,
					     2, &m, 1000000000, &fields),
			    RC_BAD);
			fd_close(&m.fd);
		}
}

static void
a_trial_tells_the_record(void **state)
{
	struct keys *k = *state;
	const struct str domain = STR("example.org");
	struct str out;

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(sgn_try_key(&quiet, &k->a, &k->v[i], domain,
				     k->record[i], &out),
		    RC_OK);
		assert_true(str_eq(out, STR("good")));
		assert_int_equal(sgn_try_key(&quiet, &k->a, &k->v[i], domain,
				     k->record[1 - i], &out),
		    RC_OK);
		assert_false(str_eq(out, STR("good")));
	}
	assert_int_equal(sgn_try_key(&quiet, &k->a, &k->v[0], domain,
			     STR("v=DKIM1; p="), &out),
	    RC_OK);
	assert_false(str_eq(out, STR("good")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(body_canonical),
		cmocka_unit_test(body_of_any_size),
		cmocka_unit_test(field_canonical),
		cmocka_unit_test(libopendkim_agrees),
		cmocka_unit_test(unfinished_messages),
		cmocka_unit_test(malformed_messages),
		cmocka_unit_test(from_a_descriptor),
		cmocka_unit_test(a_trial_tells_the_record),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
