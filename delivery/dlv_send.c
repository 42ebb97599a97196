/*
 * A try ends with one update of the store.  While the store does not answer,
 * the outcome stays here and the update is repeated under the same operation
 * id; the message is not sent again meanwhile.  If an administrator has changed
 * entries since they were read, the update is made anew from what is there.
 */
#include <string.h>

#include "delivery/dlv.h"
#include "delivery/dlv_retry.h"
#include "delivery/dlv_sched.h"
#include "delivery/dlv_send.h"
#include "delivery/dlv_track.h"
#include "mail/header.h"
#include "mail/route.h"

#define READ_MS       10000
#define FOLLOW_MS     5000
#define COMMIT_MS     30000
#define SEND_MS       (20 * 60 * 1000) /* and for its bytes: */
#define SEND_RATE     4096             /* so many a second */
#define AGAIN_MS      2000
#define REASON_MAX    512u
#define WORDS_BYTES   (512u << 10) /* of all replies kept with a message */
#define WORDS_MIN     64u
#define WAIT_STORE_MS 1000

/*
 * The entries of one transaction must be the same after a crash, or remote
 * would not know it again: so only those of one attempt, in order.  What is too
 * old is not tried again; but once it is, however late.
 */
void
dlv_send_choose(struct arena *a, const struct conf *conf,
    const struct store_queue_item *item, struct str hop, int64_t now,
    const struct store_queued ***out, size_t *out_n, struct str *out_id)
{
	const struct store_queued *first = NULL, **v;
	uint64_t h = str_hash(hop);
	size_t n = 0;

	v = arena_calloc(
	    a, MIN(item->nentries, (size_t)REM_RCPTS_MAX) + 1, sizeof(v[0]));
	for (size_t i = 0; i < item->nentries && n < REM_RCPTS_MAX; i++) {
		const struct store_queued *q = &item->entries[i];
		uint64_t what[3] = { h, q->id, q->attempts };

		if (q->next_at > now ||
		    (q->expires_at <= now && q->attempts > 0) ||
		    (first != NULL && (q->attempts != first->attempts ||
					  q->next_at != first->next_at)) ||
		    !str_eq(dlv_plan_hop(a, conf, q), hop))
			continue;
		if (first == NULL)
			first = q;
		v[n++] = q;
		h = str_hash(str_n(what, sizeof(what)));
	}
	*out = v;
	*out_n = n;
	*out_id = str_fmt(a, "%.*s.%016llx",
	    STRF(str_sub(item->message_id, 0, 40)), (unsigned long long)h);
}

static const struct store_queued *
entry_by_id(const struct store_queue_item *item, uint64_t id)
{
	for (size_t i = 0; i < item->nentries; i++) {
		if (item->entries[i].id == id)
			return &item->entries[i];
	}
	return NULL;
}

struct result {
	struct dlv_plan *p;
	struct str from;
	struct str hop;
	const struct rem_outcome *out;
	struct store_queue_update up;
	struct store_queued *set;
	uint64_t *remove;
	/* Bytes of a reply: of a message to thousands less, so that what became
	 * of them fits into the queue. */
	size_t words;
	bool terse; /* it did not fit: no words at all */
};

static struct store_queued *
change(struct result *t, const struct store_queued *q, enum dlv_state state,
    struct dlv_entry *e)
{
	struct store_queued *set = &t->set[t->up.nset++];

	*set = *q;
	set->state = state;
	set->attempts = q->attempts + 1;
	set->data = dlv_entry_put(t->p->a, e);
	return set;
}

static struct str
reason_of(struct result *t, const struct rem_result *r)
{
	struct str who = t->out->host.n > 0 ? t->out->host : t->hop;

	if (t->terse)
		return STR("");
	return str_fmt(t->p->a, "%.*s: %.*s", STRF(str_sub(who, 0, 255)),
	    STRF(str_sub(r->reply, 0, MIN(REASON_MAX, t->words))));
}

static void
log_one(struct result *t, const char *event, const struct store_queued *q,
    const struct rem_result *r)
{
	log_info(t->p->log, event, KV("to", q->rcpt), KV("hop", t->hop),
	    KV("host", t->out->host), KV("ip", t->out->ip),
	    KV("tls", t->out->tls), KVU("code", r->code),
	    KV("status", r->status), KV("reply", r->reply),
	    KVU("attempts", q->attempts + 1), KVU("ms", t->out->ms));
}

/* Does somebody want to hear of this?  RFC 3461 section 4.1. */
static bool
wants(const struct result *t, const struct dlv_entry *e, unsigned what)
{
	if (what == REM_NOTIFY_SUCCESS)
		return t->from.n > 0 && (e->notify & REM_NOTIFY_SUCCESS);
	return e->notify == 0 || (e->notify & what);
}

