/*
 * RFC 2047.  Adjacent words of one charset are decoded together, because
 * mailers cut in the middle of a character although section 5 forbids it.
 */
#include <string.h>

#include "mail/decode.h"

/* Section 2 says 75; mailers do not all know. */
#define WORD_MAX 2000
/* A look-up may cost file system calls; a value that asks for more is odd. */
#define LOOKUPS_MAX 64

struct word {
	struct str charset, text;
	char encoding; /* 'b' or 'q' */
	size_t len;
};

struct decoder {
	struct buf *out;
	struct buf bytes;   /* decoded words that wait for more */
	struct str charset; /* theirs */
	unsigned lookups;   /* of other charsets */
};

/* "=?charset*lang?q?text?=" at the front of s. */
static bool
read_word(struct str s, struct word *out)
{
	struct str charset, encoding;
	size_t end;

	s = str_sub(s, 0, WORD_MAX);
	out->len = s.n;
	if (!str_cut_prefix(&s, STR("=?")) || str_chr(s, '?') == s.n)
		return false;
	str_split(&s, '?', &charset);
	if (str_chr(s, '?') != 1)
		return false;
	str_split(&s, '?', &encoding);
	end = str_find(s, STR("?="));
	if (end == s.n || charset.n == 0)
		return false;
	out->charset = str_sub(charset, 0, str_chr(charset, '*'));
	out->encoding = ascii_lower(encoding.p[0]);
	out->text = str_sub(s, 0, end);
	out->len -= s.n - end - 2;
	return (out->encoding == 'b' || out->encoding == 'q') &&
	       str_chr(out->text, '\r') == end &&
	       str_chr(out->text, '\n') == end;
}

static int
hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Section 4.2. */
static enum rc
decode_q(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i] == '_' ? ' ' : s.p[i];
		int hi = i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
		int lo = i + 2 < s.n ? hex_value(s.p[i + 2]) : -1;

		if (c == '=' && hi >= 0 && lo >= 0) {
			c = (char)(hi * 16 + lo);
			i += 2;
		}
		if (buf_add_char(out, c) != RC_OK)
			return RC_BAD;
	}
	return RC_OK;
}

static enum rc
flush(struct decoder *d)
{
	enum rc rc = RC_OK;

	if (d->bytes.n > 0)
		rc = mail_charset_convert(
		    d->charset, buf_str(&d->bytes), d->out);
	buf_clear(&d->bytes);
	return rc;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
all_space(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_space(s.p[i]))
			return false;
	return true;
}

static enum rc
add_line(struct decoder *d, struct str s)
{
	if (str_is_ascii(s))
		return buf_add(d->out, s);
	return mail_charset_convert(STR("utf-8"), s, d->out);
}

/* Text between words: as it is, without line ends. */
static enum rc
add_text(struct decoder *d, struct str s)
{
	while (s.n > 0) {
		size_t n = 0;

		while (n < s.n && s.p[n] != '\r' && s.p[n] != '\n')
			n++;
		if (add_line(d, str_sub(s, 0, n)) != RC_OK)
			return RC_BAD;
		s = str_from(s, n + 1);
	}
	return RC_OK;
}

static enum rc
add_word(struct decoder *d, const struct word *w)
{
	struct mail_b64 b64 = { 0, 0 };

	if (!str_ieq(w->charset, d->charset) && flush(d) != RC_OK)
		return RC_BAD;
	d->charset = w->charset;
	if (w->encoding == 'b')
		return mail_b64_feed(&b64, w->text, &d->bytes);
	return decode_q(w->text, &d->bytes);
}

static bool
charset_known(struct decoder *d, struct str name)
{
	struct mail_charset *c;

	if (str_ieq(name, d->charset))
		return true;
	if (d->lookups == LOOKUPS_MAX)
		return false;
	d->lookups++;
	if (mail_charset_new(name, &c) != RC_OK)
		return false;
	mail_charset_free(&c);
	return true;
}

static enum rc
decode_all(struct decoder *d, struct str value)
{
	struct str rest = value; /* not yet given out */
	bool after_word = false;
	size_t at = 0;

	while ((at += str_find(str_from(rest, at), STR("=?"))) < rest.n) {
		struct str gap = str_sub(rest, 0, at);
		struct word w;

		if (!read_word(str_from(rest, at), &w) ||
		    !charset_known(d, w.charset)) {
			at += 2;
			continue;
		}
		if (!after_word || !all_space(gap))
			if (flush(d) != RC_OK || add_text(d, gap) != RC_OK)
				return RC_BAD;
		if (add_word(d, &w) != RC_OK)
			return RC_BAD;
		rest = str_from(rest, at + w.len);
		at = 0;
		after_word = true;
	}
	if (flush(d) != RC_OK)
		return RC_BAD;
	return add_text(d, rest);
}

enum rc
mail_words_decode(struct str value, struct buf *out)
{
	struct decoder d = { .out = out };
	enum rc rc;

	value = str_trim(value);
	if (str_find(value, STR("=?")) == value.n)
		return add_text(&d, value);
	/* Decoding makes nothing longer; base64 reserves a little more. */
	buf_init(&d.bytes, value.n + 4096);
	rc = decode_all(&d, value);
	buf_free(&d.bytes);
	return rc == RC_OK ? RC_OK : RC_BAD;
}
