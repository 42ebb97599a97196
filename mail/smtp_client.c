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

#include "mail/smtp_client.h"

enum kind {
	CMD_GREETING,
	CMD_EHLO,
	CMD_HELO,
	CMD_STARTTLS,
	CMD_AUTH,  /* PLAIN, or the password of LOGIN */
	CMD_LOGIN, /* AUTH LOGIN: the user name is asked for */
	CMD_USER,  /* the password is */
	CMD_RSET,
	CMD_MAIL,
	CMD_RCPT,
	CMD_DATA,
	CMD_DOT, /* LMTP: one for each recipient */
	CMD_EMPTY,
	CMD_QUIT,
};

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

static struct mail_client_result
result_ours(enum rc rc, const char *status, struct str text)
{
	return (struct mail_client_result){
		.set = true, .rc = rc, .status = str_c(status), .reply = text
	};
}

/* The server's last reply, copied. */
static struct mail_client_result
result_server(struct mail_client *c, enum rc rc)
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

static enum rc
verdict(unsigned code)
{
	return code / 100 == 2 ? RC_OK : code / 100 == 5 ? RC_DENY : RC_TEMP;
}

static void
set_rest(struct mail_client *c, struct mail_client_result r)
{
	for (size_t i = 0; c->tx != NULL && i < c->tx->nto; i++)
		if (!c->to[i].set)
			c->to[i] = r;
}

/* The connection is of no more use, and this is why. */
static void
die(struct mail_client *c, struct mail_client_result why)
{
	if (c->want == MAIL_CLIENT_DEAD)
		return;
	c->want = MAIL_CLIENT_DEAD;
	why.elsewhere = !mail_client_dot_sent(c);
	c->fault = why;
	if (why.rc != RC_TEMP && c->tx != NULL)
		why = result_ours(RC_TEMP, "4.3.0", why.reply);
	set_rest(c, why);
}

static void
protocol_error(struct mail_client *c, const char *what)
{
	die(c, result_ours(RC_TEMP, "4.5.0",
		   str_fmt(&c->a, "protocol error of the server: %s", what)));
}

void
mail_client_fail(struct mail_client *c, const char *status, struct str text)
{
	die(c, result_ours(RC_TEMP, status, str_dup(&c->a, text)));
}

bool
mail_client_dot_sent(const struct mail_client *c)
{
	return c->dot_queued && c->out_at == c->out.n;
}

/* ---- commands */

static void
expect(struct mail_client *c, enum kind kind, size_t rcpt)
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

static void
put(struct mail_client *c, struct str s)
{
	/* Commands are bounded: at most 100 recipients of some 1 KiB. */
	if (buf_add(&c->out, s) != RC_OK)
		protocol_error(c, "more commands than fit");
}

static void
command(struct mail_client *c, enum kind kind, struct str line)
{
	put(c, line);
	put(c, STR("\r\n"));
	expect(c, kind, 0);
}

static void
hello(struct mail_client *c, enum kind kind)
{
	const char *verb = kind == CMD_HELO ? "HELO"
			   : c->conf->lmtp  ? "LHLO"
					    : "EHLO";

	c->ext = c->ext_new = 0;
	c->size_new = 0;
	command(c, kind, str_fmt(&c->a, "%s %.*s", verb, STRF(c->conf->helo)));
}

/* RFC 3461 section 4: printable ASCII without spaces; else it is not said. */
static bool
xtext_ok(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0 && s.n <= 500;
}

static void
say_mail(struct mail_client *c)
{
	const struct mail_client_tx *tx = c->tx;
	struct arena *a = &c->a;

	put(c, str_fmt(a, "MAIL FROM:<%.*s>", STRF(tx->from)));
	if (c->ext & MAIL_CLIENT_SIZE)
		put(c, str_fmt(a, " SIZE=%llu", (unsigned long long)tx->size));
	if (c->ext & MAIL_CLIENT_8BITMIME)
		put(c, STR(" BODY=8BITMIME"));
	if (c->ext & MAIL_CLIENT_DSN) {
		if (tx->ret != MAIL_RET_NONE)
			put(c, tx->ret == MAIL_RET_FULL ? STR(" RET=FULL")
							: STR(" RET=HDRS"));
		if (xtext_ok(tx->envid))
			put(c, str_fmt(a, " ENVID=%.*s", STRF(tx->envid)));
	}
	command(c, CMD_MAIL, STR(""));
}

