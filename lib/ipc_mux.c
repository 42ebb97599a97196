/*
 * Started calls: many outstanding requests over one connection, answered on
 * one thread.
 *
 * The caller sends by itself when there is a connection, so that a started
 * call costs one sendmsg here and, under load, less than one recvmsg on the
 * receiver.  Without a connection it hands the message to the receiver, which
 * connects.  Only the receiver runs `done`, except for calls that never got
 * anywhere.
 *
 * A call is in one of two states: QUEUED (its frame waits for a connection)
 * or SENT, under the generation of the connection it was sent on.  When that
 * connection ends, the calls of its generation are answered RC_TEMP; queued
 * ones go out on the next.
 *
 * The receiver blocks in recvmsg for IPC_SLICE_MS at a time, looking at
 * deadlines in between; after QUIET_SLICES without calls it closes the
 * connection and sleeps on the condition variable: an idle process makes no
 * system calls.
 *
 * Locks: `lock` guards the table and is held over nothing that blocks;
 * `send_lock` is the order of frames on the socket.  A sender may wait in it
 * while the service does not read, at most SEND_WAIT ms.  send_lock is taken
 * before lock, never after.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/ipc_impl.h"

#define CALLS_MAX    4096u
#define READ_CHUNK   16384u
#define SEND_WAIT    1000
#define QUIET_SLICES 100u

enum state { CALL_FREE, CALL_QUEUED, CALL_SENT };

struct call {
	enum state state;
	uint16_t serial; /* high half of the id; never 0 */
	unsigned generation;
	struct deadline dl;
	struct ipc_msg msg; /* QUEUED: to be sent */
	void (*done)(void *arg, enum rc rc, struct ipc_msg *reply);
	void *arg;
	uint32_t next; /* free list */
};

struct ipc_mux {
	struct ipc_client *c;
	pthread_t thread;
	pthread_mutex_t send_lock;
	pthread_mutex_t lock;
	pthread_cond_t work; /* something queued, or stop */
	bool stop;
	int fd; /* written under both locks */
	unsigned generation;
	struct call *calls; /* CALLS_MAX, grown by touching */
	uint32_t used;      /* slots ever used */
	uint32_t free;      /* head of the list, CALLS_MAX at its end */
	unsigned live, queued;
};

static struct call *
call_of(struct ipc_mux *m, uint32_t id)
{
	uint32_t slot = id & 0xffff;

	if (slot >= m->used || m->calls[slot].state == CALL_FREE ||
	    m->calls[slot].serial != id >> 16)
		return NULL;
	return &m->calls[slot];
}

static uint32_t
id_of(const struct ipc_mux *m, const struct call *k)
{
	return (uint32_t)(k - m->calls) | (uint32_t)k->serial << 16;
}

/* Under lock.  NULL: CALLS_MAX are outstanding. */
static struct call *
call_new(struct ipc_mux *m)
{
	struct call *k;

	if (m->free < CALLS_MAX) {
		k = &m->calls[m->free];
		m->free = k->next;
	} else if (m->used < CALLS_MAX) {
		k = &m->calls[m->used++];
	} else {
		return NULL;
	}
	if (++k->serial == 0)
		k->serial = 1;
	m->live++;
	return k;
}

/* Under lock: the slot is free again, what must be told is in *out. */
static void
call_take(struct ipc_mux *m, struct call *k, struct call *out)
{
	*out = *k;
	m->queued -= k->state == CALL_QUEUED;
	k->state = CALL_FREE;
	k->next = m->free;
	m->free = (uint32_t)(k - m->calls);
	m->live--;
}

static void
tell(struct call *k, enum rc rc, struct ipc_msg *reply)
{
	struct ipc_msg none;

	if (k->state == CALL_QUEUED)
		ipc_msg_free(&k->msg);
	ipc_msg_init(&none, 0);
	k->done(k->arg, rc, reply != NULL ? reply : &none);
}

enum which { LATE, OF_GENERATION, QUEUED, ALL };

