/*
 * The AUTHORIZATION state.  A command is one line that ends in CRLF and in
 * nothing else; its words are separated by one space, and what follows PASS
 * and a space is the password, spaces and all (RFC 1939 section 7).
 *
 * A line may hold a password and is wiped when it was read.
 */
#include "gateway/gw_pop3_session.h"
#include "gateway/gw_sasl.h"

static enum next on_capa(struct gw_pop3 *, struct str);
static enum next on_stls(struct gw_pop3 *, struct str);
static enum next on_quit(struct gw_pop3 *, struct str);

static const struct command {
	struct str name;
	bool alone; /* takes no argument */
	enum next (*run)(struct gw_pop3 *, struct str arg);
} commands[] = {
	{ STR_INIT("CAPA"), true, on_capa },
	{ STR_INIT("STLS"), true, on_stls },
	{ STR_INIT("USER"), false, gw_pop3_user },
	{ STR_INIT("PASS"), false, gw_pop3_pass },
	{ STR_INIT("AUTH"), false, gw_pop3_auth },
	{ STR_INIT("QUIT"), true, on_quit },
};

static enum next
say(struct gw_pop3 *s, const char *status, const char *text)
{
	return netd_write(s->c, str_c(status)) == RC_OK &&
		       netd_write(s->c, str_c(text)) == RC_OK &&
		       netd_write(s->c, STR("\r\n")) == RC_OK
		   ? NEXT_INPUT
		   : NEXT_ABORT;
}

enum next
gw_pop3_ok(struct gw_pop3 *s, const char *text)
{
	return say(s, "+OK ", text);
}

enum next
gw_pop3_err(struct gw_pop3 *s, const char *text)
{
	enum next next = say(s, "-ERR ", text);

	if (next != NEXT_INPUT || ++s->errors < GW_POP3_ERRORS)
		return next;
	log_info(s->log, "pop3.errors", KVU("errors", s->errors),
	    KV("client", netd_peer_ip(s->c)));
	return NEXT_CLOSE;
}

/* EXPIRE NEVER: nothing is removed that the client has not deleted. */
static enum next
on_capa(struct gw_pop3 *s, struct str arg)
{
	struct str mechs = gw_login_mechs(&s->login);
	struct str text = STR("+OK Capabilities follow\r\n"
			      "TOP\r\nUIDL\r\nRESP-CODES\r\n"
			      "AUTH-RESP-CODE\r\nPIPELINING\r\n"
			      "EXPIRE NEVER\r\n");

	(void)arg;
	if (netd_has_tls(s->c) && !netd_is_tls(s->c))
		text = str_cat(&s->unit, text, STR("STLS\r\n"));
	if (mechs.n > 0)
		text = str_fmt(&s->unit, "%.*sUSER\r\nSASL %.*s\r\n",
		    STRF(text), STRF(mechs));
	text = str_cat(&s->unit, text, STR("IMPLEMENTATION Gatepost\r\n.\r\n"));
	return netd_write(s->c, text) == RC_OK ? NEXT_INPUT : NEXT_ABORT;
}

static enum next
on_stls(struct gw_pop3 *s, struct str arg)
{
	enum next next;

	(void)arg;
	if (netd_is_tls(s->c))
		return gw_pop3_err(s, "TLS is active already");
	if (!netd_has_tls(s->c))
		return gw_pop3_err(s, "TLS is not available");
	next = gw_pop3_ok(s, "Begin TLS");
	return next == NEXT_INPUT ? NEXT_TLS : next;
}

static enum next
on_quit(struct gw_pop3 *s, struct str arg)
{
	enum next next = gw_pop3_ok(s, "Bye");

	(void)arg;
	return next == NEXT_INPUT ? NEXT_CLOSE : next;
}

static enum next
command(struct gw_pop3 *s, struct str line)
{
	size_t space = str_chr(line, ' ');
	struct str name = str_sub(line, 0, space);
	struct str arg = str_from(line, space + 1);

	for (size_t i = 0; i < COUNT(commands); i++) {
		if (!str_ieq(name, commands[i].name))
			continue;
		if (commands[i].alone && arg.n > 0)
			return gw_pop3_err(s, "No argument expected");
		return commands[i].run(s, arg);
	}
	return gw_pop3_err(s, "Unknown command, or log in first");
}

