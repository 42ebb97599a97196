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

#include "mail/ares.h"
#include "tests/unit/gateway/fake_netd.h"

#define S    STR_INIT
#define E    "EHLO client.example\r\n"
#define M    "MAIL FROM:<bob@elsewhere.example>\r\n"
#define R    "RCPT TO:<ann@example.org>\r\n"
#define D    "DATA\r\n"
#define BODY "Subject: x\r\n\r\nhello\r\n.\r\n"
#define QUIT "QUIT\r\n"

/* "220 250 ...": the code of every reply; continuation lines are left out. */
static struct str
codes(struct arena *a, struct str out)
{
	struct str r = STR(""), line;

	while (str_split(&out, '\n', &line) && line.n > 4)
		if (line.p[3] == ' ')
			r = str_cat(a, r, str_sub(line, 0, 4));
	return str_trim(r);
}

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
			out = codes(&a, buf_str(&f.out));
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

/* ann, secret */
#define AUTH    "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n"
#define MA      "MAIL FROM:<ann@example.org>\r\n"
#define FROM(x) "From: " x "\r\n\r\nhello\r\n.\r\n"

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

/* A site as the supervisor hands it over. */
static const struct gw_site *
site(struct fake *f, struct str rules, struct str aliases, struct str users)
{
	const struct gw_site *s = NULL;
	AUTO_MSG m;
	struct ipc_in in;
	int fd[] = { fd_sealed("rules", rules), fd_sealed("aliases", aliases),
		fd_sealed("users", users) };

	ipc_msg_init(&m, 1);
	ipc_put_fd(&m, "rules", fd[0]);
	ipc_put_fd(&m, "aliases", fd[1]);
	ipc_put_fd(&m, "users", fd[2]);
	ipc_in_init(&in, &m);
	assert_int_equal(gw_site_load(&f->gw.log, &f->conf, &in, &s), RC_OK);
	for (size_t i = 0; i < COUNT(fd); i++)
		fd_close(&fd[i]);
	return s;
}

