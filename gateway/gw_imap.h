/*
 * gw_imap - the login front of IMAP in access: greeting, capabilities, TLS and
 * login (RFC 3501 section 6.2; RFC 2595, 2971, 4959, 7888); then the
 * client's bytes are relayed to imap, which has never heard of it before.
 *
 * Threads    Callbacks of netd; see lib/netd.h.  Commands run on a worker and
 *            wait for the directory until directory_timeout_ms.
 * Errors     A directory or an imap process that cannot be reached is
 *            NO [UNAVAILABLE], never AUTHENTICATIONFAILED.
 * Limits     GW_IMAP_LOGIN_S until the login; GW_IMAP_COMMAND_MAX bytes in a
 *            command with its literals, GW_IMAP_LINE_MAX in a line under TLS
 *            (Kerberos tickets); GW_IMAP_TRIES failed logins; GW_IMAP_ERRORS
 *            bad commands.
 */
#ifndef GW_IMAP_H
#define GW_IMAP_H

#include "gateway/gw.h"
#include "gateway/gw_sasl.h"

#define GW_IMAP_LOGIN_S     180
#define GW_IMAP_COMMAND_MAX 16384u
#define GW_IMAP_LINE_MAX    (GW_SASL_MAX + 512u)
#define GW_IMAP_TRIES       3u
#define GW_IMAP_ERRORS      10u
#define GW_IMAP_DELAY_MS    1000 /* times the failures so far */
#define GW_IMAP_TAG_MAX     255u

/* ctx of the listener is the struct gw. */
extern const struct netd_ops gw_imap_ops;

#endif
