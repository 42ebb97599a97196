#include <stdio.h>

#include "tests/unit/lib/test.h"
#include "lib/resolver_cache.h"

#define S       STR_INIT
#define SECOND  1000000000ll
#define RECORDS 150u

static struct dns_key
key_of(const struct dns_cache *c, const char *name, enum dns_type type)
{
	struct dns_key k;

	assert_rc(dns_cache_key(c, str_c(name), type, &k), RC_OK);
	return k;
}

/* An answer with one TXT record of n bytes. */
static void
put(struct dns_cache *c, const char *name, size_t n, int64_t now, uint32_t ttl)
{
	AUTO_ARENA a = { 0 };
	struct dns_key k = key_of(c, name, DNS_TXT);
	char *p = arena_calloc(&a, n / 256 + 1, 256);
	struct str rdata = str_n(p, (n / 256 + 1) * 256);
	struct dns_raw raw = { .rdata = &rdata, .n = 1 };
	struct dns_entry *e;

	for (size_t at = 0; at < rdata.n; at += 256)
		p[at] = (char)255;
	e = dns_entry_new(&k, &raw);
	assert_int_equal(e->rc, RC_OK);
	dns_cache_put(c, e, now, ttl);
	dns_entry_unref(&e);
}

static bool
is_there(struct dns_cache *c, const char *name, int64_t now, uint32_t *ttl)
{
	AUTO_ARENA a = { 0 };
	struct dns_key k = key_of(c, name, DNS_TXT);
	struct dns_entry *e = dns_cache_find(c, &k, now);
	struct dns_answer x;

	if (e == NULL)
		return false;
	dns_entry_answer(e, &a, now, &x);
	assert_rc(x.rc, RC_OK);
	assert_int_equal(x.n, 1);
	*ttl = x.ttl;
	dns_entry_unref(&e);
	return true;
}

static void
answers_grow_old(void **state)
{
	struct dns_cache *c = dns_cache_new(16);
	uint32_t ttl = 0;

	(void)state;
	put(c, "a.example", 1, 100 * SECOND, 10);
	put(c, "never.example", 1, 100 * SECOND, 0);
	assert_true(is_there(c, "A.Example", 100 * SECOND, &ttl));
	assert_int_equal(ttl, 10);
	assert_true(is_there(c, "a.example", 103 * SECOND + 1, &ttl));
	assert_int_equal(ttl, 6);
	assert_false(is_there(c, "never.example", 100 * SECOND, &ttl));
	assert_false(is_there(c, "b.example", 100 * SECOND, &ttl));
	assert_int_equal(dns_cache_count(c), 1);
	assert_false(is_there(c, "a.example", 110 * SECOND, &ttl));
	assert_int_equal(dns_cache_count(c), 0);
	/* A newer answer replaces; one that is not to be kept, too. */
	put(c, "a.example", 1, 100 * SECOND, 10);
	put(c, "a.example", 1, 101 * SECOND, 20);
	assert_true(is_there(c, "a.example", 101 * SECOND, &ttl));
	assert_int_equal(ttl, 20);
	assert_int_equal(dns_cache_count(c), 1);
	put(c, "a.example", 1, 102 * SECOND, 0);
	assert_int_equal(dns_cache_count(c), 0);
	dns_cache_free(&c);
}

static void
types_are_told_apart(void **state)
{
	struct dns_cache *c = dns_cache_new(16);
	struct dns_key mx = key_of(c, "a.example", DNS_MX);

	(void)state;
	put(c, "a.example", 1, 0, 10);
	assert_null(dns_cache_find(c, &mx, 0));
	dns_cache_free(&c);
}

static void
the_least_recently_used_goes_first(void **state)
{
	struct dns_cache *c = dns_cache_new(16);
	uint32_t ttl;
	char name[32];

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_true(snprintf(name, sizeof(name), "n%d.example", i) > 0);
		put(c, name, 1, 0, 10);
		assert_true(is_there(c, "n0.example", 0, &ttl));
	}
	assert_int_equal(dns_cache_count(c), 16);
	for (int i = 1; i < 20; i++) {
		assert_true(snprintf(name, sizeof(name), "n%d.example", i) > 0);
		assert_int_equal(is_there(c, name, 0, &ttl), i > 4);
	}
	dns_cache_free(&c);
}

