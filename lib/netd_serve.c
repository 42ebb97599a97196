/*
 * What a session does while its reactor has it: one function per phase, each
 * of which goes on until the session is parked, handed over, or gone.
 *
 * The last word of the handler (c->next) decides what may happen; netd_park
 * sets the one deadline that is next, and netd_timed_out finds out which one
 * it was by computing it again.
 */
#include <unistd.h>

#include "lib/netd_impl.h"

enum due {
	DUE_NONE,
	DUE_DROP,    /* stalled, or no handshake in time */
	DUE_WAKE,    /* netd_wake_in */
	DUE_TIMEOUT, /* UNIT_TIMEOUT */
};

static void
earlier(int64_t at, enum due what, int64_t *due, enum due *out)
{
	if (at < *due) {
		*due = at;
		*out = what;
	}
}

/* Output has to move, and to move at a rate. */
static int64_t
stall_due(const struct netd_conn *c)
{
	int64_t stall = c->d->conf.stall_timeout_ms;
	int64_t rate = c->d->conf.min_rate;
	int64_t whole =
	    c->out_since + stall + (int64_t)(c->out_moved * 1000) / rate;

	return MIN(c->out_moved_at + stall, whole);
}

static bool
choked(const struct netd_conn *c)
{
	return netd_out(c) >= c->d->conf.out_high;
}

static int64_t
input_due(const struct netd_conn *c)
{
	const struct netd_conf *conf = &c->d->conf;
	int64_t due = c->wait_from + c->timeout_ms;
	size_t part = netd_in(c).n;

	if (c->first)
		due = MIN(due, c->opened_at + conf->first_timeout_ms);
	if (part > 0 && c->unit_from > 0)
		due = MIN(due, c->unit_from + conf->trickle_grace_ms +
				   (int64_t)part * 1000 / conf->min_rate);
	if (c->rate_from > 0)
		due = MIN(due,
		    c->rate_from + conf->trickle_grace_ms +
			(int64_t)(c->rate_n + part) * 1000 / conf->min_rate);
	return due;
}

static int64_t
due_of(const struct netd_conn *c, enum due *what)
{
	int64_t due = NETD_NEVER;

	*what = DUE_NONE;
	if (c->out_since > 0)
		earlier(stall_due(c), DUE_DROP, &due, what);
	switch (c->phase) {
	case NP_PROXY:
	case NP_HANDSHAKE:
		earlier(c->wait_from + c->d->conf.handshake_timeout_ms,
		    DUE_DROP, &due, what);
		return due;
	case NP_CLOSING:
		if (c->linger_until > 0)
			earlier(c->linger_until, DUE_DROP, &due, what);
		return due;
	case NP_RELAY:
		earlier(c->wait_from + c->timeout_ms, DUE_DROP, &due, what);
		if (c->linger_until > 0)
			earlier(c->linger_until, DUE_DROP, &due, what);
		if (c->in.n > 0)
			earlier(c->relay_moved_at + c->d->conf.stall_timeout_ms,
			    DUE_DROP, &due, what);
		return due;
	case NP_SERVING:
	case NP_DEAD:
		break;
	}
	if (c->next == NEXT_DRAIN || c->next == NEXT_TLS)
		return due;
	if (c->next == NEXT_WAIT)
		earlier(c->wait_from + c->timeout_ms, DUE_TIMEOUT, &due, what);
	else if (!choked(c))
		earlier(input_due(c), DUE_TIMEOUT, &due, what);
	if (c->wake_at > 0 && c->next != NEXT_INPUT)
		earlier(c->wake_at, DUE_WAKE, &due, what);
	return due;
}

void
netd_park(struct netd_conn *c)
{
	enum due what;

	if (c->in.p != NULL && netd_in(c).n == 0)
		buf_release(&c->in);
	netd_timer_set(c, due_of(c, &what));
}

void
netd_conn_free(struct netd_conn *c)
{
	struct netd_reactor *r = c->r;

	assert(c->session == NULL && !c->out);
	netd_timer_drop(c);
	if (c->prev != NULL)
		c->prev->next_conn = c->next_conn;
	else
		r->conns = c->next_conn;
	if (c->next_conn != NULL)
		c->next_conn->prev = c->prev;
	netd_tls_free(c);
	netd_source_put(c);
	if (c->authenticated)
		atomic_fetch_sub(&c->d->authenticated, 1);
	atomic_fetch_sub(&c->d->sessions, 1);
	/* Events of this round may still name it. */
	c->qnext = r->dead;
	r->dead = c;
}

