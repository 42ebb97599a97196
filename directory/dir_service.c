/*
 * One row per operation.  A handler reads its fields, asks, and writes the
 * answer; what is not decided is RC_TEMP.  A handler never trusts that a peer
 * kept to the limits of dir_client.h.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "directory/auth.h"
#include "directory/check.h"
#include "directory/dir_service.h"
#include "directory/explain.h"
#include "directory/group.h"
#include "directory/guard.h"
#include "directory/member.h"
#include "directory/sasl.h"
#include "directory/wire.h"

struct dir_service {
	struct log log;
	pthread_mutex_t lock; /* guards cur */
	struct dir *cur;
	struct dir_backend *be;
	struct dir_guard *guard;
	struct dir_tickets *tickets;
	struct dir_sasls *sasls;
	_Atomic uint64_t lookups, logins, refused, failed;
};

/* One request on its way: the directory it began with. */
struct call {
	struct dir_service *s;
	struct dir *d;
	struct rpcd_req *r;
	struct deadline dl;
};

static enum rc
strings(struct call *c, const char *name, size_t max, struct str **out,
    size_t *out_n)
{
	struct str *v = arena_calloc(&c->r->a, max, sizeof(*v)), one;
	size_t pos = 0, n = 0;

	while (ipc_next_str(&c->r->in, name, &pos, &one) == RC_OK) {
		if (n == max)
			return RC_BAD;
		v[n++] = one;
	}
	*out = v;
	*out_n = n;
	return RC_OK;
}

static enum rc
addresses(struct call *c, struct str **out, size_t *out_n)
{
	enum rc rc = strings(c, "address", DIR_RCPTS_MAX, out, out_n);

	return rc == RC_OK && *out_n == 0 ? RC_BAD : rc;
}

/* Groups take mail from people who authenticated, unless set otherwise. */
static void
group_rule(const struct call *c, bool authenticated, struct dir_answer *x)
{
	if (x->r.rc != RC_OK || x->r.kind != DIR_GROUP || authenticated ||
	    c->d->conf->group_open)
		return;
	x->r.rc = RC_DENY;
	x->r.why = STR("groups take mail from authenticated senders only");
}

static enum rc
on_rcpts(struct call *c)
{
	bool authenticated = ipc_u64_or(&c->r->in, "authenticated", 0) != 0;
	struct dir_answer *x;
	struct str *v;
	size_t n;
	enum rc rc;

	if (addresses(c, &v, &n) != RC_OK || ipc_in_done(&c->r->in) != RC_OK)
		return RC_BAD;
	x = arena_calloc(&c->r->a, n, sizeof(*x));
	rc = dir_lookup(c->d, &c->r->a, v, n, c->dl, NULL, x);
	if (rc != RC_OK)
		return rc;
	atomic_fetch_add(&c->s->lookups, n);
	for (size_t i = 0; i < n; i++) {
		group_rule(c, authenticated, &x[i]);
		dir_wire_put_rcpt(&c->r->out, &x[i].r);
	}
	return RC_OK;
}

static enum rc
on_expand(struct call *c)
{
	struct dir_answer *x = NULL;
	AUTO_BUF b = { 0 };
	AUTO_FD fd = -1;
	struct str id;
	size_t n = 0;
	enum rc rc;

	if (ipc_get_str(&c->r->in, "id", &id) != RC_OK ||
	    ipc_in_done(&c->r->in) != RC_OK)
		return RC_BAD;
	/* Many questions: only each of them has directory_timeout_ms. */
	rc = dir_group_expand(c->d, &c->r->a, id, c->r->dl, NULL, &x, &n);
	if (rc != RC_OK)
		return rc;
	buf_init(&b, DIR_EXPANSION_MAX);
	for (size_t i = 0; i < MAX(n, 1); i++)
		if (dir_wire_pack(&b, n ? &x[i].r : NULL, i, n) != RC_OK)
			return RC_TEMP;
	fd = fd_sealed("members", buf_str(&b));
	if (fd < 0)
		return RC_TEMP;
	ipc_put_fd(&c->r->out, "members", fd);
	return RC_OK;
}

static enum rc
on_by_id(struct call *c)
{
	struct dir_answer x;
	struct str id;
	enum rc rc;

	if (ipc_get_str(&c->r->in, "id", &id) != RC_OK ||
	    ipc_in_done(&c->r->in) != RC_OK)
		return RC_BAD;
	rc = dir_lookup_id(c->d, &c->r->a, id, c->dl, NULL, &x);
	if (rc == RC_OK)
		dir_wire_put_rcpt(&c->r->out, &x.r);
	return rc;
}

