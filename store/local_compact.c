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
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "store/ckpt.h"
#include "store/local.h"

#define TICK_NS     (60 * (int64_t)1000000000)
#define CHUNK       2000u        /* bodies looked at in a transaction */
#define BATCH_N     64u          /* bodies in flight */
#define BATCH_BYTES (512u << 10) /* or so much of them */
#define REST_AUTO   4            /* rest so many times the work */
#define REST_NS     1000000000   /* at most */
#define MOVED_COST  140u         /* what a body costs beside its bytes */
#define PART_COST   28u
#define KEEP_ABOVE  90u /* percent: on demand, fuller ones are left */

struct segment {
	uint32_t id;
	bool victim;
	uint64_t size, live;
};

struct segments {
	struct segment *v;
	size_t n;
	uint64_t total, live, reclaim;
};

struct compact {
	struct local *l;
	pthread_t thread;
	bool threaded;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake, changed;
	bool stop, wanted, running;
	unsigned pins;
	uint64_t runs;     /* finished ones */
	enum rc result;    /* of the last one */
	uint64_t log_size; /* when the segments were last counted */
	struct engine_upkeep seen;
};

/* Counting */

static struct segment *
find_segment(struct segments *s, uint32_t id)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->v[mid].id == id)
			return &s->v[mid];
		if (s->v[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static void
add_live(struct segments *s, uint64_t pos, uint64_t bytes)
{
	struct segment *seg = find_segment(s, POS_SEG(pos));

	if (seg != NULL)
		seg->live += bytes;
}

static void
count_body(void *ctx, const struct ix_body *b)
{
	struct segments *s = ctx;

	add_live(s, b->meta_pos, b->meta_len + MOVED_COST);
	for (size_t i = 0; i < b->body.nparts; i++) {
		const char *p = b->body.parts.p + 12 * i;

		add_live(s, le_get(p, 8), le_get(p + 8, 4) + PART_COST);
	}
}

/* The segments before `below`, with their sizes and nothing in them. */
static enum rc
list_sealed(struct local *l, uint32_t below, struct segments *out)
{
	char path[4096];
	struct stat st;
	uint32_t *ids;
	size_t n;
	enum rc rc = seglog_list(&l->log, l->dir, &ids, &n);

	*out = (struct segments){ 0 };
	if (rc == RC_OK)
		out->v = xcalloc(MAX(n, 1), sizeof(*out->v));
	for (size_t i = 0; rc == RC_OK && i < n && ids[i] < below; i++) {
		seglog_path(l->dir, ids[i], path, sizeof(path));
		if (stat(path, &st) != 0)
			continue;
		out->v[out->n++] = (struct segment){ .id = ids[i],
			.size = (uint64_t)st.st_size };
	}
	xfree(ids);
	return rc;
}

static bool
stopping(struct compact *c)
{
	bool stop;

	pthread_mutex_lock(&c->lock);
	stop = c->stop;
	pthread_mutex_unlock(&c->lock);
	return stop || atomic_load(&c->l->read_only);
}

/*
 * All bodies in turn, a chunk to a transaction, so that none lasts; fn is
 * given those of a chunk while it is open.  What is put or moves meanwhile
 * may be missed: this chooses, the checkpoint decides.
 */
struct tour {
	struct compact *c;
	struct ix_key next;
	bool finished;
};

static enum rc
tour_chunk(struct tour *t, size_t max,
    bool (*fn)(void *ctx, const struct ix_body *b), void *ctx)
{
	struct local *l = t->c->l;
	struct ix_body b;
	struct str k, v;
	MDB_txn *txn;
	bool more = true;
	enum rc rc = ix_rc(
	    &l->ix, mdb_txn_begin(l->ix.env, NULL, MDB_RDONLY, &txn), "begin");

	if (rc != RC_OK)
		return rc;
	{
		AUTO_WALK w = { 0 };

		rc = ix_walk_begin(
		    &l->ix, txn, l->ix.body, STR(""), ix_key_str(&t->next), &w);
		while (rc == RC_OK && more && max > 0 &&
		       (rc = ix_walk_next(&w, &k, &v)) == RC_OK) {
			if (k.n != BODY_ID)
				continue;
			rc = ix_body_get(
			    &l->ix, txn, (const unsigned char *)k.p, &b);
			if (rc != RC_OK)
				break;
			more = fn(ctx, &b);
			/* Behind all its references. */
			t->next = ix_key_ref(b.body.id, UINT64_MAX, UINT32_MAX);
			max--;
		}
	}
	mdb_txn_abort(txn);
	t->finished = rc == RC_NOENT;
	return rc == RC_NOENT ? RC_OK : rc;
}

static bool
count_one(void *ctx, const struct ix_body *b)
{
	count_body(ctx, b);
	return true;
}

static enum rc
take_stock(struct compact *c, uint32_t below, struct segments *s)
{
	struct tour t = { .c = c };
	enum rc rc = list_sealed(c->l, below, s);

	while (rc == RC_OK && !t.finished) {
		rc = tour_chunk(&t, CHUNK, count_one, s);
		if (rc == RC_OK && stopping(c))
			rc = RC_TEMP;
	}
	for (size_t i = 0; i < s->n; i++) {
		s->v[i].live = MIN(s->v[i].live, s->v[i].size);
		s->total += s->v[i].size;
		s->live += s->v[i].live;
	}
	return rc;
}

/* Choosing */

static int
by_live(const void *a, const void *b)
{
	const struct segment *const *x = a, *const *y = b;

	return ((*x)->live > (*y)->live) - ((*x)->live < (*y)->live);
}

/* Bytes on disk that a checkpoint will take, about. */
static uint64_t
checkpoint_room(struct local *l)
{
	struct engine_stats x;

	l->base.ops->stats(&l->base, &x);
	return (1u << 20) + x.messages * 400 + x.bodies * 150 + x.queued * 1000;
}

/*
 * Mark the emptiest of the segments that are at most `percent` full, as far
 * as what is in them finds room.  RC_NOENT: there is none.
 */
static enum rc
choose(struct compact *c, struct segments *s, unsigned percent)
{
	struct local *l = c->l;
	uint64_t free_bytes, room, need = checkpoint_room(l), moved = 0;
	struct segment **order =
	    xcalloc(MAX(s->n, 1), sizeof(struct segment *));
	size_t n = 0, chosen = 0;
	struct statvfs st;

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].live <= s->v[i].size / 100 * percent)
			order[n++] = &s->v[i];
	if (n > 1)
		qsort(order, n, sizeof(struct segment *), by_live);
	free_bytes =
	    statvfs(l->dir, &st) == 0 ? (uint64_t)st.f_bavail * st.f_frsize : 0;
	/* The next segment is made ahead, and mail must go on. */
	room = free_bytes > need ? free_bytes - need : 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t segs =
		    (moved + order[i]->live) / l->conf.segment_bytes +
		    (order[i]->live > 0);

		if (segs * l->conf.segment_bytes > room && order[i]->live > 0)
			break;
		moved += order[i]->live;
		order[i]->victim = true;
		s->reclaim += order[i]->size - order[i]->live;
		chosen++;
	}
	xfree(order);
	if (n > 0 && chosen == 0) {
		log_error(&l->log, "compact.room", KVU("free", free_bytes),
		    KVU("checkpoint", need),
		    KVU("segment", l->conf.segment_bytes));
		return RC_TEMP;
	}
	return chosen > 0 ? RC_OK : RC_NOENT;
}

