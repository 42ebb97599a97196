/*
 * LOGIN and AUTHENTICATE (gw_login.h) in the words of IMAP, and the way to
 * imap afterwards.
 *
 * A refusal is held back for a moment without holding a worker; input is not
 * read meanwhile, so a guesser cannot pipeline.
 */
#include "gateway/gw_imap_session.h"
#include "gateway/gw_relay.h"

void
gw_imap_sasl_reset(struct gw_imap *s)
{
	gw_login_reset(&s->login);
	if (s->mode == GI_SASL)
		s->mode = GI_LINE;
	s->tag = STR("");
}

struct str
gw_imap_capabilities(struct gw_imap *s)
{
	struct str caps = STR("IMAP4rev1 LITERAL+ SASL-IR ID");
	struct str mechs, mech;

	if (netd_has_tls(s->c) && !netd_is_tls(s->c))
		caps = str_cat(&s->unit, caps, STR(" STARTTLS"));
	mechs = gw_login_mechs(&s->login);
	if (mechs.n == 0)
		return str_cat(&s->unit, caps, STR(" LOGINDISABLED"));
	while ((mech = str_word(&mechs)).n > 0)
		caps =
		    str_fmt(&s->unit, "%.*s AUTH=%.*s", STRF(caps), STRF(mech));
	return caps;
}

/* Both arenas are gone when the reply goes out, so it is kept in `login`. */
static enum next
hold_back(struct gw_imap *s, struct str tag)
{
	struct str reply = str_fmt(&s->unit,
	    "%.*s NO [AUTHENTICATIONFAILED] Name or password is wrong\r\n",
	    STRF(tag));

	gw_imap_sasl_reset(s);
	s->later = str_dup(&s->login.a, reply);
	s->failures++;
	netd_wake_in(s->c, GW_IMAP_DELAY_MS * (int)s->failures);
	return NEXT_WAIT;
}

/* The exchange is over.  The tag may be a part of it. */
static enum next
fail(struct gw_imap *s, struct str tag, const char *text, bool bad)
{
	enum next next =
	    bad ? gw_imap_bad(s, tag, text) : gw_imap_reply(s, tag, text);

	gw_imap_sasl_reset(s);
	return next;
}

static enum next
unavailable(struct gw_imap *s, struct str tag)
{
	return fail(s, tag,
	    "NO [UNAVAILABLE] Cannot check logins now, try later", false);
}

/* The rest of the session is imap's. */
static enum next
hand_over(struct gw_imap *s, struct str tag)
{
	if (gw_relay_begin(s->gw, s->c, STR("imap"), s->login.who.ticket, tag,
		s->conf->imap_timeout_s) != RC_OK) {
		gw_guard_leave(s->gw, &s->seat); /* the next may be another */
		return unavailable(s, tag);
	}
	gw_imap_sasl_reset(s);
	return NEXT_RELAY;
}

static enum next
challenge(struct gw_imap *s)
{
	struct str line =
	    str_fmt(&s->unit, "+ %.*s\r\n", STRF(s->login.challenge));

	s->mode = GI_SASL;
	return netd_write(s->c, line) == RC_OK ? NEXT_INPUT : NEXT_ABORT;
}

static enum next
answer(struct gw_imap *s, struct str tag, enum gw_login_is is)
{
	switch (is) {
	case GW_LOGIN_OK:
		return hand_over(s, tag);
	case GW_LOGIN_CHALLENGE:
		return challenge(s);
	case GW_LOGIN_DENIED:
		return hold_back(s, tag);
	case GW_LOGIN_LIMIT:
		return fail(
		    s, tag, "NO [LIMIT] Too many sessions of yours", false);
	case GW_LOGIN_BAD:
		return fail(s, tag, "BAD Cannot decode the response", true);
	case GW_LOGIN_CANCELLED:
		return fail(s, tag, "BAD Cancelled", true);
	case GW_LOGIN_NO_MECH:
		return fail(s, tag, "NO Mechanism is not available", true);
	case GW_LOGIN_TEMP:
		break;
	}
	return unavailable(s, tag);
}

static enum next
privacy_required(struct gw_imap *s, struct str tag)
{
	return gw_imap_bad(
	    s, tag, "NO [PRIVACYREQUIRED] Encryption is required: STARTTLS");
}

enum next
gw_imap_login(struct gw_imap *s, struct str tag, struct gw_imap_in *in)
{
	struct str name, password;

	if (!gw_login_secure(&s->login))
		return privacy_required(s, tag);
	if (!gw_imap_space(in) || !gw_imap_astring(in, &name) ||
	    !gw_imap_space(in) || !gw_imap_astring(in, &password) ||
	    !gw_imap_end(in))
		return gw_imap_bad(s, tag, "BAD LOGIN takes name and password");
	return answer(s, tag,
	    gw_login_password(&s->login, name, password, "LOGIN-COMMAND"));
}

enum next
gw_imap_authenticate(struct gw_imap *s, struct str tag, struct gw_imap_in *in)
{
	struct str mech, initial = STR("");

	if (!gw_login_secure(&s->login))
		return privacy_required(s, tag);
	if (!gw_imap_space(in) || !gw_imap_atom(in, &mech) || mech.n > 20 ||
	    (!gw_imap_end(in) &&
		(!gw_imap_space(in) || !gw_imap_word(in, &initial) ||
		    !gw_imap_end(in))))
		return gw_imap_bad(
		    s, tag, "BAD AUTHENTICATE takes a mechanism");
	s->tag = str_dup(&s->login.a, tag);
	return answer(s, s->tag, gw_login_start(&s->login, mech, initial));
}

enum next
gw_imap_sasl_line(struct gw_imap *s, struct str line)
{
	return answer(s, s->tag, gw_login_line(&s->login, line));
}
