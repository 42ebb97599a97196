/*
 * One connection: the socket, TLS, and the dialogue of mail/smtp_client.h,
 * driven until nothing more can be read or written.
 *
 * The body goes from the descriptor (pread) or the request into the output of
 * the dialogue in pieces of REM_CHUNK; the next piece is fetched when the last
 * one has left, so a message of any size costs the same memory.
 *
 * A phase's time begins with its first command and anew with each reply, not
 * with each byte: a server that drips cannot stretch it.  While the message
 * goes out it begins with each byte that the server takes, and a minimum rate
 * bounds the whole.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "delivery/rem_impl.h"

#define NS_PER_MS  INT64_C(1000000)
#define TURN_BYTES (1u << 20) /* sent before others get their turn */
#define SMTPS_PORT 465u

static bool
required_tls(const struct rem_job *j)
{
	return j->smart != NULL && j->conf->smart_tls != REM_SMART_MAY;
}

/* ---- the end */

void
rem_conn_close(struct rem_conn *c)
{
	struct rem *r = c->rem;
	ssize_t n;

	if (c->job == NULL && !c->dead) {
		r->nidle--;
		r->counts.idle--;
		/* Politely, but nobody waits for the answer. */
		mail_client_quit(&c->c);
		if (c->tls != NULL)
			n = gnutls_record_send(c->tls, STR("QUIT\r\n").p, 6);
		else
			n = send(c->fd, "QUIT\r\n", 6, MSG_NOSIGNAL);
		if (n > 0 && c->tls != NULL)
			gnutls_bye(c->tls, GNUTLS_SHUT_WR);
	}
	c->dead = true;
	if (c->tls != NULL)
		gnutls_deinit(c->tls);
	if (c->again)
		DL_DELETE2(r->again, c, again_prev, again_next);
	DL_DELETE(r->conns, c);
	DL_APPEND(r->closed, c);
	c->closed = true;
	c->tls = NULL;
	fd_close(&c->fd);
	r->nconns--;
	r->counts.conns--;
	rem_job_slot(r);
}

void
rem_conns_bury(struct rem *r)
{
	struct rem_conn *c;

	while ((c = r->closed) != NULL) {
		DL_DELETE(r->closed, c);
		mail_client_free(&c->c);
		rem_conf_unref(&c->conf);
		xfree(c);
	}
}

/* The server may have taken the message, and did not say so. */
static bool
is_unknown(const struct rem_conn *c)
{
	const struct mail_client *m = &c->c;

	if (m->tx != &c->job->tx || !mail_client_dot_sent(m))
		return false;
	for (size_t i = 0; i < m->tx->nto; i++)
		if (m->to[i].rc == RC_TEMP && !m->to[i].from_server)
			return true;
	return false;
}

/* The connection is of no more use; its job goes on without it. */
static void
lost(struct rem_conn *c)
{
	struct rem_job *j = c->job;

	c->dead = true;
	j->unknown |= is_unknown(c);
	rem_job_collect(j, c);
	rem_conn_close(c);
	rem_job_next(j);
}

static void
fail(struct rem_conn *c, const char *status, struct str what)
{
	AUTO_ARENA a = { 0 };
	struct str text = str_fmt(&a, "%.*s (%s[%s])", STRF(what), c->host,
	    c->ip[0] ? c->ip : "unix");

	c->dead = true;
	mail_client_fail(&c->c, status, text);
	lost(c);
}

void
rem_conn_abort(struct rem_conn *c, const char *status, struct str text)
{
	fail(c, status, text);
}

static void
fail_io(struct rem_conn *c)
{
	AUTO_ARENA a = { 0 };

	fail(c, "4.4.2",
	    str_fmt(
		&a, "the connection was lost at %s", mail_client_doing(&c->c)));
}

/* ---- time */

static int64_t
phase_ms(const struct rem_conn *c)
{
	const struct rem_limits *l = &c->conf->limits;
	enum mail_client_phase p = c->c.phase;

	if (c->state == REM_CONNECTING)
		return l->connect;
	if (c->state == REM_HANDSHAKE)
		return l->phase[MAIL_PHASE_TLS];
	if (c->job == NULL)
		return l->idle;
	/* The dot is behind bytes that have not left. */
	if (p == MAIL_PHASE_DOT && mail_client_out(&c->c).n > 0)
		p = MAIL_PHASE_BODY;
	return l->phase[p];
}

