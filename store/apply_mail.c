/* Messages: delivering, flags, expunging, copying. */
#include <string.h>

#include "store/apply.h"
#include "store/rows.h"

static void
count(struct ix_mbox *m, const struct store_row *r, bool add)
{
	uint32_t one = add ? 1 : (uint32_t)-1;

	m->messages += one;
	if (!(r->flags & STORE_SEEN))
		m->unseen += one;
	if (r->flags & STORE_DELETED)
		m->deleted += one;
	m->bytes += add ? r->size : -r->size;
}

static enum rc
put_ref(struct apply *ap, const unsigned char body[BODY_ID], uint64_t mailbox,
    uint32_t uid)
{
	struct ix_key k = ix_key_ref(body, mailbox, uid);

	return ix_put(ap->ix, ap->txn, ap->ix->body, ix_key_str(&k), STR(""));
}

/*
 * The sealed meta blob: from this record, or from the log where the body's
 * record is.
 */
static enum rc
find_meta(struct apply *ap, const unsigned char body[BODY_ID], struct str *out)
{
	struct ix_body b;
	char *p;
	enum rc rc;

	*out = STR_NULL;
	if (ap->has_body && memcmp(ap->body, body, BODY_ID) == 0) {
		if (ap->meta.n <= IX_META_INLINE)
			*out = ap->meta;
		return RC_OK;
	}
	rc = ix_body_get(ap->ix, ap->txn, body, &b);
	if (rc != RC_OK)
		return rc;
	if (b.meta_len > IX_META_INLINE || b.meta_len == 0)
		return RC_OK;
	p = arena_alloc(ap->a, b.meta_len);
	rc = seglog_read(ap->files, b.meta_pos, p, b.meta_len);
	*out = str_n(p, b.meta_len);
	return rc;
}

enum rc
apply_deliver(struct apply *ap, const struct rec_deliver *r)
{
	struct ix_detail detail = { .key = r->key, .letter = r->letter };
	struct store_row row = { .uid = r->uid,
		.flags = r->flags,
		.modseq = r->modseq,
		.size = r->size,
		.prefix_len = r->prefix_len,
		.internal_date = r->internal_date,
		.save_date = r->save_date };
	struct ix_mbox m;
	enum rc rc = ix_mbox_get(ap->ix, ap->txn, r->mailbox, &m);

	if (rc != RC_OK)
		return rc;
	if (r->uid < m.uidnext || r->modseq < m.modseq)
		return apply_contradiction(ap, "deliver");
	memcpy(row.body, r->body, BODY_ID);
	memcpy(detail.thread, r->thread, OBJECT_ID);
	rc = find_meta(ap, r->body, &detail.meta);
	if (rc == RC_OK)
		rc = rows_put(ap->ix, ap->txn, r->mailbox, &row);
	if (rc == RC_OK)
		rc =
		    ix_detail_put(ap->ix, ap->txn, r->mailbox, r->uid, &detail);
	if (rc == RC_OK)
		rc = put_ref(ap, r->body, r->mailbox, r->uid);
	if (rc != RC_OK)
		return rc;
	count(&m, &row, true);
	m.uidnext = r->uid + 1;
	m.modseq = r->modseq;
	ap->info->messages++;
	apply_touched(ap, m.account, r->mailbox, m.modseq);
	return ix_mbox_put(ap->ix, ap->txn, r->mailbox, &m);
}

struct editing {
	struct apply *ap;
	const struct rec_flags *flags;
	uint64_t mailbox;
	struct ix_mbox m;
	struct uid_set gone; /* rows that went, to be cleaned up after */
	unsigned char (*bodies)[BODY_ID];
	size_t ngone, room;
};

static enum rc
change_flags(void *ctx, struct store_row *row, enum rows_verdict *v)
{
	struct editing *e = ctx;

	count(&e->m, row, false);
	row->flags = (row->flags & ~e->flags->clear) | e->flags->set;
	row->modseq = e->flags->modseq;
	count(&e->m, row, true);
	*v = ROWS_CHANGED;
	return RC_OK;
}

enum rc
apply_flags(struct apply *ap, const struct rec_flags *r)
{
	struct editing e = { .ap = ap, .flags = r };
	enum rc rc = ix_mbox_get(ap->ix, ap->txn, r->mailbox, &e.m);

	if (rc != RC_OK)
		return rc;
	if (r->modseq <= e.m.modseq)
		return apply_contradiction(ap, "flags");
	rc = rows_edit(ap->ix, ap->txn, r->mailbox, &r->uids, change_flags, &e);
	if (rc != RC_OK)
		return rc;
	e.m.modseq = r->modseq;
	apply_touched(ap, e.m.account, r->mailbox, e.m.modseq);
	return ix_mbox_put(ap->ix, ap->txn, r->mailbox, &e.m);
}

/*
 * While a page is being edited the same tree must not be written: what hangs
 * on a row is deleted by the caller afterwards.
 */
static enum rc
delete_row(void *ctx, struct store_row *row, enum rows_verdict *v)
{
	struct editing *e = ctx;

	if (e->ngone == e->room) {
		e->room = MAX(256, e->room * 2);
		e->gone.v = xrealloc(e->gone.v, e->room * sizeof(*e->gone.v));
		e->bodies = xrealloc(e->bodies, e->room * sizeof(*e->bodies));
	}
	e->gone.v[e->ngone].lo = row->uid;
	memcpy(e->bodies[e->ngone], row->body, BODY_ID);
	e->ngone++;
	count(&e->m, row, false);
	*v = ROWS_DELETE;
	return RC_OK;
}

