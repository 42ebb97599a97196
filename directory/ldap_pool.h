/*
 * ldap_pool - connections to the directory servers, made ahead.
 *
 * Threads of the pool's own connect, so that no caller waits for a name, a
 * handshake or a KDC: a caller takes an idle connection or waits for one
 * until its deadline.  While no server can be reached callers are told at
 * once; the threads keep trying, at most a second apart.
 *
 * The pool stays with one server until that fails, then takes the next.
 *
 * Ownership  A link taken is given back with dir_pool_put, always.
 * Threads    Any; locks inside, never over a blocking call.
 * Errors     RC_TEMP: none before `dl`, or no server reachable.
 * Limits     `max` connections.
 */
#ifndef DIRECTORY_LDAP_POOL_H
#define DIRECTORY_LDAP_POOL_H

#include "directory/ldap_conn.h"
#include "lib/ipc.h"

#define DIR_LDAP_SERVERS_MAX 16u

enum dir_fate {
	DIR_LINK_GOOD,
	DIR_LINK_BROKEN, /* closed, or its state is unknown */
	DIR_LINK_MUTE,   /* no answer in time: try another server */
};

struct dir_pool;

struct dir_pool_conf {
	const char *name; /* "service", "login" */
	struct dir_target **target;
	size_t ntargets;
	unsigned max;
	unsigned connect_ms; /* for one attempt */
};

/* Takes the targets over; they may be none. */
struct dir_pool *dir_pool_new(
    const struct log *log, const struct dir_pool_conf *conf);
void dir_pool_free(struct dir_pool **p);
MUST_CHECK enum rc dir_pool_get(
    struct dir_pool *p, struct deadline dl, struct dir_link **out);
void dir_pool_put(struct dir_pool *p, struct dir_link **l, enum dir_fate fate);
size_t dir_pool_servers(const struct dir_pool *p);
void dir_pool_status(struct dir_pool *p, struct ipc_msg *out);
/* Tries every server now; lines for `gatepost check`. */
void dir_pool_check(struct dir_pool *p, struct ipc_msg *out);

#endif
