/*
 * A question from the member upwards, because a person is in tens of groups and
 * a group may have a hundred thousand members.
 *
 * AD follows nesting itself (LDAP_MATCHING_RULE_IN_CHAIN on memberOf): one
 * search for each group gives those of CHAIN_BATCH accounts that are in it,
 * before their entries are read: who is there afterwards was there then.  A
 * person's primary group lists nobody and is in nobody's memberOf; it is found
 * by its SID and asked about in the same way.  Other servers are asked for the
 * groups that name the entry, then for those that name these, level by level
 * for all accounts together, each group once, until nothing new comes.
 *
 * A verdict is kept as long as other answers of the directory; so is the
 * verdict on a primary group, which thousands have in common.
 */
#include <string.h>
#include <uthash.h>

#include "directory/ad_value.h"
#include "directory/dn.h"
#include "directory/group.h"
#include "directory/login_name.h"
#include "directory/member.h"
#include "mail/addr.h"

#define BATCH       200u
#define CHAIN_BATCH 50u /* accounts in one filter */

/* ---- groups by name */

static struct str
group_key(struct arena *a, struct str name)
{
	return str_cat(a, STR("group "), str_lower(a, name));
}

static struct dir_answer
no_group(struct str why)
{
	return (struct dir_answer){ .r = { .rc = RC_NOENT, .why = why } };
}

static struct dir_answer
group_by_address(
    struct dir *d, struct arena *a, struct str name, struct deadline dl)
{
	struct dir_answer x;

	if (dir_lookup(d, a, &name, 1, dl, NULL, &x) != RC_OK ||
	    x.r.rc == RC_TEMP)
		return (struct dir_answer){ .r = { .rc = RC_TEMP } };
	if (x.r.rc != RC_OK)
		return no_group(STR("there is no such address"));
	if (x.r.kind != DIR_GROUP)
		return no_group(STR("the address is no group's"));
	return x;
}

static struct dir_answer
group_by_dn(struct dir *d, struct arena *a, struct str dn, struct deadline dl)
{
	struct dir_query q = dir_q_dn(d, a, dn);
	struct dir_answer x = { .r = { .rc = RC_OK, .kind = DIR_GROUP } };
	const char *scope = d->conf->scope_filter;
	bool scoped = scope != NULL && scope[0] != '\0';
	struct str norm, base;
	struct dir_entry e;

	if (dir_dn_norm(a, dn, &norm) != RC_OK)
		return no_group(STR("this is not a DN"));
	if (dir_dn_norm(a, str_c(d->conf->ldap_base), &base) != RC_OK ||
	    !dir_dn_below(norm, base))
		return no_group(STR("it is outside of ldap_base"));
	if (dir_search(d->be, a, &q, 1, dl) != RC_OK || q.rc == RC_TEMP)
		return (struct dir_answer){ .r = { .rc = RC_TEMP } };
	if (q.rc != RC_OK || (q.nfound == 0 && scoped))
		return no_group(STR("there is no such entry"));
	/* An entry that does not even show its objectClass may be a group. */
	e = (struct dir_entry){ .missing = STR("objectClass") };
	if (q.nfound > 0)
		dir_entry_read(a, &d->schema, &q.found[0], &e);
	if (e.class != DIR_C_GROUP && !e.known) {
		log_warn(&d->log, "group.unreadable", KV("group", dn),
		    KV("missing", e.missing));
		return (struct dir_answer){ .r = { .rc = RC_TEMP } };
	}
	if (e.class != DIR_C_GROUP)
		return no_group(STR("the entry is no group"));
	x.dn = e.dn;
	return x;
}

static void
find_group(struct dir *d, struct arena *a, struct str name, struct deadline dl,
    struct dir_group *out)
{
	struct str key = group_key(a, name);
	struct dir_answer x;
	struct addr addr;

