/*
 * Where mail for a domain or a server goes, and who may send through us.
 * Lists of a few lines, read by people: they are searched as they are written.
 */
#include "conf/conf_table.h"
#include "lib/net.h"

bool
conf_is_local_domain(const struct conf *c, struct str domain)
{
	for (size_t i = 0; i < c->domains.n; i++)
		if (str_ieq(domain, str_c(c->domains.v[i])))
			return true;
	return false;
}

bool
conf_peer_ok(struct str s)
{
	size_t colon = str_rchr(s, ':');
	struct str host = str_sub(s, 0, colon);
	uint64_t port;

	if (colon >= s.n ||
	    str_u64(str_from(s, colon + 1), 65535, &port) != RC_OK || port == 0)
		return false;
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		return true;
	for (size_t i = 0; i < host.n; i++)
		if (!ascii_is_alnum(host.p[i]) && host.p[i] != '.' &&
		    host.p[i] != '-' && host.p[i] != '_')
			return false;
	return host.n > 0;
}

static bool
domain_ok(struct str s)
{
	bool label = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' && !label)
			return false;
		label = s.p[i] != '.';
		if (label && !ascii_is_alnum(s.p[i]) && s.p[i] != '-' &&
		    s.p[i] != '_')
			return false;
	}
	return label && s.n < 254;
}

static bool
hop_ok(struct str hop)
{
	if (str_cut_prefix(&hop, STR("mx:")))
		return domain_ok(hop);
	if (str_cut_prefix(&hop, STR("smtp:")))
		return conf_peer_ok(hop);
	if (str_cut_prefix(&hop, STR("lmtp:")))
		return (hop.n > 1 && hop.n < 108 && hop.p[0] == '/') ||
		       conf_peer_ok(hop);
	return false;
}

enum rc
conf_route_parse(struct str text, struct conf_route *out)
{
	size_t eq = str_chr(text, '=');
	struct conf_route r = { .key = str_trim(str_sub(text, 0, eq)),
		.hop = str_trim(str_from(text, eq + 1)) };

	if (eq == text.n || !hop_ok(r.hop))
		return RC_BAD;
	if (str_cut_prefix(&r.key, STR("server:"))) {
		r.kind = CONF_ROUTE_SERVER;
		*out = r;
		return r.key.n > 0 ? RC_OK : RC_BAD;
	}
	r.relay = str_cut_prefix(&r.key, STR("relay:"));
	if (str_eq(r.key, STR("*"))) {
		/* "relay:*" would be an open relay. */
		r.kind = CONF_ROUTE_ALL;
		*out = r;
		return r.relay ? RC_BAD : RC_OK;
	}
	r.kind = CONF_ROUTE_DOMAIN;
	if (str_cut_prefix(&r.key, STR(".")))
		r.kind = CONF_ROUTE_BELOW;
	*out = r;
	return domain_ok(r.key) ? RC_OK : RC_BAD;
}

/* How well it fits: 0 not at all. */
static size_t
fits(const struct conf_route *r, struct str domain)
{
	switch (r->kind) {
	case CONF_ROUTE_ALL:
		return 1;
	case CONF_ROUTE_DOMAIN:
		return str_ieq(r->key, domain) ? 1000 : 0;
	case CONF_ROUTE_BELOW:
		return domain.n > r->key.n + 1 &&
			       str_has_isuffix(domain, r->key) &&
			       domain.p[domain.n - r->key.n - 1] == '.'
			   ? 1 + r->key.n
			   : 0;
	default:
		return 0;
	}
}

struct conf_route
conf_route_domain(const struct conf *c, struct str domain)
{
	struct conf_route best = { 0 }, r;
	size_t fit, best_fit = 0;

	for (size_t i = 0; i < c->routes.n; i++) {
		if (conf_route_parse(str_c(c->routes.v[i]), &r) != RC_OK)
			continue;
		fit = fits(&r, domain);
		if (fit > best_fit) {
			best = r;
			best_fit = fit;
		}
	}
	return best;
}

struct str
conf_route_server(const struct conf *c, struct str name)
{
	struct conf_route r;

	for (size_t i = 0; i < c->routes.n; i++)
		if (conf_route_parse(str_c(c->routes.v[i]), &r) == RC_OK &&
		    r.kind == CONF_ROUTE_SERVER && str_ieq(r.key, name))
			return r.hop;
	return STR("");
}

bool
conf_is_relay_client(const struct conf *c, struct str ip)
{
	return net_match(ip, c->relay_networks.v, c->relay_networks.n);
}

bool
conf_is_front(const struct conf *c, struct str ip)
{
	return net_match(ip, c->front_networks.v, c->front_networks.n);
}
