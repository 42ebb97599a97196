/*
 * A binary heap by due time over records that a hash finds by message id.  A
 * record is about 150 bytes, so a queue of 100,000 messages costs 15 MB.
 *
 * A record that the thread is working on stays in the heap with a due time of
 * "never"; a poke that comes meanwhile is remembered, so that no change of an
 * entry is overlooked.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "delivery/dlv.h"
#include "delivery/dlv_retry.h"
#include "delivery/dlv_wire.h"

#define uthash_malloc(n)         xmalloc(n)
#define uthash_free(p, n)        xfree(p)
#define HASH_FUNCTION(p, n, out) (out) = (unsigned)str_hash(str_n((p), (n)))
#include <uthash.h>

#define NEVER        INT64_MAX
#define PAGE         100u
#define LIST_MS      10000
#define RELOAD_MIN_S 1
#define RELOAD_MAX_S 30

struct rec {
	char id[DLV_QUEUE_ID_MAX];
	size_t idn;
	size_t pos; /* in the heap */
	int64_t at;
	int64_t expires_at;
	uint32_t ready, held, poison;
	bool busy, poked;
	UT_hash_handle hh;
};

struct dlv_queue {
	struct dlv *d;
	pthread_t thread;
	pthread_mutex_t lock; /* what follows */
	pthread_cond_t changed;
	_Atomic bool stop;
	bool loaded;
	int64_t reload_at; /* NEVER: not needed */
	int64_t reload_wait;
	struct rec *by_id;
	struct rec **heap;
	size_t n, room;
	uint64_t ready, held, poison;
};

static void
put(struct dlv_queue *q, size_t pos, struct rec *r)
{
	q->heap[pos] = r;
	r->pos = pos;
}

