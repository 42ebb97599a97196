/*
 * The committer: gathers what is waiting, plans it, writes the log once,
 * syncs once, commits the index once, answers all.
 *
 * Gathering.  Whoever comes alone must not wait; when several come in a
 * circle (each sends its next message after the answer), waiting a little
 * makes one flush out of twenty.  So the committer waits, at most gather_us,
 * until as many are there as came together lately; that number follows the
 * last batches up at once and down slowly.
 *
 * A segment that is full ends the batch: what was planned is committed, and
 * the rest begins the next segment.
 */
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "store/local.h"

#define TEND_NS 1000000000
/* statvfs and a look at the map: often enough for what a disk can fill. */
#define SPACE_NS 20000000

static void
wake(struct local *l)
{
	if (l->asleep &&
	    (l->waiting >= l->wanted || (l->moves > 0 && l->waiting == 0))) {
		l->asleep = false;
		pthread_cond_signal(&l->work);
	}
}

void
local_start(struct engine *e, struct engine_intent *in)
{
	struct local *l = (struct local *)e;

	in->next = NULL;
	in->at_ns = now_ns();
	pthread_mutex_lock(&l->lock);
	*l->tail = in;
	l->tail = &in->next;
	if (in->kind == ENGINE_MOVE)
		l->moves++;
	else
		l->waiting++;
	wake(l);
	pthread_mutex_unlock(&l->lock);
}

enum rc
local_put_part(struct local *l, struct local_part *part)
{
	part->next = NULL;
	part->finished = false;
	pthread_mutex_lock(&l->lock);
	*l->parts_tail = part;
	l->parts_tail = &part->next;
	l->wanted = 0; /* somebody blocks on this one */
	wake(l);
	while (!part->finished)
		pthread_cond_wait(&l->part_done, &l->lock);
	pthread_mutex_unlock(&l->lock);
	return part->rc;
}

static void
check_space(struct local *l)
{
	struct statvfs st;
	int64_t now = now_ns();
	uint64_t floor = atomic_load(&l->floor_bytes);
	bool full;

	if (now < l->space_at_ns + SPACE_NS)
		return;
	l->space_at_ns = now;
	if (statvfs(l->dir, &st) != 0)
		return;
	atomic_store(&l->free_bytes, (uint64_t)st.f_bavail * st.f_frsize);
	full = ix_full(&l->ix);
	if (full || atomic_load(&l->free_bytes) < floor) {
		if (!atomic_exchange(&l->below_floor, true))
			log_error(&l->log, "store.space",
			    KVU("free", atomic_load(&l->free_bytes)),
			    KVU("floor", floor),
			    KVC("index", full ? "full" : "good"),
			    KVC("consequence", "no new mail"));
	} else if (atomic_exchange(&l->below_floor, false)) {
		log_info(&l->log, "store.space.good",
		    KVU("free", atomic_load(&l->free_bytes)));
	}
}

/* The log knows it all: give the index what it lacks. */
static enum rc
catch_up(struct local *l)
{
	if (!atomic_load(&l->behind))
		return RC_OK;
	if (local_replay(l) != RC_OK || local_load_ops(l) != RC_OK)
		return RC_TEMP;
	atomic_store(&l->behind, false);
	return RC_OK;
}

static enum rc
begin(struct local *l, MDB_txn **t)
{
	enum rc rc;

	if (seglog_failed(l->seglog)) {
		atomic_store(&l->read_only, true);
		return RC_TEMP;
	}
	rc = catch_up(l);
	if (rc == RC_OK)
		rc = ix_rc(
		    &l->ix, mdb_txn_begin(l->ix.env, NULL, 0, t), "begin");
	if (rc == RC_OK) {
		rc = ix_info_get(&l->ix, *t, &l->info);
		if (rc != RC_OK)
			mdb_txn_abort(*t);
	}
	l->ntouched = 0;
	return rc == RC_OK ? RC_OK : RC_TEMP;
}

/* Nothing of it was logged: as if it had never been. */
static void
give_up(struct local *l, MDB_txn *t)
{
	mdb_txn_abort(t);
	seglog_discard(l->seglog);
	if (local_load_ops(l) != RC_OK)
		atomic_store(&l->behind, true);
}

