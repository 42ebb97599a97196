/*
 * dlv_fresh - a message that was just committed to the queue, with its body
 * still at hand: its first try needs nothing from the store.
 *
 * It is only a shortcut: without one (the budget is used up, the place has no
 * room for another try, a restart) the message is read from the store.
 *
 * Ownership  Counted; everything in it lives in its arena.  The descriptor is
 *            shared and read by offset, never written.
 * Threads    Constant once it is given to the queue.
 * Limits     DLV_FRESH_BYTES and DLV_FRESH_MAX of all together.
 */
#ifndef DLV_FRESH_H
#define DLV_FRESH_H

#include "delivery/dlv_body.h"
#include "delivery/dlv_plan.h"

#define DLV_FRESH_BYTES (16u << 20)
#define DLV_FRESH_MAX   128u

struct dlv_fresh {
	struct dlv *d;
	_Atomic unsigned refs;
	struct arena a;
	struct store_queue_item item;
	struct dlv_body body;
	uint64_t bytes;
	struct dlv_fresh *prev, *next; /* in the queue's list */
};

/* What is about to be committed; NULL: it has to be read later. */
struct dlv_fresh *dlv_fresh_new(
    struct dlv *d, const struct dlv_submit *m, const struct dlv_plan *p);
/* It was committed. */
void dlv_fresh_name(
    struct dlv_fresh *f, struct str message_id, uint64_t first_entry);
struct dlv_fresh *dlv_fresh_ref(struct dlv_fresh *f);
void dlv_fresh_unref(struct dlv_fresh **f);

#endif
