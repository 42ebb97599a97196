/*
 * UTF-8 (and ASCII, its subset) and Latin-1 are done here, because most mail
 * needs nothing else and iconv_open costs file look-ups; everything else is
 * glibc's iconv.  The name is hostile: only what a charset name is made of
 * reaches iconv_open, so that no "//" option and no path does.
 *
 * How the input is cut does not matter, with one exception that fuzzing found:
 * damaged UTF-7, where glibc's step from UCS-4 to UTF-8 refuses half a
 * surrogate pair and winds the first step's state back to the start of the
 * call.
 */
#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "mail/decode.h"
#include "mail/utf8.h"

#define NAME_MAX_LEN 40
#define HOLD         16 /* longer than any character of any charset */

enum kind { KIND_UTF8, KIND_LATIN1, KIND_ICONV };

struct mail_charset {
	enum kind kind;
	iconv_t cd;
	size_t nheld; /* the beginning of a character */
	char held[HOLD];
};

/* Names that mailers use and glibc does not know, or knows too narrowly. */
static const struct {
	struct str name;
	const char *iconv;
} aliases[] = {
	{ STR_INIT("gb2312"), "GB18030" },
	{ STR_INIT("gbk"), "GB18030" },
	{ STR_INIT("ks_c_5601-1987"), "CP949" },
	{ STR_INIT("euc-kr"), "CP949" },
	{ STR_INIT("shift_jis"), "CP932" },
	{ STR_INIT("x-sjis"), "CP932" },
	{ STR_INIT("iso-8859-8-i"), "ISO-8859-8" },
	{ STR_INIT("x-mac-roman"), "MACINTOSH" },
	{ STR_INIT("unicode-1-1-utf-7"), "UTF-7" },
};

static bool
is_utf8_name(struct str name)
{
	static const struct str names[] = { STR_INIT(""), STR_INIT("us-ascii"),
		STR_INIT("utf-8"), STR_INIT("utf8"), STR_INIT("ascii"),
		STR_INIT("ansi_x3.4-1968") };

	for (size_t i = 0; i < COUNT(names); i++)
		if (str_ieq(name, names[i]))
			return true;
	return false;
}

static enum rc
open_iconv(struct str name, iconv_t *out)
{
	char text[NAME_MAX_LEN + 1];
	const char *use = text;

	if (name.n > NAME_MAX_LEN)
		return RC_NOENT;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!ascii_is_alnum(c) && c != '-' && c != '_' && c != '.' &&
		    c != ':' && c != '+')
			return RC_NOENT;
		text[i] = c;
	}
	text[name.n] = '\0';
	for (size_t i = 0; i < COUNT(aliases); i++)
		if (str_ieq(name, aliases[i].name))
			use = aliases[i].iconv;
	*out = iconv_open("UTF-8", use);
	return *out == (iconv_t)-1 ? RC_NOENT : RC_OK;
}

enum rc
mail_charset_new(struct str name, struct mail_charset **out)
{
	struct mail_charset *c = xcalloc(1, sizeof(*c));

	name = str_trim(name);
	if (is_utf8_name(name)) {
		c->kind = KIND_UTF8;
	} else if (str_ieq(name, STR("iso-8859-1")) ||
		   str_ieq(name, STR("latin1"))) {
		c->kind = KIND_LATIN1;
	} else {
		c->kind = KIND_ICONV;
		if (open_iconv(name, &c->cd) != RC_OK) {
			xfree(c);
			return RC_NOENT;
		}
	}
	*out = c;
	return RC_OK;
}

void
mail_charset_free(struct mail_charset **cp)
{
	if (*cp == NULL)
		return;
	if ((*cp)->kind == KIND_ICONV)
		iconv_close((*cp)->cd);
	xfree(*cp);
	*cp = NULL;
}

/* How many bytes at the front are ASCII. */
static size_t
ascii_run(struct str s)
{
	size_t i = 0;

	while (i < s.n && (unsigned char)s.p[i] < 0x80)
		i++;
	return i;
}

static enum rc
latin1_convert(struct str in, struct buf *out)
{
	while (in.n > 0) {
		size_t n = ascii_run(in);
		char c[4];

		if (buf_add(out, str_sub(in, 0, n)) != RC_OK)
			return RC_BAD;
		in = str_from(in, n);
		if (in.n == 0)
			break;
		n = utf8_put((unsigned char)in.p[0], c);
		if (buf_add(out, str_n(c, n)) != RC_OK)
			return RC_BAD;
		in = str_from(in, 1);
	}
	return RC_OK;
}

