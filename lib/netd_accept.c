/*
 * New connections.  Every reactor has every listener in its epoll set with
 * EPOLLEXCLUSIVE, so the kernel wakes one of those that have nothing to do.
 * The kernel always begins with the same one, so whoever has accepted goes to
 * the end of the line: sessions spread over reactors, and over processes that
 * share a listener.
 *
 * TCP_NODELAY and SO_KEEPALIVE are set on the listener and inherited.
 *
 * Sessions are counted per source (an IPv4 address, an IPv6 /64, since that
 * is what one customer gets): one host cannot take all of max_sessions.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/netd_impl.h"

#define ACCEPT_BATCH 16
#define REFUSED_LOG  1000 /* ms between lines about refused connections */

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

static uint64_t
hash_key(const struct net_addr *key)
{
	return str_hash(str_n(key->b, 16)) * 0x9e3779b97f4a7c15u >> 32;
}

/* One more session of this source; NULL when it has as many as it may. */
static struct netd_source *
source_get(struct netd *d, const struct net_addr *client)
{
	const struct net_addr key = net_source(client);
	struct netd_source **head = &d->src[hash_key(&key) & d->src_mask], *s;

	pthread_mutex_lock(&d->src_lock);
	for (s = *head; s != NULL; s = s->next)
		if (memcmp(s->key.b, key.b, 16) == 0)
			break;
	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		s->key = key;
		s->next = *head;
		*head = s;
	}
	if (s->n < d->conf.max_per_source)
		s->n++;
	else
		s = NULL;
	pthread_mutex_unlock(&d->src_lock);
	return s;
}

void
netd_source_put(struct netd_conn *c)
{
	struct netd *d = c->d;
	struct netd_source *s = c->src, **at;

	if (s == NULL)
		return;
	c->src = NULL;
	pthread_mutex_lock(&d->src_lock);
	if (--s->n == 0) {
		at = &d->src[hash_key(&s->key) & d->src_mask];
		while (*at != s)
			at = &(*at)->next;
		*at = s->next;
		xfree(s);
	}
	pthread_mutex_unlock(&d->src_lock);
}

/* False: not IP; a UNIX socket has no address worth naming. */
static bool
address_of(const union addr *a, struct net_addr *out, uint16_t *port)
{
	if (a->sa.sa_family == AF_INET) {
		*out = net_v4(&a->in.sin_addr);
		*port = ntohs(a->in.sin_port);
		return true;
	}
	if (a->sa.sa_family == AF_INET6) {
		*out = net_v6(&a->in6.sin6_addr);
		*port = ntohs(a->in6.sin6_port);
		return true;
	}
	return false;
}

/* Every one counts; one in REFUSED_LOG is written down. */
static void
say_refused(struct netd *d, const char *why, const char *ip)
{
	int64_t now = netd_now();
	int64_t said = atomic_load(&d->refused_said);

	atomic_fetch_add(&d->refused, 1);
	if (now - said >= REFUSED_LOG &&
	    atomic_compare_exchange_strong(&d->refused_said, &said, now))
		log_warn(d->log, "netd.refused", KVC("why", why),
		    KVC("client", ip), KVU("sessions", d->sessions),
		    KVU("refused", d->refused));
}

