/*
 * USER, PASS and AUTH (gw_login.h) in the words of POP3, and the way to imap
 * afterwards.
 *
 * A refusal is held back for a moment without holding a worker, and input is
 * not read meanwhile, so a guesser cannot pipeline.
 *
 * "+OK" to a login is imap's to say, when it has the maildrop.
 */
#include "gateway/gw_pop3_session.h"
#include "gateway/gw_relay.h"

void
gw_pop3_reset(struct gw_pop3 *s)
{
	gw_login_reset(&s->login);
	s->name = STR("");
}

static enum next
fail(struct gw_pop3 *s, const char *text)
{
	gw_pop3_reset(s);
	return gw_pop3_err(s, text);
}

static enum next
unavailable(struct gw_pop3 *s)
{
	return fail(s, "[SYS/TEMP] Cannot check logins now, try later");
}

static enum next
hold_back(struct gw_pop3 *s)
{
	gw_pop3_reset(s);
	s->later = STR("-ERR [AUTH] Name or password is wrong\r\n");
	s->failures++;
	netd_wake_in(s->c, GW_POP3_DELAY_MS * (int)s->failures);
	return NEXT_WAIT;
}

static enum next
hand_over(struct gw_pop3 *s)
{
	if (gw_relay_begin(s->gw, s->c, STR("pop"), s->login.who.ticket,
		STR("+"), GW_POP3_IDLE_S) != RC_OK) {
		gw_guard_leave(s->gw, &s->seat); /* the next may be another */
		return unavailable(s);
	}
	gw_pop3_reset(s);
	return NEXT_RELAY;
}

static enum next
challenge(struct gw_pop3 *s)
{
	struct str line =
	    str_fmt(&s->unit, "+ %.*s\r\n", STRF(s->login.challenge));

	return netd_write(s->c, line) == RC_OK ? NEXT_INPUT : NEXT_ABORT;
}

static enum next
answer(struct gw_pop3 *s, enum gw_login_is is)
{
	switch (is) {
	case GW_LOGIN_OK:
		return hand_over(s);
	case GW_LOGIN_CHALLENGE:
		return challenge(s);
	case GW_LOGIN_DENIED:
		return hold_back(s);
	case GW_LOGIN_LIMIT:
		return fail(s, "[SYS/TEMP] Too many sessions of yours");
	case GW_LOGIN_BAD:
		return fail(s, "Cannot decode the response");
	case GW_LOGIN_CANCELLED:
		return fail(s, "Cancelled");
	case GW_LOGIN_NO_MECH:
		return fail(s, "Mechanism is not available");
	case GW_LOGIN_TEMP:
		break;
	}
	return unavailable(s);
}

static enum next
privacy_required(struct gw_pop3 *s)
{
	return gw_pop3_err(s, "Encryption is required: STLS first");
}

/* Who is here is not said: any name will do for now. */
enum next
gw_pop3_user(struct gw_pop3 *s, struct str arg)
{
	if (!gw_login_secure(&s->login))
		return privacy_required(s);
	if (arg.n == 0)
		return gw_pop3_err(s, "USER takes a name");
	gw_pop3_reset(s);
	s->name = str_dup(&s->login.a, arg);
	return gw_pop3_ok(s, "Now the password");
}

enum next
gw_pop3_pass(struct gw_pop3 *s, struct str arg)
{
	struct str name = s->name;

	if (!gw_login_secure(&s->login))
		return privacy_required(s);
	if (name.n == 0)
		return gw_pop3_err(s, "USER comes first");
	s->name = STR(""); /* one password for one name */
	return answer(s, gw_login_password(&s->login, name, arg, "USER"));
}

enum next
gw_pop3_auth(struct gw_pop3 *s, struct str arg)
{
	struct str mech = str_word(&arg);

	if (!gw_login_secure(&s->login))
		return privacy_required(s);
	if (mech.n == 0 || mech.n > 20 || str_chr(arg, ' ') < arg.n)
		return gw_pop3_err(s, "AUTH takes a mechanism");
	gw_pop3_reset(s);
	return answer(s, gw_login_start(&s->login, mech, arg));
}

enum next
gw_pop3_sasl_line(struct gw_pop3 *s, struct str line)
{
	return answer(s, gw_login_line(&s->login, line));
}
