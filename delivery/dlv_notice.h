/*
 * dlv_notice - tell the sender what became of recipients (mail/dsn.h).
 *
 * What is to be told is in the queue already (DLV_DONE, with an action), or it
 * is time to say that something is late.  The notice is submitted under an id
 * made of what it tells, then the entries are removed (or marked): a death in
 * between submits the same notice again, which the store takes for the first.
 *
 * Nobody is told of what becomes of a notice: a failed one goes to the
 * postmaster's mailbox, and if that fails, it is held.
 *
 * Threads    The queue's; blocks on directory and store.
 * Errors     RC_OK something was done: read the message again; RC_NOENT there
 *            was nothing to do; RC_TEMP not now.
 * Limits     DLV_NOTICE_RCPTS in one notice; originals above DLV_NOTICE_FULL
 *            are returned as headers, those that cannot be read for
 *            queue_retry_max_s not at all.
 */
#ifndef DLV_NOTICE_H
#define DLV_NOTICE_H

#include "store/store_client.h"

#define DLV_NOTICE_RCPTS  200u
#define DLV_NOTICE_FULL   (256u << 10) /* RET=FULL */
#define DLV_NOTICE_SHORT  (48u << 10)  /* nothing was asked for */
#define DLV_NOTICE_HEADER (64u << 10)

struct dlv;

MUST_CHECK enum rc dlv_notice(struct dlv *d, struct arena *a,
    const struct log *log, const struct store_queue_item *item, int64_t now);

#endif
