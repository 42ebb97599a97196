/*
 * Bytes in and out.  Descriptors are in the reactor's epoll set once, edge
 * triggered, so a request costs no epoll_ctl; what is known of readiness is
 * kept in `ev`.  A read that returns less than was asked for has emptied the
 * socket (epoll(7)) unless the peer has closed, so there is no second read
 * just to see EAGAIN.  EPOLLOUT is asked for only after a write has blocked:
 * on UNIX sockets it would otherwise fire at every read of the other side.
 *
 * Input is read into scratch memory of the reactor and only the unframed rest
 * is kept, in a buffer that is released when it is empty.  With TLS, GnuTLS
 * reads from and writes to memory (netd_tls.c), so a burst of records is one
 * read and one write, and no send is ever interrupted half-way.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/netd_impl.h"

/* Records without data (key updates, alerts) in one burst. */
#define EMPTY_MAX 16
#define EVENTS    (EPOLLIN | EPOLLRDHUP | EPOLLET)

static int
control(struct netd_conn *c, bool relay, int op, uint32_t events)
{
	struct epoll_event e = { .events = events,
		.data.u64 = (uint64_t)(uintptr_t)c |
			    (relay ? NETD_TAG_RELAY : NETD_TAG_CLIENT) };

	return epoll_ctl(c->r->epfd, op, relay ? c->relay_fd : c->fd, &e);
}

bool
netd_watch(struct netd_conn *c, bool relay)
{
	return control(c, relay, EPOLL_CTL_ADD, EVENTS) == 0;
}

void
netd_arm_out(struct netd_conn *c, bool relay)
{
	uint8_t *ev = relay ? &c->relay_ev : &c->ev;
	bool want = (*ev & EV_BLOCKED) != 0, have = (*ev & EV_POLL_OUT) != 0;

	if (want == have)
		return;
	*ev ^= EV_POLL_OUT;
	if (control(c, relay, EPOLL_CTL_MOD,
		EVENTS | (want ? (uint32_t)EPOLLOUT : 0)) < 0)
		panic("epoll_ctl: errno %d", errno);
}

