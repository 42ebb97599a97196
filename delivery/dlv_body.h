/*
 * dlv_body - the body of a queued message, as remote wants it: inline, in a
 * sealed memfd within a budget, or in an unnamed file.
 *
 * Ownership  Inline bytes live in the arena; dlv_body_close closes the
 *            descriptor and gives the memory back.
 * Threads    Any worker; reads the store's files.
 * Errors     RC_NOENT: no longer in the queue; RC_TEMP: cannot be read now.
 * Limits     memory_body_max for all memfds of the process together.
 */
#ifndef DLV_BODY_H
#define DLV_BODY_H

#include "store/store_client.h"

#define DLV_BODY_INLINE (16u << 10)
#define DLV_BODY_MEMFD  (1u << 20)

struct dlv;

struct dlv_body {
	struct str inline_data; /* or */
	int fd;                 /* >= 0 */
	uint64_t size;
	uint64_t budget; /* of the memory */
};

MUST_CHECK enum rc dlv_body_open(struct dlv *d, struct arena *a,
    const struct store_queue_item *item, struct dlv_body *out);
void dlv_body_close(struct dlv *d, struct dlv_body *b);
/* The first bytes of edits + body, at most max; for notices. */
MUST_CHECK enum rc dlv_body_head(struct dlv *d, struct arena *a,
    struct str message_id, size_t max, struct str *out);

#endif