/* Log, sync, index: in this order, and no step without the one before. */
static enum rc
finish(struct local *l, MDB_txn *t)
{
	enum rc rc;

	l->info.applied = seglog_at(l->seglog);
	l->info.next_segment =
	    MAX(l->info.next_segment, POS_SEG(l->info.applied.pos) + 1);
	rc = ix_info_put(&l->ix, t, &l->info);
	if (rc == RC_OK)
		rc = seglog_write(l->seglog);
	if (rc != RC_OK) {
		give_up(l, t);
		return RC_TEMP;
	}
	if (seglog_sync(l->seglog) != RC_OK) {
		mdb_txn_abort(t);
		atomic_store(&l->read_only, true);
		return RC_TEMP;
	}
	atomic_fetch_add(&l->index_commits, 1);
	rc = ix_rc(&l->ix, mdb_txn_commit(t), "commit");
	if (rc != RC_OK) {
		atomic_store(&l->behind, true);
		return RC_TEMP;
	}
	atomic_store(&l->tail_pos, l->info.applied.pos);
	atomic_store(&l->ops_committed, l->info.next_op);
	atomic_fetch_add(&l->commits, 1);
	return RC_OK;
}

static void
tell(struct local *l)
{
	struct engine_change *out;
	MDB_txn *t;
	size_t n = 0;

	if (l->ntouched == 0 || l->conf.changed == NULL)
		return;
	if (mdb_txn_begin(l->ix.env, NULL, MDB_RDONLY, &t) != 0)
		return;
	out = arena_calloc(&l->batch, l->ntouched, sizeof(*out));
	for (size_t i = 0; i < l->ntouched; i++) {
		out[n].mailbox = l->touched[i].mailbox;
		out[n].modseq = l->touched[i].modseq;
		if (ix_account_id(&l->ix, t, l->touched[i].account,
			&out[n].account) == RC_OK)
			n++;
	}
	if (n > 0)
		l->conf.changed(l->conf.ctx, out, n);
	mdb_txn_abort(t);
}

/* Answer [from, to); what was planned well gets `rc`. */
static void
answer(struct local *l, struct engine_intent *from, struct engine_intent *to,
    enum rc rc)
{
	while (from != to) {
		struct engine_intent *in = from;

		from = in->next;
		buf_free(&in->rec);
		if (in->kind == ENGINE_SUBMIT || in->kind == ENGINE_MOVE)
			local_drop_body(&l->base, &in->submit.body);
		if (in->kind != ENGINE_MOVE)
			atomic_fetch_add(&l->intents, 1);
		in->done(in, in->rc == RC_OK ? rc : in->rc);
	}
}

static int
plan_one(struct local *l, MDB_txn *t, struct engine_intent *in)
{
	struct apply_hooks hooks;
	struct plan p = { .l = l, .in = in, .enc = { .b = &in->rec } };
	struct str pieces[3];
	int e;

	buf_free(&in->rec);
	buf_init(&in->rec, REC_MAX);
	p.a = in->a;
	p.ap = (struct apply){ .ix = &l->ix,
		.txn = t,
		.info = &l->info,
		.files = l->files,
		.hooks = local_hooks(l, &hooks),
		.a = in->a };
	e = plan_intent(&p);
	if (e == RC_OK && p.begun) {
		pieces[0] = str_sub(buf_str(&in->rec), 0, PLAN_PART);
		pieces[1] = p.part;
		pieces[2] = str_from(buf_str(&in->rec), PLAN_PART);
		seglog_end(l->seglog, pieces, 3);
	}
	if (e != RC_OK && e != PLAN_ROLL && p.begun)
		return -1; /* half done: the transaction must go */
	return e;
}

