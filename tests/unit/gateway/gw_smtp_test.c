/*
 * Dialogues of the SMTP engine.  A row is what the client sends and the
 * codes that come back, in order; every row is run whole, in pieces of three
 * bytes and byte by byte, and must say the same each time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/gw_guard.h"
#include "tests/unit/gateway/smtp_words.h"

struct row {
	const char *rule;
	struct str input;
	const char *codes;
	const char *status; /* this text is in the output, or NULL */
};

static void
check_rows(
    const struct row *rows, size_t n, unsigned tag, bool tls, enum rc dir_rc)
{
	static const size_t steps[] = { SIZE_MAX / 2, 3, 1 };

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < COUNT(steps); k++) {
			AUTO_ARENA a = { 0 };
			struct fake f;
			struct str out;

			fake_init(&f, tag);
			f.tls = tls;
			f.dir_rc = dir_rc;
			fake_run(&f, rows[i].input, steps[k]);
			out = fake_codes(&a, buf_str(&f.out));
			if (!str_eq(out, str_c(rows[i].codes)))
				fail_msg("%s (step %zu): got \"%.*s\", "
					 "want \"%s\"",
				    rows[i].rule, k, STRF(out), rows[i].codes);
			if (rows[i].status != NULL)
				assert_true(
				    str_find(buf_str(&f.out),
					str_c(rows[i].status)) < f.out.n);
			fake_free(&f);
		}
}

static void
mx_dialogues(void **state)
{
	static const struct row rows[] = {
		{ "a message", S(E M R D BODY QUIT),
		    "220 250 250 250 354 250 221", "Accepted as q1" },
		{ "HELO does", S("HELO c.example\r\n" M R D BODY QUIT),
		    "220 250 250 250 354 250 221", NULL },
		{ "pipelined recipients answer in order",
		    S(E M R "RCPT TO:<nobody@example.org>\r\n"
			    "RCPT TO:<x@other.example>\r\n"
			    "RCPT TO:<unsure@example.org>\r\n" QUIT),
		    "220 250 250 250 550 550 451 221", "5.1.1" },
		{ "the directory's deny",
		    S(E M "RCPT TO:<closed@example.org>"
			  "\r\n" QUIT),
		    "220 250 250 550 221", "5.7.1" },
		{ "no route yet", S(E M "RCPT TO:<away@example.org>\r\n"),
		    "220 250 250 451", "4.4.4" },
		{ "bare postmaster is ours", S(E M "RCPT TO:<Postmaster>\r\n"),
		    "220 250 250 250", NULL },
		{ "no relay", S(E M "RCPT TO:<a@other.example>\r\n"),
		    "220 250 250 550", "5.7.1" },
		{ "no relay by percent",
		    S(E M "RCPT TO:<a%b.example@[127.0.0.1]>\r\n"),
		    "220 250 250 550", "5.7.1" },
		{ "too many recipients", S(E M R R R R R R),
		    "220 250 250 250 250 250 250 250 452", "4.5.3" },
		{ "NUL in an address", S(E M "RCPT TO:<a\0b@example.org>\r\n"),
		    "220 250 250 501", NULL },
		{ "NUL in a verb", S(E "NO\0OP\r\n"), "220 250 500", NULL },
		{ "MAIL before EHLO", S(M), "220 503", NULL },
		{ "nested MAIL", S(E M M), "220 250 250 503", NULL },
		{ "RCPT before MAIL", S(E R), "220 250 503", NULL },
		{ "DATA before RCPT", S(E M D), "220 250 250 554", NULL },
		{ "DATA takes no argument", S(E M R "DATA now\r\n"),
		    "220 250 250 250 501", NULL },
		{ "RSET ends a transaction", S(E M R "RSET\r\n" D),
		    "220 250 250 250 250 503", NULL },
		{ "EHLO ends a transaction", S(E M R E D),
		    "220 250 250 250 250 503", NULL },
		{ "EHLO wants a name", S("EHLO \r\nEHLO a b\r\n"),
		    "220 501 501", NULL },
		{ "known and not for us", S("EXPN list\r\nETRN x\r\n"),
		    "220 502 502", NULL },
		{ "unknown command", S("XYZZY\r\n"), "220 500", NULL },
		{ "VRFY tells nothing", S(E "VRFY ann\r\nVRFY\r\n"),
		    "220 250 252 501", NULL },
		{ "NOOP with argument, HELP", S("NOOP x\r\nHELP\r\n"),
		    "220 250 214", NULL },
		{ "SIZE past the limit", S(E "MAIL FROM:<> SIZE=40001\r\n"),
		    "220 250 552", "5.3.4" },
		{ "BODY=8BITMIME", S(E "MAIL FROM:<> BODY=8BITMIME\r\n"),
		    "220 250 250", NULL },
		{ "unknown parameter", S(E "MAIL FROM:<> FOO=1\r\n"),
		    "220 250 555", NULL },
		{ "AUTH is not for strangers", S(E "AUTH PLAIN\r\n"),
		    "220 250 502", NULL },
		{ "too many errors", S("A\r\nB\r\nC\r\nD\r\nE\r\n"),
		    "220 500 500 500 500 421", NULL },
		{ "a message makes up for errors",
		    S("A\r\nB\r\nC\r\n" E M R D BODY "A\r\nB\r\nC\r\nD\r\n"
		      "E\r\n"),
		    "220 500 500 500 250 250 250 354 250 500 500 500 500 421",
		    NULL },
		{ "a refused one does not",
		    S("A\r\nB\r\n" E M R D "a\n\r\n.\r\nC\r\nD\r\n"),
		    "220 500 500 250 250 250 354 550 500 421", NULL },
		{ "a browser", S("GET / HTTP/1.1\r\nHost: x\r\n"), "220 421",
		    NULL },
		{ "bare LF in a command ends it", S("NOOP\nNOOP\r\n"),
		    "220 500", NULL },
		{ "bare CR in a command ends it", S("NOOP\rNOOP\r\nNOOP\r\n"),
		    "220 500", NULL },
		{ "bare LF in RCPT", S(E M "RCPT TO:<ann@example.org>\n" R),
		    "220 250 250 500", NULL },
		{ "smuggling: LF . LF is no end",
		    S(E M R D
			"a\r\n\n.\nMAIL FROM:<x@y.example>\r\n.\r\n" QUIT),
		    "220 250 250 250 354 550 221", "5.6.0" },
		{ "smuggling: LF . CRLF", S(E M R D "a\n.\r\nb\r\n.\r\n" QUIT),
		    "220 250 250 250 354 550 221", "5.6.0" },
		{ "smuggling: CR . CR", S(E M R D "a\r.\rb\r\n.\r\n" QUIT),
		    "220 250 250 250 354 550 221", "5.6.0" },
		{ "empty message", S(E M R D ".\r\n" QUIT),
		    "220 250 250 250 354 250 221", NULL },
		{ "two messages", S(E M R D BODY M R D BODY QUIT),
		    "220 250 250 250 354 250 250 250 354 250 221", NULL },
		{ "STARTTLS forgets EHLO", S(E "STARTTLS\r\n" M E M),
		    "220 250 220 503 250 250", NULL },
		{ "STARTTLS twice", S(E "STARTTLS\r\n" E "STARTTLS\r\n"),
		    "220 250 220 250 503", NULL },
	};

	(void)state;
	check_rows(rows, COUNT(rows), GW_MX, false, RC_OK);
}

