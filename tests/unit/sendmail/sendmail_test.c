#include "tests/unit/mail/test.h"
#include "sendmail/sm_letter.h"

#define S     STR_INIT
#define ARGVS 12

static enum rc
args(const char *const *words, struct sm_args *out, const char **why)
{
	static char *argv[ARGVS + 1];
	int argc = 0;

	for (; argc < ARGVS && words[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc];
	argv[argc] = NULL;
	sm_args_reset();
	return sm_args_parse(argc, argv, out, why);
}

static void
options_as_programs_use_them(void **state)
{
	static const struct {
		const char *words[ARGVS];
		enum sm_mode mode;
		bool t, dot;
		const char *sender, *name;
		size_t nto;
	} rows[] = {
		/* PHP, cron, mailx, git */
		{ { "sendmail", "-t", "-i" }, SM_SEND, true, false, NULL, NULL,
		    0 },
		{ { "sendmail", "-oi", "-f", "x@y.example", "z@y.example" },
		    SM_SEND, false, false, "x@y.example", NULL, 1 },
		{ { "sendmail", "-FCronDaemon", "-i", "-B8BITMIME", "-oem",
		      "root" },
		    SM_SEND, false, false, NULL, "CronDaemon", 1 },
		{ { "sendmail", "-tifme@y.example" }, SM_SEND, true, false,
		    "me@y.example", NULL, 0 },
		{ { "/usr/sbin/sendmail", "-f", "", "--", "a", "b" }, SM_SEND,
		    false, true, "", NULL, 2 },
		{ { "sendmail", "a", "-t" }, SM_SEND, false, true, NULL, NULL,
		    2 },
		{ { "sendmail", "-G", "-U", "-v", "-m", "-n", "-odb",
		      "-OTimeout=3", "-L", "tag", "a" },
		    SM_SEND, false, true, NULL, NULL, 1 },
		{ { "sendmail", "-bs" }, SM_SMTP, false, true, NULL, NULL, 0 },
		{ { "sendmail", "-bp" }, SM_LIST, false, true, NULL, NULL, 0 },
		{ { "/usr/bin/mailq" }, SM_LIST, false, true, NULL, NULL, 0 },
		{ { "newaliases" }, SM_ALIASES, false, true, NULL, NULL, 0 },
		{ { "sendmail", "-bi" }, SM_ALIASES, false, true, NULL, NULL,
		    0 },
		{ { "sendmail", "-q" }, SM_RETRY, false, true, NULL, NULL, 0 },
		{ { "sendmail", "-q30m" }, SM_NOTHING, false, true, NULL, NULL,
		    0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *why = "";
		struct sm_args a;

		if (args(rows[i].words, &a, &why) != RC_OK)
			fail_msg("row %zu: %s", i, why);
		assert_int_equal(a.mode, rows[i].mode);
		assert_int_equal(a.from_header, rows[i].t);
		assert_int_equal(a.dot_ends, rows[i].dot);
		assert_int_equal(a.has_sender, rows[i].sender != NULL);
		assert_true(str_eq(a.sender, str_c(rows[i].sender)));
		assert_true(str_eq(a.name, str_c(rows[i].name)));
		assert_int_equal(a.nto, rows[i].nto);
	}
}

static void
wrong_options_are_refused(void **state)
{
	static const char *const rows[][ARGVS] = {
		{ "sendmail", "-Z" },
		{ "sendmail", "-f" },
		{ "sendmail", "-bd" },
		{ "sendmail", "-bz" },
		{ "sendmail", "-N", "sometimes", "a" },
		{ "sendmail", "-N", "never,success", "a" },
		{ "sendmail", "-R", "all", "a" },
		{ "sendmail", "-V", "a b", "a" },
		{ "sendmail", "-V", "a+b", "a" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *why = "";
		struct sm_args a;

		if (args(rows[i], &a, &why) != RC_BAD)
			fail_msg("row %zu", i);
		assert_true(why[0] != '\0');
	}
}

static const struct sm_who joe = { S("joe"), S("Joe Doe"), S("host.example") };

static void
messages_are_completed(void **state)
{
	static const struct {
		const char *words[ARGVS];
		struct str in, out;
		const char *sender, *to; /* each with a space */
	} rows[] = {
		/* nothing but a body */
		{ { "s", "root" }, S("hello\n.\nmore\n"),
		    S("From: Joe Doe <joe@host.example>\r\n"
		      "To: undisclosed-recipients:;\r\n\r\nhello\r\n"),
		    "joe@host.example", "root@host.example " },
		{ { "s", "-i", "root" }, S("\n.\nmore"),
		    S("From: Joe Doe <joe@host.example>\r\n"
		      "To: undisclosed-recipients:;\r\n\r\n.\r\nmore\r\n"),
		    "joe@host.example", "root@host.example " },
		/* cron */
		{ { "s", "-FCronDaemon", "-i", "root" },
		    S("From: root (Cron Daemon)\nTo: root\nSubject: x\n\nb\n"),
		    S("From: Cron Daemon <root@host.example>\r\n"
		      "To: root@host.example\r\nSubject: x\r\n\r\nb\r\n"),
		    "joe@host.example", "root@host.example " },
		/* PHP: CRLF inside, Bcc goes, folds stay */
		{ { "s", "-t", "-i" },
		    S("To: a@x.example,\r\n b@x.example\r\nBcc: c@x.example\n"
		      "Cc: A@x.example\nFrom: w@x.example\nX: 1\n 2\n\nb"),
		    S("To: a@x.example,\r\n b@x.example\r\nCc: A@x.example\r\n"
		      "From: w@x.example\r\nX: 1\r\n 2\r\n\r\nb\r\n"),
		    "joe@host.example",
		    "a@x.example b@x.example c@x.example " },
		{ { "s", "-t", "d@x.example" },
		    S("Bcc: c@x.example\nReturn-Path: <x@y.example>\n\n"),
		    S("From: Joe Doe <joe@host.example>\r\n"
		      "To: undisclosed-recipients:;\r\n\r\n"),
		    "joe@host.example", "d@x.example c@x.example " },
		/* a resent one has recipients of its own */
		{ { "s", "-t" },
		    S("From: f@x.example\nTo: a@x.example\n"
		      "Resent-To: r@x.example\nResent-Bcc: q@x.example\n\n"),
		    S("From: f@x.example\r\nTo: a@x.example\r\n"
		      "Resent-To: r@x.example\r\n\r\n"),
		    "joe@host.example", "r@x.example q@x.example " },
		/* senders */
		{ { "s", "-f", "<>", "a@x.example" }, S("To: a\n\nb\n"),
		    S("To: a@host.example\r\n"
		      "From: Joe Doe <joe@host.example>\r\n\r\nb\r\n"),
		    "", "a@x.example " },
		{ { "s", "-f", "w@x.example", "-F", "W, Inc.", "a@x.example" },
		    S("To: a@x.example\n\nb\n"),
		    S("To: a@x.example\r\n"
		      "From: \"W, Inc.\" <w@x.example>\r\n\r\nb\r\n"),
		    "w@x.example", "a@x.example " },
		{ { "s", "-F", "J\xc3\xb6", "a@x.example" },
		    S("To: a@x.example\n\n"),
		    S("To: a@x.example\r\n"
		      "From: =?utf-8?B?SsO2?= <joe@host.example>\r\n\r\n"),
		    "joe@host.example", "a@x.example " },
		/* a line that is no field begins the body; an mbox line goes */
		{ { "s", "a@x.example" },
		    S("From joe Mon\nTo: a@x.example\nFrom: j@x.example\n"
		      "no field\nTo: b@x.example\n"),
		    S("To: a@x.example\r\nFrom: j@x.example\r\n\r\n"
		      "no field\r\nTo: b@x.example\r\n"),
		    "joe@host.example", "a@x.example " },
		/* a lone CR is a line's end, as progress bars have it */
		{ { "s", "a@x.example" },
		    S("To: a@x.example\nFrom: j@x.example\n\n1%\r2%\r\r\n3"),
		    S("To: a@x.example\r\nFrom: j@x.example\r\n\r\n"
		      "1%\r\n2%\r\n3\r\n"),
		    "joe@host.example", "a@x.example " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		AUTO_BUF lines = { 0 }, out = { 0 };
		struct str why = STR(""), to = STR("");
		const char *bad = "";
		struct sm_args sa;
		struct sm_letter l;

		buf_init(&lines, 1 << 16);
		buf_init(&out, 1 << 16);
		assert_int_equal(args(rows[i].words, &sa, &bad), RC_OK);
		assert_int_equal(
		    sm_lines(rows[i].in, sa.dot_ends, &lines), RC_OK);
		if (sm_letter(&a, &sa, &joe, buf_str(&lines), &out, &l, &why) !=
		    RC_OK)
			fail_msg("row %zu: %.*s", i, STRF(why));
		if (!str_eq(buf_str(&out), rows[i].out))
			fail_msg("row %zu:\n%.*s", i, STRF(buf_str(&out)));
		assert_true(str_eq(l.sender, str_c(rows[i].sender)));
		for (size_t k = 0; k < l.nto; k++)
			to = str_fmt(&a, "%.*s%.*s ", STRF(to), STRF(l.to[k]));
		if (!str_eq(to, str_c(rows[i].to)))
			fail_msg("row %zu: %.*s", i, STRF(to));
	}
}

static void
what_cannot_be_sent(void **state)
{
	static const struct {
		const char *words[ARGVS];
		struct str in;
	} rows[] = {
		{ { "s", "-t" }, S("Subject: x\n\nTo: a@x.example\n") },
		{ { "s", "a@b@c" }, S("\n") },
		{ { "s", "-f", "a b c", "a@x.example" }, S("\n") },
		{ { "s", "-f", "a@x.example, b@x.example", "c@x.example" },
		    S("\n") },
		{ { "s", "a\r\nDATA@x.example" }, S("\n") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		AUTO_BUF lines = { 0 }, out = { 0 };
		struct str why = STR("");
		const char *bad = "";
		struct sm_args sa;
		struct sm_letter l = { 0 };
		enum rc rc;

		buf_init(&lines, 1 << 16);
		buf_init(&out, 1 << 16);
		assert_int_equal(args(rows[i].words, &sa, &bad), RC_OK);
		assert_int_equal(sm_lines(rows[i].in, true, &lines), RC_OK);
		rc = sm_letter(&a, &sa, &joe, buf_str(&lines), &out, &l, &why);
		/* What is not refused holds nothing that ends a line. */
		for (size_t k = 0; rc == RC_OK && k < l.nto; k++)
			if (str_chr(l.to[k], '\r') < l.to[k].n ||
			    str_chr(l.to[k], '\n') < l.to[k].n)
				fail_msg("row %zu", i);
		if (rc == RC_OK && i != 1 && i != 4)
			fail_msg("row %zu", i);
	}
}

static void
full_names_of_passwd(void **state)
{
	static const struct {
		struct str gecos, out;
	} rows[] = {
		{ S("Joe Doe,,,"), S("Joe Doe") },
		{ S("& Doe"), S("Joe Doe") },
		{ S(""), S("") },
	};
	AUTO_ARENA a = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_true(str_eq(
		    sm_gecos_name(&a, rows[i].gecos, STR("joe")), rows[i].out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_as_programs_use_them),
		cmocka_unit_test(wrong_options_are_refused),
		cmocka_unit_test(messages_are_completed),
		cmocka_unit_test(what_cannot_be_sent),
		cmocka_unit_test(full_names_of_passwd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
