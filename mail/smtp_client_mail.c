/*
 * A message on a session: MAIL, RCPT, DATA, the dot, and their replies.
 */
#include "mail/smtp_client_impl.h"

/* ---- commands */

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

	mail_client_put(c, str_fmt(a, "MAIL FROM:<%.*s>", STRF(tx->from)));
	if (c->ext & MAIL_CLIENT_SIZE)
		mail_client_put(
		    c, str_fmt(a, " SIZE=%llu", (unsigned long long)tx->size));
	if (c->ext & MAIL_CLIENT_8BITMIME)
		mail_client_put(c, STR(" BODY=8BITMIME"));
	if (c->ext & MAIL_CLIENT_DSN) {
		if (tx->ret != MAIL_RET_NONE)
			mail_client_put(c, tx->ret == MAIL_RET_FULL
					       ? STR(" RET=FULL")
					       : STR(" RET=HDRS"));
		if (xtext_ok(tx->envid))
			mail_client_put(
			    c, str_fmt(a, " ENVID=%.*s", STRF(tx->envid)));
	}
	mail_client_command(c, CMD_MAIL, STR(""));
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
		mail_client_put(c, STR(" NOTIFY=NEVER"));
		return;
	}
	for (size_t i = 0; i < COUNT(words); i++) {
		if (!(notify & words[i].bit))
			continue;
		mail_client_put(c, sep);
		mail_client_put(c, words[i].name);
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
	mail_client_put(c, str_fmt(&c->a, "RCPT TO:<%.*s>", STRF(r->address)));
	if (c->ext & MAIL_CLIENT_DSN) {
		say_notify(c, r->notify);
		if (xtext_ok(r->orcpt))
			mail_client_put(
			    c, str_fmt(&c->a, " ORCPT=%.*s", STRF(r->orcpt)));
	}
	mail_client_put(c, STR("\r\n"));
	mail_client_expect(c, CMD_RCPT, i);
	return true;
}

static void
done(struct mail_client *c)
{
	c->phase = MAIL_PHASE_IDLE;
	c->want = MAIL_CLIENT_DONE;
}

/* ---- replies */

/* Without PIPELINING: what comes after this reply. */
static void
next_command(struct mail_client *c)
{
	if (c->npending > 0 || c->want == MAIL_CLIENT_DEAD)
		return;
	if (say_rcpt(c))
		return;
	if (c->accepted > 0)
		mail_client_command(c, CMD_DATA, STR("DATA"));
	else
		done(c);
}

static void
on_rset(struct mail_client *c)
{
	if (c->reply.code != 250)
		mail_client_die(c, mail_client_theirs(c, RC_TEMP));
	else if (c->npending == 0)
		say_mail(c);
}

static void
on_mail(struct mail_client *c)
{
	struct mail_client_result r;

	c->answered = true;
	if (c->reply.code / 100 != 2) {
		r = mail_client_theirs(c, mail_client_verdict(c->reply.code));
		r.elsewhere = r.rc == RC_TEMP;
		mail_client_set_rest(c, r);
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
		c->to[i] = mail_client_theirs(
		    c, code == 552 ? RC_TEMP : mail_client_verdict(code));
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
		mail_client_command(c, CMD_EMPTY, STR("."));
	} else if (c->reply.code == 354 || c->reply.code / 100 == 2) {
		mail_client_protocol_error(c, "a strange reply to DATA");
	} else {
		mail_client_set_rest(c,
		    mail_client_theirs(c, mail_client_verdict(c->reply.code)));
		done(c);
	}
}

static void
on_dot(struct mail_client *c, size_t i)
{
	struct mail_client_result r =
	    mail_client_theirs(c, mail_client_verdict(c->reply.code));

	if (c->conf->lmtp)
		c->to[i] = r;
	else
		mail_client_set_rest(c, r);
	if (c->npending == 0) {
		c->dot_queued = false;
		done(c);
	}
}

void
mail_client_mail_reply(
    struct mail_client *c, enum mail_client_kind kind, size_t rcpt)
{
	switch (kind) {
	case CMD_RSET:
		on_rset(c);
		break;
	case CMD_MAIL:
		on_mail(c);
		break;
	case CMD_RCPT:
		on_rcpt(c, rcpt);
		break;
	case CMD_DATA:
		on_data(c);
		break;
	case CMD_DOT:
		on_dot(c, rcpt);
		break;
	case CMD_EMPTY:
		done(c);
		break;
	default:
		panic("a reply to no command of a message: %d", (int)kind);
	}
}

/* ---- driven from outside */

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
		mail_client_set_rest(
		    c, mail_client_ours(RC_DENY, "5.1.7",
			   STR("the sender's address cannot be sent")));
	if ((c->ext & MAIL_CLIENT_SIZE) && c->size_max > 0 &&
	    tx->size > c->size_max)
		mail_client_set_rest(c,
		    mail_client_ours(RC_DENY, "5.3.4",
			str_fmt(&c->a,
			    "the message has %llu bytes, the server takes %llu",
			    (unsigned long long)tx->size,
			    (unsigned long long)c->size_max)));
	for (size_t i = 0; i < tx->nto; i++) {
		if (!c->to[i].set && !address_ok(c, tx->to[i].address))
			c->to[i] = mail_client_ours(RC_DENY, "5.1.3",
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
		mail_client_command(c, CMD_RSET, STR("RSET"));
	if (c->ext & MAIL_CLIENT_PIPELINING) {
		say_mail(c);
		while (say_rcpt(c))
			;
		mail_client_command(c, CMD_DATA, STR("DATA"));
	} else if (!again) {
		say_mail(c);
	}
	mail_client_set_phase(c);
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
		mail_client_expect(c, CMD_DOT, 0);
	for (size_t i = 0; c->conf->lmtp && i < c->tx->nto; i++)
		if (!c->to[i].set)
			mail_client_expect(c, CMD_DOT, i);
	mail_client_set_phase(c);
	return RC_OK;
}
