/*
 * Text: `key=value`, a value with a space, quote, backslash, control or
 * non-UTF-8 byte in quotes with \xHH.  JSON: one object, whose strings are
 * valid whatever the bytes: control characters as \u00HH, bytes that are no
 * UTF-8 as the four characters \xHH.
 *
 * The date is computed here (days to civil date by 400-year eras): the C
 * library's way takes a lock and reads the time zone's file.
 */
#include <stdio.h>
#include <string.h>

#include "lib/log_line.h"

#define VALUE_MAX 1024u /* bytes of one escaped value */
#define ROOM      8u    /* the least that a quoted value takes */

static const char hex[] = "0123456789abcdef";

void
log_line_put(struct log_line *l, struct str s)
{
	size_t n = MIN(s.n, l->max - l->n);

	if (n)
		memcpy(l->p + l->n, s.p, n);
	l->n += n;
}

/* Length of the well-formed UTF-8 sequence at p, 0 if there is none. */
static size_t
utf8_len(struct str s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (c < 0xc2 || c > 0xf4 || s.n < n)
		return 0;
	return str_is_utf8(str_sub(s, 0, n)) ? n : 0;
}

/* Bytes at the start of s that may stand as they are, 0 to escape one. */
static size_t
plain_len(struct str s)
{
	unsigned char c = (unsigned char)s.p[0];

	if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
		return 0;
	if (c < 0x80)
		return 1;
	/* U+0080 to U+009F are control characters to terminals. */
	if (c == 0xc2 && s.n > 1 && (unsigned char)s.p[1] < 0xa0)
		return 0;
	return utf8_len(s);
}

static bool
needs_quotes(struct str s)
{
	if (s.n == 0)
		return true;
	while (s.n > 0) {
		size_t n = plain_len(s);

		if (n == 0 || s.p[0] == ' ')
			return true;
		s = str_from(s, n);
	}
	return false;
}