/* Moving */

struct batch {
	struct compact *c;
	const struct segments *s;
	struct arena a;
	struct {
		struct ix_body at;
		struct engine_intent in;
	} v[BATCH_N];
	size_t n, bytes;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	size_t flying; /* guarded */
	enum rc rc;    /* guarded: the first that failed */
};

static bool
in_victim(const struct segments *s, uint64_t pos)
{
	union {
		const struct segments *in;
		struct segments *out;
	} u = { .in = s };
	const struct segment *seg = find_segment(u.out, POS_SEG(pos));

	return seg != NULL && seg->victim;
}

static bool
collect(void *ctx, const struct ix_body *b)
{
	struct batch *t = ctx;
	bool any = b->meta_len > 0 && in_victim(t->s, b->meta_pos);

	for (size_t i = 0; i < b->body.nparts; i++) {
		const char *p = b->body.parts.p + 12 * i;

		if (!in_victim(t->s, le_get(p, 8)))
			continue;
		any = true;
		t->bytes += le_get(p + 8, 4);
	}
	if (!any)
		return true;
	t->v[t->n].at = *b;
	t->v[t->n].at.body.parts = str_dup(&t->a, b->body.parts);
	t->n++;
	return t->n < BATCH_N && t->bytes < BATCH_BYTES;
}

