/*
 * Planning: an intent is checked against the index as the batch has left it,
 * its operations are put into one record, and each is applied to the open
 * transaction at once, so that the next intent of the batch sees it.  Nothing
 * is visible or acknowledged before the log is synced.
 *
 * All checks come before plan_begin: what fails there has touched nothing and
 * is a definite answer.  What fails later (the disk, the index's map) gives
 * up the whole transaction.
 */
#include <string.h>

#include "store/local.h"

#define OPID_BOUND 512u

int
plan_begin(struct plan *p, size_t bound)
{
	uint64_t ops_pos;
	struct rec_part part;
	enum rc rc;

	bound += OPID_BOUND + p->in->op_id.n;
	if (bound > REC_MAX)
		return RC_BAD;
	rc = seglog_begin(p->l->seglog, bound, &ops_pos);
	if (rc == RC_NOENT)
		return PLAN_ROLL;
	/* The record is not moved while it is put: slices point into it. */
	if (rc == RC_OK)
		rc = buf_reserve(p->enc.b, bound);
	if (rc != RC_OK)
		return RC_TEMP;
	p->begun = true;
	apply_record(&p->ap, ops_pos, p->enc.b->p);
	if (p->part.p == NULL)
		return 0;
	memcpy(part.body, p->in->submit.body->id, BODY_ID);
	part.number = p->in->submit.body->number;
	part.data = p->part;
	rec_put_part_head(&p->enc, &part);
	assert(p->enc.b->n == PLAN_PART);
	p->ap.base_off = p->part.n;
	p->ap.part_pos = ops_pos + PLAN_PART;
	return 0;
}

enum rc
plan_apply(struct plan *p, size_t at)
{
	struct str ops;
	struct rec_op op;
	enum rc rc;

	assert(!p->enc.bad && p->enc.b->p == p->ap.base);
	ops = str_n(p->enc.b->p + at, p->enc.b->n - at);
	while ((rc = rec_next(p->a, &ops, &op)) == RC_OK) {
		rc = apply_op(&p->ap, &op);
		if (rc != RC_OK)
			break;
	}
	if (rc == RC_NOENT && ops.n == 0)
		return RC_OK;
	log_error(&p->l->log, "plan.apply", KVU("kind", p->in->kind),
	    KVC("rc", rc_name(rc)));
	return RC_TEMP;
}

static int
put_opid(struct plan *p)
{
	struct rec_opid r = { .time = now_unix(),
		.id = p->in->op_id,
		.result = local_op_result(p->a, &p->in->out) };
	size_t at;
	int e;

	if (!p->begun && (e = plan_begin(p, 0)) != 0)
		return e;
	at = p->enc.b->n;
	rec_put_opid(&p->enc, &r);
	return plan_apply(p, at);
}

static int
plan_kind(struct plan *p)
{
	switch (p->in->kind) {
	case ENGINE_SUBMIT:
		return plan_submit(p);
	case ENGINE_QUEUE:
		return plan_queue(p);
	case ENGINE_FLAGS:
		return plan_flags(p);
	case ENGINE_COPY:
		return plan_copy(p);
	case ENGINE_EXPUNGE:
		return plan_expunge(p);
	case ENGINE_MOVE:
		return plan_move(p);
	case ENGINE_RESTORED:
		return plan_restored(p);
	default:
		return plan_mailbox(p);
	}
}

int
plan_intent(struct plan *p)
{
	int e;

	if (p->in->op_id.n > STORE_OPID_MAX)
		return RC_BAD;
	if (p->in->op_id.n > 0 &&
	    local_op_known(p->l, p->in->op_id, &p->in->out) == RC_OK) {
		p->finished = true;
		return RC_OK;
	}
	p->in->out = (struct engine_result){ 0 };
	e = plan_kind(p);
	if (e == RC_OK && p->in->op_id.n > 0 && !p->in->out.repeated)
		e = put_opid(p);
	return e;
}
