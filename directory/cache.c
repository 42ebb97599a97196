/*
 * uthash keeps the order of insertion and no entry lives longer than those put
 * in after it may, so the head is the one to go: expiry needs no timer and no
 * scan.
 */
#include <pthread.h>
#include <string.h>
#include <uthash.h>

#include "directory/cache.h"

struct entry {
	UT_hash_handle hh;
	int64_t until_ns;
	struct dir_answer x;
	size_t nkey;
	char bytes[]; /* key, then what the slices of x point to */
};

struct dir_cache {
	pthread_mutex_t lock;
	int64_t life_ns;
	struct entry *yes, *no;
};

struct dir_cache *
dir_cache_new(unsigned ms)
{
	struct dir_cache *c = xcalloc(1, sizeof(*c));

	pthread_mutex_init(&c->lock, NULL);
	c->life_ns = (int64_t)MIN(ms, DIR_CACHE_MS_MAX) * 1000000;
	return c;
}

static void
drop(struct entry **table, struct entry *e)
{
	HASH_DELETE(hh, *table, e);
	xfree(e);
}

void
dir_cache_free(struct dir_cache **cp)
{
	struct dir_cache *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	while (c->yes)
		drop(&c->yes, c->yes);
	while (c->no)
		drop(&c->no, c->no);
	pthread_mutex_destroy(&c->lock);
	xfree(c);
}

static struct str *
slices(struct dir_answer *x, size_t i)
{
	struct str *const all[] = { &x->r.id, &x->r.address, &x->r.route,
		&x->r.why, &x->dn, &x->login, &x->login_bar };

	return i < COUNT(all) ? all[i] : NULL;
}

struct dir_answer
dir_answer_dup(struct arena *a, const struct dir_answer *x)
{
	struct dir_answer y = *x;
	struct str *s;

	for (size_t i = 0; (s = slices(&y, i)) != NULL; i++)
		*s = s->n ? str_dup(a, *s) : STR("");
	return y;
}

static struct entry *
entry_new(struct str key, const struct dir_answer *x)
{
	struct dir_answer y = *x;
	size_t n = key.n;
	struct entry *e;
	struct str *s;
	char *p;

	for (size_t i = 0; (s = slices(&y, i)) != NULL; i++)
		n += s->n;
	e = xmalloc(sizeof(*e) + n + 1);
	p = e->bytes;
	memcpy(p, key.p, key.n);
	e->nkey = key.n;
	p += key.n;
	for (size_t i = 0; (s = slices(&y, i)) != NULL; i++) {
		if (s->n)
			memcpy(p, s->p, s->n);
		s->p = p;
		p += s->n;
	}
	e->x = y;
	return e;
}

bool
dir_cache_get(struct dir_cache *c, struct arena *a, struct str key, int64_t now,
    struct dir_answer *out)
{
	struct entry *e;
	bool hit = false;

	pthread_mutex_lock(&c->lock);
	HASH_FIND(hh, c->yes, key.p, key.n, e);
	if (e == NULL)
		HASH_FIND(hh, c->no, key.p, key.n, e);
	if (e != NULL && e->until_ns > now) {
		*out = dir_answer_dup(a, &e->x);
		out->until_ns = e->until_ns;
		hit = true;
	}
	pthread_mutex_unlock(&c->lock);
	return hit;
}

static void
forget(struct entry **table, struct str key)
{
	struct entry *e;

	HASH_FIND(hh, *table, key.p, key.n, e);
	if (e != NULL)
		drop(table, e);
}

void
dir_cache_put(struct dir_cache *c, struct str key, int64_t now,
    const struct dir_answer *x)
{
	int64_t until = now + c->life_ns;
	struct entry **table, *e;

	if (x->until_ns != 0)
		until = MIN(until, x->until_ns);
	if (x->r.rc == RC_TEMP || key.n == 0 || until <= now)
		return;
	e = entry_new(key, x);
	e->until_ns = until;
	pthread_mutex_lock(&c->lock);
	forget(&c->yes, key);
	forget(&c->no, key);
	table = x->r.rc == RC_OK ? &c->yes : &c->no;
	while (*table != NULL && (HASH_COUNT(*table) >= DIR_CACHE_MAX ||
				     (*table)->until_ns <= now))
		drop(table, *table);
	HASH_ADD_KEYPTR(hh, *table, e->bytes, e->nkey, e);
	pthread_mutex_unlock(&c->lock);
}

size_t
dir_cache_count(struct dir_cache *c)
{
	size_t n;

	pthread_mutex_lock(&c->lock);
	n = HASH_COUNT(c->yes) + HASH_COUNT(c->no);
	pthread_mutex_unlock(&c->lock);
	return n;
}
