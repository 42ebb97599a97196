/*
 * dlv_heap - what is due first: a binary heap of nodes that live in other
 * structs.
 *
 * Ownership  The nodes are the caller's; the heap only points to them.
 * Threads    One owner.
 */
#ifndef DLV_HEAP_H
#define DLV_HEAP_H

#include "lib/base.h"

#define DLV_NEVER INT64_MAX

struct dlv_node {
	int64_t at;
	size_t pos; /* one more than its place; 0: not in a heap */
};

struct dlv_heap {
	struct dlv_node **v;
	size_t n, room;
};

void dlv_heap_free(struct dlv_heap *h);
/* Put it in, or to its place after `at` has changed. */
void dlv_heap_set(struct dlv_heap *h, struct dlv_node *x, int64_t at);
void dlv_heap_remove(struct dlv_heap *h, struct dlv_node *x);

static inline struct dlv_node *
dlv_heap_top(const struct dlv_heap *h)
{
	return h->n > 0 ? h->v[0] : NULL;
}

static inline int64_t
dlv_heap_at(const struct dlv_heap *h)
{
	return h->n > 0 ? h->v[0]->at : DLV_NEVER;
}

#endif
