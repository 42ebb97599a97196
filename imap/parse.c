/*
 * The grammar of RFC 3501 section 9 is small enough for a hand-written
 * recursive descent; each function is one rule.  One thing is taken wider
 * than written: bytes above 127 may stand in a quoted string when the string
 * is UTF-8, because clients search like that (and RFC 9051 allows it).
 */
#include "imap/parse.h"

#include <string.h>

bool
imap_is_atom_char(char c)
{
	unsigned char u = (unsigned char)c;

	return u > 0x20 && u < 0x7f && strchr("(){%*\"\\]", c) == NULL;
}

static bool
is_astring_char(char c)
{
	return imap_is_atom_char(c) || c == ']';
}

static bool
is_list_char(char c)
{
	return is_astring_char(c) || c == '%' || c == '*';
}

static bool
is_tag_char(char c)
{
	return is_astring_char(c) && c != '+';
}

static bool
cut_while(struct imap_parse *p, bool (*is)(char), struct str *out)
{
	size_t n = 0;

	while (n < p->in.n && is(p->in.p[n]))
		n++;
	if (n == 0)
		return false;
	*out = str_sub(p->in, 0, n);
	p->in = str_from(p->in, n);
	return true;
}

bool
imap_parse_char(struct imap_parse *p, char c)
{
	if (p->in.n == 0 || p->in.p[0] != c)
		return false;
	p->in = str_from(p->in, 1);
	return true;
}

bool
imap_parse_sp(struct imap_parse *p)
{
	return imap_parse_char(p, ' ');
}

bool
imap_parse_end(const struct imap_parse *p)
{
	return p->in.n == 0;
}

int
imap_parse_peek(const struct imap_parse *p)
{
	return p->in.n == 0 ? -1 : (unsigned char)p->in.p[0];
}

bool
imap_parse_word(struct imap_parse *p, struct str word)
{
	struct str rest = p->in;

	if (!str_cut_iprefix(&rest, word))
		return false;
	if (rest.n > 0 && imap_is_atom_char(rest.p[0]))
		return false;
	p->in = rest;
	return true;
}

bool
imap_parse_tag(struct imap_parse *p, struct str *out)
{
	return cut_while(p, is_tag_char, out);
}

bool
imap_parse_atom(struct imap_parse *p, struct str *out)
{
	return cut_while(p, imap_is_atom_char, out);
}

/* Behind the opening quote: how many bytes until the closing one? */
static bool
quoted_len(struct str s, size_t *len, size_t *escapes)
{
	size_t i;

	*escapes = 0;
	for (i = 0; i < s.n && s.p[i] != '"'; i++) {
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			return false;
		if (s.p[i] != '\\')
			continue;
		if (++i == s.n || (s.p[i] != '"' && s.p[i] != '\\'))
			return false;
		(*escapes)++;
	}
	*len = i;
	return i < s.n;
}

static bool
parse_quoted(struct imap_parse *p, struct str *out)
{
	struct str s = str_from(p->in, 1);
	size_t len, escapes, k = 0;
	char *copy;

	if (!quoted_len(s, &len, &escapes))
		return false;
	p->in = str_from(s, len + 1);
	s = str_sub(s, 0, len);
	if (!str_is_utf8(s))
		return false;
	*out = s;
	if (escapes == 0)
		return true;
	copy = arena_alloc(p->a, len);
	for (size_t i = 0; i < len; i++) {
		if (s.p[i] == '\\')
			i++;
		copy[k++] = s.p[i];
	}
	*out = str_n(copy, k);
	return true;
}

static bool
parse_literal(struct imap_parse *p, struct str *out)
{
	struct str s = str_from(p->in, 1);
	size_t digits = 0;
	uint64_t n;

	while (digits < s.n && ascii_is_digit(s.p[digits]))
		digits++;
	if (str_u64(str_sub(s, 0, digits), UINT32_MAX, &n) != RC_OK)
		return false;
	s = str_from(s, digits);
	(void)str_cut_prefix(&s, STR("+"));
	if (!str_cut_prefix(&s, STR("}\r\n")) || n > s.n)
		return false;
	*out = str_sub(s, 0, n);
	p->in = str_from(s, n);
	return memchr(out->p, 0, out->n) == NULL;
}

bool
imap_parse_string(struct imap_parse *p, struct str *out)
{
	switch (imap_parse_peek(p)) {
	case '"':
		return parse_quoted(p, out);
	case '{':
		return parse_literal(p, out);
	default:
		return false;
	}
}

bool
imap_parse_astring(struct imap_parse *p, struct str *out)
{
	return imap_parse_string(p, out) || cut_while(p, is_astring_char, out);
}

bool
imap_parse_nstring(struct imap_parse *p, struct str *out)
{
	if (imap_parse_word(p, STR("NIL"))) {
		*out = STR_NULL;
		return true;
	}
	return imap_parse_string(p, out);
}

bool
imap_parse_pattern(struct imap_parse *p, struct str *out)
{
	return imap_parse_string(p, out) || cut_while(p, is_list_char, out);
}

static bool
is_digit(char c)
{
	return ascii_is_digit(c);
}

bool
imap_parse_number(struct imap_parse *p, uint32_t *out)
{
	struct str digits;
	uint64_t n;

	if (!cut_while(p, is_digit, &digits) ||
	    str_u64(digits, UINT32_MAX, &n) != RC_OK)
		return false;
	*out = (uint32_t)n;
	return true;
}

bool
imap_parse_nz(struct imap_parse *p, uint32_t *out)
{
	int c = imap_parse_peek(p);

	return c >= '1' && c <= '9' && imap_parse_number(p, out);
}

bool
imap_literal_announced(struct str line, struct imap_literal *out)
{
	struct str s = line;
	size_t open;
	uint64_t n;

	if (s.n < 5 || memcmp(s.p + s.n - 3, "}\r\n", 3) != 0)
		return false;
	s.n -= 3;
	out->sync = s.p[s.n - 1] != '+';
	if (!out->sync)
		s.n--;
	open = str_rchr(s, '{');
	if (open == s.n ||
	    str_u64(str_from(s, open + 1), INT64_MAX, &n) != RC_OK)
		return false;
	out->size = n;
	out->at = open;
	return true;
}