static enum rc
get_login(struct call *c, struct dir_login *out)
{
	struct ipc_in *in = &c->r->in;

	*out = (struct dir_login){ 0 };
	if (ipc_get_str(in, "name", &out->name) != RC_OK ||
	    ipc_get_str(in, "authzid", &out->authzid) != RC_OK ||
	    ipc_get_str(in, "service", &out->service) != RC_OK ||
	    ipc_get_str(in, "client", &out->client_ip) != RC_OK)
		return RC_BAD;
	out->ticket = ipc_u64_or(in, "ticket", 0) != 0;
	return RC_OK;
}

static void
put_account(
    struct call *c, struct dir_account *x, bool ticket, struct str service)
{
	if (ticket)
		x->ticket = dir_ticket_issue(
		    c->s->tickets, &c->r->a, x, service, now_ns());
	dir_wire_put_account(&c->r->out, x);
	atomic_fetch_add(&c->s->logins, 1);
}

static enum rc
on_login(struct call *c)
{
	struct dir_account x;
	struct dir_login in;
	enum rc rc;

	if (get_login(c, &in) != RC_OK ||
	    ipc_get_str(&c->r->in, "password", &in.password) != RC_OK ||
	    ipc_in_done(&c->r->in) != RC_OK)
		return RC_BAD;
	rc = dir_auth_password(c->d, &c->r->a, &in, c->dl, &x);
	explicit_bzero((void *)(uintptr_t)in.password.p, in.password.n);
	if (rc == RC_OK)
		put_account(c, &x, in.ticket, in.service);
	return rc;
}

/* The last step of an exchange: who is this principal here? */
static enum rc
sasl_finish(struct call *c, const struct dir_sasl_out *o)
{
	struct dir_account x;
	enum rc rc;

	rc = dir_resolve_principal(c->d, &c->r->a, o->principal, c->dl, &x);
	if (rc == RC_OK)
		rc = dir_same_account(c->d, &c->r->a, o->authzid, x.id, c->dl);
	log_info(&c->s->log, rc == RC_OK ? "login.ok" : "login.deny",
	    KV("principal", o->principal), KVC("reason", rc_name(rc)),
	    KV("service", o->service), KV("client", o->client_ip));
	if (rc == RC_OK)
		put_account(c, &x, o->ticket, o->service);
	return rc;
}

static enum rc
sasl_answer(struct call *c, enum rc rc, const struct dir_sasl_out *o)
{
	if (rc == RC_OK && o->done)
		rc = sasl_finish(c, o);
	if (rc != RC_OK)
		return rc;
	ipc_put_u64(&c->r->out, "done", o->done);
	ipc_put_str(&c->r->out, "challenge", o->challenge);
	if (!o->done)
		ipc_put_str(&c->r->out, "handle", o->handle);
	return RC_OK;
}

static enum rc
on_sasl_start(struct call *c)
{
	struct str mech, initial = STR("");
	struct dir_sasl_out o = { 0 };
	struct dir_login in;
	bool has;

	if (get_login(c, &in) != RC_OK ||
	    ipc_get_str(&c->r->in, "mech", &mech) != RC_OK)
		return RC_BAD;
	has = ipc_get_str(&c->r->in, "initial", &initial) == RC_OK;
	if (ipc_in_done(&c->r->in) != RC_OK)
		return RC_BAD;
	return sasl_answer(c,
	    dir_sasls_start(c->s->sasls, &c->r->a, mech, &in, has, initial, &o),
	    &o);
}

static enum rc
on_sasl_step(struct call *c)
{
	struct dir_sasl_out o = { 0 };
	struct str handle, response;

	if (ipc_get_str(&c->r->in, "handle", &handle) != RC_OK ||
	    ipc_get_str(&c->r->in, "response", &response) != RC_OK ||
	    ipc_in_done(&c->r->in) != RC_OK)
		return RC_BAD;
	return sasl_answer(
	    c, dir_sasls_step(c->s->sasls, &c->r->a, handle, response, &o), &o);
}

static enum rc
on_sasl_cancel(struct call *c)
{
	struct str handle;

	if (ipc_get_str(&c->r->in, "handle", &handle) != RC_OK)
		return RC_BAD;
	dir_sasls_cancel(c->s->sasls, handle);
	return RC_OK;
}

