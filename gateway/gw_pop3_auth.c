/*
 * USER, PASS and AUTH, and the way to imap afterwards.
 *
 * As in IMAP nobody logs in without TLS, except from loopback when the setting
 * allows it; a refusal is held back for a moment without holding a worker, and
 * input is not read meanwhile, so a guesser cannot pipeline.
 *
 * "+OK" to a login is imap's to say, when it has the maildrop.
 */
#include "gateway/gw_mechs.h"
#include "gateway/gw_pop3_session.h"
#include "gateway/gw_relay.h"
#include "gateway/gw_sasl.h"

void
gw_pop3_reset(struct gw_pop3 *s)
{
	if (s->sasl == GP_STEP && s->handle.n > 0)
		dir_sasl_cancel(s->gw->dir, s->handle);
	s->sasl = GP_NONE;
	s->name = s->mech = s->user = STR("");
	s->handle = s->ticket = s->account = STR("");
	arena_free(&s->login);
}

bool
gw_pop3_secure(const struct gw_pop3 *s)
{
	struct str ip = netd_peer_ip(s->c);

	return netd_is_tls(s->c) ||
	       (s->conf->plaintext_login_on_loopback &&
		   (str_has_prefix(ip, STR("127.")) || str_eq(ip, STR("::1"))));
}

static struct deadline
dir_deadline(const struct gw_pop3 *s)
{
	return deadline_in(s->conf->directory_timeout_ms);
}

struct str
gw_pop3_mechs(struct gw_pop3 *s)
{
	struct str more;

	if (!gw_pop3_secure(s))
		return STR("");
	more = gw_mechs(s->gw, &s->unit, dir_deadline(s));
	if (more.n == 0)
		return STR("PLAIN");
	return str_fmt(&s->unit, "PLAIN %.*s", STRF(more));
}

static enum next
unavailable(struct gw_pop3 *s)
{
	gw_pop3_reset(s);
	return gw_pop3_err(s, "[SYS/TEMP] Cannot check logins now, try later");
}

static enum next
not_logged_in(struct gw_pop3 *s, enum rc rc, struct str name, struct str mech)
{
	log_info(s->log, rc == RC_TEMP ? "login.temp" : "login.deny",
	    KV("name", name), KV("mech", mech), KVC("service", "pop"),
	    KV("client", netd_peer_ip(s->c)),
	    KVC("tls", netd_tls_info(s->c).version));
	if (rc == RC_TEMP)
		return unavailable(s);
	atomic_fetch_add(&s->gw->login_failures, 1);
	gw_guard_failed(s->gw, s->conf, s->c);
	gw_pop3_reset(s);
	s->later = STR("-ERR [AUTH] Name or password is wrong\r\n");
	s->failures++;
	netd_wake_in(s->c, GW_POP3_DELAY_MS * (int)s->failures);
	return NEXT_WAIT;
}

static enum next
logged_in(struct gw_pop3 *s, const struct dir_account *who, struct str mech)
{
	if (!s->seat.taken &&
	    !gw_guard_enter(s->gw, s->conf, who->id, &s->seat)) {
		gw_pop3_reset(s);
		return gw_pop3_err(s, "[SYS/TEMP] Too many sessions of yours");
	}
	atomic_fetch_add(&s->gw->logins, 1);
	log_info(s->log, "login.ok", KV("login", who->login),
	    KV("account", who->id), KV("mech", mech), KVC("service", "pop"),
	    KV("client", netd_peer_ip(s->c)),
	    KVC("tls", netd_tls_info(s->c).version));
	if (gw_relay_begin(s->gw, s->c, STR("pop"), who->ticket, STR("+"),
		GW_POP3_IDLE_S) != RC_OK)
		return unavailable(s);
	gw_pop3_reset(s);
	return NEXT_RELAY;
}

static struct dir_login
login_of(const struct gw_pop3 *s)
{
	return (struct dir_login){ .service = STR("pop"),
		.client_ip = netd_peer_ip(s->c),
		.ticket = true };
}

/* `password` is wiped. */
static enum next
try_password(struct gw_pop3 *s, struct str name, struct str password,
    struct str authzid, struct str mech)
{
	struct dir_login in = login_of(s);
	struct dir_account who;
	enum rc rc = RC_DENY;

	in.name = name;
	in.password = password;
	in.authzid = authzid;
	if (password.n > 0)
		rc = dir_login_password(
		    s->gw->dir, &s->unit, &in, dir_deadline(s), &who);
	gw_sasl_wipe(password);
	if (rc == RC_OK)
		return logged_in(s, &who, mech);
	return not_logged_in(s, rc, name, mech);
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
	if (!gw_pop3_secure(s))
		return privacy_required(s);
	if (arg.n == 0)
		return gw_pop3_err(s, "USER takes a name");
	gw_pop3_reset(s);
	s->name = str_dup(&s->login, arg);
	return gw_pop3_ok(s, "Now the password");
}

