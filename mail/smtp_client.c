/*
 * Every command sent is entered in `pending`; a reply belongs to the oldest
 * one.  A reply that nobody waits for is an error, save 421 (RFC 5321 section
 * 3.8: the server may give up at any time).  With PIPELINING all of RSET,
 * MAIL, RCPT and DATA goes in one group; without, the next command is sent
 * when the reply to the last one is there.
 *
 * Decisions
 * - BODY=8BITMIME is said whenever the server knows it: it is true of every
 *   message, and finding out would mean reading each one twice.  A server that
 *   does not know it gets 8-bit content all the same, as from Exim and qmail:
 *   none that is in use today alters it, whereas converting would break the
 *   message's signatures and a bounce would lose it over a missing word.
 * - 552 to RCPT is 452 (RFC 5321 section 4.5.3.1.10).
 * - A greeting other than 220 is no verdict on the message: temporary, so that
 *   another host or another day gets its chance; save 521 (RFC 7504).
 * - A failed AUTH is our own fault, never the message's: temporary.
 * - The server's 354 although no recipient was taken (RFC 2920 section 3.1)
 *   is answered by an empty message.
 */
#include <string.h>

#include "mail/smtp_client_impl.h"

static const struct {
	const char *name;
	enum mail_client_phase phase;
} kinds[] = {
	[CMD_GREETING] = { "the greeting", MAIL_PHASE_GREETING },
	[CMD_EHLO] = { "EHLO", MAIL_PHASE_HELLO },
	[CMD_HELO] = { "HELO", MAIL_PHASE_HELLO },
	[CMD_STARTTLS] = { "STARTTLS", MAIL_PHASE_TLS },
	[CMD_AUTH] = { "AUTH", MAIL_PHASE_AUTH },
	[CMD_LOGIN] = { "AUTH", MAIL_PHASE_AUTH },
	[CMD_USER] = { "AUTH", MAIL_PHASE_AUTH },
	[CMD_RSET] = { "RSET", MAIL_PHASE_RSET },
	[CMD_MAIL] = { "MAIL", MAIL_PHASE_MAIL },
	[CMD_RCPT] = { "RCPT", MAIL_PHASE_RCPT },
	[CMD_DATA] = { "DATA", MAIL_PHASE_DATA },
	[CMD_DOT] = { "the end of DATA", MAIL_PHASE_DOT },
	[CMD_EMPTY] = { "the end of DATA", MAIL_PHASE_DOT },
	[CMD_QUIT] = { "QUIT", MAIL_PHASE_QUIT },
};

/* ---- results */

struct mail_client_result
mail_client_ours(enum rc rc, const char *status, struct str text)
{
	return (struct mail_client_result){
		.set = true, .rc = rc, .status = str_c(status), .reply = text
	};
}

/* The server's last reply, copied. */
struct mail_client_result
mail_client_theirs(struct mail_client *c, enum rc rc)
{
	const struct mail_reply *r = &c->reply;
	struct mail_client_result out = { .set = true,
		.rc = rc,
		.code = r->code,
		.status = str_dup(&c->a, str_c(r->status)),
		.reply = str_dup(&c->a, r->text),
		.from_server = true };

	/* What we do not take for a verdict must not look like one. */
	if (rc == RC_TEMP && out.status.p[0] != '4')
		out.status =
		    str_fmt(&c->a, "4%.*s", STRF(str_from(out.status, 1)));
	return out;
}

enum rc
mail_client_verdict(unsigned code)
{
	return code / 100 == 2 ? RC_OK : code / 100 == 5 ? RC_DENY : RC_TEMP;
}

void
mail_client_set_rest(struct mail_client *c, struct mail_client_result r)
{
	for (size_t i = 0; c->tx != NULL && i < c->tx->nto; i++)
		if (!c->to[i].set)
			c->to[i] = r;
}

/* The connection is of no more use, and this is why. */
void
mail_client_die(struct mail_client *c, struct mail_client_result why)
{
	if (c->want == MAIL_CLIENT_DEAD)
		return;
	c->want = MAIL_CLIENT_DEAD;
	why.elsewhere = !mail_client_dot_sent(c);
	c->fault = why;
	if (why.rc != RC_TEMP && c->tx != NULL)
		why = mail_client_ours(RC_TEMP, "4.3.0", why.reply);
	mail_client_set_rest(c, why);
}

void
mail_client_protocol_error(struct mail_client *c, const char *what)
{
	mail_client_die(
	    c, mail_client_ours(RC_TEMP, "4.5.0",
		   str_fmt(&c->a, "protocol error of the server: %s", what)));
}

void
mail_client_fail(struct mail_client *c, const char *status, struct str text)
{
	mail_client_die(
	    c, mail_client_ours(RC_TEMP, status, str_dup(&c->a, text)));
}

bool
mail_client_dot_sent(const struct mail_client *c)
{
	return c->dot_queued && c->out_at == c->out.n;
}

/* ---- commands */

void
mail_client_expect(
    struct mail_client *c, enum mail_client_kind kind, size_t rcpt)
{
	unsigned at = (c->head + c->npending) % COUNT(c->pending);

	assert(c->npending < COUNT(c->pending));
	c->pending[at] = (struct mail_client_cmd){
		.end = c->out_sent + (c->out.n - c->out_at),
		.kind = (uint8_t)kind,
		.rcpt = (uint16_t)rcpt,
	};
	c->npending++;
}

void
mail_client_put(struct mail_client *c, struct str s)
{
	/* Commands are bounded: at most 100 recipients of some 1 KiB. */
	if (buf_add(&c->out, s) != RC_OK)
		mail_client_protocol_error(c, "more commands than fit");
}

