/*
 * LOGIN and AUTHENTICATE, and the way to imap afterwards.
 *
 * Nobody logs in without TLS, by whatever mechanism, except from loopback
 * when the setting allows it: the mail that follows is as private as the
 * password.  A refusal is held back for a moment without holding a worker;
 * input is not read meanwhile, so a guesser cannot pipeline.
 *
 * Secrets are wiped where they lie: the command (gw_imap.c) and what is
 * decoded here.
 */
#include "gateway/gw_imap_session.h"
#include "gateway/gw_mechs.h"
#include "gateway/gw_relay.h"

void
gw_imap_sasl_reset(struct gw_imap *s)
{
	if (s->sasl == GI_STEP && s->handle.n > 0)
		dir_sasl_cancel(s->gw->dir, s->handle);
	s->sasl = GI_NONE;
	if (s->mode == GI_SASL)
		s->mode = GI_LINE;
	s->tag = s->mech = s->user = STR("");
	s->handle = s->ticket = s->account = STR("");
	arena_free(&s->login);
}

static bool
on_loopback(const struct gw_imap *s)
{
	struct str ip = netd_peer_ip(s->c);

	return str_has_prefix(ip, STR("127.")) || str_eq(ip, STR("::1"));
}

bool
gw_imap_secure(const struct gw_imap *s)
{
	return netd_is_tls(s->c) ||
	       (s->conf->plaintext_login_on_loopback && on_loopback(s));
}

static struct deadline
dir_deadline(const struct gw_imap *s)
{
	return deadline_in(s->conf->directory_timeout_ms);
}

struct str
gw_imap_capabilities(struct gw_imap *s)
{
	struct str caps = STR("IMAP4rev1 LITERAL+ SASL-IR ID");
	struct str mechs, mech;

	if (netd_has_tls(s->c) && !netd_is_tls(s->c))
		caps = str_cat(&s->unit, caps, STR(" STARTTLS"));
	if (!gw_imap_secure(s))
		return str_cat(&s->unit, caps, STR(" LOGINDISABLED"));
	caps = str_cat(&s->unit, caps, STR(" AUTH=PLAIN AUTH=LOGIN"));
	mechs = gw_mechs(s->gw, &s->unit, dir_deadline(s));
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
	s->later = str_dup(&s->login, reply);
	s->failures++;
	netd_wake_in(s->c, GW_IMAP_DELAY_MS * (int)s->failures);
	return NEXT_WAIT;
}

static enum next
unavailable(struct gw_imap *s, struct str tag)
{
	enum next next = gw_imap_reply(
	    s, tag, "NO [UNAVAILABLE] Cannot check logins now, try later");

	gw_imap_sasl_reset(s);
	return next;
}

static enum next
not_logged_in(struct gw_imap *s, enum rc rc, struct str tag, struct str name,
    struct str mech)
{
	struct tls_info tls = netd_tls_info(s->c);

	log_info(s->log, rc == RC_TEMP ? "login.temp" : "login.deny",
	    KV("name", name), KV("mech", mech), KVC("service", "imap"),
	    KV("client", netd_peer_ip(s->c)), KVC("tls", tls.version));
	if (rc == RC_TEMP)
		return unavailable(s, tag);
	atomic_fetch_add(&s->gw->login_failures, 1);
	gw_guard_failed(s->gw, s->conf, s->c);
	return hold_back(s, tag);
}

/* The rest of the session is imap's. */
static enum next
hand_over(struct gw_imap *s, struct str tag, struct str ticket)
{
	if (gw_relay_begin(s->gw, s->c, STR("imap"), ticket, tag,
		s->conf->imap_timeout_s) != RC_OK)
		return unavailable(s, tag);
	gw_imap_sasl_reset(s);
	return NEXT_RELAY;
}

static enum next
logged_in(struct gw_imap *s, struct str tag, const struct dir_account *who,
    struct str mech)
{
	struct tls_info tls = netd_tls_info(s->c);
	enum next next;

