/*
 * watch - which sessions want to hear when a mailbox changes.
 *
 * The process subscribes to the store once; a hint wakes the sessions that
 * wait (IDLE) with that mailbox selected.
 *
 * Ownership  The session owns its struct imap_watch and takes it out before
 *            it dies; the table borrows.
 * Threads    Everything locks inside; imap_watch_hint does not block.
 */
#ifndef IMAP_WATCH_H
#define IMAP_WATCH_H

#include "lib/netd.h"

struct imap_watches;

struct imap_watch {
	uint64_t mailbox;
	struct netd_waker *waker; /* NULL: not in the table */
	struct imap_watch *prev, *next;
};

struct imap_watches *imap_watches_new(void);
void imap_watches_free(struct imap_watches **t);
/* c's session will be woken until imap_watch_remove. */
void imap_watch_add(struct imap_watches *t, struct imap_watch *w,
    struct netd_conn *c, uint64_t mailbox);
void imap_watch_remove(struct imap_watches *t, struct imap_watch *w);
/* mailbox 0: anything may have changed. */
void imap_watch_hint(struct imap_watches *t, uint64_t mailbox);

#endif
