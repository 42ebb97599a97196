/*
 * Responses are made in a buffer of the session and handed to netd in one
 * write per unit; what netd has no room for waits here.
 */
#include "imap/out.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "imap/parse.h"

/* Longer strings are literals: some clients read lines into small buffers. */
#define QUOTED_MAX 1000u

void
imap_out_init(struct imap_out *o)
{
	*o = (struct imap_out){ 0 };
	buf_init(&o->b, IMAP_OUT_MAX);
}

void
imap_out_free(struct imap_out *o)
{
	buf_free(&o->b);
}

bool
imap_out_flush(struct imap_out *o, struct netd_conn *c)
{
	size_t n = MIN(o->b.n - o->said, netd_out_room(c));

	if (n > 0) {
		if (netd_write(c, str_sub(buf_str(&o->b), o->said, n)) != RC_OK)
			o->bad = true;
		o->said += n;
	}
	if (o->said < o->b.n)
		return false;
	o->said = 0;
	/* one block is kept for the next response of this unit */
	if (o->b.size > 2 * IMAP_OUT_HIGH)
		buf_release(&o->b);
	else
		buf_clear(&o->b);
	return true;
}

bool
imap_out_full(const struct imap_out *o)
{
	return o->b.n - o->said >= IMAP_OUT_HIGH || o->bad;
}

void
imap_out_str(struct imap_out *o, struct str s)
{
	if (!o->bad && buf_add(&o->b, s) != RC_OK)
		o->bad = true;
}

void
imap_out_fmt(struct imap_out *o, const char *fmt, ...)
{
	char small[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(small))
		panic("imap_out_fmt is for short text");
	imap_out_str(o, str_n(small, (size_t)n));
}

void
imap_out_u64(struct imap_out *o, uint64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	imap_out_str(o, str_n(digits + i, sizeof(digits) - i));
}

void
imap_out_hide_nul(char *p, size_t n)
{
	char *end = p + n;

	while ((p = memchr(p, 0, (size_t)(end - p))) != NULL)
		*p++ = (char)0x80;
}

static void
out_literal(struct imap_out *o, struct str s)
{
	size_t at;

	imap_out_fmt(o, "{%zu}\r\n", s.n);
	at = o->b.n;
	imap_out_str(o, s);
	if (!o->bad)
		imap_out_hide_nul(o->b.p + at, s.n);
}

void
imap_out_string(struct imap_out *o, struct str s)
{
	size_t specials = 0, from = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x80 || c == '\0' || c == '\r' || c == '\n') {
			out_literal(o, s);
			return;
		}
		specials += c == '"' || c == '\\';
	}
	if (s.n + specials > QUOTED_MAX) {
		out_literal(o, s);
		return;
	}
	imap_out_str(o, STR("\""));
	for (size_t i = 0; specials > 0 && i < s.n; i++) {
		if (s.p[i] != '"' && s.p[i] != '\\')
			continue;
		imap_out_str(o, str_sub(s, from, i - from));
		imap_out_str(o, STR("\\"));
		from = i;
		specials--;
	}
	imap_out_str(o, str_from(s, from));
	imap_out_str(o, STR("\""));
}

void
imap_out_nstring(struct imap_out *o, struct str s)
{
	if (s.p == NULL)
		imap_out_str(o, STR("NIL"));
	else
		imap_out_string(o, s);
}

void
imap_out_astring(struct imap_out *o, struct str s)
{
	bool atom = s.n > 0 && s.n <= QUOTED_MAX && !str_ieq(s, STR("NIL"));

	for (size_t i = 0; atom && i < s.n; i++)
		atom = imap_is_atom_char(s.p[i]);
	if (atom)
		imap_out_str(o, s);
	else
		imap_out_string(o, s);
}

char *
imap_out_reserve(struct imap_out *o, size_t n)
{
	if (!o->bad && buf_reserve(&o->b, n) != RC_OK)
		o->bad = true;
	return o->bad ? NULL : o->b.p + o->b.n;
}

void
imap_out_commit(struct imap_out *o, size_t n)
{
	o->b.n += n;
}
