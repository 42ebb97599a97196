/*
 * route - the next hop of an address whose mailbox is on another system.
 *
 * What the directory says about the place (an address to use instead, or the
 * name of a server) comes first, then the `routes` of the settings, then the
 * MX of a foreign domain.
 *
 * Ownership  *out lives in the arena, the settings, or the arguments.
 * Threads    Pure functions.
 * Errors     RC_NOENT: no route is known; RC_BAD: not an address.
 */
#ifndef MAIL_ROUTE_H
#define MAIL_ROUTE_H

#include "conf/conf.h"
#include "mail/addr.h"

struct mail_route {
	struct str hop;     /* as in delivery/rem_client.h */
	struct str address; /* the recipient as the hop is told */
};

/* where: dir_rcpt.route, or "" when the directory has no say. */
MUST_CHECK enum rc mail_route(struct arena *a, const struct conf *conf,
    struct str rcpt, struct str where, struct mail_route *out);

/* Might the next server take this local part for another address? */
bool mail_local_routes(struct str local);
/*
 * May a stranger have mail for this address relayed?  Its domain must be
 * written as "relay:DOMAIN", and its local part must not be a way to make the
 * next server relay in turn (RFC 5321 section 3.6.1 calls them obsolete).
 */
bool mail_route_relays(const struct conf *conf, const struct addr *rcpt);

#endif