static struct str
host_of(struct arena *a, const struct rem_outcome *out)
{
	if (out->ip.n == 0)
		return out->host;
	return str_fmt(a, "%.*s [%.*s]", STRF(out->host), STRF(out->ip));
}

void
dlv_send_why(struct dlv_send *s, struct dlv_why *out)
{
	const struct rem_result *r = &s->out.to[0];

	*out = (struct dlv_why){
		.host = host_of(&s->a, &s->out),
		.status = r->status,
		.reply = str_sub(r->reply, 0, REASON_MAX),
		.at = now_unix(),
	};
	if (out->host.n == 0)
		out->host = s->hop;
}

static void
one_result(
    struct result *t, const struct store_queued *q, const struct rem_result *r)
{
	struct store_queued *set;
	struct dlv_entry e;

	if (dlv_entry_get(q->data, &e) != RC_OK)
		e = (struct dlv_entry){ 0 };
	e.hop = t->hop;
	e.host = host_of(t->p->a, t->out);
	e.status = r->status;
	e.reply = str_sub(r->reply, 0, t->words);
	if (t->terse)
		e.hop = e.host = e.reply = STR("");
	e.code = r->code;
	e.from_server = r->from_server;
	e.tried_at = t->p->now;
	switch (r->rc) {
	case RC_OK:
		log_one(t, "send.done", q, r);
		if (r->dsn_passed_on || !wants(t, &e, REM_NOTIFY_SUCCESS)) {
			t->remove[t->up.nremove++] = q->id;
			return;
		}
		e.action = DLV_RELAYED;
		break;
	case RC_DENY:
		log_one(t, "send.refused", q, r);
		if (!wants(t, &e, REM_NOTIFY_FAILURE)) {
			t->remove[t->up.nremove++] = q->id;
			return;
		}
		e.action = DLV_FAILED;
		break;
	default:
		log_one(t, "send.later", q, r);
		set = change(t, q, q->state, &e);
		set->next_at = t->p->now + dlv_backoff(t->p->conf,
					       set->attempts, t->p->jitter);
		set->reason = reason_of(t, r);
		return;
	}
	set = change(t, q, DLV_DONE, &e);
	set->next_at = t->p->now;
	set->reason = reason_of(t, r);
}

struct store_queue_update
dlv_send_result(struct dlv_plan *p, const struct store_queue_item *item,
    const struct store_queued **q, size_t n, struct str hop,
    const struct rem_outcome *out, bool terse)
{
	struct result t = {
		.p = p,
		.from = item->from,
		.hop = hop,
		.out = out,
		.words = MAX(
		    WORDS_BYTES / MAX(item->nentries, (size_t)1), WORDS_MIN),
		.terse = terse,
		.set = arena_calloc(p->a, n + 1, sizeof(t.set[0])),
		.remove = arena_calloc(p->a, n + 1, sizeof(t.remove[0])),
	};

	for (size_t i = 0; i < n; i++) {
		const struct store_queued *now = entry_by_id(item, q[i]->id);

		/* An administrator has deleted it, or decided already. */
		if (now != NULL && now->state != DLV_DONE)
			one_result(&t, now, &out->to[i]);
	}
	t.up.set = t.set;
	t.up.remove = t.remove;
	t.up.message_id = item->message_id;
	dlv_entry_expect(p->a, item, &t.up);
	return t.up;
}

/* The trace without what is for mailboxes only. */
static struct str
trace_of(struct str prefix)
{
	struct mail_header_iter it = { prefix };
	struct mail_field f;
	size_t n = 0;

	while (mail_header_next(&it, &f) &&
	       (str_ieq(f.name, STR("Return-Path")) ||
		   str_ieq(f.name, STR("Delivered-To"))))
		n += f.whole.n;
	return str_from(prefix, n);
}

static struct rem_rcpt *
recipients(struct dlv_send *s, const struct conf *conf, struct rem_message *m)
{
	struct rem_rcpt *to = arena_calloc(&s->a, s->n, sizeof(*to));

	for (size_t i = 0; i < s->n; i++) {
		struct mail_route route = { .address = s->q[i]->rcpt };
		struct dlv_entry e = { 0 };

		if (dlv_entry_get(s->q[i]->data, &e) != RC_OK ||
		    mail_route(&s->a, conf, s->q[i]->rcpt, e.route, &route) !=
			RC_OK)
			panic("chosen without a route");
		to[i] = (struct rem_rcpt){
			.address = route.address,
			.notify = (unsigned)e.notify,
			.orcpt = e.orcpt,
		};
		m->envid = e.envid;
		m->ret = (enum rem_ret)e.ret;
	}
	return to;
}

