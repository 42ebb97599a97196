/* The table of operations, and those about bodies and operation ids. */
#include <string.h>

#include "store/apply.h"

void
apply_record(struct apply *ap, uint64_t ops_pos, const char *base)
{
	ap->ops_pos = ops_pos;
	ap->base = base;
	ap->base_off = 0;
	ap->part_pos = 0;
	ap->has_body = false;
	ap->meta = STR_NULL;
}

enum rc
apply_contradiction(struct apply *ap, const char *what)
{
	log_error(&ap->ix->log, "index.contradiction", KVC("what", what),
	    KVU("segment", POS_SEG(ap->ops_pos)),
	    KVU("offset", POS_OFF(ap->ops_pos)));
	return RC_BAD;
}

void
apply_touched(
    struct apply *ap, uint64_t account, uint64_t mailbox, uint64_t modseq)
{
	if (ap->hooks != NULL && ap->hooks->touched != NULL)
		ap->hooks->touched(ap->hooks->ctx, account, mailbox, modseq);
}

/* Places in this record are written as 0 in the log: it knows none yet. */
static enum rc
put_body(struct apply *ap, const struct rec_body *r)
{
	struct ix_key k = ix_key_body(r->id);
	size_t n = 32 + r->parts.n;
	unsigned char *p;
	enum rc rc =
	    ix_room(ap->ix, ap->txn, ap->ix->body, ix_key_str(&k), n, &p);

	if (rc != RC_OK)
		return rc;
	le_put(p, r->content, 8);
	le_put(p + 8, r->edits, 4);
	le_put(p + 12, r->meta_version, 4);
	le_put(p + 16,
	    ap->ops_pos + ap->base_off + (size_t)(r->meta.p - ap->base), 8);
	le_put(p + 24, r->meta.n, 4);
	le_put(p + 28, r->nparts, 4);
	for (size_t i = 0; i < r->nparts; i++) {
		uint64_t pos = le_get(r->parts.p + 12 * i, 8);

		le_put(p + 32 + 12 * i, pos != 0 ? pos : ap->part_pos, 8);
		memcpy(p + 40 + 12 * i, r->parts.p + 12 * i + 8, 4);
	}
	return RC_OK;
}

enum rc
apply_body(struct apply *ap, const struct rec_body *r)
{
	struct ix_body known;
	enum rc rc = ix_body_get(ap->ix, ap->txn, r->id, &known);

	if (rc == RC_OK)
		return apply_contradiction(ap, "body twice");
	if (rc != RC_NOENT)
		return rc;
	memcpy(ap->body, r->id, BODY_ID);
	ap->has_body = true;
	ap->meta = r->meta;
	ap->info->bodies++;
	return put_body(ap, r);
}

/* A body that went while it was being moved stays gone. */
enum rc
apply_moved(struct apply *ap, const struct rec_body *r)
{
	struct ix_body known;
	enum rc rc = ix_body_get(ap->ix, ap->txn, r->id, &known);

	if (rc != RC_OK)
		return rc == RC_NOENT ? RC_OK : rc;
	if (known.body.content != r->content ||
	    known.body.nparts != r->nparts || known.meta_len != r->meta.n)
		return apply_contradiction(ap, "moved body");
	return put_body(ap, r);
}

enum rc
apply_unref(struct apply *ap, const unsigned char body[BODY_ID],
    uint64_t mailbox, uint32_t uid)
{
	const struct ix *ix = ap->ix;
	struct ix_key ref = ix_key_ref(body, mailbox, uid);
	struct ix_key k = ix_key_body(body);
	struct str key, value;
	enum rc rc = ix_del(ix, ap->txn, ix->body, ix_key_str(&ref));
	size_t n = 0;

	if (rc != RC_OK)
		return rc;
	{
		AUTO_WALK w = { 0 };

		rc = ix_walk_begin(
		    ix, ap->txn, ix->body, ix_key_str(&k), ix_key_str(&k), &w);
		while (rc == RC_OK && n < 2 &&
		       (rc = ix_walk_next(&w, &key, &value)) == RC_OK)
			n++;
	}
	if (rc != RC_OK && rc != RC_NOENT)
		return rc;
	if (n != 1)
		return RC_OK;
	ap->info->bodies--;
	return ix_del(ix, ap->txn, ix->body, ix_key_str(&k));
}

