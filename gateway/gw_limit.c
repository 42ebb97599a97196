/*
 * Shards by hash, each with its lock, its buckets of a hash table, and a list
 * from who was seen last to who has been quiet for the longest.
 *
 * A bucket holds thousandths of what it counts, so that slow rates drain
 * evenly.
 */
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <utlist.h>

#include "gateway/gw_limit.h"

#define SHARDS   16u
#define UNIT     1000
#define KEEP_TRY 8u /* entries looked at for one that can be forgotten */

enum { KIND_CLIENT = 'c', KIND_USER = 'u' };

struct bucket {
	int64_t level; /* thousandths, at `at` */
	int64_t at;
	struct gw_rate rate; /* the one it was asked with last */
};

struct entry {
	struct gw_limit_key key;
	uint64_t hash;
	struct bucket b[GW_LIMIT_WHATS];
	int64_t banned_until;
	unsigned sessions;
	struct entry *chain;
	struct entry *prev, *next; /* seen last .. quiet for long */
};

struct shard {
	pthread_mutex_t lock;
	struct entry **table;
	size_t mask, n, max;
	struct entry *lru;
};

struct gw_limit {
	struct shard shards[SHARDS];
	uint64_t seed; /* so that nobody can choose who shares a chain */
};

struct gw_limit *
gw_limit_new(size_t max)
{
	struct gw_limit *l = xcalloc(1, sizeof(*l));
	size_t size = 64;

	if (getrandom(&l->seed, sizeof(l->seed), 0) != sizeof(l->seed))
		l->seed = (uint64_t)now_ns();
	while (size < max / SHARDS)
		size *= 2;
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *s = &l->shards[i];

		pthread_mutex_init(&s->lock, NULL);
		s->table = xcalloc(size, sizeof(s->table[0]));
		s->mask = size - 1;
		s->max = MAX(max / SHARDS, 1);
	}
	return l;
}

void
gw_limit_free(struct gw_limit **l)
{
	if (*l == NULL)
		return;
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *s = &(*l)->shards[i];
		struct entry *e, *next;

		for (e = s->lru; e != NULL; e = next) {
			next = e->next;
			xfree(e);
		}
		xfree(s->table);
		pthread_mutex_destroy(&s->lock);
	}
	xfree(*l);
	*l = NULL;
}

struct gw_limit_key
gw_limit_client(const struct net_addr *client)
{
	struct net_addr a = net_source(client);
	struct gw_limit_key k = { { KIND_CLIENT } };

	memcpy(k.b + 1, a.b, sizeof(a.b));
	return k;
}

/* The digits of a UUID, or two hashes of what is none. */
struct gw_limit_key
gw_limit_user(struct str id)
{
	struct gw_limit_key k = { { KIND_USER } };
	uint64_t h[2] = { str_hash(id), 0 };
	AUTO_ARENA a = { 0 };
	struct str raw, digits = STR("");

	for (size_t i = 0; i < id.n && id.n == 36; i++)
		if (id.p[i] != '-')
			digits = str_cat(&a, digits, str_sub(id, i, 1));
	if (digits.n == 32 && str_unhex(&a, digits, &raw) == RC_OK) {
		memcpy(k.b + 1, raw.p, 16);
		return k;
	}
	h[1] = str_hash(str_from(id, id.n / 2));
	memcpy(k.b + 1, h, sizeof(h));
	return k;
}

struct str
gw_limit_name(struct arena *a, const struct gw_limit_key *k)
{
	char buf[NET_TEXT_MAX];
	struct net_addr addr;
	struct str hex;

	if (k->b[0] == KIND_CLIENT) {
		memcpy(addr.b, k->b + 1, sizeof(addr.b));
		return str_fmt(a, "%.*s%s", STRF(net_text(&addr, buf)),
		    net_is_v4(&addr) ? "" : "/64");
	}
	hex = str_hex(a, str_n(k->b + 1, 16));
	return str_fmt(a, "user %.8s-%.4s-%.4s-%.4s-%.12s", hex.p, hex.p + 8,
	    hex.p + 12, hex.p + 16, hex.p + 20);
}

