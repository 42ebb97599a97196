#include "tests/unit/mail/test.h"
#include "mail/dsn.h"
#include "mail/header.h"

#define S STR_INIT

static const struct mail_dsn plain = {
	.host = S("mail.example.org"),
	.postmaster = S("postmaster@example.org"),
	.to = S("ann@example.org"),
	.unique = S("0123456789abcdef"),
	.now = 1700000000,
	.arrived = 1699999000,
	.original =
	    S("From: ann@example.org\r\nMessage-ID: <x@y>\r\n\r\nhi\r\n"),
	.full = true,
};

static struct str
write_one(struct buf *b, const struct mail_dsn *d)
{
	buf_init(b, 1u << 20);
	assert_int_equal(mail_dsn_write(b, d), RC_OK);
	return buf_str(b);
}

static bool
has(struct str text, const char *what)
{
	return str_find(text, str_c(what)) < text.n;
}

static void
action_decides_the_words(void **state)
{
	static const struct {
		struct mail_dsn_rcpt r;
		const char *want[6];
	} rows[] = {
		{ { .action = MAIL_DSN_FAILED,
		      .status = S("5.1.1"),
		      .reply = S("550 5.1.1 No such user"),
		      .host = S("mx.example.net [192.0.2.1]"),
		      .from_server = true },
		    { "Subject: Your message could not be delivered\r\n",
			"typing errors", "Action: failed\r\nStatus: 5.1.1\r\n",
			"Remote-MTA: dns;mx.example.net\r\n",
			"Diagnostic-Code: smtp;550 5.1.1 No such user\r\n",
			"answered:\r\n        550 5.1.1 No such user\r\n" } },
		{ { .action = MAIL_DSN_FAILED,
		      .status = S("5.4.7"),
		      .expired = true,
		      .reply = S("connection refused") },
		    { "give up now", "Diagnostic-Code: x-gatepost;connection "
				     "refused\r\n" } },
		{ { .action = MAIL_DSN_DELAYED,
		      .status = S("4.4.1"),
		      .will_retry = 1700100000 },
		    { "Subject: Your message is late\r\n", "need not do",
			"Will-Retry-Until: Thu, 16 Nov 2023",
			"Action: "
			"delayed" } },
		{ { .action = MAIL_DSN_RELAYED, .status = S("2.0.0") },
		    { "Action: relayed\r\n", "handed to another" } },
		{ { .action = MAIL_DSN_DELIVERED, .status = S("2.0.0") },
		    { "Action: delivered\r\n" } },
		{ { .action = MAIL_DSN_EXPANDED, .status = S("2.0.0") },
		    { "Action: expanded\r\n" } },
		{ { .action = MAIL_DSN_FAILED, .status = S("5.1.10") },
		    { "takes no mail at all" } },
		{ { .action = MAIL_DSN_FAILED, .status = S("5.7.26") },
		    { "does not want this message" } },
		{ { .action = MAIL_DSN_FAILED, .status = S("") },
		    { "Status: 5.0.0\r\n" } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mail_dsn_rcpt r = rows[i].r;
		struct mail_dsn d = plain;
		AUTO_BUF b = { 0 };
		struct str text;

		r.address = STR("joe@example.net");
		d.rcpt = &r;
		d.nrcpt = 1;
		text = write_one(&b, &d);
		assert_true(
		    has(text, "Final-Recipient: rfc822;joe@example.net\r\n"));
		for (size_t k = 0; k < 6 && rows[i].want[k] != NULL; k++)
			if (!has(text, rows[i].want[k]))
				fail_msg("row %zu: no \"%s\" in\n%.*s", i,
				    rows[i].want[k], STRF(text));
	}
}

/* Of a message to thousands its words may not be kept. */
static void
no_server_is_quoted_without_words(void **state)
{
	const struct mail_dsn_rcpt r = { .action = MAIL_DSN_FAILED,
		.address = STR("joe@example.net"),
		.status = STR("5.1.1"),
		.from_server = true };
	struct mail_dsn d = plain;
	AUTO_BUF b = { 0 };
	struct str text;

	(void)state;
	d.rcpt = &r;
	d.nrcpt = 1;
	text = write_one(&b, &d);
	assert_false(has(text, "answered"));
	assert_false(has(text, "Diagnostic-Code"));
	assert_true(has(text, "typing errors"));
}

/* Nothing foreign ends a line, a field, a part. */
static void
foreign_text_is_tamed(void **state)
{
	const struct mail_dsn_rcpt r = {
		.action = MAIL_DSN_FAILED,
		.address = STR("joe\r\nBcc: x@y\"@example.net"),
		.orcpt = STR("rfc822;a+0D+0AX:b"),
		.status = STR("5.1.1"),
		.reply = STR("evil\r\n\r\n--gp-0123\r\nX-Bad: 1\0\xff"),
		.host = STR("mx\r\nX-Bad: 2"),
		.from_server = true,
	};
	struct mail_dsn d = plain;
	AUTO_BUF b = { 0 };
	struct str text;

	(void)state;
	d.rcpt = &r;
	d.nrcpt = 1;
	d.envid = STR("a+0D");
	d.original = STR("Message-ID: <\x01\x80>\r\n folded\r\n\r\n");
	text = write_one(&b, &d);
	assert_false(has(text, "\nBcc"));
	assert_false(has(text, "\nX-Bad"));
	assert_false(has(text, "\nX:b"));
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n')
			assert_true(i > 0 && text.p[i - 1] == '\r');
	}
}

