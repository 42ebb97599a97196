/*
 * dlv_poison - messages that the process died with.
 *
 * While a message is being worked on it is entered in the table that outlives
 * the process (lib/inflight.h).  One that was there at two deaths is not tried
 * again: a submit is answered RC_TEMP, so the mail stays with its sender; an
 * item of the queue is set aside as DLV_POISON.  Both are named in the log.
 *
 * A sender's next attempt has another submit id, so a submit is known by its
 * content.  It is forgiven after the process has lived for DLV_POISON_REST_S,
 * because deaths may have had another cause and its sender cannot ask us.
 *
 * Threads    Any.
 * Errors     begin: RC_DENY it is poison.  A full table is no error.
 */
#ifndef DLV_POISON_H
#define DLV_POISON_H

#include "delivery/dlv_client.h"
#include "lib/inflight.h"

#define DLV_POISON_REST_S 3600

struct dlv;

struct dlv_work {
	struct str key; /* INFLIGHT_ID bytes */
	char bytes[INFLIGHT_ID];
	unsigned slot;
	bool entered;
};

/* The key of a submit; reads some of a body in a file. */
void dlv_poison_submit(struct dlv_work *w, const struct dlv_submit *m);
/* The key of an item of the queue. */
void dlv_poison_item(struct dlv_work *w, struct str message_id);
MUST_CHECK enum rc dlv_poison_begin(struct dlv *d, struct dlv_work *w);
void dlv_poison_end(struct dlv *d, struct dlv_work *w);
/* An administrator wants it tried again. */
void dlv_poison_forgive(struct dlv *d, struct str message_id);
/* Log what the last life died with. */
void dlv_poison_report(struct dlv *d);

#endif