static uint64_t
hash_of(const struct gw_limit *l, const struct gw_limit_key *k)
{
	uint64_t h = str_hash(str_n(k->b, sizeof(k->b))) ^ l->seed;

	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return h ^ h >> 32;
}

static struct shard *
lock(struct gw_limit *l, uint64_t hash)
{
	struct shard *s = &l->shards[hash % SHARDS];

	pthread_mutex_lock(&s->lock);
	return s;
}

static struct entry **
place(struct shard *s, uint64_t hash, const struct gw_limit_key *k)
{
	struct entry **at = &s->table[hash / SHARDS & s->mask];

	while (*at != NULL && memcmp(&(*at)->key, k, sizeof(*k)) != 0)
		at = &(*at)->chain;
	return at;
}

static void
forget(struct shard *s, struct entry *e)
{
	struct entry **at = place(s, e->hash, &e->key);

	*at = e->chain;
	DL_DELETE(s->lru, e);
	s->n--;
	xfree(e);
}

/* Make room for one; sessions must stay, bans should. */
static void
make_room(struct shard *s, int64_t now)
{
	struct entry *e, *banned = NULL;
	unsigned tries = 0;

	if (s->n < s->max)
		return;
	for (e = s->lru->prev; tries < KEEP_TRY; e = e->prev, tries++) {
		if (e->sessions == 0 && e->banned_until <= now) {
			forget(s, e);
			return;
		}
		if (e->sessions == 0 && banned == NULL)
			banned = e;
		if (e == s->lru)
			break;
	}
	if (banned != NULL)
		forget(s, banned);
}

static struct entry *
get(struct gw_limit *l, struct shard *s, uint64_t hash,
    const struct gw_limit_key *k, int64_t now)
{
	struct entry **at = place(s, hash, k), *e = *at;

	(void)l;
	if (e == NULL) {
		make_room(s, now);
		e = xcalloc(1, sizeof(*e));
		e->key = *k;
		e->hash = hash;
		*place(s, hash, k) = e;
		s->n++;
	} else {
		DL_DELETE(s->lru, e);
	}
	DL_PREPEND(s->lru, e);
	return e;
}

static int64_t
level(const struct bucket *b, int64_t now)
{
	int64_t gone;

	if (b->level == 0)
		return 0;
	gone = MAX(now - b->at, 0);
	/* A full bucket drains in per_s; beyond that do not multiply. */
	if (gone / 1000 >= (int64_t)b->rate.per_s)
		return 0;
	gone = gone * b->rate.n / b->rate.per_s; /* UNIT is 1000, so is a s */
	return MAX(b->level - gone, 0);
}

bool
gw_limit_take(struct gw_limit *l, const struct gw_limit_key *k,
    enum gw_limit_what what, uint32_t amount, struct gw_rate rate, int64_t now)
{
	uint64_t hash = hash_of(l, k);
	struct shard *s = lock(l, hash);
	struct bucket *b = &get(l, s, hash, k, now)->b[what];
	int64_t now_level;
	bool ok;

	assert(rate.n > 0 && rate.per_s > 0);
	b->rate = rate;
	now_level = level(b, now);
	ok = now_level + (int64_t)amount * UNIT <= (int64_t)rate.n * UNIT;
	/* A refusal must not round: who asks all the time would never drain. */
	if (ok) {
		b->level = now_level + (int64_t)amount * UNIT;
		b->at = now;
	}
	pthread_mutex_unlock(&s->lock);
	return ok;
}

bool
gw_limit_enter(
    struct gw_limit *l, const struct gw_limit_key *k, unsigned max, int64_t now)
{
	uint64_t hash = hash_of(l, k);
	struct shard *s = lock(l, hash);
	struct entry *e = get(l, s, hash, k, now);
	bool ok = e->sessions < max;

