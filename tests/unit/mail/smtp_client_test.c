/*
 * The client's dialogue: each row is a server's part and what comes of it.  It
 * is run in whole replies and one byte at a time.
 */
#include "tests/unit/mail/test.h"

#include "mail/smtp_client.h"

#define SCRIPT_MAX 24

struct script {
	const char *name;
	/*
	 * What the server says, one entry a turn: all that we have to say has
	 * left before.  "" says nothing in that turn.
	 */
	const char *server[SCRIPT_MAX];
	const char *client; /* all that we said */
	enum mail_client_want end;
	const char *results; /* "ok 2.0.0, deny 5.1.1" */
};

static const struct mail_client_rcpt two[] = {
	{ .address = STR_INIT("b@y.test"),
	    .notify = MAIL_NOTIFY_SUCCESS | MAIL_NOTIFY_DELAY,
	    .orcpt = STR_INIT("rfc822;b@z.test") },
	{ .address = STR_INIT("c@y.test"), .notify = MAIL_NOTIFY_NEVER },
};

static const struct mail_client_tx message = {
	.from = STR_INIT("a@x.test"),
	.to = two,
	.nto = 2,
	.envid = STR_INIT("id1"),
	.ret = MAIL_RET_HDRS,
	.size = 7,
};

struct run {
	struct mail_client c;
	struct buf said;
	bool one_byte;
};

static void
drain(struct run *r)
{
	struct str out = mail_client_out(&r->c);

	assert_int_equal(buf_add(&r->said, out), RC_OK);
	mail_client_sent(&r->c, out.n);
}

/* What a driver does, without waiting for anything. */
static void
drive(struct run *r, const struct mail_client_tx *tx)
{
	for (;;) {
		drain(r);
		switch (r->c.want) {
		case MAIL_CLIENT_READY:
			mail_client_begin(&r->c, tx);
			break;
		case MAIL_CLIENT_TLS:
			assert_int_equal(
			    buf_add(&r->said, STR("<TLS>")), RC_OK);
			mail_client_tls(&r->c);
			break;
		case MAIL_CLIENT_BODY:
			assert_int_equal(
			    mail_client_body(&r->c, STR("hi\r\n.")), RC_OK);
			assert_int_equal(
			    mail_client_body(&r->c, STR("\r\n")), RC_OK);
			assert_int_equal(mail_client_body_end(&r->c), RC_OK);
			break;
		case MAIL_CLIENT_INPUT:
		case MAIL_CLIENT_DONE:
		case MAIL_CLIENT_DEAD:
			return;
		}
	}
}

static void
hear(struct run *r, struct str s)
{
	size_t step = r->one_byte ? 1 : s.n;

	for (size_t i = 0; i < s.n; i += step)
		mail_client_input(&r->c, str_sub(s, i, step));
}

static void
check_results(const struct script *s, struct run *r)
{
	AUTO_ARENA a = { 0 };
	struct str got = STR("");

	for (size_t i = 0; r->c.tx != NULL && i < r->c.tx->nto; i++) {
		const struct mail_client_result *x = &r->c.to[i];

		got = str_fmt(&a, "%.*s%s%s %.*s%s", STRF(got), i ? ", " : "",
		    x->set ? rc_name(x->rc) : "unset", STRF(x->status),
		    x->elsewhere ? "*" : "");
		for (size_t k = 0; k < x->reply.n; k++)
			assert_in_range(x->reply.p[k], 0x20, 0x7e);
	}
	if (r->c.tx == NULL)
		got = str_fmt(&a, "%s %.*s", rc_name(r->c.fault.rc),
		    STRF(r->c.fault.status));
	if (!str_eq(got, str_c(s->results)))
		fail_msg("%s: %.*s, not %s", s->name, STRF(got), s->results);
}

