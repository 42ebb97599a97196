/*
 * dns_wire - names and RDATA between the bytes of DNS and what people write.
 *
 * A name in text: labels separated by dots, "\." and "\\" for a dot or a
 * backslash inside a label, "\DDD" for any byte (RFC 1035 section 5.1);
 * bytes that need no escape stand for themselves when read, and only
 * printable ones do when written.  No last dot; "" is the root.
 *
 * Ownership  Text is made in the arena that is passed; the rest borrows.
 * Threads    Pure functions.
 * Errors     RC_BAD: cannot be in DNS, or the RDATA is not what its type says.
 */
#ifndef LIB_DNS_WIRE_H
#define LIB_DNS_WIRE_H

#include "lib/resolver.h"

#define DNS_WIRE_MAX  255u /* bytes of a name, RFC 1035 section 3.1 */
#define DNS_LABEL_MAX 63u

/* Length-prefixed labels in lower case, with the root at the end. */
struct dns_name {
	unsigned char v[DNS_WIRE_MAX];
	size_t n;
};

/* One dot at the end of `text` is ignored; the root alone is RC_BAD. */
MUST_CHECK enum rc dns_name_read(struct str text, struct dns_name *out);
/* The name at the head of `wire` (no compression), cut off it. */
MUST_CHECK enum rc dns_name_cut(
    struct arena *a, struct str *wire, struct str *out);
/* As above, with everything but letters, digits, '-' and '_' as \DDD. */
#define DNS_PLAIN_MAX (4u * DNS_WIRE_MAX + 1)
void dns_name_plain(const struct dns_name *name, char out[DNS_PLAIN_MAX]);

/* Fill *out from RDATA; out->data borrows it.  Unknown types: data only. */
MUST_CHECK enum rc dns_rdata_read(struct arena *a, enum dns_type type,
    struct str rdata, struct dns_record *out);
/* Is it well-formed?  Without making anything. */
MUST_CHECK enum rc dns_rdata_check(enum dns_type type, struct str rdata);

#endif