	if (ok)
		e->sessions++;
	pthread_mutex_unlock(&s->lock);
	return ok;
}

void
gw_limit_leave(struct gw_limit *l, const struct gw_limit_key *k)
{
	uint64_t hash = hash_of(l, k);
	struct shard *s = lock(l, hash);
	struct entry *e = *place(s, hash, k);

	assert(e != NULL && e->sessions > 0);
	e->sessions--;
	pthread_mutex_unlock(&s->lock);
}

bool
gw_limit_ban(struct gw_limit *l, const struct gw_limit_key *k, int64_t until,
    int64_t now)
{
	uint64_t hash = hash_of(l, k);
	struct shard *s = lock(l, hash);
	struct entry *e = get(l, s, hash, k, now);
	bool fresh = e->banned_until <= now;

	e->banned_until = MAX(e->banned_until, until);
	pthread_mutex_unlock(&s->lock);
	return fresh;
}

bool
gw_limit_banned(struct gw_limit *l, const struct gw_limit_key *k, int64_t now)
{
	uint64_t hash = hash_of(l, k);
	struct shard *s = lock(l, hash);
	struct entry *e = *place(s, hash, k);
	bool banned = e != NULL && e->banned_until > now;

	pthread_mutex_unlock(&s->lock);
	return banned;
}

bool
gw_limit_lift(struct gw_limit *l, const struct gw_limit_key *k, int64_t now)
{
	uint64_t hash = hash_of(l, k);
	struct shard *s = lock(l, hash);
	struct entry *e = *place(s, hash, k);
	bool banned = e != NULL && e->banned_until > now;

	if (e != NULL) {
		e->banned_until = 0;
		memset(e->b, 0, sizeof(e->b));
	}
	pthread_mutex_unlock(&s->lock);
	return banned;
}

static struct gw_limit_row
row_of(const struct entry *e, int64_t now)
{
	struct gw_limit_row r = { .key = e->key, .sessions = e->sessions };

	if (e->banned_until > now)
		r.banned_ms = e->banned_until - now;
	for (unsigned i = 0; i < GW_LIMIT_WHATS; i++)
		if (e->b[i].rate.n > 0)
			r.percent[i] = (unsigned)(level(&e->b[i], now) * 100 /
						  e->b[i].rate.n / UNIT);
	return r;
}

static int64_t
weight(const struct gw_limit_row *r)
{
	unsigned most = 0;

	for (unsigned i = 0; i < GW_LIMIT_WHATS; i++)
		most = MAX(most, r->percent[i]);
	return r->banned_ms > 0 ? 1000 + r->banned_ms : (int64_t)most;
}

/* Keep the heaviest, in order; max is small. */
static void
insert(struct gw_limit_row *rows, size_t *n, size_t max,
    const struct gw_limit_row *r)
{
	size_t at = *n;

	if (weight(r) == 0)
		return;
	while (at > 0 && weight(&rows[at - 1]) < weight(r))
		at--;
	if (at == max)
		return;
	if (*n < max)
		(*n)++;
	memmove(&rows[at + 1], &rows[at], (*n - at - 1) * sizeof(rows[0]));
	rows[at] = *r;
}

size_t
gw_limit_list(struct gw_limit *l, int64_t now, struct gw_limit_row *rows,
    size_t max, size_t *bans)
{
	size_t n = 0;

	*bans = 0;
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *s = &l->shards[i];
		struct entry *e;

		pthread_mutex_lock(&s->lock);
		DL_FOREACH(s->lru, e)
		{
			struct gw_limit_row r = row_of(e, now);

			*bans += r.banned_ms > 0;
			insert(rows, &n, max, &r);
		}
		pthread_mutex_unlock(&s->lock);
	}
	return n;
}
