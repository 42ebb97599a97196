/*
 * gw_pop3_session - the state of one POP3 client that has not logged in,
 * shared by the gw_pop3*.c files and by nobody else.
 */
#ifndef GW_POP3_SESSION_H
#define GW_POP3_SESSION_H

#include "gateway/gw_login.h"
#include "gateway/gw_pop3.h"

struct gw_pop3 {
	struct gw *gw;
	const struct conf *conf;
	struct netd_conn *c;
	const struct log *log;
	struct arena unit; /* reset after each unit */
	struct gw_login login;
	struct str name;  /* of USER; n is 0: none */
	struct str later; /* a reply that is held back */
	unsigned errors, failures;
	struct gw_guard_seat seat;
	int64_t until; /* CLOCK_MONOTONIC ns: the login must be over */
};

/* "+OK text" or "-ERR text". */
enum next gw_pop3_ok(struct gw_pop3 *s, const char *text);
enum next gw_pop3_err(struct gw_pop3 *s, const char *text);

/* gw_pop3_auth.c */
enum next gw_pop3_user(struct gw_pop3 *s, struct str arg);
enum next gw_pop3_pass(struct gw_pop3 *s, struct str arg);
enum next gw_pop3_auth(struct gw_pop3 *s, struct str arg);
/* The client's answer to a challenge, without CRLF. */
enum next gw_pop3_sasl_line(struct gw_pop3 *s, struct str line);
/* Forget USER and a half-done exchange. */
void gw_pop3_reset(struct gw_pop3 *s);

#endif