static void
play(const struct script *s, const struct mail_client_conf *conf,
    const struct mail_client_tx *tx, bool one_byte)
{
	struct run r = { .one_byte = one_byte };

	mail_client_init(&r.c, conf);
	buf_init(&r.said, 65536);
	for (size_t i = 0; s->server[i] != NULL; i++) {
		hear(&r, str_c(s->server[i]));
		drive(&r, tx);
	}
	if (s->client != NULL && !str_eq(buf_str(&r.said), str_c(s->client)))
		fail_msg("%s: said %.*s", s->name, STRF(buf_str(&r.said)));
	assert_int_equal(r.c.want, s->end);
	check_results(s, &r);
	buf_free(&r.said);
	mail_client_free(&r.c);
}

static void
play_all(const struct script *s, size_t n, const struct mail_client_conf *conf,
    const struct mail_client_tx *tx)
{
	for (size_t i = 0; i < n; i++) {
		play(&s[i], conf, tx, false);
		play(&s[i], conf, tx, true);
	}
}

#define PIPE                                                                   \
	"250-x\r\n250-pipelining\r\n250-SIZE 100\r\n250-DSN\r\n250 "           \
	"8BITMIME\r\n"
#define GROUP                                                                  \
	"MAIL FROM:<a@x.test> SIZE=7 BODY=8BITMIME RET=HDRS ENVID=id1\r\n"     \
	"RCPT TO:<b@y.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b@z.test\r\n"    \
	"RCPT TO:<c@y.test> NOTIFY=NEVER\r\n"                                  \
	"DATA\r\n"
#define BODY "hi\r\n..\r\n.\r\n"
#define LONG70                                                                 \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
	"xx"

