/*
 * smtp_words - what clients of the SMTP engine's tests say, and how its answers
 * are read.
 */
#ifndef SMTP_WORDS_H
#define SMTP_WORDS_H

#include "tests/unit/gateway/fake_netd.h"

#define S    STR_INIT
#define E    "EHLO client.example\r\n"
#define M    "MAIL FROM:<bob@elsewhere.example>\r\n"
#define R    "RCPT TO:<ann@example.org>\r\n"
#define D    "DATA\r\n"
#define BODY "Subject: x\r\n\r\nhello\r\n.\r\n"
#define QUIT "QUIT\r\n"
/* ann, secret */
#define AUTH    "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n"
#define MA      "MAIL FROM:<ann@example.org>\r\n"
#define FROM(x) "From: " x "\r\n\r\nhello\r\n.\r\n"

/* "220 250 ...": the code of every reply; continuation lines are left out. */
struct str fake_codes(struct arena *a, struct str out);

#endif
