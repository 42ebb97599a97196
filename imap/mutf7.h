/*
 * mutf7 - mailbox names on the wire: modified UTF-7 (RFC 3501 section 5.1.3).
 *
 * Ownership  Results live in the arena.
 * Threads    Pure functions.
 * Errors     RC_BAD: not modified UTF-7, or not in its one proper form
 *            (superfluous shifts, printable ASCII in base64, bits that are
 *            not zero at the end, lone surrogates, bytes above 127).
 */
#ifndef IMAP_MUTF7_H
#define IMAP_MUTF7_H

#include "lib/base.h"

MUST_CHECK enum rc imap_mutf7_decode(
    struct arena *a, struct str wire, struct str *out);
/* `name` is UTF-8. */
MUST_CHECK enum rc imap_mutf7_encode(
    struct arena *a, struct str name, struct str *out);

#endif
