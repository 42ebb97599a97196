#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base.h"

void
buf_init(struct buf *b, size_t cap)
{
	assert(cap > 0);
	*b = (struct buf){ .cap = cap };
}

void
buf_free(struct buf *b)
{
	xfree(b->p);
	*b = (struct buf){ 0 };
}

void
buf_clear(struct buf *b)
{
	b->n = 0;
}

void
buf_release(struct buf *b)
{
	size_t cap = b->cap;

	buf_free(b);
	b->cap = cap;
}

enum rc
buf_reserve(struct buf *b, size_t n)
{
	size_t want;

	assert(b->cap > 0);
	if (n > b->cap - b->n)
		return RC_BAD;
	if (b->n + n <= b->size)
		return RC_OK;
	want = MAX(b->size * 2, 256);
	want = MAX(want, b->n + n);
	want = MIN(want, b->cap);
	b->p = xrealloc(b->p, want);
	b->size = want;
	return RC_OK;
}

enum rc
buf_add(struct buf *b, struct str s)
{
	if (buf_reserve(b, s.n) != RC_OK)
		return RC_BAD;
	if (s.n)
		memcpy(b->p + b->n, s.p, s.n);
	b->n += s.n;
	return RC_OK;
}

enum rc
buf_add_char(struct buf *b, char c)
{
	return buf_add(b, (struct str){ &c, 1 });
}

enum rc
buf_fmt(struct buf *b, const char *fmt, ...)
{
	char tmp[512];
	va_list ap;
	char *big;
	enum rc rc;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(tmp, sizeof(tmp), fmt, ap);
	va_end(ap);
	if (n < 0)
		panic("bad format \"%s\"", fmt);
	if ((size_t)n < sizeof(tmp))
		return buf_add(b, (struct str){ tmp, (size_t)n });
	big = xmalloc((size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(big, (size_t)n + 1, fmt, ap);
	va_end(ap);
	rc = buf_add(b, (struct str){ big, (size_t)n });
	xfree(big);
	return rc;
}

void
buf_consume(struct buf *b, size_t n)
{
	n = MIN(n, b->n);
	if (n && n < b->n)
		memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}
