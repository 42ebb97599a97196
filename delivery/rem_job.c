/*
 * A job: one message, one hop.  It asks its route for one host after the
 * other; after each one the recipients that have a verdict are done, and the
 * rest goes on if nothing speaks against it: the connection failed before the
 * final dot was sent, or the host refused MAIL for now.  A temporary refusal
 * of a recipient is a verdict: going on to the next host with it would defeat
 * greylisting and ask a backup for what the first host does not want yet.
 *
 * A recipient without verdict gets the reason why the last host failed.  That
 * is permanent only if all of them were.
 */
#include <string.h>
#include <utlist.h>

#include "delivery/rem_impl.h"

#define NS_PER_MS INT64_C(1000000)

struct mail_client_result
rem_result(enum rc rc, const char *status, struct str text)
{
	return (struct mail_client_result){
		.set = true, .rc = rc, .status = str_c(status), .reply = text
	};
}

void
rem_job_failed(struct rem_job *j, struct mail_client_result why)
{
	if (j->last.set && j->last.rc == RC_TEMP && why.rc != RC_TEMP)
		return;
	why.status = str_dup(&j->a, why.status);
	why.reply = str_dup(&j->a, why.reply);
	j->last = why;
}

static void
set_result(
    struct rem_job *j, size_t i, const struct mail_client_result *r, bool dsn)
{
	struct str reply = str_sub(r->reply, 0, REM_REPLY_MAX);

	j->set[i] = true;
	j->out.to[i] = (struct rem_result){
		.rc = r->rc,
		.code = r->code,
		.status = str_dup(&j->a, r->status),
		.reply = str_dup(&j->a, reply),
		.from_server = r->from_server,
		.dsn_passed_on = dsn && r->rc == RC_OK,
	};
}

/* ---- the end */

static void
job_free(struct rem_job *j)
{
	rem_conf_unref(&j->conf);
	arena_free(&j->a);
	xfree(j);
}

static void
forget(struct rem *r, struct rem_kept *k)
{
	DL_DELETE(r->kept, k);
	HASH_DEL(r->known, k);
	r->kept_bytes -= k->bytes;
	xfree(k);
}

static struct str
pack_str(char **p, struct str s)
{
	struct str out = { *p, s.n };

	if (s.n > 0)
		memcpy(*p, s.p, s.n);
	*p += s.n;
	return out;
}

/* The results for those who ask again, in as little memory as can be. */
static struct rem_kept *
pack(const struct rem_job *j)
{
	const struct rem_outcome *o = &j->out;
	size_t results = o->nto * sizeof(*o->to);
	size_t n = sizeof(struct rem_kept) + results + j->id.n + o->host.n +
		   o->ip.n + o->tls.n;
	struct rem_kept *k;
	char *p;

	for (size_t i = 0; i < o->nto; i++)
		n += o->to[i].status.n + o->to[i].reply.n;
	k = xcalloc(1, n);
	k->bytes = n;
	k->out = *o;
	k->out.to = (struct rem_result *)(k + 1);
	memcpy(k->out.to, o->to, results);
	p = (char *)(k + 1) + results;
	k->id = pack_str(&p, j->id);
	k->out.host = pack_str(&p, o->host);
	k->out.ip = pack_str(&p, o->ip);
	k->out.tls = pack_str(&p, o->tls);
	for (size_t i = 0; i < o->nto; i++) {
		k->out.to[i].status = pack_str(&p, o->to[i].status);
		k->out.to[i].reply = pack_str(&p, o->to[i].reply);
	}
	return k;
}

static void
remember(struct rem_job *j)
{
	struct rem *r = j->rem;
	struct rem_kept *k = pack(j);

	k->at = now_ns() + REM_REMEMBER_S * 1000 * NS_PER_MS;
	DL_APPEND(r->kept, k);
	HASH_ADD_KEYPTR(hh, r->known, k->id.p, k->id.n, k);
	r->kept_bytes += k->bytes;
	rem_wake_at(r, k->at);
	while (r->kept_bytes > REM_KEPT_BYTES && r->kept != k)
		forget(r, r->kept);
}

