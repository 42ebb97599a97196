/*
 * Blocking calls over pooled connections, and the breaker.
 *
 * The connection used last is taken first, so that idle ones grow old and a
 * quiet process keeps few in use.  A pooled connection whose peer has closed
 * shows itself by EPIPE on the send: nothing was taken, so the call goes on
 * with a new one and nobody is blamed.  A connection that ends after the send
 * and before the answer is the sign of a service that died; the call is
 * repeated once, on a new connection, which waits in the listen queue until
 * the service has been restarted.
 *
 * An unanswered call costs its connection: the late answer must not meet the
 * next call.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/ipc_impl.h"

#define REPLY_CHUNK   4096u
#define PERMIT_WAIT   1000 /* ms to wait for a permit */
#define RESTART_WAIT  500  /* ms that a restart may take */
#define BREAK_AFTER   3u   /* failed connections in a row */
#define BREAK_FOR_NS  200000000
#define TRY_AGAIN_MAX 50 /* ms between two attempts to connect */

enum fate {
	FATE_DONE,
	FATE_UNSENT, /* the peer had closed before */
	FATE_LOST,   /* it closed before it answered */
	FATE_FAILED, /* deadline, or nonsense */
};

struct ipc_client *
ipc_client_new(const struct log *log, const char *service, const char *path,
    unsigned max_conns)
{
	struct ipc_client *c = xcalloc(1, sizeof(*c));
	pthread_condattr_t attr;

	assert(max_conns > 0);
	c->log = *log;
	c->service = xmalloc(strlen(service) + 1);
	memcpy(c->service, service, strlen(service) + 1);
	c->path = xmalloc(strlen(path) + 1);
	memcpy(c->path, path, strlen(path) + 1);
	c->max_conns = max_conns;
	c->idle = xcalloc(max_conns, sizeof(*c->idle));
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->freed, &attr);
	pthread_condattr_destroy(&attr);
	return c;
}

void
ipc_client_free(struct ipc_client **cp)
{
	struct ipc_client *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	ipc_mux_free(&c->mux);
	assert(c->busy == 0);
	while (c->nidle > 0)
		fd_close(&c->idle[--c->nidle]);
	pthread_cond_destroy(&c->freed);
	pthread_mutex_destroy(&c->lock);
	xfree(c->idle);
	xfree(c->service);
	xfree(c->path);
	xfree(c);
}

enum rc
ipc_breaker_ask(struct ipc_client *c)
{
	enum rc rc = RC_OK;

	pthread_mutex_lock(&c->lock);
	if (c->failures >= BREAK_AFTER) {
		if (c->probing || now_ns() < c->shut_until)
			rc = RC_TEMP;
		else
			c->probing = true;
	}
	pthread_mutex_unlock(&c->lock);
	return rc;
}

void
ipc_breaker_tell(struct ipc_client *c, bool connected, int cause)
{
	unsigned before;

	pthread_mutex_lock(&c->lock);
	before = c->failures;
	c->probing = false;
	if (connected) {
		c->failures = 0;
	} else {
		c->failures++;
		c->shut_until = now_ns() + BREAK_FOR_NS;
	}
	pthread_mutex_unlock(&c->lock);
	if (connected && before > 0)
		log_info(&c->log, "ipc.up", KVC("service", c->service));
	else if (!connected && before == 0)
		log_warn(&c->log, "ipc.down", KVC("service", c->service),
		    KVC("path", c->path), KVE(cause));
}

int
ipc_client_connect(struct ipc_client *c, struct deadline dl)
{
	struct deadline stop = deadline_min(dl, deadline_in(RESTART_WAIT));
	int pause = 5;

	if (ipc_breaker_ask(c) != RC_OK)
		return -1;
	for (;;) {
		int fd = ipc_connect(c->path), cause = errno;
		bool absent = cause == ENOENT || cause == ECONNREFUSED ||
			      cause == EAGAIN || cause == ECONNRESET;
		int left = deadline_left_ms(stop);
		struct timespec ts;

		if (fd >= 0 || !absent || left == 0) {
			ipc_breaker_tell(c, fd >= 0, cause);
			return fd;
		}
		pause = MIN(pause, left);
		ts = (struct timespec){ 0, pause * 1000000L };
		nanosleep(&ts, NULL);
		pause = MIN(pause * 2, TRY_AGAIN_MAX);
	}
}

