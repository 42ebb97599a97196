/*
 * Recursive descent with a depth limit.  RFC 4515 section 3; "<=", ">=" and
 * "~=" as RFC 4511 section 4.5.1.7 has them (approximate is taken as equal).
 */
#include "directory/filter.h"

struct parser {
	struct arena *a;
	struct str in;
	unsigned depth;
	unsigned nodes;
};

static enum rc parse_filter(struct parser *p, struct dir_filter **out);

/* \xx and bytes that stand for themselves. */
static enum rc
unescape(struct arena *a, struct str s, struct str *out)
{
	char *p = arena_alloc(a, s.n + 1);
	struct str byte;
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '\\') {
			if (s.p[i] == '\0' || s.p[i] == '(' || s.p[i] == '*')
				return RC_BAD;
			p[n++] = s.p[i];
			continue;
		}
		if (s.n - i < 3 ||
		    str_unhex(a, str_sub(s, i + 1, 2), &byte) != RC_OK)
			return RC_BAD;
		p[n++] = byte.p[0];
		i += 2;
	}
	p[n] = '\0';
	*out = str_n(p, n);
	return RC_OK;
}

static bool
attr_ok(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != ';' &&
		    s.p[i] != '.')
			return false;
	return s.n > 0;
}

static enum rc
parse_substr(struct parser *p, struct str v, struct dir_filter *f)
{
	size_t n = 2;
	struct str one;

	for (size_t i = 0; i < v.n; i++)
		n += v.p[i] == '*';
	f->op = DIR_F_SUBSTR;
	f->part = arena_calloc(p->a, n, sizeof(*f->part));
	while (str_split(&v, '*', &one))
		if (unescape(p->a, one, &f->part[f->nparts++]) != RC_OK)
			return RC_BAD;
	return RC_OK;
}

/* attr:rule:=value; the dn flag and rules without an attribute never match. */
static enum rc
parse_ext(struct parser *p, struct str left, struct str v, struct dir_filter *f)
{
	struct str rule;

	f->op = DIR_F_NEVER;
	if (!str_split(&left, ':', &f->attr) || left.p == NULL)
		return RC_BAD;
	rule = left;
	if (str_eq(rule, STR("1.2.840.113556.1.4.803")))
		f->op = DIR_F_BITS_ALL;
	else if (str_eq(rule, STR("1.2.840.113556.1.4.804")))
		f->op = DIR_F_BITS_ANY;
	return unescape(p->a, v, &f->value);
}

static enum rc
parse_item(struct parser *p, struct dir_filter *f)
{
	size_t end = str_chr(p->in, ')');
	struct str item = str_sub(p->in, 0, end), left, v;
	size_t eq = str_chr(item, '=');
	char mark;

	if (end == p->in.n || eq == item.n || eq == 0)
		return RC_BAD;
	p->in = str_from(p->in, end);
	left = str_sub(item, 0, eq);
	v = str_from(item, eq + 1);
	mark = left.p[left.n - 1];
	if (mark == ':' || mark == '>' || mark == '<' || mark == '~')
		left.n--;
	if (mark == ':')
		return parse_ext(p, left, v, f);
	if (!attr_ok(left))
		return RC_BAD;
	f->attr = left;
	if (mark == '>' || mark == '<') {
		f->op = mark == '>' ? DIR_F_GE : DIR_F_LE;
		return unescape(p->a, v, &f->value);
	}
	if (str_eq(v, STR("*"))) {
		f->op = DIR_F_PRESENT;
		return RC_OK;
	}
	if (str_chr(v, '*') < v.n)
		return parse_substr(p, v, f);
	f->op = DIR_F_EQ;
	return unescape(p->a, v, &f->value);
}

static enum rc
parse_list(struct parser *p, struct dir_filter *f)
{
	struct dir_filter **tail = &f->sub;

	while (p->in.n && p->in.p[0] == '(') {
		enum rc rc = parse_filter(p, tail);

		if (rc != RC_OK)
			return rc;
		tail = &(*tail)->next;
	}
	if (f->op == DIR_F_NOT && (f->sub == NULL || f->sub->next != NULL))
		return RC_BAD;
	return RC_OK;
}