static void
a_dialogue(void **state)
{
	static const struct script rows[] = {
		{ "pipelined",
		    { "220 x\r\n", PIPE,
			"250 2.1.0 a\r\n250 2.1.5 b\r\n250 2.1.5 c\r\n354 "
			"go\r\n",
			"250 2.0.0 taken\r\n" },
		    "EHLO me.test\r\n" GROUP BODY, MAIL_CLIENT_DONE,
		    "ok 2.0.0, ok 2.0.0" },
		{ "pipelined, in odd pieces",
		    { "220-hello\r\n220", " x\r\n", PIPE, "250 a\r\n25",
			"0 b\r\n250 c\r\n", "354", "\r\n", "250\r\n" },
		    "EHLO me.test\r\n" GROUP BODY, MAIL_CLIENT_DONE,
		    "ok 2.0.0, ok 2.0.0" },
		{ "one by one",
		    { "220 x\r\n", "250 x\r\n", "250 a\r\n", "250 b\r\n",
			"250 c\r\n", "354 go\r\n", "250 taken\r\n" },
		    "EHLO me.test\r\nMAIL FROM:<a@x.test>\r\n"
		    "RCPT TO:<b@y.test>\r\nRCPT TO:<c@y.test>\r\nDATA\r\n" BODY,
		    MAIL_CLIENT_DONE, "ok 2.0.0, ok 2.0.0" },
		{ "HELO",
		    { "220 x\r\n", "500 what\r\n", "250 x\r\n", "250 a\r\n",
			"251 b\r\n", "252 c\r\n", "354 go\r\n",
			"250 taken\r\n" },
		    "EHLO me.test\r\nHELO me.test\r\nMAIL FROM:<a@x.test>\r\n"
		    "RCPT TO:<b@y.test>\r\nRCPT TO:<c@y.test>\r\nDATA\r\n" BODY,
		    MAIL_CLIENT_DONE, "ok 2.0.0, ok 2.0.0" },
		{ "one is refused",
		    { "220 x\r\n", PIPE,
			"250 a\r\n550 5.1.1 no\r\n250 c\r\n354 go\r\n",
			"250 2.0.0 taken\r\n" },
		    "EHLO me.test\r\n" GROUP BODY, MAIL_CLIENT_DONE,
		    "deny 5.1.1, ok 2.0.0" },
		{ "all are refused, DATA is not",
		    { "220 x\r\n", PIPE,
			"250 a\r\n550 no\r\n450 no\r\n354 go\r\n",
			"554 nothing\r\n" },
		    "EHLO me.test\r\n" GROUP ".\r\n", MAIL_CLIENT_DONE,
		    "deny 5.0.0, temp 4.0.0" },
		{ "all are refused, one by one",
		    { "220 x\r\n", "250 x\r\n", "250 a\r\n", "550 no\r\n",
			"552 5.5.3 many\r\n" },
		    NULL, MAIL_CLIENT_DONE, "deny 5.0.0, temp 4.5.3" },
		{ "MAIL is refused for now: another host may be asked",
		    { "220 x\r\n", PIPE,
			"451 4.3.0 a\r\n503 b\r\n503 c\r\n503 d\r\n" },
		    NULL, MAIL_CLIENT_DONE, "temp 4.3.0*, temp 4.3.0*" },
		{ "MAIL is refused for good",
		    { "220 x\r\n", PIPE,
			"550 5.7.1 a\r\n503 b\r\n503 c\r\n354 d\r\n",
			"250 e\r\n" },
		    NULL, MAIL_CLIENT_DONE, "deny 5.7.1, deny 5.7.1" },
		{ "DATA is refused",
		    { "220 x\r\n", PIPE,
			"250 a\r\n250 b\r\n550 5.1.1 c\r\n451 4.3.2 d\r\n" },
		    NULL, MAIL_CLIENT_DONE, "temp 4.3.2, deny 5.1.1" },
		{ "the dot is refused",
		    { "220 x\r\n", PIPE, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n",
			"554-5.7.1 one\r\n554 5.7.1 two\r\n" },
		    NULL, MAIL_CLIENT_DONE, "deny 5.7.1, deny 5.7.1" },
		{ "a status that contradicts its code",
		    { "220 x\r\n", PIPE, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n",
			"451 5.7.1 hm\r\n" },
		    NULL, MAIL_CLIENT_DONE, "temp 4.0.0, temp 4.0.0" },
		{ "lines end in LF alone",
		    { "220 x\n", "250-x\n250 PIPELINING\n",
			"250 a\n250 b\n250 c\n354 d\n", "250 e\n" },
		    NULL, MAIL_CLIENT_DONE, "ok 2.0.0, ok 2.0.0" },
		{ "421 in the middle",
		    { "220 x\r\n", PIPE, "250 a\r\n421 4.3.2 bye\r\n" }, NULL,
		    MAIL_CLIENT_DEAD, "temp 4.3.2*, temp 4.3.2*" },
		{ "421 to the dot",
		    { "220 x\r\n", PIPE, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n",
			"421 4.3.2 bye\r\n" },
		    NULL, MAIL_CLIENT_DEAD, "temp 4.3.2, temp 4.3.2" },
		{ "a reply too many behind the last",
		    { "220 x\r\n", PIPE, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n",
			"250 2.0.0 e\r\n250 f\r\n" },
		    NULL, MAIL_CLIENT_DEAD, "ok 2.0.0, ok 2.0.0" },
	};
	static const struct mail_client_conf conf = {
		.helo = STR_INIT("me.test"), .tls = MAIL_CLIENT_TLS_MAY
	};

	(void)state;
	play_all(rows, COUNT(rows), &conf, &message);
}

