#include "conf/conf_dns.h"

struct resolver_conf
conf_dns(const struct conf *c)
{
	return (struct resolver_conf){ .servers = c->dns_servers.v,
		.nservers = c->dns_servers.n,
		.trust_anchor = c->dns_trust_anchor,
		.cache_max = CONF_DNS_CACHE };
}