static enum rc
parse_filter(struct parser *p, struct dir_filter **out)
{
	struct dir_filter *f = arena_calloc(p->a, 1, sizeof(*f));
	enum rc rc;

	if (p->in.n < 2 || p->in.p[0] != '(' || p->depth == DIR_FILTER_DEPTH ||
	    p->nodes++ == DIR_FILTER_NODES)
		return RC_BAD;
	p->depth++;
	p->in = str_from(p->in, 1);
	switch (p->in.p[0]) {
	case '&':
	case '|':
	case '!':
		f->op = p->in.p[0] == '&'   ? DIR_F_AND
			: p->in.p[0] == '|' ? DIR_F_OR
					    : DIR_F_NOT;
		p->in = str_from(p->in, 1);
		rc = parse_list(p, f);
		break;
	default:
		rc = parse_item(p, f);
	}
	if (rc != RC_OK || !str_cut_prefix(&p->in, STR(")")))
		return RC_BAD;
	p->depth--;
	*out = f;
	return RC_OK;
}

enum rc
dir_filter_parse(struct arena *a, struct str text, struct dir_filter **out)
{
	struct parser p = { .a = a, .in = text };

	if (text.n > DIR_FILTER_MAX || parse_filter(&p, out) != RC_OK ||
	    p.in.n != 0)
		return RC_BAD;
	return RC_OK;
}

/* Signed decimal, as userAccountControl and groupType are written. */
static bool
number(struct str s, int64_t *out)
{
	bool minus = str_cut_prefix(&s, STR("-"));
	uint64_t u;

	if (str_u64(s, INT64_MAX, &u) != RC_OK)
		return false;
	*out = minus ? -(int64_t)u : (int64_t)u;
	return true;
}

static bool
match_substr(const struct dir_filter *f, struct str v)
{
	struct str last = f->part[f->nparts - 1];

	if (!str_cut_iprefix(&v, f->part[0]))
		return false;
	for (size_t i = 1; i + 1 < f->nparts; i++) {
		size_t at = str_ifind(v, f->part[i]);

		if (f->part[i].n && at == v.n)
			return false;
		v = str_from(v, at + f->part[i].n);
	}
	return last.n == 0 || str_has_isuffix(v, last);
}

static bool
match_value(const struct dir_filter *f, struct str v)
{
	int64_t x, y;

	switch (f->op) {
	case DIR_F_EQ:
		return str_ieq(v, f->value);
	case DIR_F_PRESENT:
		return true;
	case DIR_F_SUBSTR:
		return match_substr(f, v);
	case DIR_F_BITS_ALL:
		return number(v, &x) && number(f->value, &y) && (x & y) == y;
	case DIR_F_BITS_ANY:
		return number(v, &x) && number(f->value, &y) && (x & y) != 0;
	case DIR_F_GE:
		if (number(v, &x) && number(f->value, &y))
			return x >= y;
		return str_icmp(v, f->value) >= 0;
	case DIR_F_LE:
		if (number(v, &x) && number(f->value, &y))
			return x <= y;
		return str_icmp(v, f->value) <= 0;
	default:
		return false;
	}
}

bool
dir_filter_match(const struct dir_filter *f, const struct dir_raw *e)
{
	const struct dir_attr *at;

	switch (f->op) {
	case DIR_F_AND:
		for (const struct dir_filter *s = f->sub; s; s = s->next)
			if (!dir_filter_match(s, e))
				return false;
		return true;
	case DIR_F_OR:
		for (const struct dir_filter *s = f->sub; s; s = s->next)
			if (dir_filter_match(s, e))
				return true;
		return false;
	case DIR_F_NOT:
		return !dir_filter_match(f->sub, e);
	default:
		at = dir_raw_attr(e, f->attr);
		for (size_t i = 0; at != NULL && i < at->n; i++)
			if (match_value(f, at->v[i]))
				return true;
		return false;
	}
}