/* *out_used: what was read; the rest is the beginning of a character. */
static enum rc
utf8_convert(struct str in, struct buf *out, size_t *out_used)
{
	size_t i = 0;

	while (i < in.n) {
		struct str good = str_from(in, i);
		size_t n = ascii_run(good);
		uint32_t c;
		int len = 0;

		while (n < good.n &&
		       (len = utf8_get(good.p + n, good.n - n, &c)) > 0)
			n += (size_t)len;
		if (buf_add(out, str_sub(good, 0, n)) != RC_OK)
			return RC_BAD;
		i += n;
		if (n == good.n || len == 0)
			break;
		if (buf_add(out, UTF8_REPLACEMENT) != RC_OK)
			return RC_BAD;
		i++;
	}
	*out_used = i;
	return RC_OK;
}

static enum rc
iconv_convert(
    struct mail_charset *c, struct str in, struct buf *out, size_t *out_used)
{
	union {
		const char *from;
		char *to;
	} p = { .from = in.p }; /* iconv forgot the const */
	size_t left = in.n;

	while (left > 0) {
		char room[1024], *end = room;
		size_t space = sizeof(room);
		size_t n = iconv(c->cd, &p.to, &left, &end, &space);
		int err = n == (size_t)-1 ? errno : 0;

		if (buf_add(out, str_n(room, sizeof(room) - space)) != RC_OK)
			return RC_BAD;
		if (err == EINVAL && left < HOLD)
			break;
		if (err == EILSEQ || err == EINVAL) {
			if (buf_add(out, UTF8_REPLACEMENT) != RC_OK)
				return RC_BAD;
			p.to++;
			left--;
		}
	}
	*out_used = in.n - left;
	return RC_OK;
}

static enum rc
convert(
    struct mail_charset *c, struct str in, struct buf *out, size_t *out_used)
{
	if (c->kind == KIND_UTF8)
		return utf8_convert(in, out, out_used);
	if (c->kind == KIND_ICONV)
		return iconv_convert(c, in, out, out_used);
	*out_used = in.n;
	return latin1_convert(in, out);
}

/* Complete the held character with the first bytes of *in. */
static enum rc
feed_held(struct mail_charset *c, struct str *in, struct buf *out)
{
	while (c->nheld > 0 && in->n > 0) {
		char tmp[2 * HOLD];
		size_t take = MIN(in->n, sizeof(tmp) - c->nheld), used;
		struct str s = str_n(tmp, c->nheld + take);

		memcpy(tmp, c->held, c->nheld);
		memcpy(tmp + c->nheld, in->p, take);
		if (convert(c, s, out, &used) != RC_OK)
			return RC_BAD;
		if (used >= c->nheld) {
			*in = str_from(*in, used - c->nheld);
			c->nheld = 0;
			return RC_OK;
		}
		/* Still not complete; all of `s` is its beginning. */
		c->nheld = s.n - used;
		memcpy(c->held, tmp + used, c->nheld);
		*in = str_from(*in, take);
	}
	return RC_OK;
}

enum rc
mail_charset_feed(struct mail_charset *c, struct str in, struct buf *out)
{
	size_t used;

	if (feed_held(c, &in, out) != RC_OK)
		return RC_BAD;
	if (in.n == 0)
		return RC_OK;
	if (convert(c, in, out, &used) != RC_OK)
		return RC_BAD;
	c->nheld = in.n - used;
	memcpy(c->held, in.p + used, c->nheld);
	return RC_OK;
}

enum rc
mail_charset_end(struct mail_charset *c, struct buf *out)
{
	if (c->nheld == 0)
		return RC_OK;
	c->nheld = 0;
	return buf_add(out, UTF8_REPLACEMENT);
}

enum rc
mail_charset_convert(struct str charset, struct str in, struct buf *out)
{
	struct mail_charset *c;
	enum rc rc = mail_charset_new(charset, &c);

	if (rc != RC_OK)
		return rc;
	rc = mail_charset_feed(c, in, out);
	if (rc == RC_OK)
		rc = mail_charset_end(c, out);
	mail_charset_free(&c);
	return rc;
}
