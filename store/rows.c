/*
 * A page is found by its UID alone ((uid - 1) / 63), so that nothing has to
 * be moved when messages go; an empty page is deleted.  A mailbox from which
 * most was expunged has thin pages, which costs at worst one value a message.
 */
#include <string.h>

#include "store/rows.h"

#define PAGE_BYTES (IX_PAGE_ROWS * IX_ROW)

static uint32_t
page_of(uint32_t uid)
{
	return (uid - 1) / IX_PAGE_ROWS;
}

static uint32_t
uid_at(const unsigned char *page, size_t i)
{
	return (uint32_t)le_get(page + i * IX_ROW, 4);
}

static void
row_get(const unsigned char *p, struct store_row *r)
{
	r->uid = (uint32_t)le_get(p, 4);
	r->prefix_len = (uint32_t)le_get(p + 4, 4);
	r->flags = le_get(p + 8, 8);
	r->modseq = le_get(p + 16, 8);
	r->size = le_get(p + 24, 8);
	r->internal_date = (int64_t)le_get(p + 32, 8);
	r->save_date = (int64_t)le_get(p + 40, 8);
	memcpy(r->body, p + 48, BODY_ID);
}

static void
row_put(unsigned char *p, const struct store_row *r)
{
	le_put(p, r->uid, 4);
	le_put(p + 4, r->prefix_len, 4);
	le_put(p + 8, r->flags, 8);
	le_put(p + 16, r->modseq, 8);
	le_put(p + 24, r->size, 8);
	le_put(p + 32, (uint64_t)r->internal_date, 8);
	le_put(p + 40, (uint64_t)r->save_date, 8);
	memcpy(p + 48, r->body, BODY_ID);
}

static enum rc
check_page(const struct ix *ix, struct str v, size_t *n)
{
	if (v.n == 0 || v.n % IX_ROW != 0 || v.n > PAGE_BYTES) {
		log_error(&ix->log, "index.damaged", KVC("what", "rows"));
		return RC_BAD;
	}
	*n = v.n / IX_ROW;
	return RC_OK;
}

