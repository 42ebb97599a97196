/*
 * gw_site - the site's rules, aliases and local users, as the supervisor read
 * them: three sealed memfds in the frame of a start or a reload.
 *
 * Ownership  Immutable and counted; a session keeps the one it began with.
 * Threads    Reference counting is atomic; everything else is pure.
 * Errors     RC_BAD is logged: the supervisor has checked the same bytes, so
 *            this does not happen to a healthy one.
 * Limits     GW_USERS_MAX local users.
 */
#ifndef GW_SITE_H
#define GW_SITE_H

#include <sys/types.h>

#include "conf/conf.h"
#include "lib/ipc.h"
#include "mail/aliases.h"
#include "mail/rules.h"

#define GW_USERS_MAX 20000u

struct gw_site;

/* A memfd that the frame lacks stands for an empty file. */
MUST_CHECK enum rc gw_site_load(const struct log *log, const struct conf *conf,
    struct ipc_in *in, const struct gw_site **out);
const struct gw_site *gw_site_ref(const struct gw_site *s);
void gw_site_unref(const struct gw_site **s);

/* NULL when there is none, which has no rule. */
const struct mail_rules *gw_site_rules(const struct gw_site *s);
const struct mail_aliases *gw_site_aliases(const struct gw_site *s);
/* The name of a uid, "" if it was not known at the last reload. */
struct str gw_site_user(const struct gw_site *s, uid_t uid);
bool gw_site_has_user(const struct gw_site *s, struct str name);
/* May it use any sender? root, ourselves, local_trusted_users. */
bool gw_site_trusts(const struct gw_site *s, uid_t uid);

#endif
