/*
 * The output of a connection.  An answer is sent by whoever has it, without
 * waiting; what the socket does not take is queued (bounded) and sent by a
 * worker when the peer has read.  EPOLLOUT is asked for only then: asked for
 * always, it would wake a worker for every answer that a peer reads.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/rpcd_impl.h"

void
rpcd_conn_get(struct rpcd_conn *c)
{
	atomic_fetch_add(&c->refs, 1);
}

void
rpcd_conn_put(struct rpcd_conn *c)
{
	struct rpcd *d = c->d;

	if (atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	while (c->out != NULL) {
		struct rpcd_out *o = c->out;

		c->out = o->next;
		ipc_msg_free(&o->m);
		xfree(o);
	}
	ipc_reader_free(&c->r);
	fd_close(&c->fd);
	pthread_mutex_destroy(&c->out_lock);
	xfree(c);
	rpcd_release(d);
}

/* Ask for EPOLLOUT too, or no longer. */
static void
want_out(struct rpcd_conn *c, bool out)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET |
					    (out ? EPOLLOUT : 0),
		.data.u64 = rpcd_event_key(c) };

	/* ENOENT: it was closed meanwhile, and needs no event. */
	if (epoll_ctl(c->d->epoll_fd, EPOLL_CTL_MOD, c->fd, &ev) < 0 &&
	    errno != ENOENT)
		panic("epoll_ctl: errno %d", errno);
}

/* Under out_lock.  The reader sees the end and closes. */
static void
kill_conn(struct rpcd_conn *c)
{
	c->dead = true;
	shutdown(c->fd, SHUT_RDWR);
}

/* Bytes taken, 0 if the socket is full; false: the peer has gone. */
static bool
try_send(struct rpcd_conn *c, const struct ipc_msg *m, size_t *off)
{
	while (*off < m->b.n) {
		long n = ipc_send_some(c->fd, m, *off, MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN;
		*off += (size_t)n;
	}
	return true;
}

bool
rpcd_conn_send(struct rpcd_conn *c, struct ipc_msg *m)
{
	size_t off = 0;
	bool ok;

	pthread_mutex_lock(&c->out_lock);
	ok = !c->dead && c->out_bytes + m->b.n <= RPCD_OUT_MAX;
	if (ok && c->out == NULL)
		ok = try_send(c, m, &off);
	if (!ok) {
		kill_conn(c);
	} else if (off < m->b.n) {
		struct rpcd_out *o = xmalloc(sizeof(*o));

		*o = (struct rpcd_out){ .m = *m, .off = off };
		ipc_msg_init(m, m->op);
		if (c->out == NULL)
			c->out_tail = &c->out;
		*c->out_tail = o;
		c->out_tail = &o->next;
		c->out_bytes += o->m.b.n;
		if (c->out == o)
			want_out(c, true);
	}
	pthread_mutex_unlock(&c->out_lock);
	return ok;
}

void
rpcd_conn_flush(struct rpcd_conn *c)
{
	pthread_mutex_lock(&c->out_lock);
	while (c->out != NULL && !c->dead) {
		struct rpcd_out *o = c->out;

		if (!try_send(c, &o->m, &o->off)) {
			kill_conn(c);
			break;
		}
		if (o->off < o->m.b.n)
			break;
		c->out = o->next;
		c->out_bytes -= o->m.b.n;
		ipc_msg_free(&o->m);
		xfree(o);
		if (c->out == NULL)
			want_out(c, false);
	}
	pthread_mutex_unlock(&c->out_lock);
}

struct rpcd_conn *
rpcd_conn_ref(struct rpcd_req *r)
{
	rpcd_conn_get(r->conn);
	atomic_store(&r->conn->subscribed, true);
	return r->conn;
}

void
rpcd_conn_unref(struct rpcd_conn **conn)
{
	if (*conn != NULL)
		rpcd_conn_put(*conn);
	*conn = NULL;
}

enum rc
rpcd_push(struct rpcd_conn *c, struct ipc_msg *m)
{
	size_t off = 0;
	bool ok;

	m->id = 0;
	m->extra = RC_OK;
	if (ipc_seal(m) != RC_OK)
		return RC_BAD;
	pthread_mutex_lock(&c->out_lock);
	ok =
	    !c->dead && c->out == NULL && try_send(c, m, &off) && off == m->b.n;
	if (!ok)
		kill_conn(c);
	pthread_mutex_unlock(&c->out_lock);
	return ok ? RC_OK : RC_TEMP;
}
