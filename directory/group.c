/*
 * Breadth first over the groups, whose DNs are remembered in normal form and
 * whose ids are remembered too, so a loop ends whatever its DNs look like.
 * Members are read in batches over one connection; each batch has its own
 * arena, because 100,000 entries would not fit into one.
 */
#include <uthash.h>

#include "directory/dn.h"
#include "directory/group.h"
#include "directory/login_name.h"
#include "directory/member_list.h"
#include "mail/addr.h"

#define BATCH 200u

struct seen {
	UT_hash_handle hh;
	struct str key;
};

struct expansion {
	struct dir *d;
	struct arena *a;
	struct deadline dl;
	struct dir_trace *t;
	struct str base; /* normal form */
	struct seen *seen;
	struct dir_strs group; /* DNs to look into */
	struct dir_answer *out;
	size_t n, size;
};

/* True the first time. */
static bool
first_time(struct expansion *x, const char *kind, struct str what)
{
	struct str key = str_fmt(x->a, "%s %.*s", kind, STRF(what));
	struct seen *s;

	HASH_FIND(hh, x->seen, key.p, key.n, s);
	if (s != NULL)
		return false;
	s = arena_calloc(x->a, 1, sizeof(*s));
	s->key = key;
	HASH_ADD_KEYPTR(hh, x->seen, s->key.p, s->key.n, s);
	return true;
}

static bool
first_dn(struct expansion *x, struct str dn)
{
	AUTO_ARENA a = { 0 };
	struct str norm;

	if (dir_dn_norm(&a, dn, &norm) != RC_OK)
		norm = dn;
	if (!dir_dn_below(norm, x->base)) {
		TRACE(x->t, "member: %.*s is outside of ldap_base", STRF(dn));
		return false;
	}
	return first_time(x, "dn", norm);
}

static enum rc
too_many(const struct expansion *x, const char *what)
{
	log_error(&x->d->log, "alarm.group_too_large",
	    KV("group", x->group.n ? x->group.v[0] : STR("")),
	    KVC("too_many", what));
	return RC_TEMP;
}

static void
push(struct expansion *x, const struct dir_answer *y)
{
	if (x->n == x->size) {
		size_t size = x->size ? x->size * 2 : 64;
		struct dir_answer *v = arena_calloc(x->a, size, sizeof(*v));

		for (size_t i = 0; i < x->n; i++)
			v[i] = x->out[i];
		x->out = v;
		x->size = size;
	}
	x->out[x->n++] = dir_answer_dup(x->a, y);
}

/* One member whose entry was found. */
static enum rc
take_member(struct expansion *x, const struct dir_answer *y)
{
	if (y->r.rc == RC_TEMP)
		return RC_TEMP;
	if (y->r.rc == RC_NOENT) /* scope_group leaves it outside */
		return RC_OK;
	if (!first_time(x, "id", y->r.id))
		return RC_OK;
	TRACE(x->t, "member: %.*s", STRF(y->dn));
	if (y->r.kind == DIR_GROUP && y->r.rc == RC_OK) {
		if (x->group.n == DIR_GROUPS_MAX)
			return too_many(x, "groups");
		dir_strs_add(x->a, &x->group, str_dup(x->a, y->dn));
		return RC_OK;
	}
	if (x->n == DIR_MEMBERS_MAX)
		return too_many(x, "members");
	push(x, y);
	return RC_OK;
}

static enum rc
take_entries(
    struct expansion *x, struct arena *a, const struct dir_raw *v, size_t n)
{
	struct dir_rules r = dir_rules_of(x->d, NULL);
	struct dir_answer *y = arena_calloc(a, n + 1, sizeof(*y));
	enum rc rc;

	for (size_t i = 0; i < n; i++) {
		struct dir_entry e;

		dir_entry_read(a, &x->d->schema, &v[i], &e);
		dir_rule_entry(&r, a, &e, &y[i]);
	}
	rc = dir_apply_scope(x->d, a, y, n, x->dl, NULL);
	for (size_t i = 0; i < n && rc == RC_OK; i++)
		rc = take_member(x, &y[i]);
	return rc;
}

