/*
 * The output of a connection.  An answer is sent by whoever has it, without
 * waiting.  One thread sends at a time (`sending`); who comes meanwhile queues
 * its answer and leaves, and the one that sends takes it along, several in
 * one sendmsg.  What the socket does not take stays queued (bounded) and is
 * sent by a worker when the peer has read.  EPOLLOUT is asked for only then:
 * asked for always, it would wake a worker for every answer that a peer reads.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
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

/* Under out_lock: the message moves into the queue; false: it is too full. */
static bool
enqueue(struct rpcd_conn *c, struct ipc_msg *m)
{
	struct rpcd_out *o;

	if (c->dead || c->out_bytes + m->b.n > RPCD_OUT_MAX) {
		kill_conn(c);
		return false;
	}
	o = xmalloc(sizeof(*o));
	*o = (struct rpcd_out){ .m = *m };
	ipc_msg_init(m, m->op);
	if (c->out == NULL)
		c->out_tail = &c->out;
	*c->out_tail = o;
	c->out_tail = &o->next;
	c->out_bytes += o->m.b.n;
	return true;
}

/* What one sendmsg may take: descriptors go with the first frame alone. */
static size_t
gather(struct rpcd_conn *c, struct iovec *iov)
{
	size_t n = 0;

	for (struct rpcd_out *o = c->out; o != NULL && n < RPCD_GATHER;
	     o = o->next) {
		if (n > 0 && o->m.nfds > 0)
			break;
		iov[n++] =
		    (struct iovec){ o->m.b.p + o->off, o->m.b.n - o->off };
		if (o->m.nfds > 0)
			break;
	}
	return n;
}

/* Under out_lock: so many bytes have been taken. */
static void
consume(struct rpcd_conn *c, size_t n)
{
	while (c->out != NULL && n > 0) {
		struct rpcd_out *o = c->out;
		size_t left = o->m.b.n - o->off;

		if (n < left) {
			o->off += n;
			return;
		}
		n -= left;
		c->out = o->next;
		c->out_bytes -= o->m.b.n;
		ipc_msg_free(&o->m);
		xfree(o);
	}
}

/*
 * By the one that set `sending`, under out_lock, which is let go during each
 * send: others queue meanwhile, and find their answers sent with ours.
 */
static void
drain(struct rpcd_conn *c)
{
	while (c->out != NULL && !c->dead) {
		struct iovec iov[RPCD_GATHER];
		const struct rpcd_out *first = c->out;
		size_t niov = gather(c, iov);
		bool single = first->m.nfds > 0 && first->off == 0;
		long n;

		pthread_mutex_unlock(&c->out_lock);
		n = single ? ipc_send_some(c->fd, &first->m, 0, MSG_DONTWAIT)
			   : ipc_send_iov(c->fd, iov, niov, MSG_DONTWAIT);
		pthread_mutex_lock(&c->out_lock);
		if (n < 0 && errno == EAGAIN) {
			c->armed = true;
			want_out(c, true);
			break;
		}
		if (n < 0) {
			kill_conn(c);
			break;
		}
		consume(c, (size_t)n);
	}
	if (c->out == NULL && c->armed) {
		c->armed = false;
		want_out(c, false);
	}
	c->sending = false;
}

/* Under out_lock, not sending, nothing queued: straight from the message. */
static void
send_first(struct rpcd_conn *c, struct ipc_msg *m)
{
	long n;

	c->sending = true;
	pthread_mutex_unlock(&c->out_lock);
	n = ipc_send_some(c->fd, m, 0, MSG_DONTWAIT);
	pthread_mutex_lock(&c->out_lock);
	if (n < 0 && errno != EAGAIN) {
		kill_conn(c);
	} else if (n < (long)m->b.n) {
		/* The rest goes before what others queued meanwhile. */
		struct rpcd_out *o = xmalloc(sizeof(*o));

		*o = (struct rpcd_out){
			.m = *m, .off = n > 0 ? (size_t)n : 0, .next = c->out
		};
		ipc_msg_init(m, m->op);
		if (c->out == NULL)
			c->out_tail = &o->next;
		c->out = o;
		c->out_bytes += o->m.b.n;
	}
	drain(c);
}

bool
rpcd_conn_send(struct rpcd_conn *c, struct ipc_msg *m)
{
	bool ok = true;

	pthread_mutex_lock(&c->out_lock);
	if (c->out == NULL && !c->sending && !c->dead)
		send_first(c, m);
	else
		ok = enqueue(c, m);
	ok = ok && !c->dead;
	pthread_mutex_unlock(&c->out_lock);
	return ok;
}

void
rpcd_conn_flush(struct rpcd_conn *c)
{
	pthread_mutex_lock(&c->out_lock);
	if (!c->sending && c->out != NULL && !c->dead) {
		c->sending = true;
		drain(c);
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
	bool ok;

	m->id = 0;
	m->extra = RC_OK;
	if (ipc_seal(m) != RC_OK)
		return RC_BAD;
	pthread_mutex_lock(&c->out_lock);
	if (c->dead || c->armed)
		kill_conn(c); /* it does not keep up */
	else if (c->out == NULL && !c->sending)
		send_first(c, m);
	else if (!enqueue(c, m))
		kill_conn(c);
	if (c->armed)
		kill_conn(c);
	ok = !c->dead;
	pthread_mutex_unlock(&c->out_lock);
	return ok ? RC_OK : RC_TEMP;
}
