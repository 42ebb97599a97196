/*
 * A store whose disk hangs answers nobody in time, and commits when the disk
 * comes back: after seconds, or after minutes.  Nothing says when, so we look
 * at growing distances.  What is later than the last one is found at the next
 * start.
 */
#include "delivery/dlv_heap.h"
#include "delivery/dlv_reload.h"

#define WAIT_MIN_S 1
#define WAIT_MAX_S 30
#define SHARE      10 /* of the time, for doubts */

static const int64_t distance_s[] = { 1, 10, 60, 600 };

/* Reading a long queue takes seconds: not every second, then. */
static int64_t
distance(const struct dlv_reload *r, unsigned i)
{
	return MAX(distance_s[i], r->took * SHARE);
}

static void
next_doubt(struct dlv_reload *r, int64_t now)
{
	r->doubt_at = DLV_NEVER;
	if (r->doubts < COUNT(distance_s))
		r->doubt_at = now + distance(r, r->doubts);
	r->doubts++;
}

void
dlv_reload_init(struct dlv_reload *r, int64_t now)
{
	*r = (struct dlv_reload){ .at = now, .wait = WAIT_MIN_S, .doubts = 1 };
	next_doubt(r, now);
}

void
dlv_reload_in(struct dlv_reload *r, int64_t now, int64_t seconds)
{
	r->at = MIN(r->at, now + seconds);
}

/* Doubts that come thick and fast do not put it off. */
void
dlv_reload_doubt(struct dlv_reload *r, int64_t now)
{
	r->doubt_at = MIN(r->doubt_at, now + distance(r, 0));
	r->doubts = 1;
}

int64_t
dlv_reload_at(const struct dlv_reload *r)
{
	/* A store that does not answer is not asked more often by doubts. */
	return r->failing ? r->at : MIN(r->at, r->doubt_at);
}

/* A doubt that is further away than any can be is of another clock. */
void
dlv_reload_begin(struct dlv_reload *r, int64_t now)
{
	int64_t max = distance(r, COUNT(distance_s) - 1);

	r->at = DLV_NEVER;
	r->began = now;
	if (r->doubt_at <= now ||
	    (r->doubt_at != DLV_NEVER && r->doubt_at > now + max))
		next_doubt(r, now);
}

void
dlv_reload_end(struct dlv_reload *r, int64_t now, bool done)
{
	r->failing = !done;
	if (done) {
		r->wait = WAIT_MIN_S;
		r->took = MAX(now - r->began, 0);
		return;
	}
	dlv_reload_in(r, now, r->wait);
	r->wait = MIN(r->wait * 2, WAIT_MAX_S);
}
