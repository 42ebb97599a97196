/*
 * bytes - little-endian integers on disk, written to a buffer and read through
 * a cursor.
 *
 * Both are sticky: after the first thing that does not fit, `bad` is set,
 * writing does nothing and reading gives zeros, so that a caller checks once
 * at the end.
 *
 * Ownership  Slices read borrow from what the cursor reads.
 */
#ifndef STORE_BYTES_H
#define STORE_BYTES_H

#include <string.h>

#include "lib/base.h"

static inline uint64_t
le_get(const void *p, unsigned n)
{
	const unsigned char *b = p;
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v |= (uint64_t)b[i] << 8 * i;
	return v;
}

static inline void
le_put(void *p, uint64_t v, unsigned n)
{
	unsigned char *b = p;

	for (unsigned i = 0; i < n; i++)
		b[i] = (unsigned char)(v >> 8 * i);
}

/* Big-endian, for keys that must sort by number. */
static inline uint64_t
be_get(const void *p, unsigned n)
{
	const unsigned char *b = p;
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v = v << 8 | b[i];
	return v;
}

static inline void
be_put(void *p, uint64_t v, unsigned n)
{
	unsigned char *b = p;

	for (unsigned i = 0; i < n; i++)
		b[i] = (unsigned char)(v >> 8 * (n - 1 - i));
}

struct enc {
	struct buf *b;
	bool bad;
};

static inline void
enc_bytes(struct enc *e, const void *p, size_t n)
{
	if (e->bad || buf_add(e->b, str_n(p, n)) != RC_OK)
		e->bad = true;
}

static inline void
enc_u(struct enc *e, uint64_t v, unsigned n)
{
	unsigned char b[8];

	le_put(b, v, n);
	enc_bytes(e, b, n);
}

/* A length and the bytes. */
static inline void
enc_str(struct enc *e, struct str s)
{
	enc_u(e, s.n, 4);
	enc_bytes(e, s.p, s.n);
}

struct dec {
	const unsigned char *p;
	size_t n;
	bool bad;
};

static inline struct dec
dec_of(struct str s)
{
	return (struct dec){ (const unsigned char *)s.p, s.n, false };
}

static inline struct str
dec_bytes(struct dec *d, size_t n)
{
	struct str s = { (const char *)d->p, n };

	if (d->bad || d->n < n) {
		d->bad = true;
		return STR_NULL;
	}
	d->p += n;
	d->n -= n;
	return s;
}

static inline uint64_t
dec_u(struct dec *d, unsigned n)
{
	struct str s = dec_bytes(d, n);

	return s.p != NULL ? le_get(s.p, n) : 0;
}

static inline struct str
dec_str(struct dec *d)
{
	size_t n = dec_u(d, 4);

	return dec_bytes(d, n);
}

static inline void
dec_copy(struct dec *d, void *to, size_t n)
{
	struct str s = dec_bytes(d, n);

	if (s.p != NULL)
		memcpy(to, s.p, n);
	else
		memset(to, 0, n);
}

#endif