static void
say_notify(struct mail_client *c, unsigned notify)
{
	static const struct {
		unsigned bit;
		struct str name;
	} words[] = {
		{ MAIL_NOTIFY_SUCCESS, STR_INIT("SUCCESS") },
		{ MAIL_NOTIFY_FAILURE, STR_INIT("FAILURE") },
		{ MAIL_NOTIFY_DELAY, STR_INIT("DELAY") },
	};
	struct str sep = STR(" NOTIFY=");

	if (notify & MAIL_NOTIFY_NEVER) {
		put(c, STR(" NOTIFY=NEVER"));
		return;
	}
	for (size_t i = 0; i < COUNT(words); i++) {
		if (!(notify & words[i].bit))
			continue;
		put(c, sep);
		put(c, words[i].name);
		sep = STR(",");
	}
}

/* The next recipient that has no result yet; false: there is none. */
static bool
say_rcpt(struct mail_client *c)
{
	const struct mail_client_rcpt *r;
	size_t i = c->next_rcpt;

	while (i < c->tx->nto && c->to[i].set)
		i++;
	c->next_rcpt = i + 1;
	if (i >= c->tx->nto)
		return false;
	r = &c->tx->to[i];
	put(c, str_fmt(&c->a, "RCPT TO:<%.*s>", STRF(r->address)));
	if (c->ext & MAIL_CLIENT_DSN) {
		say_notify(c, r->notify);
		if (xtext_ok(r->orcpt))
			put(c, str_fmt(&c->a, " ORCPT=%.*s", STRF(r->orcpt)));
	}
	put(c, STR("\r\n"));
	expect(c, CMD_RCPT, i);
	return true;
}

static void
done(struct mail_client *c)
{
	c->phase = MAIL_PHASE_IDLE;
	c->want = MAIL_CLIENT_DONE;
}

/* ---- the beginning of a session */

/* A word of AUTH; no copy stays behind in the arena. */
static void
say_secret(
    struct mail_client *c, enum kind kind, struct str prefix, struct str secret)
{
	struct str text = str_b64(&c->a, secret);

	put(c, prefix);
	command(c, kind, text);
	explicit_bzero((char *)(uintptr_t)text.p, text.n);
}

static void
auth_plain(struct mail_client *c)
{
	const struct mail_client_conf *conf = c->conf;
	AUTO_BUF b;

	buf_init(&b, conf->user.n + conf->password.n + 2);
	if (buf_add_char(&b, '\0') || buf_add(&b, conf->user) ||
	    buf_add_char(&b, '\0') || buf_add(&b, conf->password))
		panic("no room for a password");
	say_secret(c, CMD_AUTH, STR("AUTH PLAIN "), buf_str(&b));
	explicit_bzero(b.p, b.size);
}

static void
offer_auth(struct mail_client *c)
{
	const struct mail_client_conf *conf = c->conf;

	if (conf->user.n == 0) {
		c->phase = MAIL_PHASE_IDLE;
		c->want = MAIL_CLIENT_READY;
		return;
	}
	if (!c->in_tls && !conf->auth_in_clear) {
		die(c, result_ours(RC_TEMP, "4.7.11",
			   STR("the server offers no TLS, and the password is "
			       "not sent without it")));
	} else if (c->ext & MAIL_CLIENT_AUTH_PLAIN) {
		auth_plain(c);
	} else if (c->ext & MAIL_CLIENT_AUTH_LOGIN) {
		command(c, CMD_LOGIN, STR("AUTH LOGIN"));
	} else {
		die(c, result_ours(RC_TEMP, "4.7.4",
			   STR("the server offers neither AUTH PLAIN nor "
			       "LOGIN")));
	}
}

static void
after_hello(struct mail_client *c)
{
	if (c->in_tls || c->conf->tls == MAIL_CLIENT_TLS_NEVER)
		offer_auth(c);
	else if (c->ext & MAIL_CLIENT_STARTTLS)
		command(c, CMD_STARTTLS, STR("STARTTLS"));
	else if (c->conf->tls == MAIL_CLIENT_TLS_MUST)
		die(c, result_ours(RC_TEMP, "4.7.4",
			   STR("TLS is required and was not offered")));
	else
		offer_auth(c);
}

