/*
 * size_limit - how large a message may be, by the groups that somebody is in.
 *
 * Of the groups that somebody is in, the one with the largest size counts;
 * who is in none has the size of "*", or the most there is.  Who is in which
 * group is not known here.
 *
 * Ownership  Limits live in the arena that they are added to.
 * Threads    Pure functions.
 * Errors     RC_BAD: there is one for this group already.
 * Limits     MAIL_SIZE_GROUPS_MAX groups.
 */
#ifndef MAIL_SIZE_LIMIT_H
#define MAIL_SIZE_LIMIT_H

#include "lib/base.h"

#define MAIL_SIZE_GROUPS_MAX 50u

struct mail_size_limits {
	struct str group[MAIL_SIZE_GROUPS_MAX]; /* an address or a DN */
	uint64_t size[MAIL_SIZE_GROUPS_MAX];
	size_t n;
	uint64_t rest; /* "*"; 0: not set */
};

/* `group` may be "*". */
MUST_CHECK enum rc mail_size_limit_add(struct mail_size_limits *l,
    struct arena *a, struct str group, uint64_t size);
/* Up to this nobody's limit matters, whoever it is. */
uint64_t mail_size_limit_least(const struct mail_size_limits *l, uint64_t most);
/* The most that anybody has. */
uint64_t mail_size_limit_most(const struct mail_size_limits *l, uint64_t most);
/*
 * Of somebody: is[i] says whether they are in group i, RC_OK yes, RC_TEMP
 * nobody knows, else no.  RC_TEMP when that decides.
 */
MUST_CHECK enum rc mail_size_limit_of(const struct mail_size_limits *l,
    const enum rc *is, uint64_t most, uint64_t *out);

#endif