static enum rc
clean_up(struct editing *e)
{
	struct apply *ap = e->ap;
	enum rc rc = RC_OK;

	for (size_t i = 0; rc == RC_OK && i < e->ngone; i++) {
		uint32_t uid = e->gone.v[i].lo;
		struct ix_key k = ix_key_mbox(e->mailbox, IX_DETAIL, uid);

		rc = ix_del(ap->ix, ap->txn, ap->ix->mbox, ix_key_str(&k));
		if (rc == RC_OK)
			rc = apply_unref(ap, e->bodies[i], e->mailbox, uid);
	}
	ap->info->messages -= e->ngone;
	xfree(e->gone.v);
	xfree(e->bodies);
	return rc;
}

static enum rc
put_history(struct apply *ap, const struct rec_expunge *r)
{
	struct ix_key k = ix_key_mbox(r->mailbox, IX_EXPUNGED, r->modseq);
	unsigned char *p;
	enum rc rc = ix_room(
	    ap->ix, ap->txn, ap->ix->mbox, ix_key_str(&k), r->uids.n * 8, &p);

	for (size_t i = 0; rc == RC_OK && i < r->uids.n; i++) {
		le_put(p + i * 8, r->uids.v[i].lo, 4);
		le_put(p + i * 8 + 4, r->uids.v[i].hi, 4);
	}
	return rc;
}

enum rc
apply_expunge(struct apply *ap, const struct rec_expunge *r)
{
	struct editing e = { .ap = ap, .mailbox = r->mailbox };
	enum rc rc = ix_mbox_get(ap->ix, ap->txn, r->mailbox, &e.m), rc2;

	if (rc != RC_OK)
		return rc;
	if (r->modseq <= e.m.modseq || r->uids.n == 0)
		return apply_contradiction(ap, "expunge");
	rc = rows_edit(ap->ix, ap->txn, r->mailbox, &r->uids, delete_row, &e);
	rc2 = clean_up(&e);
	if (rc == RC_OK)
		rc = rc2;
	if (rc == RC_OK)
		rc = put_history(ap, r);
	if (rc != RC_OK)
		return rc;
	e.m.modseq = r->modseq;
	apply_touched(ap, e.m.account, r->mailbox, e.m.modseq);
	return ix_mbox_put(ap->ix, ap->txn, r->mailbox, &e.m);
}

struct copying {
	struct apply *ap;
	const struct rec_copy *r;
	struct store_row *rows;
	size_t n, room;
	struct arena row; /* of the one that is copied now: there are many */
};

static enum rc
collect(void *ctx, const struct store_row *row)
{
	struct copying *c = ctx;

	if (c->n == c->room) {
		c->room = MAX(256, c->room * 2);
		c->rows = xrealloc(c->rows, c->room * sizeof(*c->rows));
	}
	c->rows[c->n++] = *row;
	return RC_OK;
}

static uint64_t
map_flags(const struct rec_copy *r, uint64_t flags)
{
	uint64_t out = flags & 0xff;

	for (size_t i = 0; i < r->nbits; i++)
		if (flags & UINT64_C(1) << r->bits.p[2 * i])
			out |= UINT64_C(1) << r->bits.p[2 * i + 1];
	return out;
}

static enum rc
copy_row(struct copying *c, struct store_row row, struct ix_mbox *to)
{
	struct apply *ap = c->ap;
	const struct rec_copy *r = c->r;
	struct ix_detail detail;
	enum rc rc = ix_detail_get(ap->ix, ap->txn, r->from, row.uid, &detail);

	if (rc != RC_OK)
		return rc;
	/* They borrow from pages that the next write may change. */
	arena_reset(&c->row);
	detail.letter = str_dup(&c->row, detail.letter);
	detail.meta = str_dup(&c->row, detail.meta);
	row.uid = to->uidnext++;
	row.flags = map_flags(r, row.flags);
	row.modseq = r->modseq;
	row.save_date = r->save_date;
	rc = rows_put(ap->ix, ap->txn, r->to, &row);
	if (rc == RC_OK)
		rc = ix_detail_put(ap->ix, ap->txn, r->to, row.uid, &detail);
	if (rc == RC_OK)
		rc = put_ref(ap, row.body, r->to, row.uid);
	count(to, &row, true);
	ap->info->messages++;
	return rc;
}

enum rc
apply_copy(struct apply *ap, const struct rec_copy *r)
{
	struct copying c = { .ap = ap, .r = r };
	struct ix_mbox to;
	enum rc rc = ix_mbox_get(ap->ix, ap->txn, r->to, &to);

	if (rc != RC_OK)
		return rc;
	if (r->first < to.uidnext || r->modseq <= to.modseq)
		return apply_contradiction(ap, "copy");
	for (size_t i = 0; rc == RC_OK && i < r->uids.n; i++)
		rc = rows_each(ap->ix, ap->txn, r->from, r->uids.v[i].lo,
		    r->uids.v[i].hi, collect, &c);
	if (rc == RC_OK && c.n != uid_set_count(&r->uids))
		rc = apply_contradiction(ap, "copied rows");
	to.uidnext = r->first;
	to.modseq = r->modseq;
	for (size_t i = 0; rc == RC_OK && i < c.n; i++)
		rc = copy_row(&c, c.rows[i], &to);
	xfree(c.rows);
	arena_free(&c.row);
	if (rc != RC_OK)
		return rc;
	apply_touched(ap, to.account, r->to, to.modseq);
	return ix_mbox_put(ap->ix, ap->txn, r->to, &to);
}