static void
on_greeting(struct mail_client *c)
{
	if (c->reply.code == 220)
		hello(c, CMD_EHLO);
	else
		die(c,
		    result_server(c, c->reply.code == 521 ? RC_DENY : RC_TEMP));
}

static void
on_ehlo(struct mail_client *c)
{
	if (c->reply.code == 250) {
		c->ext = c->ext_new;
		c->size_max = c->size_new;
		after_hello(c);
	} else if (c->reply.code / 100 == 5 && !c->conf->lmtp) {
		hello(c, CMD_HELO);
	} else {
		die(c, result_server(c, RC_TEMP));
	}
}

static void
on_helo(struct mail_client *c)
{
	if (c->reply.code == 250)
		after_hello(c);
	else
		die(c, result_server(c, verdict(c->reply.code)));
}

static void
on_starttls(struct mail_client *c)
{
	if (c->reply.code == 220) {
		c->phase = MAIL_PHASE_TLS;
		c->want = MAIL_CLIENT_TLS;
	} else if (c->conf->tls == MAIL_CLIENT_TLS_MUST) {
		die(c, result_server(c, RC_TEMP));
	} else {
		offer_auth(c);
	}
}

static void
on_auth(struct mail_client *c)
{
	if (c->reply.code != 235) {
		die(c, result_server(c, RC_TEMP));
		return;
	}
	c->authenticated = true;
	c->phase = MAIL_PHASE_IDLE;
	c->want = MAIL_CLIENT_READY;
}

/* The next step of AUTH LOGIN. */
static void
on_login(struct mail_client *c, enum kind next, struct str secret)
{
	if (c->reply.code == 334)
		say_secret(c, next, STR(""), secret);
	else
		die(c, result_server(c, RC_TEMP));
}

/* ---- a message */

/* Without PIPELINING: what comes after this reply. */
static void
next_command(struct mail_client *c)
{
	if (c->npending > 0 || c->want == MAIL_CLIENT_DEAD)
		return;
	if (say_rcpt(c))
		return;
	if (c->accepted > 0)
		command(c, CMD_DATA, STR("DATA"));
	else
		done(c);
}

static void
on_rset(struct mail_client *c)
{
	if (c->reply.code != 250)
		die(c, result_server(c, RC_TEMP));
	else if (c->npending == 0)
		say_mail(c);
}

static void
on_mail(struct mail_client *c)
{
	struct mail_client_result r;

	c->answered = true;
	if (c->reply.code / 100 != 2) {
		r = result_server(c, verdict(c->reply.code));
		r.elsewhere = r.rc == RC_TEMP;
		set_rest(c, r);
		if (c->npending == 0)
			done(c);
		return;
	}
	next_command(c);
}

static void
on_rcpt(struct mail_client *c, size_t i)
{
	unsigned code = c->reply.code;

	if (c->to[i].set) {
		/* MAIL was refused, and this with it. */
	} else if (code / 100 == 2) {
		c->accepted++;
	} else {
		c->to[i] =
		    result_server(c, code == 552 ? RC_TEMP : verdict(code));
	}
	next_command(c);
}

static void
on_data(struct mail_client *c)
{
	if (c->reply.code == 354 && c->accepted > 0) {
		c->phase = MAIL_PHASE_BODY;
		c->want = MAIL_CLIENT_BODY;
	} else if (c->reply.code == 354 && !c->conf->lmtp) {
		command(c, CMD_EMPTY, STR("."));
	} else if (c->reply.code == 354 || c->reply.code / 100 == 2) {
		protocol_error(c, "a strange reply to DATA");
	} else {
		set_rest(c, result_server(c, verdict(c->reply.code)));
		done(c);
	}
}

