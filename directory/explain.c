/*
 * The look-ups are the real ones with a trace, past the cache; the last line
 * says the answer in the words of SMTP or of a login.
 */
#include "directory/ad_value.h"
#include "directory/auth.h"
#include "directory/explain.h"
#include "directory/group.h"

#define MEMBERS_SHOWN 100u

static const char *const rcpt_answers[] = {
	[RC_OK] = "accepted (250)",
	[RC_NOENT] = "unknown recipient (550 5.1.1)",
	[RC_DENY] = "may not receive (550)",
	[RC_BAD] = "not an address of ours (550 5.7.1)",
	[RC_TEMP] = "cannot be found out now (451)",
};

static void
explain_group(struct dir *d, struct arena *a, struct str id, struct deadline dl,
    struct dir_trace *t)
{
	struct dir_answer *x;
	size_t n;
	enum rc rc = dir_group_expand(d, a, id, dl, NULL, &x, &n);

	if (rc != RC_OK) {
		TRACE(
		    t, "its members cannot be found out now: %s", rc_name(rc));
		return;
	}
	TRACE(t, "rule: groups take mail from %s",
	    d->conf->group_open ? "anybody (group_open)"
				: "authenticated senders only");
	TRACE(t, "it has %zu members, nested ones included", n);
	for (size_t i = 0; i < n && i < MEMBERS_SHOWN; i++)
		TRACE(t, "  member: %.*s%s%.*s", STRF(x[i].r.address),
		    x[i].r.why.n ? ": " : "", STRF(x[i].r.why));
	if (n > MEMBERS_SHOWN)
		TRACE(t, "  and %zu more", n - MEMBERS_SHOWN);
}

static void
explain_rcpt(struct dir *d, struct arena *a, struct str arg, struct deadline dl,
    struct dir_trace *t)
{
	struct dir_answer x;

	if (dir_lookup(d, a, &arg, 1, dl, t, &x) != RC_OK) {
		TRACE(t, "answer: %s", rcpt_answers[RC_TEMP]);
		return;
	}
	if (x.r.rc == RC_OK && x.r.kind == DIR_GROUP)
		explain_group(d, a, x.r.id, dl, t);
	if (x.r.rc == RC_OK && x.r.kind == DIR_ELSEWHERE)
		TRACE(t,
		    "answer: not kept here: %.*s; no route is known "
		    "(451)",
		    STRF(x.r.why));
	else if (x.r.rc == RC_OK)
		TRACE(t, "answer: %s, %s %.*s", rcpt_answers[RC_OK],
		    x.r.kind == DIR_GROUP ? "group" : "mailbox of",
		    STRF(x.r.id));
	else
		TRACE(
		    t, "answer: %s: %.*s", rcpt_answers[x.r.rc], STRF(x.r.why));
}

/*
 * What AD would say although the entry's own attributes do not: it computes
 * lockout and password age ([MS-ADTS] 3.1.1.4.5.17).
 */
static const char *
computed_bar(struct dir *d, struct arena *a, struct str dn, struct deadline dl,
    struct dir_trace *t)
{
	static const char *const attrs[] = {
		"msDS-User-Account-Control-Computed", "pwdLastSet", NULL
	};
	struct dir_query q = { .base = dn,
		.scope = DIR_BASE,
		.filter = STR_INIT("(objectClass=*)"),
		.attrs = attrs,
		.max = 1 };
	const struct dir_attr *at;
	uint64_t bits = 0;

	if (!d->schema.ad || dir_search(d->be, a, &q, 1, dl) != RC_OK ||
	    q.rc != RC_OK || q.nfound == 0)
		return NULL;
	at = dir_raw_attr(&q.found[0], str_c(attrs[0]));
	if (at != NULL && at->n &&
	    str_u64(at->v[0], UINT32_MAX, &bits) != RC_OK)
		bits = 0;
	TRACE(t, "%s is %#llx", attrs[0], (unsigned long long)bits);
	if (bits & AD_UAC_LOCKOUT)
		return "the account is locked out";
	at = dir_raw_attr(&q.found[0], str_c(attrs[1]));
	if (at != NULL && at->n && str_eq(at->v[0], STR("0")))
		return "pwdLastSet is 0: the password must be changed first";
	if (bits & AD_UAC_PASSWORD_EXPIRED)
		return "the password has expired";
	return NULL;
}

static void
explain_login(struct dir *d, struct arena *a, struct str arg,
    struct deadline dl, struct dir_trace *t)
{
	struct str dn, changed;
	struct dir_account x;
	const char *bar;
	enum rc rc;

	rc = dir_resolve_login(d, a, arg, dl, t, &x, &dn, &changed);
	bar = rc == RC_OK ? computed_bar(d, a, dn, dl, t) : NULL;
	if (bar != NULL)
		TRACE(t, "answer: refused by the directory: %s", bar);
	else if (rc == RC_OK)
		TRACE(t, "answer: account %.*s may log in with its password",
		    STRF(x.login));
	else if (rc == RC_DENY)
		TRACE(t, "answer: refused");
	else
		TRACE(t, "answer: cannot be found out now");
}

enum rc
dir_explain_text(struct dir *d, struct arena *a, struct str kind,
    struct str arg, struct deadline dl, struct str *out)
{
	struct dir_trace t;
	bool rcpt = str_eq(kind, STR("rcpt"));

	if (!rcpt && !str_eq(kind, STR("login")))
		return RC_BAD;
	dir_trace_init(&t);
	if (rcpt)
		explain_rcpt(d, a, arg, dl, &t);
	else
		explain_login(d, a, arg, dl, &t);
	*out = str_dup(a, buf_str(&t.b));
	if (t.full)
		*out = str_cat(a, *out, STR("(more left out)\n"));
	dir_trace_free(&t);
	return RC_OK;
}
