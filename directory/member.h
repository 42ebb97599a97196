/*
 * member - is an account in a group, also through other groups?  A group is
 * in itself.
 *
 * Ownership  `out` is the caller's.
 * Threads    Any worker; blocks until `dl` at most.
 * Errors     RC_TEMP as a whole when nothing could be asked.  Of each: RC_OK
 *            it is, RC_DENY it is not, RC_NOENT there is no such group,
 *            RC_TEMP could not be found out.
 * Limits     DIR_RCPTS_MAX accounts, DIR_MEMBER_GROUPS_MAX groups;
 *            DIR_ABOVE_MAX groups that an entry is in directly,
 *            DIR_CLIMB_MAX above one account: past them that account's
 *            verdicts are RC_TEMP (alarm in the log).
 */
#ifndef DIRECTORY_MEMBER_H
#define DIRECTORY_MEMBER_H

#include "directory/lookup.h"

#define DIR_ABOVE_MAX 400u
#define DIR_CLIMB_MAX 5000u

/* What a group's name, a DN or a mail address, stands for. */
struct dir_group {
	enum rc rc;     /* RC_OK, RC_NOENT, RC_TEMP */
	struct str dn;  /* as the directory writes it */
	struct str key; /* normal form */
	struct str why; /* RC_NOENT: what is wrong */
};

/* Each has its own rc; RC_NOENT is told to the log as well. */
void dir_groups_find(struct dir *d, struct arena *a, const struct str *name,
    size_t n, struct deadline dl, struct dir_group *out);
/* out[i * ngroup + k]: account i in group k. */
MUST_CHECK enum rc dir_member_of(struct dir *d, struct arena *a,
    const struct str *id, size_t n, const struct dir_group *group,
    size_t ngroup, struct deadline dl, enum rc *out);

#endif
