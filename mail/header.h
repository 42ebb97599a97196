/*
 * header - walk over the fields of a message header that is in memory.
 *
 * Format     RFC 5322 section 2.2.  The block ends at the first empty line
 *            and at nothing else: as Dovecot and Cyrus do, a line that is no
 *            field (no colon, "From " of an mbox, a fold before any field) does
 *            not end the header.  It is one more field with an empty name,
 *            which lookups by name never find.  A line of only white space is
 *            a fold.  Only CRLF ends a line.
 * Ownership  Slices of the caller's block; mail_header_unfold uses the arena
 *            only when there is a fold.
 * Threads    Pure functions.
 * Limits     Linear in the block; the caller limits its size.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "lib/base.h"

struct mail_field {
	struct str name;  /* without the white space before the colon */
	struct str value; /* raw, folds included, without the last CRLF */
	struct str whole; /* all bytes, name to last CRLF */
};

/* `struct mail_header_iter it = { block };` */
struct mail_header_iter {
	struct str rest;
};

/*
 * Length of the header of `msg`, the empty line included; msg.n when there
 * is no empty line.
 */
size_t mail_header_len(struct str msg);
/* False at the empty line or at the end. */
bool mail_header_next(struct mail_header_iter *it, struct mail_field *out);
/* The next field with that name, in any case. */
bool mail_header_next_named(
    struct mail_header_iter *it, struct str name, struct mail_field *out);
/* The first field with that name. */
bool mail_header_find(
    struct str block, struct str name, struct mail_field *out);
size_t mail_header_count(struct str block, struct str name);
/*
 * RFC 5322 section 2.2.3: CRLF before white space goes, the white space
 * stays; then spaces and tabs at both ends go.
 */
struct str mail_header_unfold(struct arena *a, struct str value);

/* What loop detection wants to know (RFC 5321 section 6.3). */
struct mail_hops {
	size_t received;     /* Received fields */
	size_t delivered_to; /* Delivered-To fields */
};
struct mail_hops mail_header_hops(struct str block);
/* True when a Delivered-To field names `addr` (canonical text, any case). */
bool mail_header_delivered_to(struct str block, struct str addr);

#endif
