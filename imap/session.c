/*
 * The session as netd sees it: the preamble, then lines and literals that
 * make commands.
 *
 * A literal is accepted (or refused) when it is announced: its command must
 * be legal now, and APPEND's message goes past the command's buffer.  What a
 * client with LITERAL+ sends on without waiting for the refusal is skipped.
 */
#include "imap/session.h"

#include "imap/pop3.h"
#include "imap/preamble.h"

static void *
on_open(void *ctx, struct netd_conn *c)
{
	struct imap_daemon *d = ctx;
	struct imap_session *s = xcalloc(1, sizeof(*s));

	s->d = d;
	s->c = c;
	s->conf = d->conf_get(d);
	s->log = *netd_log(c);
	s->phase = PH_NEW;
	imap_gather_init(&s->in);
	imap_out_init(&s->out);
	return s;
}

static void
on_close(void *session)
{
	struct imap_session *s = session;

	pop3_free(&s->pop3);
	imap_engine_drop(s);
	imap_view_drop(s);
	imap_deselect(s);
	xfree(s->idle_tag);
	imap_account_put(s->d->accounts, &s->account);
	imap_gather_free(&s->in);
	imap_out_free(&s->out);
	conf_unref(&s->conf);
	xfree(s);
}

static size_t
on_frame(void *session, struct str in)
{
	struct imap_session *s = session;

	if (s->phase == PH_NEW)
		return preamble_frame(in);
	if (s->pop3 != NULL)
		return pop3_frame(in);
	return imap_gather_frame(&s->in, in);
}

static enum next
say_bye(struct imap_session *s, struct str text)
{
	imap_bye(s, text);
	return imap_engine_pump(s);
}

/*
 * The ticket stands for the login that the pending tag asked for; whose mail
 * it is, the directory says.
 */
static enum rc
redeem(struct imap_session *s, const struct preamble *p, struct str *login)
{
	struct deadline dl = imap_deadline();
	struct dir_account who;
	enum rc rc = dir_ticket_redeem(
	    s->d->dir, &s->mem, p->ticket, p->service, dl, &who);

	if (rc == RC_OK) {
		*login = who.login;
		rc = imap_account_get(s->d->accounts, who.id, dl, &s->account);
	}
	return rc;
}

static enum next
on_preamble(struct imap_session *s, struct str data)
{
	struct preamble p;
	struct str login = STR("");
	enum rc rc;

	if (preamble_parse(data, &p) != RC_OK || p.tag.n == 0) {
		log_error(&s->log, "imap.preamble", KVU("size", data.n));
		return NEXT_ABORT;
	}
	s->log = log_with(s->d->log, "sid", p.sid);
	rc = redeem(s, &p, &login);
	if (rc != RC_OK)
		log_warn(&s->log, "imap.ticket", KV("service", p.service),
		    KVC("result", rc_name(rc)), KV("client", p.client));
	if (str_eq(p.service, STR("pop"))) {
		s->phase = PH_AUTH;
		s->pop3 = pop3_new();
		if (rc != RC_OK)
			return pop3_refuse(s, rc);
		netd_set_class(s->c, true);
		return pop3_begin(s, login, p.client);
	}
	if (rc != RC_OK) {
		imap_out_str(&s->out, p.tag);
		imap_out_str(&s->out,
		    rc == RC_TEMP
			? STR(" NO [UNAVAILABLE] Try again later\r\n")
			: STR(" NO [AUTHENTICATIONFAILED] Log in again\r\n"));
		return say_bye(s, STR("Not logged in"));
	}
	log_info(&s->log, "imap.login", KV("login", login),
	    KV("account", s->account->id), KV("client", p.client));
	imap_out_str(&s->out, p.tag);
	imap_out_str(&s->out,
	    STR(" OK [CAPABILITY " IMAP_CAPABILITIES "] Logged in\r\n"));
	arena_free(&s->mem);
	s->phase = PH_AUTH;
	netd_set_class(s->c, true);
	netd_set_timeout(s->c, (int)s->conf->imap_timeout_s * 1000);
	return imap_engine_pump(s);
}