	if (!dir_cache_get(d->cache, a, key, now_ns(), &x)) {
		x = mail_addr_parse(a, name, &addr) == RC_OK
			? group_by_address(d, a, name, dl)
			: group_by_dn(d, a, name, dl);
		if (x.r.rc == RC_NOENT)
			log_warn(&d->log, "group.unknown", KV("group", name),
			    KV("why", x.r.why));
		dir_cache_put(d->cache, key, now_ns(), &x);
	}
	*out = (struct dir_group){ .rc = x.r.rc, .dn = x.dn, .why = x.r.why };
	if (x.r.rc == RC_OK && dir_dn_norm(a, x.dn, &out->key) != RC_OK)
		out->rc = RC_TEMP;
}

void
dir_groups_find(struct dir *d, struct arena *a, const struct str *name,
    size_t n, struct deadline dl, struct dir_group *out)
{
	for (size_t i = 0; i < n; i++)
		find_group(d, a, name[i], dl, &out[i]);
}

/* ---- verdicts */

struct asked {
	struct dir *d;
	struct arena *a;
	struct deadline dl;
	const struct dir_group *group;
	size_t ngroup;
	struct account **primary; /* groups that are some account's primary */
};

/* An account that the cache does not have everything about. */
struct account {
	struct str key; /* for the cache: its id, or the DN of a group */
	struct str dn, primary; /* primary: SID of that group, raw */
	struct account *next;   /* of the primary groups */
	struct str *address;
	size_t naddress;
	struct str login;
	bool known;
	int64_t until_ns; /* of what the cache had a share in; or 0 */
	enum rc *out;     /* of each group */
};

static void
nothing_known(const struct asked *q, struct account *x)
{
	for (size_t k = 0; k < q->ngroup; k++)
		x->out[k] = q->group[k].rc == RC_OK ? RC_TEMP : q->group[k].rc;
}