static void
arm(struct rem_conn *c, bool anew)
{
	const struct mail_client *m = &c->c;

	if (!anew && c->at_phase == m->phase && c->at_pending == m->npending &&
	    c->at_sent == m->out_sent)
		return;
	c->at_phase = m->phase;
	c->at_pending = m->npending;
	c->at_sent = m->out_sent;
	c->due = now_ns() + phase_ms(c) * NS_PER_MS;
	if (c->job != NULL)
		c->due = MIN(c->due, c->job->dl.at_ns);
	if (c->setup_due != 0)
		c->due = MIN(c->due, c->setup_due);
	rem_wake_at(c->rem, c->due);
}

void
rem_conn_timeout(struct rem_conn *c)
{
	AUTO_ARENA a = { 0 };

	if (c->job == NULL)
		rem_conn_close(c);
	else if (c->state == REM_CONNECTING)
		fail(c, "4.4.1", STR("no connection in time"));
	else
		fail(c, "4.4.2",
		    str_fmt(&a, "no answer in time at %s",
			mail_client_doing(&c->c)));
}

/*
 * False: the server takes the message too slowly.  How long it thought about
 * the envelope is not counted.
 */
static bool
keeps_pace(struct rem_conn *c)
{
	const struct rem_limits *l = &c->conf->limits;
	int64_t ms;
	uint64_t sent;

	if (c->body_began == 0) {
		c->body_began = now_ns();
		c->body_sent_from = c->c.out_sent;
	}
	ms = (now_ns() - c->body_began) / NS_PER_MS;
	sent = c->c.out_sent - c->body_sent_from;
	return ms < l->rate_grace ||
	       sent * 1000 / (uint64_t)ms >= (uint64_t)l->min_rate;
}

/* ---- bytes */

/* RC_OK all is out; RC_NOENT the socket takes no more; RC_TEMP lost. */
static enum rc
flush(struct rem_conn *c, size_t *sent)
{
	struct str out;
	ssize_t n;

	while ((out = mail_client_out(&c->c)).n > 0) {
		if (!c->writable)
			return RC_NOENT;
		if (c->tls != NULL) {
			/* What was begun is repeated as it was. */
			n = gnutls_record_send(c->tls,
			    c->tls_again ? NULL : out.p,
			    c->tls_again ? 0 : out.n);
			if (n == GNUTLS_E_AGAIN)
				c->tls_again = 1;
			else
				c->tls_again = 0;
		} else {
			n = send(c->fd, out.p, out.n, MSG_NOSIGNAL);
		}
		if (n < 0 && (c->tls ? n == GNUTLS_E_AGAIN : errno == EAGAIN)) {
			c->writable = false;
			return RC_NOENT;
		}
		if (n < 0 &&
		    (c->tls ? n == GNUTLS_E_INTERRUPTED : errno == EINTR))
			continue;
		if (n <= 0)
			return RC_TEMP;
		mail_client_sent(&c->c, (size_t)n);
		*sent += (size_t)n;
	}
	return RC_OK;
}

static enum rc
fetch_tls(struct rem_conn *c, char *p, size_t size, size_t *out)
{
	ssize_t n;

	/* What it wants to negotiate again (TLS 1.2) it may not. */
	do {
		n = gnutls_record_recv(c->tls, p, size);
	} while (
	    n == GNUTLS_E_INTERRUPTED || (n == GNUTLS_E_AGAIN && c->readable));
	if (n == GNUTLS_E_AGAIN)
		return RC_NOENT;
	*out = n > 0 ? (size_t)n : 0;
	return n > 0 ? RC_OK : RC_TEMP;
}

