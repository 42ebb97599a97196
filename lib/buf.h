/*
 * buf - owned bytes that grow up to a cap.
 *
 * Ownership  buf_free releases; AUTO_BUF does it at the end of the scope.
 * Errors     Growing past the cap is RC_BAD and leaves the buffer as it was.
 * Limits     The cap given at init, in bytes; it is never zero.
 */
#ifndef LIB_BUF_H
#define LIB_BUF_H

#include "lib/rc.h"
#include <stddef.h>
#include "lib/str.h"

struct buf {
	char *p;
	size_t n;    /* bytes in use */
	size_t size; /* bytes allocated */
	size_t cap;  /* the most it may hold */
};

#define AUTO_BUF CLEANUP(buf_free) struct buf

void buf_init(struct buf *b, size_t cap);
void buf_free(struct buf *b);
/* Empty it; keeps the memory. */
void buf_clear(struct buf *b);
/* Give back the memory, keep the cap. */
void buf_release(struct buf *b);
MUST_CHECK enum rc buf_add(struct buf *b, struct str s);
MUST_CHECK enum rc buf_add_char(struct buf *b, char c);
MUST_CHECK enum rc buf_fmt(struct buf *b, const char *fmt, ...)
    PRINTF_LIKE(2, 3);
/* Room for n more bytes at b->p + b->n; the caller then raises b->n. */
MUST_CHECK enum rc buf_reserve(struct buf *b, size_t n);
/* Drop the first n bytes (clamped). */
void buf_consume(struct buf *b, size_t n);

static inline struct str
buf_str(const struct buf *b)
{
	return (struct str){ b->p, b->n };
}

#endif
