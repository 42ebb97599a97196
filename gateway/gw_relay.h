/*
 * gw_relay - hand a client that has logged in over to imap.
 *
 * Ownership  The preamble's slices are borrowed during the call.
 * Threads    The worker that has the session; may wait CONNECT_MS for imap.
 * Errors     RC_OK: return NEXT_RELAY; RC_TEMP: imap cannot be had, or the
 *            preamble cannot be said (logged).
 */
#ifndef GW_RELAY_H
#define GW_RELAY_H

#include "gateway/gw.h"
#include "imap/preamble.h"

/*
 * Service, ticket and tag; the rest of the preamble is the connection's.  A
 * session that says nothing for idle_s seconds is ended by imap, with a word;
 * in case it cannot, the relay ends a little later.
 */
MUST_CHECK enum rc gw_relay_begin(struct gw *gw, struct netd_conn *c,
    struct str service, struct str ticket, struct str tag, unsigned idle_s);

#endif
