/*
 * out - what is to be said to the client, until netd takes it.
 *
 * Ownership  Owns its buffer; imap_out_flush gives the memory back when all
 *            of it is said.
 * Threads    One owner at a time.
 * Errors     Sticky: past the cap, or with the peer gone, `bad` is set and
 *            nothing more is added; the engine then ends the session, because
 *            half a response cannot be repaired.
 * Limits     IMAP_OUT_MAX bytes wait at most; large things are made in pieces
 *            by cursors that stop at IMAP_OUT_HIGH.
 */
#ifndef IMAP_OUT_H
#define IMAP_OUT_H

#include "lib/netd.h"

#define IMAP_OUT_MAX                                                           \
	(32u << 20) /* a structure of MAIL_MIME_KEEP_MAX, escaped */
#define IMAP_OUT_HIGH (64u << 10)

struct imap_out {
	struct buf b;
	size_t said; /* of b */
	bool bad;
};

void imap_out_init(struct imap_out *o);
void imap_out_free(struct imap_out *o);
/* Hand it to netd as far as there is room; true when nothing is left. */
MUST_CHECK bool imap_out_flush(struct imap_out *o, struct netd_conn *c);
/* A cursor should stop here. */
bool imap_out_full(const struct imap_out *o);

void imap_out_str(struct imap_out *o, struct str s);
void imap_out_fmt(struct imap_out *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
void imap_out_u64(struct imap_out *o, uint64_t n);
/* Quoted, or a literal when it must be; NUL cannot be said and becomes 0x80. */
void imap_out_string(struct imap_out *o, struct str s);
/* The same, NIL when s.p is NULL. */
void imap_out_nstring(struct imap_out *o, struct str s);
/* An atom where the grammar allows it, else as above. */
void imap_out_astring(struct imap_out *o, struct str s);
/* n bytes at the end to be filled by the caller; NULL when bad. */
char *imap_out_reserve(struct imap_out *o, size_t n);
void imap_out_commit(struct imap_out *o, size_t n);

/* RFC 3501 CHAR8 has no NUL. */
void imap_out_hide_nul(char *p, size_t n);

#endif
