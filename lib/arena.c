/* Blocks double from 1 KiB to 64 KiB; a larger request gets its own block. */
#include <string.h>

#include "lib/base.h"

#define BLOCK_MIN 1024u
#define BLOCK_MAX (64u << 10)
#define ALIGN     16u

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(16) char data[];
};

static struct arena_block *
block_new(struct arena *a, size_t need)
{
	size_t size = a->head ? a->head->size * 2 : BLOCK_MIN;
	struct arena_block *b;

	size = MIN(size, BLOCK_MAX);
	size = MAX(size, need);
	if (size > ARENA_MAX - a->used)
		panic("arena past %u bytes", ARENA_MAX);
	b = xmalloc(sizeof(*b) + size);
	b->size = size;
	b->next = a->head;
	a->head = b;
	a->used += size;
	a->p = b->data;
	a->end = b->data + size;
	return b;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	char *p;

	if (n > ARENA_MAX)
		panic("arena request of %zu bytes", n);
	n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (n == 0)
		n = ALIGN;
	if (a->p == NULL || n > (size_t)(a->end - a->p))
		block_new(a, n);
	p = a->p;
	a->p += n;
	return p;
}

void *
arena_calloc(struct arena *a, size_t n, size_t size)
{
	void *p;

	if (size != 0 && n > ARENA_MAX / size)
		panic("arena request of %zu x %zu bytes", n, size);
	p = arena_alloc(a, n * size);
	memset(p, 0, n * size);
	return p;
}

void
arena_reset(struct arena *a)
{
	struct arena_block *keep = NULL;

	while (a->head != NULL) {
		struct arena_block *b = a->head;

		a->head = b->next;
		if (a->head == NULL && b->size <= 4 * BLOCK_MIN)
			keep = b;
		else
			xfree(b);
	}
	*a = (struct arena){ 0 };
	if (keep != NULL) {
		keep->next = NULL;
		a->head = keep;
		a->p = keep->data;
		a->end = keep->data + keep->size;
		a->used = keep->size;
	}
}

void
arena_free(struct arena *a)
{
	while (a->head != NULL) {
		struct arena_block *b = a->head;

		a->head = b->next;
		xfree(b);
	}
	*a = (struct arena){ 0 };
}
