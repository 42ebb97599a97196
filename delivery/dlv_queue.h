/*
 * dlv_queue - when to try which queued message again.
 *
 * The store holds the queue; here is one small record for each message (its
 * id, when its next entry is due, how many entries it has).  One thread takes
 * what is due, asks the store for the item, and runs dlv_retry.
 *
 * Threads    All functions lock inside and do not wait, except start and stop.
 * Errors     The store's silence at start: it is asked again until it answers;
 *            until then the queue takes new entries and tries none.
 * Limits     conf->queue_max entries.
 */
#ifndef DLV_QUEUE_H
#define DLV_QUEUE_H

#include "lib/base.h"

struct dlv;
struct dlv_queue;

struct dlv_queue *dlv_queue_start(struct dlv *d);
/* False: the thread is not done by then and still uses *d. */
bool dlv_queue_stop(struct dlv_queue **q, struct deadline dl);
/* Look at this message as soon as possible: it is new or was changed. */
void dlv_queue_poke(struct dlv_queue *q, struct str message_id);
/* Read the whole queue again: we may not know all of it. */
void dlv_queue_reload(struct dlv_queue *q);
/* RC_TEMP when n more entries do not fit. */
MUST_CHECK enum rc dlv_queue_room(struct dlv_queue *q, uint64_t max, size_t n);

struct dlv_queue_sum {
	bool loaded; /* the queue has been read from the store */
	uint64_t messages, ready, held, poison, expired;
};
void dlv_queue_sum(struct dlv_queue *q, struct dlv_queue_sum *out);

#endif
