/*
 * The queue as the store has it becomes what is scheduled: at a start, after
 * settings have changed, and when we may not know all of it (dlv_reload.h).
 */
#include <string.h>

#include "delivery/dlv.h"
#include "delivery/dlv_queue_impl.h"
#include "delivery/dlv_retry.h"

#define PAGE    200u
#define LIST_MS 10000

void
dlv_queue_note(struct dlv_queue *q, struct dlv_message *m,
    const struct conf *conf, const struct store_queue_item *item)
{
	AUTO_ARENA a = { 0 };
	struct dlv_step s;

	dlv_retry_count(conf, item, dlv_queue_grace(q->d), &s);
	dlv_sched_begin(&q->sched, m,
	    &(struct dlv_numbers){ s.ready, s.held, s.poison, s.expires_at });
	if (s.next_at != DLV_NEVER)
		dlv_sched_want(&q->sched, m, STR(""), s.next_at * 1000);
	for (size_t i = 0; i < item->nentries; i++) {
		const struct store_queued *e = &item->entries[i];
		struct str hop = dlv_plan_hop(&a, conf, e);

		/* What is too old is this house's, unless it was never tried.
		 */
		if (e->expires_at <= now_unix() && e->attempts > 0)
			continue;
		/* By a new route: it may be on its way by the old one. */
		if (hop.n > 0 && (m->running == 0 || dlv_sched_has(m, hop)))
			dlv_sched_want(&q->sched, m, hop, e->next_at * 1000);
	}
	dlv_sched_end(&q->sched, m);
}

/*
 * An item of a page that was asked for at `since`; with the lock.  What has
 * happened meanwhile is newer: a message that somebody is busy with, or has
 * read, is left alone, and one that is not known (any more) is read first.
 */
static void
note_item(struct dlv_queue *q, const struct conf *conf,
    struct store_queue_item *item, uint64_t since)
{
	struct dlv_message *m = dlv_sched_find(&q->sched, item->message_id);

	if (m == NULL) {
		m = dlv_sched_add(&q->sched, item->message_id);
		if (q->loaded) {
			dlv_sched_look(&q->sched, m);
			return;
		}
	}
	if (m->looking || m->listed || m->here || m->running > 0 ||
	    m->noted >= since)
		return;
	dlv_retry_clock(conf, item, now_unix(), dlv_queue_grace(q->d));
	dlv_queue_note(q, m, conf, item);
}

/* Others take their turns between two items. */
static void
note_page(struct dlv_queue *q, struct store_queue_item *item, size_t n,
    uint64_t since)
{
	const struct conf *conf = dlv_conf(q->d);

	for (size_t i = 0; i < n; i++) {
		if (item[i].message_id.n > DLV_QUEUE_ID_MAX)
			continue;
		pthread_mutex_lock(&q->lock);
		note_item(q, conf, &item[i], since);
		pthread_mutex_unlock(&q->lock);
	}
	pthread_cond_broadcast(&q->changed);
	conf_unref(&conf);
}

static enum rc
load(struct dlv_queue *q)
{
	char last[DLV_QUEUE_ID_MAX];
	struct str after = STR("");
	size_t n;

	do {
		AUTO_ARENA a = { 0 };
		uint64_t since = dlv_queue_mark(q);
		struct store_queue_item *item;
		enum rc rc = store_queue_list(q->d->store, &a, after, PAGE,
		    deadline_in(LIST_MS), &item, &n);

		if (rc != RC_OK)
			return rc;
		note_page(q, item, n, since);
		if (n > 0) {
			after =
			    str_sub(item[n - 1].message_id, 0, sizeof(last));
			memcpy(last, after.p, after.n);
			after.p = last;
		}
	} while (n > 0 && !q->stop);
	return RC_OK;
}

void
dlv_queue_load(struct dlv_queue *q)
{
	int64_t began = now_unix_ms();
	enum rc rc;

	dlv_reload_begin(&q->reload, began / 1000);
	q->loading = true;
	pthread_mutex_unlock(&q->lock);
	rc = load(q);
	pthread_mutex_lock(&q->lock);
	q->loading = false;
	if (rc != RC_OK)
		log_warn(q->d->log, "queue.load", KVC("rc", rc_name(rc)),
		    KVI("again_s", q->reload.wait));
	dlv_reload_end(&q->reload, now_unix(), rc == RC_OK);
	if (rc != RC_OK)
		return;
	if (!q->loaded)
		log_info(q->d->log, "queue.loaded",
		    KVU("messages", HASH_COUNT(q->sched.by_id)),
		    KVU("ready", q->sched.sum.ready),
		    KVU("held", q->sched.sum.held),
		    KVU("poison", q->sched.sum.poison),
		    KVI("ms", now_unix_ms() - began));
	q->loaded = true;
}
