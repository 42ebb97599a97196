/*
 * Behind a balancer: its header comes first and says who the client is.  The
 * header is read here, by the reactor, before TLS and before the greeting;
 * what the client has said behind it is given on as if it came just now.
 *
 * One deadline covers the header as a whole, so that trickling gains nothing.
 */
#include "lib/netd_impl.h"
#include "lib/proxy2.h"

/* From now on the connection is the client's. */
static void
become(struct netd_conn *c, const struct proxy2 *p)
{
	log_debug(&c->log, "netd.proxy", KV("balancer", netd_peer_ip(c)));
	net_text(&p->src, c->ip);
	c->port = p->src_port;
	c->local = xcalloc(1, sizeof(*c->local));
	net_text(&p->dst, c->local->ip);
	c->local->port = p->dst_port;
}

static void
complete(struct netd_conn *c, const struct proxy2 *p, size_t n)
{
	struct net_addr client = p->src;
	struct str rest;

	if (!p->local)
		become(c, p);
	else if (net_addr_parse(netd_peer_ip(c), &client) != RC_OK)
		panic("address of a balancer");
	c->in_off = n;
	rest = netd_in(c);
	c->wait_from = c->opened_at = c->r->now;
	if (c->l->implicit_tls) {
		if (rest.n > 0 && buf_add(&c->rin, rest) != RC_OK)
			panic("input past its cap");
		c->in_off = c->in.n;
	}
	if (c->in_off == c->in.n) {
		c->in_off = 0;
		buf_release(&c->in);
	}
	netd_admit(c, &client);
}

void
netd_proxy_run(struct netd_conn *c)
{
	struct proxy2 p;
	size_t n;

	for (;;) {
		enum fill f = FILL_NONE;

		if (c->ev & EV_IN)
			f = netd_fill(c);
		if (f == FILL_NONE) {
			netd_park(c);
			return;
		}
		if (f != FILL_GOT) {
			netd_drop(c);
			return;
		}
		switch (proxy2_parse(netd_in(c), &p, &n)) {
		case RC_OK:
			complete(c, &p, n);
			return;
		case RC_TEMP:
			continue;
		default:
			netd_refuse(c, "proxy_header");
			return;
		}
	}
}
