/*
 * A command is one line, or lines with literals between them.  One that is a
 * single line is parsed where it was received; only literals make it be
 * gathered, in memory that is wiped, since it may hold a password.
 *
 * Lines end in CRLF and in nothing else; a bare LF ends the session, as in
 * SMTP, because whoever sends one may see line ends where we do not.
 */
#include <string.h>

#include "gateway/gw_imap_session.h"

static enum next on_capability(
    struct gw_imap *, struct str, struct gw_imap_in *);
static enum next on_id(struct gw_imap *, struct str, struct gw_imap_in *);
static enum next on_noop(struct gw_imap *, struct str, struct gw_imap_in *);
static enum next on_starttls(struct gw_imap *, struct str, struct gw_imap_in *);
static enum next on_logout(struct gw_imap *, struct str, struct gw_imap_in *);

static const struct command {
	struct str name;
	bool alone; /* takes no argument */
	enum next (*run)(struct gw_imap *, struct str tag, struct gw_imap_in *);
} commands[] = {
	{ STR_INIT("CAPABILITY"), true, on_capability },
	{ STR_INIT("LOGIN"), false, gw_imap_login },
	{ STR_INIT("AUTHENTICATE"), false, gw_imap_authenticate },
	{ STR_INIT("STARTTLS"), true, on_starttls },
	{ STR_INIT("ID"), false, on_id },
	{ STR_INIT("NOOP"), true, on_noop },
	{ STR_INIT("LOGOUT"), true, on_logout },
};

enum next
gw_imap_reply(struct gw_imap *s, struct str tag, const char *text)
{
	if (tag.n == 0)
		tag = STR("*");
	if (netd_write(s->c, tag) != RC_OK ||
	    netd_write(s->c, STR(" ")) != RC_OK ||
	    netd_write(s->c, str_c(text)) != RC_OK ||
	    netd_write(s->c, STR("\r\n")) != RC_OK)
		return NEXT_ABORT;
	return NEXT_INPUT;
}

enum next
gw_imap_bye(struct gw_imap *s, const char *text)
{
	if (netd_write(s->c, STR("* BYE ")) != RC_OK ||
	    netd_write(s->c, str_c(text)) != RC_OK ||
	    netd_write(s->c, STR("\r\n")) != RC_OK)
		return NEXT_ABORT;
	return NEXT_CLOSE;
}

enum next
gw_imap_bad(struct gw_imap *s, struct str tag, const char *text)
{
	enum next next = gw_imap_reply(s, tag, text);

	if (next != NEXT_INPUT || ++s->errors < GW_IMAP_ERRORS)
		return next;
	log_info(s->log, "imap.errors", KVU("errors", s->errors),
	    KV("client", netd_peer_ip(s->c)));
	return gw_imap_bye(s, "Too many errors");
}

static enum next
on_capability(struct gw_imap *s, struct str tag, struct gw_imap_in *in)
{
	struct str caps = gw_imap_capabilities(s);

	(void)in;
	if (netd_write(s->c, STR("* CAPABILITY ")) != RC_OK ||
	    netd_write(s->c, caps) != RC_OK ||
	    netd_write(s->c, STR("\r\n")) != RC_OK)
		return NEXT_ABORT;
	return gw_imap_reply(s, tag, "OK Done");
}

/* RFC 2971: what the client says of itself may help whoever reads the log. */
static bool
parse_id(struct gw_imap_in *in, struct str *name, struct str *version)
{
	struct str key, value;

	if (!gw_imap_space(in))
		return false;
	if (!gw_imap_char(in, '('))
		return gw_imap_nstring(in, &value) && gw_imap_end(in);
	for (unsigned i = 0; i < 30; i++) {
		if (gw_imap_char(in, ')'))
			return gw_imap_end(in);
		if (i > 0 && !gw_imap_space(in))
			return false;
		if (!gw_imap_nstring(in, &key) || !gw_imap_space(in) ||
		    !gw_imap_nstring(in, &value))
			return false;
		if (str_ieq(key, STR("name")))
			*name = value;
		else if (str_ieq(key, STR("version")))
			*version = value;
	}
	return gw_imap_char(in, ')') && gw_imap_end(in);
}

static enum next
on_id(struct gw_imap *s, struct str tag, struct gw_imap_in *in)
{
	struct str name = STR(""), version = STR("");

	if (!parse_id(in, &name, &version))
		return gw_imap_bad(s, tag, "BAD Invalid arguments of ID");
	log_debug(s->log, "imap.id", KV("name", name), KV("version", version));
	if (netd_write(s->c, STR("* ID (\"name\" \"Gatepost\")\r\n")) != RC_OK)
		return NEXT_ABORT;
	return gw_imap_reply(s, tag, "OK Done");
}

static enum next
on_noop(struct gw_imap *s, struct str tag, struct gw_imap_in *in)
{
	(void)in;
	return gw_imap_reply(s, tag, "OK Done");
}