static void
large_answers_do_not_fill_the_memory(void **state)
{
	struct dns_cache *c = dns_cache_new(1000);
	const size_t most = 1000 * DNS_CACHE_BYTES;
	uint32_t ttl;
	char name[32];

	(void)state;
	put(c, "small.example", 1, 0, 10);
	for (int i = 0; i < 100; i++) {
		assert_true(snprintf(name, sizeof(name), "n%d.example", i) > 0);
		put(c, name, 60000, 0, 10);
	}
	assert_true(dns_cache_count(c) >= 4);
	assert_true(dns_cache_count(c) <= most / 60000);
	assert_false(is_there(c, "small.example", 0, &ttl));
	dns_cache_free(&c);
	/* One that is an eighth of all is not kept. */
	c = dns_cache_new(16);
	put(c, "small.example", 1, 0, 10);
	put(c, "big.example", 65000, 0, 10);
	assert_true(is_there(c, "small.example", 0, &ttl));
	assert_false(is_there(c, "big.example", 0, &ttl));
	dns_cache_free(&c);
}

/* Whoever holds one may use it after it went out of the cache. */
static void
an_answer_outlives_the_cache(void **state)
{
	struct dns_cache *c = dns_cache_new(16);
	struct dns_key k = key_of(c, "a.example", DNS_TXT);
	AUTO_ARENA a = { 0 };
	struct dns_entry *e;
	struct dns_answer x;

	(void)state;
	put(c, "a.example", 600, 0, 10);
	e = dns_cache_find(c, &k, 0);
	assert_non_null(e);
	dns_cache_free(&c);
	dns_entry_answer(e, &a, 0, &x);
	dns_entry_unref(&e);
	assert_int_equal(x.n, 1);
	assert_int_equal(x.v[0].text.n, 3 * 255);
}

static void
records_are_chosen_and_sorted(void **state)
{
	static const struct str rdata[] = { S("\0\24\1b\0"), S("\0\12\1a\0"),
		S("\0\1"), S("\0\24\1c\0"), S("\0\0\0"), S("") };
	static const struct str bad[] = { S("\0\1"), S("x") };
	struct dns_cache *c = dns_cache_new(16);
	struct dns_key k = key_of(c, "a.example", DNS_MX);
	struct str many[RECORDS];
	AUTO_ARENA a = { 0 };
	struct dns_entry *e;
	struct dns_answer x;

	(void)state;
	e = dns_entry_new(
	    &k, &(struct dns_raw){
		    .secure = true, .rdata = rdata, .n = COUNT(rdata) });
	dns_entry_answer(e, &a, 0, &x);
	dns_entry_unref(&e);
	assert_rc(x.rc, RC_OK);
	assert_true(x.secure && !x.cut && !x.nxdomain);
	assert_int_equal(x.n, 4);
	assert_str(x.v[0].name, "");
	assert_str(x.v[1].name, "a");
	assert_str(x.v[2].name, "b"); /* as they came */
	assert_str(x.v[3].name, "c");

	e = dns_entry_new(
	    &k, &(struct dns_raw){ .rdata = bad, .n = COUNT(bad) });
	dns_entry_answer(e, &a, 0, &x);
	dns_entry_unref(&e);
	assert_rc(x.rc, RC_TEMP);
	assert_int_equal(x.n, 0);

	e = dns_entry_new(
	    &k, &(struct dns_raw){ .rc = RC_NOENT, .nxdomain = true });
	dns_entry_answer(e, &a, 0, &x);
	dns_entry_unref(&e);
	assert_rc(x.rc, RC_NOENT);
	assert_true(x.nxdomain);

	for (size_t i = 0; i < RECORDS; i++)
		many[i] = rdata[0];
	e = dns_entry_new(&k, &(struct dns_raw){ .rdata = many, .n = RECORDS });
	dns_entry_answer(e, &a, 0, &x);
	dns_entry_unref(&e);
	assert_int_equal(x.n, DNS_RECORDS_MAX);
	assert_true(x.cut);
	dns_cache_free(&c);
}

/* Two caches put the same names into different buckets. */
static void
the_hash_cannot_be_foreseen(void **state)
{
	struct dns_cache *c = dns_cache_new(16), *d = dns_cache_new(16);
	struct dns_key one = key_of(c, "a.example", DNS_A);
	struct dns_key two = key_of(d, "a.example", DNS_A);
	struct dns_key three = key_of(c, "A.example", DNS_A);

	(void)state;
	assert_true(one.hash != two.hash);
	assert_true(dns_key_is(&one, &three));
	dns_cache_free(&c);
	dns_cache_free(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_grow_old),
		cmocka_unit_test(types_are_told_apart),
		cmocka_unit_test(the_least_recently_used_goes_first),
		cmocka_unit_test(large_answers_do_not_fill_the_memory),
		cmocka_unit_test(an_answer_outlives_the_cache),
		cmocka_unit_test(records_are_chosen_and_sorted),
		cmocka_unit_test(the_hash_cannot_be_foreseen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
