#include <string.h>

#include "gateway/gw_imap_parse.h"

static void
skip(struct gw_imap_in *in, size_t n)
{
	in->p += n;
	in->n -= n;
}

static struct str
cut(struct gw_imap_in *in, size_t n)
{
	struct str s = { in->p, n };

	skip(in, n);
	return s;
}

/* ATOM-CHAR of RFC 3501: no specials, no controls, seven bits. */
static bool
is_atom(char c)
{
	return c > ' ' && c < 0x7f && strchr("(){%*\"\\]", c) == NULL;
}

static bool
is_astring(char c)
{
	return is_atom(c) || c == ']';
}

static size_t
span(const struct gw_imap_in *in, bool (*is)(char))
{
	size_t n = 0;

	while (n < in->n && is(in->p[n]))
		n++;
	return n;
}

/* "{" digits ["+"] "}" CRLF: the size and the length of all that. */
static size_t
literal_head(struct str s, uint64_t *size, bool *sync)
{
	size_t close = str_chr(s, '}');
	struct str digits;

	if (s.n == 0 || s.p[0] != '{' || s.n < close + 3 ||
	    s.p[close + 1] != '\r' || s.p[close + 2] != '\n')
		return 0;
	digits = str_sub(s, 1, close - 1);
	*sync = digits.n == 0 || digits.p[digits.n - 1] != '+';
	if (!*sync)
		digits.n--;
	if (str_u64(digits, UINT64_MAX, size) != RC_OK)
		return 0;
	return close + 3;
}

bool
gw_imap_literal(struct str line, uint64_t *size, bool *sync)
{
	size_t open = str_rchr(line, '{');

	return open < line.n &&
	       literal_head(str_from(line, open), size, sync) == line.n - open;
}

bool
gw_imap_tag(struct gw_imap_in *in, struct str *out)
{
	size_t n = span(in, is_astring);

	*out = cut(in, n);
	return n > 0 && str_chr(*out, '+') == n;
}

bool
gw_imap_atom(struct gw_imap_in *in, struct str *out)
{
	*out = cut(in, span(in, is_atom));
	return out->n > 0;
}

bool
gw_imap_char(struct gw_imap_in *in, char c)
{
	if (in->n == 0 || in->p[0] != c)
		return false;
	skip(in, 1);
	return true;
}

bool
gw_imap_space(struct gw_imap_in *in)
{
	return gw_imap_char(in, ' ');
}

bool
gw_imap_word(struct gw_imap_in *in, struct str *out)
{
	size_t n = 0;

	while (n < in->n && in->p[n] > ' ' && in->p[n] < 0x7f)
		n++;
	*out = cut(in, n);
	return n > 0;
}

bool
gw_imap_end(const struct gw_imap_in *in)
{
	return in->n == 2 && in->p[0] == '\r' && in->p[1] == '\n';
}

/* RFC 3501 takes seven bits; eight are let through for passwords. */
static bool
quoted(struct gw_imap_in *in, struct str *out)
{
	char *start = ++in->p, *to = start;

	in->n--;
	while (in->n > 0 && in->p[0] != '"') {
		char c = in->p[0];

		if (c == '\r' || c == '\n' || c == '\0')
			return false;
		if (c == '\\') {
			skip(in, 1);
			if (in->n == 0 || (in->p[0] != '"' && in->p[0] != '\\'))
				return false;
			c = in->p[0];
		}
		*to++ = c;
		skip(in, 1);
	}
	*out = str_n(start, (size_t)(to - start));
	return gw_imap_char(in, '"');
}

static bool
literal(struct gw_imap_in *in, struct str *out)
{
	uint64_t size;
	bool sync;
	size_t head = literal_head(str_n(in->p, in->n), &size, &sync);

	if (head == 0 || size > in->n - head)
		return false;
	skip(in, head);
	*out = cut(in, (size_t)size);
	return str_chr(*out, '\0') == out->n;
}

static bool
string(struct gw_imap_in *in, struct str *out)
{
	if (in->n > 0 && in->p[0] == '"')
		return quoted(in, out);
	return in->n > 0 && in->p[0] == '{' && literal(in, out);
}

bool
gw_imap_astring(struct gw_imap_in *in, struct str *out)
{
	size_t n = span(in, is_astring);

	if (n > 0) {
		*out = cut(in, n);
		return true;
	}
	return string(in, out);
}

bool
gw_imap_nstring(struct gw_imap_in *in, struct str *out)
{
	struct str word = str_sub(str_n(in->p, in->n), 0, 3);

	if (str_ieq(word, STR("NIL"))) {
		skip(in, 3);
		*out = STR("");
		return true;
	}
	return string(in, out);
}
