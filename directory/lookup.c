/*
 * A batch costs one round trip: what the cache has is taken out, all other
 * searches are sent before the first answer is awaited.
 */
#include "directory/dn.h"
#include "directory/lookup.h"
#include "mail/addr.h"

struct dir_rules
dir_rules_of(const struct dir *d, struct dir_trace *t)
{
	return (struct dir_rules){ .conf = d->conf,
		.schema = &d->schema,
		.log = &d->log,
		.now = now_unix(),
		.trace = t };
}

static void
refuse(struct dir_answer *out, enum rc rc, struct str why)
{
	*out = (struct dir_answer){ .in_scope = true };
	out->r.rc = rc;
	out->r.why = why;
}

/*
 * The canonical address to ask for; false: `out` is decided.  Postmaster
 * (RFC 5321 section 4.5.1) is whom the setting names, in every domain.
 */
static bool
normalise(struct dir *d, struct arena *a, struct str in, struct dir_trace *t,
    struct str *address, struct dir_answer *out)
{
	struct addr x;
	struct str to = str_c(d->conf->postmaster);
	bool bare = str_ieq(in, STR("postmaster"));

	TRACE(t, "address: %.*s", STRF(in));
	if (!bare && mail_addr_parse(a, in, &x) != RC_OK) {
		TRACE(t, "rule: this is not a mail address");
		refuse(out, RC_BAD, STR("not a mail address"));
		return false;
	}
	if (!bare && !conf_is_local_domain(d->conf, x.domain)) {
		TRACE(t, "rule: %.*s is not in the setting domains",
		    STRF(x.domain));
		refuse(out, RC_BAD, STR("not a domain of ours"));
		return false;
	}
	if (to.n && (bare || str_ieq(x.local, STR("postmaster")))) {
		TRACE(t, "rule: the setting postmaster is %.*s", STRF(to));
		if (mail_addr_parse(a, to, &x) != RC_OK) {
			refuse(out, RC_TEMP, STR("bad setting postmaster"));
			return false;
		}
	} else if (bare) {
		refuse(out, RC_TEMP, STR("no setting postmaster"));
		return false;
	}
	*address = str_lower(a, mail_addr_text(a, &x));
	return true;
}

static enum rc
ask(struct dir *d, struct arena *a, struct dir_query *q, size_t n,
    struct deadline dl, struct dir_trace *t)
{
	enum rc rc = n ? dir_search(d->be, a, q, n, dl) : RC_OK;

	for (size_t i = 0; i < n && rc == RC_OK; i++)
		dir_q_trace(t, &q[i]);
	if (rc != RC_OK)
		TRACE(t, "the directory gives no answer");
	return rc;
}

enum rc
dir_apply_scope(struct dir *d, struct arena *a, struct dir_answer *x, size_t n,
    struct deadline dl, struct dir_trace *t)
{
	struct dir_query *q;
	size_t *at, nq = 0;
	enum rc rc;

	if (d->scope_group.n == 0)
		return RC_OK;
	q = arena_calloc(a, n + 1, sizeof(*q));
	at = arena_calloc(a, n + 1, sizeof(*at));
	for (size_t i = 0; i < n; i++) {
		if (x[i].in_scope || x[i].r.rc != RC_OK ||
		    x[i].r.kind != DIR_USER)
			continue;
		at[nq] = i;
		q[nq++] = dir_q_in_scope(d, a, x[i].dn, x[i].login);
	}
	if ((rc = ask(d, a, q, nq, dl, t)) != RC_OK)
		return rc;
	for (size_t i = 0; i < nq; i++) {
		struct dir_answer *y = &x[at[i]];

		y->in_scope = true;
		if (q[i].rc != RC_OK) {
			refuse(y, RC_TEMP, STR("scope_group is not readable"));
		} else if (q[i].nfound == 0) {
			TRACE(
			    t, "rule: %.*s is not in scope_group", STRF(y->dn));
			refuse(y, RC_NOENT, STR("not in scope_group"));
		}
	}
	return RC_OK;
}

