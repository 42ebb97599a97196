/*
 * Compaction: space of the log that nobody needs comes back while mail flows.
 *
 * What a segment holds is needed for two things: bodies that somebody refers
 * to, and records that say how the index came about.  A checkpoint
 * (store/ckpt.h) makes the second unnecessary for everything before its
 * position; bodies are moved.  A run goes in rounds, each of three steps:
 *
 *  1. Move.  Sealed segments with little in them are the victims, the
 *     emptiest first, as many as there is free space for.  Each body with a
 *     part in a victim is read, the sums of its records checked, and logged
 *     again at the tail: parts, then MOVED, which gives its places anew.  To
 *     everybody else that is a transaction like any other.
 *  2. Checkpoint.  The index is written out from one read transaction, which
 *     is the state at one position P, and on the way the bytes it refers to
 *     are counted for each segment.
 *  3. Remove.  The index is synced, the checkpoint renamed, the folder
 *     synced; then every sealed segment before P that the checkpoint does not
 *     refer to is unlinked.
 *
 * Why nothing is lost.  A segment goes only if (a) it lies before the segment
 * of the last record before P, (b) no body of the state at P has a place in
 * it, and (c) no record behind P names a place in it.  Records behind P name
 * places of their own or later segments, except: those moved (there is one
 * mover, and it does not move while it checkpoints and removes), and large
 * bodies whose parts went ahead and whose record is still to come.  For these
 * the pins are read before the transaction begins: a body that was let go
 * before is in the index the transaction sees (unless the index is behind,
 * which is asked in between and ends the round), one that holds parts then is
 * pinned, one that comes later writes at the tail, which is no victim.
 *
 * So at every moment the checkpoint on disk and the segments from its
 * position on give the whole index, and every place in it exists.  A crash
 * before the rename leaves the old checkpoint and all segments; one after it
 * leaves segments that the next run removes.  An index that stands before the
 * checkpoint (it cannot, being synced first; but a copy might) is built anew.
 *
 * Readers hold no locks.  A segment is emptied after it was unlinked, so that
 * its space is free at once even if somebody has it open; who reads there
 * gets RC_NOENT, looks up the body again, and finds it moved.
 *
 * Below the floor of free space moving goes on: it uses what is kept for it.
 */
#include <sys/stat.h>
#include <time.h>

#include "store/ckpt.h"
#include "store/compact_impl.h"

#define TICK_NS    (60 * (int64_t)1000000000)
#define REST_NS    1000000000 /* at most */
#define KEEP_ABOVE 90u        /* percent: on demand, fuller ones are left */

/* What the steps ask */

bool
compact_stopping(struct compact *c)
{
	bool stop;

	pthread_mutex_lock(&c->lock);
	stop = c->stop;
	pthread_mutex_unlock(&c->lock);
	return stop || atomic_load(&c->l->read_only);
}

void
compact_progress(struct compact *c, uint64_t done)
{
	pthread_mutex_lock(&c->lock);
	c->seen.done += done;
	pthread_mutex_unlock(&c->lock);
}

void
compact_rest(struct compact *c, bool manual, int64_t worked_ns)
{
	struct local *l = c->l;
	int64_t ns = MIN(worked_ns * REST_AUTO, REST_NS);
	struct timespec ts;

	if (manual || atomic_load(&l->below_floor))
		return;
	ns += now_ns();
	ts = (struct timespec){ ns / 1000000000, ns % 1000000000 };
	pthread_mutex_lock(&c->lock);
	while (!c->stop && !c->wanted && now_ns() < ns)
		pthread_cond_timedwait(&c->wake, &c->lock, &ts);
	pthread_mutex_unlock(&c->lock);
}

/* A run */

static void
note_stock(struct compact *c, const struct segments *s)
{
	pthread_mutex_lock(&c->lock);
	c->seen.segments = s->n;
	c->seen.sealed_bytes = s->total;
	c->seen.live_bytes = s->live;
	pthread_mutex_unlock(&c->lock);
}

static bool
worth_it(struct compact *c, const struct segments *s)
{
	struct local *l = c->l;
	uint64_t garbage = s->total - s->live;

	if (atomic_load(&l->below_floor))
		return s->reclaim >= l->conf.segment_bytes;
	return garbage / MAX(l->conf.compact_percent, 1) * 100 >= s->total &&
	       s->reclaim >= 2 * l->conf.segment_bytes;
}

/* One round; RC_NOENT: nothing is left to do. */
static enum rc
run_round(struct compact *c, uint32_t below, bool manual, bool first)
{
	unsigned most = manual ? KEEP_ABOVE : 100 - c->l->conf.compact_percent;
	struct segments s, left = { 0 };
	size_t removed = 0;
	enum rc rc = compact_take_stock(c, below, &s);

	if (rc == RC_OK) {
		note_stock(c, &s);
		rc = compact_choose(c, &s, most);
	}
	if (rc == RC_OK && first && !manual && !worth_it(c, &s))
		rc = RC_NOENT;
	if (rc == RC_OK) {
		pthread_mutex_lock(&c->lock);
		c->seen.done = c->seen.total = 0;
		for (size_t i = 0; i < s.n; i++)
			c->seen.total += s.v[i].victim ? s.v[i].live : 0;
		pthread_mutex_unlock(&c->lock);
		rc = compact_move(c, &s, manual);
		if (rc == RC_OK)
			rc = compact_checkpoint(c, manual, &left);
		if (rc == RC_OK)
			rc = compact_settle(c, &left, &removed);
		/* What could not be emptied is not tried again and again. */
		if (rc == RC_OK && removed == 0)
			rc = RC_NOENT;
	}
	xfree(s.v);
	xfree(left.v);
	return rc;
}

