/*
 * dlv_reload - when the whole queue is read from the store again.
 *
 * When somebody says so; again and again, more and more rarely, while the store
 * does not answer; and several times after a commit of which nobody knows
 * whether it will still happen: a message that is committed late, behind its
 * deadline, is announced by nobody.
 *
 * Threads    One owner at a time: the queue's lock.
 * Clock      Injected; it may be set.
 * Limits     Doubts alone take a tenth of the time at most, however long the
 *            queue is and however often they are raised.
 */
#ifndef DLV_RELOAD_H
#define DLV_RELOAD_H

#include "lib/base.h"

/* All times in unix seconds, DLV_NEVER: not needed. */
struct dlv_reload {
	int64_t at;       /* when somebody said so, or the next attempt */
	int64_t wait;     /* before the next attempt, should this one fail */
	bool failing;     /* the last one has */
	int64_t doubt_at; /* because of the last doubt */
	unsigned doubts;  /* how often since the last doubt */
	int64_t began, took;
};

/* Due at once.  A start is a doubt: the last life may have left commits. */
void dlv_reload_init(struct dlv_reload *r, int64_t now);
/* In so many seconds, or earlier. */
void dlv_reload_in(struct dlv_reload *r, int64_t now, int64_t seconds);
/* A commit of unknown fate. */
void dlv_reload_doubt(struct dlv_reload *r, int64_t now);
int64_t dlv_reload_at(const struct dlv_reload *r);
void dlv_reload_begin(struct dlv_reload *r, int64_t now);
/* It was read, or is to be attempted again after r->wait. */
void dlv_reload_end(struct dlv_reload *r, int64_t now, bool done);

#endif
