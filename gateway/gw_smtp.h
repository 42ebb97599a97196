/*
 * gw_smtp - SMTP for clients (RFC 5321): the mx of port 25 and submission
 * (RFC 6409, 8314) in one engine.
 *
 * Extensions  PIPELINING 2920, SIZE 1870, 8BITMIME 6152, CHUNKING 3030,
 *             ENHANCEDSTATUSCODES 2034, STARTTLS 3207; AUTH 4954 on
 *             submission.
 * Threads     Callbacks of netd; see lib/netd.h.
 * Limits      The settings message_size_max, recipients_max,
 *             smtp_errors_max, smtp_timeout_s; GW_LINE_MAX bytes in a line,
 *             GW_AUTH_LINE_MAX in one of AUTH.
 */
#ifndef GW_SMTP_H
#define GW_SMTP_H

#include "gateway/gw.h"
#include "gateway/gw_sasl.h"

#define GW_LINE_MAX      16384u
#define GW_AUTH_LINE_MAX (GW_SASL_MAX + 64) /* a Kerberos ticket */

/* ctx of the listener is the struct gw; the tag is an enum gw_port. */
extern const struct netd_ops gw_smtp_ops;

#endif
