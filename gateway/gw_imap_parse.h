/*
 * gw_imap_parse - the few pieces of IMAP's grammar that a client needs before
 * it has logged in (RFC 3501 section 9).
 *
 * Quoted strings are unescaped where they stand, so that a password has no
 * second copy; slices point into the command.
 *
 * Ownership  Slices borrow the memory of the input.
 * Threads    Pure functions.
 * Errors     False: the syntax is wrong; the input is then of no more use.
 * Limits     The caller's: all of the command is in memory.
 */
#ifndef GW_IMAP_PARSE_H
#define GW_IMAP_PARSE_H

#include "lib/base.h"

/* What is left of a command: one or more lines, each with its CRLF. */
struct gw_imap_in {
	char *p;
	size_t n;
};

/*
 * Does this line (with its CRLF) announce a literal?  *sync: the client waits
 * for "+" (RFC 7888 section 3).
 */
bool gw_imap_literal(struct str line, uint64_t *size, bool *sync);

MUST_CHECK bool gw_imap_tag(struct gw_imap_in *in, struct str *out);
MUST_CHECK bool gw_imap_atom(struct gw_imap_in *in, struct str *out);
MUST_CHECK bool gw_imap_space(struct gw_imap_in *in);
MUST_CHECK bool gw_imap_astring(struct gw_imap_in *in, struct str *out);
/* A string or NIL, which is the empty slice. */
MUST_CHECK bool gw_imap_nstring(struct gw_imap_in *in, struct str *out);
/* Everything up to the next space or the end: for base64. */
MUST_CHECK bool gw_imap_word(struct gw_imap_in *in, struct str *out);
/* Only CRLF is left. */
bool gw_imap_end(const struct gw_imap_in *in);
bool gw_imap_char(struct gw_imap_in *in, char c);

#endif
