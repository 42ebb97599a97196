/*
 * smtp_client - the client's side of an SMTP (RFC 5321) or LMTP (RFC 2033)
 * dialogue: bytes in, bytes out, no I/O and no clock.
 *
 *	mail_client_init(&c, &conf);
 *	loop: send mail_client_out(), tell mail_client_sent(); give what comes
 *	to mail_client_input(); then look at c.want:
 *	    MAIL_CLIENT_TLS    shake hands, then mail_client_tls()
 *	    MAIL_CLIENT_READY  mail_client_begin() a message, or quit
 *	    MAIL_CLIENT_BODY   mail_client_body() until _body_end()
 *	    MAIL_CLIENT_DONE   c.to[] is filled; begin the next, or quit
 *	    MAIL_CLIENT_DEAD   close; c.fault says why; c.to[] is filled, too
 *
 * Formats    EHLO with a fall-back to HELO; STARTTLS (RFC 3207), PIPELINING
 *            (2920), SIZE (1870), 8BITMIME (6152), DSN (3461), AUTH PLAIN and
 *            LOGIN (4954), ENHANCEDSTATUSCODES (2034).
 * Ownership  conf, and what it and a message point to, are the caller's and
 *            stay until the message is done.  Texts in c.to and c.fault live
 *            until the next mail_client_begin or _free.
 * Threads    One owner at a time.
 * Errors     Whatever a server does ends in results: RC_OK taken, RC_DENY
 *            refused for good, RC_TEMP all else.
 * Limits     those of smtp_reply.h; MAIL_CLIENT_RCPTS_MAX recipients;
 *            MAIL_CLIENT_OUT_MAX bytes of output.
 */
#ifndef MAIL_SMTP_CLIENT_H
#define MAIL_SMTP_CLIENT_H

#include "mail/smtp_reply.h"
#include "mail/smtp_syntax.h"
#include "mail/stuff.h"

#define MAIL_CLIENT_RCPTS_MAX 100u
#define MAIL_CLIENT_OUT_MAX   (256u << 10)

enum mail_client_want {
	MAIL_CLIENT_INPUT,
	MAIL_CLIENT_TLS,
	MAIL_CLIENT_READY,
	MAIL_CLIENT_BODY,
	MAIL_CLIENT_DONE,
	MAIL_CLIENT_DEAD,
};

/* What is waited for; RFC 5321 section 4.5.3.2 has a time for each. */
enum mail_client_phase {
	MAIL_PHASE_GREETING,
	MAIL_PHASE_HELLO,
	MAIL_PHASE_TLS,
	MAIL_PHASE_AUTH,
	MAIL_PHASE_IDLE,
	MAIL_PHASE_RSET,
	MAIL_PHASE_MAIL,
	MAIL_PHASE_RCPT,
	MAIL_PHASE_DATA,
	MAIL_PHASE_BODY,
	MAIL_PHASE_DOT,
	MAIL_PHASE_QUIT,
};

enum mail_client_ext {
	MAIL_CLIENT_PIPELINING = 1,
	MAIL_CLIENT_SIZE = 2,
	MAIL_CLIENT_8BITMIME = 4,
	MAIL_CLIENT_STARTTLS = 8,
	MAIL_CLIENT_DSN = 16,
	MAIL_CLIENT_AUTH_PLAIN = 32,
	MAIL_CLIENT_AUTH_LOGIN = 64,
	MAIL_CLIENT_CHUNKING = 128,
	MAIL_CLIENT_SMTPUTF8 = 256,
	MAIL_CLIENT_ENHANCED = 512,
};

enum mail_client_use_tls {
	MAIL_CLIENT_TLS_NEVER,
	MAIL_CLIENT_TLS_MAY,  /* when it is offered */
	MAIL_CLIENT_TLS_MUST, /* nothing is sent without it */
};

struct mail_client_conf {
	struct str helo;
	bool lmtp;
	enum mail_client_use_tls tls;
	bool in_tls;               /* from the first byte */
	struct str user, password; /* user "": no AUTH */
	bool auth_in_clear;        /* the password may go without TLS */
};

struct mail_client_rcpt {
	struct str address;
	unsigned notify;  /* MAIL_NOTIFY_..., 0: not given */
	struct str orcpt; /* xtext as given, "" none */
};

struct mail_client_tx {
	struct str from; /* "" is the null path */
	const struct mail_client_rcpt *to;
	size_t nto;       /* 1 to MAIL_CLIENT_RCPTS_MAX */
	struct str envid; /* xtext as given, "" none */
	enum mail_ret ret;
	uint64_t size; /* of the message, with all that goes before it */
};

struct mail_client_result {
	bool set;
	enum rc rc;
	unsigned code;
	struct str status, reply;
	bool from_server;
	/* RC_TEMP, and nothing speaks against asking another host now. */
	bool elsewhere;
};

struct mail_client_cmd {
	uint64_t end; /* of the command, in all that was ever put out */
	uint8_t kind;
	uint16_t rcpt;
};

struct mail_client {
	const struct mail_client_conf *conf;
	enum mail_client_want want;
	unsigned ext; /* enum mail_client_ext, of the last EHLO */
	uint64_t size_max;
	bool in_tls, authenticated;
	unsigned messages; /* begun on this connection */
	/* The message. */
	const struct mail_client_tx *tx;
	struct mail_client_result *to; /* tx->nto of them */
	bool answered;                 /* it had a reply to MAIL, or later */
	/*
	 * Why the connection is of no use: for DEAD.  Not set when it was left
	 * in order.
	 */
	struct mail_client_result fault;
	/* our own */
	enum mail_client_phase phase;
	struct buf out;
	size_t out_at;
	uint64_t out_sent; /* ever */
	struct mail_reply reply;
	unsigned ext_new;
	uint64_t size_new;
	struct mail_client_cmd pending[MAIL_CLIENT_RCPTS_MAX + 4];
	unsigned head, npending;
	size_t next_rcpt, accepted;
	bool dot_queued;
	struct mail_stuff stuff;
	struct arena a;
};

void mail_client_init(
    struct mail_client *c, const struct mail_client_conf *conf);
void mail_client_free(struct mail_client *c);

/* What is to be sent, and how much of it was. */
struct str mail_client_out(const struct mail_client *c);
void mail_client_sent(struct mail_client *c, size_t n);

void mail_client_input(struct mail_client *c, struct str in);
/* MAIL_CLIENT_TLS: the handshake is complete. */
void mail_client_tls(struct mail_client *c);
/* MAIL_CLIENT_READY or _DONE; tx stays until it is done. */
void mail_client_begin(struct mail_client *c, const struct mail_client_tx *tx);
/* MAIL_CLIENT_BODY.  RC_BAD: send first. */
MUST_CHECK enum rc mail_client_body(struct mail_client *c, struct str piece);
MUST_CHECK enum rc mail_client_body_end(struct mail_client *c);
/* MAIL_CLIENT_READY or _DONE: be polite. */
void mail_client_quit(struct mail_client *c);

/*
 * The connection ended, or time is over: who has no result yet gets RC_TEMP
 * with this status and text.
 */
void mail_client_fail(
    struct mail_client *c, const char *status, struct str text);
/* The final dot may have reached the server: it may have the message. */
bool mail_client_dot_sent(const struct mail_client *c);
/* "HELO", "RCPT", ...: what the server was busy with, for texts. */
const char *mail_client_doing(const struct mail_client *c);

#endif
