/*
 * lookup - addresses and ids to answers, through the cache, in batches.
 *
 * Ownership  Answers live in the arena.
 * Threads    Any worker; blocks until `dl` at most.
 * Errors     RC_TEMP as a whole when nothing could be asked; else RC_OK and
 *            each answer has its own rc.
 * Limits     DIR_RCPTS_MAX addresses.
 */
#ifndef DIRECTORY_LOOKUP_H
#define DIRECTORY_LOOKUP_H

#include "directory/query.h"
#include "directory/rules.h"

/* Rules over this directory, now. */
struct dir_rules dir_rules_of(const struct dir *d, struct dir_trace *t);

MUST_CHECK enum rc dir_lookup(struct dir *d, struct arena *a,
    const struct str *address, size_t n, struct deadline dl,
    struct dir_trace *t, struct dir_answer *out);
MUST_CHECK enum rc dir_lookup_id(struct dir *d, struct arena *a, struct str id,
    struct deadline dl, struct dir_trace *t, struct dir_answer *out);
/* Take out of the answers what scope_group leaves outside. */
MUST_CHECK enum rc dir_apply_scope(struct dir *d, struct arena *a,
    struct dir_answer *x, size_t n, struct deadline dl, struct dir_trace *t);

#endif