static void
no_dialogue(void **state)
{
	static const struct script rows[] = {
		{ "greeting 554 is no verdict", { "554 5.7.1 no\r\n" }, "",
		    MAIL_CLIENT_DEAD, "temp 4.7.1" },
		{ "521 is one", { "521 5.3.2 no\r\n" }, "", MAIL_CLIENT_DEAD,
		    "deny 5.3.2" },
		{ "another protocol", { "HTTP/1.1 400 x\r\n" }, "",
		    MAIL_CLIENT_DEAD, "temp 4.5.0" },
		{ "four digits", { "2200 x\r\n" }, "", MAIL_CLIENT_DEAD,
		    "temp 4.5.0" },
		{ "1xx", { "120 x\r\n" }, "", MAIL_CLIENT_DEAD, "temp 4.5.0" },
		{ "an empty line", { "\r\n" }, "", MAIL_CLIENT_DEAD,
		    "temp 4.5.0" },
		{ "it speaks first", { "220 x\r\n", PIPE "250 a\r\n" }, NULL,
		    MAIL_CLIENT_DEAD, "temp 4.5.0" },
		{ "3xx to EHLO", { "220 x\r\n", "334 x\r\n" }, NULL,
		    MAIL_CLIENT_DEAD, "temp 4.5.0" },
		{ "HELO is refused", { "220 x\r\n", "500 a\r\n", "550 b\r\n" },
		    NULL, MAIL_CLIENT_DEAD, "deny 5.0.0" },
	};
	static const struct mail_client_conf conf = { .helo = STR_INIT("me") };

	(void)state;
	/* Whole only: a driver that reads a byte at a time answers sooner. */
	for (size_t i = 0; i < COUNT(rows); i++)
		play(&rows[i], &conf, &message, false);
}

static void
starttls_and_auth(void **state)
{
	static const struct script rows[] = {
		{ "TLS, then PLAIN",
		    { "220 x\r\n",
			"250-x\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n",
			"220 go\r\n", "250-x\r\n250 AUTH PLAIN LOGIN\r\n",
			"235 in\r\n", "550 no\r\n" },
		    "EHLO me\r\nSTARTTLS\r\n<TLS>EHLO me\r\n"
		    "AUTH PLAIN AHVzZXIAcGFzcw==\r\nMAIL FROM:<a@x.test>\r\n",
		    MAIL_CLIENT_DONE, "deny 5.0.0, deny 5.0.0" },
		{ "LOGIN",
		    { "220 x\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n",
			"250 AUTH=LOGIN\r\n", "" },
		    NULL, MAIL_CLIENT_DEAD, "temp 4.7.4" },
		{ "LOGIN",
		    { "220 x\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n",
			"250-x\r\n250 AUTH=LOGIN\r\n", "334 VXNlcm5hbWU6\r\n",
			"334 UGFzc3dvcmQ6\r\n", "535 5.7.8 no\r\n" },
		    "EHLO me\r\nSTARTTLS\r\n<TLS>EHLO me\r\nAUTH LOGIN\r\n"
		    "dXNlcg==\r\ncGFzcw==\r\n",
		    MAIL_CLIENT_DEAD, "temp 4.7.8" },
		{ "no TLS", { "220 x\r\n", "250-x\r\n250 AUTH PLAIN\r\n" },
		    "EHLO me\r\n", MAIL_CLIENT_DEAD, "temp 4.7.11" },
		{ "TLS is refused",
		    { "220 x\r\n",
			"250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n",
			"454 no\r\n" },
		    "EHLO me\r\nSTARTTLS\r\n", MAIL_CLIENT_DEAD,
		    "temp 4.7.11" },
		{ "clear text behind the 220",
		    { "220 x\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n2" },
		    NULL, MAIL_CLIENT_DEAD, "temp 4.5.0" },
	};
	static const struct mail_client_conf conf = {
		.helo = STR_INIT("me"),
		.tls = MAIL_CLIENT_TLS_MAY,
		.user = STR_INIT("user"),
		.password = STR_INIT("pass"),
	};
	static const struct script must = { "TLS must be",
		{ "220 x\r\n", "250 x\r\n" }, "EHLO me\r\n", MAIL_CLIENT_DEAD,
		"temp 4.7.4" };
	static const struct mail_client_conf strict = { .helo = STR_INIT("me"),
		.tls = MAIL_CLIENT_TLS_MUST };

	(void)state;
	play_all(rows, COUNT(rows), &conf, &message);
	play_all(&must, 1, &strict, &message);
}

