/*
 * sum - the checksum of everything the store writes: XXH64.
 *
 * It is there against damage, not against an adversary; what must not be
 * forged is sealed (store/seal.h).
 *
 * Threads  Pure functions; a running sum has one owner.
 * Format   xxHash specification 0.1.1, XXH64.
 */
#ifndef STORE_SUM_H
#define STORE_SUM_H

#include "lib/base.h"

struct sum {
	uint64_t v[4], seed, total;
	unsigned char part[32];
	size_t npart;
};

void sum_init(struct sum *s, uint64_t seed);
void sum_add(struct sum *s, const void *p, size_t n);
uint64_t sum_end(const struct sum *s);
uint64_t sum_of(uint64_t seed, const void *p, size_t n);

#endif
