/*
 * Requests: kept for the next use instead of freed, queued for the workers,
 * answered.
 */
#include <errno.h>
#include <unistd.h>

#include "lib/rpcd_impl.h"

static void
msg_recycle(struct ipc_msg *m)
{
	struct buf b = m->b;

	m->b = (struct buf){ 0 };
	ipc_msg_free(m);
	ipc_msg_init(m, 0);
	b.cap = m->b.cap;
	if (b.size > RPCD_KEPT_BYTES)
		buf_release(&b);
	buf_clear(&b);
	m->b = b;
}

struct rpcd_item *
rpcd_item_new(struct rpcd *d)
{
	struct rpcd_item *item;

	pthread_mutex_lock(&d->lock);
	item = d->kept;
	if (item != NULL) {
		d->kept = item->next;
		d->nkept--;
	}
	pthread_mutex_unlock(&d->lock);
	if (item == NULL) {
		item = xcalloc(1, sizeof(*item));
		ipc_msg_init(&item->r.msg, 0);
		ipc_msg_init(&item->r.out, 0);
	}
	item->next = NULL;
	return item;
}

void
rpcd_item_free(struct rpcd *d, struct rpcd_item *item, bool live)
{
	bool keep;

	msg_recycle(&item->r.msg);
	msg_recycle(&item->r.out);
	arena_reset(&item->r.a);
	pthread_mutex_lock(&d->lock);
	keep = d->nkept < RPCD_KEPT_MAX;
	if (keep) {
		item->next = d->kept;
		d->kept = item;
		d->nkept++;
	}
	if (live && --d->live == 0 && d->stop)
		pthread_cond_broadcast(&d->idle);
	pthread_mutex_unlock(&d->lock);
	if (keep)
		return;
	ipc_msg_free(&item->r.msg);
	ipc_msg_free(&item->r.out);
	arena_free(&item->r.a);
	xfree(item);
}

/* The answer's frame; one that is too big becomes RC_TEMP. */
static void
seal_reply(struct rpcd_req *r, enum rc rc)
{
	struct ipc_msg *m = &r->out;

	m->op = r->op;
	m->id = r->id;
	m->extra = (uint32_t)rc;
	if (ipc_seal(m) == RC_OK)
		return;
	log_error(&r->rpcd->log, "rpc.reply_too_big",
	    KVC("service", r->rpcd->name), KVU("op", r->op));
	ipc_msg_free(m);
	ipc_msg_init(m, r->op);
	m->id = r->id;
	m->extra = RC_TEMP;
	if (ipc_seal(m) != RC_OK)
		panic("an empty answer does not fit");
}

void
rpcd_reply(struct rpcd_req *r, enum rc rc)
{
	struct rpcd_conn *c = r->conn;

	seal_reply(r, rc);
	rpcd_conn_send(c, &r->out);
	rpcd_item_free(r->rpcd, (struct rpcd_item *)r, true);
	rpcd_conn_put(c);
}

void
rpcd_run(struct rpcd *d, struct rpcd_item *item, void *worker)
{
	struct rpcd_req *r = &item->r;
	enum rc rc = RC_TEMP;

	r->worker = worker;
	if (deadline_over(r->dl) ||
	    d->conf.handle(d->conf.ctx, r, &rc) == RPCD_REPLY)
		rpcd_reply(r, rc);
}

/*
 * The eventfd is edge-triggered and never read: each write wakes one worker.
 */
void
rpcd_wake_one(struct rpcd *d)
{
	uint64_t one = 1;

	if (write(d->work_fd, &one, sizeof(one)) != sizeof(one))
		panic("eventfd: errno %d", errno);
}

struct rpcd_item *
rpcd_queue_pop(struct rpcd *d, bool *more)
{
	struct rpcd_item *item;

	pthread_mutex_lock(&d->lock);
	item = d->queue;
	if (item != NULL) {
		d->queue = item->next;
		if (d->queue == NULL)
			d->queue_tail = &d->queue;
		item->next = NULL;
	}
	*more = d->queue != NULL;
	pthread_mutex_unlock(&d->lock);
	return item;
}

void
rpcd_run_queue(struct rpcd *d, void *worker)
{
	struct rpcd_item *item;
	bool more;

	while (!d->stop && (item = rpcd_queue_pop(d, &more)) != NULL)
		rpcd_run(d, item, worker);
}

void
rpcd_drop_queue(struct rpcd *d)
{
	struct rpcd_item *item;
	bool more;

	while ((item = rpcd_queue_pop(d, &more)) != NULL)
		rpcd_reply(&item->r, RC_TEMP);
}