static void
lmtp(void **state)
{
	static const struct script rows[] = {
		{ "one reply each",
		    { "220 x\r\n", PIPE, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n",
			"250 2.0.0 b\r\n", "452 4.2.2 c\r\n" },
		    "LHLO me\r\n" GROUP BODY, MAIL_CLIENT_DONE,
		    "ok 2.0.0, temp 4.2.2" },
		{ "a refused one has none",
		    { "220 x\r\n", PIPE,
			"250 a\r\n550 5.1.1 b\r\n250 c\r\n354 d\r\n",
			"250 2.0.0 c\r\n" },
		    NULL, MAIL_CLIENT_DONE, "deny 5.1.1, ok 2.0.0" },
		{ "421 behind the first",
		    { "220 x\r\n", PIPE, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n",
			"250 2.0.0 b\r\n421 4.3.2 bye\r\n" },
		    NULL, MAIL_CLIENT_DEAD, "ok 2.0.0, temp 4.3.2" },
		{ "no HELO", { "220 x\r\n", "500 what\r\n" }, "LHLO me\r\n",
		    MAIL_CLIENT_DEAD, "temp 4.0.0" },
	};
	static const struct mail_client_conf conf = { .helo = STR_INIT("me"),
		.lmtp = true };

	(void)state;
	play_all(rows, COUNT(rows), &conf, &message);
}

