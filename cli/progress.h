/*
 * progress - a bar for what takes long: bytes, share, rate, time left.  Only
 * on a terminal, on stderr; nothing at all otherwise.
 *
 * Threads    One.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdio.h>

#include "lib/base.h"

#define PROGRESS_TEXT 120u

struct progress {
	FILE *f; /* NULL: no terminal */
	const char *what;
	int64_t begun_ns, drawn_ns;
	size_t width; /* of what stands there */
};

void progress_begin(struct progress *p, FILE *f, const char *what);
void progress_set(struct progress *p, uint64_t done, uint64_t total);
void progress_end(struct progress *p); /* leaves an empty line */

/* The line for that state; for progress_set and its test. */
void progress_text(char out[PROGRESS_TEXT], const char *what, uint64_t done,
    uint64_t total, int64_t elapsed_ns);

#endif
