/*
 * gw_guard - the limits of this process (gw_limit) as the settings want them.
 *
 * Clients in limit_exempt, those without an address (UNIX sockets) and LMTP
 * are never limited.
 *
 * Threads    Any; gw_guard_admit also on a reactor, since it never blocks.
 * Errors     False is "too much, for now": a temporary answer.
 */
#ifndef GW_GUARD_H
#define GW_GUARD_H

#include "gateway/gw.h"
#include "gateway/gw_limit.h"

/* For netd: may this client connect?  ctx is struct gw. */
bool gw_guard_admit(void *ctx, const struct net_addr *client);
bool gw_guard_exempt(const struct conf *conf, struct str ip);
/* A password or ticket was wrong: perhaps the client is banned now. */
void gw_guard_failed(
    struct gw *gw, const struct conf *conf, struct netd_conn *c);

/* One more session of this account; what entered must leave. */
struct gw_guard_seat {
	bool taken;
	struct gw_limit_key key;
};
MUST_CHECK bool gw_guard_enter(struct gw *gw, const struct conf *conf,
    struct str account, struct gw_guard_seat *seat);
void gw_guard_leave(struct gw *gw, struct gw_guard_seat *seat);

/* Count messages or recipients, of the account or (account "") the client. */
MUST_CHECK bool gw_guard_mail(struct gw *gw, const struct conf *conf,
    struct netd_conn *c, struct str account, enum gw_limit_what what,
    uint32_t n);

/* For status: groups "ban" and "busy", and the number "bans". */
void gw_guard_status(struct gw *gw, struct ipc_msg *out);
/* False: no such address is banned. */
bool gw_guard_lift(struct gw *gw, struct str address);

#endif
