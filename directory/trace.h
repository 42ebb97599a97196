/*
 * trace - the steps behind an answer, for `gatepost explain`.
 *
 * The rules themselves write it, so an explanation cannot differ from what
 * happens.  Every function takes a trace that may be NULL: nothing is written
 * then, and its arguments cost nothing.
 *
 * Limits  DIR_TRACE_MAX bytes; what does not fit is left out and said so.
 */
#ifndef DIRECTORY_TRACE_H
#define DIRECTORY_TRACE_H

#include "lib/base.h"

#define DIR_TRACE_MAX (256u << 10)

struct dir_trace {
	struct buf b;
	bool full;
};

void dir_trace_init(struct dir_trace *t);
void dir_trace_free(struct dir_trace *t);
void dir_trace_add(struct dir_trace *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The arguments are only evaluated when somebody listens. */
#define TRACE(t, ...)                                                          \
	do {                                                                   \
		if ((t) != NULL)                                               \
			dir_trace_add((t), __VA_ARGS__);                       \
	} while (0)

#endif
