/*
 * What can be decided without sending the password is decided first: an empty
 * one is an unauthenticated bind (RFC 4513 section 5.1.2), which AD answers
 * with success; and every bind that can be saved is one that cannot lock an
 * account.
 */
#include <string.h>

#include "directory/auth.h"
#include "directory/filter.h"
#include "directory/guard.h"
#include "directory/login_name.h"

static void
terms(const struct dir *d, struct arena *a, struct dir_terms *t,
    enum dir_role role, struct str value)
{
	const char *attr;

	for (size_t at = 0; (attr = dir_schema_next(&d->schema, role, &at));)
		dir_f_term(a, t, attr,
		    str_ieq(str_c(attr), STR("proxyAddresses")) ? STR("smtp:")
								: STR(""),
		    value);
}

/* Every attribute that may hold the name in its form. */
static struct dir_query
login_query(
    const struct dir *d, struct arena *a, const struct dir_login_name *n)
{
	struct dir_query q = { .scope = DIR_SUBTREE,
		.attrs = d->schema.fetch,
		.max = DIR_MATCHES_MAX };
	AUTO_TERMS t = { 0 };

	if (n->form != DIR_LOGIN_AT) {
		terms(d, a, &t, DIR_R_LOGIN, n->account);
	} else {
		terms(d, a, &t, DIR_R_UPN, n->whole);
		if (!d->schema.ad)
			terms(d, a, &t, DIR_R_LOGIN, n->whole);
		/* account@REALM is a principal of AD whatever the UPN is. */
		if (str_ieq(n->domain, str_c(d->conf->realm)))
			terms(d, a, &t,
			    d->schema.ad ? DIR_R_LOGIN : DIR_R_PRINCIPAL,
			    d->schema.ad ? n->account : n->whole);
		if (conf_is_local_domain(d->conf, n->domain)) {
			terms(d, a, &t, DIR_R_ALIAS, n->whole);
			terms(d, a, &t, DIR_R_MAIL, n->whole);
		}
	}
	q.filter = dir_f_scoped(d, a, dir_f_joined(a, "|", &t));
	return q;
}

struct found {
	struct dir_answer x;
	struct str pw_changed;
	bool unknown; /* an entry matched that is not readable */
	size_t n;     /* different accounts */
};

/* People among the entries, each once. */
static void
people(struct dir *d, struct arena *a, const struct dir_query *q,
    struct dir_trace *t, struct found *f)
{
	struct dir_rules r = dir_rules_of(d, t);

	for (size_t i = 0; i < q->nfound; i++) {
		struct dir_answer x;
		struct dir_entry e;

		dir_entry_read(a, &d->schema, &q->found[i], &e);
		if (e.known && (e.class != DIR_C_USER || e.computer))
			continue;
		dir_rule_entry(&r, a, &e, &x);
		if (!e.known) {
			f->unknown = true;
		} else if (f->n == 0 || !str_eq(f->x.r.id, x.r.id)) {
			f->x = x;
			f->pw_changed = e.pw_changed;
			f->n++;
		}
	}
	f->unknown |= q->more;
}

static enum rc
refuse(struct dir *d, struct dir_trace *t, struct str name, const char *why)
{
	static const struct {
		const char *why, *text;
	} rows[] = {
		{ "no_account", "no account has this name" },
		{ "two_accounts", "two accounts have it: nobody is asked" },
		{ "not_in_scope", "it is outside of scope_group" },
		{ "another_domain", "netbios_domain is another one" },
	};
	const char *text = why;

	for (size_t i = 0; i < COUNT(rows); i++)
		if (str_eq(str_c(rows[i].why), str_c(why)))
			text = rows[i].text;
	TRACE(t, "rule: refused: %s", text);
	if (t == NULL)
		log_info(&d->log, "login.refused", KV("name", name),
		    KVC("reason", why), KVC("code", dir_bind_code(why)));
	return RC_DENY;
}

static enum rc
one_account(struct dir *d, struct arena *a, struct str name,
    struct dir_query *q, struct deadline dl, struct dir_trace *t,
    struct found *f)
{
	enum rc rc = dir_search(d->be, a, q, 1, dl);

	if (rc != RC_OK || q->rc != RC_OK) {
		TRACE(t, "query: %.*s", STRF(q->filter));
		TRACE(t, "the directory gives no answer");
		return RC_TEMP;
	}
	dir_q_trace(t, q);
	people(d, a, q, t, f);
	if (f->unknown)
		return RC_TEMP;
	if (f->n == 0)
		return refuse(d, t, name, "no_account");
	if (f->n > 1) {
		log_error(&d->log, "alarm.two_accounts", KV("name", name));
		return refuse(d, t, name, "two_accounts");
	}
	if (dir_apply_scope(d, a, &f->x, 1, dl, t) != RC_OK ||
	    f->x.r.rc == RC_TEMP)
		return RC_TEMP;
	if (f->x.r.rc == RC_NOENT)
		return refuse(d, t, name, "not_in_scope");
	if (f->x.login_bar.n)
		return refuse(d, t, name, str_dup(a, f->x.login_bar).p);
	return RC_OK;
}

static void
account_of(const struct dir_answer *x, struct dir_account *out)
{
	*out = (struct dir_account){
		.id = x->r.id, .address = x->r.address, .login = x->login
	};
}