	if (!s->seat.taken &&
	    !gw_guard_enter(s->gw, s->conf, who->id, &s->seat)) {
		next = gw_imap_reply(
		    s, tag, "NO [LIMIT] Too many sessions of yours");
		gw_imap_sasl_reset(s);
		return next;
	}
	atomic_fetch_add(&s->gw->logins, 1);
	log_info(s->log, "login.ok", KV("login", who->login),
	    KV("account", who->id), KV("mech", mech), KVC("service", "imap"),
	    KV("client", netd_peer_ip(s->c)), KVC("tls", tls.version));
	return hand_over(s, tag, who->ticket);
}

static struct dir_login
login_of(
    struct gw_imap *s, struct str name, struct str password, struct str authzid)
{
	return (struct dir_login){ .name = name,
		.password = password,
		.authzid = authzid,
		.service = STR("imap"),
		.client_ip = netd_peer_ip(s->c),
		.ticket = true };
}

/* `password` is wiped; tag and name may lie in the command or in `login`. */
static enum next
try_password(struct gw_imap *s, struct str tag, struct str name,
    struct str password, struct str authzid, struct str mech)
{
	struct dir_login in = login_of(s, name, password, authzid);
	struct dir_account who;
	enum rc rc = RC_DENY;

	if (password.n > 0)
		rc = dir_login_password(
		    s->gw->dir, &s->unit, &in, dir_deadline(s), &who);
	gw_sasl_wipe(password);
	if (rc == RC_OK)
		return logged_in(s, tag, &who, mech);
	return not_logged_in(s, rc, tag, name, mech);
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

	if (!gw_imap_secure(s))
		return privacy_required(s, tag);
	if (!gw_imap_space(in) || !gw_imap_astring(in, &name) ||
	    !gw_imap_space(in) || !gw_imap_astring(in, &password) ||
	    !gw_imap_end(in))
		return gw_imap_bad(s, tag, "BAD LOGIN takes name and password");
	return try_password(
	    s, tag, name, password, STR(""), STR("LOGIN-COMMAND"));
}

static enum next
challenge(struct gw_imap *s, enum gw_imap_sasl state, struct str b64)
{
	struct str line = str_fmt(&s->unit, "+ %.*s\r\n", STRF(b64));

	s->sasl = state;
	s->mode = GI_SASL;
	return netd_write(s->c, line) == RC_OK ? NEXT_INPUT : NEXT_ABORT;
}

static enum next
bad_response(struct gw_imap *s)
{
	enum next next =
	    gw_imap_bad(s, s->tag, "BAD Cannot decode the response");

	gw_imap_sasl_reset(s);
	return next;
}

static enum next
plain(struct gw_imap *s, struct str text)
{
	struct gw_plain p;
	enum next next;
	struct str msg;

	if (gw_sasl_decode(&s->unit, text, &msg) != RC_OK)
		return bad_response(s);
	if (gw_plain_parse(msg, &p) == RC_OK)
		next = try_password(
		    s, s->tag, p.authcid, p.password, p.authzid, STR("PLAIN"));
	else
		next = bad_response(s);
	gw_sasl_wipe(msg);
	return next;
}

static enum next
login_name(struct gw_imap *s, struct str text)
{
	struct str name;

	if (gw_sasl_decode(&s->login, text, &name) != RC_OK || name.n == 0)
		return bad_response(s);
	s->user = name;
	return challenge(s, GI_PASS, STR("UGFzc3dvcmQ6"));
}

static enum next
login_password(struct gw_imap *s, struct str text)
{
	struct str password;

	if (gw_sasl_decode(&s->unit, text, &password) != RC_OK)
		return bad_response(s);
	return try_password(
	    s, s->tag, s->user, password, STR(""), STR("LOGIN"));
}