/* Forget the oldest operation id. */
static enum rc
drop_op(struct apply *ap, int64_t older_than, bool *dropped)
{
	struct ix_key k = ix_key_u64(ap->info->oldest_op);
	struct str v;
	struct dec d;
	int64_t at;
	enum rc rc = ix_get(ap->ix, ap->txn, ap->ix->op, ix_key_str(&k), &v);

	*dropped = false;
	if (rc != RC_OK)
		return rc == RC_NOENT ? apply_contradiction(ap, "ops") : rc;
	d = dec_of(v);
	at = (int64_t)dec_u(&d, 8);
	if (ap->info->next_op - ap->info->oldest_op <= APPLY_OPS_MAX &&
	    at >= older_than)
		return RC_OK;
	if (ap->hooks != NULL && ap->hooks->op_dropped != NULL)
		ap->hooks->op_dropped(
		    ap->hooks->ctx, ap->info->oldest_op, dec_str(&d));
	ap->info->oldest_op++;
	*dropped = true;
	return ix_del(ap->ix, ap->txn, ap->ix->op, ix_key_str(&k));
}

enum rc
apply_opid(struct apply *ap, const struct rec_opid *r)
{
	struct ix_key k = ix_key_u64(ap->info->next_op);
	AUTO_BUF b;
	struct enc e = { &b, false };
	bool dropped = true;
	enum rc rc;

	buf_init(&b, 1024);
	enc_u(&e, (uint64_t)r->time, 8);
	enc_str(&e, r->id);
	enc_str(&e, r->result);
	assert(!e.bad);
	rc = ix_put(ap->ix, ap->txn, ap->ix->op, ix_key_str(&k), buf_str(&b));
	if (rc != RC_OK)
		return rc;
	if (ap->hooks != NULL && ap->hooks->op_added != NULL)
		ap->hooks->op_added(ap->hooks->ctx, ap->info->next_op, r);
	ap->info->next_op++;
	/* Two at most, so that a long pause does not fall on one commit. */
	for (int i = 0; i < 2 && rc == RC_OK && dropped &&
			ap->info->oldest_op < ap->info->next_op;
	     i++)
		rc = drop_op(ap, r->time - APPLY_OPS_AGE, &dropped);
	return rc;
}

enum rc
apply_op(struct apply *ap, const struct rec_op *op)
{
	switch (op->type) {
	case REC_PART:
		ap->part_pos = ap->ops_pos + op->at;
		return RC_OK;
	case REC_BODY:
		return apply_body(ap, &op->body);
	case REC_ACCOUNT:
		return apply_account(ap, &op->account);
	case REC_MAILBOX:
		return apply_mailbox(ap, &op->mailbox);
	case REC_MAILBOX_DEL:
		return apply_mailbox_del(ap, op->mailbox_del);
	case REC_KEYWORD:
		return apply_keyword(ap, &op->keyword);
	case REC_DELIVER:
		return apply_deliver(ap, &op->deliver);
	case REC_FLAGS:
		return apply_flags(ap, &op->flags);
	case REC_EXPUNGE:
		return apply_expunge(ap, &op->expunge);
	case REC_COPY:
		return apply_copy(ap, &op->copy);
	case REC_RECENT:
		return apply_recent(ap, &op->recent);
	case REC_QUEUE:
		return apply_queue(ap, &op->queue);
	case REC_ENTRY:
		return apply_entry(ap, &op->entry);
	case REC_ENTRY_DEL:
		return apply_entry_del(ap, &op->entry);
	case REC_OPID:
		return apply_opid(ap, &op->opid);
	case REC_MOVED:
		return apply_moved(ap, &op->body);
	case REC_RESTORED:
		return apply_restored(ap, &op->restored);
	}
	return RC_DENY;
}

enum rc
apply_ops(struct apply *ap, struct str ops)
{
	const char *base = ops.p;

	for (;;) {
		size_t before = (size_t)(ops.p - base);
		struct rec_op op;
		enum rc rc = rec_next(ap->a, &ops, &op);

		if (rc == RC_NOENT)
			return RC_OK;
		if (rc == RC_OK) {
			op.at += before;
			rc = apply_op(ap, &op);
		}
		if (rc == RC_NOENT)
			rc = apply_contradiction(ap, "nothing there");
		if (rc != RC_OK)
			return rc;
	}
}
