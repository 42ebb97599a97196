/*
 * deadline - a point in monotonic time by which something must be over.
 *
 * Every wait takes one.  Deadlines cross process borders as the milliseconds
 * that are left.
 */
#ifndef LIB_DEADLINE_H
#define LIB_DEADLINE_H

#include "lib/rc.h"
#include <stdbool.h>
#include <stdint.h>

struct deadline {
	int64_t at_ns; /* CLOCK_MONOTONIC */
};

int64_t now_ns(void);      /* CLOCK_MONOTONIC, nanoseconds */
int64_t now_unix(void);    /* CLOCK_REALTIME, seconds */
int64_t now_unix_ms(void); /* CLOCK_REALTIME, milliseconds */
struct deadline deadline_in(int64_t ms);
/* The earlier of the two. */
struct deadline deadline_min(struct deadline a, struct deadline b);
/* Milliseconds left, rounded up; 0 when it is over. */
int deadline_left_ms(struct deadline dl);
bool deadline_over(struct deadline dl);

#endif