static void
on_moved(struct engine_intent *in, enum rc rc)
{
	struct batch *t = in->arg;

	pthread_mutex_lock(&t->lock);
	if (rc != RC_OK && rc != RC_NOENT && t->rc == RC_OK)
		t->rc = rc;
	t->flying--;
	pthread_cond_signal(&t->cond);
	pthread_mutex_unlock(&t->lock);
}

static enum rc
damaged(struct local *l, uint64_t pos)
{
	log_error(&l->log, "compact.damaged", KVU("segment", POS_SEG(pos)),
	    KVU("offset", POS_OFF(pos)),
	    KVC("consequence", "the body stays where it is"));
	return RC_BAD;
}

/*
 * A part stands first in its record: the record's sum is checked before its
 * bytes get a new one.  rec holds the record's operations afterwards.
 */
static enum rc
read_part(
    struct local *l, uint64_t pos, size_t len, struct buf *rec, struct str *out)
{
	uint64_t at = pos - PLAN_PART - REC_HEADER;
	enum rc rc;

	if (POS_OFF(pos) < SEG_HEADER + REC_HEADER + PLAN_PART)
		return damaged(l, pos);
	rc = seglog_record(l->files, at, rec);
	if (rc == RC_OK && rec->n < PLAN_PART + len)
		rc = RC_BAD;
	if (rc == RC_OK)
		*out = str_n(rec->p + PLAN_PART, len);
	return rc == RC_BAD || rc == RC_NOENT ? damaged(l, at) : rc;
}

/* meta out of the record just read, or by place. */
static enum rc
read_meta(struct local *l, const struct ix_body *at, uint64_t rec_ops,
    const struct buf *rec, struct buf *out)
{
	uint64_t off = at->meta_pos - rec_ops;
	enum rc rc = buf_reserve(out, MAX(at->meta_len, 1));

	if (rc != RC_OK || at->meta_len == 0)
		return rc;
	if (rec_ops != 0 && at->meta_pos >= rec_ops &&
	    off + at->meta_len <= rec->n) {
		memcpy(out->p, rec->p + off, at->meta_len);
	} else {
		rc = seglog_read(l->files, at->meta_pos, out->p, at->meta_len);
	}
	if (rc == RC_OK)
		out->n = at->meta_len;
	return rc == RC_NOENT ? damaged(l, at->meta_pos) : rc;
}

static enum rc
add_place(struct engine_body *b, uint64_t pos, size_t len)
{
	struct enc e = { &b->parts, false };

	enc_u(&e, pos, 8);
	enc_u(&e, len, 4);
	return e.bad ? RC_BAD : RC_OK;
}

/*
 * The parts of one body that lie in victims: all but the last of them go
 * ahead, the last one into the record that says MOVED.
 */
static enum rc
move_parts(struct batch *t, const struct ix_body *at, struct engine_body *b,
    struct buf *rec, uint64_t *rec_ops)
{
	struct local *l = t->c->l;
	size_t last = SIZE_MAX;
	enum rc rc = RC_OK;

	for (size_t i = 0; i < at->body.nparts; i++)
		if (in_victim(t->s, le_get(at->body.parts.p + 12 * i, 8)))
			last = i;
	for (size_t i = 0; rc == RC_OK && i < at->body.nparts; i++) {
		uint64_t pos = le_get(at->body.parts.p + 12 * i, 8);
		size_t len = (size_t)le_get(at->body.parts.p + 12 * i + 8, 4);
		struct local_part part = { .number = (uint32_t)i };

		if (!in_victim(t->s, pos)) {
			rc = add_place(b, pos, len);
			continue;
		}
		rc = read_part(l, pos, len, rec, &part.data);
		if (rc != RC_OK)
			return rc;
		*rec_ops = pos - PLAN_PART;
		if (i == last) {
			b->number = (uint32_t)i;
			rc = buf_add(&b->last, part.data);
			if (rc == RC_OK)
				rc = add_place(b, 0, len);
			continue;
		}
		memcpy(part.body, b->id, BODY_ID);
		rc = local_put_part(l, &part);
		if (rc == RC_OK)
			rc = add_place(b, part.pos, len);
	}
	return rc;
}