/* 0 is never. */
static int64_t
sooner(int64_t a, int64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static struct str
verdict_key(const struct asked *q, const struct account *x, size_t group)
{
	return str_fmt(
	    q->a, "in %.*s %.*s", STRF(x->key), STRF(q->group[group].key));
}

/* All verdicts on an account, or none: they are found out together. */
static bool
from_cache(const struct asked *q, struct account *x)
{
	int64_t until = x->until_ns;
	struct dir_answer y;

	for (size_t k = 0; k < q->ngroup; k++) {
		x->out[k] = q->group[k].rc;
		if (x->out[k] != RC_OK)
			continue;
		if (!dir_cache_get(q->d->cache, q->a, verdict_key(q, x, k),
			now_ns(), &y)) {
			nothing_known(q, x);
			return false;
		}
		x->out[k] = y.r.rc;
		until = sooner(until, y.until_ns);
	}
	x->until_ns = until;
	return true;
}

/* A group counts as one of its members. */
static void
is_itself(const struct asked *q, struct account *x)
{
	struct str norm;

	if (dir_dn_norm(q->a, x->dn, &norm) != RC_OK)
		return;
	for (size_t k = 0; k < q->ngroup; k++)
		if (q->group[k].rc == RC_OK && str_eq(q->group[k].key, norm))
			x->out[k] = RC_OK;
}

/* What was found out. */
static void
to_cache(const struct asked *q, const struct account *x)
{
	struct dir_answer y = { .in_scope = true, .until_ns = x->until_ns };

	for (size_t k = 0; k < q->ngroup; k++) {
		y.r.rc = x->out[k];
		if (q->group[k].rc == RC_OK)
			dir_cache_put(
			    q->d->cache, verdict_key(q, x, k), now_ns(), &y);
	}
}

/* Searches in pieces, so that no piece's answers grow without bound. */
static enum rc
search(const struct asked *q, struct dir_query *v, size_t n)
{
	for (size_t i = 0; i < n; i += BATCH)
		if (dir_search(q->d->be, q->a, v + i, MIN(n - i, BATCH),
			q->dl) != RC_OK)
			return RC_TEMP;
	return RC_OK;
}

/* ---- AD */

/* Who of the accounts is among those that a search for a group gave. */
static void
take_chain(const struct asked *q, const struct dir_query *s, size_t group,
    struct account *const *v, size_t n)
{
	enum rc other = s->rc == RC_OK && !s->more ? RC_DENY : RC_TEMP;
	bool in[CHAIN_BATCH] = { false };

	for (size_t f = 0; f < s->nfound; f++) {
		AUTO_ARENA a = { 0 };
		struct dir_entry e;

		dir_entry_read(&a, &q->d->schema, &s->found[f], &e);
		if (e.id.n == 0) /* it may be anybody */
			other = RC_TEMP;
		for (size_t i = 0; i < n; i++)
			in[i] |= str_eq(e.id, v[i]->key);
	}
	for (size_t i = 0; i < n; i++)
		v[i]->out[group] = in[i] ? RC_OK : other;
}

/* One search for each group; CHAIN_BATCH accounts at most. */
static enum rc
ask_chain(const struct asked *q, struct account *const *v, size_t n)
{
	struct dir_query *s = arena_calloc(q->a, q->ngroup, sizeof(*s));
	struct str *id = arena_calloc(q->a, n, sizeof(*id));
	size_t ns = 0, at = 0;

	for (size_t i = 0; i < n; i++)
		id[i] = v[i]->key;
	for (size_t k = 0; k < q->ngroup; k++)
		if (q->group[k].rc == RC_OK)
			s[ns++] = dir_q_ids_in_chain(
			    q->d, q->a, id, n, q->group[k].dn);
	if (search(q, s, ns) != RC_OK)
		return RC_TEMP;
	for (size_t k = 0; k < q->ngroup; k++)
		if (q->group[k].rc == RC_OK)
			take_chain(q, &s[at++], k, v, n);
	return RC_OK;
}

static enum rc
ask_chain_of_group(const struct asked *q, struct account *p)
{
	struct dir_query *s = arena_calloc(q->a, q->ngroup, sizeof(*s));
	size_t ns = 0, at = 0;

	for (size_t k = 0; k < q->ngroup; k++)
		if (q->group[k].rc == RC_OK)
			s[ns++] =
			    dir_q_in_chain(q->d, q->a, p->dn, q->group[k].dn);
	if (search(q, s, ns) != RC_OK)
		return RC_TEMP;
	for (size_t k = 0; k < q->ngroup; k++) {
		if (q->group[k].rc != RC_OK)
			continue;
		if (s[at].rc == RC_OK)
			p->out[k] = s[at].nfound > 0 ? RC_OK : RC_DENY;
		at++;
	}
	is_itself(q, p);
	return RC_OK;
}

/* The DN of a primary group, wherever in the domain it is. */
static enum rc
primary_dn(const struct asked *q, struct account *p)
{
	struct str hex = str_hex(q->a, p->primary), key;
	struct dir_answer x;
	struct dir_query s;

	key = str_cat(q->a, STR("sid "), hex);
	if (dir_cache_get(q->d->cache, q->a, key, now_ns(), &x)) {
		p->dn = x.dn;
		p->until_ns = x.until_ns;
		return RC_OK;
	}
	s = dir_q_sid(q->a, p->primary);
	if (dir_search(q->d->be, q->a, &s, 1, q->dl) != RC_OK ||
	    s.rc == RC_TEMP)
		return RC_TEMP;
	if (s.rc != RC_OK || s.nfound == 0) {
		log_warn(&q->d->log, "group.primary_missing", KV("sid", hex));
		return RC_TEMP;
	}
	p->dn = s.found[0].dn;
	x = (struct dir_answer){ .dn = p->dn };
	dir_cache_put(q->d->cache, key, now_ns(), &x);
	return RC_OK;
}

/* The primary group with this SID, looked at once in a call. */
static const struct account *
primary_group(const struct asked *q, struct str sid)
{
	struct account *p;

	for (p = *q->primary; p != NULL; p = p->next)
		if (str_eq(p->primary, sid))
			return p;
	p = arena_calloc(q->a, 1, sizeof(*p));
	p->primary = sid;
	p->next = *q->primary;
	*q->primary = p;
	p->out = arena_calloc(q->a, q->ngroup, sizeof(*p->out));
	nothing_known(q, p);
	if (primary_dn(q, p) != RC_OK)
		return p;
	p->key = p->dn;
	if (!from_cache(q, p) && ask_chain_of_group(q, p) == RC_OK)
		to_cache(q, p);
	return p;
}

/* What somebody's primary group is in, they are in, too. */
static void
by_primary(const struct asked *q, struct account *x)
{
	const struct account *p;

	if (!x->known || x->primary.n == 0)
		return;
	p = primary_group(q, x->primary);
	x->until_ns = p->until_ns;
	for (size_t k = 0; k < q->ngroup; k++)
		if (x->out[k] == RC_DENY)
			x->out[k] = p->out[k];
}

/* ---- other servers */

struct link {
	struct link *next;
	struct node *to;
};

/* On the way up: an account, a group, or what has the SID of a primary one. */
struct node {
	UT_hash_handle hh;
	struct str key; /* accounts have none */
	struct str dn, login;
	struct str *address;
	size_t naddress;
	struct str sid;
	bool wanted; /* one of the groups asked about */
	bool done;   /* `up` is everything that names it */
	struct link *up;
	struct node *then;          /* in the queue, later in a walk */
	const struct account *mark; /* whose walk came by last */
};

/* The groups above some accounts, each asked about once. */
struct climb {
	const struct asked *q;
	struct arena *a;
	struct node *node;
	struct node *todo, **tail;
	size_t ngroup;
	bool full;
};

static void
later(struct climb *c, struct node *n)
{
	*c->tail = n;
	c->tail = &n->then;
}

static void
add_link(struct climb *c, struct node *below, struct node *above)
{
	struct link *l = arena_calloc(c->a, 1, sizeof(*l));

	*l = (struct link){ below->up, above };
	below->up = l;
}

/* The node of that key; *made: it is new. */
static struct node *
node_of(struct climb *c, struct str key, bool *made)
{
	struct node *n;

	HASH_FIND(hh, c->node, key.p, key.n, n);
	*made = n == NULL;
	if (n != NULL)
		return n;
	n = arena_calloc(c->a, 1, sizeof(*n));
	n->key = str_dup(c->a, key);
	HASH_ADD_KEYPTR(hh, c->node, n->key.p, n->key.n, n);
	later(c, n);
	return n;
}

/* All addresses that an entry goes by; an attribute may hold anything. */
static void
take_addresses(
    struct arena *a, const struct dir_entry *e, struct str **out, size_t *out_n)
{
	size_t all = e->nmails + e->naliases, n = 0;
	AUTO_ARENA tmp = { 0 };
	struct addr addr;

	*out = arena_calloc(a, MIN(all, DIR_NAMES_MAX) + 1, sizeof(**out));
	for (size_t i = 0; i < all && n < DIR_NAMES_MAX; i++) {
		struct str v =
		    i < e->nmails ? e->mail[i] : e->alias[i - e->nmails];

		if (v.n <= MAIL_ADDR_TEXT_MAX &&
		    mail_addr_parse(&tmp, v, &addr) == RC_OK)
			(*out)[n++] = str_dup(a, v);
	}
	*out_n = n;
}

/* A group that names `below`; false: no room. */
static bool
take_group(struct climb *c, struct arena *a, struct node *below,
    const struct dir_raw *raw)
{
	const struct asked *q = c->q;
	struct dir_entry e;
	struct str norm;
	struct node *n;
	bool made;

	dir_entry_read(a, &q->d->schema, raw, &e);
	if (dir_dn_norm(a, e.dn, &norm) != RC_OK)
		norm = e.dn;
	if (c->ngroup == DIR_CLIMB_MAX) {
		c->full = true;
		return false;
	}
	n = node_of(c, norm, &made);
	add_link(c, below, n);
	if (!made)
		return true;
	c->ngroup++;
	n->dn = str_dup(c->a, e.dn);
	take_addresses(c->a, &e, &n->address, &n->naddress);
	for (size_t k = 0; k < q->ngroup; k++)
		n->wanted |=
		    q->group[k].rc == RC_OK && str_eq(q->group[k].key, norm);
	return true;
}

static void
too_many(const struct climb *c, struct str dn)
{
	log_error(&c->q->d->log, "alarm.too_many_groups", KV("entry", dn));
}

/* The next nodes, one search for each, and what they lead to. */
static enum rc
step(struct climb *c)
{
	AUTO_ARENA a = { 0 };
	struct dir_query s[BATCH];
	struct node *at[BATCH];
	size_t n = 0;

	for (; c->todo != NULL && n < BATCH; c->todo = c->todo->then) {
		const struct node *x = c->todo;

		at[n] = c->todo;
		s[n++] = x->sid.n > 0
			     ? dir_q_attr(c->q->d, &a, DIR_R_SID, x->sid)
			     : dir_q_above(c->q->d, &a, x->dn, x->login,
				   x->address, x->naddress, DIR_ABOVE_MAX);
	}
	if (c->todo == NULL)
		c->tail = &c->todo;
	if (dir_search(c->q->d->be, &a, s, n, c->q->dl) != RC_OK)
		return RC_TEMP;
	for (size_t i = 0; i < n; i++) {
		if (s[i].rc != RC_OK)
			continue;
		if (s[i].more)
			too_many(c, at[i]->dn);
		for (size_t k = 0; k < s[i].nfound; k++)
			if (!take_group(c, &a, at[i], &s[i].found[k]))
				return RC_OK;
		at[i]->done = !s[i].more;
	}
	return RC_OK;
}

static struct node *
start(struct climb *c, const struct account *x)
{
	struct node *n = arena_calloc(c->a, 1, sizeof(*n)), *p;
	bool made;

	n->dn = x->dn;
	n->login = x->login;
	n->address = x->address;
	n->naddress = x->naddress;
	later(c, n);
	if (x->primary.n > 0) {
		p = node_of(c, x->primary, &made);
		p->sid = x->primary;
		add_link(c, n, p);
	}
	return n;
}

/* What is above an account; false: not all of it is known. */
static bool
walk(const struct asked *q, struct node *from, struct account *x)
{
	struct node *stack = from;
	bool all = true;

	from->then = NULL;
	from->mark = x;
	while (stack != NULL) {
		const struct node *n = stack;

		stack = n->then;
		all &= n->done;
		for (size_t k = 0; k < q->ngroup && n->wanted; k++)
			if (q->group[k].rc == RC_OK &&
			    str_eq(q->group[k].key, n->key))
				x->out[k] = RC_OK;
		for (const struct link *l = n->up; l != NULL; l = l->next) {
			if (l->to->mark == x)
				continue;
			l->to->mark = x;
			l->to->then = stack;
			stack = l->to;
		}
	}
	for (size_t k = 0; k < q->ngroup && all; k++)
		if (x->out[k] == RC_TEMP && q->group[k].rc == RC_OK)
			x->out[k] = RC_DENY;
	return all;
}

/* Those that are left without a verdict, moved to the front. */
static size_t
climb_once(const struct asked *q, struct account **v, size_t n, bool *full)
{
	AUTO_ARENA a = { 0 };
	struct climb c = { .q = q, .a = &a };
	struct node **from = arena_calloc(&a, n, sizeof(*from));
	enum rc rc = RC_OK;
	size_t left = 0;

	c.tail = &c.todo;
	for (size_t i = 0; i < n; i++)
		from[i] = start(&c, v[i]);
	while (rc == RC_OK && !c.full && c.todo != NULL)
		rc = step(&c);
	for (size_t i = 0; i < n; i++)
		if (!walk(q, from[i], v[i]))
			v[left++] = v[i];
	HASH_CLEAR(hh, c.node);
	if (c.full && n == 1)
		too_many(&c, v[0]->dn);
	*full = c.full;
	return left;
}

/*
 * One account above which there are too many groups must not cost the others
 * their verdicts: it is looked for by halves.
 */
static void
climb(const struct asked *q, struct account **v, size_t n)
{
	bool full;
	size_t left = n > 0 ? climb_once(q, v, n, &full) : 0;

	if (left == 0 || !full || n == 1)
		return;
	climb(q, v, left / 2);
	climb(q, v + left / 2, left - left / 2);
}

static void
ask_upwards(const struct asked *q, struct account *const *v, size_t n)
{
	struct account **known = arena_calloc(q->a, n, sizeof(*known));
	size_t m = 0;

	for (size_t i = 0; i < n; i++)
		if (v[i]->known)
			known[m++] = v[i];
	climb(q, known, m);
}

/* ---- accounts */

/* objectSid with primaryGroupID in place of its last part. */
static struct str
primary_sid(const struct asked *q, const struct dir_raw *e)
{
	const struct dir_attr *sid = NULL, *group = NULL;
	enum dir_role role;
	uint64_t rid;
	char *p;

	for (size_t i = 0; i < e->nattr; i++) {
		if (!dir_schema_role(&q->d->schema, e->attr[i].name, &role))
			continue;
		if (role == DIR_R_SID)
			sid = &e->attr[i];
		else if (role == DIR_R_PRIMARY)
			group = &e->attr[i];
	}
	if (sid == NULL || group == NULL || sid->n == 0 || group->n == 0 ||
	    sid->v[0].n < 12 || str_u64(group->v[0], UINT32_MAX, &rid) != RC_OK)
		return STR("");
	p = arena_alloc(q->a, sid->v[0].n);
	memcpy(p, sid->v[0].p, sid->v[0].n);
	for (size_t i = 0; i < 4; i++)
		p[sid->v[0].n - 4 + i] = (char)(rid >> (8 * i));
	return str_n(p, sid->v[0].n);
}

static void
read_account(
    const struct asked *q, const struct dir_query *s, struct account *x)
{
	struct dir_entry e;

	/* An id was an account's a moment ago: without it, nothing is known. */
	if (s->rc != RC_OK || s->nfound == 0) {
		nothing_known(q, x);
		return;
	}
	dir_entry_read(q->a, &q->d->schema, &s->found[0], &e);
	x->known = true;
	x->dn = e.dn;
	if (e.login.n <= DIR_LOGIN_MAX)
		x->login = e.login;
	x->primary = primary_sid(q, &s->found[0]);
	take_addresses(q->a, &e, &x->address, &x->naddress);
	is_itself(q, x);
}

/* Verdicts on all or, when nothing could be asked, on none. */
static enum rc
ask_some(const struct asked *q, struct account **v, size_t n, bool chain)
{
	struct dir_query *s = arena_calloc(q->a, n, sizeof(*s));
	enum rc rc = chain ? ask_chain(q, v, n) : RC_OK;

	for (size_t i = 0; i < n; i++)
		s[i] = dir_q_id(q->d, q->a, v[i]->key);
	if (rc == RC_OK)
		rc = search(q, s, n);
	if (rc != RC_OK) {
		for (size_t i = 0; i < n; i++)
			nothing_known(q, v[i]);
		return rc;
	}
	for (size_t i = 0; i < n; i++)
		read_account(q, &s[i], v[i]);
	for (size_t i = 0; i < n && chain; i++)
		by_primary(q, v[i]);
	if (!chain)
		ask_upwards(q, v, n);
	for (size_t i = 0; i < n; i++)
		to_cache(q, v[i]);
	return RC_OK;
}

/* What was found out before the directory fell silent is kept. */
static enum rc
ask(const struct asked *q, struct account **v, size_t n)
{
	bool chain = q->d->schema.ad && q->d->conf->directory != CONF_LDIF;
	size_t at = 0, piece = chain ? CHAIN_BATCH : BATCH;
	enum rc rc = RC_OK;

	for (; at < n && rc == RC_OK; at += piece)
		rc = ask_some(q, v + at, MIN(n - at, piece), chain);
	return at <= piece ? rc : RC_OK;
}

enum rc
dir_member_of(struct dir *d, struct arena *a, const struct str *id, size_t n,
    const struct dir_group *group, size_t ngroup, struct deadline dl,
    enum rc *out)
{
	struct account *primary = NULL;
	const struct asked q = { d, a, dl, group, ngroup, &primary };
	struct account *x = arena_calloc(a, n, sizeof(*x));
	struct account **v = arena_calloc(a, n, sizeof(*v));
	size_t nv = 0;

	for (size_t i = 0; i < n; i++) {
		x[i].key = id[i];
		x[i].out = out + i * ngroup;
		if (id[i].n != DIR_ID_LEN)
			return RC_BAD;
		if (!from_cache(&q, &x[i]))
			v[nv++] = &x[i];
	}
	return nv > 0 ? ask(&q, v, nv) : RC_OK;
}