void
netd_drop(struct netd_conn *c)
{
	assert(!c->out);
	if (c->phase == NP_DEAD)
		return;
	c->phase = NP_DEAD;
	c->dead = true;
	atomic_store(&c->gone, true);
	netd_waker_detach(c);
	fd_close(&c->fd);
	fd_close(&c->relay_fd);
	buf_free(&c->in);
	buf_free(&c->out_b);
	buf_free(&c->raw);
	buf_free(&c->rin);
	buf_free(&c->first_b);
	c->in_off = c->out_off = c->raw_off = 0;
	log_debug(&c->log, "netd.close", KV("client", netd_peer_ip(c)));
	if (c->session != NULL)
		netd_pool_submit(c, JOB_CLOSE);
	else
		netd_conn_free(c);
}

/*
 * All is said.  The output goes first; then, if the client is still sending,
 * its bytes are thrown away for a moment, because closing a socket with
 * unread input, or that input comes for, resets it and may destroy the reply
 * on its way (RFC 2525 2.17).
 */
static void
closing(struct netd_conn *c)
{
	size_t n = 0;

	if (!netd_flush(c)) {
		netd_drop(c);
		return;
	}
	if (!netd_flushed(c)) {
		netd_park(c);
		return;
	}
	if (!c->shut && c->secured) {
		netd_tls_bye(c);
		c->shut = true;
		if (!netd_flush(c)) {
			netd_drop(c);
			return;
		}
	}
	if (c->linger_until == 0) {
		bool more = c->amid || (c->ev & EV_IN) != 0 || netd_in(c).n > 0;

		if (!more || (c->ev & EV_EOF) || !netd_flushed(c)) {
			netd_drop(c);
			return;
		}
		shutdown(c->fd, SHUT_WR);
		c->linger_until = c->r->now + NETD_LINGER_MS;
	}
	for (unsigned i = 0; (c->ev & EV_IN) && i < NETD_UNITS; i++) {
		enum fill f =
		    netd_read(c->fd, &c->ev, c->r->scratch, NETD_SCRATCH, &n);

		if (f == FILL_EOF || f == FILL_ERROR) {
			netd_drop(c);
			return;
		}
	}
	if (c->ev & EV_IN)
		netd_drop(c); /* a flood */
	else
		netd_park(c);
}

void
netd_finish(struct netd_conn *c)
{
	c->phase = NP_CLOSING;
	c->linger_until = 0; /* a relay's was another */
	netd_run(c);
}

static void
handshake(struct netd_conn *c)
{
	size_t n = 0;
	enum fill f;

	if (!netd_flush(c)) {
		netd_drop(c);
		return;
	}
	if (c->next == NEXT_ABORT) {
		netd_drop(c);
		return;
	}
	if ((c->ev & EV_IN) == 0 || c->ev & EV_BLOCKED) {
		netd_park(c);
		return;
	}
	f = netd_read(c->fd, &c->ev, c->r->scratch, NETD_SCRATCH, &n);
	if (f == FILL_NONE) {
		netd_park(c);
		return;
	}
	if (f != FILL_GOT ||
	    buf_add(&c->rin, str_n(c->r->scratch, n)) != RC_OK) {
		netd_drop(c);
		return;
	}
	netd_pool_submit(c, JOB_HANDSHAKE);
}

/* Give the service a unit, here or on a worker; true when it was here. */
static bool
dispatch(struct netd_conn *c, enum netd_unit_kind kind, size_t n)
{
	const struct netd_ops *ops = c->l->ops;
	struct netd_unit u = { .kind = kind,
		.data =
		    kind == UNIT_DATA ? str_sub(netd_in(c), 0, n) : STR_NULL };

	if (kind == UNIT_DATA)
		c->amid = u.data.p[n - 1] != '\n';
	if (ops->quick != NULL && ops->quick(c->session, &u)) {
		netd_call(c, kind, n);
		return true;
	}
	c->kind = kind;
	c->unit_n = n;
	netd_pool_submit(c, JOB_UNIT);
	return false;
}

void
netd_greet(struct netd_conn *c)
{
	if (dispatch(c, UNIT_OPEN, 0))
		netd_run(c);
}

static bool
wake(struct netd_conn *c)
{
	c->woken = false;
	return dispatch(c, UNIT_WAKE, 0);
}

static bool
stop(struct netd_conn *c)
{
	c->stop_told = true;
	return dispatch(c, UNIT_STOP, 0);
}

