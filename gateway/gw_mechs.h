/*
 * gw_mechs - the SASL mechanisms that the directory offers, remembered for a
 * moment: every greeting and every EHLO asks, and the answer changes when an
 * administrator changes a setting.
 *
 * Threads    Any worker; locks inside, never over the call.  It may wait for
 *            the directory until `dl`.
 * Errors     None: a directory that does not answer offers nothing, and is
 *            asked again the next time.
 * Limits     GW_MECHS_MAX bytes; GW_MECHS_MS.
 */
#ifndef GW_MECHS_H
#define GW_MECHS_H

#include "gateway/gw.h"

#define GW_MECHS_MS      5000
#define GW_MECHS_WAIT_MS 1000

/* Space separated, in `a`. */
struct str gw_mechs(struct gw *gw, struct arena *a, struct deadline dl);

#endif