/* What \Recent was handed out since the last commit goes along for free. */
static void
save_recent(struct local *l, MDB_txn *t)
{
	struct apply_hooks hooks;
	struct apply ap = { .ix = &l->ix,
		.txn = t,
		.info = &l->info,
		.files = l->files,
		.hooks = local_hooks(l, &hooks),
		.a = &l->batch };
	struct local_recent *r, *next;
	struct buf b;
	struct enc e = { &b, false };
	struct str piece;
	uint64_t ops_pos;

	buf_init(&b, 1u << 20);
	pthread_mutex_lock(&l->recent_lock);
	HASH_ITER(hh, l->recent, r, next)
	{
		struct rec_recent rec = { r->mailbox, r->first };
		size_t at = b.n;

		if (r->saved) {
			HASH_DEL(l->recent, r);
			xfree(r);
			continue;
		}
		r->saved = true;
		rec_put_recent(&e, &rec);
		if (e.bad)
			break;
		/* A mailbox that is gone: nothing to save. */
		if (apply_recent(&ap, &rec) != RC_OK)
			b.n = at;
	}
	pthread_mutex_unlock(&l->recent_lock);
	if (b.n > 0 && !e.bad &&
	    seglog_begin(l->seglog, b.n, &ops_pos) == RC_OK) {
		piece = str_dup(&l->batch, buf_str(&b));
		seglog_end(l->seglog, &piece, 1);
	}
	buf_free(&b);
}

static enum rc
roll(struct local *l)
{
	enum rc rc = seglog_sync(l->seglog);

	if (rc == RC_OK)
		rc = seglog_roll(l->seglog);
	atomic_store(&l->tail_pos, seglog_at(l->seglog).pos);
	if (rc == RC_OK)
		atomic_fetch_add(&l->rolls, 1);
	else if (seglog_failed(l->seglog))
		atomic_store(&l->read_only, true);
	return rc;
}

static void
fail(struct local *l, struct engine_intent *from, struct engine_intent *to)
{
	for (struct engine_intent *in = from; in != to; in = in->next)
		in->rc = RC_TEMP;
	answer(l, from, to, RC_TEMP);
}

/*
 * Plan from `list` on, up to the end or a full segment; *rest is what was not
 * taken.  False: the transaction had to be given up; *rest is all of it.
 */
static bool
plan_list(struct local *l, MDB_txn *t, struct engine_intent *list,
    struct engine_intent **rest, bool *full)
{
	struct engine_intent *in;

	*full = false;
	for (in = list; in != NULL; in = in->next) {
		int e = plan_one(l, t, in);

		if (e == PLAN_ROLL) {
			*full = true;
			break;
		}
		if (e < 0) {
			*rest = list;
			return false;
		}
		in->rc = e == RC_OK ? RC_OK : (enum rc)e;
	}
	*rest = in;
	return true;
}

/*
 * When one intent spoils a transaction, each is tried by itself, so that the
 * others do not suffer: plan the first one alone.
 */
static enum rc
plan_alone(struct local *l, struct engine_intent *list, MDB_txn **t,
    struct engine_intent **rest, bool *full)
{
	struct engine_intent *others = list->next;
	bool planned;

	if (begin(l, t) != RC_OK)
		return RC_TEMP;
	list->next = NULL;
	planned = plan_list(l, *t, list, rest, full);
	list->next = others;
	if (!planned) {
		give_up(l, *t);
		return RC_TEMP;
	}
	if (*rest == NULL)
		*rest = others;
	return RC_OK;
}

/* One transaction; returns what is left. */
static struct engine_intent *
run_some(struct local *l, struct engine_intent *list)
{
	struct engine_intent *rest;
	MDB_txn *t;
	bool full;
	enum rc rc;

	if (begin(l, &t) != RC_OK) {
		fail(l, list, NULL);
		return NULL;
	}
	if (!plan_list(l, t, list, &rest, &full)) {
		give_up(l, t);
		if (plan_alone(l, list, &t, &rest, &full) != RC_OK) {
			rest = list->next;
			fail(l, list, rest);
			return rest;
		}
	}
	if (seglog_pending(l->seglog)) {
		if (!full)
			save_recent(l, t);
		rc = finish(l, t);
		if (rc == RC_OK)
			tell(l);
	} else {
		mdb_txn_abort(t);
		rc = RC_OK;
	}
	answer(l, list, rest, rc);
	if (full && roll(l) != RC_OK) {
		fail(l, rest, NULL);
		return NULL;
	}
	return rest;
}

