/*
 * parse - the tokens of RFC 3501 section 9, cut off the front of a command.
 *
 * The command is complete: its literals stand in it as "{5}" CRLF and five
 * bytes, the CRLF at its end is gone.  Every function cuts what it names off
 * p->in and says true, or says false and leaves p->in where it was or
 * somewhere inside: after a false the command is BAD.
 *
 * Ownership  Slices point into the command, or into p->a when a quoted string
 *            held an escape.
 * Threads    Pure functions.
 * Limits     The command's size is the caller's affair; everything here is
 *            linear in it.
 */
#ifndef IMAP_PARSE_H
#define IMAP_PARSE_H

#include "lib/base.h"

struct imap_parse {
	struct str in;
	struct arena *a;
};

MUST_CHECK bool imap_parse_char(struct imap_parse *p, char c);
/* Exactly one space. */
MUST_CHECK bool imap_parse_sp(struct imap_parse *p);
/* Nothing is left. */
MUST_CHECK bool imap_parse_end(const struct imap_parse *p);
/* The next byte, or -1. */
int imap_parse_peek(const struct imap_parse *p);
/* A word that is compared without case and ends where an atom ends. */
MUST_CHECK bool imap_parse_word(struct imap_parse *p, struct str word);

MUST_CHECK bool imap_parse_tag(struct imap_parse *p, struct str *out);
MUST_CHECK bool imap_parse_atom(struct imap_parse *p, struct str *out);
MUST_CHECK bool imap_parse_astring(struct imap_parse *p, struct str *out);
/* Quoted or literal. */
MUST_CHECK bool imap_parse_string(struct imap_parse *p, struct str *out);
/* out->p is NULL for NIL. */
MUST_CHECK bool imap_parse_nstring(struct imap_parse *p, struct str *out);
/* list-mailbox: an atom that may hold wildcards, or a string. */
MUST_CHECK bool imap_parse_pattern(struct imap_parse *p, struct str *out);
MUST_CHECK bool imap_parse_number(struct imap_parse *p, uint32_t *out);
MUST_CHECK bool imap_parse_nz(struct imap_parse *p, uint32_t *out);

/*
 * Does this line (with its CRLF) end in a literal's announcement?  If so its
 * size, whether the client waits for "+" (RFC 7888), and where "{" is.
 */
struct imap_literal {
	uint64_t size;
	bool sync;
	size_t at;
};
MUST_CHECK bool imap_literal_announced(
    struct str line, struct imap_literal *out);

/* RFC 3501 ATOM-CHAR. */
bool imap_is_atom_char(char c);

#endif