enum rc
dir_resolve_login(struct dir *d, struct arena *a, struct str name,
    struct deadline dl, struct dir_trace *t, struct dir_account *out,
    struct str *dn, struct str *pw_changed)
{
	struct found f = { 0 };
	struct dir_login_name n;
	struct dir_query q;
	enum rc rc;

	TRACE(t, "login name: %.*s", STRF(name));
	if (dir_login_name_parse(name, &n) != RC_OK)
		return refuse(d, t, STR("?"), "not_a_login_name");
	TRACE(t, "form: %s", dir_login_form_name(n.form));
	if (n.form == DIR_LOGIN_DOMAIN &&
	    !str_ieq(n.domain, str_c(d->conf->netbios_domain)))
		return refuse(d, t, name, "another_domain");
	q = login_query(d, a, &n);
	if ((rc = one_account(d, a, name, &q, dl, t, &f)) != RC_OK)
		return rc;
	account_of(&f.x, out);
	*dn = f.x.dn;
	*pw_changed = f.pw_changed;
	TRACE(t, "rule: the password is checked by %.*s, once", STRF(*dn));
	return RC_OK;
}

enum rc
dir_resolve_principal(struct dir *d, struct arena *a, struct str principal,
    struct deadline dl, struct dir_account *out)
{
	size_t at = str_rchr(principal, '@');
	struct str name = str_sub(principal, 0, at);
	struct str realm = str_from(principal, at + 1);
	struct found f = { 0 };
	struct dir_query q;
	AUTO_TERMS t = { 0 };
	enum rc rc;

	if (at == principal.n || name.n == 0 || realm.n == 0 ||
	    !str_eq(realm, str_c(d->conf->realm)))
		return refuse(d, NULL, principal, "another_realm");
	if (str_chr(name, '/') < name.n)
		return refuse(d, NULL, principal, "service_principal");
	q = dir_q_attr(d, a, DIR_R_LOGIN, name);
	terms(d, a, &t, DIR_R_PRINCIPAL, principal);
	if (t.b.n) {
		terms(d, a, &t, DIR_R_LOGIN, name);
		q.filter = dir_f_scoped(d, a, dir_f_joined(a, "|", &t));
	}
	if ((rc = one_account(d, a, principal, &q, dl, NULL, &f)) != RC_OK)
		return rc;
	account_of(&f.x, out);
	return RC_OK;
}

enum rc
dir_same_account(struct dir *d, struct arena *a, struct str authzid,
    struct str id, struct deadline dl)
{
	struct str dn, changed;
	struct dir_account x = { 0 };
	enum rc rc;

	if (authzid.n == 0)
		return RC_OK;
	rc = dir_resolve_login(d, a, authzid, dl, NULL, &x, &dn, &changed);
	if (rc == RC_OK && !str_eq(x.id, id))
		return refuse(d, NULL, authzid, "another_identity");
	return rc;
}

static void
log_login(const struct dir *d, enum log_level level, const char *event,
    const struct dir_login *in, const struct dir_account *x, const char *why)
{
	LOG_AT(&d->log, level, event, KV("name", in->name),
	    KV("account", x->login), KV("id", x->id), KVC("reason", why),
	    KVC("code", dir_bind_code(why)), KV("service", in->service),
	    KV("client", in->client_ip));
}

static enum rc
bind_once(struct dir *d, const struct dir_login *in, struct str dn,
    struct str pw_changed, const struct dir_account *x, struct deadline dl)
{
	const struct dir_guard_try try = { .id = x->id,
		.client_ip = in->client_ip,
		.password = in->password,
		.pw_changed = pw_changed };
	enum dir_bind_why why;

	switch (dir_guard_begin(d->guard, &try, now_ns())) {
	case DIR_GUARD_WAIT:
		log_login(d, LOG_WARN, "login.put_off", in, x,
		    "too_many_wrong_passwords");
		return RC_TEMP;
	case DIR_GUARD_WRONG:
		log_login(
		    d, LOG_INFO, "login.deny", in, x, "same_wrong_password");
		return RC_DENY;
	case DIR_GUARD_ASK:
		break;
	}
	why = d->be->ops->bind(d->be, dn, in->password, dl);
	dir_guard_end(d->guard, &try, why == DIR_BIND_WRONG_PASSWORD, now_ns());
	log_login(d, why == DIR_BIND_NO_TLS ? LOG_ERROR : LOG_INFO,
	    why == DIR_BIND_OK ? "login.ok" : "login.deny", in, x,
	    dir_bind_name(why));
	return dir_bind_rc(why);
}

enum rc
dir_auth_password(struct dir *d, struct arena *a, const struct dir_login *in,
    struct deadline dl, struct dir_account *out)
{
	struct str dn = STR_NULL, pw_changed = STR_NULL;
	struct dir_account x = { 0 };
	enum rc rc;

	if (in->password.n == 0)
		return refuse(d, NULL, in->name, "empty_password");
	if (in->password.n > DIR_PASSWORD_MAX ||
	    memchr(in->password.p, '\0', in->password.n) != NULL)
		return refuse(d, NULL, in->name, "malformed_password");
	rc = dir_resolve_login(d, a, in->name, dl, NULL, &x, &dn, &pw_changed);
	if (rc == RC_OK)
		rc = bind_once(d, in, dn, pw_changed, &x, dl);
	if (rc == RC_OK)
		rc = dir_same_account(d, a, in->authzid, x.id, dl);
	if (rc == RC_OK)
		*out = x;
	return rc;
}
