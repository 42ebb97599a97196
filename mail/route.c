/*
 * A domain of ours is never sent to its MX: that is most likely ourselves.
 * Only a route that names it (or a suffix of it) leads out, never "*".
 *
 * msExchHomeServerName and homeMDB are distinguished names with the server in
 * one of their parts: "/o=Org/ou=Site/cn=Configuration/cn=Servers/cn=EX1",
 * "CN=DB,CN=InformationStore,CN=EX1,CN=Servers,...".  `server:EX1` fits both.
 */
#include "mail/route.h"

static struct str
named_route(const struct conf *conf, struct str domain)
{
	struct conf_route r = conf_route_domain(conf, domain);

	return r.kind == CONF_ROUTE_DOMAIN || r.kind == CONF_ROUTE_BELOW
		   ? r.hop
		   : STR("");
}

static struct str
domain_hop(struct arena *a, const struct conf *conf, struct str domain)
{
	struct conf_route r;

	if (conf_is_local_domain(conf, domain))
		return named_route(conf, domain);
	r = conf_route_domain(conf, domain);
	if (r.kind != CONF_ROUTE_NONE)
		return r.hop;
	if (domain.n == 0 || domain.p[0] == '[')
		return STR("");
	return str_cat(a, STR("mx:"), domain);
}

static struct str
server_hop(const struct conf *conf, struct str where)
{
	struct str hop = conf_route_server(conf, where), part;
	char sep = where.n > 0 && where.p[0] == '/' ? '/' : ',';

	while (hop.n == 0 && str_split(&where, sep, &part)) {
		part = str_trim(part);
		if (str_cut_iprefix(&part, STR("cn=")))
			hop = conf_route_server(conf, part);
	}
	return hop;
}

enum rc
mail_route(struct arena *a, const struct conf *conf, struct str rcpt,
    struct str where, struct mail_route *out)
{
	struct mail_route r = { .address = rcpt };
	struct addr addr, to;

	if (mail_addr_parse(a, rcpt, &addr) != RC_OK)
		return RC_BAD;
	str_cut_iprefix(&where, STR("smtp:"));
	if (mail_addr_parse(a, where, &to) == RC_OK) {
		r.address = mail_addr_text(a, &to);
		r.hop = domain_hop(a, conf, to.domain);
	} else {
		r.hop = server_hop(conf, where);
		if (r.hop.n == 0 && where.n > 0)
			r.hop = named_route(conf, addr.domain);
		if (r.hop.n == 0 && where.n == 0)
			r.hop = domain_hop(a, conf, addr.domain);
	}
	if (r.hop.n == 0)
		return RC_NOENT;
	*out = r;
	return RC_OK;
}

bool
mail_local_routes(struct str local)
{
	for (size_t i = 0; i < local.n; i++) {
		char c = local.p[i];

		if (c == '@' || c == '%' || c == '!' || c == ':')
			return true;
	}
	return false;
}

bool
mail_route_relays(const struct conf *conf, const struct addr *rcpt)
{
	return conf_route_domain(conf, rcpt->domain).relay &&
	       !mail_local_routes(rcpt->local);
}
