/*
 * utf8 - one character at a time, for mail/ only.
 *
 * Threads    Pure functions.
 */
#ifndef MAIL_UTF8_H
#define MAIL_UTF8_H

#include "lib/base.h"

#define UTF8_REPLACEMENT STR("\xef\xbf\xbd")

/*
 * The character at p (n > 0 bytes are there) goes to *out; gives its length.
 * 0: it is cut off by the end.  -1: these are not UTF-8 (RFC 3629).
 */
static inline int
utf8_get(const char *p, size_t n, uint32_t *out)
{
	const unsigned char *u = (const unsigned char *)p;
	uint32_t c = u[0], least;
	size_t len;

	if (c < 0x80) {
		*out = c;
		return 1;
	}
	if (c < 0xc2 || c > 0xf4)
		return -1;
	len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	least = len == 2 ? 0x80 : len == 3 ? 0x800 : 0x10000;
	c &= 0xffu >> (len + 1);
	for (size_t i = 1; i < len; i++) {
		if (i == n)
			return 0;
		if ((u[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (c < least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return -1;
	*out = c;
	return (int)len;
}

/* Writes 1 to 4 bytes; gives how many. */
static inline size_t
utf8_put(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

#endif