static enum next
on_starttls(struct gw_imap *s, struct str tag, struct gw_imap_in *in)
{
	enum next next;

	(void)in;
	if (netd_is_tls(s->c))
		return gw_imap_bad(s, tag, "BAD TLS is active already");
	if (!netd_has_tls(s->c))
		return gw_imap_reply(s, tag, "NO TLS is not available");
	next = gw_imap_reply(s, tag, "OK Begin TLS");
	return next == NEXT_INPUT ? NEXT_TLS : next;
}

static enum next
on_logout(struct gw_imap *s, struct str tag, struct gw_imap_in *in)
{
	enum next next = gw_imap_bye(s, "Logging out");

	(void)in;
	if (next == NEXT_CLOSE && gw_imap_reply(s, tag, "OK Bye") != NEXT_INPUT)
		next = NEXT_ABORT;
	return next;
}

static enum next
run(struct gw_imap *s, struct gw_imap_in in)
{
	struct str tag, name;

	if (!gw_imap_tag(&in, &tag) || tag.n > GW_IMAP_TAG_MAX ||
	    !gw_imap_space(&in))
		return gw_imap_bad(s, STR(""), "BAD Invalid tag");
	if (!gw_imap_atom(&in, &name))
		return gw_imap_bad(s, tag, "BAD Command expected");
	for (size_t i = 0; i < COUNT(commands); i++) {
		if (!str_ieq(name, commands[i].name))
			continue;
		if (commands[i].alone && !gw_imap_end(&in))
			return gw_imap_bad(s, tag, "BAD No arguments expected");
		return commands[i].run(s, tag, &in);
	}
	return gw_imap_bad(s, tag, "BAD Unknown command, or log in first");
}

static void
cmd_drop(struct gw_imap *s)
{
	gw_sasl_wipe(str_n(s->cmd, s->cmd_size));
	xfree(s->cmd);
	s->cmd = NULL;
	s->cmd_n = s->cmd_size = 0;
}

/* Never by realloc, which would leave a copy of a password behind. */
static bool
cmd_add(struct gw_imap *s, struct str part)
{
	size_t want = MAX(s->cmd_size * 2, (size_t)512);
	char *p;

	if (part.n > GW_IMAP_COMMAND_MAX - s->cmd_n)
		return false;
	if (s->cmd_n + part.n > s->cmd_size) {
		want = MIN(MAX(want, s->cmd_n + part.n), GW_IMAP_COMMAND_MAX);
		p = xmalloc(want);
		if (s->cmd_n > 0)
			memcpy(p, s->cmd, s->cmd_n);
		gw_sasl_wipe(str_n(s->cmd, s->cmd_size));
		xfree(s->cmd);
		s->cmd = p;
		s->cmd_size = want;
	}
	memcpy(s->cmd + s->cmd_n, part.p, part.n);
	s->cmd_n += part.n;
	return true;
}

static enum next
run_gathered(struct gw_imap *s)
{
	struct gw_imap_in in = { s->cmd, s->cmd_n };
	enum next next = run(s, in);

	cmd_drop(s);
	return next;
}

/*
 * A literal that will not be taken.  Who waits for "+" is told and sends
 * nothing; what is on its way already is thrown away, if it is not much.
 */
static enum next
refuse_literal(struct gw_imap *s, uint64_t size, bool sync)
{
	struct gw_imap_in in = { s->cmd, s->cmd_n };
	struct str tag;

	if (!gw_imap_tag(&in, &tag) || tag.n > GW_IMAP_TAG_MAX)
		tag = STR("");
	tag = str_dup(&s->unit, tag);
	cmd_drop(s);
	if (!sync) {
		if (size > 4 * GW_IMAP_COMMAND_MAX)
			return gw_imap_bye(s, "[TOOBIG] Literal is too large");
		s->mode = GI_DISCARD;
		s->left = size;
	}
	return gw_imap_bad(s, tag, "BAD [TOOBIG] Command is too large");
}

static enum next
expect_literal(struct gw_imap *s, uint64_t size, bool sync)
{
	/* The CRLF behind it must fit as well. */
	if (size + 2 > GW_IMAP_COMMAND_MAX - s->cmd_n || size > UINT32_MAX)
		return refuse_literal(s, size, sync);
	if (sync && netd_write(s->c, STR("+ OK\r\n")) != RC_OK)
		return NEXT_ABORT;
	s->left = size;
	s->mode = size > 0 ? GI_LITERAL : GI_LINE;
	return NEXT_INPUT;
}

static enum next
on_line(struct gw_imap *s, struct str line)
{
	union {
		const char *in;
		char *out;
	} p = { line.p };
	uint64_t size;
	bool sync;

	if (line.n < 2 || line.p[line.n - 1] != '\n')
		return gw_imap_bye(s, "Command line is too long");
	if (line.p[line.n - 2] != '\r' || str_chr(line, '\n') != line.n - 1 ||
	    str_chr(line, '\r') != line.n - 2)
		return gw_imap_bye(s, "Lines end in CRLF and nothing else");
	if (s->mode == GI_SASL)
		return gw_imap_sasl_line(s, str_sub(line, 0, line.n - 2));
	if (gw_imap_literal(line, &size, &sync)) {
		if (!cmd_add(s, line))
			return gw_imap_bye(s, "Command is too large");
		return expect_literal(s, size, sync);
	}
	if (s->cmd_n == 0)
		return run(s, (struct gw_imap_in){ p.out, line.n });
	if (!cmd_add(s, line))
		return gw_imap_bye(s, "Command is too large");
	return run_gathered(s);
}