/* Errors of many strangers come over one connection of theirs. */
static void
who_may_err(void **state)
{
	static const char *const fronts[] = { "192.0.2.0/24" };
	static const char *const exempt[] = { "203.0.113.0/24" };
	static const struct {
		unsigned tag;
		const char *ip;
		bool may;
	} rows[] = {
		{ GW_MX, "198.51.100.7", false },
		{ GW_MX, "192.0.2.7", true },
		{ GW_MX, "203.0.113.7", true },
		{ GW_LMTP, "127.0.0.1", true },
		{ GW_LMTP, "", true },
		{ GW_LOCAL, "", true },
		{ GW_SUBMISSION, "198.51.100.7", false },
		{ GW_SUBMISSION, "192.0.2.7", false },
		{ GW_SUBMISSION, "203.0.113.7", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str in = STR("A\r\nB\r\nC\r\nD\r\nE\r\nNOOP\r\n"), out;
		AUTO_ARENA a = { 0 };
		struct fake f;

		fake_init(&f, rows[i].tag);
		f.ip = str_c(rows[i].ip);
		f.conf.smtp_errors_max = 5;
		f.conf.front_networks =
		    (struct conf_list){ fronts, COUNT(fronts) };
		f.conf.limit_exempt =
		    (struct conf_list){ exempt, COUNT(exempt) };
		fake_run(&f, in, 99);
		out = fake_codes(&a, buf_str(&f.out));
		if (!str_eq(out, rows[i].may
				     ? STR("220 500 500 500 500 500 250")
				     : STR("220 500 500 500 500 500 421")))
			fail_msg("row %zu: %.*s", i, STRF(out));
		assert_int_equal(f.wakes > 0, !rows[i].may);
		fake_free(&f);
	}
}

static void
bdat_dialogues(void **state)
{
	static const struct row rows[] = {
		{ "one chunk", S(E M R "BDAT 3 LAST\r\na\r\n" QUIT),
		    "220 250 250 250 250 221", "Accepted as q1" },
		{ "two chunks, CRLF across",
		    S(E M R "BDAT 2\r\na\rBDAT 3 LAST\r\n\nb\n"),
		    "220 250 250 250 250 550", "5.6.0" },
		{ "empty last chunk",
		    S(E M R "BDAT 3\r\na\r\nBDAT 0 LAST\r\n" QUIT),
		    "220 250 250 250 250 250 221", "Accepted as q1" },
		{ "dots are not special",
		    S(E M R "BDAT 7 LAST\r\na\r\n.\r\nb" QUIT),
		    "220 250 250 250 250 221", "Accepted as q1" },
		{ "without recipients the bytes are read",
		    S(E "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"), "220 250 503 250",
		    NULL },
		{ "before EHLO it is no EHLO",
		    S("BDAT 0\r\n" M E "BDAT 0\r\n" M),
		    "220 503 503 250 503 250", "Say EHLO first" },
		{ "nor with bytes", S("BDAT 6 LAST\r\nNOOP\r\n" M E M),
		    "220 503 503 250 250", NULL },
		{ "after STARTTLS neither", S(E "STARTTLS\r\nBDAT 2\r\nab" M),
		    "220 250 220 503 503", NULL },
		{ "bad size ends the session", S(E M R "BDAT x\r\nNOOP\r\n"),
		    "220 250 250 250 501", NULL },
		{ "no DATA after BDAT", S(E M R "BDAT 3\r\na\r\n" D),
		    "220 250 250 250 250 503", NULL },
		{ "bare LF", S(E M R "BDAT 2 LAST\r\na\n" QUIT),
		    "220 250 250 250 550 221", "5.6.0" },
	};

	(void)state;
	check_rows(rows, COUNT(rows), GW_MX, false, RC_OK);
}

#define R5 R R R R R
#define C5 "451 451 451 451 451 "

static void
directory_trouble_is_451(void **state)
{
	static const struct row rows[] = {
		{ "RCPT", S(E M R D), "220 250 250 451 554", "4.3.0" },
		/* recipients_max is 5 */
		{ "what is refused for now has a limit", S(E M R5 R5 R5 R5 R),
		    "220 250 250 " C5 C5 C5 C5 "452", "4.5.3" },
	};

	(void)state;
	check_rows(rows, COUNT(rows), GW_MX, false, RC_TEMP);
}

static void
submission_dialogues(void **state)
{
	static const struct row rows[] = {
		{ "a message", S(E AUTH MA R D FROM("ann@example.org") QUIT),
		    "220 250 235 250 250 354 250 221", NULL },
		{ "no AUTH, no MAIL", S(E MA), "220 250 530", "5.7.0" },
		{ "wrong password", S(E "AUTH PLAIN AGFubgB3cm9uZw==\r\n"),
		    "220 250 535", "5.7.8" },
		{ "three wrong passwords end it",
		    S(E "AUTH PLAIN AGFubgB3cm9uZw==\r\n"
			"AUTH PLAIN AGFubgB3cm9uZw==\r\n"
			"AUTH PLAIN AGFubgB3cm9uZw==\r\n"
			"NOOP\r\n"),
		    "220 250 535 535 421", NULL },
		{ "empty password", S(E "AUTH PLAIN AGFubgA=\r\n"),
		    "220 250 535", NULL },
		{ "AUTH PLAIN with a challenge",
		    S(E "AUTH PLAIN\r\nAGFubgBzZWNyZXQ=\r\n"),
		    "220 250 334 235", NULL },
		{ "AUTH LOGIN", S(E "AUTH LOGIN\r\nYW5u\r\nc2VjcmV0\r\n"),
		    "220 250 334 334 235", NULL },
		{ "AUTH LOGIN with the name",
		    S(E "AUTH LOGIN YW5u\r\n"
			"c2VjcmV0\r\n"),
		    "220 250 334 235", NULL },
		{ "AUTH GSSAPI with a last message",
		    S(E "AUTH GSSAPI\r\ndGlja2V0\r\n\r\n" MA),
		    "220 250 334 334 235 250", NULL },
		{ "cancelled", S(E "AUTH LOGIN\r\n*\r\n" AUTH),
		    "220 250 334 501 235", NULL },
		{ "not base64", S(E "AUTH PLAIN !!\r\n" AUTH),
		    "220 250 501 235", NULL },
		{ "unknown mechanism", S(E "AUTH CRAM-MD5\r\n"), "220 250 504",
		    NULL },
		{ "AUTH twice", S(E AUTH AUTH), "220 250 235 503", NULL },
		{ "somebody else's return path",
		    S(E AUTH "MAIL FROM:<bob@example.org>\r\n"),
		    "220 250 235 553", "5.7.1" },
		{ "somebody else in From",
		    S(E AUTH MA R D FROM("bob@example.org")),
		    "220 250 235 250 250 354 550", "5.7.1" },
		{ "a second mailbox in From",
		    S(E AUTH MA R D FROM("ann@example.org, bob@example.org")),
		    "220 250 235 250 250 354 550", "5.7.1" },
		{ "two From fields",
		    S(E AUTH MA R D
			"From: ann@example.org\r\n" FROM("bob@example.org")),
		    "220 250 235 250 250 354 550", "5.6.0" },
		{ "no From", S(E AUTH MA R D "Subject: x\r\n\r\n.\r\n"),
		    "220 250 235 250 250 354 550", "5.6.0" },
		{ "null return path when From is theirs",
		    S(E AUTH "MAIL FROM:<>\r\n" R D FROM("ann@example.org")),
		    "220 250 235 250 250 354 250", NULL },
		{ "other domains, authenticated",
		    S(E AUTH MA "RCPT TO:<x@other.example>\r\n"),
		    "220 250 235 250 250", "2.1.5" },
		{ "groups for the authenticated",
		    S(E AUTH MA "RCPT TO:<closed@example.org>\r\n"),
		    "220 250 235 250 250", NULL },
	};

	(void)state;
	check_rows(rows, COUNT(rows), GW_SUBMISSION, true, RC_OK);
}

static void
nothing_before_tls(void **state)
{
	static const struct row rows[] = {
		{ "AUTH", S(E AUTH), "220 250 538", NULL },
		{ "MAIL", S(E MA), "220 250 530", "5.7.0" },
		{ "after STARTTLS", S(E "STARTTLS\r\n" E AUTH),
		    "220 250 220 250 235", NULL },
	};
	struct fake f;

	(void)state;
	check_rows(rows, COUNT(rows), GW_SUBMISSION, false, RC_OK);
	fake_init(&f, GW_SUBMISSION);
	fake_run(&f, STR(E), 99);
	assert_true(str_find(buf_str(&f.out), STR("AUTH")) == f.out.n);
	assert_true(str_find(buf_str(&f.out), STR("STARTTLS")) < f.out.n);
	fake_free(&f);
}

/* Who may log in without TLS may send without it as well: a client that is
 * not told to use STARTTLS never says it. */
static void
a_login_in_clear_sends(void **state)
{
	static const struct {
		const char *what, *ip, *in, *codes;
		bool allowed;
	} rows[] = {
		{ "sends", "127.0.0.1", E AUTH MA R, "220 250 235 250 250",
		    true },
		{ "but not without login", "127.0.0.1", E MA AUTH MA,
		    "220 250 530 235 250", true },
		{ "nor from elsewhere", "192.0.2.1", E AUTH MA,
		    "220 250 538 530", true },
		{ "nor by default", "127.0.0.1", E AUTH MA, "220 250 538 530",
		    false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct fake f;
		struct str out;

		fake_init(&f, GW_SUBMISSION);
		f.ip = str_c(rows[i].ip);
		f.conf.plaintext_login_on_loopback = rows[i].allowed;
		fake_run(&f, str_c(rows[i].in), 500);
		out = fake_codes(&a, buf_str(&f.out));
		if (!str_eq(out, str_c(rows[i].codes)))
			fail_msg("%s: %.*s", rows[i].what, STRF(out));
		fake_free(&f);
	}
}

/* A login in clear, where that is allowed, is not one behind TLS. */
static void
a_login_in_clear_is_forgotten(void **state)
{
	AUTO_ARENA a = { 0 };
	struct gw_guard_seat elsewhere = { 0 };
	struct fake f;
	struct str out;

	(void)state;
	fake_init(&f, GW_SUBMISSION);
	f.ip = STR("127.0.0.1");
	f.conf.plaintext_login_on_loopback = true;
	f.conf.user_sessions_max = 1;
	fake_run(&f, STR(E AUTH "STARTTLS\r\n" E MA AUTH MA), 500);
	out = fake_codes(&a, buf_str(&f.out));
	if (!str_eq(out, STR("220 250 235 220 250 530 235 250")))
		fail_msg("%.*s", STRF(out));
	/* nor does it hold a seat when all is over */
	assert_true(gw_guard_enter(&f.gw, &f.conf, STR("id-ann"), &elsewhere));
	gw_guard_leave(&f.gw, &elsewhere);
	fake_free(&f);
}

static void
what_delivery_gets(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f, GW_MX);
	fake_run(&f,
	    STR(E M R "RCPT TO:<Carl@EXAMPLE.net>\r\n" D
		      "A: b\r\n\r\n..dot\r\n...\r\n.\r\n"),
	    5);
	assert_true(
	    str_eq(buf_str(&f.body), STR("A: b\r\n\r\n.dot\r\n..\r\n")));
	assert_true(str_eq(buf_str(&f.from), STR("bob@elsewhere.example")));
	assert_true(str_eq(
	    buf_str(&f.rcpts), STR("ann@example.org Carl@example.net ")));
	assert_true(str_has_prefix(buf_str(&f.trace), STR("Received: from ")));
	assert_int_equal(f.dir_calls, 2); /* five bytes at a time: no batch */
	fake_free(&f);

	fake_init(&f, GW_MX);
	fake_run(&f, STR(E M R R R), 500);
	assert_int_equal(f.dir_calls, 1);
	fake_free(&f);
}

/* Every size around the borders of inline, memfd and file arrives whole. */
static void
large_bodies(void **state)
{
	static const size_t sizes[] = { 16383, 16384, 16385, 39990 };

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++)
		for (unsigned memory = 0; memory < 2; memory++) {
			AUTO_BUF in = { 0 };
			struct fake f;
			size_t lines = sizes[i] / 10;

			buf_init(&in, 1u << 20);
			assert_int_equal(buf_add(&in, STR(E M R D)), RC_OK);
			for (size_t k = 0; k < lines; k++)
				assert_int_equal(
				    buf_fmt(&in, "%08zu\r\n", k), RC_OK);
			assert_int_equal(buf_add(&in, STR(".\r\n")), RC_OK);
			fake_init(&f, GW_MX);
			f.conf.memory_body_max = memory ? 4u << 20 : 1;
			fake_run(&f, buf_str(&in), 1000);
			assert_int_equal(f.body.n, lines * 10);
			assert_memory_equal(
			    f.body.p, in.p + sizeof(E M R D) - 1, f.body.n);
			assert_int_equal(f.gw.body_memory, 0);
			fake_free(&f);
		}
}

