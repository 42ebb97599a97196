/*
 * sgn_canon - "relaxed" canonicalisation (RFC 6376 sections 3.4.2 and 3.4.4).
 *
 * Threads    One owner.
 * Errors     RC_BAD: a header that does not fit its buffer.
 * Limits     A body may have any size; nothing of it is kept.
 */
#ifndef POLICY_SGN_CANON_H
#define POLICY_SGN_CANON_H

#include "lib/base.h"

#define SGN_CANON_OUT 4096u

/* A body in pieces; what comes out goes to `put`. */
struct sgn_body {
	void (*put)(void *arg, struct str piece);
	void *arg;
	bool cr, space; /* seen, and not yet known what they are */
	bool any;       /* something came out */
	uint64_t lines; /* line ends that may be the last ones */
	char out[SGN_CANON_OUT];
	size_t n;
};

void sgn_body_init(
    struct sgn_body *b, void (*put)(void *arg, struct str piece), void *arg);
void sgn_body_add(struct sgn_body *b, struct str piece);
void sgn_body_end(struct sgn_body *b);

/* "name:value", without a line end. */
MUST_CHECK enum rc sgn_canon_field(
    struct buf *out, struct str name, struct str value);

#endif
