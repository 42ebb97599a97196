/*
 * All messages between two message numbers have UIDs between the two UIDs,
 * and the other way round, so a range of message numbers is one range of UIDs
 * however many holes there are; everything behind works on UIDs.
 */
#include "imap/set.h"

#include <stdlib.h>

static bool
parse_seq_number(struct imap_parse *p, uint32_t *out)
{
	if (imap_parse_char(p, '*')) {
		*out = 0;
		return true;
	}
	return imap_parse_nz(p, out);
}

bool
imap_set_parse(struct imap_parse *p, struct imap_set *out)
{
	struct imap_range *v = NULL;
	size_t n = 0, size = 0;

	do {
		struct imap_range r;

		if (n == IMAP_SET_MAX || !parse_seq_number(p, &r.lo))
			return false;
		r.hi = r.lo;
		if (imap_parse_char(p, ':') && !parse_seq_number(p, &r.hi))
			return false;
		if (n == size) {
			size_t more = size == 0 ? 4 : size * 2;
			struct imap_range *w =
			    arena_calloc(p->a, more, sizeof(*w));

			for (size_t i = 0; i < n; i++)
				w[i] = v[i];
			v = w;
			size = more;
		}
		v[n++] = r;
	} while (imap_parse_char(p, ','));
	*out = (struct imap_set){ v, n };
	return true;
}

static int
by_lo(const void *a, const void *b)
{
	const struct uid_range *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

void
imap_uids_normalise(struct uid_set *set)
{
	size_t k = 0;

	if (set->n == 0)
		return;
	qsort(set->v, set->n, sizeof(*set->v), by_lo);
	for (size_t i = 1; i < set->n; i++) {
		if ((uint64_t)set->v[i].lo <= (uint64_t)set->v[k].hi + 1)
			set->v[k].hi = MAX(set->v[k].hi, set->v[i].hi);
		else
			set->v[++k] = set->v[i];
	}
	set->n = k + 1;
}

/* false: nothing of it exists. */
static bool
resolve_uids(const struct view *v, struct imap_range r, struct uid_range *out)
{
	uint32_t top = imap_view_max_uid(v);
	uint32_t lo = r.lo == 0 ? top : r.lo, hi = r.hi == 0 ? top : r.hi;

	out->lo = MIN(lo, hi);
	out->hi = MIN(MAX(lo, hi), top);
	return out->lo <= out->hi && top > 0;
}

static enum rc
resolve_seqs(const struct view *v, struct imap_range r, bool clamp,
    struct uid_range *out)
{
	uint32_t count = imap_view_count(v);
	uint32_t lo = r.lo == 0 ? count : r.lo, hi = r.hi == 0 ? count : r.hi;
	uint32_t min = MIN(lo, hi), max = MAX(lo, hi);

	if (!clamp && (min == 0 || max > count))
		return RC_BAD;
	max = MIN(max, count);
	if (count == 0 || min > max)
		return RC_NOENT;
	out->lo = imap_view_uid(v, min);
	out->hi = imap_view_uid(v, max);
	return RC_OK;
}

enum rc
imap_set_resolve(struct arena *a, const struct view *v,
    const struct imap_set *set, struct imap_resolve how, struct uid_set *out)
{
	struct uid_set uids = { arena_calloc(a, set->n, sizeof(*uids.v)), 0 };

	for (size_t i = 0; i < set->n; i++) {
		struct uid_range r;
		enum rc rc;

		if (how.uid)
			rc = resolve_uids(v, set->v[i], &r) ? RC_OK : RC_NOENT;
		else
			rc = resolve_seqs(v, set->v[i], how.clamp, &r);
		if (rc == RC_BAD)
			return RC_BAD;
		if (rc == RC_OK)
			uids.v[uids.n++] = r;
	}
	imap_uids_normalise(&uids);
	*out = uids;
	return RC_OK;
}

enum rc
imap_set_print(struct buf *b, const struct uid_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		const char *comma = i == 0 ? "" : ",";
		struct uid_range r = set->v[i];
		enum rc rc;

		if (r.lo == r.hi)
			rc = buf_fmt(b, "%s%u", comma, r.lo);
		else
			rc = buf_fmt(b, "%s%u:%u", comma, r.lo, r.hi);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

bool
imap_uids_have(const struct uid_set *set, uint32_t uid)
{
	size_t lo = 0, hi = set->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (uid > set->v[mid].hi)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < set->n && uid >= set->v[lo].lo;
}