/* Ask all, then judge all; an entry that is not there is said, not fatal. */
static enum rc
ask(struct expansion *x, struct arena *a, struct dir_query *q, size_t n)
{
	if (n == 0)
		return RC_OK;
	if (dir_search(x->d->be, a, q, n, x->dl) != RC_OK)
		return RC_TEMP;
	for (size_t i = 0; i < n; i++) {
		enum rc rc;

		if (q[i].rc == RC_TEMP || q[i].more)
			return RC_TEMP;
		if (q[i].rc != RC_OK || q[i].nfound == 0)
			log_warn(&x->d->log, "group.member_missing",
			    KV("member", q[i].base.n ? q[i].base : q[i].filter),
			    KVC("why", q[i].rc == RC_OK ? "not in scope"
							: "no such entry"));
		rc = take_entries(x, a, q[i].found, q[i].nfound);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static enum rc
members_by_dn(struct expansion *x, const struct dir_strs *dn)
{
	for (size_t at = 0; at < dn->n;) {
		AUTO_ARENA a = { 0 };
		struct dir_query q[BATCH];
		size_t n = 0;
		enum rc rc;

		for (; at < dn->n && n < BATCH; at++)
			if (first_dn(x, dn->v[at]))
				q[n++] = dir_q_dn(x->d, &a, dn->v[at]);
		if ((rc = ask(x, &a, q, n)) != RC_OK)
			return rc;
	}
	return RC_OK;
}

static enum rc
members_by_uid(struct expansion *x, const struct dir_strs *uid)
{
	for (size_t at = 0; at < uid->n;) {
		AUTO_ARENA a = { 0 };
		struct dir_query q[BATCH];
		size_t n = 0;
		enum rc rc;

		for (; at < uid->n && n < BATCH; at++) {
			struct str who = uid->v[at];

			if (who.n > DIR_LOGIN_MAX)
				log_warn(&x->d->log, "group.member_missing",
				    KV("member", str_sub(who, 0, 80)),
				    KVC("why", "too long for a login name"));
			else if (first_time(x, "uid", who))
				q[n++] = dir_q_attr(x->d, &a, DIR_R_LOGIN, who);
		}
		if ((rc = ask(x, &a, q, n)) != RC_OK)
			return rc;
	}
	return RC_OK;
}

static enum rc
foreign_member(struct expansion *x, struct str address)
{
	struct dir_answer y = { .r = { .rc = RC_OK,
				    .kind = DIR_ELSEWHERE,
				    .address = address,
				    .route = address,
				    .why = STR_INIT("a foreign address") } };

	if (x->n == DIR_MEMBERS_MAX)
		return too_many(x, "members");
	push(x, &y);
	return RC_OK;
}

static enum rc
members_by_mail(struct expansion *x, const struct dir_strs *mail)
{
	struct dir_rules r = dir_rules_of(x->d, NULL);

	for (size_t i = 0; i < mail->n; i++) {
		AUTO_ARENA a = { 0 };
		struct dir_answer y;
		struct addr addr;
		enum rc rc;

		if (mail_addr_parse(&a, mail->v[i], &addr) != RC_OK ||
		    !first_time(x, "mail", str_lower(&a, mail->v[i])))
			continue;
		if (!dir_is_local(&r, &a, mail->v[i])) {
			rc = foreign_member(x, mail->v[i]);
		} else {
			rc = dir_lookup(
			    x->d, &a, &mail->v[i], 1, x->dl, NULL, &y);
			if (rc == RC_OK)
				rc = take_member(x, &y);
		}
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

/* In AD nobody is listed as member of his primary group. */
static enum rc
members_by_primary(struct expansion *x, struct str dn)
{
	AUTO_ARENA a = { 0 };
	struct dir_query q = dir_q_dn(x->d, &a, dn);
	struct dir_entry e;

	if (!x->d->schema.ad)
		return RC_OK;
	if (dir_search(x->d->be, &a, &q, 1, x->dl) != RC_OK || q.rc == RC_TEMP)
		return RC_TEMP;
	if (q.rc != RC_OK || q.nfound == 0)
		return RC_OK;
	dir_entry_read(&a, &x->d->schema, &q.found[0], &e);
	if (!e.has_rid)
		return RC_OK;
	q = dir_q_primary(x->d, &a, e.rid);
	if (dir_search(x->d->be, &a, &q, 1, x->dl) != RC_OK || q.rc != RC_OK)
		return RC_TEMP;
	if (q.more)
		return too_many(x, "primary members");
	return take_entries(x, &a, q.found, q.nfound);
}

static enum rc
look_into(struct expansion *x, struct str dn)
{
	struct dir_members m;
	enum rc rc;

	TRACE(x->t, "group: %.*s", STRF(dn));
	rc = dir_member_list(x->d, x->a, dn, DIR_MEMBERS_MAX, x->dl, &m);
	if (rc == RC_BAD)
		return too_many(x, "members");
	if (rc == RC_OK)
		rc = members_by_dn(x, &m.dn);
	if (rc == RC_OK)
		rc = members_by_uid(x, &m.uid);
	if (rc == RC_OK)
		rc = members_by_mail(x, &m.mail);
	if (rc == RC_OK)
		rc = members_by_primary(x, dn);
	return rc;
}

enum rc
dir_group_expand(struct dir *d, struct arena *a, struct str id,
    struct deadline dl, struct dir_trace *t, struct dir_answer **out,
    size_t *out_n)
{
	struct expansion x = { .d = d, .a = a, .dl = dl, .t = t };
	struct dir_answer top;
	enum rc rc = dir_lookup_id(d, a, id, dl, NULL, &top);

	if (rc != RC_OK)
		return rc;
	if (top.r.rc != RC_OK)
		return top.r.rc == RC_TEMP ? RC_TEMP : RC_NOENT;
	if (top.r.kind != DIR_GROUP)
		return RC_NOENT;
	if (dir_dn_norm(a, str_c(d->conf->ldap_base), &x.base) != RC_OK)
		return RC_TEMP;
	(void)first_dn(&x, top.dn);
	rc = take_member(&x, &top);
	for (size_t i = 0; i < x.group.n && rc == RC_OK; i++) {
		rc = look_into(&x, x.group.v[i]);
		/* A nested group that went away meanwhile has no members. */
		if (rc == RC_NOENT && i > 0)
			rc = RC_OK;
	}
	HASH_CLEAR(hh, x.seen);
	if (rc != RC_OK)
		return rc;
	*out = x.out;
	*out_n = x.n;
	return RC_OK;
}
