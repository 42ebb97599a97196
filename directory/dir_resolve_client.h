/*
 * dir_resolve_client - whom an address stands for: the map of the site's rules,
 * the directory, subaddresses, catch-all.  Mail that comes in and notices of
 * our own go by the same.
 *
 * Ownership  A target's slices live in the arena given, or belong to rules or
 *            caller; none is copied.
 * Threads    Any; dir_resolve_ask blocks.
 * Errors     Names of results are those of dir_rcpts.
 */
#ifndef DIR_RESOLVE_CLIENT_H
#define DIR_RESOLVE_CLIENT_H

#include "conf/conf.h"
#include "directory/dir_client.h"
#include "mail/rules.h"

struct dir_resolve {
	struct dir_client *dir;
	const struct conf *conf;
	const struct mail_rules *rules; /* NULL: none */
	struct arena *a;                /* of what is asked and answered */
	bool authenticated;             /* as in dir_rcpts */
	int timeout_ms;                 /* of one question */
};

struct dir_target {
	struct str address; /* canonical */
	bool foreign;       /* the directory does not know its domain */
	struct dir_rcpt is; /* what the directory said; elsewhere if foreign */
	bool too_big;       /* the gateway's: RC_DENY by a receive-limit */
};

/* The pieces, for many addresses at once. */
struct dir_target dir_target_of(const struct conf *conf, struct str address);
/*
 * The map's targets for the address, or for it without its detail, in `a`;
 * RC_NOENT: it has none.
 */
MUST_CHECK enum rc dir_resolve_map(const struct dir_resolve *r, struct arena *a,
    const struct addr *rcpt, struct dir_target **out, size_t *out_n);
/*
 * Ask the directory about all that are not foreign: once, and once more about
 * what stands for those it does not know (subaddress, catch-all).
 */
void dir_resolve_ask(
    const struct dir_resolve *r, struct dir_target **v, size_t n);
/*
 * All of it for one address: those that mail to it is for.  RC_NOENT: nobody;
 * RC_TEMP: of one it could not be found out.
 */
MUST_CHECK enum rc dir_resolve_one(const struct dir_resolve *r,
    struct str address, struct dir_target **out, size_t *out_n);

#endif