static enum rc
on_sasl_mechs(struct call *c)
{
	ipc_put_str(&c->r->out, "mechs", dir_sasls_mechs(c->s->sasls));
	return RC_OK;
}

static enum rc
on_ticket(struct call *c)
{
	struct str ticket, service;
	struct dir_account x;
	enum rc rc;

	if (ipc_get_str(&c->r->in, "ticket", &ticket) != RC_OK ||
	    ipc_get_str(&c->r->in, "service", &service) != RC_OK ||
	    ipc_in_done(&c->r->in) != RC_OK)
		return RC_BAD;
	rc = dir_ticket_use(
	    c->s->tickets, &c->r->a, ticket, service, now_ns(), &x);
	if (rc == RC_OK)
		dir_wire_put_account(&c->r->out, &x);
	else
		log_warn(&c->s->log, "ticket.refused", KV("service", service));
	return rc;
}

/* Its own addresses, and only while it may log in. */
static enum rc
on_may_send(struct call *c)
{
	struct dir_answer *x;
	struct str *v, id;
	char *verdict;
	size_t n;
	enum rc rc;

	if (addresses(c, &v, &n) != RC_OK ||
	    ipc_get_str(&c->r->in, "id", &id) != RC_OK ||
	    ipc_in_done(&c->r->in) != RC_OK)
		return RC_BAD;
	x = arena_calloc(&c->r->a, n, sizeof(*x));
	verdict = arena_alloc(&c->r->a, n);
	rc = dir_lookup(c->d, &c->r->a, v, n, c->dl, NULL, x);
	for (size_t i = 0; i < n && rc == RC_OK; i++) {
		bool own = x[i].r.rc == RC_OK && id.n == DIR_ID_LEN &&
			   str_eq(x[i].r.id, id) && x[i].login_bar.n == 0;

		verdict[i] = own ? 'y' : 'n';
		if (x[i].r.rc == RC_TEMP)
			rc = RC_TEMP;
	}
	if (rc == RC_OK)
		ipc_put_str(&c->r->out, "verdicts", str_n(verdict, n));
	return rc;
}

/* A letter as dir_client.c reads it. */
static char
letter(enum rc rc)
{
	return rc == RC_OK      ? 'y'
	       : rc == RC_DENY  ? 'n'
	       : rc == RC_NOENT ? '-'
				: '?';
}

/* Without ids, the question is whether the groups are there. */
static enum rc
on_members(struct call *c)
{
	struct arena *a = &c->r->a;
	struct str *id, *name;
	struct dir_group *group;
	size_t n, ng;
	char *letters;
	enum rc *is, rc;

	if (strings(c, "id", DIR_RCPTS_MAX, &id, &n) != RC_OK ||
	    strings(c, "group", DIR_MEMBER_GROUPS_MAX, &name, &ng) != RC_OK ||
	    ng == 0 || ipc_in_done(&c->r->in) != RC_OK)
		return RC_BAD;
	group = arena_calloc(a, ng, sizeof(*group));
	is = arena_calloc(a, n * ng + 1, sizeof(*is));
	letters = arena_alloc(a, (n + 1) * ng);
	dir_groups_find(c->d, a, name, ng, c->dl, group);
	rc = dir_member_of(c->d, a, id, n, group, ng, c->dl, is);
	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; i < n * ng; i++)
		letters[i] = letter(is[i]);
	if (n > 0) {
		ipc_put_str(&c->r->out, "verdicts", str_n(letters, n * ng));
		return RC_OK;
	}
	for (size_t k = 0; k < ng; k++) {
		letters[k] = letter(group[k].rc);
		ipc_put_str(&c->r->out, "why", group[k].why);
	}
	ipc_put_str(&c->r->out, "groups", str_n(letters, ng));
	return RC_OK;
}

static enum rc
on_explain(struct call *c)
{
	struct str kind, arg, text;
	enum rc rc;

	if (ipc_get_str(&c->r->in, "kind", &kind) != RC_OK ||
	    ipc_get_str(&c->r->in, "arg", &arg) != RC_OK ||
	    ipc_in_done(&c->r->in) != RC_OK)
		return RC_BAD;
	rc = dir_explain_text(c->d, &c->r->a, kind, arg, c->dl, &text);
	if (rc == RC_OK)
		ipc_put_str(&c->r->out, "text", text);
	return rc;
}