static void
log_result(struct rem_job *j, size_t i)
{
	const struct rem_result *t = &j->out.to[i];
	const char *event = t->rc == RC_OK     ? "remote.sent"
			    : t->rc == RC_DENY ? "remote.refused"
					       : "remote.deferred";

	log_info(&j->log, event, KV("to", j->msg->to[i].address),
	    KV("from", j->msg->from), KV("hop", j->hop.text),
	    KV("host", j->out.host), KV("ip", j->out.ip), KV("tls", j->out.tls),
	    KV("status", t->status), KV("reply", t->reply),
	    KVU("ms", j->out.ms));
}

static void
count_results(struct rem_job *j)
{
	struct rem_counts *c = &j->rem->counts;

	for (size_t i = 0; i < j->out.nto; i++) {
		enum rc rc = j->out.to[i].rc;

		if (rc == RC_OK)
			c->sent++;
		else if (rc == RC_DENY)
			c->refused++;
		else
			c->deferred++;
		log_result(j, i);
	}
	if (j->unknown) {
		c->unknown++;
		log_warn(&j->log, "remote.unknown", KV("host", j->out.host),
		    KVC("note", "the connection ended behind the final dot: "
				"the message may arrive twice"));
	}
}

static void
answer_all(struct rem_job *j, enum rc rc)
{
	struct rem_waiter *w = j->waiters;

	j->waiters = NULL;
	j->msg = NULL;
	while (w != NULL) {
		struct rem_waiter *next = w->next;

		w->answer(w->arg, rc, rc == RC_OK ? &j->out : NULL);
		xfree(w);
		w = next;
	}
}

static bool
none_set(const struct rem_job *j)
{
	for (size_t i = 0; i < j->out.nto; i++)
		if (j->set[i])
			return false;
	return true;
}

static void
finish(struct rem_job *j)
{
	struct rem *r = j->rem;
	/* Not a try that failed: nobody decided anything. */
	bool cut = r->stopping && !j->probe && none_set(j);

	for (size_t i = 0; i < j->out.nto; i++)
		if (!j->set[i])
			set_result(j, i, &j->last, false);
	j->out.ms = (uint64_t)((now_ns() - j->began) / NS_PER_MS);
	j->out.hop_down = !j->reached && j->last.rc == RC_TEMP;
	HASH_DEL(r->jobs, j);
	r->njobs--;
	r->counts.jobs--;
	if (!j->probe && !cut) {
		count_results(j);
		remember(j);
	}
	answer_all(j, cut ? RC_TEMP : RC_OK);
	job_free(j);
}

/* ---- hosts */

static bool
all_set(const struct rem_job *j)
{
	for (size_t i = 0; i < j->out.nto; i++)
		if (!j->set[i])
			return false;
	return true;
}

/* The recipients without a verdict, as the next connection's message. */
static void
make_tx(struct rem_job *j)
{
	const struct rem_message *m = j->msg;
	size_t n = 0;

	for (size_t i = 0; i < m->nto; i++) {
		if (j->set[i])
			continue;
		j->map[n] = i;
		j->rcpts[n++] = (struct mail_client_rcpt){
			.address = m->to[i].address,
			.notify = m->to[i].notify,
			.orcpt = m->to[i].orcpt,
		};
	}
	j->tx = (struct mail_client_tx){
		.from = m->from,
		.to = j->rcpts,
		.nto = n,
		.envid = m->envid,
		.ret = (enum mail_ret)m->ret,
		.size = m->prefix.n + m->size,
	};
}

static void
wait_for_slot(struct rem_job *j)
{
	j->waiting = true;
	DL_APPEND(j->rem->waiting, j);
}

