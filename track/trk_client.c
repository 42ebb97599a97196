/*
 * Telling copies a record into a ring of bytes under a lock that is held for
 * that copy alone.  A thread sends what has gathered for GATHER_MS in one
 * frame; track answers after its commit, so a batch that was on its way when
 * track died is sent again, under its old number, and counts once.
 *
 * While track is away the ring fills and its oldest records give way.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "track/trk_wire.h"

#define RING_EVENTS (TRK_WAITING_MAX - TRK_BATCH_EVENTS)
#define RING_FIRST  (64u << 10)
#define RING_MAX    (8u << 20)
#define GATHER_MS   200
#define SEND_MS     1000
#define PAUSE_MS    500 /* before a batch is sent again, doubling */
#define PAUSE_MAX   4000
#define STOP_MS     1000

struct trk_client {
	struct log log;
	struct ipc_client *ipc;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	char *ring;
	size_t size, head, n; /* bytes */
	size_t count;         /* records */
	uint64_t dropped;     /* not yet told to track */
	bool asleep;          /* the thread waits for the first record */
	bool stop;
	struct deadline stop_dl;
	/* the thread's own */
	char id[TRK_CLIENT_ID];
	uint64_t seq;
	struct buf batch;
	size_t batch_n;
	uint64_t batch_dropped;
};

static void
ring_write(struct trk_client *t, const char *p, size_t n)
{
	size_t at = (t->head + t->n) % t->size, first = MIN(n, t->size - at);

	memcpy(t->ring + at, p, first);
	memcpy(t->ring, p + first, n - first);
	t->n += n;
}

static void
ring_read(const struct trk_client *t, char *p, size_t n)
{
	size_t first = MIN(n, t->size - t->head);

	memcpy(p, t->ring + t->head, first);
	memcpy(p + first, t->ring, n - first);
}

/* Length of the oldest record. */
static size_t
ring_first(const struct trk_client *t)
{
	char p[4];

	ring_read(t, p, 4);
	return 4 + ((size_t)(unsigned char)p[0] |
		       (size_t)(unsigned char)p[1] << 8 |
		       (size_t)(unsigned char)p[2] << 16);
}

static void
ring_drop(struct trk_client *t, size_t n)
{
	t->head = (t->head + n) % t->size;
	t->n -= n;
	t->count--;
}

static void
ring_grow(struct trk_client *t)
{
	size_t size = t->size ? 2 * t->size : RING_FIRST;
	char *p = xmalloc(size);

	if (t->n > 0)
		ring_read(t, p, t->n);
	xfree(t->ring);
	t->ring = p;
	t->size = size;
	t->head = 0;
}

void
trk_tell(struct trk_client *t, const struct trk_event *e)
{
	char rec[TRK_RECORD_MAX];
	struct trk_event now;
	bool wake;
	size_t n;

	if (t == NULL)
		return;
	if (e->at_ms == 0) {
		now = *e;
		now.at_ms = now_unix_ms();
		e = &now;
	}
	n = trk_record_put(rec, e);
	pthread_mutex_lock(&t->lock);
	while (
	    t->count > 0 && (t->count >= RING_EVENTS || t->n + n > RING_MAX)) {
		ring_drop(t, ring_first(t));
		t->dropped++;
	}
	while (t->n + n > t->size)
		ring_grow(t);
	ring_write(t, rec, n);
	t->count++;
	wake = t->asleep;
	t->asleep = false;
	pthread_mutex_unlock(&t->lock);
	if (wake)
		pthread_cond_signal(&t->wake);
}

/* With the lock held; until `dl`, or the end. */
static void
rest(struct trk_client *t, struct deadline dl)
{
	struct timespec ts = { dl.at_ns / 1000000000, dl.at_ns % 1000000000 };

	while (!t->stop && !deadline_over(dl))
		pthread_cond_timedwait(&t->wake, &t->lock, &ts);
}

