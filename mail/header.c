/*
 * Fields are found by walking lines; nothing is copied.  Why an unreadable
 * line does not end the header: a store that takes the rest of the header
 * for body would show other fields (From, Content-Type) than the filter that
 * looked at the message before.  Dovecot keeps such a line as a header line and
 * Cyrus skips it; both go on to the empty line, and so do we.
 */
#include <string.h>

#include "mail/header.h"

/* The byte behind the next CRLF, or end. */
static const char *
next_line(const char *p, const char *end)
{
	const char *from = p;
	const char *nl;

	while (p < end && (nl = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		p = nl + 1;
		if (nl > from && nl[-1] == '\r')
			return p;
	}
	return end;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

size_t
mail_header_len(struct str msg)
{
	const char *p = msg.p, *end;

	if (msg.n == 0)
		return 0;
	end = p + msg.n;
	while (p < end) {
		if (end - p >= 2 && p[0] == '\r' && p[1] == '\n')
			return (size_t)(p - msg.p) + 2;
		p = next_line(p, end);
	}
	return msg.n;
}

/* RFC 5322 ftext, then white space (section 4.5.8), then the colon. */
static size_t
name_len(struct str line, size_t *out_colon)
{
	size_t n = 0, colon;

	while (n < line.n && line.p[n] > ' ' && line.p[n] <= '~' &&
	       line.p[n] != ':')
		n++;
	for (colon = n; colon < line.n && is_blank(line.p[colon]); colon++)
		;
	if (colon == line.n || line.p[colon] != ':')
		return 0;
	*out_colon = colon;
	return n;
}

bool
mail_header_next(struct mail_header_iter *it, struct mail_field *out)
{
	const char *start = it->rest.p, *end, *first, *p;
	size_t name, colon;
	struct str whole;

	if (it->rest.n == 0 || str_has_prefix(it->rest, STR("\r\n")))
		return false;
	end = start + it->rest.n;
	p = first = next_line(start, end);
	while (p < end && is_blank(*p))
		p = next_line(p, end);
	whole = str_n(start, (size_t)(p - start));
	it->rest = str_from(it->rest, whole.n);

	name = name_len(str_n(start, (size_t)(first - start)), &colon);
	out->whole = whole;
	out->name = str_sub(whole, 0, name);
	out->value = name ? str_from(whole, colon + 1) : whole;
	if (out->value.n >= 2 && p[-1] == '\n' && p[-2] == '\r')
		out->value.n -= 2;
	return true;
}

bool
mail_header_next_named(
    struct mail_header_iter *it, struct str name, struct mail_field *out)
{
	while (mail_header_next(it, out))
		if (str_ieq(out->name, name) && name.n > 0)
			return true;
	return false;
}

bool
mail_header_find(struct str block, struct str name, struct mail_field *out)
{
	struct mail_header_iter it = { block };

	return mail_header_next_named(&it, name, out);
}

size_t
mail_header_count(struct str block, struct str name)
{
	struct mail_header_iter it = { block };
	struct mail_field f;
	size_t n = 0;

	while (mail_header_next_named(&it, name, &f))
		n++;
	return n;
}

struct str
mail_header_unfold(struct arena *a, struct str value)
{
	size_t n = 0;
	char *p;

	if (str_find(value, STR("\r\n")) == value.n)
		return str_trim(value);
	p = arena_alloc(a, value.n);
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\r' && i + 2 < value.n &&
		    value.p[i + 1] == '\n' && is_blank(value.p[i + 2]))
			i++;
		else
			p[n++] = value.p[i];
	}
	return str_trim(str_n(p, n));
}

struct mail_hops
mail_header_hops(struct str block)
{
	struct mail_header_iter it = { block };
	struct mail_hops hops = { 0, 0 };
	struct mail_field f;

	while (mail_header_next(&it, &f)) {
		if (str_ieq(f.name, STR("Received")))
			hops.received++;
		else if (str_ieq(f.name, STR("Delivered-To")))
			hops.delivered_to++;
	}
	return hops;
}

bool
mail_header_delivered_to(struct str block, struct str addr)
{
	struct mail_header_iter it = { block };
	struct mail_field f;

	while (mail_header_next_named(&it, STR("Delivered-To"), &f)) {
		struct str v = str_trim(f.value);

		/* A folded value begins with its fold. */
		while (str_cut_prefix(&v, STR("\r\n")))
			v = str_trim(v);
		if (v.n > 2 && v.p[0] == '<' && v.p[v.n - 1] == '>')
			v = str_sub(v, 1, v.n - 2);
		if (str_ieq(v, addr))
			return true;
	}
	return false;
}
