/*
 * dn - distinguished names and filter values as text.
 *
 * Normal form: attribute types and ASCII letters of values in lower case, the
 * parts of a multi-valued RDN sorted, spaces around and doubled ones gone,
 * everything special as \xx (RFC 4514).  Two DNs that name the same entry
 * have the same normal form as far as ASCII goes; accounts are compared by
 * id, so a miss costs one more look-up and nothing else.
 *
 * Ownership  Results live in the arena.
 * Threads    Pure functions.
 * Errors     RC_BAD: not a DN.
 * Limits     DIR_DN_MAX bytes.
 */
#ifndef DIRECTORY_DN_H
#define DIRECTORY_DN_H

#include "lib/base.h"

#define DIR_DN_MAX 8192u

MUST_CHECK enum rc dir_dn_norm(struct arena *a, struct str dn, struct str *out);
/* Both in normal form: is dn the base or below it? */
bool dir_dn_below(struct str dn, struct str base);
/* RFC 4515 section 3, stricter: whatever is not plainly harmless is \xx. */
struct str dir_filter_escape(struct arena *a, struct str value);

#endif
