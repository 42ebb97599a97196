/*
 * BDAT (RFC 3030) carries the message, so that no dot has to be stuffed. Either
 * all recipients are taken or nothing is sent: a program that is told of a
 * failure may try again, and must then not send to anybody twice.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "mail/addr.h"
#include "mail/smtp_reply.h"
#include "sendmail/sm_talk.h"

#define REPLY_MS 120000
#define WRITE_MS 120000
#define PIPELINE 50u /* RCPT that are sent without waiting */

struct talk {
	struct arena *a;
	int fd;
	struct buf in;
	struct mail_reply r;
	struct str *why;
};

int
sm_connect(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(sa.sun_path))
		return -1;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -1;
	return take(&fd);
}

static int
fail(struct talk *t, int status, const char *what)
{
	*t->why = str_c(what);
	return status;
}

static enum rc
say(struct talk *t, struct str s)
{
	struct deadline dl = deadline_in(WRITE_MS);

	while (s.n > 0) {
		ssize_t n = send(t->fd, s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			s = str_from(s, (size_t)n);
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			return RC_TEMP;
		else if (fd_wait(t->fd, POLLOUT, dl) != RC_OK)
			return RC_TEMP;
	}
	return RC_OK;
}

static enum rc
fill(struct talk *t, struct deadline dl)
{
	ssize_t n;

	if (buf_reserve(&t->in, 4096) != RC_OK ||
	    fd_wait(t->fd, POLLIN, dl) != RC_OK)
		return RC_TEMP;
	n = read(t->fd, t->in.p + t->in.n, 4096);
	if (n <= 0)
		return RC_TEMP;
	t->in.n += (size_t)n;
	return RC_OK;
}

/* One reply; `each` sees its lines.  RC_TEMP: no answer. */
static enum rc
hear(struct talk *t, void (*each)(void *ctx, struct str line), void *ctx)
{
	struct deadline dl = deadline_in(REPLY_MS);
	struct str line;

	for (;;) {
		struct str in = buf_str(&t->in);
		enum rc rc = mail_reply_next(&t->r, &in, &line);

		buf_consume(&t->in, t->in.n - in.n);
		if (rc == RC_BAD || (rc == RC_NOENT && fill(t, dl) != RC_OK))
			return RC_TEMP;
		if (rc != RC_OK)
			continue;
		if (each != NULL)
			each(ctx, line);
		if (t->r.done)
			return RC_OK;
	}
}

/* What the last reply means to a program that called us. */
static int
status_of(struct talk *t, int permanent)
{
	struct str status = str_c(t->r.status);

	if (t->r.code / 100 == 2)
		return EX_OK;
	*t->why = str_dup(t->a, t->r.text);
	if (t->r.code / 100 != 5)
		return EX_TEMPFAIL;
	if (str_eq(status, STR("5.7.1")))
		return EX_NOPERM;
	if (str_eq(status, STR("5.6.0")))
		return EX_DATAERR;
	return permanent;
}

static int
hear_status(struct talk *t, int permanent)
{
	if (hear(t, NULL, NULL) != RC_OK)
		return fail(t, EX_TEMPFAIL, "no answer from Gatepost");
	return status_of(t, permanent);
}

struct greeting {
	struct arena *a;
	struct str host;
};

static void
keep_host(void *ctx, struct str line)
{
	struct greeting *g = ctx;

	if (g->host.n == 0)
		g->host = str_lower(g->a, str_word(&line));
}

int
sm_greeting(struct arena *a, int fd, struct str *host, struct str *why)
{
	struct talk t = { .a = a, .fd = fd, .why = why };
	struct greeting g = { .a = a, .host = STR("") };
	int status = EX_OK;

	buf_init(&t.in, 64u << 10);
	mail_reply_init(&t.r);
	if (hear(&t, keep_host, &g) != RC_OK)
		status = fail(&t, EX_TEMPFAIL, "no greeting from Gatepost");
	else
		status = status_of(&t, EX_UNAVAILABLE);
	if (status == EX_OK && !mail_domain_ok(g.host))
		status = fail(&t, EX_PROTOCOL, "a greeting without a name");
	*host = g.host;
	buf_free(&t.in);
	return status;
}

static int
ehlo(struct talk *t)
{
	if (say(t, STR("EHLO localhost\r\n")) != RC_OK)
		return fail(t, EX_TEMPFAIL, "Gatepost has hung up");
	return hear_status(t, EX_UNAVAILABLE);
}

static int
mail_from(struct talk *t, const struct sm_args *args, const struct sm_letter *l,
    size_t size)
{
	AUTO_BUF b = { 0 };
	enum rc rc;

	buf_init(&b, 4096);
	rc = buf_fmt(&b, "MAIL FROM:<%.*s> SIZE=%zu%s", STRF(l->sender), size,
	    l->eight_bit ? " BODY=8BITMIME" : "");
	if (rc == RC_OK && args->ret.n > 0)
		rc = buf_fmt(&b, " RET=%.*s", STRF(args->ret));
	if (rc == RC_OK && args->envid.n > 0)
		rc = buf_fmt(&b, " ENVID=%.*s", STRF(args->envid));
	if (rc == RC_OK)
		rc = buf_add(&b, STR("\r\n"));
	if (rc != RC_OK || say(t, buf_str(&b)) != RC_OK)
		return fail(t, EX_TEMPFAIL, "Gatepost has hung up");
	return hear_status(t, EX_UNAVAILABLE);
}

/* A batch of RCPT; the worst answer is what counts. */
static int
rcpts(
    struct talk *t, const struct sm_args *args, const struct str *to, size_t n)
{
	int status = EX_OK;
	AUTO_BUF b = { 0 };
	enum rc rc = RC_OK;

	buf_init(&b, PIPELINE * 1024u);
	for (size_t i = 0; i < n && rc == RC_OK; i++)
		rc = buf_fmt(&b, "RCPT TO:<%.*s>%s%.*s\r\n", STRF(to[i]),
		    args->notify.n > 0 ? " NOTIFY=" : "", STRF(args->notify));
	if (rc != RC_OK || say(t, buf_str(&b)) != RC_OK)
		return fail(t, EX_TEMPFAIL, "Gatepost has hung up");
	for (size_t i = 0; i < n; i++) {
		int one = hear_status(t, EX_NOUSER);

		if (one == EX_OK)
			continue;
		*t->why =
		    str_fmt(t->a, "%.*s: %.*s", STRF(to[i]), STRF(*t->why));
		if (status == EX_OK || one == EX_TEMPFAIL)
			status = one;
		if (t->r.code == 0)
			return status;
	}
	return status;
}

static int
body(struct talk *t, struct str text)
{
	struct str head = str_fmt(t->a, "BDAT %zu LAST\r\n", text.n);

	if (say(t, head) != RC_OK || say(t, text) != RC_OK)
		return fail(t, EX_TEMPFAIL, "Gatepost has hung up");
	return hear_status(t, EX_UNAVAILABLE);
}

static int
dialogue(struct talk *t, const struct sm_args *args, const struct sm_letter *l,
    struct str text)
{
	int status = ehlo(t);

	if (status == EX_OK)
		status = mail_from(t, args, l, text.n);
	for (size_t i = 0; i < l->nto && status == EX_OK; i += PIPELINE)
		status = rcpts(
		    t, args, l->to + i, MIN(l->nto - i, (size_t)PIPELINE));
	if (status == EX_OK)
		status = body(t, text);
	return status;
}

int
sm_send(struct arena *a, int fd, const struct sm_args *args,
    const struct sm_letter *l, struct str text, struct str *why)
{
	struct talk t = { .a = a, .fd = fd, .why = why };
	int status;

	buf_init(&t.in, 64u << 10);
	mail_reply_init(&t.r);
	status = dialogue(&t, args, l, text);
	(void)!say(&t, STR("QUIT\r\n"));
	buf_free(&t.in);
	return status;
}

/* What people type ends in LF; SMTP wants CR LF. */
static enum rc
with_crlf(struct talk *t, struct str in, char *last)
{
	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];
		enum rc rc = RC_OK;

		if (c == '\n' && *last != '\r')
			rc = buf_add_char(&t->in, '\r');
		if (rc == RC_OK)
			rc = buf_add_char(&t->in, c);
		if (rc != RC_OK)
			return rc;
		*last = c;
	}
	return RC_OK;
}

