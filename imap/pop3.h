/*
 * pop3 - POP3 for somebody who has logged in: RFC 1939's TRANSACTION and
 * UPDATE over INBOX, with UIDL, TOP, CAPA and PIPELINING (RFC 2449) and the
 * response codes of RFC 2449 and 3206.
 *
 * The maildrop is a snapshot of INBOX at the login: 9 bytes a message.  There
 * is no lock: other sessions, POP3 or IMAP, go on, and what they expunge
 * meanwhile is still listed here and answers RETR and TOP with an error.
 * QUIT sets \Seen on what was retrieved, and removes what was deleted and
 * nothing else.  Without QUIT nothing changes.
 *
 * Sizes are those of the bytes as they are sent, before dots are stuffed; a
 * message that was put here by IMAP without a final CRLF is sent with one
 * more.
 *
 * Ownership  The session owns it (imap/session.h).
 * Threads    One owner at a time, as netd.h says.
 * Limits     POP3_LINE_MAX per command; POP3_ERRORS_MAX errors in a row;
 *            POP3_IDLE_S of silence.
 */
#ifndef IMAP_POP3_H
#define IMAP_POP3_H

#include "imap/session.h"

#define POP3_LINE_MAX   512u
#define POP3_ERRORS_MAX 20u
#define POP3_IDLE_S     600u /* RFC 1939 section 3 */

struct pop3;

struct pop3 *pop3_new(void);
void pop3_free(struct pop3 **p);
/* The ticket was redeemed: read the maildrop, then say "+OK". */
enum next pop3_begin(
    struct imap_session *s, struct str login, struct str client);
/* It was not. */
enum next pop3_refuse(struct imap_session *s, enum rc rc);
size_t pop3_frame(struct str in);
enum next pop3_unit(struct imap_session *s, const struct netd_unit *u);

#endif
