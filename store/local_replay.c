/*
 * Giving the index what the log has more: at start, after a crash, after an
 * index that was lost (then everything), and when a commit of the index
 * failed.  The operation ids of the last days are kept in memory beside it.
 */
#include <string.h>

#include "store/local.h"

#define TXN_RECORDS 2000u
#define TXN_BYTES   (64u << 20)

struct replay {
	struct local *l;
	MDB_txn *txn;
	struct seglog_pos at; /* behind the last record applied */
	size_t records, bytes;
	struct arena a;
	enum rc rc;
};

static enum rc
replay_begin(struct replay *r)
{
	struct ix *ix = &r->l->ix;
	enum rc rc =
	    ix_rc(ix, mdb_txn_begin(ix->env, NULL, 0, &r->txn), "begin");

	r->records = r->bytes = 0;
	if (rc != RC_OK)
		r->txn = NULL;
	return rc;
}

static enum rc
replay_commit(struct replay *r)
{
	struct local *l = r->l;
	MDB_txn *t = r->txn;
	enum rc rc;

	l->info.applied = r->at;
	l->info.next_segment =
	    MAX(l->info.next_segment, POS_SEG(r->at.pos) + 1);
	rc = ix_info_put(&l->ix, t, &l->info);
	r->txn = NULL;
	if (rc != RC_OK) {
		mdb_txn_abort(t);
		return rc;
	}
	return ix_rc(&l->ix, mdb_txn_commit(t), "commit");
}

static enum rc
replay_record(void *ctx, const struct seglog_seen *rec)
{
	struct replay *r = ctx;
	struct local *l = r->l;
	struct apply ap = { .ix = &l->ix,
		.txn = r->txn,
		.info = &l->info,
		.files = l->files,
		.a = &r->a };
	enum rc rc;

	apply_record(&ap, rec->ops_pos, rec->ops.p);
	rc = apply_ops(&ap, rec->ops);
	arena_reset(&r->a);
	if (rc == RC_DENY)
		log_error(&l->log, "store.replay",
		    KVU("segment", POS_SEG(rec->pos)),
		    KVU("offset", POS_OFF(rec->pos)),
		    KVC("why", "an operation of a later version"));
	if (rc != RC_OK)
		return rc;
	r->at.last = rec->pos;
	r->at.seq = rec->seq;
	r->at.pos = rec->ops_pos + ((rec->ops.n + 7) & ~(uint64_t)7);
	r->at.chain = rec->chain;
	r->bytes += rec->ops.n;
	if (++r->records < TXN_RECORDS && r->bytes < TXN_BYTES)
		return RC_OK;
	rc = replay_commit(r);
	return rc == RC_OK ? replay_begin(r) : rc;
}

enum rc
local_replay(struct local *l)
{
	struct replay r = { .l = l };
	struct seglog_scan out;
	AUTO_ARENA a = { 0 };
	MDB_txn *t;
	enum rc rc = ix_rc(
	    &l->ix, mdb_txn_begin(l->ix.env, NULL, MDB_RDONLY, &t), "begin");

	if (rc != RC_OK)
		return rc;
	rc = ix_info_get(&l->ix, t, &l->info);
	mdb_txn_abort(t);
	if (rc != RC_OK)
		return rc;
	r.at = l->info.applied;
	rc = replay_begin(&r);
	if (rc == RC_OK)
		rc = seglog_scan(&l->log, &l->sconf, &l->info.applied,
		    replay_record, &r, &a, &out);
	if (rc == RC_OK) {
		r.at = out.end;
		rc = replay_commit(&r);
	}
	if (r.txn != NULL)
		mdb_txn_abort(r.txn);
	arena_free(&r.a);
	if (rc == RC_OK && out.records > 0)
		log_info(&l->log, "store.replayed", KVU("records", out.records),
		    KVU("segment", POS_SEG(out.end.pos)),
		    KVU("offset", POS_OFF(out.end.pos)));
	return rc;
}

/* What an operation id is answered with: body, mailbox, uid. */
struct str
local_op_result(struct arena *a, const struct engine_result *out)
{
	char *p = arena_alloc(a, BODY_ID + 12);

	memcpy(p, out->body, BODY_ID);
	le_put(p + BODY_ID, out->mailbox, 8);
	le_put(p + BODY_ID + 8, out->uid, 4);
	return str_n(p, BODY_ID + 12);
}

