/*
 * dsn - the text of a delivery status notification.
 *
 * Formats    multipart/report (RFC 6522): an explanation for people first,
 *            message/delivery-status (RFC 3464), then the original message or
 *            its header, if there is something left of it.  Lines end in CRLF.
 * Hostile    Addresses, replies of servers and the original are foreign: what
 *            could end a line or a field becomes '?', long text is cut and
 *            folded; the boundary is random, so the original cannot end its
 *            part.
 * Ownership  Appended to the caller's buf.
 * Threads    Pure functions; clock and random id are the caller's.
 * Errors     RC_BAD when the buf reaches its cap.
 * Limits     MAIL_DSN_TEXT bytes of each foreign string.
 */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "mail/addr.h"

#define MAIL_DSN_TEXT 1024u

enum mail_dsn_action {
	MAIL_DSN_FAILED = 1,
	MAIL_DSN_DELAYED,
	MAIL_DSN_DELIVERED,
	MAIL_DSN_RELAYED,
	MAIL_DSN_EXPANDED,
};

struct mail_dsn_rcpt {
	enum mail_dsn_action action;
	struct str address;   /* as the message was addressed */
	struct str orcpt;     /* "rfc822;xtext", "" none */
	struct str status;    /* "5.1.1" */
	struct str host;      /* other server: "mx.example.net [192.0.2.1]" */
	struct str reply;     /* its words, the code first, or ours */
	bool from_server;     /* the reply is the server's */
	bool expired;         /* given up after the time allowed */
	int64_t last_attempt; /* unix seconds, 0 unknown */
	int64_t will_retry;   /* until then; 0: not any more */
};

struct mail_dsn {
	struct str host;       /* our name */
	struct str postmaster; /* who can help */
	struct str to;         /* canonical address that the notice goes to */
	struct str unique;     /* letters, digits: Message-ID and boundary */
	int64_t now, arrived;
	struct str envid;                 /* xtext, "" none */
	const struct mail_dsn_rcpt *rcpt; /* all of one action */
	size_t nrcpt;
	struct str original;  /* the message, or its header */
	bool full;            /* original is the whole message */
	bool unreadable;      /* nothing of it can be returned */
	bool is_double;       /* for the postmaster: nobody else can be told */
	struct str double_to; /* who should have been, and is not there; "":
				 what failed had the null return path */
};

MUST_CHECK enum rc mail_dsn_write(struct buf *out, const struct mail_dsn *d);

#endif
