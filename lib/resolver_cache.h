/*
 * resolver_cache - answers by name and type, the least recently used go first.
 *
 * Ownership  A dns_entry is counted and never changes once it is shared; the
 *            cache holds one reference of those that it keeps.
 * Threads    References are atomic; the cache itself is its caller's, who
 *            locks.
 * Limits     The number of entries, and DNS_CACHE_BYTES for each of them on
 *            average (at least DNS_CACHE_FLOOR in all): a domain with answers
 *            of 64 KiB must not fill the memory.
 */
#ifndef LIB_RESOLVER_CACHE_H
#define LIB_RESOLVER_CACHE_H

#include <stdatomic.h>

#include "lib/dns_wire.h"

#define DNS_CACHE_BYTES 512u
#define DNS_CACHE_FLOOR (256u << 10)

struct dns_key {
	struct dns_name name;
	uint16_t type;
	uint64_t hash;
};

struct dns_entry {
	/* the cache's */
	struct dns_entry *next; /* of the same bucket */
	struct dns_entry *newer, *older;
	uint64_t hash;
	int64_t until_ns; /* of its use from the cache */
	uint32_t size;    /* of bytes */
	uint16_t type;
	uint8_t name_n;
	/* the answer's */
	uint8_t rc;
	bool nxdomain, secure, bogus, cut;
	uint16_t n;
	atomic_uint refs;
	/* The name, then of each record a length of 2 bytes and its RDATA. */
	unsigned char bytes[];
};

/* What came from the DNS; rdata[i] borrows. */
struct dns_raw {
	enum rc rc;
	bool nxdomain, secure, bogus;
	const struct str *rdata;
	size_t n;
};

/*
 * One reference, for the caller.  Records that are not well-formed are left
 * out; when there were records and none is, the answer is RC_TEMP.
 */
struct dns_entry *dns_entry_new(
    const struct dns_key *key, const struct dns_raw *raw);
struct dns_entry *dns_entry_ref(struct dns_entry *e);
void dns_entry_unref(struct dns_entry **e);
/* As an answer at the time `now` (of which only the TTL depends). */
void dns_entry_answer(const struct dns_entry *e, struct arena *a, int64_t now,
    struct dns_answer *out);

struct dns_cache;

struct dns_cache *dns_cache_new(size_t max);
void dns_cache_free(struct dns_cache **c);
/* With a hash that nobody outside can foresee. */
MUST_CHECK enum rc dns_cache_key(const struct dns_cache *c, struct str name,
    enum dns_type type, struct dns_key *out);
bool dns_key_is(const struct dns_key *a, const struct dns_key *b);
/* A reference, or NULL. */
struct dns_entry *dns_cache_find(
    struct dns_cache *c, const struct dns_key *key, int64_t now);
/* Keep it for ttl seconds (0: not at all), instead of an older one. */
void dns_cache_put(
    struct dns_cache *c, struct dns_entry *e, int64_t now, uint32_t ttl);
size_t dns_cache_count(const struct dns_cache *c);

#endif
