/*
 * dkim_dns - are our keys in the DNS, and do signatures verify with them?
 *
 * Ownership  Texts live in the arena.
 * Threads    One, apart from the resolver's.
 */
#ifndef CLI_DKIM_DNS_H
#define CLI_DKIM_DNS_H

#include "cli/cli.h"
#include "policy/sgn_keys.h"

enum dkim_seen {
	DKIM_MATCH,
	DKIM_MISSING,
	DKIM_DIFFERS, /* another key, or no key record */
	DKIM_SEVERAL, /* records, of which a verifier takes any */
	DKIM_UNKNOWN, /* no answer */
};

struct dkim_sight {
	enum dkim_seen seen;
	struct str record; /* as published */
};

/* out[i] is about d->v[i].  RC_TEMP: there is no resolver. */
MUST_CHECK enum rc dkim_look(
    struct cli *c, const struct sgn_domain *d, struct dkim_sight *out);
const char *dkim_seen_text(enum dkim_seen seen);
/* The same key?  Compares what k= and p= say. */
bool dkim_same_key(struct str ours, struct str published);

/* `gatepost dkim test`, once the domain was read. */
enum cli_exit dkim_test(struct cli *c, const struct sgn_domain *d);

#endif