/* Answer RC_TEMP to all calls of that kind. */
static void
fail_calls(struct ipc_mux *m, enum which which, unsigned generation)
{
	int64_t now = now_ns();

	pthread_mutex_lock(&m->lock);
	for (uint32_t i = 0; i < m->used && m->live > 0; i++) {
		struct call *k = &m->calls[i], out;
		bool hit = k->state != CALL_FREE;

		if (which == LATE)
			hit = hit && now >= k->dl.at_ns;
		else if (which == OF_GENERATION)
			hit = k->state == CALL_SENT &&
			      k->generation == generation;
		else if (which == QUEUED)
			hit = k->state == CALL_QUEUED;
		if (!hit)
			continue;
		call_take(m, k, &out);
		pthread_mutex_unlock(&m->lock);
		tell(&out, RC_TEMP, NULL);
		pthread_mutex_lock(&m->lock);
	}
	pthread_mutex_unlock(&m->lock);
}

static void
set_fd(struct ipc_mux *m, int fd)
{
	pthread_mutex_lock(&m->send_lock);
	pthread_mutex_lock(&m->lock);
	fd_close(&m->fd);
	m->fd = fd;
	m->generation++;
	pthread_mutex_unlock(&m->lock);
	pthread_mutex_unlock(&m->send_lock);
}

/* Under send_lock. */
static enum rc
send_one(struct ipc_mux *m, struct ipc_msg *msg, struct deadline dl)
{
	msg->extra = (uint32_t)deadline_left_ms(dl);
	if (ipc_seal(msg) != RC_OK)
		return RC_BAD;
	return ipc_send_frame(
	    m->fd, msg, deadline_min(dl, deadline_in(SEND_WAIT)), true);
}

/* Receiver: send what waited for a connection. */
static enum rc
send_queued(struct ipc_mux *m)
{
	enum rc rc = RC_OK;

	pthread_mutex_lock(&m->send_lock);
	pthread_mutex_lock(&m->lock);
	for (uint32_t i = 0; i < m->used && m->queued > 0 && rc == RC_OK; i++) {
		struct call *k = &m->calls[i];
		struct deadline dl = k->dl;
		struct ipc_msg msg;

		if (k->state != CALL_QUEUED)
			continue;
		msg = k->msg;
		k->state = CALL_SENT;
		k->generation = m->generation;
		m->queued--;
		pthread_mutex_unlock(&m->lock);
		rc = send_one(m, &msg, dl);
		ipc_msg_free(&msg);
		pthread_mutex_lock(&m->lock);
	}
	pthread_mutex_unlock(&m->lock);
	pthread_mutex_unlock(&m->send_lock);
	return rc;
}

static enum rc
dispatch(struct ipc_mux *m, struct ipc_reader *r)
{
	for (;;) {
		AUTO_MSG reply;
		struct call *k, out;
		enum rc rc;

		ipc_msg_init(&reply, 0);
		rc = ipc_reader_next(r, &reply);
		if (rc != RC_OK)
			return rc == RC_NOENT ? RC_OK : RC_BAD;
		if (reply.extra > RC_TEMP)
			return RC_BAD;
		pthread_mutex_lock(&m->lock);
		k = call_of(m, reply.id);
		if (k != NULL)
			call_take(m, k, &out);
		pthread_mutex_unlock(&m->lock);
		if (k != NULL)
			tell(&out, (enum rc)reply.extra, &reply);
	}
}

/* One connection's life; returns when it ended or nobody needs it. */
static void
receive(struct ipc_mux *m)
{
	struct ipc_reader r;
	unsigned quiet = 0;
	bool stop = false, more;
	enum rc rc = send_queued(m);
	int64_t scan = now_ns();

	ipc_reader_init(&r, READ_CHUNK);
	while (rc == RC_OK && !stop && quiet < QUIET_SLICES) {
		rc = ipc_reader_fill(&r, m->fd, 0, &more);
		if (rc == RC_OK) {
			quiet = 0;
			rc = dispatch(m, &r);
		} else if (rc == RC_TEMP && errno == EAGAIN) {
			quiet++;
			rc = RC_OK;
		}
		if (now_ns() - scan >= IPC_SLICE_MS * INT64_C(1000000)) {
			fail_calls(m, LATE, 0);
			scan = now_ns();
		}
		pthread_mutex_lock(&m->lock);
		stop = m->stop;
		if (m->live > 0)
			quiet = 0;
		pthread_mutex_unlock(&m->lock);
	}
	ipc_reader_free(&r);
}

