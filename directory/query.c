/*
 * proxyAddresses is compared without regard to case, so "smtp:" finds the
 * primary "SMTP:" too.  Every value passes dir_filter_escape here, whatever
 * was checked before.
 */
#include "directory/ad_value.h"
#include "directory/dn.h"
#include "directory/filter.h"
#include "directory/query.h"

#define IN_CHAIN      "1.2.840.113556.1.4.1941"
#define AD_NOT_PEOPLE "(objectClass=group)(objectClass=contact)"
#define RFC_NOT_PEOPLE                                                         \
	"(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)"           \
	"(objectClass=posixGroup)(objectClass=groupOfMembers)"                 \
	"(objectClass=mailGroup)(objectClass=nisMailAlias)"

void
dir_terms_free(struct dir_terms *t)
{
	buf_free(&t->b);
}

void
dir_f_term(struct arena *a, struct dir_terms *t, const char *attr,
    struct str prefix, struct str value)
{
	if (t->b.cap == 0)
		buf_init(&t->b, DIR_FILTER_MAX);
	/* Escaped, it is three times as long at most. */
	t->over |= value.n > DIR_FILTER_MAX ||
		   buf_fmt(&t->b, "(%s=%.*s%.*s)", attr, STRF(prefix),
		       STRF(dir_filter_escape(a, value))) != RC_OK;
}

struct str
dir_f_joined(struct arena *a, const char *op, const struct dir_terms *t)
{
	if (t->over)
		return STR("");
	return str_fmt(a, "(%s%.*s)", op, STRF(buf_str(&t->b)));
}

/*
 * The scope is about people: a filter such as (memberOf=...) must not make
 * groups and contacts vanish.
 */
struct str
dir_f_scoped(const struct dir *d, struct arena *a, struct str filter)
{
	const char *scope = d->conf->scope_filter;

	if (scope == NULL || scope[0] == '\0' || filter.n == 0)
		return filter;
	return str_fmt(a, "(&%.*s(|%s%s))", STRF(filter), scope,
	    d->schema.ad ? AD_NOT_PEOPLE : RFC_NOT_PEOPLE);
}

static void
all_of_role(const struct dir *d, struct arena *a, struct dir_terms *t,
    enum dir_role role, struct str value)
{
	const char *attr;

	for (size_t at = 0; (attr = dir_schema_next(&d->schema, role, &at));)
		dir_f_term(a, t, attr,
		    str_ieq(str_c(attr), STR("proxyAddresses")) ? STR("smtp:")
								: STR(""),
		    value);
}

static struct dir_query
query(const struct dir *d, struct str filter)
{
	return (struct dir_query){ .scope = DIR_SUBTREE,
		.filter = filter,
		.attrs = d->schema.fetch,
		.max = DIR_MATCHES_MAX };
}

struct dir_query
dir_q_address(const struct dir *d, struct arena *a, struct str address)
{
	AUTO_TERMS t = { 0 };

	all_of_role(d, a, &t, DIR_R_ALIAS, address);
	all_of_role(d, a, &t, DIR_R_MAIL, address);
	all_of_role(d, a, &t, DIR_R_UPN, address);
	return query(d, dir_f_scoped(d, a, dir_f_joined(a, "|", &t)));
}

struct dir_query
dir_q_id(const struct dir *d, struct arena *a, struct str id)
{
	AUTO_TERMS t = { 0 };
	struct str raw;

	if (d->schema.ad && ad_guid_bytes(a, id, &raw) == RC_OK)
		all_of_role(d, a, &t, DIR_R_ID, raw);
	/* An LDIF file may have it as text. */
	if (!d->schema.ad || d->conf->directory == CONF_LDIF)
		all_of_role(d, a, &t, DIR_R_ID, id);
	return query(d, dir_f_scoped(d, a, dir_f_joined(a, "|", &t)));
}

struct dir_query
dir_q_dn(const struct dir *d, struct arena *a, struct str dn)
{
	struct dir_query q =
	    query(d, dir_f_scoped(d, a, STR("(objectClass=*)")));

	q.base = dn;
	q.scope = DIR_BASE;
	q.max = 1;
	return q;
}

struct dir_query
dir_q_attr(
    const struct dir *d, struct arena *a, enum dir_role role, struct str value)
{
	AUTO_TERMS t = { 0 };

	all_of_role(d, a, &t, role, value);
	return query(d, dir_f_scoped(d, a, dir_f_joined(a, "|", &t)));
}

/* Whether an entry is there. */
static struct dir_query
presence(struct str base)
{
	static const char *const none[] = { "objectClass", NULL };

	return (struct dir_query){
		.base = base, .scope = DIR_BASE, .attrs = none, .max = 1
	};
}

