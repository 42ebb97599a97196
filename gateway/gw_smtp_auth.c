/*
 * AUTH (RFC 4954).  PLAIN and LOGIN are decoded here and asked as one login;
 * any other mechanism is run by the directory process, step by step.  Nobody
 * logs in without TLS, except from loopback when the setting allows it.
 */
#include "gateway/gw_mechs.h"
#include "gateway/gw_sasl.h"
#include "gateway/gw_session.h"

#define TARPIT_MS 1000 /* for each failure so far */

void
gw_auth_reset(struct gw_smtp *s)
{
	if (s->auth == AUTH_SASL && s->auth_handle.n)
		dir_sasl_cancel(s->gw->dir, s->auth_handle);
	s->auth = AUTH_NONE;
	s->auth_user = s->auth_handle = s->auth_mech = STR("");
	arena_reset(&s->auth_a);
	if (s->phase == PH_AUTH)
		s->phase = PH_READY;
}

static bool
on_loopback(const struct gw_smtp *s)
{
	struct str ip = netd_peer_ip(s->c);

	return str_has_prefix(ip, STR("127.")) || str_eq(ip, STR("::1"));
}

/* May a password be said on this connection? */
static bool
clear_enough(const struct gw_smtp *s)
{
	return netd_is_tls(s->c) ||
	       (s->conf->plaintext_login_on_loopback && on_loopback(s));
}

struct str
gw_auth_mechs(struct gw_smtp *s)
{
	struct str more;

	if (!s->submission || s->authenticated || !clear_enough(s))
		return STR("");
	more = gw_mechs(s->gw, &s->unit, gw_dir_deadline(s));
	if (more.n == 0)
		return STR("PLAIN LOGIN");
	return str_fmt(&s->unit, "PLAIN LOGIN %.*s", STRF(more));
}

static struct dir_login
login_of(
    struct gw_smtp *s, struct str name, struct str password, struct str authzid)
{
	return (struct dir_login){ .name = name,
		.password = password,
		.authzid = authzid,
		.service = STR("smtp"),
		.client_ip = netd_peer_ip(s->c) };
}

static void
keep_account(struct gw_smtp *s, const struct dir_account *account)
{
	s->account = (struct dir_account){
		.id = str_dup(&s->login, account->id),
		.address = str_dup(&s->login, account->address),
		.login = str_dup(&s->login, account->login),
	};
}

static enum next
logged_in(struct gw_smtp *s, struct str mech)
{
	mech = str_dup(&s->unit, mech);
	gw_auth_reset(s);
	if (!gw_guard_enter(s->gw, s->conf, s->account.id, &s->seat))
		return gw_reply(
		    s, 454, "4.7.0", "Too many sessions, try again later");
	s->authenticated = true;
	netd_set_class(s->c, true);
	atomic_fetch_add(&s->gw->logins, 1);
	log_info(s->log, "login.ok", KV("login", s->account.login),
	    KV("account", s->account.id), KV("mech", mech),
	    KVC("service", "smtp"), KV("client", netd_peer_ip(s->c)));
	return gw_reply(s, 235, "2.7.0", "Authentication succeeded");
}

