/*
 * arena - memory with one visible lifetime.
 *
 * Ownership  What is allocated lives until arena_reset or arena_free; it is
 *            never freed alone and never outlives its arena.
 * Threads    One owner at a time.
 * Errors     Out of memory, or more than ARENA_MAX in one arena, panics:
 *            callers check input against a named limit first.
 */
#ifndef LIB_ARENA_H
#define LIB_ARENA_H

#include "lib/rc.h"
#include <stddef.h>

#define ARENA_MAX (256u << 20)

struct arena_block;

struct arena {
	struct arena_block *head; /* newest block */
	char *p, *end;            /* free part of the newest block */
	size_t used;              /* bytes in all blocks */
};

/* `struct arena a = { 0 };` is an empty arena. */
#define AUTO_ARENA CLEANUP(arena_free) struct arena

void *arena_alloc(struct arena *a, size_t n) __attribute__((malloc));
/* Zeroed array of n elements. */
void *arena_calloc(struct arena *a, size_t n, size_t size);
/* Forget everything; keeps one small block for the next use. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

#endif