static void
on_dot(struct mail_client *c, size_t i)
{
	struct mail_client_result r = result_server(c, verdict(c->reply.code));

	if (c->conf->lmtp)
		c->to[i] = r;
	else
		set_rest(c, r);
	if (c->npending == 0) {
		c->dot_queued = false;
		done(c);
	}
}

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
		die(c, result_server(c, RC_TEMP));
		return;
	}
	if (code / 100 == 3 && cmd.kind != CMD_DATA && cmd.kind != CMD_LOGIN &&
	    cmd.kind != CMD_USER) {
		protocol_error(c, "3xx where nothing more can follow");
		return;
	}
	switch ((enum kind)cmd.kind) {
	case CMD_GREETING:
		on_greeting(c);
		break;
	case CMD_EHLO:
		on_ehlo(c);
		break;
	case CMD_HELO:
		on_helo(c);
		break;
	case CMD_STARTTLS:
		on_starttls(c);
		break;
	case CMD_AUTH:
		on_auth(c);
		break;
	case CMD_LOGIN:
		on_login(c, CMD_USER, c->conf->user);
		break;
	case CMD_USER:
		on_login(c, CMD_AUTH, c->conf->password);
		break;
	case CMD_RSET:
		on_rset(c);
		break;
	case CMD_MAIL:
		on_mail(c);
		break;
	case CMD_RCPT:
		on_rcpt(c, cmd.rcpt);
		break;
	case CMD_DATA:
		on_data(c);
		break;
	case CMD_DOT:
		on_dot(c, cmd.rcpt);
		break;
	case CMD_EMPTY:
		done(c);
		break;
	case CMD_QUIT:
		break;
	}
}

/* ---- replies */

static void
auth_words(struct mail_client *c, struct str words)
{
	struct str word;

	while ((word = str_word(&words)).n > 0) {
		if (str_ieq(word, STR("PLAIN")))
			c->ext_new |= MAIL_CLIENT_AUTH_PLAIN;
		else if (str_ieq(word, STR("LOGIN")))
			c->ext_new |= MAIL_CLIENT_AUTH_LOGIN;
	}
}

static void
ehlo_line(struct mail_client *c, struct str line)
{
	static const struct {
		struct str name;
		unsigned ext;
	} words[] = {
		{ STR_INIT("PIPELINING"), MAIL_CLIENT_PIPELINING },
		{ STR_INIT("SIZE"), MAIL_CLIENT_SIZE },
		{ STR_INIT("8BITMIME"), MAIL_CLIENT_8BITMIME },
		{ STR_INIT("STARTTLS"), MAIL_CLIENT_STARTTLS },
		{ STR_INIT("DSN"), MAIL_CLIENT_DSN },
		{ STR_INIT("CHUNKING"), MAIL_CLIENT_CHUNKING },
		{ STR_INIT("SMTPUTF8"), MAIL_CLIENT_SMTPUTF8 },
		{ STR_INIT("ENHANCEDSTATUSCODES"), MAIL_CLIENT_ENHANCED },
	};
	struct str word;
	uint64_t n;

	/* "AUTH=LOGIN" is how it was said before RFC 2554. */
	if (str_cut_iprefix(&line, STR("AUTH=")) ||
	    str_cut_iprefix(&line, STR("AUTH "))) {
		auth_words(c, line);
		return;
	}
	word = str_word(&line);
	for (size_t i = 0; i < COUNT(words); i++)
		if (str_ieq(word, words[i].name))
			c->ext_new |= words[i].ext;
	if (str_ieq(word, STR("SIZE")) &&
	    str_u64(str_word(&line), UINT64_MAX, &n) == RC_OK)
		c->size_new = n;
}

static bool
awaits(const struct mail_client *c, enum kind kind)
{
	return c->npending > 0 && c->pending[c->head].kind == kind;
}

static void
set_phase(struct mail_client *c)
{
	if (c->npending > 0)
		c->phase = kinds[c->pending[c->head].kind].phase;
}

/*
 * Nobody waits for this reply, or the command has not left us yet.  A refusal
 * in the middle of the message is a verdict on it nevertheless.
 */
static void
early_reply(struct mail_client *c)
{
	unsigned code = c->reply.code;

	if ((c->want == MAIL_CLIENT_BODY || c->dot_queued) && code >= 400)
		set_rest(c, result_server(c, verdict(code)));
	protocol_error(c, "a reply that nothing asked for");
}

