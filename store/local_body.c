/*
 * Putting a body: sealed on the caller's thread, in parallel with others; the
 * parts of a large one go to the log ahead, unsynced, where they are garbage
 * until a record names them.
 */
#include <string.h>
#include <time.h>

#include "store/local.h"

void
engine_body_id(unsigned char out[BODY_ID])
{
	be_put(out, (uint64_t)now_unix_ms(), 6);
	seal_random(out + 6, BODY_ID - 6);
}

struct putting {
	struct local *l;
	struct engine_body *b;
};

static enum rc
add_place(struct engine_body *b, uint64_t pos, size_t len)
{
	struct enc e = { &b->parts, false };

	enc_u(&e, pos, 8);
	enc_u(&e, len, 4);
	return e.bad ? RC_BAD : RC_OK;
}

/* Before the first part goes: compaction keeps its hands off. */
static void
pin(struct local *l, struct engine_body *b)
{
	pthread_mutex_lock(&l->lock);
	b->pin = POS_SEG(atomic_load(&l->tail_pos));
	b->next = l->ahead;
	l->ahead = b;
	pthread_mutex_unlock(&l->lock);
}

static void
unpin(struct local *l, struct engine_body *b)
{
	struct engine_body **at = &l->ahead;

	pthread_mutex_lock(&l->lock);
	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	pthread_mutex_unlock(&l->lock);
}

static enum rc
put_ahead(void *ctx, uint32_t number, struct str data)
{
	struct putting *p = ctx;
	struct local_part part = { .number = number, .data = data };
	enum rc rc;

	memcpy(part.body, p->b->id, BODY_ID);
	if (p->b->pin == 0)
		pin(p->l, p->b);
	rc = local_put_part(p->l, &part);
	return rc == RC_OK ? add_place(p->b, part.pos, data.n) : rc;
}

/* RC_OK: the body was put before. */
static enum rc
find_known(struct local *l, const unsigned char id[BODY_ID])
{
	struct ix_body known;
	MDB_txn *t;
	enum rc rc = ix_rc(
	    &l->ix, mdb_txn_begin(l->ix.env, NULL, MDB_RDONLY, &t), "begin");

	if (rc != RC_OK)
		return RC_TEMP;
	rc = ix_body_get(&l->ix, t, id, &known);
	mdb_txn_abort(t);
	return rc;
}

void
local_drop_body(struct engine *e, struct engine_body **bp)
{
	struct engine_body *b = *bp;

	if (b == NULL)
		return;
	if (b->pin != 0)
		unpin((struct local *)e, b);
	buf_free(&b->meta);
	buf_free(&b->parts);
	buf_free(&b->last);
	seal_wipe(b, sizeof(*b));
	xfree(b);
	*bp = NULL;
}

enum rc
local_put_body(
    struct engine *e, const struct engine_content *in, struct engine_body **out)
{
	struct local *l = (struct local *)e;
	struct content_src src = { in->edits, in->data, in->fd, in->size };
	struct engine_body *b;
	struct putting p;
	enum rc rc = find_known(l, in->id);

	if (rc == RC_TEMP || rc == RC_BAD)
		return RC_TEMP;
	if (rc == RC_NOENT &&
	    (atomic_load(&l->below_floor) || atomic_load(&l->read_only)))
		return RC_TEMP;
	b = xcalloc(1, sizeof(*b));
	memcpy(b->id, in->id, BODY_ID);
	b->known = rc == RC_OK;
	b->edits = (uint32_t)in->edits.n;
	b->content = in->edits.n + in->size;
	b->meta_version = in->meta.n > 0 ? (unsigned char)in->meta.p[0] : 0;
	buf_init(&b->meta, REC_MAX);
	buf_init(&b->parts, REC_PARTS_MAX * 12);
	buf_init(&b->last, CONTENT_STORED);
	p = (struct putting){ l, b };
	rc = RC_OK;
	if (!b->known) {
		seal_random(b->key, SEAL_KEY);
		rc = content_seal(l->pool, b->id, b->key, &src, put_ahead, &p,
		    &b->last, &b->number);
	}
	if (rc == RC_OK && !b->known)
		rc = add_place(b, 0, b->last.n);
	if (rc == RC_OK && !b->known && in->meta.n > 0)
		rc = content_seal_meta(b->id, b->key, in->meta, &b->meta);
	if (rc != RC_OK)
		local_drop_body(e, &b);
	*out = b;
	return rc;
}
