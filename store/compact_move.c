/*
 * Step 1 of a round, its second half: bodies out of the victims go to the
 * tail, some of them in flight at a time.
 */
#include <string.h>

#include "store/compact_impl.h"

#define BATCH_N     64u          /* bodies in flight */
#define BATCH_BYTES (512u << 10) /* or so much of them */

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
	const struct segment *seg = compact_find_segment(u.out, POS_SEG(pos));

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
	compact_progress(t->c, t->bytes);
	return rc;
}

enum rc
compact_move(struct compact *c, const struct segments *s, bool manual)
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
		rc = compact_tour_chunk(&tour, collect, t);
		if (rc == RC_OK && t->n > 0)
			rc = move_batch(t);
		arena_reset(&t->a);
		if (rc == RC_OK && compact_stopping(c))
			rc = RC_TEMP;
		if (rc == RC_OK)
			compact_rest(c, manual, now_ns() - from);
	}
	arena_free(&t->a);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->cond);
	xfree(t);
	return rc;
}
