/* What the owner of a session may ask and say; and wakers. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/netd_impl.h"
#include "lib/tls_impl.h"

enum rc
netd_write(struct netd_conn *c, struct str s)
{
	if (atomic_load_explicit(&c->gone, memory_order_relaxed))
		return RC_TEMP;
	if (s.n >
	    c->d->conf.out_high * 8 - MIN(netd_out(c), c->d->conf.out_high * 8))
		return RC_BAD;
	if (c->out_off > 0) {
		buf_consume(&c->out_b, c->out_off);
		c->out_off = 0;
	}
	return buf_add(&c->out_b, s);
}

size_t
netd_out_pending(struct netd_conn *c)
{
	return netd_out(c);
}

size_t
netd_out_room(struct netd_conn *c)
{
	size_t high = c->d->conf.out_high;

	return high - MIN(netd_out(c), high);
}

struct str
netd_buffered(struct netd_conn *c)
{
	return netd_in(c);
}

void
netd_set_timeout(struct netd_conn *c, int ms)
{
	assert(ms > 0);
	c->timeout_ms = ms;
	c->restart = true;
}

void
netd_expect_rate(struct netd_conn *c, bool on)
{
	if (on == (c->rate_from > 0))
		return;
	c->rate_from = on ? netd_now() : 0;
	c->rate_n = 0;
}

void
netd_wake_in(struct netd_conn *c, int ms)
{
	assert(ms > 0);
	c->wake_at = netd_now() + ms;
}

void
netd_set_class(struct netd_conn *c, bool authenticated)
{
	if (authenticated && !c->authenticated)
		atomic_fetch_add(&c->d->authenticated, 1);
	else if (!authenticated && c->authenticated)
		atomic_fetch_sub(&c->d->authenticated, 1);
	c->authenticated = authenticated;
}

/* The input stays where it is: the unit that says this still borrows it. */
void
netd_set_relay(struct netd_conn *c, int fd, struct str first)
{
	assert(c->relay_fd < 0);
	c->relay_fd = fd;
	buf_init(&c->first_b, c->in.cap + first.n);
	if (buf_add(&c->first_b, first) != RC_OK)
		panic("relay: %zu bytes do not fit", first.n);
}

const struct log *
netd_log(struct netd_conn *c)
{
	return &c->log;
}

struct str
netd_sid(struct netd_conn *c)
{
	return str_n(c->sid, NETD_SID_LEN);
}

struct str
netd_peer_ip(struct netd_conn *c)
{
	return str_c(c->ip);
}

uid_t
netd_peer_uid(struct netd_conn *c)
{
	return c->uid;
}

uint16_t
netd_peer_port(struct netd_conn *c)
{
	return c->port;
}

static void
ask_local(struct netd_conn *c)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} a = { 0 };
	socklen_t len = sizeof(a);

	c->local = xcalloc(1, sizeof(*c->local));
	if (getsockname(c->fd, &a.sa, &len) < 0)
		return;
	if (a.sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a.in.sin_addr, c->local->ip, NETD_IP_LEN);
		c->local->port = ntohs(a.in.sin_port);
	} else if (a.sa.sa_family == AF_INET6) {
		if (IN6_IS_ADDR_V4MAPPED(&a.in6.sin6_addr))
			inet_ntop(AF_INET, &a.in6.sin6_addr.s6_addr[12],
			    c->local->ip, NETD_IP_LEN);
		else
			inet_ntop(AF_INET6, &a.in6.sin6_addr, c->local->ip,
			    NETD_IP_LEN);
		c->local->port = ntohs(a.in6.sin6_port);
	}
}

struct str
netd_local_ip(struct netd_conn *c)
{
	if (c->local == NULL)
		ask_local(c);
	return str_c(c->local->ip);
}

uint16_t
netd_local_port(struct netd_conn *c)
{
	if (c->local == NULL)
		ask_local(c);
	return c->local->port;
}

unsigned
netd_tag(struct netd_conn *c)
{
	return c->l->tag;
}

bool
netd_is_tls(struct netd_conn *c)
{
	return c->secured;
}

struct tls_info
netd_tls_info(struct netd_conn *c)
{
	if (!c->secured)
		return (struct tls_info){ "", "", 0 };
	return tls_session_info(c->tls);
}

bool
netd_has_tls(struct netd_conn *c)
{
	bool has;

	pthread_mutex_lock(&c->d->tls_lock);
	has = c->d->tls != NULL;
	pthread_mutex_unlock(&c->d->tls_lock);
	return has;
}

struct netd_waker *
netd_waker(struct netd_conn *c)
{
	struct netd_waker *w = c->waker;

	if (w == NULL) {
		w = c->waker = xcalloc(1, sizeof(*w));
		atomic_init(&w->refs, 1);
		pthread_mutex_init(&w->lock, NULL);
		w->c = c;
	}
	atomic_fetch_add(&w->refs, 1);
	return w;
}

void
netd_waker_unref(struct netd_waker **w)
{
	if (*w != NULL && atomic_fetch_sub(&(*w)->refs, 1) == 1) {
		pthread_mutex_destroy(&(*w)->lock);
		xfree(*w);
	}
	*w = NULL;
}

void
netd_waker_detach(struct netd_conn *c)
{
	if (c->waker == NULL)
		return;
	pthread_mutex_lock(&c->waker->lock);
	c->waker->c = NULL;
	pthread_mutex_unlock(&c->waker->lock);
	netd_waker_unref(&c->waker);
}

void
netd_wake(struct netd_waker *w)
{
	pthread_mutex_lock(&w->lock);
	if (w->c != NULL && !w->queued) {
		w->queued = true;
		atomic_fetch_add(&w->refs, 1);
		netd_reactor_wake(w->c->r, w);
	}
	pthread_mutex_unlock(&w->lock);
}