/* The first i with uid_at(i) >= uid. */
static size_t
lower(const unsigned char *page, size_t n, uint32_t uid)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (uid_at(page, mid) < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

enum rc
rows_each(const struct ix *ix, MDB_txn *t, uint64_t mailbox, uint32_t lo,
    uint32_t hi, enum rc (*fn)(void *ctx, const struct store_row *row),
    void *ctx)
{
	struct ix_key prefix = ix_key_kind(mailbox, IX_ROWS), from;
	AUTO_WALK w = { 0 };
	struct str k, v;
	enum rc rc;

	lo = MAX(lo, 1);
	from = ix_key_mbox(mailbox, IX_ROWS, page_of(lo));
	rc = ix_walk_begin(
	    ix, t, ix->mbox, ix_key_str(&prefix), ix_key_str(&from), &w);
	while (rc == RC_OK && (rc = ix_walk_next(&w, &k, &v)) == RC_OK) {
		const unsigned char *page = (const unsigned char *)v.p;
		struct store_row row;
		size_t n;

		rc = check_page(ix, v, &n);
		for (size_t i = rc == RC_OK ? lower(page, n, lo) : 0;
		     rc == RC_OK && i < n; i++) {
			row_get(page + i * IX_ROW, &row);
			if (row.uid > hi)
				return RC_OK;
			rc = fn(ctx, &row);
		}
	}
	return rc == RC_NOENT ? RC_OK : rc;
}

enum rc
rows_get(const struct ix *ix, MDB_txn *t, uint64_t mailbox, uint32_t uid,
    struct store_row *out)
{
	struct ix_key k = ix_key_mbox(mailbox, IX_ROWS, page_of(MAX(uid, 1)));
	struct str v;
	size_t n, i;
	enum rc rc;

	if (uid == 0)
		return RC_NOENT;
	rc = ix_get(ix, t, ix->mbox, ix_key_str(&k), &v);
	if (rc == RC_OK)
		rc = check_page(ix, v, &n);
	if (rc != RC_OK)
		return rc;
	i = lower((const unsigned char *)v.p, n, uid);
	if (i == n || uid_at((const unsigned char *)v.p, i) != uid)
		return RC_NOENT;
	row_get((const unsigned char *)v.p + i * IX_ROW, out);
	return RC_OK;
}

enum rc
rows_put(const struct ix *ix, MDB_txn *t, uint64_t mailbox,
    const struct store_row *row)
{
	struct ix_key k = ix_key_mbox(mailbox, IX_ROWS, page_of(row->uid));
	unsigned char page[PAGE_BYTES + IX_ROW];
	struct str v;
	size_t n = 0, i;
	enum rc rc = ix_get(ix, t, ix->mbox, ix_key_str(&k), &v);

	if (rc == RC_OK)
		rc = check_page(ix, v, &n);
	else if (rc == RC_NOENT)
		rc = RC_OK;
	if (rc != RC_OK)
		return rc;
	if (n > 0)
		memcpy(page, v.p, n * IX_ROW);
	i = lower(page, n, row->uid);
	if (i == n || uid_at(page, i) != row->uid) {
		memmove(page + (i + 1) * IX_ROW, page + i * IX_ROW,
		    (n - i) * IX_ROW);
		n++;
	}
	row_put(page + i * IX_ROW, row);
	return ix_put(ix, t, ix->mbox, ix_key_str(&k), str_n(page, n * IX_ROW));
}

/* Edit what lies in uids on one page, in place; *n may shrink. */
static enum rc
edit_page(unsigned char *page, size_t *n, struct uid_range r, bool *changed,
    enum rc (*fn)(void *ctx, struct store_row *row, enum rows_verdict *v),
    void *ctx)
{
	size_t i = lower(page, *n, r.lo), to = i, at = i;

	for (; at < *n && uid_at(page, at) <= r.hi; at++) {
		enum rows_verdict verdict = ROWS_KEEP;
		struct store_row row;
		enum rc rc;

		row_get(page + at * IX_ROW, &row);
		rc = fn(ctx, &row, &verdict);
		if (rc != RC_OK)
			return rc;
		if (verdict != ROWS_KEEP)
			*changed = true;
		if (verdict == ROWS_DELETE)
			continue;
		row_put(page + to * IX_ROW, &row);
		to++;
	}
	memmove(page + to * IX_ROW, page + at * IX_ROW, (*n - at) * IX_ROW);
	*n -= at - to;
	return RC_OK;
}

/* The next page at or after `uid`: its number and a copy. */
static enum rc
next_page(const struct ix *ix, MDB_txn *t, uint64_t mailbox, uint32_t uid,
    uint32_t *number, unsigned char *page, size_t *n)
{
	struct ix_key prefix = ix_key_kind(mailbox, IX_ROWS);
	struct ix_key from = ix_key_mbox(mailbox, IX_ROWS, page_of(uid));
	AUTO_WALK w = { 0 };
	struct str k, v;
	enum rc rc = ix_walk_begin(
	    ix, t, ix->mbox, ix_key_str(&prefix), ix_key_str(&from), &w);

	if (rc == RC_OK)
		rc = ix_walk_next(&w, &k, &v);
	if (rc == RC_OK)
		rc = check_page(ix, v, n);
	if (rc != RC_OK)
		return rc;
	*number = (uint32_t)be_get(k.p + 9, 8);
	memcpy(page, v.p, v.n);
	return RC_OK;
}

static enum rc
write_page(const struct ix *ix, MDB_txn *t, uint64_t mailbox, uint32_t number,
    const unsigned char *page, size_t n)
{
	struct ix_key k = ix_key_mbox(mailbox, IX_ROWS, number);

	if (n == 0)
		return ix_del(ix, t, ix->mbox, ix_key_str(&k));
	return ix_put(ix, t, ix->mbox, ix_key_str(&k), str_n(page, n * IX_ROW));
}

enum rc
rows_edit(const struct ix *ix, MDB_txn *t, uint64_t mailbox,
    const struct uid_set *uids,
    enum rc (*fn)(void *ctx, struct store_row *row, enum rows_verdict *v),
    void *ctx)
{
	unsigned char page[PAGE_BYTES];
	uint64_t uid = 1; /* everything below is done */
	size_t i = 0, n;

	while (i < uids->n) {
		uint32_t number;
		uint64_t last;
		bool changed = false;
		enum rc rc;

		uid = MAX(uid, uids->v[i].lo);
		if (uid > UINT32_MAX)
			break;
		rc =
		    next_page(ix, t, mailbox, (uint32_t)uid, &number, page, &n);
		if (rc != RC_OK)
			return rc == RC_NOENT ? RC_OK : rc;
		last = ((uint64_t)number + 1) * IX_PAGE_ROWS;
		for (; i < uids->n && uids->v[i].lo <= last; i++) {
			rc = edit_page(page, &n, uids->v[i], &changed, fn, ctx);
			if (rc != RC_OK)
				return rc;
			if (uids->v[i].hi > last)
				break;
		}
		if (changed)
			rc = write_page(ix, t, mailbox, number, page, n);
		if (rc != RC_OK)
			return rc;
		uid = last + 1;
		while (i < uids->n && uids->v[i].hi < uid)
			i++;
	}
	return RC_OK;
}
