/*
 * filter - LDAP filters (RFC 4515), parsed and evaluated on raw entries.
 *
 * The LDIF back-end answers with it, and the setting scope_filter is checked
 * with it before any server sees it.  Values are compared without regard to
 * ASCII case, as directories compare the attributes of people.  Extensible
 * matches: the two bit rules of AD (1.2.840.113556.1.4.803 and .804); others
 * match nothing, as on a server that lacks them.
 *
 * Ownership  A filter lives in the arena it was parsed into.
 * Threads    A parsed filter is immutable.
 * Errors     RC_BAD: not a filter, or past a limit.
 * Limits     DIR_FILTER_MAX bytes, depth DIR_FILTER_DEPTH, and
 *            DIR_FILTER_NODES nodes.
 */
#ifndef DIRECTORY_FILTER_H
#define DIRECTORY_FILTER_H

#include "directory/backend.h"

#define DIR_FILTER_MAX   65536u
#define DIR_FILTER_DEPTH 16u
#define DIR_FILTER_NODES 4096u

enum dir_filter_op {
	DIR_F_AND,
	DIR_F_OR,
	DIR_F_NOT,
	DIR_F_EQ,
	DIR_F_PRESENT,
	DIR_F_SUBSTR, /* parts; "" at an end that is open */
	DIR_F_GE,
	DIR_F_LE,
	DIR_F_BITS_ALL,
	DIR_F_BITS_ANY,
	DIR_F_NEVER,
};

struct dir_filter {
	enum dir_filter_op op;
	struct str attr;
	struct str value; /* unescaped */
	struct str *part; /* DIR_F_SUBSTR */
	size_t nparts;
	struct dir_filter *sub; /* first child */
	struct dir_filter *next;
};

MUST_CHECK enum rc dir_filter_parse(
    struct arena *a, struct str text, struct dir_filter **out);
bool dir_filter_match(const struct dir_filter *f, const struct dir_raw *e);

#endif