enum next
gw_pop3_pass(struct gw_pop3 *s, struct str arg)
{
	struct str name;

	if (!gw_pop3_secure(s))
		return privacy_required(s);
	if (s->name.n == 0)
		return gw_pop3_err(s, "USER comes first");
	name = str_dup(&s->unit, s->name);
	s->name = STR(""); /* one password for one name */
	return try_password(s, name, arg, STR(""), STR("USER"));
}

static enum next
challenge(struct gw_pop3 *s, enum gw_pop3_sasl state, struct str b64)
{
	struct str line = str_fmt(&s->unit, "+ %.*s\r\n", STRF(b64));

	s->sasl = state;
	return netd_write(s->c, line) == RC_OK ? NEXT_INPUT : NEXT_ABORT;
}

static enum next
bad_response(struct gw_pop3 *s)
{
	gw_pop3_reset(s);
	return gw_pop3_err(s, "Cannot decode the response");
}

static enum next
plain(struct gw_pop3 *s, struct str text)
{
	struct gw_plain p;
	enum next next;
	struct str msg;

	if (gw_sasl_decode(&s->unit, text, &msg) != RC_OK)
		return bad_response(s);
	s->sasl = GP_NONE;
	if (gw_plain_parse(msg, &p) == RC_OK)
		next = try_password(
		    s, p.authcid, p.password, p.authzid, STR("PLAIN"));
	else
		next = bad_response(s);
	gw_sasl_wipe(msg);
	return next;
}

/* What the directory says of a step. */
static enum next
stepped(struct gw_pop3 *s, enum rc rc, const struct dir_sasl *r)
{
	struct str mech = str_dup(&s->unit, s->mech);

	if (rc != RC_OK) {
		s->handle = STR(""); /* it is gone there as well */
		return not_logged_in(s, rc, STR(""), mech);
	}
	if (!r->done) {
		s->handle = str_dup(&s->login, r->handle);
		return challenge(s, GP_STEP, str_b64(&s->unit, r->challenge));
	}
	s->handle = STR("");
	if (r->challenge.n == 0)
		return logged_in(s, &r->account, mech);
	/* RFC 5034 section 4: no data in "+OK", so one more round. */
	s->ticket = str_dup(&s->login, r->account.ticket);
	s->account = str_dup(&s->login, r->account.id);
	s->user = str_dup(&s->login, r->account.login);
	return challenge(s, GP_LAST, str_b64(&s->unit, r->challenge));
}

static enum next
step(struct gw_pop3 *s, struct str text)
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
last(struct gw_pop3 *s, struct str text)
{
	struct dir_account who = {
		.id = s->account, .login = s->user, .ticket = s->ticket
	};

	if (text.n > 0 && !str_eq(text, STR("=")))
		return bad_response(s);
	return logged_in(s, &who, str_dup(&s->unit, s->mech));
}

static enum next
start(struct gw_pop3 *s, struct str initial)
{
	struct dir_login in = login_of(s);
	struct dir_sasl r = { 0 };
	struct str raw = STR("");
	enum rc rc;

	if (initial.n > 0 && gw_sasl_decode(&s->unit, initial, &raw) != RC_OK)
		return bad_response(s);
	rc = dir_sasl_start(s->gw->dir, &s->unit, s->mech, &in, initial.n > 0,
	    raw, dir_deadline(s), &r);
	if (rc == RC_BAD || rc == RC_NOENT) {
		gw_pop3_reset(s);
		return gw_pop3_err(s, "Mechanism is not available");
	}
	s->sasl = GP_STEP;
	return stepped(s, rc, &r);
}

enum next
gw_pop3_auth(struct gw_pop3 *s, struct str arg)
{
	struct str mech = str_word(&arg);

	if (!gw_pop3_secure(s))
		return privacy_required(s);
	if (mech.n == 0 || mech.n > 20 || str_chr(arg, ' ') < arg.n)
		return gw_pop3_err(s, "AUTH takes a mechanism");
	gw_pop3_reset(s);
	s->mech = str_dup(&s->login, mech);
	if (str_ieq(mech, STR("PLAIN")))
		return arg.n > 0 ? plain(s, arg)
				 : challenge(s, GP_PLAIN, STR(""));
	return start(s, arg);
}

enum next
gw_pop3_sasl_line(struct gw_pop3 *s, struct str line)
{
	if (str_eq(line, STR("*"))) {
		gw_pop3_reset(s);
		return gw_pop3_err(s, "Cancelled");
	}
	switch (s->sasl) {
	case GP_PLAIN:
		return plain(s, line);
	case GP_STEP:
		return step(s, line);
	case GP_LAST:
		return last(s, line);
	case GP_NONE:
		break;
	}
	panic("response without an exchange");
}