/* Whole records from the ring become the batch. */
static void
take_batch(struct trk_client *t)
{
	buf_clear(&t->batch);
	t->batch_n = 0;
	t->batch_dropped = t->dropped;
	t->dropped = 0;
	while (t->count > 0 && t->batch_n < TRK_BATCH_EVENTS) {
		size_t n = ring_first(t);

		if (t->batch.n + n > TRK_BATCH_BYTES)
			break;
		if (buf_reserve(&t->batch, n) != RC_OK)
			panic("track: batch");
		ring_read(t, t->batch.p + t->batch.n, n);
		t->batch.n += n;
		ring_drop(t, n);
		t->batch_n++;
	}
	t->seq++;
}

/* Without the lock; true: the batch is done with. */
static bool
send_batch(struct trk_client *t, struct deadline dl)
{
	const struct trk_batch batch = {
		.client = str_n(t->id, sizeof(t->id)),
		.seq = t->seq,
		.dropped = t->batch_dropped,
		.events = buf_str(&t->batch),
	};
	AUTO_MSG req = { 0 }, reply = { 0 };
	enum rc rc;

	ipc_msg_init(&req, TRK_OP_TELL);
	trk_put_batch(&req, &batch);
	rc = ipc_call(t->ipc, &req, dl, &reply);
	if (rc == RC_TEMP)
		return false;
	if (rc != RC_OK)
		log_error(&t->log, "track.refused", KVC("rc", rc_name(rc)),
		    KVU("events", t->batch_n));
	if (t->batch_dropped > 0)
		log_warn(
		    &t->log, "track.dropped", KVU("events", t->batch_dropped));
	return true;
}

/* With the lock held; false: the end has come before it was sent. */
static bool
deliver_batch(struct trk_client *t)
{
	int pause = PAUSE_MS;

	for (;;) {
		struct deadline dl = deadline_in(SEND_MS);
		bool last = t->stop, done;

		if (last)
			dl = deadline_min(dl, t->stop_dl);
		pthread_mutex_unlock(&t->lock);
		done = send_batch(t, dl);
		pthread_mutex_lock(&t->lock);
		if (done || last)
			return done;
		rest(t, deadline_in(pause));
		pause = MIN(2 * pause, PAUSE_MAX);
	}
}

static void *
run(void *arg)
{
	struct trk_client *t = arg;
	bool sent = true;

	pthread_mutex_lock(&t->lock);
	while (sent) {
		while (t->count == 0 && !t->stop) {
			t->asleep = true;
			pthread_cond_wait(&t->wake, &t->lock);
		}
		t->asleep = false;
		if (t->count < TRK_BATCH_EVENTS)
			rest(t, deadline_in(GATHER_MS));
		if (t->count == 0 || (t->stop && deadline_over(t->stop_dl)))
			break;
		take_batch(t);
		sent = deliver_batch(t);
	}
	if (t->count > 0 || !sent)
		log_warn(&t->log, "track.lost",
		    KVU("events", t->count + (sent ? 0 : t->batch_n)));
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

struct trk_client *
trk_client_new(const struct log *log, const char *path)
{
	struct trk_client *t = xcalloc(1, sizeof(*t));
	pthread_condattr_t attr;

	t->log = *log;
	t->ipc = ipc_client_new(log, "track", path, 1);
	buf_init(&t->batch, TRK_BATCH_BYTES + TRK_RECORD_MAX);
	if (getrandom(t->id, sizeof(t->id), 0) != sizeof(t->id))
		panic("no randomness");
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&t->thread, NULL, run, t) != 0)
		panic("no thread for track");
	return t;
}

void
trk_client_free(struct trk_client **tp)
{
	struct trk_client *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	t->stop_dl = deadline_in(STOP_MS);
	pthread_mutex_unlock(&t->lock);
	pthread_cond_signal(&t->wake);
	pthread_join(t->thread, NULL);
	ipc_client_free(&t->ipc);
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
	buf_free(&t->batch);
	xfree(t->ring);
	xfree(t);
}
