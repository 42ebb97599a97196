/*
 * rewrite - new addresses in the fields of a header; all other bytes stay.
 *
 * Format     RFC 5322 address fields, read by mail_addrlist_walk: names,
 *            comments, groups, folds, encoded words and routes are not touched.
 *            The fields of senders and of recipients are those that Postfix
 *            takes for them.  An address is mapped if it is one by RFC 5321,
 *            white space and comments in it (RFC 5322 section 4.4) set aside;
 *            such comments are kept behind the new address.
 * Lines      If a new address makes a line longer than MAIL_LINE_MAX, the line
 *            is folded in front of the address, behind it, or both; an address
 *            for which that does not do stays as it was.
 * Ownership  Patches live in the arena and borrow what the map gives.
 * Threads    Pure functions.
 * Limits     Linear in the header, which the caller limits.
 */
#ifndef MAIL_REWRITE_H
#define MAIL_REWRITE_H

#include "mail/addr.h"

#define MAIL_LINE_MAX 998u /* RFC 5322 section 2.1.1, without CRLF */

/* RC_OK: *out, one canonical address, takes its place; else it stays. */
typedef enum rc mail_rewrite_map(
    void *ctx, bool sender, const struct addr *x, struct str *out);

/* `len` bytes at `off` become `text`. */
struct mail_patch {
	uint64_t off, len;
	struct str text;
};

/* In the order of their offsets, without overlap. */
struct mail_patches {
	struct mail_patch *v;
	size_t n, size;
};

/* How long the header is with them. */
size_t mail_patched_len(struct str header, const struct mail_patches *p);

void mail_rewrite(struct arena *a, struct str header, mail_rewrite_map *map,
    void *ctx, struct mail_patches *out);

#endif
