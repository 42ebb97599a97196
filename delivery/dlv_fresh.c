/*
 * What is small is copied: the request that it came with dies with its answer.
 * A descriptor is duplicated.
 */
#include <fcntl.h>

#include "delivery/dlv.h"
#include "delivery/dlv_fresh.h"

/* Something can be sent at once. */
static bool
leaves(const struct dlv_plan *p)
{
	for (size_t i = 0; i < p->nqueue; i++) {
		const struct store_queued *q = &p->queue[i];

		if (q->state == DLV_READY && q->kind == DIR_ELSEWHERE &&
		    q->next_at <= p->now)
			return true;
	}
	return false;
}

static bool
take_room(struct dlv *d, uint64_t bytes)
{
	if (atomic_fetch_add(&d->fresh_bytes, bytes) + bytes <=
	    DLV_FRESH_BYTES) {
		if (atomic_fetch_add(&d->fresh, 1) < DLV_FRESH_MAX)
			return true;
		atomic_fetch_sub(&d->fresh, 1);
	}
	atomic_fetch_sub(&d->fresh_bytes, bytes);
	return false;
}

static void
give_room(struct dlv *d, uint64_t bytes)
{
	atomic_fetch_sub(&d->fresh, 1);
	atomic_fetch_sub(&d->fresh_bytes, bytes);
}

static struct store_queued
copy_entry(struct arena *a, const struct store_queued *q)
{
	struct store_queued out = *q;

	out.rcpt = str_dup(a, q->rcpt);
	out.dir_id = str_dup(a, q->dir_id);
	out.reason = str_dup(a, q->reason);
	out.prefix = str_dup(a, q->prefix);
	out.data = str_dup(a, q->data);
	return out;
}

static void
copy_item(
    struct dlv_fresh *f, const struct dlv_submit *m, const struct dlv_plan *p)
{
	struct store_queued *q = arena_calloc(&f->a, p->nqueue, sizeof(*q));

	for (size_t i = 0; i < p->nqueue; i++)
		q[i] = copy_entry(&f->a, &p->queue[i]);
	f->item = (struct store_queue_item){
		.from = str_dup(&f->a, m->from),
		.submitter = str_dup(&f->a, m->submitter),
		.received_at = m->received_at,
		.size = m->size,
		.edits = str_dup(&f->a, m->edits),
		.entries = q,
		.nentries = p->nqueue,
	};
}

static uint64_t
weight(const struct dlv_submit *m, const struct dlv_plan *p)
{
	uint64_t n = m->size + m->edits.n;

	for (size_t i = 0; i < p->nqueue; i++)
		n += sizeof(p->queue[i]) + p->queue[i].prefix.n +
		     p->queue[i].data.n;
	return n;
}

struct dlv_fresh *
dlv_fresh_new(
    struct dlv *d, const struct dlv_submit *m, const struct dlv_plan *p)
{
	uint64_t bytes = weight(m, p);
	struct dlv_fresh *f;
	AUTO_FD fd = -1;

	if (!leaves(p) || !take_room(d, bytes))
		return NULL;
	if (m->fd >= 0 && (fd = fcntl(m->fd, F_DUPFD_CLOEXEC, 0)) < 0) {
		give_room(d, bytes);
		return NULL;
	}
	f = xcalloc(1, sizeof(*f));
	f->d = d;
	f->refs = 1;
	f->bytes = bytes;
	f->body.size = m->size;
	if (fd < 0)
		f->body.inline_data = str_dup(&f->a, m->inline_data);
	f->body.fd = take(&fd);
	copy_item(f, m, p);
	return f;
}

void
dlv_fresh_name(struct dlv_fresh *f, struct str message_id, uint64_t first_entry)
{
	f->item.message_id = str_dup(&f->a, message_id);
	for (size_t i = 0; i < f->item.nentries; i++)
		f->item.entries[i].id = first_entry + i;
}

struct dlv_fresh *
dlv_fresh_ref(struct dlv_fresh *f)
{
	f->refs++;
	return f;
}

void
dlv_fresh_unref(struct dlv_fresh **fp)
{
	struct dlv_fresh *f = *fp;

	*fp = NULL;
	if (f == NULL || atomic_fetch_sub(&f->refs, 1) > 1)
		return;
	give_room(f->d, f->bytes);
	fd_close(&f->body.fd);
	arena_free(&f->a);
	xfree(f);
}
