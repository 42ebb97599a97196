/*
 * gw_login - a login, whatever the protocol: passwords and SASL exchanges, as
 * the directory answers them.
 *
 * The session gives what its client said and gets what came of it; the words
 * for that are its own.
 *
 *	l = (struct gw_login){ .gw = gw, ... };
 *	is = gw_login_start(&l, mech, initial);
 *	while (is == GW_LOGIN_CHALLENGE)	send l.challenge
 *		is = gw_login_line(&l, the client's answer);
 *	...					l.who, if it is GW_LOGIN_OK
 *	gw_login_reset(&l);
 *
 * Nobody logs in without TLS, by whatever mechanism, except from loopback when
 * the setting allows it: the mail that follows is as private as the password.
 *
 * Ownership  What the session points to stays.  l.who and l.challenge live in
 *            the unit, or until gw_login_reset.
 * Threads    The session's owner; it waits for the directory.
 * Errors     See enum gw_login_is.  Passwords are wiped where they lie.
 * Limits     those of gw_sasl.h.
 */
#ifndef GW_LOGIN_H
#define GW_LOGIN_H

#include "gateway/gw_guard.h"

enum gw_login_is {
	GW_LOGIN_OK,        /* who is it; they have a seat */
	GW_LOGIN_CHALLENGE, /* goes to the client, which answers with a line */
	GW_LOGIN_DENIED,    /* counted: the reply is to be held back */
	GW_LOGIN_TEMP,      /* the directory cannot say */
	GW_LOGIN_LIMIT,     /* too many sessions of theirs */
	GW_LOGIN_BAD,       /* the response cannot be decoded */
	GW_LOGIN_CANCELLED, /* by the client */
	GW_LOGIN_NO_MECH,
};

enum gw_login_state {
	GW_LOGIN_NONE,
	GW_LOGIN_PLAIN,
	GW_LOGIN_USER, /* LOGIN: the name */
	GW_LOGIN_PASS, /* LOGIN: the password */
	GW_LOGIN_STEP, /* run by the directory */
	GW_LOGIN_LAST, /* done; the client acknowledges the last challenge */
};

struct gw_login {
	/* The session's. */
	struct gw *gw;
	const struct conf *conf;
	struct netd_conn *c;
	const struct log *log;
	struct arena *unit;
	struct gw_guard_seat *seat;
	const char *service; /* for the directory and the log */
	bool has_login;      /* the mechanism LOGIN is offered */
	bool ticket;         /* another process will show it */
	/* What came of it. */
	struct dir_account who;
	struct str challenge; /* base64 */
	/* Own. */
	enum gw_login_state state;
	struct arena a; /* what an exchange has to remember */
	struct str mech, user, handle;
};

bool gw_login_secure(const struct gw_login *l);
/* "PLAIN LOGIN GSSAPI", in the unit; "": nobody may log in here. */
struct str gw_login_mechs(struct gw_login *l);

/* The password is wiped. */
enum gw_login_is gw_login_password(
    struct gw_login *l, struct str name, struct str password, const char *mech);
/* initial: the response that came along, "" none. */
enum gw_login_is gw_login_start(
    struct gw_login *l, struct str mech, struct str initial);
/* The client's answer to a challenge, without CRLF. */
enum gw_login_is gw_login_line(struct gw_login *l, struct str line);
/* Forget a half-done exchange, and all that is in l->a. */
void gw_login_reset(struct gw_login *l);

#endif
