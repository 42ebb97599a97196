/*
 * net - addresses and networks: "192.0.2.0/24", "2001:db8::/32".
 *
 * IPv4 is held as IPv6 in RFC 4291 section 2.5.5.2 clothes (::ffff:a.b.c.d),
 * so one comparison serves both, and an IPv4 address that a socket shows in
 * these clothes matches an IPv4 network.  A network of IPv6 is never wide
 * enough to hold IPv4 by accident: net_has compares the families first.
 *
 * Ownership  Plain values; a list lives in the arena it was parsed into.
 * Threads    Pure functions.
 * Errors     RC_BAD: not an address, a prefix too long, or bits set behind
 *            the prefix ("192.0.2.1/24": it is not clear what was meant).
 *            Zone names ("fe80::1%eth0") and short forms ("10.1") are RC_BAD.
 * Limits     NET_TEXT_MAX.
 */
#ifndef LIB_NET_H
#define LIB_NET_H

#include "lib/base.h"

#define NET_TEXT_MAX 46u /* INET6_ADDRSTRLEN: of an address, with its NUL */

struct net_addr {
	unsigned char b[16];
};

struct net {
	struct net_addr addr;
	unsigned bits; /* of 128; IPv4 networks: 96 and their own */
};

struct net_list {
	const struct net *v;
	size_t n;
};

MUST_CHECK enum rc net_addr_parse(struct str text, struct net_addr *out);
bool net_is_v4(const struct net_addr *a);
struct net_addr net_v4(const void *four);
struct net_addr net_v6(const void *sixteen); /* mapped ones become IPv4 */
/* 127.0.0.0/8 or ::1. */
bool net_is_loopback(const struct net_addr *a);
/* Canonical text with a NUL (RFC 5952); returns its slice in buf. */
struct str net_text(const struct net_addr *a, char buf[NET_TEXT_MAX]);
/*
 * What one customer gets and limits count by: the IPv4 address, or the /64
 * of IPv6 (the rest zeroed).
 */
struct net_addr net_source(const struct net_addr *a);

/* An address alone is a network of one. */
MUST_CHECK enum rc net_parse(struct str text, struct net *out);
bool net_has(const struct net *n, const struct net_addr *a);

/* texts[n] as of a setting (struct conf_list); RC_BAD at the first bad one. */
MUST_CHECK enum rc net_list_parse(
    struct arena *a, const char *const *texts, size_t n, struct net_list *out);
bool net_list_has(const struct net_list *l, const struct net_addr *a);
/* Without a parsed list: is the address `ip` in one of the networks? */
bool net_match(struct str ip, const char *const *texts, size_t n);

#endif