static enum rc
move_one(struct batch *t, size_t i, struct buf *rec)
{
	const struct ix_body *at = &t->v[i].at;
	struct engine_intent *in = &t->v[i].in;
	struct engine *e = &t->c->l->base;
	struct engine_body *b = xcalloc(1, sizeof(*b));
	uint64_t rec_ops = 0;
	enum rc rc;

	memcpy(b->id, at->body.id, BODY_ID);
	b->content = at->body.content;
	b->edits = at->body.edits;
	b->meta_version = at->body.meta_version;
	buf_init(&b->meta, REC_MAX);
	buf_init(&b->parts, REC_PARTS_MAX * 12);
	buf_init(&b->last, CONTENT_STORED);
	rc = move_parts(t, at, b, rec, &rec_ops);
	if (rc == RC_OK)
		rc = read_meta(t->c->l, at, rec_ops, rec, &b->meta);
	if (rc != RC_OK) {
		e->ops->drop_body(e, &b);
		return rc;
	}
	*in = (struct engine_intent){
		.kind = ENGINE_MOVE, .a = &t->a, .done = on_moved, .arg = t
	};
	in->submit.body = b;
	pthread_mutex_lock(&t->lock);
	t->flying++;
	pthread_mutex_unlock(&t->lock);
	e->ops->start(e, in);
	return RC_OK;
}

static void
progress(struct compact *c, uint64_t done)
{
	pthread_mutex_lock(&c->lock);
	c->seen.done += done;
	pthread_mutex_unlock(&c->lock);
}

/* A damaged body is left, and with it its segment: that is no failure. */
static enum rc
move_batch(struct batch *t)
{
	enum rc rc = RC_OK;
	AUTO_BUF rec;

	buf_init(&rec, REC_MAX);
	t->rc = RC_OK;
	for (size_t i = 0; i < t->n && (rc == RC_OK || rc == RC_BAD); i++)
		rc = move_one(t, i, &rec);
	pthread_mutex_lock(&t->lock);
	while (t->flying > 0)
		pthread_cond_wait(&t->cond, &t->lock);
	if (rc == RC_OK || rc == RC_BAD)
		rc = t->rc;
	pthread_mutex_unlock(&t->lock);
	progress(t->c, t->bytes);
	return rc;
}

/* Sleep, so that whoever has mail comes first; ends early when stopped. */
static void
rest(struct compact *c, bool manual, int64_t worked_ns)
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

static enum rc
move_all(struct compact *c, const struct segments *s, bool manual)
{
	struct tour tour = { .c = c };
	struct batch *t = xcalloc(1, sizeof(*t));
	enum rc rc = RC_OK;

	t->c = c;
	t->s = s;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->cond, NULL);
	while (rc == RC_OK && !tour.finished) {
		int64_t from = now_ns();

		t->n = t->bytes = 0;
		rc = tour_chunk(&tour, CHUNK, collect, t);
		if (rc == RC_OK && t->n > 0)
			rc = move_batch(t);
		arena_reset(&t->a);
		if (rc == RC_OK && stopping(c))
			rc = RC_TEMP;
		if (rc == RC_OK)
			rest(c, manual, now_ns() - from);
	}
	arena_free(&t->a);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->cond);
	xfree(t);
	return rc;
}

/* Checkpoint and removing */

struct surveying {
	struct compact *c;
	struct segments *s;
	bool manual;
	int64_t at_ns;
};

static void
survey_body(void *ctx, const struct ix_body *b)
{
	struct surveying *v = ctx;

	count_body(v->s, b);
}

static bool
survey_go_on(void *ctx, uint64_t bytes)
{
	struct surveying *v = ctx;
	int64_t now = now_ns();

	(void)bytes;
	/* The transaction is open: less rest than while moving. */
	rest(v->c, v->manual, (now - v->at_ns) / REST_AUTO);
	v->at_ns = now_ns();
	return !stopping(v->c);
}

/* The first segment that parts without a record may stand in. */
static uint32_t
pinned_from(struct local *l)
{
	uint32_t from;

	pthread_mutex_lock(&l->lock);
	from = POS_SEG(atomic_load(&l->tail_pos));
	for (const struct engine_body *b = l->ahead; b != NULL; b = b->next)
		from = MIN(from, b->pin);
	pthread_mutex_unlock(&l->lock);
	return from;
}

