/*
 * trace - header fields that the house writes: Received, Return-Path,
 * Delivered-To, Date, Message-ID.
 *
 * Formats    RFC 5321 section 4.4; protocol names RFC 3848; RFC 5322.  Every
 *            field ends in CRLF and is folded below 78 columns where it can be.
 * Hostile    What comes from the client (HELO, host names) is cut and every
 * byte that could end a comment, a line or a header is replaced by '?'.
 * Ownership  Fields are appended to the caller's buf.
 * Threads    Pure functions; clock and random id are the caller's.
 * Errors     RC_BAD when the buf reaches its cap.
 * Limits     255 bytes of each foreign string.
 */
#ifndef MAIL_TRACE_H
#define MAIL_TRACE_H

#include "mail/addr.h"
#include "mail/date.h"

struct mail_received {
	struct str helo;       /* as the client said it; empty: unknown */
	struct str client_ip;  /* "192.0.2.1", "2001:db8::1"; empty: local */
	struct str client_dns; /* verified reverse name, or empty */
	struct str by;         /* our host name */
	struct str id;         /* our queue or session id */
	struct str rcpt; /* canonical address when there is one, or empty */
	struct str tls;  /* "TLS1.3 TLS_AES_256_GCM_SHA384", or empty */
	bool esmtp;      /* EHLO was said */
	bool authenticated;
	bool lmtp;
	struct mail_date when;
};

MUST_CHECK enum rc mail_trace_received(
    struct buf *out, const struct mail_received *r);
/* The null path gives "<>". */
MUST_CHECK enum rc mail_trace_return_path(
    struct buf *out, const struct addr *sender);
MUST_CHECK enum rc mail_trace_delivered_to(
    struct buf *out, const struct addr *rcpt);
MUST_CHECK enum rc mail_trace_date(struct buf *out, struct mail_date when);
/* "<unique@host>"; `unique` is the caller's, letters, digits, dots. */
MUST_CHECK enum rc mail_trace_message_id(
    struct buf *out, struct str unique, struct str host);

#endif
