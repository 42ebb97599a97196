/*
 * proxy2 - the PROXY protocol, version 2: what a balancer says first about
 * the client it speaks for.
 *
 * Only streams over IPv4 and IPv6 count, and LOCAL (the balancer speaks for
 * itself: a health check).  A header for a client whose address it does not
 * tell is RC_BAD: it would pass for the balancer, which may be trusted with
 * more.
 *
 * Ownership  Plain values.
 * Threads    Pure functions.
 * Errors     RC_OK, with the length of the header in *out_n; RC_TEMP: so far
 *            all is well, there must come more; RC_BAD: not such a header.
 * Limits     PROXY2_MAX bytes with all TLVs, which are checked to fit and
 *            otherwise ignored.
 */
#ifndef LIB_PROXY2_H
#define LIB_PROXY2_H

#include "lib/net.h"

#define PROXY2_MAX 4096u

struct proxy2 {
	bool local; /* the addresses of the connection itself are the true ones
		     */
	struct net_addr src, dst;
	uint16_t src_port, dst_port;
};

MUST_CHECK enum rc proxy2_parse(
    struct str in, struct proxy2 *out, size_t *out_n);

#endif
