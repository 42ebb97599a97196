/*
 * PLAIN and LOGIN are decoded here and asked as one login; any other mechanism
 * is run by the directory process, step by step.
 *
 * No protocol of ours has a place for data in its final "yes" (RFC 4954
 * section 4, RFC 5034 section 4, RFC 3501 section 6.2.2): what the directory
 * says last goes out as a challenge, and the client answers with nothing.
 */
#include "gateway/gw_login.h"
#include "gateway/gw_mechs.h"
#include "gateway/gw_sasl.h"

void
gw_login_reset(struct gw_login *l)
{
	if (l->state == GW_LOGIN_STEP && l->handle.n > 0)
		dir_sasl_cancel(l->gw->dir, l->handle);
	l->state = GW_LOGIN_NONE;
	l->mech = l->user = l->handle = l->challenge = STR("");
	l->who = (struct dir_account){ 0 };
	arena_free(&l->a);
}

bool
gw_login_secure(const struct gw_login *l)
{
	struct str ip = netd_peer_ip(l->c);

	return netd_is_tls(l->c) ||
	       (l->conf->plaintext_login_on_loopback &&
		   (str_has_prefix(ip, STR("127.")) || str_eq(ip, STR("::1"))));
}

static struct deadline
dir_deadline(const struct gw_login *l)
{
	return deadline_in(l->conf->directory_timeout_ms);
}

struct str
gw_login_mechs(struct gw_login *l)
{
	struct str ours = l->has_login ? STR("PLAIN LOGIN") : STR("PLAIN");
	struct str more;

	if (!gw_login_secure(l))
		return STR("");
	more = gw_mechs(l->gw, l->unit, dir_deadline(l));
	if (more.n == 0)
		return ours;
	return str_fmt(l->unit, "%.*s %.*s", STRF(ours), STRF(more));
}

static enum gw_login_is
challenge(struct gw_login *l, enum gw_login_state state, struct str b64)
{
	l->state = state;
	l->challenge = b64;
	return GW_LOGIN_CHALLENGE;
}

static enum gw_login_is
not_logged_in(struct gw_login *l, enum rc rc, struct str name, struct str mech)
{
	log_info(l->log, rc == RC_TEMP ? "login.temp" : "login.deny",
	    KV("name", name), KV("mech", mech), KVC("service", l->service),
	    KV("client", netd_peer_ip(l->c)),
	    KVC("tls", netd_tls_info(l->c).version));
	if (rc == RC_TEMP)
		return GW_LOGIN_TEMP;
	atomic_fetch_add(&l->gw->login_failures, 1);
	gw_guard_failed(l->gw, l->conf, l->c);
	return GW_LOGIN_DENIED;
}

/* Who it is stands in l->who. */
static enum gw_login_is
logged_in(struct gw_login *l, struct str mech)
{
	if (!gw_guard_enter(l->gw, l->conf, l->who.id, l->seat))
		return GW_LOGIN_LIMIT;
	atomic_fetch_add(&l->gw->logins, 1);
	log_info(l->log, "login.ok", KV("login", l->who.login),
	    KV("account", l->who.id), KV("mech", mech),
	    KVC("service", l->service), KV("client", netd_peer_ip(l->c)),
	    KVC("tls", netd_tls_info(l->c).version));
	return GW_LOGIN_OK;
}

static struct dir_login
login_of(const struct gw_login *l)
{
	return (struct dir_login){ .service = str_c(l->service),
		.client_ip = netd_peer_ip(l->c),
		.ticket = l->ticket };
}

static enum gw_login_is
try_password(struct gw_login *l, const struct gw_plain *p, struct str mech)
{
	struct dir_login in = login_of(l);
	enum rc rc = RC_DENY;

	in.name = p->authcid;
	in.password = p->password;
	in.authzid = p->authzid;
	if (p->password.n > 0)
		rc = dir_login_password(
		    l->gw->dir, l->unit, &in, dir_deadline(l), &l->who);
	gw_sasl_wipe(p->password);
	if (rc == RC_OK)
		return logged_in(l, mech);
	return not_logged_in(l, rc, p->authcid, mech);
}

enum gw_login_is
gw_login_password(
    struct gw_login *l, struct str name, struct str password, const char *mech)
{
	const struct gw_plain p = { .authcid = name, .password = password };

	return try_password(l, &p, str_c(mech));
}

