/*
 * One message from a gateway: read it, decide, hand it to the store, and answer
 * from the store's answer.
 *
 * The worker is free again as soon as the store has the request: hundreds of
 * messages can wait for one commit.  What the answer needs is in a job in the
 * request's arena; everything else dies with the handler.
 *
 * The submit id goes on to the store as the operation id, so a gateway that
 * asks again after a lost answer gets the first result.  A repeat may plan
 * differently (a group has changed since); the store's first commit stands.
 */
#include <string.h>

#include "delivery/dlv.h"
#include "delivery/dlv_fresh.h"
#include "delivery/dlv_route.h"
#include "delivery/dlv_track.h"
#include "delivery/dlv_wire.h"
#include "mail/meta.h"

struct job {
	struct dlv *d;
	struct rpcd_req *r;
	struct log log;
	struct str from, first; /* for the log: return path, a recipient */
	uint64_t size;
	uint64_t nto, delivered, queued;
	struct dlv_work work;
	struct dlv_track *track;
	struct dlv_fresh *fresh;
};

/* The queue has a new message. */
static void
announce(struct job *j, const struct store_submitted *out)
{
	if (j->fresh == NULL || out->first_entry == 0) {
		dlv_queue_poke(j->d->queue, out->message_id);
		return;
	}
	dlv_fresh_name(j->fresh, out->message_id, out->first_entry);
	dlv_queue_fresh(j->d->queue, j->fresh);
	j->fresh = NULL;
}

/* Runs on the store client's thread. */
static void
on_commit(void *arg, enum rc rc, const struct store_submitted *out)
{
	struct job *j = arg;
	struct dlv_counts *c = &j->d->counts;

	if (rc == RC_OK) {
		const struct dlv_submitted done = { out->message_id,
			j->delivered, j->queued };

		dlv_put_submitted(&j->r->out, &done);
		c->messages++;
		c->repeated += out->repeated;
		c->delivered += out->repeated ? 0 : j->delivered;
		c->queued += out->repeated ? 0 : j->queued;
		/* Told before a try can be. */
		if (!out->repeated)
			dlv_track_tell(j->d, j->track, out->message_id);
		if (j->queued > 0)
			announce(j, out);
		log_info(&j->log, "submit.done", KV("qid", out->message_id),
		    KV("from", j->from), KV("to", j->first),
		    KVU("rcpts", j->nto), KVU("delivered", j->delivered),
		    KVU("queued", j->queued), KVU("size", j->size),
		    KVU("repeated", out->repeated));
	} else {
		/* Whether it happened is not known: never a permanent no. */
		c->deferred++;
		if (j->queued > 0)
			dlv_queue_doubt(j->d->queue);
		log_warn(&j->log, "submit.store", KVC("rc", rc_name(rc)),
		    KV("from", j->from), KV("to", j->first));
		rc = RC_TEMP;
	}
	dlv_fresh_unref(&j->fresh);
	rpcd_reply(j->r, rc);
}

static enum rc
check(const struct conf *conf, const struct dlv_submit *m)
{
	if (m->size > conf->message_size_max ||
	    m->nto > conf->recipients_max + DLV_COPIES_MAX)
		return RC_BAD;
	return RC_OK;
}

static void
log_queued(const struct job *j, const struct dlv_plan *p)
{
	for (size_t i = 0; i < p->nqueue; i++)
		log_info(&j->log, "submit.queue", KV("to", p->queue[i].rcpt),
		    KVC("state",
			p->queue[i].state == DLV_HELD ? "held" : "ready"),
		    KV("reason", p->queue[i].reason));
}

/* The directory gets half of the time: the commit needs the other half. */
static struct deadline
expand_deadline(const struct conf *conf, struct deadline dl)
{
	int left = deadline_left_ms(dl) / 2;

	return deadline_in(MIN(left, (int)conf->directory_timeout_ms));
}

/* The gateway's id is random: it saves a system call for each message. */
static uint32_t
jitter(const struct dlv_submit *m)
{
	uint32_t x;

	memcpy(&x, m->id.p, sizeof(x));
	return x;
}

static struct store_submit
store_request(const struct dlv_submit *m, const struct dlv_plan *p,
    const struct buf *meta)
{
	return (struct store_submit){
		.op_id = m->id,
		.from = m->from,
		.submitter = m->submitter,
		.received_at = m->received_at,
		.body = {
			.edits = m->edits,
			.inline_data = m->inline_data,
			.fd = m->fd,
			.size = m->size,
			.meta = buf_str(meta),
		},
		.to = p->to,
		.nto = p->nto,
		.queue = p->queue,
		.nqueue = p->nqueue,
	};
}

