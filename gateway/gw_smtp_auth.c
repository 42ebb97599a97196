/*
 * AUTH (RFC 4954): gw_login.h in the words of SMTP.
 */
#include "gateway/gw_sasl.h"
#include "gateway/gw_session.h"

#define TARPIT_MS 1000 /* for each failure so far */

void
gw_auth_reset(struct gw_smtp *s)
{
	gw_login_reset(&s->auth);
	if (s->phase == PH_AUTH)
		s->phase = PH_READY;
}

struct str
gw_auth_mechs(struct gw_smtp *s)
{
	if (!s->submission || s->authenticated)
		return STR("");
	return gw_login_mechs(&s->auth);
}

static enum next
fail(struct gw_smtp *s, int code, const char *status, const char *text)
{
	gw_auth_reset(s);
	return gw_reply(s, code, status, text);
}

static enum next
logged_in(struct gw_smtp *s)
{
	const struct dir_account *who = &s->auth.who;

	s->account = (struct dir_account){
		.id = str_dup(&s->login, who->id),
		.address = str_dup(&s->login, who->address),
		.login = str_dup(&s->login, who->login),
	};
	gw_auth_reset(s);
	s->authenticated = true;
	netd_set_class(s->c, true);
	return gw_reply(s, 235, "2.7.0", "Authentication succeeded");
}

/* Guessing is made slow, and no thread waits for it. */
static enum next
hold_back(struct gw_smtp *s)
{
	gw_auth_reset(s);
	s->auth_failures++;
	s->phase = PH_TARPIT;
	netd_wake_in(s->c, (int)s->auth_failures * TARPIT_MS);
	return NEXT_WAIT;
}

enum next
gw_auth_wake(struct gw_smtp *s)
{
	s->phase = PH_READY;
	if (s->auth_failures >= GW_AUTH_TRIES)
		return gw_reply(
		    s, 421, "4.7.0", "Too many failed authentications");
	return gw_reply(s, 535, "5.7.8", "Authentication credentials invalid");
}

static enum next
challenge(struct gw_smtp *s)
{
	struct str line =
	    str_fmt(&s->unit, "334 %.*s\r\n", STRF(s->auth.challenge));

	s->phase = PH_AUTH;
	return netd_write(s->c, line) == RC_OK ? NEXT_INPUT : NEXT_ABORT;
}

static enum next
answer(struct gw_smtp *s, enum gw_login_is is)
{
	switch (is) {
	case GW_LOGIN_OK:
		return logged_in(s);
	case GW_LOGIN_CHALLENGE:
		return challenge(s);
	case GW_LOGIN_DENIED:
		return hold_back(s);
	case GW_LOGIN_LIMIT:
		return fail(
		    s, 454, "4.7.0", "Too many sessions, try again later");
	case GW_LOGIN_BAD:
		return fail(s, 501, "5.5.2", "Cannot decode the response");
	case GW_LOGIN_CANCELLED:
		return fail(s, 501, "5.0.0", "Authentication cancelled");
	case GW_LOGIN_NO_MECH:
		return fail(s, 504, "5.5.4", "Mechanism not available");
	case GW_LOGIN_TEMP:
		break;
	}
	return fail(s, 454, "4.7.0", "Temporary authentication failure");
}

enum next
gw_auth_line(struct gw_smtp *s, struct str line)
{
	enum next next = answer(s, gw_login_line(&s->auth, line));

	gw_sasl_wipe(line);
	return next;
}

enum next
gw_on_auth(struct gw_smtp *s, struct str arg)
{
	struct str mech = str_word(&arg), initial = str_trim(arg);
	enum next next;

	if (!s->submission)
		return gw_reply(s, 502, "5.5.1", "AUTH is not offered here");
	if (s->authenticated)
		return gw_reply(s, 503, "5.5.1", "Already authenticated");
	if (s->phase != PH_READY)
		return gw_reply(s, 503, "5.5.1", "Bad sequence of commands");
	if (!gw_login_secure(&s->auth))
		return gw_reply(
		    s, 538, "5.7.11", "Encryption is required: STARTTLS first");
	if (str_chr(initial, ' ') < initial.n)
		return gw_reply(s, 501, "5.5.4", "Bad argument of AUTH");
	if (mech.n == 0)
		return gw_reply(s, 501, "5.5.4", "AUTH wants a mechanism");
	next = answer(s, gw_login_start(&s->auth, mech, initial));
	gw_sasl_wipe(initial);
	return next;
}
