/* Nodes know their place, so that any of them can move or leave. */
#include "delivery/dlv_heap.h"

#define FIRST_ROOM 4u

static void
put(struct dlv_heap *h, size_t i, struct dlv_node *x)
{
	h->v[i] = x;
	x->pos = i + 1;
}

/* Restore the order around x after its time has changed. */
static void
sift(struct dlv_heap *h, struct dlv_node *x)
{
	size_t i = x->pos - 1;

	while (i > 0 && h->v[(i - 1) / 2]->at > x->at) {
		put(h, i, h->v[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	for (;;) {
		size_t c = 2 * i + 1;

		if (c + 1 < h->n && h->v[c + 1]->at < h->v[c]->at)
			c++;
		if (c >= h->n || h->v[c]->at >= x->at)
			break;
		put(h, i, h->v[c]);
		i = c;
	}
	put(h, i, x);
}

void
dlv_heap_set(struct dlv_heap *h, struct dlv_node *x, int64_t at)
{
	x->at = at;
	if (x->pos == 0) {
		if (h->n == h->room) {
			h->room = h->room ? h->room * 2 : FIRST_ROOM;
			h->v = xrealloc(h->v, h->room * sizeof(h->v[0]));
		}
		put(h, h->n++, x);
	}
	sift(h, x);
}

void
dlv_heap_remove(struct dlv_heap *h, struct dlv_node *x)
{
	struct dlv_node *last;

	if (x->pos == 0)
		return;
	last = h->v[--h->n];
	if (last != x) {
		put(h, x->pos - 1, last);
		sift(h, last);
	}
	x->pos = 0;
}

void
dlv_heap_free(struct dlv_heap *h)
{
	xfree(h->v);
	*h = (struct dlv_heap){ 0 };
}
