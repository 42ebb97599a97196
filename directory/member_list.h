/*
 * member_list - the members that one group names, as the directory writes
 * them: DNs, login names, mail addresses.
 *
 * In AD the member attribute is always asked for by range (MS-ADTS
 * 3.1.1.3.1.3.3): a DC gives 1,500 values at a time, and a client that asks
 * for the plain attribute sees none of a larger group.
 *
 * Ownership  Slices live in the arena.
 * Errors     RC_NOENT: the group is gone; RC_TEMP; RC_BAD: more than max.
 */
#ifndef DIRECTORY_MEMBER_LIST_H
#define DIRECTORY_MEMBER_LIST_H

#include "directory/query.h"

struct dir_strs {
	struct str *v;
	size_t n, size;
};

struct dir_members {
	struct dir_strs dn;
	struct dir_strs uid;
	struct dir_strs mail;
};

void dir_strs_add(struct arena *a, struct dir_strs *s, struct str x);
MUST_CHECK enum rc dir_member_list(struct dir *d, struct arena *a,
    struct str group_dn, size_t max, struct deadline dl,
    struct dir_members *out);

#endif
