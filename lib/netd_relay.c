/*
 * Relay: bytes between a client and a back-end, one read and one write per
 * direction and burst.  What one side does not take is kept, and nothing more
 * is read for it until it has gone: at most one read of each side is held.
 * Buffers are released when they are empty.
 *
 * A client that has closed its side may still be answered; a back-end that
 * has closed has said its last word.  At a stop the back-end, which is stopped
 * as well, is waited for a moment: its last word is the session's.
 */
#include <string.h>
#include <unistd.h>

#include "lib/netd_impl.h"

static bool
to_relay(struct netd_conn *c, struct str s)
{
	ssize_t n = 0;

	if ((c->relay_ev & EV_BLOCKED) == 0)
		n = netd_send(c->relay_fd, &c->relay_ev, s);
	if (n < 0)
		return false;
	if ((size_t)n == s.n)
		return true;
	if (c->in.n == 0)
		c->relay_moved_at = c->r->now;
	return buf_add(&c->in, str_from(s, (size_t)n)) == RC_OK;
}

/* What was kept for the back-end. */
static bool
flush_relay(struct netd_conn *c)
{
	struct str rest = netd_in(c);
	ssize_t n;

	if (rest.n == 0 || c->relay_ev & EV_BLOCKED)
		return true;
	n = netd_send(c->relay_fd, &c->relay_ev, rest);
	if (n < 0)
		return false;
	if (n > 0)
		c->relay_moved_at = c->r->now;
	c->in_off += (size_t)n;
	if (c->in_off == c->in.n) {
		c->in_off = 0;
		buf_release(&c->in);
	}
	return true;
}

static bool
from_client(struct netd_conn *c, bool *moved)
{
	struct str got;
	enum fill f;

	if (!flush_relay(c))
		return false;
	if (c->in.n > 0 || (c->ev & EV_IN) == 0)
		return true;
	f = netd_fill_scratch(c, &got);
	if (f == FILL_ERROR)
		return false;
	if (f != FILL_GOT)
		return true;
	*moved = true;
	c->wait_from = c->r->now;
	return got.n == 0 || to_relay(c, got);
}

static bool
to_client(struct netd_conn *c, struct str s)
{
	ssize_t n = 0;

	if (c->tls != NULL)
		return netd_encrypt(c, s) && netd_flush(c);
	if ((c->ev & EV_BLOCKED) == 0)
		n = netd_send(c->fd, &c->ev, s);
	if (n < 0)
		return false;
	if ((size_t)n < s.n &&
	    buf_add(&c->out_b, str_from(s, (size_t)n)) != RC_OK)
		return false;
	return netd_flush(c);
}

static bool
from_relay(struct netd_conn *c, bool *moved)
{
	size_t n = 0;

	if (!netd_flush(c))
		return false;
	if (!netd_flushed(c) || (c->relay_ev & EV_IN) == 0)
		return true;
	if (netd_read(c->relay_fd, &c->relay_ev, c->r->scratch, NETD_SCRATCH,
		&n) != FILL_GOT)
		return true;
	*moved = true;
	return to_client(c, str_n(c->r->scratch, n));
}

/* Ends of file, once everything before them was passed on. */
static bool
ends(struct netd_conn *c)
{
	if ((c->relay_ev & EV_EOF) && netd_flushed(c)) {
		netd_finish(c);
		return true;
	}
	if ((c->ev & EV_EOF) && c->in.n == 0 && !c->relay_shut) {
		c->relay_shut = true;
		shutdown(c->relay_fd, SHUT_WR);
		c->linger_until = c->r->now + NETD_HALF_MS;
	}
	return false;
}

static void
leave_soon(struct netd_conn *c)
{
	int64_t at = c->r->now + NETD_LEAVE_MS;

	c->stop_told = true;
	if (c->linger_until == 0 || c->linger_until > at)
		c->linger_until = at;
}

void
netd_relay_run(struct netd_conn *c)
{
	if (c->r->stopping && !c->stop_told)
		leave_soon(c);
	for (unsigned i = 0; i < NETD_UNITS; i++) {
		bool moved = false;

		if (!from_client(c, &moved) || !from_relay(c, &moved)) {
			netd_drop(c);
			return;
		}
		if (ends(c))
			return;
		if (!moved) {
			netd_arm_out(c, true);
			netd_park(c);
			return;
		}
	}
	netd_reactor_again(c);
}

/* From now on c->in is what waits for the back-end. */
static void
queue_first(struct netd_conn *c)
{
	if (buf_add(&c->first_b, netd_in(c)) != RC_OK)
		panic("relay: the input does not fit");
	if (c->in.p != NULL)
		explicit_bzero(c->in.p, c->in.size);
	buf_free(&c->in);
	c->in = c->first_b;
	c->in_off = 0;
	c->first_b = (struct buf){ 0 };
}

void
netd_relay_begin(struct netd_conn *c)
{
	enum fill f = FILL_NONE;

	if (c->relay_fd < 0 || c->r->stopping) {
		netd_finish(c);
		return;
	}
	c->phase = NP_RELAY;
	c->wait_from = c->relay_moved_at = c->r->now;
	queue_first(c);
	/* Records that came with the last ones of the login. */
	if (c->tls != NULL &&
	    (c->rin.n > 0 || gnutls_record_check_pending(c->tls) > 0))
		f = netd_fill(c);
	if (f == FILL_ERROR || !netd_watch(c, true)) {
		netd_drop(c);
		return;
	}
	netd_relay_run(c);
}
