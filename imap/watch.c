/*
 * A fixed number of buckets, each a list: entries come and go with every
 * IDLE, and a list link in the session costs no allocation.
 */
#include "imap/watch.h"

#include <pthread.h>
#include <utlist.h>

#define BUCKETS 1024u

struct imap_watches {
	pthread_mutex_t lock;
	struct imap_watch *bucket[BUCKETS];
};

struct imap_watches *
imap_watches_new(void)
{
	struct imap_watches *t = xcalloc(1, sizeof(*t));

	pthread_mutex_init(&t->lock, NULL);
	return t;
}

void
imap_watches_free(struct imap_watches **t)
{
	if (*t == NULL)
		return;
	pthread_mutex_destroy(&(*t)->lock);
	xfree(*t);
	*t = NULL;
}

void
imap_watch_add(struct imap_watches *t, struct imap_watch *w,
    struct netd_conn *c, uint64_t mailbox)
{
	assert(w->waker == NULL);
	w->mailbox = mailbox;
	w->waker = netd_waker(c);
	pthread_mutex_lock(&t->lock);
	DL_PREPEND(t->bucket[mailbox % BUCKETS], w);
	pthread_mutex_unlock(&t->lock);
}

void
imap_watch_remove(struct imap_watches *t, struct imap_watch *w)
{
	if (w->waker == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	DL_DELETE(t->bucket[w->mailbox % BUCKETS], w);
	pthread_mutex_unlock(&t->lock);
	netd_waker_unref(&w->waker);
}

static void
wake_bucket(struct imap_watches *t, size_t i, uint64_t mailbox)
{
	struct imap_watch *w;

	DL_FOREACH(t->bucket[i], w)
	{
		if (mailbox == 0 || w->mailbox == mailbox)
			netd_wake(w->waker);
	}
}

void
imap_watch_hint(struct imap_watches *t, uint64_t mailbox)
{
	pthread_mutex_lock(&t->lock);
	if (mailbox != 0) {
		wake_bucket(t, mailbox % BUCKETS, mailbox);
	} else {
		for (size_t i = 0; i < BUCKETS; i++)
			wake_bucket(t, i, 0);
	}
	pthread_mutex_unlock(&t->lock);
}
