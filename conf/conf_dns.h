/*
 * conf_dns - the site's DNS settings, as the resolver takes them.
 *
 * Ownership  *out borrows from the configuration.
 */
#ifndef CONF_CONF_DNS_H
#define CONF_CONF_DNS_H

#include "conf/conf.h"
#include "lib/resolver.h"

/* Answers that a process keeps: about 5 MB at most. */
#define CONF_DNS_CACHE 10000u

/* For resolver_new. */
struct resolver_conf conf_dns(const struct conf *c);

#endif
