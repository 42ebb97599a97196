/*
 * set - sequence-set of RFC 3501 section 9: "1:3,7,*".
 *
 * Ownership  Sets live in the arena they were parsed or resolved into.
 * Threads    Pure functions.
 * Errors     imap_set_parse: false for a malformed set.
 *            imap_set_resolve: RC_BAD for a message number that the mailbox
 *            does not have (section 9, seq-number).
 * Limits     IMAP_SET_MAX ranges.
 */
#ifndef IMAP_SET_H
#define IMAP_SET_H

#include "imap/parse.h"
#include "imap/view.h"

#define IMAP_SET_MAX 32768u

/* As written; 0 stands for "*", lo may be above hi. */
struct imap_range {
	uint32_t lo, hi;
};
struct imap_set {
	struct imap_range *v;
	size_t n;
};

MUST_CHECK bool imap_set_parse(struct imap_parse *p, struct imap_set *out);

/*
 * The UIDs it means in this view: sorted, merged, none above the highest UID
 * of the view.  `uid`: the set holds UIDs, those that do not exist are no
 * error.  `clamp`: message numbers that do not exist are dropped as well.
 */
struct imap_resolve {
	bool uid;
	bool clamp;
};
MUST_CHECK enum rc imap_set_resolve(struct arena *a, const struct view *v,
    const struct imap_set *set, struct imap_resolve how, struct uid_set *out);

/* "1:3,7" for response codes. */
MUST_CHECK enum rc imap_set_print(struct buf *b, const struct uid_set *set);

bool imap_uids_have(const struct uid_set *set, uint32_t uid);
/* Sort and merge in place. */
void imap_uids_normalise(struct uid_set *set);

#endif
