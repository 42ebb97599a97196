/*
 * pol_author - the domains that a reader may take for the author's.
 *
 * One From field that every reader understands alike has its domains; anything
 * else (two fields, odd syntax) has every domain that a tolerant reader finds
 * in any of the From fields, because one of them is what a person will see.
 *
 * Ownership  Slices live in the arena.
 * Threads    Pure functions.
 * Limits     POL_AUTHORS_MAX different domains; `too_many` says there are more.
 */
#ifndef POLICY_POL_AUTHOR_H
#define POLICY_POL_AUTHOR_H

#include "lib/base.h"

#define POL_AUTHORS_MAX 4u

struct pol_authors {
	struct str domain[POL_AUTHORS_MAX]; /* A-labels, lower case */
	size_t n;
	bool too_many;
	bool odd;  /* not one clear From field */
	bool lost; /* a domain among them that no DNS can be asked about */
};

void pol_authors(struct arena *a, struct str header, struct pol_authors *out);

#endif