static enum next
on_data(struct gw_imap *s, struct str data)
{
	if (s->mode == GI_LINE || s->mode == GI_SASL)
		return on_line(s, data);
	s->left -= data.n;
	if (s->mode == GI_LITERAL && !cmd_add(s, data))
		panic("literal of a checked size does not fit");
	if (s->left == 0)
		s->mode = GI_LINE;
	return NEXT_INPUT;
}

static enum next
greet(struct gw_imap *s)
{
	struct str caps = gw_imap_capabilities(s);

	if (netd_write(s->c, STR("* OK [CAPABILITY ")) != RC_OK ||
	    netd_write(s->c, caps) != RC_OK ||
	    netd_write(s->c, STR("] Gatepost ready\r\n")) != RC_OK)
		return NEXT_ABORT;
	return NEXT_INPUT;
}

/* The reply of a failed login was held back; now it goes. */
static enum next
on_wake(struct gw_imap *s)
{
	struct str reply = s->later;

	if (reply.n == 0)
		return NEXT_INPUT;
	s->later = STR("");
	if (netd_write(s->c, reply) != RC_OK)
		return NEXT_ABORT;
	gw_imap_sasl_reset(s);
	if (s->failures >= GW_IMAP_TRIES)
		return gw_imap_bye(s, "Too many failed logins");
	return NEXT_INPUT;
}

/* RFC 3501 section 6.2.1: what was said before TLS is forgotten. */
static void
forget(struct gw_imap *s)
{
	gw_imap_sasl_reset(s);
	cmd_drop(s);
	s->mode = GI_LINE;
	s->errors = 0;
}

static enum next
unit(void *session, struct netd_conn *c, const struct netd_unit *u)
{
	struct gw_imap *s = session;
	enum next next = NEXT_INPUT;
	int64_t left;

	(void)c;
	switch (u->kind) {
	case UNIT_OPEN:
		next = greet(s);
		break;
	case UNIT_DATA:
		next = on_data(s, u->data);
		gw_sasl_wipe(u->data);
		break;
	case UNIT_WAKE:
		next = on_wake(s);
		break;
	case UNIT_TLS:
		forget(s);
		break;
	case UNIT_TIMEOUT:
		next = gw_imap_bye(s, "Login took too long");
		break;
	case UNIT_TOO_LONG:
		next = gw_imap_bye(s, "Command line is too long");
		break;
	case UNIT_STOP:
		next = gw_imap_bye(s, "Shutting down, come back in a moment");
		break;
	case UNIT_DRAINED:
		break;
	}
	arena_free(&s->unit);
	if (next == NEXT_INPUT) {
		left = (s->until - now_ns()) / 1000000;
		netd_set_timeout(s->c, (int)MAX(left, 1));
	}
	return next;
}

static size_t
frame(void *session, struct str in)
{
	struct gw_imap *s = session;
	size_t lf, max;

	if (s->mode == GI_LITERAL || s->mode == GI_DISCARD)
		return (size_t)MIN(in.n, s->left);
	lf = str_chr(in, '\n');
	max =
	    gw_login_secure(&s->login) ? GW_IMAP_LINE_MAX : GW_IMAP_COMMAND_MAX;
	if (lf < in.n && lf < max)
		return lf + 1;
	return in.n >= max ? max : 0;
}

/* Only a greeting that offers logins asks the directory. */
static bool
quick(void *session, const struct netd_unit *u)
{
	const struct gw_imap *s = session;

	return u->kind == UNIT_WAKE ||
	       (u->kind == UNIT_OPEN && !gw_login_secure(&s->login));
}

static void *
session_open(void *ctx, struct netd_conn *c)
{
	struct gw *gw = ctx;
	struct gw_imap *s = xcalloc(1, sizeof(*s));

	s->gw = gw;
	s->conf = gw_conf(gw);
	s->c = c;
	s->log = netd_log(c);
	s->login = (struct gw_login){ .gw = gw,
		.conf = s->conf,
		.c = c,
		.log = s->log,
		.unit = &s->unit,
		.seat = &s->seat,
		.service = "imap",
		.has_login = true,
		.ticket = true };
	s->until = deadline_in(GW_IMAP_LOGIN_S * 1000).at_ns;
	netd_set_timeout(c, GW_IMAP_LOGIN_S * 1000);
	return s;
}

static void
session_close(void *session)
{
	struct gw_imap *s = session;

	gw_guard_leave(s->gw, &s->seat);
	gw_imap_sasl_reset(s);
	cmd_drop(s);
	arena_free(&s->unit);
	arena_free(&s->login.a);
	conf_unref(&s->conf);
	xfree(s);
}

const struct netd_ops gw_imap_ops = {
	.open = session_open,
	.frame = frame,
	.unit = unit,
	.close = session_close,
	.quick = quick,
};