/* The command will not be run: now, or when all of it has been skipped. */
static enum next
refuse_literal(
    struct imap_session *s, const struct imap_literal *lit, struct str reply)
{
	imap_append_free(s);
	if (lit->sync)
		return imap_engine_refuse(s, reply);
	if (lit->size > IMAP_DISCARD_MAX)
		return say_bye(s, STR("[TOOBIG] Literal is too large"));
	s->refused = reply;
	s->in.dropping = true;
	imap_gather_expect(&s->in, GATHER_DISCARD, lit->size);
	return imap_engine_pump(s);
}

static enum next
accept_literal(struct imap_session *s, const struct imap_literal *lit,
    enum imap_gather_mode mode)
{
	if (lit->sync)
		imap_out_str(&s->out, STR("+ OK\r\n"));
	imap_gather_expect(&s->in, mode, lit->size);
	return imap_engine_pump(s);
}

/* `lit->at` counts within the line; the command needs it within all. */
static enum next
on_literal(struct imap_session *s, struct str line, struct imap_literal lit)
{
	const struct imap_command *cmd;
	struct str fault, why;

	if (s->in.dropping)
		return refuse_literal(s, &lit,
		    s->refused.p != NULL ? s->refused
					 : STR("BAD Command is too long"));
	lit.at += s->in.b.n - line.n;
	fault = imap_engine_precheck(s, &cmd);
	if (fault.p != NULL)
		return refuse_literal(s, &lit, fault);
	if (s->append != NULL)
		return refuse_literal(
		    s, &lit, STR("BAD One message at a time"));
	if ((cmd->flags & CMD_STREAM) != 0) {
		switch (imap_append_begin(s, &lit, &why)) {
		case RC_OK:
			return accept_literal(s, &lit, GATHER_STREAM);
		case RC_NOENT:
			break;
		default:
			return refuse_literal(s, &lit, why);
		}
	}
	if (lit.size > IMAP_LITERAL_MAX)
		return refuse_literal(
		    s, &lit, STR("BAD [TOOBIG] Literal is too large"));
	return accept_literal(s, &lit, GATHER_LITERAL);
}

static enum next
on_line(struct imap_session *s, struct str line)
{
	struct imap_literal lit;

	if (s->idle_tag != NULL)
		return imap_idle_line(s, line);
	switch (imap_gather_line(&s->in, line, &lit)) {
	case RC_OK:
		return imap_engine_run(s);
	case RC_NOENT:
		return on_literal(s, line, lit);
	default:
		imap_append_free(s);
		return imap_engine_refuse(
		    s, s->refused.p != NULL ? s->refused
					    : STR("BAD Command is too long"));
	}
}

static enum next
on_data(struct imap_session *s, struct str data)
{
	if (s->phase == PH_NEW)
		return on_preamble(s, data);
	if (s->in.mode == GATHER_LINE)
		return on_line(s, data);
	if (s->in.mode == GATHER_STREAM)
		imap_append_chunk(s, data);
	(void)!imap_gather_bytes(&s->in, data);
	return NEXT_INPUT;
}

static enum next
on_unit(void *session, struct netd_conn *c, const struct netd_unit *u)
{
	struct imap_session *s = session;

	(void)c;
	if (s->pop3 != NULL)
		return pop3_unit(s, u);
	switch (u->kind) {
	case UNIT_OPEN:
		return NEXT_INPUT;
	case UNIT_DATA:
		return on_data(s, u->data);
	case UNIT_WAKE:
		s->news = s->idle_tag != NULL;
		return imap_engine_pump(s);
	case UNIT_DRAINED:
		return imap_engine_pump(s);
	case UNIT_TIMEOUT:
		return say_bye(s, STR("Idle for too long"));
	case UNIT_TOO_LONG:
		return say_bye(s, STR("[TOOBIG] Line is too long"));
	case UNIT_STOP:
		return say_bye(s, STR("Server is stopping, try again"));
	default:
		return NEXT_ABORT;
	}
}

const struct netd_ops imap_session_ops = {
	.open = on_open,
	.frame = on_frame,
	.unit = on_unit,
	.close = on_close,
};
