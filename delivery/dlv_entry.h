/*
 * dlv_entry - what delivery keeps with an entry of the queue, beyond what the
 * store has fields for (store_queued.data).
 *
 * Ownership  What is read are slices of the bytes; what is written lives in
 *            the arena.
 * Threads    Pure functions.
 * Errors     RC_BAD: damaged bytes or a later version.
 * Format     u8 version (2), then fields: u8 tag, u32 length (little endian),
 *            bytes; numbers have 8.  Absent fields are empty.  Version 1, of
 *            the first release, is a set of people (dlv_people.h) and nothing
 *            else.
 */
#ifndef DLV_ENTRY_H
#define DLV_ENTRY_H

#include "delivery/dlv_client.h"
#include "store/store_client.h"

/* What a notice says became of the recipient. */
enum dlv_action {
	DLV_NO_ACTION,
	DLV_FAILED,
	DLV_DELAYED,
	DLV_DELIVERED,
	DLV_RELAYED,
	DLV_EXPANDED,
};

struct dlv_entry {
	uint64_t notify;   /* enum rem_notify */
	uint64_t ret;      /* enum rem_ret */
	struct str orcpt;  /* "rfc822;xtext" */
	struct str envid;  /* xtext */
	struct str route;  /* what the directory said: dir_rcpt.route */
	struct str people; /* dlv_people_save */
	uint64_t waits;    /* held by delivery, not by an administrator */
	uint64_t warned;   /* the sender knows that it is late */
	uint64_t junk;     /* policy wants it in the mailbox Junk */
	uint64_t action;   /* enum dlv_action: a notice has to be sent */
	/* The last try. */
	struct str hop, host, status, reply;
	uint64_t code, from_server, expired;
	int64_t tried_at;
};

MUST_CHECK enum rc dlv_entry_get(struct str data, struct dlv_entry *out);
/*
 * What was read of the entries that *up changes or removes: the store refuses
 * it if somebody has changed them since.  In a's memory; comes last.
 */
void dlv_entry_expect(struct arena *a, const struct store_queue_item *item,
    struct store_queue_update *up);
struct str dlv_entry_put(struct arena *a, const struct dlv_entry *e);

#endif