static enum rc
checkpoint(struct compact *c, bool manual, struct segments *out)
{
	struct local *l = c->l;
	struct surveying v = {
		.c = c, .s = out, .manual = manual, .at_ns = now_ns()
	};
	struct ckpt_write w = { .log = &l->log,
		.io = l->conf.io,
		.dir = l->dir,
		.ix = &l->ix,
		.body = survey_body,
		.go_on = survey_go_on,
		.ctx = &v };
	uint32_t below = pinned_from(l);
	struct ix_info info;
	uint64_t bytes = 0;
	enum rc rc;

	*out = (struct segments){ 0 };
	if (atomic_load(&l->behind))
		return RC_TEMP;
	rc = ix_rc(
	    &l->ix, mdb_txn_begin(l->ix.env, NULL, MDB_RDONLY, &w.t), "begin");
	if (rc != RC_OK)
		return rc;
	rc = ix_info_get(&l->ix, w.t, &info);
	if (rc == RC_OK)
		rc =
		    list_sealed(l, MIN(below, POS_SEG(info.applied.last)), out);
	if (rc == RC_OK)
		rc = ckpt_write(&w, &bytes);
	mdb_txn_abort(w.t);
	return rc;
}

/* Its name first, for good; then its space, whoever has it open. */
static enum rc
remove_segment(struct local *l, uint32_t id)
{
	char path[4096];
	AUTO_FD fd = -1;

	seglog_path(l->dir, id, path, sizeof(path));
	fd = io_open(l->conf.io, path, O_RDWR, 0);
	if (fd < 0 || io_unlink(l->conf.io, path) != RC_OK) {
		log_error(
		    &l->log, "compact.unlink", KVC("path", path), KVE(errno));
		return RC_TEMP;
	}
	seglog_files_drop(l->files, id);
	return io_ftruncate(l->conf.io, fd, 0);
}

static enum rc
remove_empty(struct compact *c, const struct segments *s, size_t *removed)
{
	AUTO_ARENA a = { 0 };
	struct local *l = c->l;
	uint64_t freed = 0;
	size_t n = 0;
	enum rc rc = RC_OK;

	for (size_t i = 0; rc == RC_OK && i < s->n; i++) {
		if (s->v[i].live > 0)
			continue;
		rc = remove_segment(l, s->v[i].id);
		n += rc == RC_OK;
		freed += rc == RC_OK ? s->v[i].size : 0;
	}
	if (n > 0 &&
	    io_syncdir(l->conf.io, str_fmt(&a, "%s/log", l->dir).p) != RC_OK)
		rc = RC_TEMP;
	*removed = n;
	pthread_mutex_lock(&c->lock);
	c->seen.freed += freed;
	pthread_mutex_unlock(&c->lock);
	log_info(&l->log, "compact.removed", KVU("segments", n),
	    KVU("bytes", freed));
	return rc;
}

/*
 * While somebody copies the log nothing is removed and no checkpoint
 * replaced; that what was written waits does not make it wrong.
 */
static enum rc
settle(struct compact *c, const struct segments *s, size_t *removed)
{
	struct local *l = c->l;
	enum rc rc = ix_sync(&l->ix);

	pthread_mutex_lock(&c->lock);
	c->seen.waits = c->pins > 0;
	while (c->pins > 0 && !c->stop)
		pthread_cond_wait(&c->changed, &c->lock);
	c->seen.waits = false;
	c->seen.removing = true; /* who pins now waits for a few calls */
	pthread_mutex_unlock(&c->lock);
	if (rc == RC_OK && stopping(c))
		rc = RC_TEMP;
	if (rc == RC_OK)
		rc = ckpt_commit(&l->log, l->conf.io, l->dir);
	if (rc == RC_OK)
		rc = remove_empty(c, s, removed);
	pthread_mutex_lock(&c->lock);
	c->seen.removing = false;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return rc;
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
	enum rc rc = take_stock(c, below, &s);

	if (rc == RC_OK) {
		note_stock(c, &s);
		rc = choose(c, &s, most);
	}
	if (rc == RC_OK && first && !manual && !worth_it(c, &s))
		rc = RC_NOENT;
	if (rc == RC_OK) {
		pthread_mutex_lock(&c->lock);
		c->seen.done = c->seen.total = 0;
		for (size_t i = 0; i < s.n; i++)
			c->seen.total += s.v[i].victim ? s.v[i].live : 0;
		pthread_mutex_unlock(&c->lock);
		rc = move_all(c, &s, manual);
		if (rc == RC_OK)
			rc = checkpoint(c, manual, &left);
		if (rc == RC_OK)
			rc = settle(c, &left, &removed);
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
	if (!first &&
	    take_stock(c, POS_SEG(atomic_load(&c->l->tail_pos)), &s) == RC_OK)
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
		rc = take_stock(c, tail, &s);
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
