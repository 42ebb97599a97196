/*
 * One step of the queue with one message: read it, try what is due, commit.
 * After a commit the next step reads the outcome, so nothing has to be kept in
 * step with the store here.
 */
#include "delivery/dlv.h"
#include "delivery/dlv_notice.h"
#include "delivery/dlv_retry.h"
#include "delivery/dlv_track.h"

#define LOOK_AGAIN_S 10    /* the store gave no answer */
#define DAMAGED_S    600   /* the item cannot be read */
#define UNTRIED_S    30    /* its own try comes before it is given up */
#define READ_MS      10000 /* the store, for one item */
#define TRY_MS       30000 /* the directory, for all entries that are due */
#define COMMIT_MS    30000

void
dlv_retry_count(const struct conf *conf, const struct store_queue_item *item,
    int64_t grace, struct dlv_step *out)
{
	*out = (struct dlv_step){
		.known = true,
		.next_at = INT64_MAX,
		.expires_at = INT64_MAX,
	};
	for (size_t i = 0; i < item->nentries; i++) {
		const struct store_queued *q = &item->entries[i];
		struct dlv_entry e;

		if (dlv_entry_get(q->data, &e) != RC_OK)
			e = (struct dlv_entry){ 0 };
		out->expires_at = MIN(out->expires_at, q->expires_at);
		if (dlv_retry_expires(q, &e))
			out->next_at = MIN(out->next_at, q->expires_at);
		out->next_at = MIN(
		    out->next_at, dlv_retry_warn_at(conf, item, q, &e, grace));
		if (q->state == DLV_READY || q->state == DLV_DONE) {
			out->ready++;
			if (q->state == DLV_DONE || dlv_retry_is_here(conf, q))
				out->next_at = MIN(out->next_at, q->next_at);
		} else if (q->state == DLV_POISON) {
			out->poison++;
		} else {
			out->held++;
		}
	}
	out->gone = item->nentries == 0;
}

/* RC_OK: committed, look again at once; RC_NOENT: there was nothing to do. */
static enum rc
try_here(struct dlv *d, struct arena *a, const struct log *log,
    const struct store_queue_item *item, int64_t now)
{
	const struct conf *conf = dlv_conf(d);
	struct store_queue_update up;
	struct dlv_plan p;
	enum rc rc;

	rc = dlv_plan_init(
	    &p, a, log, conf, item->from, STR(""), now, dlv_random());
	p.places = d->queue;
	if (rc == RC_OK)
		rc = dlv_retry_plan(&p, d->dir, item, deadline_in(TRY_MS), &up);
	conf_unref(&conf);
	if (rc != RC_OK) {
		log_error(log, "queue.damaged", KVC("rc", rc_name(rc)));
		return rc;
	}
	if (up.nset + up.nremove + up.nto == 0)
		return RC_NOENT;
	rc = store_queue_update(d->store, &up, deadline_in(COMMIT_MS));
	d->counts.retried += up.nremove + up.nset;
	/* Somebody has changed it meanwhile. */
	if (rc == RC_NOENT)
		return RC_OK;
	if (rc == RC_OK)
		dlv_track_update(d, &p, &up);
	if (rc == RC_OK)
		d->counts.retried_ok += up.nto;
	else
		log_warn(log, "queue.commit", KVC("rc", rc_name(rc)),
		    KVU("deliveries", up.nto));
	return rc;
}

/*
 * What would be worked on without being asked for: tries, notices, and what is
 * to be given up.  What is held longer than that stays held.
 */
static bool
is_pending(const struct store_queued *q, int64_t now)
{
	struct dlv_entry e;

	if (q->state == DLV_READY || q->state == DLV_DONE)
		return true;
	return q->expires_at <= now && dlv_entry_get(q->data, &e) == RC_OK &&
	       dlv_retry_expires(q, &e);
}

/*
 * What the process died with, twice, waits for an administrator.  What a notice
 * has to say stays in the entry: the action in its data, and the reason.
 */
static enum rc
set_aside(struct dlv *d, struct arena *a, const struct log *log,
    const struct store_queue_item *item, int64_t now)
{
	struct store_queued *set =
	    arena_calloc(a, item->nentries + 1, sizeof(*set));
	struct store_queue_update up = {
		.op_id = str_fmt(a, "%.*s.poison.%08x",
		    STRF(str_sub(item->message_id, 0, 40)), dlv_random()),
		.message_id = item->message_id,
		.set = set,
	};
	enum rc rc;

	for (size_t i = 0; i < item->nentries && up.nset < DLV_BATCH_MAX; i++) {
		struct store_queued *q = &set[up.nset];

		*q = item->entries[i];
		if (!is_pending(q, now))
			continue;
		if (q->state != DLV_DONE)
			q->reason =
			    STR("was being delivered when the process died");
		q->state = DLV_POISON;
		up.nset++;
	}
	if (up.nset == 0)
		return RC_NOENT;
	/* Said again by the next step if it could not be stored. */
	log_error(
	    log, "poison", KV("from", item->from), KVU("entries", up.nset));
	dlv_entry_expect(a, item, &up);
	rc = store_queue_update(d->store, &up, deadline_in(COMMIT_MS));
	if (rc == RC_NOENT)
		return RC_OK;
	if (rc == RC_OK)
		dlv_track_update(d, NULL, &up);
	d->counts.poisoned += rc == RC_OK;
	return rc;
}

static enum rc
try_safely(struct dlv *d, struct arena *a, const struct log *log,
    const struct store_queue_item *item, int64_t now)
{
	struct dlv_work work;
	enum rc rc;

	dlv_poison_item(&work, item->message_id);
	if (dlv_poison_begin(d, &work) != RC_OK)
		return set_aside(d, a, log, item, now);
	rc = try_here(d, a, log, item, now);
	if (rc == RC_NOENT)
		rc = dlv_notice(d, a, log, item, now);
	dlv_poison_end(d, &work);
	return rc;
}

void
dlv_retry_step(struct dlv *d, struct str message_id, struct dlv_step *out)
{
	struct log log = log_with(d->log, "qid", message_id);
	AUTO_ARENA a = { 0 };
	const struct conf *conf = dlv_conf(d);
	struct store_queue_item item;
	int64_t now = now_unix();
	enum rc rc;

	*out = (struct dlv_step){ .next_at = now + LOOK_AGAIN_S };
	rc = store_queue_get(
	    d->store, &a, message_id, deadline_in(READ_MS), &item);
	if (rc == RC_OK) {
		dlv_retry_clock(conf, &item, now, dlv_queue_grace(d));
		dlv_retry_count(conf, &item, dlv_queue_grace(d), out);
	}
	conf_unref(&conf);
	if (rc == RC_NOENT) {
		out->gone = true;
		return;
	}
	if (rc != RC_OK) {
		log_warn(&log, "queue.read", KVC("rc", rc_name(rc)));
		return;
	}
	if (out->gone || out->next_at > now)
		return;
	rc = try_safely(d, &a, &log, &item, now);
	out->again = rc == RC_OK;
	out->next_at = rc == RC_OK      ? now
		       : rc == RC_BAD   ? now + DAMAGED_S
		       : rc == RC_NOENT ? now + UNTRIED_S
					: now + LOOK_AGAIN_S;
}