static enum rc
put_part(struct local *l, struct local_part *part)
{
	AUTO_BUF b;
	struct enc e = { &b, false };
	struct rec_part r = { .number = part->number, .data = part->data };
	struct str pieces[2];
	uint64_t ops_pos;
	enum rc rc;

	buf_init(&b, 64);
	memcpy(r.body, part->body, BODY_ID);
	rec_put_part_head(&e, &r);
	rc = seglog_begin(l->seglog, b.n + part->data.n, &ops_pos);
	if (rc == RC_NOENT) {
		rc = roll(l);
		if (rc == RC_OK)
			rc = seglog_begin(
			    l->seglog, b.n + part->data.n, &ops_pos);
	}
	if (rc != RC_OK)
		return RC_TEMP;
	pieces[0] = buf_str(&b);
	pieces[1] = part->data;
	seglog_end(l->seglog, pieces, 2);
	rc = seglog_write(l->seglog);
	if (rc != RC_OK)
		seglog_discard(l->seglog);
	atomic_store(&l->tail_pos, seglog_at(l->seglog).pos);
	part->pos = ops_pos + b.n;
	return rc;
}

static void
run_parts(struct local *l, struct local_part *parts)
{
	while (parts != NULL) {
		struct local_part *part = parts;
		enum rc rc = put_part(l, part);

		parts = part->next;
		pthread_mutex_lock(&l->lock);
		part->rc = rc;
		part->finished = true;
		pthread_cond_broadcast(&l->part_done);
		pthread_mutex_unlock(&l->lock);
	}
}

static void
sleep_until(struct local *l, int64_t at_ns)
{
	struct timespec ts = { at_ns / 1000000000, at_ns % 1000000000 };

	l->asleep = true;
	while (l->asleep && !l->stop && now_ns() < at_ns)
		pthread_cond_timedwait(&l->work, &l->lock, &ts);
	l->asleep = false;
}

/* Wait for work, then for company; takes all that waits (under the lock). */
static struct engine_intent *
gather(struct local *l, unsigned company, size_t *n, struct local_part **parts)
{
	struct engine_intent *list;

	if (l->head == NULL && l->parts == NULL && !l->stop) {
		l->wanted = 1;
		sleep_until(l, now_ns() + TEND_NS);
	}
	if (l->waiting > 0 && l->waiting < company && l->parts == NULL &&
	    !l->stop) {
		l->wanted = company;
		sleep_until(
		    l, l->head->at_ns + (int64_t)l->conf.gather_us * 1000);
	}
	list = l->head;
	*n = l->waiting;
	*parts = l->parts;
	l->head = NULL;
	l->tail = &l->head;
	l->waiting = l->moves = 0;
	l->parts = NULL;
	l->parts_tail = &l->parts;
	return list;
}

static void *
commit_loop(void *arg)
{
	struct local *l = arg;
	unsigned company = 0; /* in sixteenths */

	pthread_mutex_lock(&l->lock);
	while (!l->stop || l->head != NULL || l->parts != NULL) {
		struct local_part *parts;
		size_t n;
		struct engine_intent *list =
		    gather(l, company / 16, &n, &parts);

		pthread_mutex_unlock(&l->lock);
		check_space(l);
		run_parts(l, parts);
		while (list != NULL)
			list = run_some(l, list);
		arena_reset(&l->batch);
		pthread_mutex_lock(&l->lock);
		if (n > 0) {
			unsigned now = (unsigned)MIN(n, LOCAL_BATCH_MAX) * 16;

			company =
			    now >= company ? now : (company * 7 + now) / 8;
		}
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

enum rc
local_commit_start(struct local *l)
{
	check_space(l);
	if (pthread_create(&l->thread, NULL, commit_loop, l) != 0)
		return RC_TEMP;
	l->threaded = true;
	return RC_OK;
}

void
local_commit_stop(struct local *l)
{
	if (!l->threaded)
		return;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	l->asleep = false;
	pthread_cond_signal(&l->work);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->thread, NULL);
	l->threaded = false;
}
