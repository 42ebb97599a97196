/*
 * dlv_retry - what this house has to do with one queued message: try mailboxes
 * and groups again, give up what is too old, tell the sender.
 *
 * What cannot be delivered waits (ready) for the next try or (held) until it is
 * too old or an administrator decides.
 *
 * Ownership  *out lives in the plan's arena.
 * Threads    The queue's thread; blocks until `dl`.
 * Errors     plan: RC_BAD the item is damaged.  step: none; it logs and says
 *            in *out when to look again.
 */
#ifndef DLV_RETRY_H
#define DLV_RETRY_H

#include "delivery/dlv_plan.h"

#define DLV_GRACE_WAITS 5 /* of queue_retry_min_s: the grace time */

struct dlv;
struct dlv_why;

/*
 * What becomes of the entries of this house that are due at p->now, and of all
 * that are too old, as one update.  p is initialised with the item's return
 * path.  What was never tried is not given up, unless p->places knows why its
 * place could not be reached: the sender is told that.
 */
MUST_CHECK enum rc dlv_retry_plan(struct dlv_plan *p, struct dir_client *dir,
    const struct store_queue_item *item, struct deadline dl,
    struct store_queue_update *out);

struct dlv_step {
	bool gone;       /* no longer in the queue */
	bool known;      /* the numbers below are true */
	bool again;      /* something was done: read it again */
	int64_t next_at; /* of this house; unix seconds, INT64_MAX: never */
	int64_t expires_at;
	uint32_t ready, held, poison;
};

/* Read the item; if something is due, try it. */
void dlv_retry_step(struct dlv *d, struct str message_id, struct dlv_step *out);
/*
 * What was written by another clock: no wait is longer than the longest between
 * two tries, and for `grace` seconds nothing is too old that can be tried.
 */
void dlv_retry_clock(const struct conf *conf, struct store_queue_item *item,
    int64_t now, int64_t grace);
/* The numbers of an item as it stands; grace as above. */
void dlv_retry_count(const struct conf *conf,
    const struct store_queue_item *item, int64_t grace, struct dlv_step *out);
/* It is this house's to try: no other system can be named for it. */
bool dlv_retry_is_here(const struct conf *conf, const struct store_queued *q);
/* Does this entry expire?  Not when an administrator holds it. */
bool dlv_retry_expires(const struct store_queued *q, const struct dlv_entry *e);
/*
 * Since when the sender should know that it is late; INT64_MAX: never.  What
 * was late already when the grace time began is tried in it first.
 */
int64_t dlv_retry_warn_at(const struct conf *conf,
    const struct store_queue_item *item, const struct store_queued *q,
    const struct dlv_entry *e, int64_t grace);
/* "WHAT, the last error of HOST: REPLY": of a place that is down. */
struct str dlv_why_text(
    struct arena *a, const char *what, const struct dlv_why *why);

#endif