static void
say_busy(struct netd *d, const struct netd_listener *l, int fd)
{
	struct str busy = l->busy.n > 0 ? l->busy : d->conf.busy;

	/* A client that speaks TLS first could not read it. */
	if (!l->implicit_tls && busy.n > 0)
		(void)!send(fd, busy.p, busy.n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
refuse(struct netd *d, const struct netd_listener *l, int fd, const char *why,
    const char *ip)
{
	/* Counted before its end can be seen. */
	say_refused(d, why, ip);
	say_busy(d, l, fd);
	close(fd);
}

void
netd_refuse(struct netd_conn *c, const char *why)
{
	say_refused(c->d, why, c->ip);
	netd_drop(c);
}

/* On a UNIX socket the kernel says who it is. */
static bool
peer_allowed(
    const struct netd *d, const struct netd_listener *l, int fd, uid_t *uid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	*uid = cred.uid;
	if (l->any_uid || cred.uid == getuid() || d->conf.npeer_uids == 0)
		return true;
	for (size_t i = 0; i < d->conf.npeer_uids; i++)
		if (d->uids[i] == cred.uid)
			return true;
	return false;
}

/* Ten base32 digits that do not repeat within one process. */
static void
make_sid(struct netd *d, char *sid)
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	uint64_t v = atomic_fetch_add(&d->sid, 0x1d3b9a4c5e6f7u);

	for (unsigned i = 0; i < NETD_SID_LEN; i++, v >>= 5)
		sid[i] = digits[v & 31];
	sid[NETD_SID_LEN] = '\0';
}

static struct netd_conn *
conn_new(struct netd_reactor *r, const struct netd_listener *l, int fd)
{
	struct netd *d = r->d;
	struct netd_conn *c = xcalloc(1, sizeof(*c));
	size_t in_cap = d->conf.in_max + (size_t)4 * NETD_SCRATCH;

	c->d = d;
	c->r = r;
	c->l = l;
	c->fd = fd;
	c->relay_fd = -1;
	c->uid = (uid_t)-1;
	c->due = NETD_NEVER;
	c->opened_at = c->wait_from = r->now;
	c->timeout_ms = d->conf.first_timeout_ms;
	c->first = true;
	c->next = NEXT_INPUT;
	make_sid(d, c->sid);
	c->log = log_with(d->log, "sid", str_c(c->sid));
	buf_init(&c->in, in_cap);
	buf_init(&c->out_b, d->conf.out_high * 8 + NETD_SCRATCH);
	buf_init(&c->raw, (size_t)8 * NETD_SCRATCH);
	buf_init(&c->rin, (size_t)4 * NETD_SCRATCH);
	c->next_conn = r->conns;
	if (r->conns != NULL)
		r->conns->prev = c;
	r->conns = c;
	return c;
}

static void
begin(struct netd_conn *c)
{
	log_debug(&c->log, "netd.open", KV("client", netd_peer_ip(c)),
	    KVU("port", c->port), KVU("tag", c->l->tag));
	if (c->l->implicit_tls) {
		c->phase = NP_HANDSHAKE;
		/* It may have come with the balancer's header. */
		if (c->rin.n > 0)
			netd_pool_submit(c, JOB_HANDSHAKE);
		else
			netd_run(c);
		return;
	}
	c->phase = NP_SERVING;
	c->session = c->l->ops->open(c->l->ctx, c);
	if (c->session == NULL) {
		atomic_fetch_add(&c->d->refused, 1);
		netd_drop(c);
		return;
	}
	netd_greet(c);
}

static bool
admitted(const struct netd *d, const struct net_addr *client)
{
	return d->conf.admit == NULL ||
	       d->conf.admit(d->conf.admit_ctx, client);
}

void
netd_admit(struct netd_conn *c, const struct net_addr *client)
{
	if (!admitted(c->d, client)) {
		say_busy(c->d, c->l, c->fd);
		netd_refuse(c, "limit");
		return;
	}
	c->src = source_get(c->d, client);
	if (c->src == NULL) {
		say_busy(c->d, c->l, c->fd);
		netd_refuse(c, "source");
		return;
	}
	begin(c);
}

static void
opened(struct netd_conn *c)
{
	if (!netd_watch(c, false)) {
		netd_drop(c);
	} else if (c->l->proxy) {
		c->phase = NP_PROXY;
		netd_park(c);
	} else {
		begin(c);
	}
}

static void
accepted(struct netd_reactor *r, const struct netd_listener *l, int fd,
    const union addr *a)
{
	struct netd *d = r->d;
	struct netd_source *src = NULL;
	struct netd_conn *c;
	struct net_addr client;
	char ip[NETD_IP_LEN] = "";
	uint16_t port = 0;
	uid_t uid = (uid_t)-1;
	bool inet = address_of(a, &client, &port);

	if (inet)
		net_text(&client, ip);
	else if (!peer_allowed(d, l, fd, &uid)) {
		refuse(d, l, fd, "peer", ip);
		return;
	}
	if (l->proxy &&
	    (!inet || !net_list_has(&d->conf.proxy_from, &client))) {
		refuse(d, l, fd, "not_a_proxy", ip);
		return;
	}
	if (inet && !l->proxy && !admitted(d, &client)) {
		refuse(d, l, fd, "limit", ip);
		return;
	}
	if (atomic_fetch_add(&d->sessions, 1) >= d->conf.max_sessions) {
		atomic_fetch_sub(&d->sessions, 1);
		refuse(d, l, fd, "sessions", ip);
		return;
	}
	/* A balancer's clients are counted when it has named them. */
	if (inet && !l->proxy && (src = source_get(d, &client)) == NULL) {
		atomic_fetch_sub(&d->sessions, 1);
		refuse(d, l, fd, "source", ip);
		return;
	}
	atomic_fetch_add(&d->accepted, 1);
	c = conn_new(r, l, fd);
	c->src = src;
	c->port = port;
	c->uid = uid;
	memcpy(c->ip, ip, sizeof(c->ip));
	opened(c);
}

static int
listener_ctl(struct netd_reactor *r, const struct netd_listener *l, int op)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLEXCLUSIVE,
		.data.u64 =
		    (uint64_t)(l - r->d->listeners) << 2 | NETD_TAG_LISTENER };

	return epoll_ctl(r->epfd, op, l->fd, &e);
}

/* A connection that came meanwhile is reported when it is added again. */
static void
to_the_end_of_the_line(struct netd_reactor *r, const struct netd_listener *l)
{
	if (listener_ctl(r, l, EPOLL_CTL_DEL) < 0 ||
	    listener_ctl(r, l, EPOLL_CTL_ADD) < 0)
		panic("epoll_ctl of a listener: errno %d", errno);
}

void
netd_accept(struct netd_reactor *r, const struct netd_listener *l)
{
	unsigned i;

	for (i = 0; i < ACCEPT_BATCH; i++) {
		union addr a = { 0 };
		socklen_t len = sizeof(a);
		int fd =
		    accept4(l->fd, &a.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			accepted(r, l, fd, &a);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		    errno == ENOBUFS) {
			log_error(r->d->log, "netd.accept", KVE(errno));
			netd_listen(r, false);
			r->accept_at = r->now + NETD_ACCEPT_WAIT;
			return;
		}
		if (errno != ECONNABORTED && errno != EINTR)
			break;
	}
	if (i > 0)
		to_the_end_of_the_line(r, l);
}

/* Listeners into or out of the reactor's set. */
bool
netd_listen(struct netd_reactor *r, bool on)
{
	struct netd *d = r->d;

	r->listening = on;
	for (size_t i = 0; i < d->conf.nlisteners; i++)
		if (listener_ctl(r, &d->listeners[i],
			on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL) < 0 &&
		    on)
			return false;
	return true;
}