/* The escape of the first byte (or character) of s; *took is its length. */
static size_t
escape(enum log_format format, struct str s, char out[8], size_t *took)
{
	unsigned char c = (unsigned char)s.p[0];
	bool byte = c >= 0x80 && utf8_len(s) == 0;
	unsigned code = c;

	*took = 1;
	if (format == LOG_TEXT || byte) {
		size_t n = format == LOG_JSON;

		memcpy(out, "\\\\x", 3); /* in JSON the backslash is doubled */
		out[n] = '\\';
		out[n + 1] = 'x';
		out[n + 2] = hex[c >> 4];
		out[n + 3] = hex[c & 15];
		return n + 4;
	}
	if (c == '"' || c == '\\') {
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	if (c >= 0x80) { /* U+0080 to U+009F */
		code = (unsigned char)s.p[1];
		*took = 2;
	}
	memcpy(out, "\\u00", 4);
	out[4] = hex[code >> 4];
	out[5] = hex[code & 15];
	return 6;
}

/* In quotes; false: there is no room for even a part of it. */
static bool
put_quoted(struct log_line *l, struct str s)
{
	size_t end = MIN(l->n + VALUE_MAX, l->max);

	if (end - l->n < ROOM)
		return false;
	end -= 4; /* for `..."` */
	log_line_put(l, STR("\""));
	while (s.n > 0) {
		size_t n = plain_len(s), took = n;
		char esc[8];
		struct str piece = str_sub(s, 0, n);

		if (n == 0) {
			n = escape(l->format, s, esc, &took);
			piece = str_n(esc, n);
		}
		if (piece.n > end - l->n) {
			log_line_put(l, STR("..."));
			break;
		}
		log_line_put(l, piece);
		s = str_from(s, took);
	}
	log_line_put(l, STR("\""));
	return true;
}

static bool
put_value(struct log_line *l, struct str s, bool bare)
{
	size_t end = MIN(l->n + VALUE_MAX, l->max);

	if (l->format == LOG_TEXT)
		bare = !needs_quotes(s) && s.n <= VALUE_MAX - ROOM;
	if (!bare || s.n > end - l->n)
		return put_quoted(l, s);
	log_line_put(l, s);
	return true;
}

/* A key without its value would be a lie: both or neither. */
static void
put_pair(struct log_line *l, const char *key, struct str value, bool bare)
{
	size_t before = l->n, key_n = strlen(key);

	if (l->max - l->n < key_n + 4 + ROOM)
		return;
	if (l->format == LOG_JSON) {
		log_line_put(l, STR(",\""));
		log_line_put(l, str_n(key, key_n));
		log_line_put(l, STR("\":"));
	} else {
		log_line_put(l, STR(" "));
		log_line_put(l, str_n(key, key_n));
		log_line_put(l, STR("="));
	}
	if (!put_value(l, value, bare))
		l->n = before;
}

void
log_line_pair(struct log_line *l, const char *key, struct str value)
{
	put_pair(l, key, value, false);
}

void
log_line_kv(struct log_line *l, const struct log_kv *kv)
{
	char num[64];
	int n = 0;

	switch (kv->kind) {
	case LOG_KV_STR:
		log_line_pair(l, kv->key, kv->s);
		return;
	case LOG_KV_ERRNO: {
		const char *text = strerrordesc_np((int)kv->u);

		if (text == NULL) {
			(void)snprintf(
			    num, sizeof(num), "errno %d", (int)kv->u);
			text = num;
		}
		log_line_pair(l, kv->key, str_c(text));
		return;
	}
	case LOG_KV_U64:
		n = snprintf(
		    num, sizeof(num), "%llu", (unsigned long long)kv->u);
		break;
	case LOG_KV_I64:
		n = snprintf(num, sizeof(num), "%lld", (long long)kv->u);
		break;
	}
	put_pair(l, kv->key, str_n(num, (size_t)n), true);
}

/* Undo the escapes of a quoted value; returns what is behind its end. */
static struct str
unquote(struct str s, char *out, size_t max, size_t *out_n)
{
	size_t n = 0;

	while (s.n > 0 && s.p[0] != '"') {
		unsigned char c = (unsigned char)s.p[0];
		const char *hi, *lo;

		if (c == '\\' && s.n >= 4 &&
		    (hi = memchr(hex, s.p[2], 16)) != NULL &&
		    (lo = memchr(hex, s.p[3], 16)) != NULL) {
			c = (unsigned char)((hi - hex) << 4 | (lo - hex));
			s = str_from(s, 3);
		}
		if (n < max)
			out[n++] = (char)c;
		s = str_from(s, 1);
	}
	*out_n = n;
	return str_from(s, 1);
}

void
log_line_context(struct log_line *l, struct str ctx)
{
	if (l->format == LOG_TEXT) {
		log_line_put(l, ctx);
		return;
	}
	while (ctx.n > 1) {
		char key[LOG_CTX_MAX + 1], raw[LOG_CTX_MAX];
		struct str value;
		size_t eq;

		ctx = str_from(ctx, 1); /* the space */
		eq = str_chr(ctx, '=');
		if (eq >= ctx.n || eq >= sizeof(key))
			return;
		memcpy(key, ctx.p, eq);
		key[eq] = '\0';
		ctx = str_from(ctx, eq + 1);
		value = str_sub(ctx, 0, str_chr(ctx, ' '));
		if (ctx.n > 0 && ctx.p[0] == '"') {
			ctx = unquote(
			    str_from(ctx, 1), raw, sizeof(raw), &value.n);
			value.p = raw;
		} else {
			ctx = str_from(ctx, value.n);
		}
		log_line_pair(l, key, value);
	}
}

void
log_line_end(struct log_line *l)
{
	if (l->format == LOG_JSON)
		l->p[l->n++] = '}';
	l->p[l->n++] = '\n';
}

void
log_line_date(struct log_line *l, int64_t ms)
{
	int64_t days = ms / 86400000, z = days + 719468;
	int64_t era = z / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	int day = (int)(doy - (153 * mp + 2) / 5 + 1);
	int month = (int)(mp < 10 ? mp + 3 : mp - 9);
	int year = (int)(yoe + era * 400 + (month <= 2));
	int rest = (int)(ms % 86400000);
	char text[64];
	int n = snprintf(text, sizeof(text),
	    "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
	    rest / 3600000, rest / 60000 % 60, rest / 1000 % 60, rest % 1000);

	log_line_put(l, str_n(text, (size_t)n));
}

void
log_line_time(struct log_line *l, int64_t ms)
{
	log_line_put(l, l->format == LOG_JSON ? STR("{\"ts\":\"") : STR("ts="));
	log_line_date(l, ms);
	if (l->format == LOG_JSON)
		log_line_put(l, STR("\""));
}
