/*
 * Text and needle are folded to the same form and compared as bytes; glibc's
 * memmem is linear whatever the needle looks like.  A body is folded in steps,
 * and the end of each step that could begin a match is kept for the next one.
 */
#include <string.h>

#include "mail/casemap.h"
#include "mail/search.h"
#include "mail/utf8.h"

#define STEP 16384u
/* One character of 3 bytes may fold to 18 (U+FDFA): 33 bytes. */
#define GROWTH 12u

/* RFC 5051 for a Hangul syllable: Unicode chapter 3.12. */
static size_t
fold_hangul(uint32_t c, char *out)
{
	uint32_t s = c - 0xac00, t = s % 28;
	size_t n = utf8_put(0x1100 + s / 588, out);

	n += utf8_put(0x1161 + s % 588 / 28, out + n);
	if (t > 0)
		n += utf8_put(0x11a7 + t, out + n);
	return n;
}

/* What a character beyond ASCII folds to; may point into `room`. */
static struct str
fold_char(uint32_t c, char *room)
{
	size_t lo, hi;

	if (c >= 0xac00 && c < 0xd7a4)
		return str_n(room, fold_hangul(c, room));
	if (c >> 8 < casemap_pages) {
		lo = casemap_page[c >> 8];
		hi = casemap_page[(c >> 8) + 1];
		while (lo < hi) {
			size_t mid = (lo + hi) / 2;

			if (casemap_low[mid] == (c & 0xff)) {
				const uint8_t *p =
				    &casemap_pool[casemap_at[mid]];

				return str_n(p + 1, p[0]);
			}
			if (casemap_low[mid] < (c & 0xff))
				lo = mid + 1;
			else
				hi = mid;
		}
	}
	return str_n(room, utf8_put(c, room));
}

enum rc
mail_casefold(struct str s, struct buf *out)
{
	size_t i = 0;

	if (buf_reserve(out, s.n) != RC_OK)
		return RC_BAD;
	while (i < s.n) {
		struct str to = UTF8_REPLACEMENT;
		char room[12];
		uint32_t c;
		int len;

		if ((unsigned char)s.p[i] < 0x80) {
			if (out->n == out->size &&
			    buf_reserve(out, s.n - i) != RC_OK)
				return RC_BAD;
			out->p[out->n++] = ascii_upper(s.p[i++]);
			continue;
		}
		len = utf8_get(s.p + i, s.n - i, &c);
		if (len > 0)
			to = fold_char(c, room);
		if (buf_add(out, to) != RC_OK)
			return RC_BAD;
		i += len > 0 ? (size_t)len : 1;
	}
	return RC_OK;
}

enum rc
mail_needle_init(struct arena *a, struct str utf8, struct mail_needle *out)
{
	AUTO_BUF b = { 0 };

	if (!str_is_utf8(utf8))
		return RC_BAD;
	buf_init(&b, MAIL_NEEDLE_MAX);
	if (mail_casefold(utf8, &b) != RC_OK)
		return RC_BAD;
	out->folded = str_dup(a, buf_str(&b));
	return RC_OK;
}

static bool
found_in(const struct mail_needle *nd, struct str folded)
{
	return nd->folded.n == 0 || str_find(folded, nd->folded) < folded.n;
}

bool
mail_needle_in(const struct mail_needle *nd, struct str utf8)
{
	AUTO_BUF b = { 0 };

	if (nd->folded.n == 0)
		return true;
	buf_init(&b, (utf8.n + 1) * GROWTH);
	if (mail_casefold(utf8, &b) != RC_OK)
		panic("a folded text outgrew its bound");
	return found_in(nd, buf_str(&b));
}

bool
mail_needle_in_value(const struct mail_needle *nd, struct str value)
{
	AUTO_BUF b = { 0 };

	/* A byte becomes at most 3 (U+FFFD). */
	buf_init(&b, (value.n + 1) * 4);
	if (mail_words_decode(value, &b) != RC_OK)
		return false;
	return mail_needle_in(nd, buf_str(&b));
}

struct mail_search {
	struct str needle; /* folded */
	bool found;
	enum mail_cte cte;
	struct mail_b64 b64;
	struct mail_qp qp;
	struct mail_charset *charset;
	struct buf bytes; /* of one step, transfer encoding undone */
	struct buf text;  /* of one step, in UTF-8 */
	struct buf tail;  /* folded: the end of the last step, this step */
};

struct mail_search *
mail_search_new(
    const struct mail_needle *nd, enum mail_cte cte, struct str charset)
{
	struct mail_search *s = xcalloc(1, sizeof(*s));

	s->needle = nd->folded;
	s->found = nd->folded.n == 0;
	s->cte = cte;
	if (mail_charset_new(charset, &s->charset) != RC_OK &&
	    mail_charset_new(STR("utf-8"), &s->charset) != RC_OK)
		panic("no UTF-8");
	buf_init(&s->bytes, 2 * STEP);
	buf_init(&s->text, 8 * STEP);
	buf_init(&s->tail, 8 * STEP * GROWTH + MAIL_NEEDLE_MAX);
	return s;
}

/* UTF-8 text comes in whole characters. */
static void
look(struct mail_search *s)
{
	size_t keep = s->needle.n - 1;

	if (mail_casefold(buf_str(&s->text), &s->tail) != RC_OK)
		panic("a folded text outgrew its bound");
	s->found = str_find(buf_str(&s->tail), s->needle) < s->tail.n;
	if (s->tail.n > keep)
		buf_consume(&s->tail, s->tail.n - keep);
}

static void
feed_step(struct mail_search *s, struct str in, bool end)
{
	enum rc rc = RC_OK;

	buf_clear(&s->bytes);
	buf_clear(&s->text);
	if (s->cte == MAIL_CTE_B64)
		rc = mail_b64_feed(&s->b64, in, &s->bytes);
	else if (s->cte == MAIL_CTE_QP)
		rc = mail_qp_feed(&s->qp, in, &s->bytes);
	if (rc == RC_OK && end && s->cte == MAIL_CTE_QP)
		rc = mail_qp_end(&s->qp, &s->bytes);
	if (s->cte != MAIL_CTE_IDENTITY)
		in = buf_str(&s->bytes);
	if (rc == RC_OK)
		rc = mail_charset_feed(s->charset, in, &s->text);
	if (rc == RC_OK && end)
		rc = mail_charset_end(s->charset, &s->text);
	/* A charset that grows past all bounds: search what there is. */
	if (rc == RC_OK || rc == RC_BAD)
		look(s);
}

bool
mail_search_feed(struct mail_search *s, struct str in)
{
	while (in.n > 0 && !s->found) {
		feed_step(s, str_sub(in, 0, STEP), false);
		in = str_from(in, STEP);
	}
	return s->found;
}

bool
mail_search_end(struct mail_search *s)
{
	if (!s->found)
		feed_step(s, STR(""), true);
	return s->found;
}

void
mail_search_free(struct mail_search **sp)
{
	struct mail_search *s = *sp;

	if (s == NULL)
		return;
	mail_charset_free(&s->charset);
	buf_free(&s->bytes);
	buf_free(&s->text);
	buf_free(&s->tail);
	xfree(s);
	*sp = NULL;
}
