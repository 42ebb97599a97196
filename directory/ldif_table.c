/*
 * The index is one array of (hash of attribute and value, entry), sorted, so
 * that an equality costs a binary search; a filter that is no equality (or no
 * conjunction or disjunction of some) is answered by looking at all entries.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "directory/dn.h"
#include "directory/ldif.h"
#include "directory/ldif_table.h"

struct slot {
	uint64_t hash;
	uint32_t entry;
};

struct ldif_table {
	_Atomic unsigned refs;
	struct arena a;
	struct dir_raw *entry;
	struct str *norm; /* DNs in normal form */
	size_t n;
	struct slot *slot; /* by value */
	size_t nslots;
	struct slot *dn; /* by DN */
};

static uint64_t
hash_step(uint64_t h, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)ascii_lower(s.p[i])) * 0x100000001b3u;
	return h;
}

static uint64_t
hash_pair(struct str attr, struct str value)
{
	uint64_t h = hash_step(0xcbf29ce484222325u, attr);

	return hash_step(hash_step(h, STR("=")), value);
}

static int
by_hash(const void *x, const void *y)
{
	const struct slot *a = x, *b = y;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return (a->entry > b->entry) - (a->entry < b->entry);
}

/* The first slot whose hash is not below h. */
static size_t
lower(const struct slot *s, size_t n, uint64_t h)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s[mid].hash < h)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static enum rc
build(struct ldif_table *t, struct arena *a, struct str *why)
{
	for (size_t i = 0; i < t->n; i++)
		for (size_t k = 0; k < t->entry[i].nattr; k++)
			t->nslots += t->entry[i].attr[k].n;
	t->norm = arena_calloc(&t->a, t->n + 1, sizeof(*t->norm));
	t->dn = arena_calloc(&t->a, t->n + 1, sizeof(*t->dn));
	t->slot = arena_calloc(&t->a, t->nslots + 1, sizeof(*t->slot));
	t->nslots = 0;
	for (size_t i = 0; i < t->n; i++) {
		const struct dir_raw *e = &t->entry[i];

		if (dir_dn_norm(&t->a, e->dn, &t->norm[i]) != RC_OK) {
			*why = str_fmt(a, "not a DN: \"%.*s\"", STRF(e->dn));
			return RC_BAD;
		}
		t->dn[i] = (struct slot){ str_hash(t->norm[i]), (uint32_t)i };
		for (size_t k = 0; k < e->nattr; k++)
			for (size_t v = 0; v < e->attr[k].n; v++)
				t->slot[t->nslots++] =
				    (struct slot){ hash_pair(e->attr[k].name,
						       e->attr[k].v[v]),
					    (uint32_t)i };
	}
	qsort(t->dn, t->n, sizeof(*t->dn), by_hash);
	qsort(t->slot, t->nslots, sizeof(*t->slot), by_hash);
	for (size_t i = 1; i < t->n; i++)
		if (t->dn[i].hash == t->dn[i - 1].hash &&
		    str_eq(
			t->norm[t->dn[i].entry], t->norm[t->dn[i - 1].entry])) {
			*why = str_fmt(a, "two entries \"%.*s\"",
			    STRF(t->entry[t->dn[i].entry].dn));
			return RC_BAD;
		}
	return RC_OK;
}

enum rc
ldif_table_new(
    struct arena *a, struct str text, struct ldif_table **out, struct str *why)
{
	struct ldif_table *t = xcalloc(1, sizeof(*t));
	enum rc rc;

	atomic_init(&t->refs, 1);
	rc = dir_ldif_parse(&t->a, str_dup(&t->a, text), &t->entry, &t->n, why);
	if (rc == RC_OK)
		rc = build(t, a, why);
	else
		*why = str_dup(a, *why);
	if (rc != RC_OK) {
		ldif_table_unref(&t);
		return rc;
	}
	*out = t;
	return RC_OK;
}

struct ldif_table *
ldif_table_ref(struct ldif_table *t)
{
	atomic_fetch_add(&t->refs, 1);
	return t;
}

void
ldif_table_unref(struct ldif_table **tp)
{
	struct ldif_table *t = *tp;

	*tp = NULL;
	if (t == NULL || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	arena_free(&t->a);
	xfree(t);
}

size_t
ldif_table_count(const struct ldif_table *t)
{
	return t->n;
}

const struct dir_raw *
ldif_table_dn(const struct ldif_table *t, struct str norm)
{
	uint64_t h = str_hash(norm);

	for (size_t i = lower(t->dn, t->n, h); i < t->n && t->dn[i].hash == h;
	     i++)
		if (str_eq(t->norm[t->dn[i].entry], norm))
			return &t->entry[t->dn[i].entry];
	return NULL;
}

struct set {
	uint32_t *v;
	size_t n, size;
};

static void
set_add(struct arena *a, struct set *s, uint32_t x)
{
	if (s->n == s->size) {
		size_t size = s->size ? s->size * 2 : 16;
		uint32_t *v = arena_calloc(a, size, sizeof(*v));

		if (s->n)
			memcpy(v, s->v, s->n * sizeof(*v));
		s->v = v;
		s->size = size;
	}
	s->v[s->n++] = x;
}

/* Every entry that may match f; false: all of them may. */
static bool
candidates(const struct ldif_table *t, struct arena *a,
    const struct dir_filter *f, struct set *out)
{
	uint64_t h;

	switch (f->op) {
	case DIR_F_EQ:
		h = hash_pair(f->attr, f->value);
		for (size_t i = lower(t->slot, t->nslots, h);
		     i < t->nslots && t->slot[i].hash == h; i++)
			set_add(a, out, t->slot[i].entry);
		return true;
	case DIR_F_AND:
		for (const struct dir_filter *s = f->sub; s; s = s->next) {
			size_t before = out->n;

			if (candidates(t, a, s, out))
				return true;
			out->n = before;
		}
		return false;
	case DIR_F_OR:
		for (const struct dir_filter *s = f->sub; s; s = s->next)
			if (!candidates(t, a, s, out))
				return false;
		return true;
	default:
		return false;
	}
}

static int
by_number(const void *x, const void *y)
{
	const uint32_t *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

size_t
ldif_table_find(const struct ldif_table *t, struct arena *a,
    const struct dir_filter *f, struct str base, size_t max,
    const struct dir_raw ***out)
{
	struct set set = { 0 };
	bool some = candidates(t, a, f, &set);
	size_t todo = some ? set.n : t->n, n = 0;
	const struct dir_raw **v;

	if (some && set.n)
		qsort(set.v, set.n, sizeof(*set.v), by_number);
	v = arena_calloc(a, MIN(todo, max + 1) + 1, sizeof(*v));
	for (size_t i = 0; i < todo && n <= max; i++) {
		size_t at = some ? set.v[i] : i;

		if (some && i && set.v[i] == set.v[i - 1])
			continue;
		if (dir_dn_below(t->norm[at], base) &&
		    dir_filter_match(f, &t->entry[at]))
			v[n++] = &t->entry[at];
	}
	*out = v;
	return n;
}