enum fill
netd_read(int fd, uint8_t *ev, char *p, size_t size, size_t *n)
{
	ssize_t got;

	do {
		got = recv(fd, p, size, MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	if (got > 0) {
		*n = (size_t)got;
		if (*n < size && (*ev & EV_HUP) == 0)
			*ev &= (uint8_t)~EV_IN;
		return FILL_GOT;
	}
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		*ev &= (uint8_t)~EV_IN;
		return FILL_NONE;
	}
	*ev |= EV_EOF;
	*ev &= (uint8_t)~EV_IN;
	return got == 0 ? FILL_EOF : FILL_ERROR;
}

ssize_t
netd_send(int fd, uint8_t *ev, struct str s)
{
	ssize_t n;

	do {
		n = send(fd, s.p, s.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		return -1;
	if (n < 0)
		n = 0;
	if ((size_t)n < s.n)
		*ev |= EV_BLOCKED;
	return n;
}

/*
 * The input may hold a password until its owner has logged in: growing must
 * not leave a copy behind.
 */
static void
reserve(struct netd_conn *c, size_t n)
{
	struct buf *b = &c->in;
	struct buf old;

	if (c->in_off > 0) {
		memmove(b->p, b->p + c->in_off, b->n - c->in_off);
		b->n -= c->in_off;
		c->in_off = 0;
	}
	if (b->n + n <= b->size)
		return;
	if (c->authenticated || b->p == NULL) {
		if (buf_reserve(b, n) != RC_OK)
			panic("input past its cap");
		return;
	}
	old = *b;
	b->p = NULL;
	b->n = b->size = 0;
	if (buf_reserve(b, old.n + n) != RC_OK)
		panic("input past its cap");
	memcpy(b->p, old.p, old.n);
	b->n = old.n;
	explicit_bzero(old.p, old.size);
	xfree(old.p);
}

/* Everything in c->pull becomes plain bytes at the end of the input. */
static enum fill
decrypt(struct netd_conn *c)
{
	bool got = false;
	unsigned empty = 0;

	for (;;) {
		size_t room = MAX(c->pull.n, (size_t)512);
		ssize_t n;

		room = MAX(room, gnutls_record_check_pending(c->tls));
		reserve(c, MIN(room, NETD_RECORD));
		n = gnutls_record_recv(c->tls, c->in.p + c->in.n,
		    MIN(c->in.size - c->in.n, NETD_RECORD));
		if (n > 0) {
			c->in.n += (size_t)n;
			got = true;
		} else if (n == GNUTLS_E_AGAIN && c->pull.n == 0) {
			return got ? FILL_GOT : FILL_NONE;
		} else if (n == 0 || n == GNUTLS_E_PREMATURE_TERMINATION) {
			c->ev |= EV_EOF;
			return got ? FILL_GOT : FILL_EOF;
		} else if (gnutls_error_is_fatal((int)n) ||
			   n == GNUTLS_E_REHANDSHAKE || ++empty > EMPTY_MAX) {
			return FILL_ERROR;
		}
	}
}

static enum fill
fill_tls(struct netd_conn *c)
{
	enum fill f = FILL_NONE;
	size_t n = 0;

	if (c->rin.n > 0 || gnutls_record_check_pending(c->tls) > 0) {
		c->pull = buf_str(&c->rin);
		f = decrypt(c);
		buf_release(&c->rin);
		if (f != FILL_NONE)
			return f;
	}
	if ((c->ev & EV_IN) == 0)
		return f;
	f = netd_read(c->fd, &c->ev, c->r->scratch, NETD_SCRATCH, &n);
	if (f != FILL_GOT)
		return f;
	c->pull = str_n(c->r->scratch, n);
	f = decrypt(c);
	/* Part of a record is GnuTLS's now; try to read on. */
	return f == FILL_NONE && (c->ev & EV_IN) ? FILL_GOT : f;
}

enum fill
netd_fill(struct netd_conn *c)
{
	char *p = c->r->scratch;
	size_t n = 0, room = 0;
	enum fill f;

	if (c->tls != NULL)
		return fill_tls(c);
	/* A body that streams in has its buffer already: no copy. */
	if (c->in.p != NULL && c->in_off == 0)
		room = c->in.size - c->in.n;
	if (room >= 4096) {
		f = netd_read(c->fd, &c->ev, c->in.p + c->in.n, room, &n);
		c->in.n += n;
		return f;
	}
	f = netd_read(c->fd, &c->ev, p, NETD_SCRATCH, &n);
	if (f == FILL_GOT) {
		reserve(c, n);
		memcpy(c->in.p + c->in.n, p, n);
		c->in.n += n;
	}
	return f;
}

enum fill
netd_fill_scratch(struct netd_conn *c, struct str *out)
{
	const size_t max = 2 * NETD_SCRATCH;
	char *p = c->r->plain;
	size_t n = 0, got = 0;
	unsigned empty = 0;
	enum fill f;

	*out = STR_NULL;
	f = netd_read(c->fd, &c->ev, c->r->scratch, NETD_SCRATCH, &n);
	if (f != FILL_GOT)
		return f;
	if (c->tls == NULL) {
		*out = str_n(c->r->scratch, n);
		return FILL_GOT;
	}
	c->pull = str_n(c->r->scratch, n);
	while (got < max) {
		ssize_t k = gnutls_record_recv(c->tls, p + got, max - got);

		if (k > 0) {
			got += (size_t)k;
			continue;
		}
		if (k == GNUTLS_E_AGAIN && c->pull.n == 0)
			break;
		if (k == 0 || k == GNUTLS_E_PREMATURE_TERMINATION) {
			c->ev |= EV_EOF;
			break;
		}
		if (gnutls_error_is_fatal((int)k) ||
		    k == GNUTLS_E_REHANDSHAKE || ++empty > EMPTY_MAX)
			return FILL_ERROR;
	}
	*out = str_n(p, got);
	return FILL_GOT;
}

bool
netd_encrypt(struct netd_conn *c, struct str s)
{
	if (c->raw.p == NULL && c->r->spare.p != NULL) {
		c->raw.p = c->r->spare.p;
		c->raw.size = c->r->spare.size;
		c->r->spare.p = NULL;
		c->r->spare.size = 0;
	}
	while (s.n > 0) {
		ssize_t n = gnutls_record_send(
		    c->tls, s.p, MIN(s.n, (size_t)NETD_RECORD));

		if (n <= 0)
			return false;
		s = str_from(s, (size_t)n);
	}
	return true;
}

/* An emptied buffer goes back; one of the encrypted ones stays lent. */
static void
give_back(struct netd_conn *c)
{
	if (c->r->spare.p == NULL && c->raw.size <= 2 * NETD_RAW_MAX) {
		c->r->spare.p = c->raw.p;
		c->r->spare.size = c->raw.size;
		c->raw.p = NULL;
		c->raw.size = 0;
	}
	buf_release(&c->raw);
}

static void
moved(struct netd_conn *c, size_t n)
{
	c->out_moved += n;
	if (n > 0)
		c->out_moved_at = c->r->now;
}

/* Write b from *off; true when all of it is gone. */
static bool
write_out(struct netd_conn *c, struct buf *b, size_t *off, bool *broken)
{
	ssize_t n;

	if (b->n == *off)
		return true;
	if (c->ev & EV_BLOCKED)
		return false;
	n = netd_send(c->fd, &c->ev, str_from(buf_str(b), *off));
	if (n < 0) {
		*broken = true;
		return false;
	}
	*off += (size_t)n;
	moved(c, (size_t)n);
	if (*off < b->n)
		return false;
	b->n = *off = 0;
	return true;
}

static bool
flush_tls(struct netd_conn *c)
{
	bool broken = false;

	while (write_out(c, &c->raw, &c->raw_off, &broken)) {
		size_t n = MIN(netd_out(c), (size_t)NETD_RAW_MAX);

		if (n == 0 || !c->secured)
			break;
		if (!netd_encrypt(
			c, str_sub(buf_str(&c->out_b), c->out_off, n)))
			return false;
		c->out_off += n;
	}
	if (broken)
		return false;
	if (c->raw.n == 0 && c->raw.p != NULL)
		give_back(c);
	if (netd_out(c) == 0 && c->out_b.p != NULL) {
		c->out_off = 0;
		buf_release(&c->out_b);
	}
	return true;
}

bool
netd_flushed(const struct netd_conn *c)
{
	return netd_out(c) == 0 && c->raw.n == c->raw_off;
}

bool
netd_flush(struct netd_conn *c)
{
	bool broken = false;

	if (netd_flushed(c)) {
		c->out_since = 0;
		return true;
	}
	if (c->out_since == 0) {
		c->out_since = c->out_moved_at = c->r->now;
		c->out_moved = 0;
	}
	if (c->tls != NULL) {
		if (!flush_tls(c))
			return false;
	} else if (write_out(c, &c->out_b, &c->out_off, &broken)) {
		buf_release(&c->out_b);
	}
	if (broken)
		return false;
	if (netd_flushed(c))
		c->out_since = 0;
	netd_arm_out(c, false);
	return true;
}
