/*
 * rem_ip - addresses that mail may be carried to.
 *
 * Threads    Pure functions.
 * Errors     RC_BAD: no address.
 */
#ifndef DELIVERY_REM_IP_H
#define DELIVERY_REM_IP_H

#include "lib/base.h"

#define REM_IP_TEXT 46u

struct rem_ip {
	bool v6;
	unsigned char b[16]; /* v4: the first 4 */
};

/* "192.0.2.1" or "2001:db8::1", no brackets, no scope. */
MUST_CHECK enum rc rem_ip_parse(struct str text, struct rem_ip *out);
void rem_ip_text(const struct rem_ip *ip, char out[REM_IP_TEXT]);
bool rem_ip_eq(const struct rem_ip *a, const struct rem_ip *b);
/*
 * No address of the public Internet: private, loopback, link-local, shared
 * (CGNAT), multicast, unspecified, reserved; v4 inside v6 however it is
 * wrapped.  What a stranger's DNS says must not lead us there.
 */
bool rem_ip_is_private(const struct rem_ip *ip);
bool rem_ip_is_loopback(const struct rem_ip *ip);

#endif