static enum gw_login_is
plain(struct gw_login *l, struct str text)
{
	enum gw_login_is is = GW_LOGIN_BAD;
	struct gw_plain p;
	struct str msg;

	if (gw_sasl_decode(l->unit, text, &msg) != RC_OK)
		return GW_LOGIN_BAD;
	if (gw_plain_parse(msg, &p) == RC_OK)
		is = try_password(l, &p, STR("PLAIN"));
	gw_sasl_wipe(msg);
	return is;
}

static enum gw_login_is
login_name(struct gw_login *l, struct str text)
{
	struct str name;

	if (gw_sasl_decode(&l->a, text, &name) != RC_OK || name.n == 0)
		return GW_LOGIN_BAD;
	l->user = name;
	return challenge(l, GW_LOGIN_PASS, STR("UGFzc3dvcmQ6"));
}

static enum gw_login_is
login_password(struct gw_login *l, struct str text)
{
	struct str password;

	if (gw_sasl_decode(l->unit, text, &password) != RC_OK)
		return GW_LOGIN_BAD;
	return gw_login_password(l, l->user, password, "LOGIN");
}

/* What the directory says of a step. */
static enum gw_login_is
stepped(struct gw_login *l, enum rc rc, const struct dir_sasl *r)
{
	l->handle = STR(""); /* if it failed it is gone there as well */
	if (rc != RC_OK)
		return not_logged_in(l, rc, STR(""), l->mech);
	if (!r->done) {
		l->handle = str_dup(&l->a, r->handle);
		return challenge(
		    l, GW_LOGIN_STEP, str_b64(l->unit, r->challenge));
	}
	l->who = r->account;
	if (r->challenge.n == 0)
		return logged_in(l, l->mech);
	l->who.id = str_dup(&l->a, r->account.id);
	l->who.address = str_dup(&l->a, r->account.address);
	l->who.login = str_dup(&l->a, r->account.login);
	l->who.ticket = str_dup(&l->a, r->account.ticket);
	return challenge(l, GW_LOGIN_LAST, str_b64(l->unit, r->challenge));
}

static enum gw_login_is
step(struct gw_login *l, struct str text)
{
	struct dir_sasl r = { 0 };
	struct str raw;
	enum rc rc;

	if (gw_sasl_decode(l->unit, text, &raw) != RC_OK)
		return GW_LOGIN_BAD;
	rc = dir_sasl_step(
	    l->gw->dir, l->unit, l->handle, raw, dir_deadline(l), &r);
	return stepped(l, rc, &r);
}

static enum gw_login_is
last(struct gw_login *l, struct str text)
{
	struct str raw;

	if (gw_sasl_decode(l->unit, text, &raw) != RC_OK || raw.n > 0)
		return GW_LOGIN_BAD;
	return logged_in(l, l->mech);
}

static enum gw_login_is
directory(struct gw_login *l, struct str initial)
{
	struct dir_login in = login_of(l);
	struct dir_sasl r = { 0 };
	struct str raw = STR("");
	enum rc rc;

	if (initial.n > 0 && gw_sasl_decode(l->unit, initial, &raw) != RC_OK)
		return GW_LOGIN_BAD;
	rc = dir_sasl_start(l->gw->dir, l->unit, l->mech, &in, initial.n > 0,
	    raw, dir_deadline(l), &r);
	if (rc == RC_BAD || rc == RC_NOENT)
		return GW_LOGIN_NO_MECH;
	return stepped(l, rc, &r);
}

enum gw_login_is
gw_login_start(struct gw_login *l, struct str mech, struct str initial)
{
	l->mech = str_dup(&l->a, mech);
	if (str_ieq(mech, STR("PLAIN")))
		return initial.n > 0 ? plain(l, initial)
				     : challenge(l, GW_LOGIN_PLAIN, STR(""));
	if (l->has_login && str_ieq(mech, STR("LOGIN")))
		return initial.n > 0
			   ? login_name(l, initial)
			   : challenge(l, GW_LOGIN_USER, STR("VXNlcm5hbWU6"));
	return directory(l, initial);
}

enum gw_login_is
gw_login_line(struct gw_login *l, struct str line)
{
	if (str_eq(line, STR("*")))
		return GW_LOGIN_CANCELLED;
	switch (l->state) {
	case GW_LOGIN_PLAIN:
		return plain(l, line);
	case GW_LOGIN_USER:
		return login_name(l, line);
	case GW_LOGIN_PASS:
		return login_password(l, line);
	case GW_LOGIN_STEP:
		return step(l, line);
	case GW_LOGIN_LAST:
		return last(l, line);
	case GW_LOGIN_NONE:
		break;
	}
	panic("response without an exchange");
}