/* The message is refused before its end: in LMTP, for one of its recipients. */
static void
a_verdict_in_the_middle(void **state)
{
	static const struct {
		bool lmtp, dot; /* dot: the last bytes wait to be sent */
		const char *reply, *result;
	} rows[] = {
		{ false, false, "552 5.3.4 big\r\n",
		    "deny 5.3.4 552 5.3.4 big" },
		{ false, true, "552 5.3.4 big\r\n",
		    "deny 5.3.4 552 5.3.4 big" },
		{ false, true, "452 4.2.2 full\r\n",
		    "temp 4.2.2 452 4.2.2 full" },
		{ true, false, "552 5.2.2 full\r\n",
		    "temp 4.2.2 552 5.2.2 full" },
		{ true, true, "552 5.2.2 full\r\n",
		    "temp 4.2.2 552 5.2.2 full" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct mail_client_conf conf = { .helo = STR("me"),
			.lmtp = rows[i].lmtp };
		struct run r = { 0 };
		AUTO_ARENA a = { 0 };

		mail_client_init(&r.c, &conf);
		buf_init(&r.said, 65536);
		hear(&r, STR("220 x\r\n"));
		drive(&r, &message);
		hear(&r, STR(PIPE));
		drive(&r, &message);
		hear(&r, STR("250 a\r\n250 b\r\n250 c\r\n354 d\r\n"));
		assert_int_equal(r.c.want, MAIL_CLIENT_BODY);
		assert_int_equal(mail_client_body(&r.c, STR("hi")), RC_OK);
		if (rows[i].dot)
			assert_int_equal(mail_client_body_end(&r.c), RC_OK);
		hear(&r, str_c(rows[i].reply));
		assert_int_equal(r.c.want, MAIL_CLIENT_DEAD);
		for (size_t k = 0; k < message.nto; k++) {
			const struct mail_client_result *x = &r.c.to[k];

			CHECK_STR(str_fmt(&a, "%s %.*s %.*s", rc_name(x->rc),
				      STRF(x->status), STRF(x->reply)),
			    str_c(rows[i].result));
			assert_true(x->from_server);
		}
		buf_free(&r.said);
		mail_client_free(&r.c);
	}
}

static void
what_cannot_be_sent_is_not(void **state)
{
	static const struct mail_client_rcpt bad[] = {
		{ .address = STR_INIT("b@y.test> X=Y") },
		{ .address = STR_INIT("b\r\nDATA@y.test") },
		{ .address = STR_INIT("") },
		{ .address = STR_INIT("\xc3\xa4@y.test") },
	};
	static const struct mail_client_tx rcpts = {
		.from = STR_INIT(""), .to = bad, .nto = COUNT(bad)
	};
	static const struct mail_client_tx big = {
		.from = STR_INIT("a@x.test"), .to = two, .nto = 2, .size = 101
	};
	static const struct script rows[] = {
		{ "addresses", { "220 x\r\n", PIPE, "" }, "EHLO me\r\n",
		    MAIL_CLIENT_DONE,
		    "deny 5.1.3, deny 5.1.3, deny 5.1.3, deny 5.1.3" },
		{ "size", { "220 x\r\n", PIPE, "" }, "EHLO me\r\n",
		    MAIL_CLIENT_DONE, "deny 5.3.4, deny 5.3.4" },
	};
	static const struct mail_client_conf conf = { .helo = STR_INIT("me") };

	(void)state;
	play_all(&rows[0], 1, &conf, &rcpts);
	play_all(&rows[1], 1, &conf, &big);
}

static void
a_reply_has_limits(void **state)
{
	struct mail_client_conf conf = { .helo = STR_INIT("me") };
	static const struct {
		const char *line;
		size_t times;
		enum mail_client_want end;
	} rows[] = {
		{ "220-x\r\n", 99, MAIL_CLIENT_INPUT },
		{ "220-x\r\n", 100, MAIL_CLIENT_DEAD },
		{ "220-" LONG70 LONG70 LONG70 "\r\n", 74, MAIL_CLIENT_INPUT },
		{ "220-" LONG70 LONG70 LONG70 "\r\n", 80, MAIL_CLIENT_DEAD },
		{ LONG70, 29, MAIL_CLIENT_INPUT },
		{ LONG70, 30, MAIL_CLIENT_DEAD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mail_client c;

		mail_client_init(&c, &conf);
		for (size_t k = 0; k < rows[i].times; k++)
			mail_client_input(&c, str_c(rows[i].line));
		if (c.want != MAIL_CLIENT_DEAD && rows[i].line[3] == '-')
			mail_client_input(&c, STR("220 end\r\n"));
		assert_int_equal(c.want, rows[i].end);
		assert_true(c.reply.text.n <= MAIL_REPLY_TEXT);
		mail_client_free(&c);
	}
}

static void
rset_before_the_next(void **state)
{
	static const struct mail_client_conf conf = { .helo = STR_INIT("me") };
	struct run r = { 0 };

	(void)state;
	for (int pipelining = 0; pipelining < 2; pipelining++) {
		mail_client_init(&r.c, &conf);
		buf_init(&r.said, 65536);
		hear(&r, STR("220 x\r\n"));
		drive(&r, &message);
		hear(&r, pipelining ? STR("250-x\r\n250 PIPELINING\r\n")
				    : STR("250 x\r\n"));
		drive(&r, &message);
		hear(&r, STR("550 no\r\n"));
		if (pipelining)
			hear(&r, STR("503 a\r\n503 b\r\n503 c\r\n"));
		assert_int_equal(r.c.want, MAIL_CLIENT_DONE);
		buf_clear(&r.said);
		mail_client_begin(&r.c, &message);
		assert_int_equal(r.c.phase, MAIL_PHASE_RSET);
		drive(&r, &message);
		if (!pipelining) {
			CHECK_STR(buf_str(&r.said), str_c("RSET\r\n"));
			hear(&r, STR("250 ok\r\n"));
			drive(&r, &message);
		}
		assert_true(str_has_prefix(
		    buf_str(&r.said), STR("RSET\r\nMAIL FROM:<a@x.test>\r\n")));
		assert_int_equal(r.c.messages, 2);
		mail_client_fail(&r.c, "4.4.2", STR("gone"));
		assert_int_equal(r.c.want, MAIL_CLIENT_DEAD);
		assert_true(r.c.to[0].set && r.c.to[0].elsewhere);
		assert_false(mail_client_dot_sent(&r.c));
		buf_free(&r.said);
		mail_client_free(&r.c);
	}
}

/* Lost behind the dot, or while its last bytes are still here. */
static void
the_dot_decides_about_another_host(void **state)
{
	static const struct mail_client_conf conf = { .helo = STR_INIT("me") };

	(void)state;
	for (int sent = 0; sent < 2; sent++) {
		struct run r = { 0 };

		mail_client_init(&r.c, &conf);
		buf_init(&r.said, 65536);
		hear(&r, STR("220 x\r\n"));
		drive(&r, &message);
		hear(&r, STR(PIPE));
		drive(&r, &message);
		hear(&r, STR("250 a\r\n250 b\r\n250 c\r\n354 d\r\n"));
		assert_int_equal(r.c.want, MAIL_CLIENT_BODY);
		assert_int_equal(mail_client_body(&r.c, STR("x\r\n")), RC_OK);
		assert_int_equal(mail_client_body_end(&r.c), RC_OK);
		mail_client_sent(&r.c, sent ? 6 : 5);
		mail_client_fail(&r.c, "4.4.2", STR("gone"));
		assert_int_equal(r.c.to[0].elsewhere, !sent);
		assert_int_equal(r.c.to[0].rc, RC_TEMP);
		buf_free(&r.said);
		mail_client_free(&r.c);
	}
}

static void
lines_are_made_right(void **state)
{
	static const struct {
		struct str in;
		const char *out;
	} rows[] = {
		{ STR_INIT(""), ".\r\n" },
		{ STR_INIT("a"), "a\r\n.\r\n" },
		{ STR_INIT("a\r\n"), "a\r\n.\r\n" },
		{ STR_INIT("a\n"), "a\r\n.\r\n" },
		{ STR_INIT("a\r"), "a\r\n.\r\n" },
		{ STR_INIT("a\r\rb\n\nc\r\n\r"),
		    "a\r\n\r\nb\r\n\r\nc\r\n\r\n.\r\n" },
		{ STR_INIT("."), "..\r\n.\r\n" },
		{ STR_INIT(".\r\n"), "..\r\n.\r\n" },
		{ STR_INIT("\n.\n"), "\r\n..\r\n.\r\n" },
		{ STR_INIT("a\r.\r\nb"), "a\r\n..\r\nb\r\n.\r\n" },
		{ STR_INIT("a.\r\n..\r\n"), "a.\r\n...\r\n.\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t step = 1; step <= rows[i].in.n + 1; step++) {
			struct mail_stuff s = { 0 };
			AUTO_BUF out;

			buf_init(&out, 1000);
			for (size_t k = 0; k < rows[i].in.n; k += step)
				assert_int_equal(
				    mail_stuff_add(
					&s, str_sub(rows[i].in, k, step), &out),
				    RC_OK);
			assert_int_equal(mail_stuff_end(&s, &out), RC_OK);
			CHECK_STR(buf_str(&out), str_c(rows[i].out));
		}
}

static void
statuses(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "5.1.1 no", "5.1.1" },
		{ "2.0.0", "2.0.0" },
		{ "4.999.999 x", "4.999.999" },
		{ "5.1.1000 x", "" },
		{ "5.1 x", "" },
		{ "5..1 x", "" },
		{ "3.1.1 x", "" },
		{ "5.1.1x", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_STR(
		    mail_status_of(str_c(rows[i].in)), str_c(rows[i].out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dialogue),
		cmocka_unit_test(no_dialogue),
		cmocka_unit_test(starttls_and_auth),
		cmocka_unit_test(lmtp),
		cmocka_unit_test(a_verdict_in_the_middle),
		cmocka_unit_test(what_cannot_be_sent_is_not),
		cmocka_unit_test(a_reply_has_limits),
		cmocka_unit_test(rset_before_the_next),
		cmocka_unit_test(the_dot_decides_about_another_host),
		cmocka_unit_test(lines_are_made_right),
		cmocka_unit_test(statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
