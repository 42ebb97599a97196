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
#include <arpa/inet.h>
#include <errno.h>
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
hash_key(const unsigned char key[16])
{
	return str_hash(str_n(key, 16)) * 0x9e3779b97f4a7c15u >> 32;
}

/* One more session of this source; NULL when it has as many as it may. */
static struct netd_source *
source_get(struct netd *d, const unsigned char key[16])
{
	struct netd_source **head = &d->src[hash_key(key) & d->src_mask], *s;

	pthread_mutex_lock(&d->src_lock);
	for (s = *head; s != NULL; s = s->next)
		if (memcmp(s->key, key, 16) == 0)
			break;
	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		memcpy(s->key, key, 16);
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
		at = &d->src[hash_key(s->key) & d->src_mask];
		while (*at != s)
			at = &(*at)->next;
		*at = s->next;
		xfree(s);
	}
	pthread_mutex_unlock(&d->src_lock);
}

/*
 * Text and port for logs, and the key to count by.  IPv4 in IPv6 clothes
 * (RFC 4291 section 2.5.5.2) is IPv4.
 */
static bool
source_of(const union addr *a, char ip[NETD_IP_LEN], uint16_t *port,
    unsigned char key[16])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	const unsigned char *b = a->in6.sin6_addr.s6_addr;
	const void *v4 = NULL;

	memset(key, 0, 16);
	if (a->sa.sa_family == AF_INET) {
		v4 = &a->in.sin_addr;
		*port = ntohs(a->in.sin_port);
	} else if (a->sa.sa_family == AF_INET6) {
		*port = ntohs(a->in6.sin6_port);
		if (memcmp(b, mapped, sizeof(mapped)) == 0)
			v4 = b + sizeof(mapped);
	} else {
		ip[0] = '\0';
		*port = 0;
		return false;
	}
	if (v4 != NULL) {
		memcpy(key, mapped, sizeof(mapped));
		memcpy(key + sizeof(mapped), v4, 4);
		return inet_ntop(AF_INET, v4, ip, NETD_IP_LEN) != NULL;
	}
	memcpy(key, b, 8);
	return inet_ntop(AF_INET6, b, ip, NETD_IP_LEN) != NULL;
}

static void
refuse(struct netd *d, const struct netd_listener *l, int fd, const char *why,
    const char *ip)
{
	int64_t now = netd_now();
	int64_t said = atomic_load(&d->refused_said);
	struct str busy = l->busy.n > 0 ? l->busy : d->conf.busy;

	atomic_fetch_add(&d->refused, 1);
	/* A client that speaks TLS first could not read it. */
	if (!l->implicit_tls && busy.n > 0)
		(void)!send(fd, busy.p, busy.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
	if (now - said >= REFUSED_LOG &&
	    atomic_compare_exchange_strong(&d->refused_said, &said, now))
		log_warn(d->log, "netd.refused", KVC("why", why),
		    KVC("client", ip), KVU("sessions", d->sessions),
		    KVU("refused", d->refused));
}

/* On a UNIX socket the kernel says who it is. */
static bool
peer_allowed(const struct netd *d, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	if (cred.uid == getuid() || d->conf.npeer_uids == 0)
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
opened(struct netd_conn *c)
{
	log_debug(&c->log, "netd.open", KV("client", netd_peer_ip(c)),
	    KVU("port", c->port), KVU("tag", c->l->tag));
	if (!netd_watch(c, false)) {
		netd_drop(c);
		return;
	}
	if (c->l->implicit_tls) {
		c->phase = NP_HANDSHAKE;
		netd_park(c);
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

static void
accepted(struct netd_reactor *r, const struct netd_listener *l, int fd,
    const union addr *a)
{
	struct netd *d = r->d;
	struct netd_source *src = NULL;
	struct netd_conn *c;
	unsigned char key[16];
	char ip[NETD_IP_LEN];
	uint16_t port = 0;
	bool inet = source_of(a, ip, &port, key);

	if (!inet && !peer_allowed(d, fd)) {
		refuse(d, l, fd, "peer", ip);
		return;
	}
	if (atomic_fetch_add(&d->sessions, 1) >= d->conf.max_sessions) {
		atomic_fetch_sub(&d->sessions, 1);
		refuse(d, l, fd, "sessions", ip);
		return;
	}
	if (inet && (src = source_get(d, key)) == NULL) {
		atomic_fetch_sub(&d->sessions, 1);
		refuse(d, l, fd, "source", ip);
		return;
	}
	atomic_fetch_add(&d->accepted, 1);
	c = conn_new(r, l, fd);
	c->src = src;
	c->port = port;
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
