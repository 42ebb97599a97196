/*
 * rem_hop - the next hop as delivery writes it.
 *
 * Format     "mx:DOMAIN", "mx:[192.0.2.1]", "mx:[IPv6:2001:db8::1]",
 *            "smtp:HOST:PORT", "lmtp:HOST:PORT" ([v6] in brackets),
 *            "lmtp:/path".
 * Ownership  Slices live in the arena.
 * Threads    Pure functions.
 * Errors     RC_BAD: not a hop.
 */
#ifndef DELIVERY_REM_HOP_H
#define DELIVERY_REM_HOP_H

#include "delivery/rem_ip.h"

#define REM_HOP_MAX  300u
#define REM_PATH_MAX 107u /* sun_path */

enum rem_hop_kind { REM_HOP_MX, REM_HOP_SMTP, REM_HOP_LMTP, REM_HOP_PATH };

struct rem_hop {
	enum rem_hop_kind kind;
	struct str text; /* as one key: lower case, save for a path */
	struct str host; /* lower case; MX: the domain; PATH: the path */
	uint16_t port;
	bool literal; /* the host is an address: */
	struct rem_ip ip;
};

MUST_CHECK enum rc rem_hop_parse(
    struct arena *a, struct str text, struct rem_hop *out);
/* "host:port" or "[v6]:port". */
MUST_CHECK enum rc rem_host_port(
    struct arena *a, struct str text, struct str *out_host, uint16_t *out_port);

#endif