static void
rules_change_recipients(void **state)
{
	static const struct {
		const char *rule;
		struct str to;
		const char *codes, *rcpts;
	} rows[] = {
		{ "recipient ann@example.org carl@example.net dan@far.example",
		    S("ann@example.org"), "220 250 250 250 354 250",
		    "carl@example.net dan@far.example " },
		{ "recipient ann@ nobody@example.org carl@example.net",
		    S("ann@example.org"), "220 250 250 250 354 250",
		    "carl@example.net " },
		{ "recipient ann@ carl@example.net unsure@example.org",
		    S("ann@example.org"), "220 250 250 451 554 500 500", "" },
		{ "recipient @far.example ann@example.org",
		    S("joe@far.example"), "220 250 250 550 554 500 500", "" },
		{ "catch-all @example.org carl@example.net",
		    S("nobody@example.org"), "220 250 250 250 354 250",
		    "nobody@example.org " },
		{ "catch-all @example.org dan@far.example",
		    S("nobody@example.org"), "220 250 250 250 354 250",
		    "dan@far.example " },
		{ "bcc carl@example.net\nbcc nobody@example.org",
		    S("ann@example.org"), "220 250 250 250 354 250",
		    "ann@example.org carl@example.net " },
		{ "bcc unsure@example.org", S("ann@example.org"),
		    "220 250 250 250 354 451", "" },
		{ "bcc-to carl@example.net dan@example.org",
		    S("ann@example.org"), "220 250 250 250 354 250",
		    "ann@example.org " },
		{ "capture carl@example.net\nbcc dan@example.org",
		    S("joe@far.example"), "220 250 250 250 354 250",
		    "carl@example.net " },
		{ "capture away@example.net", S("ann@example.org"),
		    "220 250 250 451 554 500 500", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct fake f;
		struct str in, out;

		fake_init(&f, GW_MX);
		f.gw.site =
		    site(&f, str_c(rows[i].rule), STR(""), STR("0 root\n"));
		in = str_fmt(&a, E M "RCPT TO:<%.*s>\r\n" D "A: b\r\n.\r\n",
		    STRF(rows[i].to));
		fake_run(&f, in, 500);
		out = codes(&a, buf_str(&f.out));
		if (!str_has_prefix(out, str_c(rows[i].codes)) ||
		    !str_eq(buf_str(&f.rcpts), str_c(rows[i].rcpts)))
			fail_msg("%s: %.*s / %.*s", rows[i].rule, STRF(out),
			    STRF(buf_str(&f.rcpts)));
		gw_site_unref(&f.gw.site);
		fake_free(&f);
	}
}

/* A message of n bytes in lines, behind DATA. */
static struct str
letter(struct arena *a, size_t n)
{
	static const char head[] = "From: ann@example.org\r\n\r\n";
	char *p = arena_alloc(a, n);

	assert_true(n >= sizeof(head) + 1);
	memset(p, 'x', n);
	memcpy(p, head, sizeof(head) - 1);
	for (size_t i = sizeof(head) + 70; i + 2 < n; i += 72)
		memcpy(p + i, "\r\n", 2);
	memcpy(p + n - 2, "\r\n", 2);
	return str_cat(a, str_n(p, n), STR(".\r\n"));
}

/*
 * From `tag`, with SIZE=`says` if that is not 0, `size` bytes to `to`; the
 * replies behind EHLO (and AUTH), and how often groups were asked about.
 */
static void
sizes_by_group(void **state)
{
	static const struct {
		unsigned tag;
		const char *rules;
		unsigned says, size;
		const char *to; /* two of them, with a blank between */
		const char *codes, *status;
		unsigned asked;
	} rows[] = {
#define SEND "send-limit ann@x.y 3K\nsend-limit b@x.y 9K\nsend-limit * 1K\n"
		/* a sender: in a group, in none */
		{ GW_SUBMISSION, SEND, 3072, 3072, "joe@example.org",
		    "250 250 354 250", "250-SIZE 9216", 1 },
		{ GW_SUBMISSION, SEND, 3073, 0, "joe@example.org",
		    "552 503 503", "552 5.3.4 You may send up to 3072", 1 },
		{ GW_SUBMISSION, SEND, 0, 3073, "joe@example.org",
		    "250 250 354 552", "552 5.3.4 You may send", 1 },
		{ GW_SUBMISSION, SEND, 1000, 3073, "joe@example.org",
		    "250 250 354 552", "552 5.3.4", 1 },
		{ GW_SUBMISSION, SEND, 2000, 1500, "joe@example.org",
		    "250 250 354 250", NULL, 1 },
		{ GW_SUBMISSION, SEND, 0, 1024, "joe@example.org",
		    "250 250 354 250", NULL, 0 },
		{ GW_SUBMISSION, "send-limit * 1K", 0, 1025, "joe@example.org",
		    "250 250 354 552", "250-SIZE 1024", 0 },
		{ GW_SUBMISSION, "send-limit b@x.y 1K", 0, 30000,
		    "joe@example.org", "250 250 354 250", "250-SIZE 40000", 1 },
		{ GW_SUBMISSION, "send-limit none@x.y 9K\nsend-limit * 1K",
		    2000, 0, "joe@example.org", "552 503 503", NULL, 1 },
		/* not known is for now */
		{ GW_SUBMISSION, "send-limit unsure@x.y 1K", 2000, 0,
		    "joe@example.org", "451 503 503", "451 4.3.0 Cannot", 1 },
		{ GW_SUBMISSION, "send-limit unsure@x.y 1K", 0, 2000,
		    "joe@example.org", "250 250 354 451", NULL, 1 },
		{ GW_SUBMISSION,
		    "send-limit unsure@x.y 1K\nsend-limit ann@x.y 2K", 2000,
		    2000, "joe@example.org", "250 250 354 250", NULL, 1 },
	/* recipients */
#define RECV "receive-limit big@x.y 3K\nreceive-limit * 1K\n"
		{ GW_MX, RECV, 3000, 3000, "big@example.org", "250 250 354 250",
		    "250-SIZE 40000", 1 },
		{ GW_MX, RECV, 3000, 0, "joe@example.org", "250 552 554",
		    "552 5.2.3 Message is larger", 1 },
		{ GW_MX, RECV, 3000, 3000, "joe@example.org big@example.org",
		    "250 552 250 354 250", NULL, 1 },
		{ GW_MX, RECV, 0, 3000, "joe@example.org big@example.org",
		    "250 250 250 354 552",
		    "552 5.2.3 A recipient may receive up to 1024", 1 },
		{ GW_MX, RECV, 100, 1025, "joe@example.org", "250 250 354 552",
		    NULL, 1 },
		{ GW_MX, RECV, 1024, 1024, "joe@example.org", "250 250 354 250",
		    NULL, 0 },
		{ GW_MX, RECV "recipient ann@ joe@example.org big@example.org",
		    3000, 0, "ann@example.org", "250 552 554", NULL, 1 },
		{ GW_MX, RECV "capture big@example.org", 3000, 3000,
		    "joe@example.org", "250 250 354 250", NULL, 0 },
		{ GW_MX, RECV "bcc joe@example.org", 3000, 3000,
		    "big@example.org", "250 250 354 250", NULL, 1 },
		{ GW_SUBMISSION, RECV, 0, 3000, "joe@example.org",
		    "250 250 354 552",
		    "552 5.2.3 joe@example.org may receive up to 1024", 1 },
		{ GW_SUBMISSION, RECV, 3000, 3000, "joe@far.example",
		    "250 250 354 250", NULL, 0 },
		{ GW_MX, "receive-limit unsure@x.y 1K", 3000, 0,
		    "joe@example.org", "250 451 554", NULL, 1 },
		{ GW_MX, "receive-limit unsure@x.y 1K", 0, 3000,
		    "joe@example.org", "250 250 354 451", NULL, 1 },
		{ GW_LMTP, RECV, 0, 3000, "big@example.org joe@example.org",
		    "250 250 250 354 552 552", NULL, 1 },
		/* strangers have no send-limit */
		{ GW_MX, SEND, 9000, 9000, "joe@example.org", "250 250 354 250",
		    NULL, 0 },
		/* no limits, no questions */
		{ GW_MX, "", 30000, 30000, "joe@example.org", "250 250 354 250",
		    NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool ours = rows[i].tag == GW_SUBMISSION;
		struct str to = str_c(rows[i].to), in, out;
		AUTO_ARENA a = { 0 };
		struct fake f;

		fake_init(&f, rows[i].tag);
		f.tls = ours;
		if (rows[i].tag == GW_LMTP)
			f.ip = STR("127.0.0.1");
		f.conf.smtp_errors_max = 100;
		f.gw.site =
		    site(&f, str_c(rows[i].rules), STR(""), STR("0 root\n"));
		in = str_fmt(&a, "%s%sMAIL FROM:<%s@example.org>",
		    rows[i].tag == GW_LMTP ? "LHLO c.example\r\n" : E,
		    ours ? "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n" : "",
		    ours ? "ann" : "x");
		if (rows[i].says > 0)
			in =
			    str_fmt(&a, "%.*s SIZE=%u", STRF(in), rows[i].says);
		in = str_cat(&a, in, STR("\r\n"));
		while (to.n > 0) {
			struct str one = str_word(&to);

			in = str_fmt(
			    &a, "%.*sRCPT TO:<%.*s>\r\n", STRF(in), STRF(one));
		}
		in = str_cat(&a, in, STR(D));
		if (rows[i].size > 0)
			in = str_cat(&a, in, letter(&a, rows[i].size));
		fake_run(&f, in, 500);
		out = codes(&a, buf_str(&f.out));
		out = str_from(out, ours ? 12 : 8);
		if (!str_eq(out, str_c(rows[i].codes)) ||
		    f.member_calls != rows[i].asked ||
		    (rows[i].status != NULL &&
			str_find(buf_str(&f.out), str_c(rows[i].status)) ==
			    f.out.n))
			fail_msg("row %zu: asked %u, %.*s\n%.*s", i,
			    f.member_calls, STRF(out), STRF(buf_str(&f.out)));
		gw_site_unref(&f.gw.site);
		fake_free(&f);
	}
}

/* Who may say what on sendmail.sock, and whom local names stand for. */
static void
users_of_the_machine(void **state)
{
	static const struct {
		uid_t uid;
		const char *from, *header, *to, *codes, *sender, *rcpts;
	} rows[] = {
		{ 0, "x@far.example", "y@far.example", "ann@example.org",
		    "220 250 250 250 354 250", "x@far.example",
		    "ann@example.org " },
		{ 7, "joe@mx.example.org", "joe@mx.example.org",
		    "list@localhost", "220 250 250 250 354 250",
		    "ann@example.org", "carl@example.net dan@far.example " },
		{ 7, "joe@mx.example.org", "joe@mx.example.org",
		    "joe@mx.example.org", "220 250 250 250 354 250",
		    "ann@example.org", "ann@example.org " },
		{ 7, "", "joe@mx.example.org", "nemo@mx.example.org",
		    "220 250 250 550 554", "", "" },
		{ 7, "root@mx.example.org", "", "a@example.org",
		    "220 250 553 503", "", "" },
		{ 7, "ann@example.org", "", "a@example.org", "220 250 553 503",
		    "", "" },
		{ 7, "", "ann@example.org", "ann@example.org",
		    "220 250 250 250 354 550", "", "" },
		/* made after the last reload */
		{ 8, "joe@mx.example.org", "", "a@example.org",
		    "220 250 451 503", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct fake f;
		struct str in, out;

		fake_init(&f, GW_LOCAL);
		f.has_tls = true;
		f.uid = rows[i].uid;
		f.ip = STR("");
		f.gw.site = site(&f, STR(""),
		    STR("root: ann@example.org\n"
			"list: carl@example.net, dan@far.example\n"),
		    STR("0 root\n7 joe\n"));
		in = str_fmt(&a,
		    E "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\n" D
		      "From: %s\r\n\r\n.\r\n",
		    rows[i].from, rows[i].to, rows[i].header);
		fake_run(&f, in, 500);
		out = codes(&a, buf_str(&f.out));
		if (!str_has_prefix(out, str_c(rows[i].codes)) ||
		    !str_eq(buf_str(&f.from), str_c(rows[i].sender)) ||
		    !str_eq(buf_str(&f.rcpts), str_c(rows[i].rcpts)))
			fail_msg("row %zu: %.*s / %.*s / %.*s", i, STRF(out),
			    STRF(buf_str(&f.from)), STRF(buf_str(&f.rcpts)));
		gw_site_unref(&f.gw.site);
		fake_free(&f);
	}
}

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
	assert_true(str_eq(
	    codes(&a, buf_str(&f.out)), STR("220 250 250 250 354 552 221")));
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
		assert_true(
		    str_eq(codes(&a, buf_str(&f.out)), str_c(rows[i].codes)));
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
		if (!str_eq(codes(&a, buf_str(&f.out)), str_c(rows[i].codes)))
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
		assert_true(
		    str_eq(codes(&a, buf_str(&f.out)), str_c(rows[i].codes)));
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
		cmocka_unit_test(mx_dialogues),
		cmocka_unit_test(bdat_dialogues),
		cmocka_unit_test(directory_trouble_is_451),
		cmocka_unit_test(submission_dialogues),
		cmocka_unit_test(nothing_before_tls),
		cmocka_unit_test(what_delivery_gets),
		cmocka_unit_test(rules_change_recipients),
		cmocka_unit_test(sizes_by_group),
		cmocka_unit_test(users_of_the_machine),
		cmocka_unit_test(submission_adds_what_is_missing),
		cmocka_unit_test(submissions_are_signed),
		cmocka_unit_test(relay_clients_are_served_like_submitters),
		cmocka_unit_test(large_bodies),
		cmocka_unit_test(too_large_is_552),
		cmocka_unit_test(a_lost_answer_is_asked_for_once_more),
		cmocka_unit_test(policy_decides),
		cmocka_unit_test(the_mark_of_junk_is_believed),
		cmocka_unit_test(without_policy),
		cmocka_unit_test(who_is_not_checked),
		cmocka_unit_test(cuts_in_every_kind_of_body),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
