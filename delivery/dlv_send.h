/*
 * dlv_send - one try to carry a queued message to one next hop.
 *
 * The message is read, handed to the remote process under an id that names
 * message, entries and attempt, and what became of each recipient is committed.
 * Nothing waits in a thread: the queue's workers begin it, remote's answer is
 * committed on the thread that brings it (a worker does it if the entries have
 * to be read again), and it ends when the store has answered.
 *
 * The id is the same for the same try, whoever makes it: after a death of this
 * process remote gives the first result instead of sending again.
 *
 * Ownership  dlv_send_begin makes it, dlv_send_free frees it.
 * Threads    One owner at a time, handed over by the queue.
 * Errors     See each; RC_TEMP of remote leaves the entries as they were.
 */
#ifndef DLV_SEND_H
#define DLV_SEND_H

#include "delivery/dlv_body.h"
#include "delivery/dlv_fresh.h"
#include "delivery/dlv_plan.h"

struct dlv_job;
struct dlv_why;

struct dlv_send {
	struct arena a;
	struct dlv *d;
	struct dlv_job *job;
	struct log log;
	struct str hop, id;
	struct store_queue_item item;
	const struct store_queued **q; /* those that are tried */
	size_t n;
	struct dlv_body body;
	struct dlv_fresh *fresh; /* what the item and body live in, or NULL */
	/* What remote said. */
	enum rc rc;
	struct rem_outcome out;
	/* The commit. */
	bool answered, refresh;
	bool terse; /* the store took no more words */
	unsigned tries;
	bool all_gone; /* nothing of the message is left in the queue */
	int64_t at;    /* unix milliseconds: take it up then */
	struct dlv_send *prev, *next;
};

/*
 * Which entries go in one transaction to a hop: due, of the same attempt, at
 * most REM_RCPTS_MAX; and the id of that try.  None: *out_n is 0.
 */
void dlv_send_choose(struct arena *a, const struct conf *conf,
    const struct store_queue_item *item, struct str hop, int64_t now,
    const struct store_queued ***out, size_t *out_n, struct str *out_id);
/*
 * What the outcome makes of the chosen entries.  item: as it is now; entries
 * that have vanished are left out.  terse: without the words of servers.
 */
struct store_queue_update dlv_send_result(struct dlv_plan *p,
    const struct store_queue_item *item, const struct store_queued **q,
    size_t n, struct str hop, const struct rem_outcome *out, bool terse);

/*
 * Read it (unless `item` is given, in arena *a, which is taken over, or
 * `fresh`, with its body) and hand it to remote.  False: there was nothing to
 * send, or it cannot be read now
 * (*out_again: unix milliseconds to look again, 0 at once).
 */
MUST_CHECK bool dlv_send_begin(struct dlv *d, struct dlv_job *job,
    struct str message_id, struct str hop, struct arena *a,
    const struct store_queue_item *item, struct dlv_fresh *fresh,
    int64_t *out_again);
/*
 * After remote has answered, and again after each failed commit.  Blocks only
 * if s->refresh.
 */
void dlv_send_commit(struct dlv_send *s);
/* The outcome says that nobody was reached: why; as long as *s. */
void dlv_send_why(struct dlv_send *s, struct dlv_why *out);
void dlv_send_free(struct dlv_send **s);

#endif