static void
take_reply(struct mail_client *c)
{
	const struct mail_client_cmd *cmd = &c->pending[c->head];

	if (c->npending > 0 && cmd->end <= c->out_sent)
		on_reply(c);
	else if (c->reply.code == 421)
		die(c, result_server(c, RC_TEMP));
	else
		early_reply(c);
	set_phase(c);
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
			protocol_error(c, "clear text behind STARTTLS");
			return;
		}
		rc = mail_reply_next(&c->reply, &in, &line);
		if (rc == RC_BAD)
			protocol_error(c, "no reply, or one without an end");
		if (rc != RC_OK)
			return;
		if (awaits(c, CMD_EHLO) && c->reply.lines > 1)
			ehlo_line(c, line);
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
	expect(c, CMD_GREETING, 0);
	set_phase(c);
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
	hello(c, CMD_EHLO);
	set_phase(c);
}

/* Only an address can stand between the angle brackets. */
static bool
address_ok(struct mail_client *c, struct str address)
{
	struct addr x;

	return mail_addr_parse(&c->a, address, &x) == RC_OK;
}

/* What can be said without asking the server. */
static bool
refuse_early(struct mail_client *c)
{
	const struct mail_client_tx *tx = c->tx;
	size_t left = 0;

	if (tx->from.n > 0 && !address_ok(c, tx->from))
		set_rest(c, result_ours(RC_DENY, "5.1.7",
				STR("the sender's address cannot be sent")));
	if ((c->ext & MAIL_CLIENT_SIZE) && c->size_max > 0 &&
	    tx->size > c->size_max)
		set_rest(c,
		    result_ours(RC_DENY, "5.3.4",
			str_fmt(&c->a,
			    "the message has %llu bytes, the server takes %llu",
			    (unsigned long long)tx->size,
			    (unsigned long long)c->size_max)));
	for (size_t i = 0; i < tx->nto; i++) {
		if (!c->to[i].set && !address_ok(c, tx->to[i].address))
			c->to[i] = result_ours(RC_DENY, "5.1.3",
			    STR("the address cannot be sent"));
		left += !c->to[i].set;
	}
	return left == 0;
}

void
mail_client_begin(struct mail_client *c, const struct mail_client_tx *tx)
{
	bool again = c->want == MAIL_CLIENT_DONE;

	assert(again || c->want == MAIL_CLIENT_READY);
	assert(tx->nto >= 1 && tx->nto <= MAIL_CLIENT_RCPTS_MAX);
	arena_reset(&c->a);
	c->tx = tx;
	c->to = arena_calloc(&c->a, tx->nto, sizeof(*c->to));
	c->next_rcpt = c->accepted = 0;
	c->answered = c->dot_queued = false;
	c->stuff = (struct mail_stuff){ 0 };
	c->want = MAIL_CLIENT_INPUT;
	c->messages++;
	if (refuse_early(c)) {
		done(c);
		return;
	}
	if (again)
		command(c, CMD_RSET, STR("RSET"));
	if (c->ext & MAIL_CLIENT_PIPELINING) {
		say_mail(c);
		while (say_rcpt(c))
			;
		command(c, CMD_DATA, STR("DATA"));
	} else if (!again) {
		say_mail(c);
	}
	set_phase(c);
}

enum rc
mail_client_body(struct mail_client *c, struct str piece)
{
	assert(c->want == MAIL_CLIENT_BODY);
	if (c->out_at > 0) {
		buf_consume(&c->out, c->out_at);
		c->out_at = 0;
	}
	return mail_stuff_add(&c->stuff, piece, &c->out);
}

enum rc
mail_client_body_end(struct mail_client *c)
{
	assert(c->want == MAIL_CLIENT_BODY);
	if (mail_stuff_end(&c->stuff, &c->out) != RC_OK)
		return RC_BAD;
	c->want = MAIL_CLIENT_INPUT;
	c->dot_queued = true;
	if (!c->conf->lmtp)
		expect(c, CMD_DOT, 0);
	for (size_t i = 0; c->conf->lmtp && i < c->tx->nto; i++)
		if (!c->to[i].set)
			expect(c, CMD_DOT, i);
	set_phase(c);
	return RC_OK;
}

void
mail_client_quit(struct mail_client *c)
{
	if (c->want != MAIL_CLIENT_READY && c->want != MAIL_CLIENT_DONE)
		return;
	c->want = MAIL_CLIENT_INPUT;
	command(c, CMD_QUIT, STR("QUIT"));
	set_phase(c);
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
