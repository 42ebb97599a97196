/*
 * list - what a LIST or LSUB asks for: RFC 3501 section 6.3.8 and the
 * extended form of RFC 5258 with the special uses of RFC 6154.
 *
 * Ownership  Patterns live in the parse's arena.
 * Threads    Pure functions.
 * Limits     IMAP_PATTERNS_MAX patterns of IMAP_PATTERN_MAX bytes.
 */
#ifndef IMAP_LIST_H
#define IMAP_LIST_H

#include "imap/parse.h"

#define IMAP_PATTERN_MAX  2000u
#define IMAP_PATTERNS_MAX 32u

struct list_pattern {
	struct str text;  /* UTF-8, reference and all */
	struct str upper; /* the same for INBOX, which has no case */
};

struct list_query {
	bool lsub;
	bool extended;   /* options, several patterns or RETURN */
	bool separator;  /* only what separates levels is asked for */
	bool subscribed; /* selection: SUBSCRIBED */
	bool special;    /* selection: SPECIAL-USE */
	bool recursive;  /* RECURSIVEMATCH */
	bool show_subscribed;
	bool levels; /* names of levels without a mailbox are shown */
	struct list_pattern pattern[IMAP_PATTERNS_MAX];
	size_t n;
};

MUST_CHECK bool imap_list_parse(
    struct imap_parse *p, bool lsub, struct list_query *out);
bool imap_list_matches(const struct list_query *q, struct str name);

#endif
