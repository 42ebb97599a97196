/*
 * dlv_retry - try one queued message again.
 *
 * Nothing is dropped or returned here: what cannot be delivered waits (ready)
 * for the next try or (held) for an administrator.
 *
 * Ownership  *out lives in the plan's arena.
 * Threads    The queue's thread; blocks until `dl`.
 * Errors     plan: RC_BAD the item is damaged.  step: none; it logs and says
 *            in *out when to look again.
 */
#ifndef DLV_RETRY_H
#define DLV_RETRY_H

#include "delivery/dlv_plan.h"

struct dlv;

/*
 * What becomes of the entries that are due at p->now, as one update.  p is
 * initialised with the item's return path.
 */
MUST_CHECK enum rc dlv_retry_plan(struct dlv_plan *p, struct dir_client *dir,
    const struct store_queue_item *item, struct deadline dl,
    struct store_queue_update *out);

struct dlv_step {
	bool gone;       /* no longer in the queue */
	bool known;      /* the numbers below are true */
	int64_t next_at; /* unix seconds, INT64_MAX: never by itself */
	int64_t expires_at;
	uint32_t ready, held, poison;
};

/* Read the item; if something is due, try it. */
void dlv_retry_step(struct dlv *d, struct str message_id, struct dlv_step *out);
/* The numbers of an item as it stands. */
void dlv_retry_count(const struct store_queue_item *item, struct dlv_step *out);

#endif
