/*
 * Runs are sorted by UID; message numbers are kept per run, so that both ways
 * of looking up are a binary search.  Removing renumbers the runs behind,
 * which are few.
 */
#include "imap/view.h"

#include <string.h>

#include "imap/set.h"

void
imap_view_free(struct view *v)
{
	xfree(v->v);
	xfree(v->recent.v);
	*v = (struct view){ 0 };
}

static uint32_t
run_len(const struct view_run *r)
{
	return r->hi - r->lo + 1;
}

static void
insert_run(struct view *v, size_t at, struct view_run r)
{
	if (v->n == v->size) {
		v->size = v->size == 0 ? 4 : v->size * 2;
		v->v = xrealloc(v->v, v->size * sizeof(*v->v));
	}
	memmove(v->v + at + 1, v->v + at, (v->n - at) * sizeof(*v->v));
	v->v[at] = r;
	v->n++;
}

void
imap_view_add(struct view *v, uint32_t uid)
{
	struct view_run *last = v->n == 0 ? NULL : &v->v[v->n - 1];

	assert(uid > imap_view_max_uid(v));
	if (last != NULL && last->hi + 1 == uid) {
		last->hi = uid;
		return;
	}
	insert_run(
	    v, v->n, (struct view_run){ uid, uid, imap_view_count(v) + 1 });
}

uint32_t
imap_view_count(const struct view *v)
{
	const struct view_run *last;

	if (v->n == 0)
		return 0;
	last = &v->v[v->n - 1];
	return last->seq + run_len(last) - 1;
}

uint32_t
imap_view_max_uid(const struct view *v)
{
	return v->n == 0 ? 0 : v->v[v->n - 1].hi;
}

/* The first run that ends at or behind uid. */
static size_t
find_uid(const struct view *v, uint32_t uid)
{
	size_t lo = 0, hi = v->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (v->v[mid].hi < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint32_t
imap_view_uid(const struct view *v, uint32_t seq)
{
	size_t lo = 0, hi = v->n;

	assert(seq >= 1 && seq <= imap_view_count(v));
	/* the last run that begins at or before seq */
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (v->v[mid].seq <= seq)
			lo = mid;
		else
			hi = mid;
	}
	return v->v[lo].lo + (seq - v->v[lo].seq);
}

uint32_t
imap_view_seq(const struct view *v, uint32_t uid)
{
	size_t i = find_uid(v, uid);

	if (i == v->n || uid < v->v[i].lo)
		return 0;
	return v->v[i].seq + (uid - v->v[i].lo);
}

static uint32_t
count_range(const struct view *v, uint32_t lo, uint32_t hi)
{
	uint32_t n = 0;

	for (size_t i = find_uid(v, lo); i < v->n && v->v[i].lo <= hi; i++)
		n += MIN(hi, v->v[i].hi) - MAX(lo, v->v[i].lo) + 1;
	return n;
}

uint32_t
imap_view_count_in(const struct view *v, const struct uid_set *uids)
{
	uint32_t n = 0;

	for (size_t i = 0; i < uids->n; i++)
		n += count_range(v, uids->v[i].lo, uids->v[i].hi);
	return n;
}

static void
renumber(struct view *v, size_t from)
{
	for (size_t i = from; i < v->n; i++)
		v->v[i].seq =
		    i == 0 ? 1 : v->v[i - 1].seq + run_len(&v->v[i - 1]);
}

uint32_t
imap_view_remove(struct view *v, uint32_t lo, uint32_t hi, uint32_t *out_seq)
{
	size_t i = find_uid(v, lo), first = i, k;
	uint32_t gone = count_range(v, lo, hi);

	if (gone == 0)
		return 0;
	*out_seq = v->v[i].seq + (lo > v->v[i].lo ? lo - v->v[i].lo : 0);
	if (v->v[i].lo < lo && v->v[i].hi > hi) { /* a hole in one run */
		struct view_run tail = { hi + 1, v->v[i].hi, 0 };

		v->v[i].hi = lo - 1;
		insert_run(v, i + 1, tail);
		renumber(v, i);
		return gone;
	}
	for (k = i; i < v->n && v->v[i].lo <= hi; i++) {
		if (v->v[i].lo < lo) {
			v->v[i].hi = lo - 1;
			v->v[k++] = v->v[i];
		} else if (v->v[i].hi > hi) {
			v->v[i].lo = hi + 1;
			v->v[k++] = v->v[i];
		}
	}
	memmove(v->v + k, v->v + i, (v->n - i) * sizeof(*v->v));
	v->n -= i - k;
	renumber(v, first);
	return gone;
}

void
imap_view_add_recent(struct view *v, uint32_t lo, uint32_t hi)
{
	struct uid_set *r = &v->recent;

	if (lo > hi)
		return;
	if (r->n > 0 && lo <= r->v[r->n - 1].hi + 1) {
		r->v[r->n - 1].hi = MAX(hi, r->v[r->n - 1].hi);
		return;
	}
	r->v = xrealloc(r->v, (r->n + 1) * sizeof(*r->v));
	r->v[r->n++] = (struct uid_range){ lo, hi };
}

bool
imap_view_is_recent(const struct view *v, uint32_t uid)
{
	return imap_uids_have(&v->recent, uid);
}

uint32_t
imap_view_recent(const struct view *v)
{
	return imap_view_count_in(v, &v->recent);
}
