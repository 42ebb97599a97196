/*
 * group - the people in a group: nested, loops and all, each account once.
 *
 * Ownership  Answers live in the arena.
 * Threads    Any worker; blocks until `dl` at most.
 * Errors     RC_NOENT: the group is gone (or is none); RC_TEMP: not everybody
 *            could be found out, or a limit was passed (alarm in the log).
 *            Nobody is left out silently because of a failure.
 * Limits     DIR_MEMBERS_MAX people, DIR_GROUPS_MAX groups.
 */
#ifndef DIRECTORY_GROUP_H
#define DIRECTORY_GROUP_H

#include "directory/lookup.h"

#define DIR_GROUPS_MAX 10000u

MUST_CHECK enum rc dir_group_expand(struct dir *d, struct arena *a,
    struct str id, struct deadline dl, struct dir_trace *t,
    struct dir_answer **out, size_t *out_n);

#endif