/* NEXT_TLS: nothing said in clear may reach past this point. */
static void
start_tls(struct netd_conn *c)
{
	if (netd_in(c).n > 0) {
		log_warn(&c->log, "tls.injection",
		    KV("client", netd_peer_ip(c)), KVU("bytes", netd_in(c).n));
		netd_drop(c);
		return;
	}
	if (c->tls != NULL)
		panic("%s: TLS inside TLS", c->d->conf.name);
	if (!netd_flushed(c)) {
		netd_park(c);
		return;
	}
	c->phase = NP_HANDSHAKE;
	c->wait_from = c->r->now;
	buf_release(&c->in);
	handshake(c);
}

/*
 * Wait for input: true to go on, false when the session is parked, handed
 * over or gone.
 */
static bool
input(struct netd_conn *c)
{
	size_t n;

	if (c->r->stopping && !c->stop_told)
		return stop(c);
	if (choked(c)) {
		netd_park(c);
		return false;
	}
	n = netd_frame(c);
	if (n > 0)
		return dispatch(c, UNIT_DATA, n);
	if (c->next == NEXT_IDLE && c->woken)
		return wake(c);
	if (netd_in(c).n >= c->d->conf.in_max)
		return dispatch(c, UNIT_TOO_LONG, 0);
	if ((c->ev & EV_IN) || c->rin.n > 0 ||
	    (c->tls && gnutls_record_check_pending(c->tls))) {
		switch (netd_fill(c)) {
		case FILL_GOT:
			return true;
		case FILL_NONE:
			break;
		case FILL_EOF:
			netd_finish(c);
			return false;
		case FILL_ERROR:
			netd_drop(c);
			return false;
		}
	}
	if (c->ev & EV_EOF) {
		netd_finish(c);
		return false;
	}
	if (c->unit_from == 0 && netd_in(c).n > 0)
		c->unit_from = c->r->now;
	netd_park(c);
	return false;
}

/* One step of a served session; true to go on. */
static bool
serve(struct netd_conn *c)
{
	if (c->restart) {
		c->restart = false;
		c->wait_from = c->r->now;
	}
	if (c->next == NEXT_ABORT || !netd_flush(c)) {
		netd_drop(c);
		return false;
	}
	switch (c->next) {
	case NEXT_INPUT:
	case NEXT_IDLE:
		return input(c);
	case NEXT_WAIT:
		if (c->woken)
			return wake(c);
		netd_park(c);
		return false;
	case NEXT_DRAIN:
		if (netd_out(c) <= c->d->conf.out_low)
			return dispatch(c, UNIT_DRAINED, 0);
		netd_park(c);
		return false;
	case NEXT_TLS:
		start_tls(c);
		return false;
	case NEXT_RELAY:
		netd_relay_begin(c);
		return false;
	case NEXT_CLOSE:
	case NEXT_ABORT:
		break;
	}
	netd_finish(c);
	return false;
}

void
netd_run(struct netd_conn *c)
{
	assert(!c->out);
	switch (c->phase) {
	case NP_PROXY:
		netd_proxy_run(c);
		break;
	case NP_HANDSHAKE:
		handshake(c);
		break;
	case NP_SERVING:
		for (unsigned i = 0; serve(c); i++) {
			if (i < 2 * NETD_UNITS)
				continue;
			netd_reactor_again(c);
			break;
		}
		break;
	case NP_RELAY:
		netd_relay_run(c);
		break;
	case NP_CLOSING:
		closing(c);
		break;
	case NP_DEAD:
		if (c->session == NULL)
			netd_conn_free(c);
		break;
	}
}

void
netd_timed_out(struct netd_conn *c)
{
	enum due what;

	if (c->out || c->again)
		return;
	if (due_of(c, &what) > c->r->now) {
		netd_park(c);
		return;
	}
	switch (what) {
	case DUE_WAKE:
		c->woken = true;
		c->wake_at = 0;
		netd_run(c);
		break;
	case DUE_TIMEOUT:
		if (dispatch(c, UNIT_TIMEOUT, 0))
			netd_run(c);
		break;
	case DUE_DROP:
	case DUE_NONE:
		log_debug(&c->log, "netd.timeout", KVU("phase", c->phase),
		    KV("client", netd_peer_ip(c)));
		if (c->phase == NP_PROXY)
			netd_refuse(c, "proxy_timeout");
		else
			netd_drop(c);
		break;
	}
}
