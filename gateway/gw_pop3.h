/*
 * gw_pop3 - POP3 until somebody is logged in (RFC 1939 section 4, with CAPA
 * of RFC 2449, STLS of RFC 2595, AUTH of RFC 5034 and the response codes of
 * RFC 2449 and 3206).
 *
 * After the login the connection is imap's: a ticket goes there ahead of the
 * client's bytes, and from then on they are only relayed.
 *
 * Ownership  The netd ops' context is struct gw.
 * Threads    As lib/netd.h says.
 * Limits     GW_POP3_LINE_MAX, GW_SASL_MAX for what a SASL exchange says;
 *            the whole login GW_POP3_LOGIN_S; GW_POP3_TRIES failed logins.
 */
#ifndef GW_POP3_H
#define GW_POP3_H

#include "gateway/gw.h"

#define GW_POP3_LINE_MAX 512u /* RFC 2449 section 4 wants 255 */
#define GW_POP3_ERRORS   10u  /* then it is closed */
#define GW_POP3_TRIES    3u
#define GW_POP3_LOGIN_S  120
#define GW_POP3_DELAY_MS 1000 /* before a refusal, for each so far */
#define GW_POP3_IDLE_S   600u /* RFC 1939 section 3; imap's part has it too */

extern const struct netd_ops gw_pop3_ops;

#endif