void
rem_job_slot(struct rem *r)
{
	struct rem_job *j = r->waiting;

	if (j == NULL || r->stopping)
		return;
	DL_DELETE(r->waiting, j);
	j->waiting = false;
	rem_conn_open(j, j->target);
}

static bool
from_pool(struct rem_job *j)
{
	struct rem_conn *c = j->pool_tried ? NULL : rem_pool_take(j);

	j->pool_tried = true;
	if (c == NULL)
		return false;
	j->rem->counts.reused++;
	make_tx(j);
	j->reached = true;
	rem_conn_use(c, j);
	return true;
}

/* Again, or for the first time: the host that `target` names. */
static void
connect_target(struct rem_job *j)
{
	struct rem *r = j->rem;

	make_tx(j);
	if (r->nconns < j->conf->max_conns || rem_pool_evict(r))
		rem_conn_open(j, j->target);
	else
		wait_for_slot(j);
}

void
rem_job_next(struct rem_job *j)
{
	if (j->conn != NULL || j->waiting || j->route.lookups > 0)
		return;
	if (all_set(j)) {
		finish(j);
		return;
	}
	if (j->rem->stopping || deadline_over(j->dl)) {
		if (!j->last.set)
			rem_job_failed(j, rem_result(RC_TEMP, "4.4.7",
					      STR("no time was left")));
		finish(j);
		return;
	}
	if (from_pool(j))
		return;
	switch (rem_route_next(j, &j->target)) {
	case REM_ROUTE_TARGET:
		j->no_tls = false;
		connect_target(j);
		break;
	case REM_ROUTE_WAIT:
		break;
	case REM_ROUTE_END:
		if (!j->last.set)
			panic("a route ends without a word");
		finish(j);
		break;
	}
}

void
rem_job_collect(struct rem_job *j, struct rem_conn *c)
{
	const struct mail_client_result *r;
	bool dsn = c->c.ext & MAIL_CLIENT_DSN;

	j->conn = NULL;
	j->out.host = str_dup(&j->a, str_c(c->host));
	j->out.ip = str_dup(&j->a, str_c(c->ip));
	j->out.tls = str_dup(&j->a, str_c(c->tls_text));
	if (c->c.tx != &j->tx) {
		/* It never came to the message. */
		rem_job_failed(j, c->c.fault);
		return;
	}
	for (size_t i = 0; i < j->tx.nto; i++) {
		r = &c->c.to[i];
		if (!r->set || r->elsewhere)
			rem_job_failed(j, r->set ? *r : c->c.fault);
		else
			set_result(j, j->map[i], r, dsn);
	}
}

void
rem_job_probed(struct rem_job *j, struct rem_conn *c)
{
	const struct mail_client_result r = {
		.set = true,
		.rc = RC_OK,
		.status = STR("2.0.0"),
		.reply = c->c.authenticated ? c->conf->user : STR(""),
	};

	rem_job_collect(j, c);
	set_result(j, 0, &r, false);
}

/* ---- the beginning */

static void
add_waiter(struct rem_job *j, rem_answer *answer, void *arg)
{
	struct rem_waiter *w = xmalloc(sizeof(*w));

	*w = (struct rem_waiter){ j->waiters, answer, arg };
	j->waiters = w;
}

static const struct rem_smart *
find_smart(const struct rem_conf *c, const struct rem_hop *h)
{
	for (size_t i = 0; h->kind == REM_HOP_SMTP && i < c->nsmart; i++)
		if (c->smart[i].port == h->port &&
		    str_ieq(c->smart[i].host, h->host))
			return &c->smart[i];
	return NULL;
}

static bool
path_allowed(const struct rem_conf *c, const struct rem_hop *h)
{
	for (size_t i = 0; i < c->npaths; i++)
		if (str_eq(c->paths[i], h->host))
			return true;
	return h->kind != REM_HOP_PATH;
}

