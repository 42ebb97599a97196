/*
 * dlv_queue - when to try which queued message again, and where.
 *
 * The store holds the queue; here is a small record for each message
 * (dlv_sched.h).  A few threads read messages that are new or were changed,
 * run what is to be done in this house (dlv_here), begin tries for other
 * systems (dlv_send) and commit what came of them.  A try on its way holds no
 * thread.
 *
 * Threads    All functions lock inside and do not wait, except start and stop.
 * Errors     The store's silence at start: it is asked again until it answers;
 *            until then the queue takes new entries and tries those alone.
 * Limits     conf->queue_max entries; DLV_QUEUE_SENDS tries at a time.
 */
#ifndef DLV_QUEUE_H
#define DLV_QUEUE_H

#include "lib/base.h"

#define DLV_QUEUE_SENDS 400u

struct dlv;
struct dlv_queue;
struct dlv_send;
struct dlv_fresh;
struct dlv_why;

/* Sets d->queue, before its threads begin. */
void dlv_queue_start(struct dlv *d);
/* False: a thread or a try is not done by then and still uses *d. */
bool dlv_queue_stop(struct dlv_queue *q, struct deadline dl);
/* Once it has stopped. */
void dlv_queue_free(struct dlv_queue **q);
/* Look at this message as soon as possible: it is new or was changed. */
void dlv_queue_poke(struct dlv_queue *q, struct str message_id);
/* The same with what is known of a new one; takes the reference. */
void dlv_queue_fresh(struct dlv_queue *q, struct dlv_fresh *f);
/* Read the whole queue again: we may not know all of it. */
void dlv_queue_reload(struct dlv_queue *q);
/* The same, several times: a commit of unknown fate may happen late. */
void dlv_queue_doubt(struct dlv_queue *q);
/*
 * Seconds for which nothing may be given up untried: after a start and after
 * the clock was set forward.
 */
int64_t dlv_queue_grace(const struct dlv *d);
/*
 * Why the place could not be reached the last time, in a's memory.  RC_NOENT:
 * as far as is known, it can be.
 */
MUST_CHECK enum rc dlv_queue_why(
    struct dlv_queue *q, struct arena *a, struct str hop, struct dlv_why *out);
/*
 * An administrator wants the place tried, however often nobody was reached
 * there; but a try that began after dlv_queue_mark gave `since` is believed.
 */
uint64_t dlv_queue_mark(struct dlv_queue *q);
void dlv_queue_revive(struct dlv_queue *q, struct str hop, uint64_t since);
/* RC_TEMP when n more entries do not fit. */
MUST_CHECK enum rc dlv_queue_room(struct dlv_queue *q, uint64_t max, size_t n);

/*
 * For dlv_send: remote has answered, and it is committed now unless something
 * has to be read first; it is to be taken up (at s->at); it is over, and freed.
 */
void dlv_queue_answered(struct dlv_queue *q, struct dlv_send *s);
void dlv_queue_sent(struct dlv_queue *q, struct dlv_send *s);
void dlv_queue_finish(struct dlv_queue *q, struct dlv_send *s);

struct dlv_queue_sum {
	bool loaded; /* the queue has been read from the store */
	uint64_t messages, ready, held, poison, expired;
	uint64_t places, sending;
};
void dlv_queue_sum(struct dlv_queue *q, struct dlv_queue_sum *out);

#endif