static void
copy_outcome(struct dlv_send *s, const struct rem_outcome *out)
{
	struct rem_result *to = arena_calloc(&s->a, s->n, sizeof(*to));

	s->out = *out;
	s->out.host = str_dup(&s->a, out->host);
	s->out.ip = str_dup(&s->a, out->ip);
	s->out.tls = str_dup(&s->a, out->tls);
	s->out.to = to;
	for (size_t i = 0; i < s->n; i++) {
		to[i] = out->to[i];
		to[i].status = str_dup(&s->a, out->to[i].status);
		to[i].reply = str_dup(&s->a, out->to[i].reply);
	}
}

/* What we asked cannot be understood there: all of it is tried later. */
static void
odd_outcome(struct dlv_send *s)
{
	struct rem_result *to = arena_calloc(&s->a, s->n, sizeof(*to));

	s->out = (struct rem_outcome){ .to = to, .nto = s->n };
	for (size_t i = 0; i < s->n; i++)
		to[i] = (struct rem_result){
			.rc = RC_TEMP,
			.status = STR("4.3.0"),
			.reply = STR("the remote process refused the request"),
		};
}

/* On the client's thread. */
static void
on_outcome(void *arg, enum rc rc, const struct rem_outcome *out)
{
	struct dlv_send *s = arg;

	s->answered = true;
	s->rc = rc == RC_TEMP ? RC_TEMP : RC_OK;
	if (rc == RC_OK && out->nto == s->n)
		copy_outcome(s, out);
	else if (rc != RC_TEMP)
		odd_outcome(s);
	dlv_queue_answered(s->d->queue, s);
}

/* Many large ones at once may have to share a thin line. */
static struct deadline
time_for(const struct rem_message *m)
{
	uint64_t n = m->size + m->prefix.n;

	return deadline_in(SEND_MS + (int64_t)(n / SEND_RATE * 1000));
}

static void
start(struct dlv_send *s, const struct conf *conf)
{
	struct rem_message m = {
		.id = s->id,
		.qid = s->item.message_id,
		.hop = s->hop,
		.from = s->item.from,
		.nto = s->n,
		.prefix =
		    str_cat(&s->a, trace_of(s->q[0]->prefix), s->item.edits),
		.inline_data = s->body.inline_data,
		.fd = s->body.fd,
		.size = s->body.size,
	};

	m.to = recipients(s, conf, &m);
	log_debug(&s->log, "send.start", KV("id", s->id), KV("hop", s->hop),
	    KVU("rcpts", s->n));
	rem_send_start(s->d->remote, &m, time_for(&m), on_outcome, s);
}

/*
 * Before another try the directory is asked anew about people of ours: their
 * mailbox may have moved, here or to another system.  Its silence changes
 * nothing.  RC_NOENT: entries have changed.
 */
static enum rc
follow(struct dlv_send *s)
{
	struct store_queued *set = arena_calloc(&s->a, s->n, sizeof(*set));
	struct store_queue_update up = { .message_id = s->item.message_id,
		.op_id = str_fmt(&s->a, "%.*s.f", STRF(s->id)),
		.set = set };
	struct deadline dl = deadline_in(FOLLOW_MS);

	for (size_t i = 0; i < s->n && s->q[i]->attempts > 0; i++) {
		struct dir_rcpt is = { 0 };
		struct dlv_entry e;

		if (s->q[i]->dir_id.n == 0 ||
		    dlv_entry_get(s->q[i]->data, &e) != RC_OK ||
		    dir_by_id(s->d->dir, &s->a, s->q[i]->dir_id, dl, &is) !=
			RC_OK ||
		    is.rc != RC_OK ||
		    (is.kind == DIR_ELSEWHERE && str_eq(is.route, e.route)))
			continue;
		e.route = is.kind == DIR_ELSEWHERE ? is.route : STR("");
		set[up.nset] = *s->q[i];
		set[up.nset].kind = is.kind;
		set[up.nset++].data = dlv_entry_put(&s->a, &e);
		log_info(&s->log, "send.moved", KV("to", s->q[i]->rcpt),
		    KV("route", e.route));
	}
	if (up.nset == 0)
		return RC_OK;
	dlv_entry_expect(&s->a, &s->item, &up);
	return store_queue_update(s->d->store, &up, deadline_in(COMMIT_MS)) ==
		       RC_TEMP
		   ? RC_TEMP
		   : RC_NOENT;
}

/* RC_NOENT: nothing to do there (any more). */
static enum rc
prepare(struct dlv_send *s, const struct conf *conf, bool has_item,
    struct str message_id)
{
	enum rc rc = RC_OK;

