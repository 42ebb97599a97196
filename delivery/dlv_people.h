/*
 * dlv_people - a set of accounts: who of a message's recipients has it.
 *
 * The set decides that each person gets one copy, however many addresses and
 * groups name them, and it survives with a queued group (store_queued.data).
 *
 * Ownership  Memory comes from the arena given at init.
 * Threads    One owner.
 * Errors     RC_BAD: not an id in canonical text, or damaged bytes.
 * Limits     DIR_MEMBERS_MAX + DIR_RCPTS_MAX people.
 *            Somebody without an id (a foreign address in a group) is known by
 *            address, any case.
 * Format     saved: one version byte (1), then 16 bytes for each id.
 */
#ifndef DLV_PEOPLE_H
#define DLV_PEOPLE_H

#include "delivery/dlv_client.h"

#define DLV_ID_BYTES   16u
#define DLV_PEOPLE_MAX (DIR_MEMBERS_MAX + DIR_RCPTS_MAX + DLV_COPIES_MAX)

struct dlv_people {
	struct arena *a;
	unsigned char (*slot)[DLV_ID_BYTES]; /* all zero: free */
	size_t n, size;                      /* size is a power of two */
};

void dlv_people_init(struct dlv_people *p, struct arena *a);
/*
 * address counts only when there is no id.  *out_new: it was not in the set
 * before.  RC_DENY: the set is full.
 */
MUST_CHECK enum rc dlv_people_add(
    struct dlv_people *p, struct str id, struct str address, bool *out_new);
bool dlv_people_has(
    const struct dlv_people *p, struct str id, struct str address);
/* Add what dlv_people_save wrote; empty bytes are an empty set. */
MUST_CHECK enum rc dlv_people_load(struct dlv_people *p, struct str saved);
struct str dlv_people_save(const struct dlv_people *p, struct arena *a);

#endif
