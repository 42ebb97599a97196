/*
 * An answer is one block: the name and the RDATA as it came, checked and in
 * the order of preference.  Records are made from it in the asker's arena,
 * which costs less than a lock held longer, and keeps 10,000 answers within a
 * few megabytes.
 *
 * Names are chosen by strangers, so the hash is keyed (SipHash-1-3: Aumasson
 * and Bernstein, "SipHash: a fast short-input PRF"); otherwise somebody sends
 * mail from ten thousand names of one bucket.
 */
#include <string.h>
#include <sys/random.h>

#include "lib/resolver_cache.h"

struct dns_cache {
	uint64_t seed[2];
	struct dns_entry **buckets; /* a power of two */
	size_t nbuckets;
	struct dns_entry *newest, *oldest;
	size_t n, max;
	size_t bytes, bytes_max;
};

static inline uint64_t
rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static uint64_t
siphash(const uint64_t seed[2], struct str s, uint64_t salt)
{
	uint64_t v[4] = { seed[0] ^ 0x736f6d6570736575ull,
		seed[1] ^ 0x646f72616e646f6dull,
		seed[0] ^ 0x6c7967656e657261ull,
		seed[1] ^ 0x7465646279746573ull };
	uint64_t word = salt;

	for (size_t at = 0;; at += 8) {
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
		if (at >= s.n)
			break;
		word = 0;
		memcpy(&word, s.p + at, MIN(8, s.n - at));
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- answers ---- */

static uint16_t
preference(struct str rdata)
{
	return (uint16_t)((unsigned char)rdata.p[0] << 8 |
			  (unsigned char)rdata.p[1]);
}

/* The good ones, at most DNS_RECORDS_MAX; MX and SRV by preference. */
static size_t
choose(uint16_t type, const struct dns_raw *raw, struct str *out, bool *cut)
{
	bool sorted = type == DNS_MX || type == DNS_SRV;
	size_t n = 0;

	*cut = false;
	for (size_t i = 0; i < raw->n; i++) {
		struct str r = raw->rdata[i];
		size_t at = n;

		if (r.n > UINT16_MAX || dns_rdata_check(type, r) != RC_OK)
			continue;
		if (n == DNS_RECORDS_MAX) {
			*cut = true;
			break;
		}
		for (; sorted && at > 0 &&
		       preference(out[at - 1]) > preference(r);
		     at--)
			out[at] = out[at - 1];
		out[at] = r;
		n++;
	}
	return n;
}

struct dns_entry *
dns_entry_new(const struct dns_key *key, const struct dns_raw *raw)
{
	struct str rdata[DNS_RECORDS_MAX];
	bool cut;
	size_t n = choose(key->type, raw, rdata, &cut), size = key->name.n;
	struct dns_entry *e;
	unsigned char *p;

	for (size_t i = 0; i < n; i++)
		size += 2 + rdata[i].n;
	e = xcalloc(1, sizeof(*e) + size);
	e->hash = key->hash;
	e->type = key->type;
	e->name_n = (uint8_t)key->name.n;
	e->size = (uint32_t)size;
	e->rc = (uint8_t)(raw->rc == RC_OK && n == 0 ? RC_TEMP : raw->rc);
	e->nxdomain = raw->nxdomain;
	e->secure = raw->secure;
	e->bogus = raw->bogus;
	e->cut = cut;
	e->n = (uint16_t)n;
	atomic_init(&e->refs, 1);
	memcpy(e->bytes, key->name.v, key->name.n);
	p = e->bytes + key->name.n;
	for (size_t i = 0; i < n; i++) {
		*p++ = (unsigned char)(rdata[i].n >> 8);
		*p++ = (unsigned char)rdata[i].n;
		if (rdata[i].n > 0)
			memcpy(p, rdata[i].p, rdata[i].n);
		p += rdata[i].n;
	}
	return e;
}

struct dns_entry *
dns_entry_ref(struct dns_entry *e)
{
	atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
	return e;
}

void
dns_entry_unref(struct dns_entry **ep)
{
	struct dns_entry *e = *ep;

	*ep = NULL;
	if (e != NULL && atomic_fetch_sub(&e->refs, 1) == 1)
		xfree(e);
}

void
dns_entry_answer(const struct dns_entry *e, struct arena *a, int64_t now,
    struct dns_answer *out)
{
	struct str bytes = str_from(str_n(e->bytes, e->size), e->name_n);

	*out = (struct dns_answer){ .rc = e->rc,
		.nxdomain = e->nxdomain,
		.secure = e->secure,
		.bogus = e->bogus,
		.cut = e->cut };
	if (e->until_ns > now)
		out->ttl = (uint32_t)((e->until_ns - now) / 1000000000);
	if (e->n == 0)
		return;
	out->v = arena_calloc(a, e->n, sizeof(*out->v));
	bytes = str_dup(a, bytes);
	for (; out->n < e->n; out->n++) {
		size_t n = preference(bytes);
		enum rc rc = dns_rdata_read(
		    a, e->type, str_sub(bytes, 2, n), &out->v[out->n]);

		assert(rc == RC_OK); /* checked when the entry was made */
		bytes = str_from(bytes, 2 + n);
	}
}

/* ---- the cache ---- */

struct dns_cache *
dns_cache_new(size_t max)
{
	struct dns_cache *c = xcalloc(1, sizeof(*c));

	c->max = MAX(max, 16);
	c->bytes_max = MAX(c->max * DNS_CACHE_BYTES, DNS_CACHE_FLOOR);
	for (c->nbuckets = 16; c->nbuckets < c->max;)
		c->nbuckets *= 2;
	c->buckets = xcalloc(c->nbuckets, sizeof(struct dns_entry *));
	if (getrandom(c->seed, sizeof(c->seed), 0) != sizeof(c->seed))
		panic("no random bytes");
	return c;
}

static struct dns_entry **
bucket(const struct dns_cache *c, uint64_t hash)
{
	return &c->buckets[hash & (c->nbuckets - 1)];
}

static void
unlink_lru(struct dns_cache *c, struct dns_entry *e)
{
	*(e->newer != NULL ? &e->newer->older : &c->newest) = e->older;
	*(e->older != NULL ? &e->older->newer : &c->oldest) = e->newer;
}

static void
link_lru(struct dns_cache *c, struct dns_entry *e)
{
	e->newer = NULL;
	e->older = c->newest;
	*(c->newest != NULL ? &c->newest->newer : &c->oldest) = e;
	c->newest = e;
}

static size_t
weight(const struct dns_entry *e)
{
	return sizeof(*e) + e->size;
}

static void
drop(struct dns_cache *c, struct dns_entry *e)
{
	struct dns_entry **p;

	assert(e != NULL);
	p = bucket(c, e->hash);
	while (*p != e)
		p = &(*p)->next;
	*p = e->next;
	unlink_lru(c, e);
	c->n--;
	c->bytes -= weight(e);
	dns_entry_unref(&e);
}

void
dns_cache_free(struct dns_cache **cp)
{
	struct dns_cache *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	while (c->oldest != NULL)
		drop(c, c->oldest);
	xfree(c->buckets);
	xfree(c);
}

enum rc
dns_cache_key(const struct dns_cache *c, struct str name, enum dns_type type,
    struct dns_key *out)
{
	if (dns_name_read(name, &out->name) != RC_OK)
		return RC_BAD;
	out->type = (uint16_t)type;
	out->hash =
	    siphash(c->seed, str_n(out->name.v, out->name.n), out->type);
	return RC_OK;
}

bool
dns_key_is(const struct dns_key *a, const struct dns_key *b)
{
	return a->hash == b->hash && a->type == b->type &&
	       a->name.n == b->name.n &&
	       memcmp(a->name.v, b->name.v, a->name.n) == 0;
}

static struct dns_entry *
find(const struct dns_cache *c, uint64_t hash, uint16_t type,
    const unsigned char *name, size_t n)
{
	struct dns_entry *e = *bucket(c, hash);

	for (; e != NULL; e = e->next)
		if (e->hash == hash && e->type == type && e->name_n == n &&
		    memcmp(e->bytes, name, n) == 0)
			return e;
	return NULL;
}

struct dns_entry *
dns_cache_find(struct dns_cache *c, const struct dns_key *key, int64_t now)
{
	struct dns_entry *e =
	    find(c, key->hash, key->type, key->name.v, key->name.n);

	if (e == NULL)
		return NULL;
	if (e->until_ns <= now) {
		drop(c, e);
		return NULL;
	}
	if (c->newest != e) {
		unlink_lru(c, e);
		link_lru(c, e);
	}
	return dns_entry_ref(e);
}

void
dns_cache_put(
    struct dns_cache *c, struct dns_entry *e, int64_t now, uint32_t ttl)
{
	struct dns_entry *old = find(c, e->hash, e->type, e->bytes, e->name_n);
	struct dns_entry **head = bucket(c, e->hash);

	if (old != NULL)
		drop(c, old);
	e->until_ns = now + (int64_t)ttl * 1000000000;
	if (ttl == 0 || weight(e) > c->bytes_max / 8)
		return;
	e->next = *head;
	*head = dns_entry_ref(e);
	link_lru(c, e);
	c->n++;
	c->bytes += weight(e);
	while (c->n > c->max || c->bytes > c->bytes_max)
		drop(c, c->oldest);
}

size_t
dns_cache_count(const struct dns_cache *c)
{
	return c->n;
}