static void
too_large_is_552(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF in = { 0 };
	struct fake f;

	(void)state;
	buf_init(&in, 1u << 20);
	assert_int_equal(buf_add(&in, STR(E M R D)), RC_OK);
	for (size_t k = 0; k < 4100; k++)
		assert_int_equal(buf_fmt(&in, "%08zu\r\n", k), RC_OK);
	assert_int_equal(buf_add(&in, STR(".\r\n" QUIT)), RC_OK);
	fake_init(&f, GW_MX);
	fake_run(&f, buf_str(&in), 777);
	assert_true(str_eq(fake_codes(&a, buf_str(&f.out)),
	    STR("220 250 250 250 354 552 221")));
	assert_int_equal(f.submits, 0);
	fake_free(&f);
}

static void
a_lost_answer_is_asked_for_once_more(void **state)
{
	static const struct {
		enum rc first, second;
		unsigned submits;
		const char *codes;
	} rows[] = {
		{ RC_TEMP, RC_OK, 2, "220 250 250 250 354 250" },
		{ RC_TEMP, RC_TEMP, 2, "220 250 250 250 354 451" },
		{ RC_DENY, RC_OK, 1, "220 250 250 250 354 554" },
		{ RC_BAD, RC_OK, 1, "220 250 250 250 354 451" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct fake f;

		fake_init(&f, GW_MX);
		f.submit_rc[0] = rows[i].first;
		f.submit_rc[1] = rows[i].second;
		fake_run(&f, STR(E M R D BODY), 99);
		assert_int_equal(f.submits, rows[i].submits);
		assert_true(f.same_id);
		assert_true(str_eq(
		    fake_codes(&a, buf_str(&f.out)), str_c(rows[i].codes)));
		fake_free(&f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mx_dialogues),
		cmocka_unit_test(who_may_err),
		cmocka_unit_test(bdat_dialogues),
		cmocka_unit_test(directory_trouble_is_451),
		cmocka_unit_test(submission_dialogues),
		cmocka_unit_test(nothing_before_tls),
		cmocka_unit_test(a_login_in_clear_sends),
		cmocka_unit_test(a_login_in_clear_is_forgotten),
		cmocka_unit_test(what_delivery_gets),
		cmocka_unit_test(large_bodies),
		cmocka_unit_test(too_large_is_552),
		cmocka_unit_test(a_lost_answer_is_asked_for_once_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
