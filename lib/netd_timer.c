/*
 * A binary heap of deadlines per reactor, lazy in one direction: a deadline
 * that moves back (the usual case: every unit of input begins a new wait)
 * changes one field of the session, and the heap finds out when the old time
 * comes.  Only one that moves forward is sifted.  So an active session costs
 * one heap operation per time-out period, not per unit, and an idle one wakes
 * nobody before its time.
 */
#include "lib/netd_impl.h"

static void
place(struct netd_reactor *r, uint32_t at, struct netd_conn *c)
{
	r->heap[at] = c;
	c->timer_at = at;
}

static void
sift_up(struct netd_reactor *r, uint32_t at, struct netd_conn *c)
{
	while (at > 1 && r->heap[at / 2]->timer_key > c->timer_key) {
		place(r, at, r->heap[at / 2]);
		at /= 2;
	}
	place(r, at, c);
}

static void
sift_down(struct netd_reactor *r, uint32_t at, struct netd_conn *c)
{
	for (;;) {
		uint32_t kid = at * 2;

		if (kid > r->nheap)
			break;
		if (kid < r->nheap &&
		    r->heap[kid + 1]->timer_key < r->heap[kid]->timer_key)
			kid++;
		if (r->heap[kid]->timer_key >= c->timer_key)
			break;
		place(r, at, r->heap[kid]);
		at = kid;
	}
	place(r, at, c);
}

void
netd_timer_set(struct netd_conn *c, int64_t due)
{
	struct netd_reactor *r = c->r;

	c->due = due;
	if (c->timer_at != 0) {
		if (due < c->timer_key) {
			c->timer_key = due;
			sift_up(r, c->timer_at, c);
		}
		return;
	}
	if (due == NETD_NEVER)
		return;
	if (r->nheap + 1 >= r->heap_size) {
		r->heap_size = MAX(r->heap_size * 2, 64);
		r->heap = xrealloc(r->heap, r->heap_size * sizeof(r->heap[0]));
	}
	c->timer_key = due;
	r->nheap++;
	sift_up(r, r->nheap, c);
}

void
netd_timer_drop(struct netd_conn *c)
{
	struct netd_reactor *r = c->r;
	uint32_t at = c->timer_at;
	struct netd_conn *last;

	c->due = NETD_NEVER;
	if (at == 0)
		return;
	c->timer_at = 0;
	last = r->heap[r->nheap--];
	if (last == c)
		return;
	if (at > 1 && r->heap[at / 2]->timer_key > last->timer_key)
		sift_up(r, at, last);
	else
		sift_down(r, at, last);
}

struct netd_conn *
netd_timer_pop(struct netd_reactor *r)
{
	while (r->nheap > 0) {
		struct netd_conn *c = r->heap[1];

		if (c->timer_key > r->now)
			return NULL;
		if (c->due <= r->now) {
			netd_timer_drop(c);
			return c;
		}
		if (c->due == NETD_NEVER) {
			netd_timer_drop(c);
			continue;
		}
		c->timer_key = c->due;
		sift_down(r, 1, c);
	}
	return NULL;
}

int
netd_timer_wait(const struct netd_reactor *r)
{
	int64_t left;

	if (r->nheap == 0)
		return -1;
	left = r->heap[1]->timer_key - r->now;
	return left <= 0 ? 0 : (int)MIN(left, 3600000);
}