/* Is there somebody whom only the scope filter hides?  For explain. */
static void
trace_outside(struct dir *d, struct arena *a, struct str address,
    struct deadline dl, struct dir_trace *t)
{
	struct conf open = *d->conf;
	struct dir all = *d;
	struct dir_query q;

	if (t == NULL || d->conf->scope_filter == NULL ||
	    d->conf->scope_filter[0] == '\0')
		return;
	open.scope_filter = "";
	all.conf = &open;
	q = dir_q_address(&all, a, address);
	if (ask(d, a, &q, 1, dl, t) != RC_OK || q.rc != RC_OK)
		return;
	for (size_t i = 0; i < q.nfound; i++)
		TRACE(t, "rule: %.*s has it, outside of scope_filter",
		    STRF(q.found[i].dn));
}

static void
judge(struct dir *d, struct arena *a, struct str address, struct dir_query *q,
    struct deadline dl, struct dir_trace *t, struct dir_answer *out)
{
	struct dir_rules r = dir_rules_of(d, t);

	if (q->rc == RC_TEMP) {
		refuse(out, RC_TEMP, STR("no answer from the directory"));
		return;
	}
	if (q->rc == RC_NOENT) {
		log_error(&d->log, "ldap.no_base",
		    KVC("ldap_base", d->conf->ldap_base));
		refuse(out, RC_TEMP, STR("ldap_base does not exist"));
		return;
	}
	dir_rule_address(&r, a, address, q, out);
	if (out->r.rc == RC_NOENT)
		trace_outside(d, a, address, dl, t);
}

enum rc
dir_lookup(struct dir *d, struct arena *a, const struct str *address, size_t n,
    struct deadline dl, struct dir_trace *t, struct dir_answer *out)
{
	struct dir_query *q = arena_calloc(a, n + 1, sizeof(*q));
	struct dir_answer *x = arena_calloc(a, n + 1, sizeof(*x));
	struct str *key = arena_calloc(a, n + 1, sizeof(*key));
	size_t *at = arena_calloc(a, n + 1, sizeof(*at)), nq = 0;
	int64_t now = now_ns();
	enum rc rc;

	for (size_t i = 0; i < n; i++) {
		if (!normalise(d, a, address[i], t, &key[nq], &out[i]))
			continue;
		if (t == NULL &&
		    dir_cache_get(d->cache, a, key[nq], now, &out[i]))
			continue;
		at[nq] = i;
		q[nq] = dir_q_address(d, a, key[nq]);
		nq++;
	}
	if ((rc = ask(d, a, q, nq, dl, t)) != RC_OK)
		return rc;
	for (size_t i = 0; i < nq; i++)
		judge(d, a, key[i], &q[i], dl, t, &x[i]);
	if ((rc = dir_apply_scope(d, a, x, nq, dl, t)) != RC_OK)
		return rc;
	now = now_ns();
	for (size_t i = 0; i < nq; i++) {
		out[at[i]] = x[i];
		dir_cache_put(d->cache, key[i], now, &x[i]);
	}
	return RC_OK;
}

enum rc
dir_lookup_id(struct dir *d, struct arena *a, struct str id, struct deadline dl,
    struct dir_trace *t, struct dir_answer *out)
{
	struct dir_rules r = dir_rules_of(d, t);
	struct str key = str_cat(a, STR("id "), id);
	struct dir_query q;
	enum rc rc;

	if (id.n != DIR_ID_LEN)
		return RC_BAD;
	if (t == NULL && dir_cache_get(d->cache, a, key, now_ns(), out))
		return out->r.rc == RC_TEMP ? RC_TEMP : RC_OK;
	q = dir_q_id(d, a, id);
	if ((rc = ask(d, a, &q, 1, dl, t)) != RC_OK)
		return rc;
	if (q.rc != RC_OK)
		return RC_TEMP;
	dir_rule_id(&r, a, id, &q, out);
	if ((rc = dir_apply_scope(d, a, out, 1, dl, t)) != RC_OK)
		return rc;
	dir_cache_put(d->cache, key, now_ns(), out);
	return RC_OK;
}
