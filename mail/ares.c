/*
 * Who reads a message later believes what stands behind our name, so the name
 * is compared as any reader might: comments, folds, quotes and case are looked
 * through (section 5: remove it, or have it believed).
 */
#include <string.h>

#include "mail/header.h"
#include "mail/ares.h"

#define COMMENT_DEPTH 32u
#define VALUE_MAX     255u
#define FIELD_MAX     (16u << 10)

/* RFC 2045 section 5.1. */
static bool
is_token_char(char c)
{
	return c > ' ' && c < 0x7f && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

/* Past white space and nested comments; false: a comment does not end. */
static bool
skip_cfws(struct str *s)
{
	unsigned depth = 0;

	while (s->n > 0) {
		char c = s->p[0];

		if (c == '(') {
			if (++depth > COMMENT_DEPTH)
				return false;
		} else if (depth > 0 && c == ')') {
			depth--;
		} else if (depth > 0 && c == '\\') {
			*s = str_from(*s, 1);
		} else if (depth == 0 && strchr(" \t\r\n", c) == NULL) {
			return true;
		} else if (c == '\0' && depth == 0) {
			return true;
		}
		*s = str_from(*s, 1);
	}
	return depth == 0;
}

/* A token or quoted string, unquoted into room; false: neither. */
static bool
take_value(struct str *s, char *room, size_t max, struct str *out)
{
	size_t n = 0;
	bool quoted = str_cut_prefix(s, STR("\""));

	while (s->n > 0) {
		char c = s->p[0];

		if (quoted ? c == '"' : !is_token_char(c))
			break;
		if (quoted && c == '\\') {
			*s = str_from(*s, 1);
			if (s->n == 0)
				return false;
			c = s->p[0];
		}
		*s = str_from(*s, 1);
		/* Folds are no part of it, and no name has blanks. */
		if (quoted && strchr(" \t\r\n", c) != NULL && c != '\0')
			continue;
		if (n == max)
			return false;
		room[n++] = c;
	}
	if (quoted && !str_cut_prefix(s, STR("\"")))
		return false;
	*out = str_n(room, n);
	return n > 0;
}

bool
mail_ares_is_ours(struct str value, struct str authserv_id)
{
	char room[VALUE_MAX + 1];
	struct str s = value, id;

	if (!skip_cfws(&s) || !take_value(&s, room, sizeof(room), &id))
		return str_ifind(value, authserv_id) < value.n;
	while (id.n > 0 && id.p[id.n - 1] == '.')
		id.n--;
	if (str_ieq(id, authserv_id))
		return true;
	/* A token ends at the first odd byte; what follows must be a version,
	 * a semicolon or the end, else it was no name at all. */
	if (!skip_cfws(&s) ||
	    (s.n > 0 && s.p[0] != ';' && !ascii_is_digit(s.p[0])))
		return str_ifind(value, authserv_id) < value.n;
	return false;
}

static bool
is_forged(const struct mail_field *f, struct str authserv_id, bool marks)
{
	if (str_ieq(f->name, STR("Authentication-Results")))
		return mail_ares_is_ours(f->value, authserv_id);
	return marks && str_ieq(f->name, STR(MAIL_JUNK_FIELD));
}

enum rc
mail_ares_cuts(struct str header, struct str authserv_id, bool marks,
    struct mail_range *out, size_t max, size_t *out_n)
{
	struct mail_header_iter it = { header };
	struct mail_field f;
	size_t n = 0;

	while (mail_header_next(&it, &f)) {
		uint64_t off = (uint64_t)(f.whole.p - header.p);

		if (!is_forged(&f, authserv_id, marks))
			continue;
		if (n > 0 && out[n - 1].off + out[n - 1].len == off) {
			out[n - 1].len += f.whole.n;
			continue;
		}
		if (n == max)
			return RC_BAD;
		out[n++] = (struct mail_range){ off, f.whole.n };
	}
	*out_n = n;
	return RC_OK;
}

bool
mail_ares_is_junk(struct str header)
{
	struct mail_header_iter it = { header };
	struct mail_field f;

	while (mail_header_next_named(&it, STR(MAIL_JUNK_FIELD), &f))
		if (skip_cfws(&f.value) && str_has_iprefix(f.value, STR("YES")))
			return true;
	return false;
}

static bool
all_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_token_char(s.p[i]))
			return false;
	return s.n > 0;
}

/* pvalue: a token, a domain, "local@domain"; else quoted. */
static enum rc
add_value(struct buf *b, struct str v)
{
	size_t at = str_chr(v, '@');
	enum rc rc;

	v = str_sub(v, 0, VALUE_MAX);
	if (all_token(v) ||
	    (all_token(str_sub(v, 0, at)) && all_token(str_from(v, at + 1))))
		return buf_add(b, v);
	rc = buf_add_char(b, '"');
	for (size_t i = 0; i < v.n && rc == RC_OK; i++) {
		char c = v.p[i];

		if (c == '"' || c == '\\')
			rc = buf_add_char(b, '\\');
		if (rc == RC_OK)
			rc = buf_add_char(b, c < ' ' || c > '~' ? '?' : c);
	}
	return rc == RC_OK ? buf_add_char(b, '"') : rc;
}

static enum rc
add_comment(struct buf *b, struct str v)
{
	enum rc rc = buf_add(b, STR(" ("));

	v = str_sub(v, 0, VALUE_MAX);
	for (size_t i = 0; i < v.n && rc == RC_OK; i++) {
		char c = v.p[i];
		bool ok =
		    c >= ' ' && c <= '~' && c != '(' && c != ')' && c != '\\';

		rc = buf_add_char(b, ok ? c : '?');
	}
	return rc == RC_OK ? buf_add_char(b, ')') : rc;
}

static enum rc
add_result(struct buf *b, const struct mail_ares_result *r)
{
	enum rc rc = buf_fmt(b, ";\r\n\t%s=%s", r->method, r->result);

	if (rc == RC_OK && r->reason.n > 0)
		rc = add_comment(b, r->reason);
	for (size_t i = 0; i < r->nprop && rc == RC_OK; i++) {
		if (r->prop[i].value.n == 0)
			continue;
		rc = buf_fmt(b, "%s%s=", i > 0 && i % 2 == 0 ? "\r\n\t " : " ",
		    r->prop[i].name);
		if (rc == RC_OK)
			rc = add_value(b, r->prop[i].value);
	}
	return rc;
}

struct str
mail_ares_field(struct arena *a, struct str authserv_id,
    const struct mail_ares_result *v, size_t n)
{
	AUTO_BUF b = { 0 };
	enum rc rc;

	buf_init(&b, FIELD_MAX);
	rc = buf_add(&b, STR("Authentication-Results: "));
	if (rc == RC_OK)
		rc = add_value(&b, authserv_id);
	if (n == 0 && rc == RC_OK)
		rc = buf_add(&b, STR("; none"));
	for (size_t i = 0; i < n && rc == RC_OK; i++)
		rc = add_result(&b, &v[i]);
	if (rc == RC_OK)
		rc = buf_add(&b, STR("\r\n"));
	if (rc != RC_OK) /* a dozen results of bounded parts always fit */
		panic("a field of results is too long");
	return str_dup(a, buf_str(&b));
}
