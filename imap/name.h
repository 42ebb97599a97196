/*
 * name - mailbox names between the wire and the store.
 *
 * In the store a name is UTF-8, '/' separates levels, INBOX is upper case
 * (RFC 3501 section 5.1: INBOX is case-insensitive, also as the first level).
 *
 * Ownership  Results live in the arena.
 * Threads    Pure functions.
 * Errors     RC_BAD: no name that a mailbox can have.
 * Limits     STORE_NAME_MAX bytes, IMAP_LEVELS_MAX levels.
 */
#ifndef IMAP_NAME_H
#define IMAP_NAME_H

#include "lib/base.h"

#define IMAP_SEPARATOR  '/'
#define IMAP_LEVELS_MAX 32u

/* A name that may exist. */
MUST_CHECK enum rc imap_name_parse(
    struct arena *a, struct str wire, struct str *out);
/*
 * A name that is to be made: no wildcards, and one separator at the end
 * (RFC 3501 section 6.3.3) goes.
 */
MUST_CHECK enum rc imap_name_parse_new(
    struct arena *a, struct str wire, struct str *out);
/* As modified UTF-7; a name that cannot be said so comes out as it is. */
struct str imap_name_wire(struct arena *a, struct str name);
/* "inbox" and "inbox/x" in any case. */
struct str imap_name_fold_inbox(struct arena *a, struct str name);
/* Is `name` below `parent`? */
bool imap_name_is_child(struct str name, struct str parent);

/* RFC 3501 section 6.3.8: '*' is anything, '%' anything but a separator. */
bool imap_name_match(struct str pattern, struct str name);

#endif