/* A permit, and a pooled connection if there is one (else -1). */
static enum rc
borrow(struct ipc_client *c, struct deadline dl, int *fd)
{
	struct deadline stop = deadline_min(dl, deadline_in(PERMIT_WAIT));
	struct timespec ts = { stop.at_ns / 1000000000,
		stop.at_ns % 1000000000 };
	int n = 0;

	*fd = -1;
	pthread_mutex_lock(&c->lock);
	while (c->busy == c->max_conns && n == 0)
		n = pthread_cond_timedwait(&c->freed, &c->lock, &ts);
	if (c->busy < c->max_conns) {
		c->busy++;
		n = 0;
		if (c->nidle > 0)
			*fd = c->idle[--c->nidle];
	}
	pthread_mutex_unlock(&c->lock);
	if (n != 0)
		log_warn(&c->log, "ipc.busy", KVC("service", c->service),
		    KVU("permits", c->max_conns));
	return n == 0 ? RC_OK : RC_TEMP;
}

/* Give the permit back, and the connection unless it is -1. */
static void
give_back(struct ipc_client *c, int fd)
{
	pthread_mutex_lock(&c->lock);
	c->busy--;
	if (fd >= 0)
		c->idle[c->nidle++] = fd;
	pthread_cond_signal(&c->freed);
	pthread_mutex_unlock(&c->lock);
}

/* The service was restarted: all its old connections are dead. */
static void
drop_idle(struct ipc_client *c)
{
	pthread_mutex_lock(&c->lock);
	while (c->nidle > 0)
		fd_close(&c->idle[--c->nidle]);
	pthread_mutex_unlock(&c->lock);
}

static enum fate
await(int fd, uint32_t id, struct deadline dl, struct ipc_reader *r,
    struct ipc_msg *reply)
{
	for (;;) {
		int left = deadline_left_ms(dl);
		bool more;
		enum rc rc;

		if (left == 0) {
			errno = ETIMEDOUT;
			return FATE_FAILED;
		}
		/* The socket's own time-out is coarse. */
		if (left < IPC_SLICE_MS && fd_wait(fd, POLLIN, dl) != RC_OK)
			return FATE_FAILED;
		rc = ipc_reader_fill(r, fd, 0, &more);
		if (rc == RC_TEMP && errno == EAGAIN)
			continue;
		if (rc == RC_NOENT)
			return ipc_reader_partial(r) ? FATE_FAILED : FATE_LOST;
		if (rc != RC_OK)
			return FATE_FAILED;
		rc = ipc_reader_next(r, reply);
		if (rc == RC_NOENT)
			continue;
		errno = EPROTO;
		return rc == RC_OK && reply->id == id &&
			       !ipc_reader_partial(r) && reply->extra <= RC_TEMP
			   ? FATE_DONE
			   : FATE_FAILED;
	}
}

static enum fate
exchange(int fd, struct ipc_msg *req, struct deadline dl, struct ipc_msg *reply)
{
	struct ipc_reader r;
	enum fate fate;

	req->id = 1;
	req->extra = (uint32_t)deadline_left_ms(dl);
	if (req->extra == 0) {
		errno = ETIMEDOUT;
		return FATE_FAILED;
	}
	if (ipc_seal(req) != RC_OK) {
		errno = EMSGSIZE;
		return FATE_FAILED;
	}
	switch (ipc_send_frame(fd, req, dl, true)) {
	case RC_OK:
		break;
	case RC_NOENT:
		return FATE_UNSENT;
	default:
		return errno == EPIPE || errno == ECONNRESET ? FATE_LOST
							     : FATE_FAILED;
	}
	ipc_reader_init(&r, REPLY_CHUNK);
	fate = await(fd, req->id, dl, &r, reply);
	ipc_reader_free(&r);
	return fate;
}

enum rc
ipc_call(struct ipc_client *c, struct ipc_msg *req, struct deadline dl,
    struct ipc_msg *reply)
{
	enum fate fate = FATE_LOST;
	int fd;

	ipc_msg_init(reply, 0);
	if (borrow(c, dl, &fd) != RC_OK)
		return RC_TEMP;
	/* Lost ones count; a pooled one that could not send does not. */
	for (unsigned lost = 0; lost < 2;) {
		bool pooled = fd >= 0;

		if (!pooled && (fd = ipc_client_connect(c, dl)) < 0) {
			give_back(c, -1);
			return RC_TEMP;
		}
		fate = exchange(fd, req, dl, reply);
		if (fate == FATE_DONE) {
			give_back(c, fd);
			return (enum rc)reply->extra;
		}
		if (fate == FATE_FAILED)
			break;
		fd_close(&fd);
		drop_idle(c);
		lost += !(pooled && fate == FATE_UNSENT);
	}
	log_warn(&c->log, "ipc.failed", KVC("service", c->service),
	    KVU("op", req->op), KVE(fate == FATE_FAILED ? errno : ECONNRESET));
	fd_close(&fd);
	give_back(c, -1);
	return RC_TEMP;
}