/* AD follows nesting itself, from the person upwards. */
struct dir_query
dir_q_in_chain(
    const struct dir *d, struct arena *a, struct str dn, struct str group)
{
	struct dir_query q = presence(dn);
	AUTO_TERMS t = { 0 };

	(void)d;
	dir_f_term(a, &t, "memberOf:" IN_CHAIN ":", STR(""), group);
	q.filter = dir_f_joined(a, "&", &t);
	return q;
}

struct dir_query
dir_q_ids_in_chain(const struct dir *d, struct arena *a, const struct str *id,
    size_t n, struct str group)
{
	const char **attrs = arena_calloc(a, DIR_ATTRS_MAX + 1, sizeof(*attrs));
	struct dir_query q = { .scope = DIR_SUBTREE, .max = n };
	size_t at = 0, na = 0;
	AUTO_TERMS ids = { 0 }, in = { 0 };
	struct str raw, who, chain;

	for (size_t i = 0; i < n; i++)
		if (ad_guid_bytes(a, id[i], &raw) == RC_OK)
			all_of_role(d, a, &ids, DIR_R_ID, raw);
	dir_f_term(a, &in, "memberOf:" IN_CHAIN ":", STR(""), group);
	who = dir_f_joined(a, "|", &ids);
	chain = dir_f_joined(a, "&", &in);
	while ((attrs[na] = dir_schema_next(&d->schema, DIR_R_ID, &at)) != NULL)
		na++;
	q.attrs = (const char *const *)attrs;
	if (who.n > 0 && chain.n > 0)
		q.filter = str_fmt(a, "(&%.*s%.*s)", STRF(who), STRF(chain));
	return q;
}

/* In any container of the domain, whatever ldap_base is. */
struct dir_query
dir_q_sid(struct arena *a, struct str sid)
{
	struct str hex = str_hex(a, sid);
	struct dir_query q = presence(str_fmt(a, "<SID=%.*s>", STRF(hex)));

	q.filter = STR("(objectClass=*)");
	return q;
}

struct dir_query
dir_q_in_scope(
    const struct dir *d, struct arena *a, struct str dn, struct str login)
{
	struct str group = str_c(d->conf->scope_group);
	struct dir_query q = presence(group);
	AUTO_TERMS t = { 0 };

	if (d->schema.ad)
		return dir_q_in_chain(d, a, dn, group);
	all_of_role(d, a, &t, DIR_R_MEMBER_DN, dn);
	if (login.n)
		all_of_role(d, a, &t, DIR_R_MEMBER_UID, login);
	q.filter = dir_f_joined(a, "|", &t);
	return q;
}

struct dir_query
dir_q_above(const struct dir *d, struct arena *a, struct str dn,
    struct str login, const struct str *address, size_t n, size_t max)
{
	struct dir_query q;
	AUTO_TERMS t = { 0 };

	all_of_role(d, a, &t, DIR_R_MEMBER_DN, dn);
	if (login.n)
		all_of_role(d, a, &t, DIR_R_MEMBER_UID, login);
	for (size_t i = 0; i < MIN(n, DIR_NAMES_MAX); i++)
		all_of_role(d, a, &t, DIR_R_MEMBER_MAIL, address[i]);
	q = query(d, dir_f_joined(a, "|", &t));
	q.max = max;
	return q;
}

struct dir_query
dir_q_primary(const struct dir *d, struct arena *a, uint32_t rid)
{
	AUTO_TERMS t = { 0 };
	struct dir_query q;

	all_of_role(d, a, &t, DIR_R_PRIMARY, str_fmt(a, "%u", (unsigned)rid));
	q = query(d, dir_f_scoped(d, a, dir_f_joined(a, "|", &t)));
	q.paged = true;
	q.max = DIR_PRIMARY_MAX;
	return q;
}

struct dir_query
dir_q_members(const struct dir *d, struct arena *a, struct str dn,
    const char *attr, size_t from)
{
	struct dir_query q = query(d, STR("(objectClass=*)"));
	const char **attrs;

	q.base = dn;
	q.scope = DIR_BASE;
	q.max = 1;
	if (!d->schema.ad) {
		q.attrs = d->schema.members;
		return q;
	}
	/* A DC gives 1,500 values at a time; asked for by range always. */
	attrs = arena_calloc(a, 2, sizeof(*attrs));
	attrs[0] = str_fmt(a, "%s;range=%zu-*", attr, from).p;
	q.attrs = (const char *const *)attrs;
	return q;
}

void
dir_q_trace(struct dir_trace *t, const struct dir_query *q)
{
	TRACE(t, "query: %s %.*s%s%.*s",
	    q->scope == DIR_BASE ? "entry" : "search", STRF(q->base),
	    q->base.n ? " " : "", STRF(q->filter));
	if (q->rc != RC_OK)
		TRACE(t, "  answer: %s", rc_name(q->rc));
	else
		TRACE(t, "  answer: %zu %s%s", q->nfound,
		    q->nfound == 1 ? "entry" : "entries",
		    q->more ? " and more" : "");
}