void
local_op_added(void *ctx, uint64_t number, const struct rec_opid *r)
{
	struct local *l = ctx;
	struct local_op *op = xcalloc(1, sizeof(*op)), *old;

	memcpy(op->id, r->id.p, r->id.n);
	op->n = r->id.n;
	op->number = number;
	if (r->result.n == BODY_ID + 12) {
		memcpy(op->out.body, r->result.p, BODY_ID);
		op->out.mailbox = le_get(r->result.p + BODY_ID, 8);
		op->out.uid = (uint32_t)le_get(r->result.p + BODY_ID + 8, 4);
	}
	op->out.repeated = true;
	pthread_mutex_lock(&l->op_lock);
	HASH_FIND(hh, l->ops, op->id, op->n, old);
	if (old != NULL) {
		HASH_DEL(l->ops, old);
		xfree(old);
	}
	HASH_ADD_KEYPTR(hh, l->ops, op->id, op->n, op);
	pthread_mutex_unlock(&l->op_lock);
}

void
local_op_dropped(void *ctx, uint64_t number, struct str id)
{
	struct local *l = ctx;
	struct local_op *op;

	pthread_mutex_lock(&l->op_lock);
	HASH_FIND(hh, l->ops, id.p, id.n, op);
	if (op != NULL && op->number == number) {
		HASH_DEL(l->ops, op);
		xfree(op);
	}
	pthread_mutex_unlock(&l->op_lock);
}

static enum rc
find(struct local *l, struct str id, uint64_t below, struct engine_result *out)
{
	struct local_op *op;
	enum rc rc = RC_NOENT;

	pthread_mutex_lock(&l->op_lock);
	HASH_FIND(hh, l->ops, id.p, id.n, op);
	if (op != NULL && op->number < below) {
		*out = op->out;
		rc = RC_OK;
	}
	pthread_mutex_unlock(&l->op_lock);
	return rc;
}

enum rc
local_op_known(struct local *l, struct str id, struct engine_result *out)
{
	return find(l, id, UINT64_MAX, out);
}

enum rc
local_find_op(struct engine *e, struct str id, struct engine_result *out)
{
	struct local *l = (struct local *)e;

	return find(l, id, atomic_load(&l->ops_committed), out);
}

static void
clear_ops(struct local *l)
{
	struct local_op *op, *next;

	pthread_mutex_lock(&l->op_lock);
	HASH_ITER(hh, l->ops, op, next)
	{
		HASH_DEL(l->ops, op);
		xfree(op);
	}
	pthread_mutex_unlock(&l->op_lock);
}

enum rc
local_load_ops(struct local *l)
{
	struct ix_info info;
	struct str k, v;
	MDB_txn *t;
	enum rc rc = ix_rc(
	    &l->ix, mdb_txn_begin(l->ix.env, NULL, MDB_RDONLY, &t), "begin");

	clear_ops(l);
	if (rc != RC_OK)
		return rc;
	rc = ix_info_get(&l->ix, t, &info);
	if (rc == RC_OK) {
		AUTO_WALK w = { 0 };

		rc = ix_walk_begin(&l->ix, t, l->ix.op, STR(""), STR(""), &w);
		while (
		    rc == RC_OK && (rc = ix_walk_next(&w, &k, &v)) == RC_OK) {
			struct dec d = dec_of(v);
			struct rec_opid r = { .time = (int64_t)dec_u(&d, 8) };

			r.id = dec_str(&d);
			r.result = dec_str(&d);
			if (d.bad || k.n != 8 || r.id.n > STORE_OPID_MAX)
				rc = RC_BAD;
			else
				local_op_added(l, be_get(k.p, 8), &r);
		}
		rc = rc == RC_NOENT ? RC_OK : rc;
		atomic_store(&l->ops_committed, info.next_op);
	}
	mdb_txn_abort(t);
	return rc;
}

static void
on_touched(void *ctx, uint64_t account, uint64_t mailbox, uint64_t modseq)
{
	struct local *l = ctx;

	for (size_t i = 0; i < l->ntouched && i < 64; i++)
		if (l->touched[i].account == account &&
		    l->touched[i].mailbox == mailbox) {
			l->touched[i].modseq = modseq;
			return;
		}
	if (l->ntouched == l->touched_room) {
		l->touched_room = MAX(64, l->touched_room * 2);
		l->touched =
		    xrealloc(l->touched, l->touched_room * sizeof(*l->touched));
	}
	l->touched[l->ntouched++] =
	    (struct local_touched){ account, mailbox, modseq };
}

const struct apply_hooks *
local_hooks(struct local *l, struct apply_hooks *h)
{
	*h = (struct apply_hooks){ .touched = on_touched,
		.op_added = local_op_added,
		.op_dropped = local_op_dropped,
		.ctx = l };
	return h;
}

void
local_free_ops(struct local *l)
{
	clear_ops(l);
}
