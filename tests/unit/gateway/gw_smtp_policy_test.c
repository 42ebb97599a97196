/* What is added to a message: missing fields, signatures, verdicts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "mail/ares.h"
#include "tests/unit/gateway/smtp_words.h"

static void
submission_adds_what_is_missing(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f, GW_SUBMISSION);
	f.tls = true;
	fake_run(&f, STR(E AUTH MA R D FROM("ann@example.org")), 99);
	assert_true(str_has_prefix(buf_str(&f.edits), STR("Date: ")));
	assert_true(
	    str_find(buf_str(&f.edits), STR("Message-ID: <")) < f.edits.n);
	fake_free(&f);
}

/* The signature covers what we added, so it is made last and stands first. */
static void
submissions_are_signed(void **state)
{
	static const struct {
		enum rc rc;
		const char *dir, *codes, *edits;
	} rows[] = {
		{ RC_OK, "/x", "250 2.0.0", "DKIM-Signature: d=example.org; " },
		{ RC_NOENT, "/x", "250 2.0.0", "Date: " },
		{ RC_TEMP, "", "250 2.0.0", "Date: " },
		{ RC_TEMP, "/x", "451 4.7.5", "" },
		{ RC_DENY, "/x", "451 4.7.5", "" },
		{ RC_BAD, "/x", "550 5.6.0", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fake f;

		fake_init(&f, GW_SUBMISSION);
		f.tls = true;
		f.gw.sgn = (struct sgn_client *)&f;
		f.sign_rc = rows[i].rc;
		f.conf.dkim_dir = rows[i].dir;
		fake_run(&f,
		    STR(E AUTH MA R D FROM("ann@Example.ORG") "NOOP\r\n"), 99);
		assert_true(
		    str_find(buf_str(&f.out), str_c(rows[i].codes)) < f.out.n);
		assert_true(
		    str_has_prefix(buf_str(&f.edits), str_c(rows[i].edits)));
		assert_int_equal(f.submits, rows[i].codes[0] == '2');
		if (rows[i].rc == RC_OK)
			assert_true(str_find(buf_str(&f.edits),
					STR("\r\nDate: ")) < f.edits.n);
		fake_free(&f);
	}
	/* Mail from outside is not. */
	struct fake f;

	fake_init(&f, GW_MX);
	f.gw.sgn = (struct sgn_client *)&f;
	f.conf.dkim_dir = "/x";
	fake_run(&f, STR(E M R D FROM("ann@example.org")), 99);
	assert_int_equal(f.submits, 1);
	assert_int_equal(f.edits.n, 0);
	fake_free(&f);
}

/*
 * A machine of ours needs no policy, is completed and signed; what is odd goes
 * out as it is, what cannot be signed now comes again.
 */
static void
relay_clients_are_served_like_submitters(void **state)
{
	static const char *const nets[] = { "192.0.2.0/24" };
	static const struct {
		const char *ip;
		enum rc sign;
		struct str text;
		const char *reply, *edits;
		unsigned checks;
	} rows[] = {
		{ "192.0.2.7", RC_OK, S(FROM("a@Example.ORG")), "250 2.0.0",
		    "DKIM-Signature: d=example.org; ", 0 },
		{ "192.0.2.7", RC_NOENT, S(FROM("a@b.test")), "250 2.0.0",
		    "Date: ", 0 },
		{ "192.0.2.7", RC_BAD, S(FROM("a@example.org")), "250 2.0.0",
		    "Date: ", 0 },
		{ "192.0.2.7", RC_OK, S("X: y\r\n\r\nz\r\n.\r\n"), "250 2.0.0",
		    "Date: ", 0 },
		{ "192.0.2.7", RC_TEMP, S(FROM("a@example.org")), "451 4.7.5",
		    "", 0 },
		{ "198.51.100.7", RC_OK, S(FROM("a@example.org")), "250 2.0.0",
		    "X-Checked: ", 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct fake f;

		fake_init(&f, GW_MX);
		f.ip = str_c(rows[i].ip);
		f.conf.relay_networks = (struct conf_list){ nets, COUNT(nets) };
		f.conf.policy = true;
		f.conf.policy_timeout_ms = 1000;
		f.check_rc[0] = RC_OK;
		f.verdict = (struct pol_verdict){ .action = POL_ACCEPT,
			.edits = STR("X-Checked: yes\r\n") };
		f.gw.sgn = (struct sgn_client *)&f;
		f.sign_rc = rows[i].sign;
		f.conf.dkim_dir = "/x";
		fake_run(&f, str_cat(&a, STR(E M R D), rows[i].text), 99);
		assert_true(
		    str_find(buf_str(&f.out), str_c(rows[i].reply)) < f.out.n);
		assert_true(
		    str_has_prefix(buf_str(&f.edits), str_c(rows[i].edits)));
		assert_int_equal(f.checks, rows[i].checks);
		assert_int_equal(f.submits, rows[i].reply[0] == '2');
		if (rows[i].checks == 0 && f.submits > 0)
			assert_true(str_find(buf_str(&f.edits),
					STR("Message-ID: <")) < f.edits.n);
		fake_free(&f);
	}
}

/*
 * Whom the blind copies went to is not for those who read it, nor is a
 * Return-Path that somebody made up; on mail of strangers it is not ours to
 * change.
 */
static void
private_fields_are_taken_out(void **state)
{
#define PRIVATE "Bcc: ben@example.org,\r\n\tcat@example.org\r\n"
	static const char *const nets[] = { "192.0.2.0/24" };
	static const char *const fronts[] = { "203.0.113.0/24" };
	static const struct {
		unsigned tag;
		const char *ip;
		const char *in, *out;
	} rows[] = {
		{ GW_SUBMISSION, "198.51.100.7",
		    PRIVATE "From: ann@example.org\r\nrESENT-bCC : x\r\n"
			    "Subject: Bcc: y\r\n Bcc: z\r\nBCC:\r\nBcc:\r\n"
			    "X-Bcc: q\r\nReturn-Path: <a@b>\r\n\r\nBcc: z\r\n",
		    "From: ann@example.org\r\nSubject: Bcc: y\r\n Bcc: z\r\n"
		    "X-Bcc: q\r\n\r\nBcc: z\r\n" },
		{ GW_SUBMISSION, "198.51.100.7", "From: ann@example.org\r\n",
		    "From: ann@example.org\r\n" },
		{ GW_MX, "192.0.2.7", "A: b\r\n" PRIVATE "\r\nx\r\n",
		    "A: b\r\n\r\nx\r\n" },
		/* nothing but them */
		{ GW_MX, "192.0.2.7", PRIVATE "Return-Path: <>\r\n\r\nx\r\n",
		    "\r\nx\r\n" },
		{ GW_MX, "192.0.2.7", PRIVATE, "" },
		{ GW_MX, "198.51.100.7",
		    PRIVATE "Return-Path: <x>\r\n\r\nx\r\n",
		    PRIVATE "Return-Path: <x>\r\n\r\nx\r\n" },
		{ GW_MX, "203.0.113.7", PRIVATE "\r\nx\r\n",
		    PRIVATE "\r\nx\r\n" },
		{ GW_LMTP, "192.0.2.7", PRIVATE "\r\nx\r\n",
		    PRIVATE "\r\nx\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (unsigned bdat = 0; bdat < 2; bdat++) {
			AUTO_ARENA a = { 0 };
			struct fake f;
			struct str in = str_c(rows[i].in), sign;

			fake_init(&f, rows[i].tag);
			f.tls = true;
			f.ip = str_c(rows[i].ip);
			f.conf.relay_networks =
			    (struct conf_list){ nets, COUNT(nets) };
			f.conf.front_networks =
			    (struct conf_list){ fronts, COUNT(fronts) };
			f.gw.sgn = (struct sgn_client *)&f;
			f.conf.dkim_dir = "/x";
			fake_run(&f,
			    str_cat(&a,
				str_fmt(&a, "%s%s%s%s",
				    rows[i].tag == GW_LMTP
					? "LHLO client.example\r\n"
					: E,
				    rows[i].tag == GW_SUBMISSION ? AUTH : "",
				    rows[i].tag == GW_SUBMISSION ? MA : M, R),
				bdat ? str_fmt(&a, "BDAT %zu LAST\r\n%.*s",
					   in.n, STRF(in))
				     : str_fmt(&a, "%s%.*s.\r\n", D, STRF(in))),
			    99);
			if (f.submits != 1 ||
			    !str_eq(buf_str(&f.body), str_c(rows[i].out)))
				fail_msg("row %zu: %.*s, %.*s", i,
				    STRF(buf_str(&f.out)),
				    STRF(buf_str(&f.body)));
			/* what was signed is what is there */
			sign = str_fmt(&a, "+%zu\r\n", f.body.n);
			if (str_has_prefix(buf_str(&f.edits), STR("DKIM-")))
				assert_true(str_find(buf_str(&f.edits), sign) <
					    f.edits.n);
			fake_free(&f);
		}
}

/* Of a machine's header that is too large to be looked through, its start. */
static void
private_fields_of_a_large_header(void **state)
{
	static const char *const nets[] = { "192.0.2.0/24" };
	static const size_t lines[] = { 2000, 20000, 40000 };

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++)
		for (unsigned memory = 0; memory < 2; memory++) {
			AUTO_BUF in = { 0 };
			struct fake f;

			buf_init(&in, 1u << 20);
			assert_int_equal(buf_add(&in, STR(E M R D)), RC_OK);
			for (size_t k = 0; k < lines[i]; k++)
				assert_int_equal(
				    buf_fmt(&in, "%sA: %05zu\r\n",
					k % 100 == 1 ? "Bcc: a\r\n b\r\n" : "",
					k),
				    RC_OK);
			assert_int_equal(
			    buf_add(&in, STR("\r\nBcc: x\r\n.\r\n")), RC_OK);
			fake_init(&f, GW_MX);
			f.conf.relay_networks =
			    (struct conf_list){ nets, COUNT(nets) };
			f.conf.message_size_max = 1u << 20;
			f.conf.memory_body_max = memory ? 4u << 20 : 1;
			fake_run(&f, buf_str(&in), 10000);
			assert_int_equal(f.submits, 1);
			assert_true(
			    str_find(str_sub(buf_str(&f.body), 0, 200000),
				STR("Bcc")) >= MIN(f.body.n - 8, 200000));
			assert_true(
			    str_eq(str_from(buf_str(&f.body), f.body.n - 12),
				STR("\r\n\r\nBcc: x\r\n")));
			if (lines[i] < 40000)
				assert_int_equal(f.body.n, lines[i] * 10 + 10);
			assert_int_equal(f.gw.body_memory, 0);
			fake_free(&f);
		}
}

/* They have seen the client; but whom they bring is a stranger all the same. */
static void
gateways_in_front_are_believed_and_no_more(void **state)
{
	static const char *const nets[] = { "192.0.2.0/24" };
	static const struct {
		const char *rcpt, *text, *codes;
		bool junk;
	} rows[] = {
		{ R, FROM("ann@example.org"), "220 250 250 250 354 250",
		    false },
		{ R, MAIL_JUNK_MARK FROM("ann@example.org"),
		    "220 250 250 250 354 250", true },
		{ "RCPT TO:<joe@far.example>\r\n", "QUIT\r\n",
		    "220 250 250 550 554 221", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct fake f;

		fake_init(&f, GW_MX);
		f.ip = STR("192.0.2.7");
		f.conf.front_networks = (struct conf_list){ nets, COUNT(nets) };
		f.conf.policy = true;
		f.conf.policy_timeout_ms = 1000;
		f.gw.sgn = (struct sgn_client *)&f;
		f.conf.dkim_dir = "/x";
		fake_run(&f,
		    str_fmt(&a, E M "%s" D "%s", rows[i].rcpt, rows[i].text),
		    99);
		assert_true(str_eq(
		    fake_codes(&a, buf_str(&f.out)), str_c(rows[i].codes)));
		assert_int_equal(f.checks, 0);
		assert_int_equal(f.edits.n, 0);
		assert_int_equal(f.junk, rows[i].junk);
		fake_free(&f);
	}
}

/* 43 bytes */
#define FORGED "Authentication-Results: mx.example.org; x\r\n"
#define LETTER "Subject: x\r\n\r\nhello\r\n"

static void
policy_decides(void **state)
{
	static struct pol_cut cut[] = { { 0, 43 }, { 55, 43 } };
	static const struct {
		const char *rule;
		struct pol_verdict verdict;
		const char *codes, *status;
		unsigned submits;
		bool junk, hold;
	} rows[] = {
		{ "accept", { .action = POL_ACCEPT, .edits = S("A: b\r\n") },
		    "220 250 250 250 354 250", "2.0.0", 1 },
		{ "junk", { .action = POL_JUNK, .edits = S("A: b\r\n") },
		    "220 250 250 250 354 250", "2.0.0", 1, .junk = true },
		{ "hold", { .action = POL_HOLD, .edits = S("A: b\r\n") },
		    "220 250 250 250 354 250", "2.0.0", 1, .hold = true },
		{ "reject",
		    { .action = POL_REJECT,
			.status = S("5.7.1"),
			.text = S("Go away") },
		    "220 250 250 250 354 550", "550 5.7.1 Go away\r\n", 0 },
		{ "defer",
		    { .action = POL_DEFER,
			.status = S("4.7.1"),
			.text = S("Later") },
		    "220 250 250 250 354 451", "451 4.7.1 Later\r\n", 0 },
		{ "discard", { .action = POL_DISCARD },
		    "220 250 250 250 354 250", "2.0.0", 0 },
		{ "cuts",
		    { .action = POL_ACCEPT,
			.edits = S("A: b\r\n"),
			.cut = cut,
			.ncut = 2 },
		    "220 250 250 250 354 250", "2.0.0", 1 },
		/* policy could not look at it: poison */
		{ "not checked", { .action = POL_ACCEPT },
		    "220 250 250 250 354 250", "2.0.0", 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool cuts =
		    rows[i].verdict.ncut > 0 || rows[i].verdict.edits.n == 0;
		AUTO_ARENA a = { 0 };
		struct fake f;

		fake_init(&f, GW_MX);
		f.conf.policy = true;
		f.verdict = rows[i].verdict;
		fake_run(&f,
		    STR(E M R D FORGED "Subject: x\r\n" FORGED
				       "\r\nhello\r\n.\r\n"),
		    99);
		if (!str_eq(
			fake_codes(&a, buf_str(&f.out)), str_c(rows[i].codes)))
			fail_msg("%s: %.*s", rows[i].rule, STRF(f.out));
		assert_true(
		    str_find(buf_str(&f.out), str_c(rows[i].status)) < f.out.n);
		assert_int_equal(f.checks, 1);
		assert_int_equal(f.submits, rows[i].submits);
		assert_int_equal(f.junk, rows[i].junk);
		assert_int_equal(f.hold, rows[i].hold);
		assert_int_equal(f.gw.body_memory, 0);
		if (f.submits == 0) {
			fake_free(&f);
			continue;
		}
		assert_true(str_eq(buf_str(&f.edits),
		    str_cat(&a, rows[i].verdict.edits,
			rows[i].junk ? STR(MAIL_JUNK_MARK) : STR(""))));
		if (cuts)
			assert_true(str_eq(buf_str(&f.body), STR(LETTER)));
		else
			assert_int_equal(f.body.n, 2 * 43 + 21);
		fake_free(&f);
	}
}

/* What a server of ours has found is true; what others say is left out. */
static void
the_mark_of_junk_is_believed(void **state)
{
	static const char *const nets[] = { "192.0.2.0/24" };
	static const struct {
		const char *ip;
		bool policy;
		const char *mark;
		bool junk, kept;
	} rows[] = {
		{ "192.0.2.7", true, MAIL_JUNK_MARK, true, true },
		{ "192.0.2.7", false, MAIL_JUNK_MARK, true, true },
		{ "192.0.2.7", true, "X-Spam-Flag: NO\r\n", false, true },
		{ "192.0.2.7", true, "X: y\r\n", false, true },
		/* Who does not judge leaves it to others. */
		{ "198.51.100.7", false, MAIL_JUNK_MARK, false, true },
		/* policy could not look at it */
		{ "198.51.100.7", true, MAIL_JUNK_MARK, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct fake f;

		fake_init(&f, GW_MX);
		f.ip = str_c(rows[i].ip);
		f.conf.relay_networks = (struct conf_list){ nets, COUNT(nets) };
		f.conf.policy = rows[i].policy;
		f.conf.policy_timeout_ms = 1000;
		fake_run(&f,
		    str_fmt(&a, "%s%sSubject: x\r\n\r\nhello\r\n.\r\n", E M R D,
			rows[i].mark),
		    99);
		assert_int_equal(f.submits, 1);
		assert_int_equal(f.junk, rows[i].junk);
		assert_int_equal(
		    str_find(buf_str(&f.body), str_c(rows[i].mark)) < f.body.n,
		    rows[i].kept);
		fake_free(&f);
	}
}

static void
without_policy(void **state)
{
	static const struct {
		enum rc first, second;
		enum conf_policy_down down;
		unsigned checks, unchecked;
		const char *codes;
	} rows[] = {
		{ RC_TEMP, RC_OK, CONF_DOWN_DEFER, 2, 0,
		    "220 250 250 250 354 250" },
		{ RC_TEMP, RC_TEMP, CONF_DOWN_ACCEPT, 2, 1,
		    "220 250 250 250 354 250" },
		{ RC_TEMP, RC_TEMP, CONF_DOWN_DEFER, 2, 0,
		    "220 250 250 250 354 451" },
		{ RC_BAD, RC_OK, CONF_DOWN_ACCEPT, 1, 1,
		    "220 250 250 250 354 250" },
		/* no other answer is a refusal either */
		{ RC_DENY, RC_OK, CONF_DOWN_DEFER, 1, 0,
		    "220 250 250 250 354 451" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct fake f;

		fake_init(&f, GW_MX);
		f.conf.policy = true;
		f.conf.policy_timeout_ms = 15000;
		f.conf.policy_down = rows[i].down;
		f.check_rc[0] = rows[i].first;
		f.check_rc[1] = rows[i].second;
		f.verdict = (struct pol_verdict){ .action = POL_ACCEPT,
			.edits = STR("A: b\r\n") };
		fake_run(&f, STR(E M R D FORGED LETTER ".\r\n"), 99);
		assert_true(str_eq(
		    fake_codes(&a, buf_str(&f.out)), str_c(rows[i].codes)));
		assert_int_equal(f.checks, rows[i].checks);
		assert_int_equal(f.gw.unchecked, rows[i].unchecked);
		/* What was forged in our name goes all the same. */
		if (rows[i].unchecked)
			assert_true(str_eq(buf_str(&f.body), STR(LETTER)));
		fake_free(&f);
	}
}

/* Nobody is asked when it is off, nor about people who have logged in. */
static void
who_is_not_checked(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f, GW_MX);
	fake_run(&f, STR(E M R D BODY), 99);
	assert_int_equal(f.checks, 0);
	assert_int_equal(f.submits, 1);
	fake_free(&f);

	/* RFC 8601 section 5: results in our name go, whatever is checked. */
	fake_init(&f, GW_MX);
	fake_run(&f, STR(E M R D FORGED BODY), 99);
	assert_int_equal(f.checks, 0);
	assert_int_equal(f.submits, 1);
	assert_int_equal(f.body.n, sizeof(BODY) - 1 - sizeof(".\r\n") + 1);
	fake_free(&f);

	fake_init(&f, GW_SUBMISSION);
	f.tls = true;
	f.conf.policy = true;
	fake_run(&f, STR(E AUTH MA R D FROM("ann@example.org")), 99);
	assert_int_equal(f.checks, 0);
	assert_int_equal(f.submits, 1);
	fake_free(&f);
}

/* Policy looks at no more either; and not at all if it is down or off. */
static void
results_in_a_huge_header(void **state)
{
	static const size_t fill[] = { 52000, 53000, 80000 };

	(void)state;
	for (size_t i = 0; i < COUNT(fill); i++)
		for (unsigned policy = 0; policy < 2; policy++) {
			AUTO_BUF in = { 0 };
			struct fake f;

			buf_init(&in, 1u << 20);
			assert_int_equal(
			    buf_add(&in, STR(E M R D FORGED "A: b\r\n" FORGED)),
			    RC_OK);
			for (size_t k = 0; k < fill[i]; k++)
				assert_int_equal(
				    buf_fmt(&in, "A: %05zu\r\n", k), RC_OK);
			assert_int_equal(
			    buf_add(&in, STR("\r\n" FORGED ".\r\n")), RC_OK);
			fake_init(&f, GW_MX);
			f.conf.policy = policy;
			f.conf.policy_timeout_ms = 15000;
			f.conf.message_size_max = 1u << 20;
			fake_run(&f, buf_str(&in), 10000);
			assert_int_equal(f.submits, 1);
			assert_int_equal(f.gw.unchecked, policy);
			assert_int_equal(f.body.n, 6 + fill[i] * 10 + 2 + 43);
			assert_true(str_has_prefix(
			    buf_str(&f.body), STR("A: b\r\nA: 00000\r\n")));
			fake_free(&f);
		}
}

/* Not even who may send says in our name what we have found. */
static void
our_own_do_not_forge_results(void **state)
{
	static const char *const nets[] = { "192.0.2.0/24" };
	static const struct {
		unsigned tag;
		const char *login;
	} rows[] = { { GW_SUBMISSION, AUTH }, { GW_MX, "" } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (unsigned policy = 0; policy < 2; policy++) {
			static const char kept[] =
			    "Authentication-Results: other.example; x\r\n"
			    "X-Spam-Flag: NO\r\nFrom: ann@example.org\r\n"
			    "\r\n" FORGED;
			AUTO_ARENA a = { 0 };
			struct str sign;
			struct fake f;

			fake_init(&f, rows[i].tag);
			f.tls = true;
			f.conf.relay_networks =
			    (struct conf_list){ nets, COUNT(nets) };
			f.conf.policy = policy;
			f.gw.sgn = (struct sgn_client *)&f;
			f.conf.dkim_dir = "/x";
			fake_run(&f,
			    str_fmt(&a, E "%s" MA R D FORGED FORGED "%s.\r\n",
				rows[i].login, kept),
			    99);
			assert_int_equal(f.submits, 1);
			assert_int_equal(f.checks, 0);
			assert_false(f.junk);
			assert_true(str_eq(buf_str(&f.body), str_c(kept)));
			sign = str_fmt(&a, "+%zu\r\n", f.body.n);
			assert_true(
			    str_find(buf_str(&f.edits), sign) < f.edits.n);
			fake_free(&f);
		}
}

/* Inline, memory and file; from one kind to a smaller one, too. */
static void
cuts_in_every_kind_of_body(void **state)
{
	static const size_t lines[] = { 10, 1635, 1640, 3900 };

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++)
		for (unsigned memory = 0; memory < 2; memory++) {
			struct pol_cut cut = { 0, 43 };
			AUTO_BUF in = { 0 };
			struct fake f;

			buf_init(&in, 1u << 20);
			assert_int_equal(
			    buf_add(&in, STR(E M R D FORGED)), RC_OK);
			for (size_t k = 0; k < lines[i]; k++)
				assert_int_equal(
				    buf_fmt(&in, "%08zu\r\n", k), RC_OK);
			assert_int_equal(buf_add(&in, STR(".\r\n")), RC_OK);
			fake_init(&f, GW_MX);
			f.conf.policy = true;
			f.conf.memory_body_max = memory ? 4u << 20 : 1;
			f.verdict = (struct pol_verdict){ .action = POL_ACCEPT,
				.edits = STR("A: b\r\n"),
				.cut = &cut,
				.ncut = 1 };
			fake_run(&f, buf_str(&in), 1000);
			assert_int_equal(f.body.n, lines[i] * 10);
			assert_memory_equal(f.body.p,
			    in.p + sizeof(E M R D FORGED) - 1, f.body.n);
			assert_int_equal(f.gw.body_memory, 0);
			fake_free(&f);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(submission_adds_what_is_missing),
		cmocka_unit_test(submissions_are_signed),
		cmocka_unit_test(relay_clients_are_served_like_submitters),
		cmocka_unit_test(private_fields_are_taken_out),
		cmocka_unit_test(private_fields_of_a_large_header),
		cmocka_unit_test(gateways_in_front_are_believed_and_no_more),
		cmocka_unit_test(policy_decides),
		cmocka_unit_test(the_mark_of_junk_is_believed),
		cmocka_unit_test(without_policy),
		cmocka_unit_test(who_is_not_checked),
		cmocka_unit_test(results_in_a_huge_header),
		cmocka_unit_test(our_own_do_not_forge_results),
		cmocka_unit_test(cuts_in_every_kind_of_body),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
