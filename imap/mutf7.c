/*
 * Decoding refuses every spelling but the canonical one: two spellings of one
 * name would be two names to some clients and one to others.  That is checked
 * by encoding the result again.
 */
#include "imap/mutf7.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz0123456789+,";

static int
b64_value(char c)
{
	const char *at = c == '\0' ? NULL : strchr(alphabet, c);

	return at == NULL ? -1 : (int)(at - alphabet);
}

static size_t
put_utf8(char *p, uint32_t c)
{
	if (c < 0x80) {
		p[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		p[0] = (char)(0xc0 | c >> 6);
		p[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		p[0] = (char)(0xe0 | c >> 12);
		p[1] = (char)(0x80 | (c >> 6 & 0x3f));
		p[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	p[0] = (char)(0xf0 | c >> 18);
	p[1] = (char)(0x80 | (c >> 12 & 0x3f));
	p[2] = (char)(0x80 | (c >> 6 & 0x3f));
	p[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* What stands between "&" and "-" as UTF-8. */
static enum rc
decode_shifted(struct str s, char *out, size_t *n)
{
	uint32_t bits = 0, high = 0;
	unsigned nbits = 0;

	for (size_t i = 0; i < s.n; i++) {
		int v = b64_value(s.p[i]);
		uint32_t unit;

		if (v < 0)
			return RC_BAD;
		bits = bits << 6 | (uint32_t)v;
		nbits += 6;
		if (nbits < 16)
			continue;
		nbits -= 16;
		unit = bits >> nbits & 0xffff;
		bits &= (1u << nbits) - 1;
		if (high != 0) {
			if (unit < 0xdc00 || unit > 0xdfff)
				return RC_BAD;
			unit =
			    0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00);
			high = 0;
		} else if (unit >= 0xd800 && unit <= 0xdbff) {
			high = unit;
			continue;
		} else if (unit >= 0xdc00 && unit <= 0xdfff) {
			return RC_BAD;
		}
		*n += put_utf8(out + *n, unit);
	}
	return high == 0 ? RC_OK : RC_BAD;
}

enum rc
imap_mutf7_decode(struct arena *a, struct str wire, struct str *out)
{
	/* eight characters of base64 are up to nine bytes of UTF-8 */
	char *p = arena_alloc(a, wire.n * 2 + 1);
	size_t n = 0;
	struct str again;

	for (size_t i = 0; i < wire.n; i++) {
		struct str shifted;

		if (wire.p[i] != '&') {
			if ((unsigned char)wire.p[i] < 0x20 ||
			    (unsigned char)wire.p[i] > 0x7e)
				return RC_BAD;
			p[n++] = wire.p[i];
			continue;
		}
		shifted = str_from(wire, i + 1);
		shifted.n = str_chr(shifted, '-');
		i += shifted.n + 1;
		if (i >= wire.n)
			return RC_BAD;
		if (shifted.n == 0)
			p[n++] = '&';
		else if (decode_shifted(shifted, p, &n) != RC_OK)
			return RC_BAD;
	}
	if (imap_mutf7_encode(a, str_n(p, n), &again) != RC_OK ||
	    !str_eq(again, wire))
		return RC_BAD;
	*out = str_n(p, n);
	return RC_OK;
}

struct encoder {
	char *p;
	size_t n;
	uint32_t bits;
	unsigned nbits;
	bool shifted;
};

static void
put_unit(struct encoder *e, uint32_t unit)
{
	if (!e->shifted) {
		e->p[e->n++] = '&';
		e->shifted = true;
	}
	e->bits = e->bits << 16 | unit;
	e->nbits += 16;
	while (e->nbits >= 6) {
		e->nbits -= 6;
		e->p[e->n++] = alphabet[e->bits >> e->nbits & 0x3f];
	}
	e->bits &= (1u << e->nbits) - 1;
}

static void
unshift(struct encoder *e)
{
	if (!e->shifted)
		return;
	if (e->nbits > 0)
		e->p[e->n++] = alphabet[e->bits << (6 - e->nbits) & 0x3f];
	e->p[e->n++] = '-';
	e->bits = e->nbits = 0;
	e->shifted = false;
}

/* `s` is well-formed UTF-8 and not empty. */
static uint32_t
cut_codepoint(struct str *s)
{
	const unsigned char *p = (const unsigned char *)s->p;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3f);
	*s = str_from(*s, n);
	return c;
}

enum rc
imap_mutf7_encode(struct arena *a, struct str name, struct str *out)
{
	/* the worst: one character of one byte as "&AAE-" */
	struct encoder e = { .p = arena_alloc(a, name.n * 5 + 2) };

	if (!str_is_utf8(name))
		return RC_BAD;
	while (name.n > 0) {
		uint32_t c = cut_codepoint(&name);

		if (c >= 0x20 && c <= 0x7e) {
			unshift(&e);
			e.p[e.n++] = (char)c;
			if (c == '&')
				e.p[e.n++] = '-';
		} else if (c >= 0x10000) {
			put_unit(&e, 0xd800 + ((c - 0x10000) >> 10));
			put_unit(&e, 0xdc00 + ((c - 0x10000) & 0x3ff));
		} else {
			put_unit(&e, c);
		}
	}
	unshift(&e);
	*out = str_n(e.p, e.n);
	return RC_OK;
}
