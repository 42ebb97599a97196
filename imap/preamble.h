/*
 * preamble - what access sends to imap before it relays a client's bytes.
 *
 * access connects to imap's UNIX socket, sends one preamble, and from then
 * on the connection carries the client's plain bytes both ways; being
 * in-band, a TCP connection can take the socket's place later.  imap redeems
 * the ticket at the directory and answers the pending tag itself: "TAG OK
 * [CAPABILITY ...] Logged in", or "* BYE" and closes.
 *
 * Format  "GP1 " u32-length-in-decimal CRLF, then ipc-style fields are not
 *         used here: lines "name=value" CRLF with names service, ticket,
 *         client, port, tag, tls, sid in this order, then an empty line; the
 *         length counts the lines.  Values hold no CR, LF or NUL.  After it
 *         come the bytes already read from the client.
 * Limits  PREAMBLE_MAX bytes.
 */
#ifndef IMAP_PREAMBLE_H
#define IMAP_PREAMBLE_H

#include "lib/base.h"

#define PREAMBLE_MAX 2048u

struct preamble {
	struct str service; /* "imap" or "pop" */
	struct str ticket;
	struct str client; /* address */
	uint16_t port;
	struct str tag; /* of LOGIN or AUTHENTICATE; pop: "+" */
	bool tls;
	struct str sid; /* access's session id, for logs */
};

MUST_CHECK enum rc preamble_put(struct buf *b, const struct preamble *p);
/* How many bytes of `in` the preamble takes; 0: more needed. */
size_t preamble_frame(struct str in);
/* Slices point into `in`. */
MUST_CHECK enum rc preamble_parse(struct str in, struct preamble *out);

#endif
