/* Slices: nothing here allocates except into the caller's arena. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base.h"

struct str
str_c(const char *cstr)
{
	return (struct str){ cstr, cstr ? strlen(cstr) : 0 };
}

struct str
str_n(const void *p, size_t n)
{
	return (struct str){ p, n };
}

bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
str_ieq(struct str a, struct str b)
{
	return a.n == b.n && str_icmp(a, b) == 0;
}

int
str_cmp(struct str a, struct str b)
{
	size_t n = MIN(a.n, b.n);
	int d = n ? memcmp(a.p, b.p, n) : 0;

	return d ? d : (a.n > b.n) - (a.n < b.n);
}

int
str_icmp(struct str a, struct str b)
{
	size_t n = MIN(a.n, b.n);

	for (size_t i = 0; i < n; i++) {
		unsigned char x = (unsigned char)ascii_lower(a.p[i]);
		unsigned char y = (unsigned char)ascii_lower(b.p[i]);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a.n > b.n) - (a.n < b.n);
}

bool
str_has_prefix(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq(str_sub(s, 0, prefix.n), prefix);
}

bool
str_has_iprefix(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_ieq(str_sub(s, 0, prefix.n), prefix);
}

bool
str_has_isuffix(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_ieq(str_from(s, s.n - suffix.n), suffix);
}

bool
str_cut_prefix(struct str *s, struct str prefix)
{
	if (!str_has_prefix(*s, prefix))
		return false;
	*s = str_from(*s, prefix.n);
	return true;
}

bool
str_cut_iprefix(struct str *s, struct str prefix)
{
	if (!str_has_iprefix(*s, prefix))
		return false;
	*s = str_from(*s, prefix.n);
	return true;
}

size_t
str_chr(struct str s, char c)
{
	const char *p = s.n ? memchr(s.p, c, s.n) : NULL;

	return p ? (size_t)(p - s.p) : s.n;
}

size_t
str_rchr(struct str s, char c)
{
	const char *p = s.n ? memrchr(s.p, c, s.n) : NULL;

	return p ? (size_t)(p - s.p) : s.n;
}

size_t
str_find(struct str s, struct str needle)
{
	const char *p;

	if (needle.n == 0)
		return 0;
	if (s.n == 0)
		return s.n;
	p = memmem(s.p, s.n, needle.p, needle.n);
	return p ? (size_t)(p - s.p) : s.n;
}

size_t
str_ifind(struct str s, struct str needle)
{
	if (needle.n == 0)
		return 0;
	for (size_t i = 0; i + needle.n <= s.n; i++)
		if (str_ieq(str_sub(s, i, needle.n), needle))
			return i;
	return s.n;
}

struct str
str_sub(struct str s, size_t from, size_t n)
{
	if (s.p == NULL)
		return STR_NULL;
	from = MIN(from, s.n);
	return (struct str){ s.p + from, MIN(n, s.n - from) };
}

struct str
str_from(struct str s, size_t from)
{
	return str_sub(s, from, s.n);
}

struct str
str_trim(struct str s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = str_from(s, 1);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

struct str
str_word(struct str *s)
{
	struct str word = str_sub(*s, 0, str_chr(*s, ' '));

	*s = str_from(*s, word.n);
	while (s->n && s->p[0] == ' ')
		*s = str_from(*s, 1);
	return word;
}

bool
str_split(struct str *s, char sep, struct str *out)
{
	size_t at;

	if (s->p == NULL)
		return false;
	at = str_chr(*s, sep);
	*out = str_sub(*s, 0, at);
	*s = at < s->n ? str_from(*s, at + 1) : STR_NULL;
	return true;
}

enum rc
str_u64(struct str s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > 20)
		return RC_BAD;
	for (size_t i = 0; i < s.n; i++) {
		unsigned d = (unsigned)(unsigned char)s.p[i] - '0';

		if (d > 9 || v > (UINT64_MAX - d) / 10)
			return RC_BAD;
		v = v * 10 + d;
	}
	if (v > max)
		return RC_BAD;
	*out = v;
	return RC_OK;
}

struct str
str_dup(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (struct str){ p, s.n };
}

struct str
str_lower(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	for (size_t i = 0; i < s.n; i++)
		p[i] = ascii_lower(s.p[i]);
	p[s.n] = '\0';
	return (struct str){ p, s.n };
}

struct str
str_fmt(struct arena *a, const char *fmt, ...)
{
	char tmp[256];
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(tmp, sizeof(tmp), fmt, ap);
	va_end(ap);
	if (n < 0)
		panic("bad format \"%s\"", fmt);
	p = arena_alloc(a, (size_t)n + 1);
	if ((size_t)n < sizeof(tmp)) {
		memcpy(p, tmp, (size_t)n + 1);
	} else {
		va_start(ap, fmt);
		vsnprintf(p, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	return (struct str){ p, (size_t)n };
}

struct str
str_cat(struct arena *a, struct str x, struct str y)
{
	char *p = arena_alloc(a, x.n + y.n + 1);

	if (x.n)
		memcpy(p, x.p, x.n);
	if (y.n)
		memcpy(p + x.n, y.p, y.n);
	p[x.n + y.n] = '\0';
	return (struct str){ p, x.n + y.n };
}

enum rc
str_cstr(struct arena *a, struct str s, const char **out)
{
	if (s.n && memchr(s.p, '\0', s.n) != NULL)
		return RC_BAD;
	*out = str_dup(a, s).p;
	return RC_OK;
}

uint64_t
str_hash(struct str s)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u;
	return h;
}

bool
str_eq_secret(struct str a, struct str b)
{
	unsigned char d = a.n != b.n;

	for (size_t i = 0; i < a.n && i < b.n; i++)
		d |= (unsigned char)(a.p[i] ^ b.p[i]);
	return d == 0;
}

bool
str_is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 127)
			return false;
	return true;
}

/* RFC 3629 section 4: no overlong forms, no surrogates, at most U+10FFFF. */
bool
str_is_utf8(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i = 0;

	while (i < s.n) {
		unsigned c = p[i];
		unsigned lo = 0x80, hi = 0xbf;
		size_t more;

		if (c < 0x80) {
			i++;
			continue;
		}
		if (c >= 0xc2 && c <= 0xdf) {
			more = 1;
		} else if (c >= 0xe0 && c <= 0xef) {
			more = 2;
			lo = c == 0xe0 ? 0xa0 : lo;
			hi = c == 0xed ? 0x9f : hi;
		} else if (c >= 0xf0 && c <= 0xf4) {
			more = 3;
			lo = c == 0xf0 ? 0x90 : lo;
			hi = c == 0xf4 ? 0x8f : hi;
		} else {
			return false;
		}
		if (s.n - i <= more)
			return false;
		if (p[i + 1] < lo || p[i + 1] > hi)
			return false;
		for (size_t k = 2; k <= more; k++)
			if ((p[i + k] & 0xc0) != 0x80)
				return false;
		i += more + 1;
	}
	return true;
}