static enum next
not_logged_in(struct gw_smtp *s, enum rc rc, struct str name, struct str mech)
{
	name = str_dup(&s->unit, name);
	mech = str_dup(&s->unit, mech);
	gw_auth_reset(s);
	log_info(s->log, rc == RC_TEMP ? "login.temp" : "login.deny",
	    KV("name", name), KV("mech", mech), KVC("service", "smtp"),
	    KV("client", netd_peer_ip(s->c)));
	if (rc == RC_TEMP)
		return gw_reply(
		    s, 454, "4.7.0", "Temporary authentication failure");
	atomic_fetch_add(&s->gw->login_failures, 1);
	gw_guard_failed(s->gw, s->conf, s->c);
	/* Guessing is made slow, and no thread waits for it. */
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
try_password(struct gw_smtp *s, struct str name, struct str password,
    struct str authzid, struct str mech)
{
	struct dir_login in = login_of(s, name, password, authzid);
	struct dir_account account;
	enum rc rc;

	rc = password.n == 0 ? RC_DENY
			     : dir_login_password(s->gw->dir, &s->unit, &in,
				   gw_dir_deadline(s), &account);
	gw_sasl_wipe(password);
	if (rc != RC_OK)
		return not_logged_in(s, rc, name, mech);
	keep_account(s, &account);
	return logged_in(s, mech);
}

static enum next
challenge(struct gw_smtp *s, enum gw_auth_state state, struct str b64)
{
	struct str line = str_fmt(&s->unit, "334 %.*s\r\n", STRF(b64));

	s->auth = state;
	s->phase = PH_AUTH;
	return netd_write(s->c, line) == RC_OK ? NEXT_INPUT : NEXT_ABORT;
}

static enum next
bad_response(struct gw_smtp *s)
{
	gw_auth_reset(s);
	return gw_reply(s, 501, "5.5.2", "Cannot decode the response");
}

static enum next
plain(struct gw_smtp *s, struct str text)
{
	struct str msg;
	struct gw_plain p;
	enum next next;

	if (gw_sasl_decode(&s->unit, text, &msg) != RC_OK)
		return bad_response(s);
	if (gw_plain_parse(msg, &p) != RC_OK) {
		gw_sasl_wipe(msg);
		return bad_response(s);
	}
	next = try_password(s, p.authcid, p.password, p.authzid, STR("PLAIN"));
	gw_sasl_wipe(msg);
	return next;
}

static enum next
login_user(struct gw_smtp *s, struct str text)
{
	struct str name;

	if (gw_sasl_decode(&s->auth_a, text, &name) != RC_OK || name.n == 0)
		return bad_response(s);
	s->auth_user = name;
	return challenge(s, AUTH_PASS, STR("UGFzc3dvcmQ6"));
}

static enum next
login_pass(struct gw_smtp *s, struct str text)
{
	struct str password;

	if (gw_sasl_decode(&s->unit, text, &password) != RC_OK)
		return bad_response(s);
	return try_password(s, s->auth_user, password, STR(""), STR("LOGIN"));
}

static enum next
sasl_result(struct gw_smtp *s, enum rc rc, const struct dir_sasl *r)
{
	if (rc != RC_OK) {
		s->auth_handle = STR(""); /* gone at the other side, too */
		return not_logged_in(s, rc, STR(""), s->auth_mech);
	}
	if (!r->done) {
		s->auth_handle = str_dup(&s->auth_a, r->handle);
		return challenge(s, AUTH_SASL, str_b64(&s->unit, r->challenge));
	}
	s->auth_handle = STR("");
	keep_account(s, &r->account);
	if (r->challenge.n == 0)
		return logged_in(s, s->auth_mech);
	/* RFC 4954 section 4: 235 carries no data, so one more round. */
	return challenge(s, AUTH_LAST, str_b64(&s->unit, r->challenge));
}

static enum next
sasl_last(struct gw_smtp *s, struct str text)
{
	struct str raw;

	if (gw_sasl_decode(&s->unit, text, &raw) != RC_OK || raw.n)
		return bad_response(s);
	return logged_in(s, s->auth_mech);
}

static enum next
sasl_step(struct gw_smtp *s, struct str text)
{
	struct str response;
	struct dir_sasl r = { 0 };
	enum rc rc;

	if (gw_sasl_decode(&s->unit, text, &response) != RC_OK)
		return bad_response(s);
	rc = dir_sasl_step(s->gw->dir, &s->unit, s->auth_handle, response,
	    gw_dir_deadline(s), &r);
	return sasl_result(s, rc, &r);
}

static enum next
sasl_start(struct gw_smtp *s, struct str mech, struct str initial)
{
	struct dir_login in = login_of(s, STR(""), STR(""), STR(""));
	struct str raw = STR("");
	struct dir_sasl r = { 0 };
	enum rc rc;

	if (initial.n && gw_sasl_decode(&s->unit, initial, &raw) != RC_OK)
		return bad_response(s);
	rc = dir_sasl_start(s->gw->dir, &s->unit, mech, &in, initial.n > 0, raw,
	    gw_dir_deadline(s), &r);
	if (rc == RC_BAD || rc == RC_NOENT) {
		gw_auth_reset(s);
		return gw_reply(s, 504, "5.5.4", "Mechanism not available");
	}
	s->auth = AUTH_SASL;
	return sasl_result(s, rc, &r);
}

enum next
gw_auth_line(struct gw_smtp *s, struct str line)
{
	enum next next;

	if (str_eq(line, STR("*"))) {
		gw_auth_reset(s);
		return gw_reply(s, 501, "5.0.0", "Authentication cancelled");
	}
	switch (s->auth) {
	case AUTH_PLAIN:
		next = plain(s, line);
		break;
	case AUTH_USER:
		next = login_user(s, line);
		break;
	case AUTH_PASS:
		next = login_pass(s, line);
		break;
	case AUTH_SASL:
		next = sasl_step(s, line);
		break;
	case AUTH_LAST:
		next = sasl_last(s, line);
		break;
	case AUTH_NONE:
	default:
		panic("response without an exchange");
	}
	gw_sasl_wipe(line);
	return next;
}

enum next
gw_on_auth(struct gw_smtp *s, struct str arg)
{
	struct str mech = str_word(&arg), initial = str_trim(arg);

	if (!s->submission)
		return gw_reply(s, 502, "5.5.1", "AUTH is not offered here");
	if (s->authenticated)
		return gw_reply(s, 503, "5.5.1", "Already authenticated");
	if (s->phase != PH_READY)
		return gw_reply(s, 503, "5.5.1", "Bad sequence of commands");
	if (!clear_enough(s))
		return gw_reply(
		    s, 538, "5.7.11", "Encryption is required: STARTTLS first");
	if (str_chr(initial, ' ') < initial.n)
		return gw_reply(s, 501, "5.5.4", "Bad argument of AUTH");
	if (str_ieq(mech, STR("PLAIN"))) {
		enum next next;

		if (initial.n == 0)
			return challenge(s, AUTH_PLAIN, STR(""));
		next = plain(s, initial);
		gw_sasl_wipe(initial);
		return next;
	}
	if (str_ieq(mech, STR("LOGIN")))
		return initial.n ? login_user(s, initial)
				 : challenge(s, AUTH_USER, STR("VXNlcm5hbWU6"));
	if (mech.n == 0)
		return gw_reply(s, 501, "5.5.4", "AUTH wants a mechanism");
	s->auth_mech = str_dup(&s->auth_a, mech);
	return sasl_start(s, s->auth_mech, initial);
}