static enum next
refuse_line(struct gw_pop3 *s, const char *why)
{
	enum next next = gw_pop3_err(s, why);

	return next == NEXT_INPUT ? NEXT_CLOSE : next;
}

static enum next
on_line(struct gw_pop3 *s, struct str unit)
{
	struct str line = str_sub(unit, 0, unit.n - MIN(unit.n, (size_t)2));

	if (unit.p[unit.n - 1] != '\n')
		return refuse_line(s, "Line is too long");
	if (unit.n < 2 || unit.p[unit.n - 2] != '\r' ||
	    str_chr(line, '\r') < line.n)
		return refuse_line(s, "Lines end in CRLF and nothing else");
	if (s->login.state != GW_LOGIN_NONE)
		return gw_pop3_sasl_line(s, line);
	if (str_chr(line, '\0') < line.n)
		return refuse_line(s, "NUL in command");
	return command(s, line);
}

/* The reply of a failed login was held back; now it goes. */
static enum next
on_wake(struct gw_pop3 *s)
{
	struct str reply = s->later;

	if (reply.n == 0)
		return NEXT_INPUT;
	s->later = STR("");
	if (netd_write(s->c, reply) != RC_OK)
		return NEXT_ABORT;
	gw_pop3_reset(s);
	return s->failures >= GW_POP3_TRIES ? NEXT_CLOSE : NEXT_INPUT;
}

static enum next
stopping(struct gw_pop3 *s)
{
	enum next next = gw_pop3_err(s, "[SYS/TEMP] Shutting down");

	return next == NEXT_INPUT ? NEXT_CLOSE : next;
}

static enum next
unit(void *session, struct netd_conn *c, const struct netd_unit *u)
{
	struct gw_pop3 *s = session;
	enum next next = NEXT_INPUT;
	int64_t left;

	(void)c;
	switch (u->kind) {
	case UNIT_OPEN:
		/* No "<...>" in it: that would offer APOP. */
		next = gw_pop3_ok(s, "Gatepost ready");
		break;
	case UNIT_DATA:
		next = on_line(s, u->data);
		gw_sasl_wipe(u->data);
		break;
	case UNIT_WAKE:
		next = on_wake(s);
		break;
	case UNIT_TLS:
		/* RFC 2595 section 4: what was said before is forgotten. */
		gw_pop3_reset(s);
		s->errors = 0;
		break;
	case UNIT_TIMEOUT:
		next = NEXT_CLOSE; /* silently: RFC 1939 section 3 */
		break;
	case UNIT_TOO_LONG:
		next = refuse_line(s, "Line is too long");
		break;
	case UNIT_STOP:
		next = stopping(s);
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
	struct gw_pop3 *s = session;
	size_t lf = str_chr(in, '\n');
	size_t max = GW_POP3_LINE_MAX;

	/* RFC 5034 section 4 has long initial responses in a line of their
	 * own; not all clients do. */
	if (s->login.state != GW_LOGIN_NONE ||
	    str_has_iprefix(in, STR("AUTH ")))
		max = GW_SASL_MAX + 64;
	if (lf < in.n && lf < max)
		return lf + 1;
	return in.n >= max ? max : 0;
}

static bool
quick(void *session, const struct netd_unit *u)
{
	(void)session;
	return u->kind == UNIT_OPEN || u->kind == UNIT_WAKE;
}

static void *
session_open(void *ctx, struct netd_conn *c)
{
	struct gw *gw = ctx;
	struct gw_pop3 *s = xcalloc(1, sizeof(*s));

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
		.service = "pop",
		.ticket = true };
	s->until = deadline_in(GW_POP3_LOGIN_S * 1000).at_ns;
	netd_set_timeout(c, GW_POP3_LOGIN_S * 1000);
	return s;
}

static void
session_close(void *session)
{
	struct gw_pop3 *s = session;

	gw_guard_leave(s->gw, &s->seat);
	gw_pop3_reset(s);
	arena_free(&s->unit);
	conf_unref(&s->conf);
	xfree(s);
}

const struct netd_ops gw_pop3_ops = {
	.open = session_open,
	.frame = frame,
	.unit = unit,
	.close = session_close,
	.quick = quick,
};