struct str
str_hex(struct arena *a, struct str s)
{
	static const char digits[] = "0123456789abcdef";
	char *p = arena_alloc(a, s.n * 2 + 1);

	for (size_t i = 0; i < s.n; i++) {
		p[2 * i] = digits[(unsigned char)s.p[i] >> 4];
		p[2 * i + 1] = digits[s.p[i] & 15];
	}
	p[s.n * 2] = '\0';
	return (struct str){ p, s.n * 2 };
}

static int
hex_value(char c)
{
	c = ascii_lower(c);
	if (ascii_is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

enum rc
str_unhex(struct arena *a, struct str s, struct str *out)
{
	char *p;

	if (s.n % 2)
		return RC_BAD;
	p = arena_alloc(a, s.n / 2 + 1);
	for (size_t i = 0; i < s.n / 2; i++) {
		int hi = hex_value(s.p[2 * i]), lo = hex_value(s.p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return RC_BAD;
		p[i] = (char)(hi << 4 | lo);
	}
	p[s.n / 2] = '\0';
	*out = (struct str){ p, s.n / 2 };
	return RC_OK;
}

static const char b64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct str
str_b64(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, (s.n + 2) / 3 * 4 + 1), *q = p;
	const unsigned char *in = (const unsigned char *)s.p;

	for (size_t i = 0; i < s.n; i += 3) {
		size_t left = s.n - i;
		unsigned v = (unsigned)in[i] << 16;

		v |= left > 1 ? (unsigned)in[i + 1] << 8 : 0;
		v |= left > 2 ? in[i + 2] : 0;
		*q++ = b64_digits[v >> 18];
		*q++ = b64_digits[v >> 12 & 63];
		*q++ = left > 1 ? b64_digits[v >> 6 & 63] : '=';
		*q++ = left > 2 ? b64_digits[v & 63] : '=';
	}
	*q = '\0';
	return (struct str){ p, (size_t)(q - p) };
}

static int
b64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

enum rc
str_unb64(struct arena *a, struct str s, struct str *out)
{
	size_t pad = 0, n = 0;
	char *p;

	if (s.n % 4)
		return RC_BAD;
	while (pad < 2 && pad < s.n && s.p[s.n - 1 - pad] == '=')
		pad++;
	p = arena_alloc(a, s.n / 4 * 3 + 1);
	for (size_t i = 0; i < s.n; i += 4) {
		size_t digits = i + 4 == s.n ? 4 - pad : 4;
		unsigned v = 0;

		for (size_t k = 0; k < 4; k++) {
			int d = k < digits ? b64_value(s.p[i + k]) : 0;

			if (d < 0)
				return RC_BAD;
			v = v << 6 | (unsigned)d;
		}
		/* Bits behind the last byte must be zero (RFC 4648 3.5). */
		if ((digits == 3 && (v & 0xff)) ||
		    (digits == 2 && (v & 0xffff)))
			return RC_BAD;
		p[n++] = (char)(v >> 16);
		if (digits > 2)
			p[n++] = (char)(v >> 8);
		if (digits > 3)
			p[n++] = (char)v;
	}
	p[n] = '\0';
	*out = (struct str){ p, n };
	return RC_OK;
}
