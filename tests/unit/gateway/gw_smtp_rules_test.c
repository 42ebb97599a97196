/* What an administrator's rules, aliases and sizes make of a dialogue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/gateway/smtp_words.h"

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
		{ "bcc off@example.org", S("ann@example.org"),
		    "220 250 250 250 354 451", "" },
		/* as for the same address in a RCPT: no route yet */
		{ "bcc away@example.org", S("ann@example.org"),
		    "220 250 250 250 354 451", "" },
		/* a group that takes no mail of strangers */
		{ "bcc closed@example.org", S("ann@example.org"),
		    "220 250 250 250 354 250",
		    "ann@example.org closed@example.org " },
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
		out = fake_codes(&a, buf_str(&f.out));
		if (!str_has_prefix(out, str_c(rows[i].codes)) ||
		    !str_eq(buf_str(&f.rcpts), str_c(rows[i].rcpts)))
			fail_msg("%s: %.*s / %.*s", rows[i].rule, STRF(out),
			    STRF(buf_str(&f.rcpts)));
		gw_site_unref(&f.gw.site);
		fake_free(&f);
	}
}

/*
 * The first recipient's copies alone do not fit.  The second one, who is sent
 * away, must not make that forgotten.
 */
static void
copies_that_do_not_fit_are_remembered(void **state)
{
	AUTO_ARENA a = { 0 };
	struct str rules = STR(""), out;
	struct fake f;

	(void)state;
	for (unsigned i = 0; i <= DLV_COPIES_MAX; i++)
		rules =
		    str_fmt(&a, "%.*sbcc-to ann@example.org k%u@example.org\n",
			STRF(rules), i);
	fake_init(&f, GW_MX);
	f.gw.site = site(&f, rules, STR(""), STR("0 root\n"));
	fake_run(&f, STR(E M R "RCPT TO:<joe@example.org>\r\n" D BODY), 500);
	out = fake_codes(&a, buf_str(&f.out));
	if (!str_eq(out, STR("220 250 250 250 452 354 451")))
		fail_msg("%.*s", STRF(out));
	assert_int_equal(f.submits, 0);
	gw_site_unref(&f.gw.site);
	fake_free(&f);
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
		    "250 250 250 354 250 552", NULL, 1 },
		{ GW_LMTP, RECV, 0, 3000,
		    "joe@example.org big@example.org kim@example.org",
		    "250 250 250 250 354 552 250 552", NULL, 1 },
		{ GW_LMTP, RECV, 0, 3000, "joe@example.org kim@example.org",
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
		out = fake_codes(&a, buf_str(&f.out));
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
		/* as mail(1) of mailutils says it */
		{ 7, "joe@Node", "joe@node", "list@node",
		    "220 250 250 250 354 250", "ann@example.org",
		    "carl@example.net dan@far.example " },
		{ 7, "root@node", "", "a@example.org", "220 250 553 503", "",
		    "" },
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
		f.gw.node = STR("node");
		f.gw.site = site(&f, STR(""),
		    STR("root: ann@example.org\n"
			"list: carl@example.net, dan@far.example\n"),
		    STR("0 root\n7 joe\n"));
		in = str_fmt(&a,
		    E "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\n" D
		      "Bcc: x@y.test\r\nFrom: %s\r\n\r\n.\r\n",
		    rows[i].from, rows[i].to, rows[i].header);
		fake_run(&f, in, 500);
		out = fake_codes(&a, buf_str(&f.out));
		if (!str_has_prefix(out, str_c(rows[i].codes)) ||
		    !str_eq(buf_str(&f.from), str_c(rows[i].sender)) ||
		    !str_eq(buf_str(&f.rcpts), str_c(rows[i].rcpts)))
			fail_msg("row %zu: %.*s / %.*s / %.*s", i, STRF(out),
			    STRF(buf_str(&f.from)), STRF(buf_str(&f.rcpts)));
		assert_int_equal(
		    str_find(buf_str(&f.body), STR("Bcc")), f.body.n);
		gw_site_unref(&f.gw.site);
		fake_free(&f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_change_recipients),
		cmocka_unit_test(copies_that_do_not_fit_are_remembered),
		cmocka_unit_test(sizes_by_group),
		cmocka_unit_test(users_of_the_machine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
