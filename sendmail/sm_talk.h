/*
 * sm_talk - hand a message to the gateway through sendmail.sock.
 *
 * Ownership  The descriptor is the caller's.
 * Threads    One; it blocks until a deadline.
 * Errors     An exit code of sysexits.h (EX_OK, EX_TEMPFAIL ...); *why, in the
 *            arena, says what the server said or what went wrong.
 */
#ifndef SENDMAIL_SM_TALK_H
#define SENDMAIL_SM_TALK_H

#include "sendmail/sm_letter.h"

/* -1: nobody is there. */
int sm_connect(const char *path);
/* The greeting; *host is who greets. */
int sm_greeting(struct arena *a, int fd, struct str *host, struct str *why);
int sm_send(struct arena *a, int fd, const struct sm_args *args,
    const struct sm_letter *l, struct str text, struct str *why);
/* -bs: what is said on 0 goes there, what is answered to 1. */
int sm_relay(int fd);

#endif