/* Restore the order around r after its time has changed. */
static void
sift(struct dlv_queue *q, struct rec *r)
{
	size_t i = r->pos;

	while (i > 0 && q->heap[(i - 1) / 2]->at > r->at) {
		put(q, i, q->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	for (;;) {
		size_t c = 2 * i + 1;

		if (c + 1 < q->n && q->heap[c + 1]->at < q->heap[c]->at)
			c++;
		if (c >= q->n || q->heap[c]->at >= r->at)
			break;
		put(q, i, q->heap[c]);
		i = c;
	}
	put(q, i, r);
}

static struct rec *
find(struct dlv_queue *q, struct str id)
{
	struct rec *r;

	HASH_FIND(hh, q->by_id, id.p, id.n, r);
	return r;
}

static struct rec *
add(struct dlv_queue *q, struct str id)
{
	struct rec *r = xcalloc(1, sizeof(*r));

	memcpy(r->id, id.p, id.n);
	r->idn = id.n;
	r->at = NEVER;
	r->expires_at = NEVER;
	if (q->n == q->room) {
		q->room = q->room ? q->room * 2 : 64;
		q->heap = xrealloc(q->heap, q->room * sizeof(q->heap[0]));
	}
	put(q, q->n++, r);
	HASH_ADD_KEYPTR(hh, q->by_id, r->id, r->idn, r);
	return r;
}

static void
set_numbers(struct dlv_queue *q, struct rec *r, const struct dlv_step *s)
{
	q->ready += s->ready - (uint64_t)r->ready;
	q->held += s->held - (uint64_t)r->held;
	q->poison += s->poison - (uint64_t)r->poison;
	r->ready = s->ready;
	r->held = s->held;
	r->poison = s->poison;
	r->expires_at = s->expires_at;
}

static void
forget(struct dlv_queue *q, struct rec *r)
{
	const struct dlv_step none = { .expires_at = NEVER };
	struct rec *last = q->heap[--q->n];

	assert(q->by_id != NULL); /* heap and hash hold the same records */
	set_numbers(q, r, &none);
	if (last != r) {
		put(q, r->pos, last);
		sift(q, last);
	}
	HASH_DELETE(hh, q->by_id, r);
	xfree(r);
}

static void
set_time(struct dlv_queue *q, struct rec *r, int64_t at)
{
	r->at = at;
	sift(q, r);
}

void
dlv_queue_poke(struct dlv_queue *q, struct str message_id)
{
	struct rec *r;

	if (message_id.n == 0 || message_id.n > DLV_QUEUE_ID_MAX)
		return;
	pthread_mutex_lock(&q->lock);
	r = find(q, message_id);
	if (r == NULL)
		r = add(q, message_id);
	r->poked = r->busy;
	if (!r->busy)
		set_time(q, r, 0);
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

static void
reload_in(struct dlv_queue *q, int64_t seconds)
{
	q->reload_at = MIN(q->reload_at, now_unix() + seconds);
	pthread_cond_signal(&q->changed);
}

void
dlv_queue_reload(struct dlv_queue *q)
{
	pthread_mutex_lock(&q->lock);
	reload_in(q, RELOAD_MIN_S);
	pthread_mutex_unlock(&q->lock);
}

enum rc
dlv_queue_room(struct dlv_queue *q, uint64_t max, size_t n)
{
	uint64_t have;

	pthread_mutex_lock(&q->lock);
	have = q->ready + q->held + q->poison;
	pthread_mutex_unlock(&q->lock);
	if (have + n <= max)
		return RC_OK;
	log_error(q->d->log, "queue.full", KVU("entries", have),
	    KVU("queue_max", max));
	return RC_TEMP;
}

void
dlv_queue_sum(struct dlv_queue *q, struct dlv_queue_sum *out)
{
	int64_t now = now_unix();

	pthread_mutex_lock(&q->lock);
	*out = (struct dlv_queue_sum){
		.loaded = q->loaded,
		.messages = q->n,
		.ready = q->ready,
		.held = q->held,
		.poison = q->poison,
	};
	for (size_t i = 0; i < q->n; i++)
		out->expired += q->heap[i]->expires_at <= now;
	pthread_mutex_unlock(&q->lock);
}

static void
note_page(struct dlv_queue *q, const struct store_queue_item *item, size_t n)
{
	pthread_mutex_lock(&q->lock);
	for (size_t i = 0; i < n; i++) {
		struct dlv_step s;
		struct rec *r;

		if (item[i].message_id.n > DLV_QUEUE_ID_MAX)
			continue;
		dlv_retry_count(&item[i], &s);
		r = find(q, item[i].message_id);
		if (r == NULL)
			r = add(q, item[i].message_id);
		if (r->busy)
			continue;
		set_numbers(q, r, &s);
		set_time(q, r, s.next_at);
	}
	pthread_mutex_unlock(&q->lock);
}

static enum rc
load(struct dlv_queue *q)
{
	char last[DLV_QUEUE_ID_MAX];
	struct str after = STR("");
	size_t n;

	do {
		AUTO_ARENA a = { 0 };
		struct store_queue_item *item;
		enum rc rc = store_queue_list(q->d->store, &a, after, PAGE,
		    deadline_in(LIST_MS), &item, &n);

		if (rc != RC_OK)
			return rc;
		note_page(q, item, n);
		if (n > 0) {
			after =
			    str_sub(item[n - 1].message_id, 0, sizeof(last));
			memcpy(last, after.p, after.n);
			after.p = last;
		}
	} while (n > 0 && !q->stop);
	return RC_OK;
}

/* With the lock; gives it away while asking the store. */
static void
reload(struct dlv_queue *q)
{
	enum rc rc;

	q->reload_at = NEVER;
	pthread_mutex_unlock(&q->lock);
	rc = load(q);
	pthread_mutex_lock(&q->lock);
	if (rc != RC_OK) {
		log_warn(q->d->log, "queue.load", KVC("rc", rc_name(rc)),
		    KVI("again_s", q->reload_wait));
		reload_in(q, q->reload_wait);
		q->reload_wait = MIN(q->reload_wait * 2, RELOAD_MAX_S);
		return;
	}
	if (!q->loaded)
		log_info(q->d->log, "queue.loaded", KVU("messages", q->n),
		    KVU("ready", q->ready), KVU("held", q->held),
		    KVU("poison", q->poison));
	q->loaded = true;
	q->reload_wait = RELOAD_MIN_S;
}

/* With the lock; gives it away while trying. */
static void
work_on(struct dlv_queue *q, struct rec *r)
{
	struct dlv_step s;

	r->busy = true;
	r->poked = false;
	set_time(q, r, NEVER);
	pthread_mutex_unlock(&q->lock);
	dlv_retry_step(q->d, str_n(r->id, r->idn), &s);
	pthread_mutex_lock(&q->lock);
	r->busy = false;
	if (s.gone && !r->poked) {
		forget(q, r);
		return;
	}
	if (s.known)
		set_numbers(q, r, &s);
	set_time(q, r, r->poked ? 0 : s.next_at);
}

static void *
run(void *arg)
{
	struct dlv_queue *q = arg;

	pthread_mutex_lock(&q->lock);
	while (!q->stop) {
		struct rec *r = q->n ? q->heap[0] : NULL;
		int64_t at = r ? r->at : NEVER;
		int64_t now = now_unix();

		if (q->reload_at <= now) {
			reload(q);
		} else if (at <= now) {
			work_on(q, r);
		} else if (MIN(at, q->reload_at) == NEVER) {
			pthread_cond_wait(&q->changed, &q->lock);
		} else {
			struct timespec until = {
				.tv_sec = MIN(at, q->reload_at),
			};

			pthread_cond_timedwait(&q->changed, &q->lock, &until);
		}
	}
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

struct dlv_queue *
dlv_queue_start(struct dlv *d)
{
	struct dlv_queue *q = xcalloc(1, sizeof(*q));
	int err;

	q->d = d;
	q->reload_wait = RELOAD_MIN_S;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->changed, NULL);
	err = pthread_create(&q->thread, NULL, run, q);
	if (err != 0)
		panic("queue: no thread: %d", err);
	return q;
}

bool
dlv_queue_stop(struct dlv_queue **qp, struct deadline dl)
{
	struct dlv_queue *q = *qp;
	struct timespec until = {
		.tv_sec = now_unix() + deadline_left_ms(dl) / 1000 + 1,
	};

	if (q == NULL)
		return true;
	*qp = NULL;
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
	if (pthread_timedjoin_np(q->thread, NULL, &until) != 0)
		return false;
	while (q->n > 0)
		forget(q, q->heap[0]);
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->changed);
	xfree(q->heap);
	xfree(q);
	return true;
}