static enum rc
fetch_clear(struct rem_conn *c, char *p, size_t size, size_t *out)
{
	ssize_t n;

	do {
		n = recv(c->fd, p, size, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		c->readable = false;
		return RC_NOENT;
	}
	if (n <= 0)
		return RC_TEMP;
	/*
	 * A short read emptied the socket, and what comes later is an event;
	 * but an end that came with the bytes was one with them.
	 */
	if ((size_t)n < size && !c->ended)
		c->readable = false;
	*out = (size_t)n;
	return RC_OK;
}

/* RC_OK bytes came; RC_NOENT nothing is there; RC_TEMP lost. */
static enum rc
fetch(struct rem_conn *c)
{
	char *p = c->rem->scratch;
	size_t n = 0;
	enum rc rc;

	if (!c->readable)
		return RC_NOENT;
	if (c->tls != NULL)
		rc = fetch_tls(c, p, REM_CHUNK, &n);
	else
		rc = fetch_clear(c, p, REM_CHUNK, &n);
	if (rc == RC_OK)
		mail_client_input(&c->c, str_n(p, n));
	return rc;
}

/* The next piece of the message into the output. */
static enum rc
feed(struct rem_conn *c)
{
	const struct rem_message *m = c->job->msg;
	struct str piece;
	uint64_t left = m->size - c->body_at;
	size_t n = (size_t)MIN(left, REM_CHUNK);

	if (c->prefix_at < m->prefix.n) {
		piece = str_sub(m->prefix, c->prefix_at, REM_CHUNK);
		c->prefix_at += piece.n;
		return mail_client_body(&c->c, piece);
	}
	if (left == 0)
		return mail_client_body_end(&c->c);
	if (m->fd < 0) {
		piece = str_sub(m->inline_data, (size_t)c->body_at, n);
	} else {
		if (fd_pread_all(m->fd, c->rem->scratch, n, c->body_at) !=
		    RC_OK)
			return RC_TEMP;
		piece = str_n(c->rem->scratch, n);
	}
	c->body_at += piece.n;
	return mail_client_body(&c->c, piece);
}

/*
 * Until there is something worth a send; a small message leaves with its dot in
 * one.  RC_TEMP: it cannot be read, and must not seem complete.
 */
static enum rc
feed_some(struct rem_conn *c)
{
	while (c->c.want == MAIL_CLIENT_BODY &&
	       mail_client_out(&c->c).n < REM_CHUNK)
		if (feed(c) != RC_OK)
			return RC_TEMP;
	return RC_OK;
}

/* ---- steps of the dialogue */

/* GnuTLS reads: whether there is more is known here alone. */
static ssize_t
pull(gnutls_transport_ptr_t arg, void *p, size_t n)
{
	struct rem_conn *c = arg;
	ssize_t got = recv(c->fd, p, n, 0);

	if (got < 0 && errno == EAGAIN)
		c->readable = false;
	return got;
}

static void
begin_tls(struct rem_conn *c)
{
	bool must = required_tls(c->job);
	bool verify = must && c->conf->smart_tls == REM_SMART_VERIFY;
	struct rem_tls_io io = { c->fd, pull, c };

	if (rem_tls_session(c->rem->tls, &io, c->host, must, verify, &c->tls) !=
	    RC_OK) {
		fail(c, "4.7.5", STR("TLS cannot be set up here"));
		return;
	}
	c->state = REM_HANDSHAKE;
	arm(c, true);
}

static void
no_tls(struct rem_conn *c, int error)
{
	struct rem_job *j = c->job;
	AUTO_ARENA a = { 0 };
	struct str why = rem_tls_error(&a, c->tls, error);
	bool clear = !required_tls(j) && !c->cconf.in_tls;

	log_info(&j->log, "remote.no_tls", KVC("host", c->host),
	    KVC("ip", c->ip), KV("error", why),
	    KVC("next", clear ? "without TLS" : "another host"));
	if (!clear) {
		fail(c, "4.7.5", why);
		return;
	}
	/* RFC 7435: the same host, in clear. */
	c->dead = true;
	j->conn = NULL;
	j->no_tls = true;
	c->job = NULL;
	rem_conn_close(c);
	rem_conn_open(j, j->target);
}

/* True: go on. */
static bool
handshake(struct rem_conn *c)
{
	int r;

	do {
		r = gnutls_handshake(c->tls);
	} while (r < 0 && r != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(r));
	if (r == GNUTLS_E_AGAIN)
		return false;
	if (r < 0) {
		no_tls(c, r);
		return false;
	}
	rem_tls_text(c->tls, c->tls_text, sizeof(c->tls_text));
	c->rem->counts.tls++;
	c->state = REM_TALKING;
	if (!c->cconf.in_tls)
		mail_client_tls(&c->c);
	return true;
}

static void
on_ready(struct rem_conn *c)
{
	c->setup_due = 0;
	c->job->reached = true;
	if (!c->job->probe)
		rem_conn_use(c, c->job);
}

/* The job has what it wanted: the connection waits for another, or ends. */
static void
let_go(struct rem_conn *c, bool keep)
{
	struct rem_job *j = c->job;

	/* The job may be gone before the connection is. */
	c->c.tx = NULL;
	c->job = NULL;
	if (keep && rem_pool_keep(c)) {
		arm(c, true);
	} else {
		/* As an idle one, so that it says QUIT. */
		c->rem->nidle++;
		c->rem->counts.idle++;
		rem_conn_close(c);
	}
	rem_job_next(j);
}

static void
on_done(struct rem_conn *c)
{
	bool good = true;

	for (size_t i = 0; i < c->c.tx->nto; i++)
		good = good && !c->c.to[i].elsewhere;
	rem_job_collect(c->job, c);
	let_go(c, good);
}

static void
yield(struct rem_conn *c)
{
	if (c->again)
		return;
	c->again = true;
	DL_APPEND2(c->rem->again, c, again_prev, again_next);
}

/* False: nothing more can be done now, or it was closed. */
static bool
step(struct rem_conn *c, size_t *sent)
{
	enum rc w, r;

	if (c->state == REM_HANDSHAKE)
		return handshake(c);
	switch (c->c.want) {
	case MAIL_CLIENT_READY:
		on_ready(c);
		if (!c->job->probe)
			return true;
		rem_job_probed(c->job, c);
		let_go(c, false);
		return false;
	case MAIL_CLIENT_DONE:
		on_done(c);
		return false;
	case MAIL_CLIENT_DEAD:
		lost(c);
		return false;
	case MAIL_CLIENT_BODY:
		/* Who speaks in the middle has had enough, or lies. */
		if (c->body_at > 0 && *sent == 0 && c->readable) {
			r = fetch(c);
			if (r == RC_TEMP)
				fail_io(c);
			if (r != RC_NOENT)
				return r == RC_OK;
		}
		if (feed_some(c) != RC_OK) {
			log_error(&c->job->log, "remote.body", KVE(errno));
			fail(c, "4.3.0", STR("the message cannot be read"));
			return false;
		}
		break;
	case MAIL_CLIENT_INPUT:
	case MAIL_CLIENT_TLS:
		break;
	}
	w = flush(c, sent);
	if (w == RC_OK && c->c.want == MAIL_CLIENT_TLS) {
		begin_tls(c);
		return !c->closed;
	}
	if (w == RC_OK && c->c.want == MAIL_CLIENT_BODY) {
		if (*sent < TURN_BYTES)
			return true;
		yield(c);
		return false;
	}
	/* What it said before it hung up is read even if it takes no more. */
	r = fetch(c);
	if (r == RC_TEMP || (w == RC_TEMP && r != RC_OK)) {
		fail_io(c);
		return false;
	}
	return r == RC_OK;
}

void
rem_conn_run(struct rem_conn *c)
{
	bool body;
	size_t sent = 0;

	while (step(c, &sent))
		;
	if (c->closed || c->job == NULL)
		return;
	body = c->c.phase == MAIL_PHASE_BODY ||
	       (c->c.phase == MAIL_PHASE_DOT && mail_client_out(&c->c).n > 0);
	if (body && !keeps_pace(c))
		fail(
		    c, "4.4.2", STR("the server takes the message too slowly"));
	else
		arm(c, false);
}

/* ---- the beginning */

void
rem_conn_use(struct rem_conn *c, struct rem_job *j)
{
	bool idle = c->job == NULL;

	c->job = j;
	j->conn = c;
	c->prefix_at = 0;
	c->body_at = 0;
	c->body_began = 0;
	mail_client_begin(&c->c, &j->tx);
	if (idle)
		rem_conn_run(c);
}

static void
on_idle(struct rem_conn *c)
{
	/* TLS has news of its own (tickets), and what was read may be old. */
	if (fetch(c) == RC_NOENT && !c->ended)
		return;
	/* The server hangs up, or says something that nobody asked for. */
	c->rem->nidle--;
	c->rem->counts.idle--;
	c->dead = true;
	rem_conn_close(c);
}

static void
connected(struct rem_conn *c)
{
	int error = 0;
	socklen_t n = sizeof(error);
	AUTO_ARENA a = { 0 };

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
		error = errno;
	if (error != 0) {
		fail(c, "4.4.1",
		    str_fmt(&a, "no connection: %s", strerrordesc_np(error)));
		return;
	}
	c->rem->counts.connected++;
	c->state = REM_TALKING;
	if (c->cconf.in_tls)
		begin_tls(c);
	else
		arm(c, true);
	if (!c->closed)
		rem_conn_run(c);
}

void
rem_conn_event(struct rem_conn *c, uint32_t events)
{
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->ended = true;
	if (c->ended || (events & EPOLLIN))
		c->readable = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		c->writable = true;
	if (c->state == REM_CONNECTING) {
		if (c->writable)
			connected(c);
	} else if (c->job == NULL) {
		if (c->readable)
			on_idle(c);
	} else {
		rem_conn_run(c);
	}
}

static void
set_rules(
    struct rem_conn *c, const struct rem_job *j, const struct rem_target *t)
{
	struct mail_client_conf *m = &c->cconf;

	m->helo = c->conf->helo;
	m->lmtp = j->hop.kind == REM_HOP_LMTP || j->hop.kind == REM_HOP_PATH;
	m->tls = j->hop.kind == REM_HOP_PATH ? MAIL_CLIENT_TLS_NEVER
					     : MAIL_CLIENT_TLS_MAY;
	if (required_tls(j))
		m->tls = MAIL_CLIENT_TLS_MUST;
	else if (j->no_tls)
		m->tls = MAIL_CLIENT_TLS_NEVER;
	m->in_tls = t->port == SMTPS_PORT;
	if (j->smart != NULL) {
		m->user = c->conf->user;
		m->password = c->conf->password;
	}
	m->auth_in_clear = t->loopback;
}

static void
name_it(struct rem_conn *c, const struct rem_job *j, const struct rem_target *t)
{
	size_t n = MIN(t->host.n, sizeof(c->host) - 1);

	memcpy(c->key, j->hop.text.p, j->hop.text.n);
	memcpy(c->host, t->host.p, n);
	memcpy(c->ip, t->ip, sizeof(c->ip));
}

static int
open_socket(const struct rem_target *t)
{
	int one = 1, family = t->sa.ss_family;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static bool
start_connect(struct rem_conn *c, const struct rem_target *t)
{
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = c,
	};

	c->fd = open_socket(t);
	if (c->fd < 0)
		return false;
	if (connect(c->fd, (const struct sockaddr *)&t->sa, t->sa_len) < 0 &&
	    errno != EINPROGRESS)
		return false;
	return epoll_ctl(c->rem->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) == 0;
}

void
rem_conn_open(struct rem_job *j, struct rem_target *t)
{
	struct rem *r = j->rem;
	struct rem_conn *c = xcalloc(1, sizeof(*c));
	AUTO_ARENA a = { 0 };

	c->rem = r;
	c->conf = rem_conf_ref(j->conf);
	c->fd = -1;
	c->born = now_ns();
	/* A host that stalls leaves time for the next one. */
	c->setup_due = c->born + (j->dl.at_ns - c->born) / 2;
	name_it(c, j, t);
	set_rules(c, j, t);
	mail_client_init(&c->c, &c->cconf);
	DL_APPEND(r->conns, c);
	r->nconns++;
	r->counts.conns++;
	c->job = j;
	j->conn = c;
	if (!start_connect(c, t)) {
		fail(c, "4.4.1",
		    str_fmt(&a, "no connection: %s", strerrordesc_np(errno)));
		return;
	}
	arm(c, true);
}