	if (!has_item)
		rc = store_queue_get(s->d->store, &s->a, message_id,
		    deadline_in(READ_MS), &s->item);
	if (rc != RC_OK)
		return rc;
	if (!has_item)
		dlv_retry_clock(
		    conf, &s->item, now_unix(), dlv_queue_grace(s->d));
	dlv_send_choose(
	    &s->a, conf, &s->item, s->hop, now_unix(), &s->q, &s->n, &s->id);
	rc = s->n == 0 ? RC_NOENT : follow(s);
	if (rc != RC_OK)
		return rc;
	if (s->fresh != NULL) {
		s->body = s->fresh->body;
		return RC_OK;
	}
	return dlv_body_open(s->d, &s->a, &s->item, &s->body);
}

bool
dlv_send_begin(struct dlv *d, struct dlv_job *job, struct str message_id,
    struct str hop, struct arena *a, const struct store_queue_item *item,
    struct dlv_fresh *fresh, int64_t *out_again)
{
	struct dlv_send *s = xcalloc(1, sizeof(*s));
	const struct conf *conf;
	enum rc rc;

	s->d = d;
	s->job = job;
	s->body.fd = -1;
	if (item != NULL) {
		s->a = *a;
		*a = (struct arena){ 0 };
		s->item = *item;
	} else if (fresh != NULL) {
		s->fresh = dlv_fresh_ref(fresh);
		s->item = fresh->item;
	}
	s->hop = str_dup(&s->a, hop);
	s->log = log_with(d->log, "qid", str_dup(&s->a, message_id));
	conf = dlv_conf(d);
	rc = prepare(s, conf, item != NULL || fresh != NULL, message_id);
	if (rc == RC_OK)
		start(s, conf);
	conf_unref(&conf);
	if (rc == RC_OK)
		return true;
	*out_again = 0;
	if (rc != RC_NOENT) {
		log_warn(&s->log, "send.read", KVC("rc", rc_name(rc)));
		*out_again = now_unix_ms() + AGAIN_MS;
	}
	dlv_send_free(&s);
	return false;
}

static void
committed(void *arg, enum rc rc)
{
	struct dlv_send *s = arg;

	if (rc == RC_OK) {
		dlv_track_sent(s);
		dlv_queue_finish(s->d->queue, s);
		return;
	}
	log_warn(&s->log, "send.commit", KVC("rc", rc_name(rc)));
	/* Too much for one message: what became of it comes before why. */
	if (rc == RC_DENY && !s->terse) {
		s->terse = true;
		s->tries++;
		dlv_queue_sent(s->d->queue, s);
		return;
	}
	/* Somebody changed the entries: see what is there, once at once. */
	s->at = now_unix_ms();
	if (rc != RC_NOENT || s->refresh)
		s->at += WAIT_STORE_MS;
	s->refresh = s->refresh || rc == RC_NOENT || rc == RC_BAD;
	dlv_queue_sent(s->d->queue, s);
}

/* RC_NOENT: all of it is gone. */
static enum rc
refresh(struct dlv_send *s, struct arena *a, struct store_queue_item *item)
{
	*item = s->item;
	if (!s->refresh)
		return RC_OK;
	return store_queue_get(
	    s->d->store, a, s->item.message_id, deadline_in(READ_MS), item);
}

void
dlv_send_commit(struct dlv_send *s)
{
	const struct conf *conf;
	AUTO_ARENA a = { 0 };
	struct store_queue_update up;
	struct store_queue_item item;
	struct dlv_plan p = { .a = &a, .log = &s->log, .now = now_unix() };
	enum rc rc = refresh(s, &a, &item);

	if (rc == RC_NOENT) {
		s->all_gone = true;
		dlv_queue_finish(s->d->queue, s);
		return;
	}
	if (rc != RC_OK) {
		s->at = now_unix_ms() + WAIT_STORE_MS;
		dlv_queue_sent(s->d->queue, s);
		return;
	}
	conf = dlv_conf(s->d);
	p.conf = conf;
	/* As good as random: it names message, entries and attempt. */
	p.jitter = (uint32_t)str_hash(s->id);
	up = dlv_send_result(&p, &item, s->q, s->n, s->hop, &s->out, s->terse);
	conf_unref(&conf);
	s->all_gone = up.nremove == item.nentries;
	if (up.nremove + up.nset == 0) {
		dlv_queue_finish(s->d->queue, s);
		return;
	}
	/* Made anew it says something else, and needs another name. */
	s->tries += s->refresh;
	up.op_id = str_fmt(&a, "%.*s.%x", STRF(s->id), s->tries);
	store_queue_update_start(
	    s->d->store, &up, deadline_in(COMMIT_MS), committed, s);
}

void
dlv_send_free(struct dlv_send **sp)
{
	struct dlv_send *s = *sp;
	struct arena a;

	if (s == NULL)
		return;
	*sp = NULL;
	if (s->fresh == NULL)
		dlv_body_close(s->d, &s->body);
	dlv_fresh_unref(&s->fresh);
	a = s->a;
	xfree(s);
	arena_free(&a);
}
