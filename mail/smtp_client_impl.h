/*
 * smtp_client_impl - what the parts of the SMTP client share.
 */
#ifndef MAIL_SMTP_CLIENT_IMPL_H
#define MAIL_SMTP_CLIENT_IMPL_H

#include "mail/smtp_client.h"

/* In this order: a session's beginning, then messages. */
enum mail_client_kind {
	CMD_GREETING,
	CMD_EHLO,
	CMD_HELO,
	CMD_STARTTLS,
	CMD_AUTH,  /* PLAIN, or the password of LOGIN */
	CMD_LOGIN, /* AUTH LOGIN: the user name is asked for */
	CMD_USER,  /* the password is */
	CMD_RSET,
	CMD_MAIL,
	CMD_RCPT,
	CMD_DATA,
	CMD_DOT, /* LMTP: one for each recipient */
	CMD_EMPTY,
	CMD_QUIT,
};

/* smtp_client.c: results. */
struct mail_client_result mail_client_ours(
    enum rc rc, const char *status, struct str text);
/* The server's last reply, copied. */
struct mail_client_result mail_client_theirs(struct mail_client *c, enum rc rc);
enum rc mail_client_verdict(unsigned code);
/* Of all recipients that have none yet. */
void mail_client_set_rest(struct mail_client *c, struct mail_client_result r);
/* The connection is of no more use, and this is why. */
void mail_client_die(struct mail_client *c, struct mail_client_result why);
void mail_client_protocol_error(struct mail_client *c, const char *what);

/* smtp_client.c: commands. */
void mail_client_expect(
    struct mail_client *c, enum mail_client_kind kind, size_t rcpt);
void mail_client_put(struct mail_client *c, struct str s);
void mail_client_command(
    struct mail_client *c, enum mail_client_kind kind, struct str line);
void mail_client_set_phase(struct mail_client *c);

/* smtp_client_hello.c: a session until it is ready for a message. */
void mail_client_hello(struct mail_client *c, enum mail_client_kind kind);
/* A line of the reply to EHLO, behind the first. */
void mail_client_ehlo_line(struct mail_client *c, struct str line);
void mail_client_hello_reply(struct mail_client *c, enum mail_client_kind kind);

/* smtp_client_mail.c: a message. */
void mail_client_mail_reply(
    struct mail_client *c, enum mail_client_kind kind, size_t rcpt);

#endif