static void
lines_stay_short(void **state)
{
	struct mail_dsn_rcpt r = { .action = MAIL_DSN_FAILED,
		.address = STR("joe@example.net"),
		.status = STR("5.0.0"),
		.from_server = true };
	struct mail_dsn d = plain;
	char reply[5000];
	AUTO_BUF b = { 0 };
	struct str text, line;

	(void)state;
	for (size_t i = 0; i < sizeof(reply); i++)
		reply[i] = i % 700 == 699 ? ' ' : 'x';
	r.reply = str_n(reply, sizeof(reply));
	d.rcpt = &r;
	d.nrcpt = 1;
	text = write_one(&b, &d);
	while (str_split(&text, '\n', &line))
		assert_true(line.n <= 80);
}

static void
utf8_reaches_people_whole(void **state)
{
	const struct mail_dsn_rcpt r = { .action = MAIL_DSN_FAILED,
		.address = STR("joe@example.net"),
		.status = STR("5.0.0"),
		.reply = STR("554 gr\xc3\xbc\xc3\x9f dich"),
		.from_server = true };
	struct mail_dsn d = plain;
	AUTO_BUF b = { 0 };
	struct str text;

	(void)state;
	d.rcpt = &r;
	d.nrcpt = 1;
	text = write_one(&b, &d);
	assert_true(str_is_utf8(text));
	assert_true(has(text, "554 gr\xc3\xbc\xc3\x9f dich"));
	assert_true(has(text, "Diagnostic-Code: smtp;554 gr???? dich"));
}

static void
originals_are_returned(void **state)
{
	const struct mail_dsn_rcpt r = { .action = MAIL_DSN_FAILED,
		.address = STR("joe@example.net"),
		.status = STR("5.0.0") };
	struct mail_dsn d = plain;
	AUTO_BUF full = { 0 }, head = { 0 }, twice = { 0 }, none = { 0 };
	struct str text;

	(void)state;
	d.rcpt = &r;
	d.nrcpt = 1;
	text = write_one(&full, &d);
	assert_true(has(text, "Content-Type: message/rfc822\r\n\r\nFrom: ann"));
	assert_true(has(text, "In-Reply-To: <x@y>\r\n"));
	d.full = false;
	text = write_one(&head, &d);
	assert_true(has(text, "Content-Type: text/rfc822-headers\r\n"));
	d.unreadable = true;
	d.original = STR("");
	text = write_one(&none, &d);
	assert_true(has(text, "cannot be returned with this notice"));
	assert_true(has(text, "\r\n--gp-0123456789abcdef--\r\n"));
	assert_false(has(text, "rfc822-headers"));
	d = plain;
	d.rcpt = &r;
	d.nrcpt = 1;
	d.is_double = true;
	text = write_one(&twice, &d);
	assert_true(has(text, "returned to you, the postmaster"));
	assert_true(has(text, "It was to go to:\r\n\r\n  joe@example.net\r\n"));
}

/* The sender who is not there, and not whom the message was for. */
static void
a_double_bounce_names_who_was_to_get_it(void **state)
{
	const struct mail_dsn_rcpt r = { .action = MAIL_DSN_FAILED,
		.address = STR("joe@example.net"),
		.status = STR("5.0.0") };
	struct mail_dsn d = plain;
	AUTO_BUF b = { 0 };
	struct str text;

	(void)state;
	d.rcpt = &r;
	d.nrcpt = 1;
	d.is_double = true;
	d.double_to = STR("nobody@example.org");
	text = write_one(&b, &d);
	assert_true(
	    has(text, "It was to go to:\r\n\r\n  nobody@example.org\r\n"));
	assert_true(
	    has(text, "not be delivered to:\r\n\r\n  joe@example.net\r\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(action_decides_the_words),
		cmocka_unit_test(no_server_is_quoted_without_words),
		cmocka_unit_test(foreign_text_is_tamed),
		cmocka_unit_test(lines_stay_short),
		cmocka_unit_test(utf8_reaches_people_whole),
		cmocka_unit_test(originals_are_returned),
		cmocka_unit_test(a_double_bounce_names_who_was_to_get_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
