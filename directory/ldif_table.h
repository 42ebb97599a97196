/*
 * ldif_table - the entries of one LDIF text with an index over all values.
 *
 * Ownership  Reference-counted and immutable once built.
 * Threads    Any number of readers.
 * Errors     RC_BAD: the text does not parse, *why in `a`.
 */
#ifndef DIRECTORY_LDIF_TABLE_H
#define DIRECTORY_LDIF_TABLE_H

#include "directory/filter.h"

struct ldif_table;

MUST_CHECK enum rc ldif_table_new(
    struct arena *a, struct str text, struct ldif_table **out, struct str *why);
struct ldif_table *ldif_table_ref(struct ldif_table *t);
void ldif_table_unref(struct ldif_table **t);
size_t ldif_table_count(const struct ldif_table *t);
/* By DN in normal form; NULL if there is none. */
const struct dir_raw *ldif_table_dn(
    const struct ldif_table *t, struct str norm);
/* Entries at or below `base` (normal form) that match, at most max + 1. */
size_t ldif_table_find(const struct ldif_table *t, struct arena *a,
    const struct dir_filter *f, struct str base, size_t max,
    const struct dir_raw ***out);

#endif
