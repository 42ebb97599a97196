/*
 * ldif - content records of an LDIF file (RFC 2849).
 *
 * "attr:: base64", folded lines and comments are understood; values from URLs
 * ("attr:<") and change records are refused.
 *
 * Ownership  Entries live in the arena given.
 * Threads    Pure functions.
 * Errors     RC_BAD with the line number and what is wrong in *why.
 * Limits     DIR_LDIF_MAX bytes, DIR_LDIF_ENTRIES entries, DIR_LDIF_VALUES
 *            values in all, 1,000 different attributes of one entry.
 */
#ifndef DIRECTORY_LDIF_H
#define DIRECTORY_LDIF_H

#include "directory/backend.h"

#define DIR_LDIF_MAX     (32u << 20)
#define DIR_LDIF_ENTRIES 200000u
#define DIR_LDIF_VALUES  1000000u

MUST_CHECK enum rc dir_ldif_parse(struct arena *a, struct str text,
    struct dir_raw **out, size_t *out_n, struct str *why);

#endif
