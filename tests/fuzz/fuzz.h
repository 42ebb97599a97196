/*
 * fuzz - what a harness needs.  Built with --enable-fuzz it is a libFuzzer
 * program; otherwise replay.c gives it a main that runs the kept corpus, so
 * that `make check` sees every input that was ever worth keeping.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "lib/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise of the contract. */
#define PROMISE(cond)                                                          \
	do {                                                                   \
		if (!(cond))                                                   \
			panic("%s:%d: broken: %s", __FILE__, __LINE__, #cond); \
	} while (0)

/* Cut one byte off the input; 0 when there is none. */
static inline uint8_t
fuzz_byte(struct str *in)
{
	uint8_t c = in->n > 0 ? (uint8_t)in->p[0] : 0;

	*in = str_from(*in, 1);
	return c;
}

/* Sizes of pieces that depend on `seed` only; never 0. */
static inline size_t
fuzz_piece(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return 1 + ((*seed >> 24) & ((*seed >> 16) & 1 ? 3 : 63));
}

#endif