/* Everything up to the commit; on RC_OK the job is on its way. */
static enum rc
run(struct job *j, const struct conf *conf, const struct dlv_submit *m)
{
	struct rpcd_req *r = j->r;
	AUTO_ARENA a = { 0 };
	AUTO_BUF meta = { 0 };
	struct dlv_scan scan;
	struct dlv_plan p;
	enum rc rc = check(conf, m);

	if (rc == RC_OK)
		rc = dlv_plan_init(&p, &a, &j->log, conf, m->from, m->trace,
		    now_unix(), jitter(m));
	buf_init(&meta, MAIL_META_MAX);
	if (rc == RC_OK)
		rc = dlv_scan(&j->log, &a, m, &meta, &scan);
	if (rc == RC_OK)
		rc = dlv_route(
		    &p, j->d->dir, m, &scan, expand_deadline(conf, r->dl));
	if (rc == RC_OK && p.nqueue > 0)
		rc = dlv_queue_room(j->d->queue, conf->queue_max, p.nqueue);
	if (rc != RC_OK)
		return rc;
	log_queued(j, &p);
	j->track = dlv_track_plan(j->d, &r->a, &p, m, scan.message_id);
	j->nto = m->nto;
	j->delivered = p.nto;
	j->queued = p.nqueue;
	if (p.nqueue > 0)
		j->fresh = dlv_fresh_new(j->d, m, &p);
	const struct store_submit in = store_request(m, &p, &meta);

	dlv_poison_end(j->d, &j->work);
	log_debug(&j->log, "submit.commit", KVU("delivered", p.nto),
	    KVU("queued", p.nqueue));
	/* From here on the request may be answered at any moment. */
	store_submit_start(j->d->store, &in, r->dl, on_commit, j);
	return RC_OK;
}

#define OWN_MS 30000

enum rc
dlv_submit_own(struct dlv *d, const struct log *log, const struct dlv_submit *m)
{
	const struct conf *conf = dlv_conf(d);
	struct deadline dl = deadline_in(OWN_MS);
	struct store_submitted out = { 0 };
	AUTO_ARENA a = { 0 };
	AUTO_BUF meta = { 0 };
	struct dlv_scan scan;
	struct dlv_plan p;
	enum rc rc;

	buf_init(&meta, MAIL_META_MAX);
	rc = dlv_plan_init(
	    &p, &a, log, conf, m->from, m->trace, now_unix(), jitter(m));
	if (rc == RC_OK)
		rc = dlv_scan(log, &a, m, &meta, &scan);
	if (rc == RC_OK)
		rc = dlv_route(&p, d->dir, m, &scan, expand_deadline(conf, dl));
	if (rc == RC_OK) {
		struct store_submit in = store_request(m, &p, &meta);

		rc = store_submit(d->store, &a, &in, dl, &out);
	}
	conf_unref(&conf);
	/* Told before a try can be. */
	if (rc == RC_OK && !out.repeated)
		dlv_track_notice(d, &p, m, scan.message_id, out.message_id);
	if (rc == RC_OK && p.nqueue > 0)
		dlv_queue_poke(d->queue, out.message_id);
	else if (rc == RC_TEMP && p.nqueue > 0)
		dlv_queue_doubt(d->queue);
	if (rc == RC_OK)
		log_info(log, "notice.submit", KV("as", out.message_id),
		    KV("to", m->to[0].address), KVU("delivered", p.nto),
		    KVU("queued", p.nqueue), KVU("repeated", out.repeated));
	return rc;
}

/* It was being worked on when the process died, twice. */
static enum rc
refuse_poison(struct job *j)
{
	struct dlv *d = j->d;
	AUTO_ARENA a = { 0 };

	d->counts.poisoned++;
	log_error(&j->log, "poison", KV("id", str_hex(&a, j->work.key)),
	    KV("from", j->from), KV("to", j->first), KVU("size", j->size));
	if (now_ns() - d->started_ns >= (int64_t)DLV_POISON_REST_S * 1000000000)
		inflight_forget(d->inflight, j->work.key);
	return RC_TEMP;
}

static enum rc
begin(struct job *j, const struct dlv_submit *m)
{
	const struct conf *conf;
	enum rc rc;

	dlv_poison_submit(&j->work, m);
	if (dlv_poison_begin(j->d, &j->work) != RC_OK)
		return refuse_poison(j);
	conf = dlv_conf(j->d);
	rc = run(j, conf, m);
	conf_unref(&conf);
	if (rc != RC_OK)
		dlv_poison_end(j->d, &j->work);
	return rc;
}

enum rpcd_next
dlv_on_submit(struct dlv *d, struct rpcd_req *r, enum rc *rc)
{
	struct job *j = arena_calloc(&r->a, 1, sizeof(*j));
	struct dlv_submit m;

	d->counts.submits++;
	*rc = dlv_get_submit(&r->in, &r->a, &m);
	if (*rc != RC_OK) {
		d->counts.refused++;
		log_error(d->log, "submit.bad", KVU("pid", r->pid));
		return RPCD_REPLY;
	}
	*j = (struct job){
		.d = d,
		.r = r,
		.log = log_with(d->log, "sid", m.sid),
		.from = m.from,
		.first = m.to[0].address,
		.size = m.size,
	};
	*rc = begin(j, &m);
	fd_close(&m.fd);
	if (*rc == RC_OK)
		return RPCD_LATER;
	if (*rc == RC_TEMP)
		d->counts.deferred++;
	else
		d->counts.refused++;
	return RPCD_REPLY;
}