static struct rem_job *
job_new(struct rem *r, const struct rem_message *in, struct deadline dl)
{
	struct rem_job *j = xcalloc(1, sizeof(*j));
	const struct log *log = &r->log;
	int margin = MIN(r->conf->limits.margin, deadline_left_ms(dl) / 4);

	j->rem = r;
	j->conf = rem_conf_ref(r->conf);
	j->id = str_dup(&j->a, in->id);
	j->msg = in;
	j->log = log_with(log, "qid", in->qid);
	j->began = now_ns();
	j->dl = (struct deadline){ dl.at_ns - margin * NS_PER_MS };
	j->set = arena_calloc(&j->a, in->nto, sizeof(*j->set));
	j->out.to = arena_calloc(&j->a, in->nto, sizeof(*j->out.to));
	j->out.nto = in->nto;
	return j;
}

/* It was asked before: the first result, now or when it is there. */
static bool
is_known(struct rem *r, struct str id, rem_answer *answer, void *arg)
{
	struct rem_kept *k = NULL;
	struct rem_job *j = NULL;

	HASH_FIND(hh, r->known, id.p, id.n, k);
	HASH_FIND(hh, r->jobs, id.p, id.n, j);
	if (k != NULL)
		answer(arg, RC_OK, &k->out);
	else if (j != NULL)
		add_waiter(j, answer, arg);
	return k != NULL || j != NULL;
}

void
rem_job_submit(struct rem *r, const struct rem_message *in, bool probe,
    struct deadline dl, rem_answer *answer, void *arg)
{
	struct rem_job *j;

	r->counts.calls += !probe;
	if (is_known(r, in->id, answer, arg)) {
		r->counts.repeated++;
		return;
	}
	if (r->njobs >= REM_JOBS_MAX) {
		log_warn(&r->log, "remote.busy", KVU("jobs", r->njobs));
		answer(arg, RC_TEMP, NULL);
		return;
	}
	j = job_new(r, in, dl);
	if (rem_hop_parse(&j->a, in->hop, &j->hop) != RC_OK ||
	    !path_allowed(j->conf, &j->hop)) {
		log_error(&j->log, "remote.bad_hop", KV("hop", in->hop));
		answer(arg, RC_BAD, NULL);
		job_free(j);
		return;
	}
	j->smart = find_smart(j->conf, &j->hop);
	j->probe = j->pool_tried = probe;
	add_waiter(j, answer, arg);
	HASH_ADD_KEYPTR(hh, r->jobs, j->id.p, j->id.n, j);
	r->njobs++;
	r->counts.jobs++;
	rem_wake_at(r, j->dl.at_ns);
	rem_job_next(j);
}

/* ---- time */

static void
give_up_waiting(struct rem_job *j)
{
	DL_DELETE(j->rem->waiting, j);
	j->waiting = false;
	rem_job_failed(j, rem_result(RC_TEMP, "4.4.5",
			      STR("too many connections at a time")));
	finish(j);
}

void
rem_job_tick(struct rem *r, int64_t now)
{
	struct rem_job *j, *next;

	DL_FOREACH_SAFE(r->waiting, j, next)
	{
		if (now >= j->dl.at_ns)
			give_up_waiting(j);
		else
			rem_wake_at(r, j->dl.at_ns);
	}
	while (r->kept != NULL && r->kept->at <= now)
		forget(r, r->kept);
	if (r->kept != NULL)
		rem_wake_at(r, r->kept->at);
}

/* Everybody is told; who waits for the reply to the dot stays, unless `all`. */
void
rem_jobs_stop(struct rem *r, bool all)
{
	struct rem_conn *c, *next;
	struct rem_job *j, *jnext;

	DL_FOREACH_SAFE(r->waiting, j, jnext)
	give_up_waiting(j);
	DL_FOREACH_SAFE(r->conns, c, next)
	if (c->job != NULL && (all || !mail_client_dot_sent(&c->c)))
		rem_conn_abort(c, "4.3.2", STR("we are stopping"));
}

void
rem_jobs_free(struct rem *r)
{
	while (r->kept != NULL)
		forget(r, r->kept);
}
