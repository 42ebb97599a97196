/*
 * pol_tags - the tag=value lists of DKIM and DMARC (RFC 6376 section 3.2).
 *
 * Tolerant: what is between two semicolons and is no tag is skipped, as
 * RFC 9989 section 4.7 wants for unknown and broken tags.  White space and
 * folds around names and values are cut off.
 *
 * Ownership  Slices borrow the input.
 * Threads    Pure functions.
 */
#ifndef POLICY_POL_TAGS_H
#define POLICY_POL_TAGS_H

#include "lib/base.h"

/* The next tag; false at the end.  *in is what is left. */
bool pol_tag_next(struct str *in, struct str *name, struct str *value);
/* The first tag of that name, case-sensitive as in DKIM; false: none. */
bool pol_tag_find(struct str list, struct str name, struct str *value);

#endif