static void *
mux_main(void *arg)
{
	struct ipc_mux *m = arg;

	pthread_mutex_lock(&m->lock);
	while (!m->stop) {
		unsigned generation;
		int fd;

		if (m->queued == 0) {
			pthread_cond_wait(&m->work, &m->lock);
			continue;
		}
		pthread_mutex_unlock(&m->lock);
		fd = ipc_client_connect(m->c, deadline_in(10 * IPC_SLICE_MS));
		if (fd < 0) {
			fail_calls(m, QUEUED, 0);
		} else {
			set_fd(m, fd);
			generation = m->generation;
			receive(m);
			set_fd(m, -1);
			fail_calls(m, OF_GENERATION, generation);
		}
		pthread_mutex_lock(&m->lock);
	}
	pthread_mutex_unlock(&m->lock);
	fail_calls(m, ALL, 0);
	return NULL;
}

static struct ipc_mux *
mux_new(struct ipc_client *c)
{
	struct ipc_mux *m = xcalloc(1, sizeof(*m));

	m->c = c;
	m->fd = -1;
	m->free = CALLS_MAX;
	m->calls = xcalloc(CALLS_MAX, sizeof(*m->calls));
	pthread_mutex_init(&m->lock, NULL);
	pthread_mutex_init(&m->send_lock, NULL);
	pthread_cond_init(&m->work, NULL);
	if (pthread_create(&m->thread, NULL, mux_main, m) != 0)
		panic("cannot start a thread");
	return m;
}

void
ipc_mux_free(struct ipc_mux **mp)
{
	struct ipc_mux *m = *mp;

	if (m == NULL)
		return;
	*mp = NULL;
	pthread_mutex_lock(&m->lock);
	m->stop = true;
	pthread_cond_signal(&m->work);
	if (m->fd >= 0)
		shutdown(m->fd, SHUT_RDWR);
	pthread_mutex_unlock(&m->lock);
	pthread_join(m->thread, NULL);
	pthread_cond_destroy(&m->work);
	pthread_mutex_destroy(&m->lock);
	pthread_mutex_destroy(&m->send_lock);
	xfree(m->calls);
	xfree(m);
}

static struct ipc_mux *
mux_of(struct ipc_client *c)
{
	struct ipc_mux *m;

	pthread_mutex_lock(&c->lock);
	if (c->mux == NULL)
		c->mux = mux_new(c);
	m = c->mux;
	pthread_mutex_unlock(&c->lock);
	return m;
}

/*
 * Send on the connection of that generation.  The peer may have closed it a
 * moment ago: then nothing was taken, and the call waits for the next one.
 */
static void
send_now(struct ipc_mux *m, struct ipc_msg *req, unsigned generation,
    struct deadline dl)
{
	uint32_t id = req->id;
	struct call *k;
	enum rc rc;

	pthread_mutex_lock(&m->send_lock);
	if (m->generation != generation) {
		/* It broke; the receiver answers, or did. */
		pthread_mutex_unlock(&m->send_lock);
		return;
	}
	rc = send_one(m, req, dl);
	if (rc != RC_OK) {
		pthread_mutex_lock(&m->lock);
		k = call_of(m, id);
		if (rc == RC_NOENT && k != NULL) {
			k->state = CALL_QUEUED;
			k->msg = *req;
			m->queued++;
			ipc_msg_init(req, req->op);
		}
		pthread_mutex_unlock(&m->lock);
		shutdown(m->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&m->send_lock);
}

void
ipc_start(struct ipc_client *c, struct ipc_msg *req, struct deadline dl,
    void (*done)(void *arg, enum rc rc, struct ipc_msg *reply), void *arg)
{
	struct call refused = { .done = done, .arg = arg };
	struct ipc_mux *m = mux_of(c);
	struct call *k = NULL;
	unsigned generation = 0;
	bool now = false;

	if (req->bad || deadline_over(dl)) {
		tell(&refused, RC_TEMP, NULL);
		return;
	}
	pthread_mutex_lock(&m->lock);
	if (!m->stop)
		k = call_new(m);
	if (k != NULL) {
		k->dl = dl;
		k->done = done;
		k->arg = arg;
		req->id = id_of(m, k);
		now = m->fd >= 0;
		generation = k->generation = m->generation;
		k->state = now ? CALL_SENT : CALL_QUEUED;
	}
	if (k != NULL && !now) {
		k->msg = *req;
		ipc_msg_init(req, req->op);
		m->queued++;
		pthread_cond_signal(&m->work);
	}
	pthread_mutex_unlock(&m->lock);
	if (k == NULL) {
		log_warn(&c->log, "ipc.busy", KVC("service", c->service),
		    KVU("calls", CALLS_MAX));
		tell(&refused, RC_TEMP, NULL);
	} else if (now) {
		send_now(m, req, generation, dl);
	}
}