void
mail_client_command(
    struct mail_client *c, enum mail_client_kind kind, struct str line)
{
	mail_client_put(c, line);
	mail_client_put(c, STR("\r\n"));
	mail_client_expect(c, kind, 0);
}

void
mail_client_set_phase(struct mail_client *c)
{
	if (c->npending > 0)
		c->phase = kinds[c->pending[c->head].kind].phase;
}

/* ---- replies */

static void
on_reply(struct mail_client *c)
{
	struct mail_client_cmd cmd = c->pending[c->head];
	unsigned code = c->reply.code;

	c->head = (c->head + 1) % COUNT(c->pending);
	c->npending--;
	if (cmd.kind == CMD_QUIT) {
		c->want = MAIL_CLIENT_DEAD;
		return;
	}
	if (code == 421) {
		c->answered |= cmd.kind >= CMD_MAIL;
		mail_client_die(c, mail_client_theirs(c, RC_TEMP));
		return;
	}
	if (code / 100 == 3 && cmd.kind != CMD_DATA && cmd.kind != CMD_LOGIN &&
	    cmd.kind != CMD_USER) {
		mail_client_protocol_error(
		    c, "3xx where nothing more can follow");
		return;
	}
	if (cmd.kind < CMD_RSET)
		mail_client_hello_reply(c, (enum mail_client_kind)cmd.kind);
	else
		mail_client_mail_reply(
		    c, (enum mail_client_kind)cmd.kind, cmd.rcpt);
}

static bool
awaits(const struct mail_client *c, enum mail_client_kind kind)
{
	return c->npending > 0 && c->pending[c->head].kind == kind;
}

/*
 * Nobody waits for this reply, or the command has not left us yet.  A refusal
 * in the middle of the message is a verdict on it nevertheless.  In LMTP it
 * is one on a recipient, and nobody knows on which: all are tried again.
 */
static void
early_reply(struct mail_client *c)
{
	unsigned code = c->reply.code;
	enum rc rc = c->conf->lmtp ? RC_TEMP : mail_client_verdict(code);

	if ((c->want == MAIL_CLIENT_BODY || c->dot_queued) && code >= 400)
		mail_client_set_rest(c, mail_client_theirs(c, rc));
	mail_client_protocol_error(c, "a reply that nothing asked for");
}

static void
take_reply(struct mail_client *c)
{
	const struct mail_client_cmd *cmd = &c->pending[c->head];

	if (c->npending > 0 && cmd->end <= c->out_sent)
		on_reply(c);
	else if (c->reply.code == 421)
		mail_client_die(c, mail_client_theirs(c, RC_TEMP));
	else
		early_reply(c);
	mail_client_set_phase(c);
}

void
mail_client_input(struct mail_client *c, struct str in)
{
	struct str line;
	enum rc rc = RC_OK;

	while (c->want != MAIL_CLIENT_DEAD && rc == RC_OK && in.n > 0) {
		/*
		 * RFC 3207 section 4.2: what was said in clear behind the 220
		 * could be anybody's.
		 */
		if (c->want == MAIL_CLIENT_TLS) {
			mail_client_protocol_error(
			    c, "clear text behind STARTTLS");
			return;
		}
		rc = mail_reply_next(&c->reply, &in, &line);
		if (rc == RC_BAD)
			mail_client_protocol_error(
			    c, "no reply, or one without an end");
		if (rc != RC_OK)
			return;
		if (awaits(c, CMD_EHLO) && c->reply.lines > 1)
			mail_client_ehlo_line(c, line);
		if (c->reply.done)
			take_reply(c);
	}
}

/* ---- driven from outside */

void
mail_client_init(struct mail_client *c, const struct mail_client_conf *conf)
{
	memset(c, 0, sizeof(*c));
	c->conf = conf;
	c->in_tls = conf->in_tls;
	buf_init(&c->out, MAIL_CLIENT_OUT_MAX);
	mail_reply_init(&c->reply);
	mail_client_expect(c, CMD_GREETING, 0);
	mail_client_set_phase(c);
}

void
mail_client_free(struct mail_client *c)
{
	/* AUTH may be in both. */
	if (c->out.p != NULL)
		explicit_bzero(c->out.p, c->out.size);
	buf_free(&c->out);
	arena_free(&c->a);
}

struct str
mail_client_out(const struct mail_client *c)
{
	return str_from(buf_str(&c->out), c->out_at);
}

void
mail_client_sent(struct mail_client *c, size_t n)
{
	c->out_at += n;
	c->out_sent += n;
	assert(c->out_at <= c->out.n);
	if (c->out_at == c->out.n) {
		buf_clear(&c->out);
		c->out_at = 0;
	}
}

void
mail_client_tls(struct mail_client *c)
{
	assert(c->want == MAIL_CLIENT_TLS);
	c->in_tls = true;
	c->want = MAIL_CLIENT_INPUT;
	mail_reply_init(&c->reply);
	mail_client_hello(c, CMD_EHLO);
	mail_client_set_phase(c);
}

void
mail_client_quit(struct mail_client *c)
{
	if (c->want != MAIL_CLIENT_READY && c->want != MAIL_CLIENT_DONE)
		return;
	c->want = MAIL_CLIENT_INPUT;
	mail_client_command(c, CMD_QUIT, STR("QUIT"));
	mail_client_set_phase(c);
}

const char *
mail_client_doing(const struct mail_client *c)
{
	if (c->want == MAIL_CLIENT_BODY)
		return "DATA";
	if (c->want == MAIL_CLIENT_TLS)
		return "STARTTLS";
	return c->npending > 0 ? kinds[c->pending[c->head].kind].name
			       : "nothing";
}