static enum rc
run(struct compact *c, bool manual)
{
	uint32_t below = POS_SEG(atomic_load(&c->l->tail_pos));
	struct segments s;
	bool first = true;
	enum rc rc;

	while ((rc = run_round(c, below, manual, first)) == RC_OK)
		first = false;
	if (rc != RC_NOENT)
		return rc;
	if (!first && compact_take_stock(c,
			  POS_SEG(atomic_load(&c->l->tail_pos)), &s) == RC_OK)
		note_stock(c, &s);
	else
		s.v = NULL;
	xfree(s.v);
	return RC_OK;
}

static bool
due(struct compact *c)
{
	struct seglog_stats x;
	uint64_t grown;

	if (c->wanted)
		return true;
	if (!c->l->conf.compact_auto || atomic_load(&c->l->read_only))
		return false;
	seglog_stats(c->l->seglog, &x);
	grown = x.bytes - c->log_size;
	return c->runs == 0 || grown >= c->l->conf.segment_bytes ||
	       atomic_load(&c->l->below_floor);
}

static void *
compact_main(void *arg)
{
	struct compact *c = arg;

	pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		struct seglog_stats x;
		int64_t at = now_ns() + TICK_NS;
		struct timespec ts = { at / 1000000000, at % 1000000000 };
		bool manual;
		enum rc rc;

		if (!c->wanted) {
			pthread_cond_timedwait(&c->wake, &c->lock, &ts);
			if (!c->wanted && now_ns() < at)
				continue;
		}
		if (c->stop || !due(c))
			continue;
		manual = c->wanted;
		c->wanted = false;
		c->running = true;
		c->seen.freed = 0;
		seglog_stats(c->l->seglog, &x);
		c->log_size = x.bytes;
		pthread_mutex_unlock(&c->lock);
		rc = run(c, manual);
		pthread_mutex_lock(&c->lock);
		c->running = false;
		c->result = rc;
		c->runs++;
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* What others call */

enum rc
local_compact(struct engine *e, bool wait)
{
	struct local *l = (struct local *)e;
	struct compact *c = l->compact;
	enum rc rc = RC_OK;
	uint64_t runs;

	if (atomic_load(&l->read_only))
		return RC_TEMP;
	pthread_mutex_lock(&c->lock);
	/* One that runs already may be past what came since. */
	runs = c->runs + c->running + 1;
	c->wanted = true;
	pthread_cond_broadcast(&c->wake);
	while (wait && !c->stop && c->runs < runs)
		pthread_cond_wait(&c->changed, &c->lock);
	if (wait)
		rc = c->result;
	pthread_mutex_unlock(&c->lock);
	return rc;
}

static enum rc
position(struct local *l, struct engine_position *out)
{
	struct ix_info info;
	MDB_txn *t;
	enum rc rc = ix_rc(
	    &l->ix, mdb_txn_begin(l->ix.env, NULL, MDB_RDONLY, &t), "begin");

	if (rc != RC_OK)
		return rc;
	rc = ix_info_get(&l->ix, t, &info);
	mdb_txn_abort(t);
	if (rc == RC_OK)
		*out = (struct engine_position){ info.applied.pos,
			info.applied.last, info.applied.seq,
			info.applied.chain };
	return rc;
}

enum rc
local_pin(struct engine *e, bool on, struct engine_position *out)
{
	struct local *l = (struct local *)e;
	struct compact *c = l->compact;

	pthread_mutex_lock(&c->lock);
	while (on && c->seen.removing)
		pthread_cond_wait(&c->changed, &c->lock);
	assert(on || c->pins > 0);
	c->pins += on ? 1 : -1u;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	if (!on || position(l, out) == RC_OK)
		return RC_OK;
	(void)local_pin(e, false, NULL);
	return RC_TEMP;
}

/* Counted anew if a run has not just done it. */
enum rc
local_upkeep(struct engine *e, struct engine_upkeep *out)
{
	struct local *l = (struct local *)e;
	struct compact *c = l->compact;
	uint32_t tail = POS_SEG(atomic_load(&l->tail_pos));
	struct segments s = { 0 };
	AUTO_ARENA a = { 0 };
	struct stat st;
	bool running;
	enum rc rc = RC_OK;

	pthread_mutex_lock(&c->lock);
	running = c->running || c->wanted;
	pthread_mutex_unlock(&c->lock);
	if (!running)
		rc = compact_take_stock(c, tail, &s);
	if (!running && rc == RC_OK)
		note_stock(c, &s);
	xfree(s.v);
	pthread_mutex_lock(&c->lock);
	*out = c->seen;
	out->running = c->running || c->wanted;
	out->runs = c->runs;
	out->failed = c->runs > 0 && c->result != RC_OK;
	pthread_mutex_unlock(&c->lock);
	if (stat(str_fmt(&a, "%s/log/" CKPT_NAME, l->dir).p, &st) == 0)
		out->checkpoint_bytes = (uint64_t)st.st_size;
	return rc;
}

enum rc
local_compact_start(struct local *l)
{
	struct compact *c = l->compact = xcalloc(1, sizeof(*c));
	pthread_condattr_t attr;

	c->l = l;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->wake, &attr);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&c->thread, NULL, compact_main, c) != 0)
		return RC_TEMP;
	c->threaded = true;
	return RC_OK;
}

void
local_compact_stop(struct local *l)
{
	struct compact *c = l->compact;

	if (c == NULL)
		return;
	if (c->threaded) {
		pthread_mutex_lock(&c->lock);
		c->stop = true;
		pthread_cond_broadcast(&c->wake);
		pthread_cond_broadcast(&c->changed);
		pthread_mutex_unlock(&c->lock);
		pthread_join(c->thread, NULL);
	}
	pthread_cond_destroy(&c->wake);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	xfree(c);
	l->compact = NULL;
}