static const struct {
	enum dir_op op;
	enum rc (*run)(struct call *c);
} ops[] = {
	{ DIR_OP_RCPTS, on_rcpts },
	{ DIR_OP_EXPAND, on_expand },
	{ DIR_OP_BY_ID, on_by_id },
	{ DIR_OP_LOGIN, on_login },
	{ DIR_OP_SASL_START, on_sasl_start },
	{ DIR_OP_SASL_STEP, on_sasl_step },
	{ DIR_OP_SASL_CANCEL, on_sasl_cancel },
	{ DIR_OP_SASL_MECHS, on_sasl_mechs },
	{ DIR_OP_TICKET, on_ticket },
	{ DIR_OP_MAY_SEND, on_may_send },
	{ DIR_OP_EXPLAIN, on_explain },
	{ DIR_OP_MEMBERS, on_members },
};

static struct dir *
current(struct dir_service *s)
{
	struct dir *d;

	pthread_mutex_lock(&s->lock);
	d = dir_ref(s->cur);
	pthread_mutex_unlock(&s->lock);
	return d;
}

enum rpcd_next
dir_service_handle(void *service, struct rpcd_req *r, enum rc *rc)
{
	struct call c = { .s = service, .d = current(service), .r = r };

	c.dl =
	    deadline_min(r->dl, deadline_in(c.d->conf->directory_timeout_ms));
	*rc = RC_BAD;
	for (size_t i = 0; i < COUNT(ops); i++)
		if (ops[i].op == r->op)
			*rc = ops[i].run(&c);
	if (*rc == RC_DENY)
		atomic_fetch_add(&c.s->refused, 1);
	if (*rc == RC_TEMP)
		atomic_fetch_add(&c.s->failed, 1);
	if (*rc == RC_BAD)
		log_warn(&c.s->log, "ipc.bad_request", KVU("op", r->op));
	dir_unref(&c.d);
	return RPCD_REPLY;
}

struct dir_service *
dir_service_new(const struct log *log, const struct conf *conf)
{
	struct dir_service *s = xcalloc(1, sizeof(*s));

	s->log = *log;
	pthread_mutex_init(&s->lock, NULL);
	s->guard = dir_guard_new();
	s->tickets = dir_tickets_new();
	s->sasls = dir_sasls_new(log, conf);
	s->be = dir_backend_open(log, conf);
	if (s->be != NULL)
		s->cur = dir_new(log, conf, s->be, s->guard);
	if (s->cur == NULL)
		dir_service_free(&s);
	return s;
}

void
dir_service_free(struct dir_service **sp)
{
	struct dir_service *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	dir_unref(&s->cur);
	if (s->be != NULL)
		s->be->ops->free(s->be);
	dir_sasls_free(&s->sasls);
	dir_tickets_free(&s->tickets);
	dir_guard_free(&s->guard);
	pthread_mutex_destroy(&s->lock);
	xfree(s);
}

/* Connections stay: everything they depend on needs a restart. */
void
dir_service_reload(void *service, const struct conf *conf, struct ipc_in *in)
{
	struct dir_service *s = service;
	struct dir *fresh = dir_new(&s->log, conf, s->be, s->guard), *old;

	(void)in;
	if (fresh == NULL)
		return; /* said in the log; the old settings stay */
	pthread_mutex_lock(&s->lock);
	old = s->cur;
	s->cur = fresh;
	pthread_mutex_unlock(&s->lock);
	dir_unref(&old);
}

void
dir_service_status(void *service, struct ipc_msg *out)
{
	struct dir_service *s = service;
	struct dir *d = current(s);

	ipc_put_u64(out, "lookups", atomic_load(&s->lookups));
	ipc_put_u64(out, "logins", atomic_load(&s->logins));
	ipc_put_u64(out, "refused", atomic_load(&s->refused));
	ipc_put_u64(out, "failed", atomic_load(&s->failed));
	ipc_put_u64(out, "cached", dir_cache_count(d->cache));
	s->be->ops->status(s->be, out);
	dir_unref(&d);
}

void
dir_service_check(void *service, struct ipc_msg *out)
{
	struct dir_service *s = service;
	struct dir *d = current(s);

	s->be->ops->check(s->be, out);
	dir_check(d, dir_sasls_mechs(s->sasls), out);
	dir_unref(&d);
}