static enum rc
pass_on(struct talk *t, char *last, bool *open)
{
	char text[4096];
	ssize_t n = read(STDIN_FILENO, text, sizeof(text));
	enum rc rc;

	if (n < 0 && errno == EINTR)
		return RC_OK;
	if (n <= 0) {
		*open = false;
		shutdown(t->fd, SHUT_WR);
		return RC_OK;
	}
	rc = with_crlf(t, str_n(text, (size_t)n), last);
	if (rc == RC_OK)
		rc = say(t, buf_str(&t->in));
	buf_clear(&t->in);
	return rc;
}

int
sm_relay(int fd)
{
	struct talk t = { .fd = fd };
	bool open = true;
	char text[4096], last = '\0';
	int status = EX_OK;

	buf_init(&t.in, 64u << 10);
	for (;;) {
		struct pollfd p[] = {
			{ .fd = fd, .events = POLLIN },
			{ .fd = open ? STDIN_FILENO : -1, .events = POLLIN },
		};
		ssize_t n = 0;

		/* The gateway ends a session that says nothing. */
		if (poll(p, COUNT(p), -1) < 0)
			continue;
		if (p[1].revents != 0 && pass_on(&t, &last, &open) != RC_OK)
			open = false; /* what it said last is still to come */
		if (p[0].revents == 0)
			continue;
		n = read(fd, text, sizeof(text));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (fd_write_all(STDOUT_FILENO, str_n(text, (size_t)n)) !=
		    RC_OK) {
			status = EX_IOERR;
			break;
		}
	}
	buf_free(&t.in);
	return status;
}
