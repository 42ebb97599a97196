/*
 * A session until it is ready for a message: EHLO or HELO, STARTTLS, AUTH.
 */
#include <string.h>

#include "mail/smtp_client_impl.h"

void
mail_client_hello(struct mail_client *c, enum mail_client_kind kind)
{
	const char *verb = kind == CMD_HELO ? "HELO"
			   : c->conf->lmtp  ? "LHLO"
					    : "EHLO";

	c->ext = c->ext_new = 0;
	c->size_new = 0;
	mail_client_command(
	    c, kind, str_fmt(&c->a, "%s %.*s", verb, STRF(c->conf->helo)));
}

/* A word of AUTH; no copy stays behind in the arena. */
static void
say_secret(struct mail_client *c, enum mail_client_kind kind, struct str prefix,
    struct str secret)
{
	struct str text = str_b64(&c->a, secret);

	mail_client_put(c, prefix);
	mail_client_command(c, kind, text);
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
		mail_client_die(
		    c, mail_client_ours(RC_TEMP, "4.7.11",
			   STR("the server offers no TLS, and the password is "
			       "not sent without it")));
	} else if (c->ext & MAIL_CLIENT_AUTH_PLAIN) {
		auth_plain(c);
	} else if (c->ext & MAIL_CLIENT_AUTH_LOGIN) {
		mail_client_command(c, CMD_LOGIN, STR("AUTH LOGIN"));
	} else {
		mail_client_die(
		    c, mail_client_ours(RC_TEMP, "4.7.4",
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
		mail_client_command(c, CMD_STARTTLS, STR("STARTTLS"));
	else if (c->conf->tls == MAIL_CLIENT_TLS_MUST)
		mail_client_die(
		    c, mail_client_ours(RC_TEMP, "4.7.4",
			   STR("TLS is required and was not offered")));
	else
		offer_auth(c);
}

static void
on_greeting(struct mail_client *c)
{
	if (c->reply.code == 220)
		mail_client_hello(c, CMD_EHLO);
	else
		mail_client_die(
		    c, mail_client_theirs(
			   c, c->reply.code == 521 ? RC_DENY : RC_TEMP));
}

static void
on_ehlo(struct mail_client *c)
{
	if (c->reply.code == 250) {
		c->ext = c->ext_new;
		c->size_max = c->size_new;
		after_hello(c);
	} else if (c->reply.code / 100 == 5 && !c->conf->lmtp) {
		mail_client_hello(c, CMD_HELO);
	} else {
		mail_client_die(c, mail_client_theirs(c, RC_TEMP));
	}
}

static void
on_helo(struct mail_client *c)
{
	if (c->reply.code == 250)
		after_hello(c);
	else
		mail_client_die(c,
		    mail_client_theirs(c, mail_client_verdict(c->reply.code)));
}

static void
on_starttls(struct mail_client *c)
{
	if (c->reply.code == 220) {
		c->phase = MAIL_PHASE_TLS;
		c->want = MAIL_CLIENT_TLS;
	} else if (c->conf->tls == MAIL_CLIENT_TLS_MUST) {
		mail_client_die(c, mail_client_theirs(c, RC_TEMP));
	} else {
		offer_auth(c);
	}
}

static void
on_auth(struct mail_client *c)
{
	if (c->reply.code != 235) {
		mail_client_die(c, mail_client_theirs(c, RC_TEMP));
		return;
	}
	c->authenticated = true;
	c->phase = MAIL_PHASE_IDLE;
	c->want = MAIL_CLIENT_READY;
}

/* The next step of AUTH LOGIN. */
static void
on_login(struct mail_client *c, enum mail_client_kind next, struct str secret)
{
	if (c->reply.code == 334)
		say_secret(c, next, STR(""), secret);
	else
		mail_client_die(c, mail_client_theirs(c, RC_TEMP));
}

void
mail_client_hello_reply(struct mail_client *c, enum mail_client_kind kind)
{
	switch (kind) {
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
	default:
		panic("a reply to no command of a beginning: %d", (int)kind);
	}
}

/* ---- what the server says it can do */

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

void
mail_client_ehlo_line(struct mail_client *c, struct str line)
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
