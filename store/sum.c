/*
 * XXH64.  Chosen over CRC-32C because it needs neither tables nor special
 * instructions, runs at memory speed, and 64 bits leave nothing to chance in
 * a log of billions of records.
 */
#include <string.h>

#include "store/bytes.h"
#include "store/sum.h"

#define P1 0x9E3779B185EBCA87u
#define P2 0xC2B2AE3D27D4EB4Fu
#define P3 0x165667B19E3779F9u
#define P4 0x85EBCA77C2B2AE63u
#define P5 0x27D4EB2F165667C5u

static uint64_t
rotl(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static uint64_t
round1(uint64_t acc, uint64_t in)
{
	return rotl(acc + in * P2, 31) * P1;
}

static uint64_t
merge(uint64_t h, uint64_t v)
{
	return (h ^ round1(0, v)) * P1 + P4;
}

static void
stripe(uint64_t v[4], const unsigned char *p)
{
	for (int i = 0; i < 4; i++)
		v[i] = round1(v[i], le_get(p + 8 * i, 8));
}

void
sum_init(struct sum *s, uint64_t seed)
{
	*s = (struct sum){ .seed = seed };
	s->v[0] = seed + P1 + P2;
	s->v[1] = seed + P2;
	s->v[2] = seed;
	s->v[3] = seed - P1;
}

void
sum_add(struct sum *s, const void *data, size_t n)
{
	const unsigned char *p = data;

	s->total += n;
	if (s->npart > 0) {
		size_t k = MIN(n, sizeof(s->part) - s->npart);

		if (k > 0)
			memcpy(s->part + s->npart, p, k);
		s->npart += k;
		p += k;
		n -= k;
		if (s->npart < sizeof(s->part))
			return;
		stripe(s->v, s->part);
		s->npart = 0;
	}
	for (; n >= 32; n -= 32, p += 32)
		stripe(s->v, p);
	if (n > 0)
		memcpy(s->part, p, n);
	s->npart = n;
}

uint64_t
sum_end(const struct sum *s)
{
	const unsigned char *p = s->part;
	size_t n = s->npart;
	uint64_t h;

	if (s->total >= 32) {
		h = rotl(s->v[0], 1) + rotl(s->v[1], 7) + rotl(s->v[2], 12) +
		    rotl(s->v[3], 18);
		for (int i = 0; i < 4; i++)
			h = merge(h, s->v[i]);
	} else {
		h = s->seed + P5;
	}
	h += s->total;
	for (; n >= 8; n -= 8, p += 8)
		h = rotl(h ^ round1(0, le_get(p, 8)), 27) * P1 + P4;
	if (n >= 4) {
		h = rotl(h ^ le_get(p, 4) * P1, 23) * P2 + P3;
		n -= 4;
		p += 4;
	}
	for (; n > 0; n--, p++)
		h = rotl(h ^ *p * P5, 11) * P1;
	h = (h ^ h >> 33) * P2;
	h = (h ^ h >> 29) * P3;
	return h ^ h >> 32;
}

uint64_t
sum_of(uint64_t seed, const void *p, size_t n)
{
	struct sum s;

	sum_init(&s, seed);
	sum_add(&s, p, n);
	return sum_end(&s);
}