/* What the directory says of a step. */
static enum next
stepped(struct gw_imap *s, enum rc rc, const struct dir_sasl *r)
{
	if (rc != RC_OK) {
		s->handle = STR(""); /* it is gone there as well */
		return not_logged_in(s, rc, s->tag, STR(""), s->mech);
	}
	if (!r->done) {
		s->handle = str_dup(&s->login, r->handle);
		return challenge(s, GI_STEP, str_b64(&s->unit, r->challenge));
	}
	s->handle = STR("");
	if (r->challenge.n == 0)
		return logged_in(s, s->tag, &r->account, s->mech);
	/* RFC 3501 has no place for data in OK: one more round. */
	s->ticket = str_dup(&s->login, r->account.ticket);
	s->account = str_dup(&s->login, r->account.id);
	s->user = str_dup(&s->login, r->account.login);
	return challenge(s, GI_LAST, str_b64(&s->unit, r->challenge));
}

static enum next
step(struct gw_imap *s, struct str text)
{
	struct dir_sasl r = { 0 };
	struct str raw;
	enum rc rc;

	if (gw_sasl_decode(&s->unit, text, &raw) != RC_OK)
		return bad_response(s);
	rc = dir_sasl_step(
	    s->gw->dir, &s->unit, s->handle, raw, dir_deadline(s), &r);
	return stepped(s, rc, &r);
}

static enum next
last(struct gw_imap *s, struct str text)
{
	struct dir_account who = {
		.id = s->account, .login = s->user, .ticket = s->ticket
	};

	if (text.n > 0)
		return bad_response(s);
	return logged_in(s, s->tag, &who, s->mech);
}

static enum next
start(struct gw_imap *s, struct str initial)
{
	struct dir_login in = login_of(s, STR(""), STR(""), STR(""));
	struct dir_sasl r = { 0 };
	struct str raw = STR("");
	enum next next;
	enum rc rc;

	if (initial.n > 0 && gw_sasl_decode(&s->unit, initial, &raw) != RC_OK)
		return bad_response(s);
	rc = dir_sasl_start(s->gw->dir, &s->unit, s->mech, &in, initial.n > 0,
	    raw, dir_deadline(s), &r);
	if (rc == RC_BAD || rc == RC_NOENT) {
		next = gw_imap_bad(s, s->tag, "NO Mechanism is not available");
		gw_imap_sasl_reset(s);
		return next;
	}
	s->sasl = GI_STEP;
	return stepped(s, rc, &r);
}

enum next
gw_imap_authenticate(struct gw_imap *s, struct str tag, struct gw_imap_in *in)
{
	struct str mech, initial = STR("");

	if (!gw_imap_secure(s))
		return privacy_required(s, tag);
	if (!gw_imap_space(in) || !gw_imap_atom(in, &mech) || mech.n > 20 ||
	    (!gw_imap_end(in) &&
		(!gw_imap_space(in) || !gw_imap_word(in, &initial) ||
		    !gw_imap_end(in))))
		return gw_imap_bad(
		    s, tag, "BAD AUTHENTICATE takes a mechanism");
	s->tag = str_dup(&s->login, tag);
	s->mech = str_dup(&s->login, mech);
	if (str_ieq(mech, STR("PLAIN")))
		return initial.n > 0 ? plain(s, initial)
				     : challenge(s, GI_PLAIN, STR(""));
	if (str_ieq(mech, STR("LOGIN")))
		return initial.n > 0
			   ? login_name(s, initial)
			   : challenge(s, GI_USER, STR("VXNlcm5hbWU6"));
	return start(s, initial);
}

enum next
gw_imap_sasl_line(struct gw_imap *s, struct str line)
{
	enum next next;

	if (str_eq(line, STR("*"))) {
		next = gw_imap_bad(s, s->tag, "BAD Cancelled");
		gw_imap_sasl_reset(s);
		return next;
	}
	switch (s->sasl) {
	case GI_PLAIN:
		return plain(s, line);
	case GI_USER:
		return login_name(s, line);
	case GI_PASS:
		return login_password(s, line);
	case GI_STEP:
		return step(s, line);
	case GI_LAST:
		return last(s, line);
	case GI_NONE:
		break;
	}
	panic("response without an exchange");
}
