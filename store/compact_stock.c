/*
 * Step 1 of a round, its first half: what there is to move.
 *
 * How full a segment is follows from the bodies in the index: the bytes of
 * their parts and of what is said of them, with what the records around them
 * take.  That is an estimate; only a checkpoint's own count (compact_settle.c)
 * lets a segment go.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "store/compact_impl.h"

#define CHUNK      2000u /* bodies looked at in a transaction */
#define MOVED_COST 140u  /* what a body costs beside its bytes */
#define PART_COST  28u

/* Counting */

struct segment *
compact_find_segment(struct segments *s, uint32_t id)
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
	struct segment *seg = compact_find_segment(s, POS_SEG(pos));

	if (seg != NULL)
		seg->live += bytes;
}

void
compact_count_body(void *ctx, const struct ix_body *b)
{
	struct segments *s = ctx;

	add_live(s, b->meta_pos, b->meta_len + MOVED_COST);
	for (size_t i = 0; i < b->body.nparts; i++) {
		const char *p = b->body.parts.p + 12 * i;

		add_live(s, le_get(p, 8), le_get(p + 8, 4) + PART_COST);
	}
}

enum rc
compact_list_sealed(struct local *l, uint32_t below, struct segments *out)
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

enum rc
compact_tour_chunk(
    struct tour *t, bool (*fn)(void *ctx, const struct ix_body *b), void *ctx)
{
	struct local *l = t->c->l;
	struct ix_body b;
	struct str k, v;
	MDB_txn *txn;
	size_t max = CHUNK;
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
	compact_count_body(ctx, b);
	return true;
}

enum rc
compact_take_stock(struct compact *c, uint32_t below, struct segments *s)
{
	struct tour t = { .c = c };
	enum rc rc = compact_list_sealed(c->l, below, s);

	while (rc == RC_OK && !t.finished) {
		rc = compact_tour_chunk(&t, count_one, s);
		if (rc == RC_OK && compact_stopping(c))
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

enum rc
compact_choose(struct compact *c, struct segments *s, unsigned percent)
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
