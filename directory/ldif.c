/*
 * Two passes over a record: its logical lines (unfolded, comments gone), then
 * values gathered by attribute.  RFC 2849 folds at any byte, so a folded line
 * is joined before anything looks at it.
 */
#include <string.h>

#include "directory/ldif.h"

#define ATTRS_MAX 1000u

struct line {
	struct line *next;
	struct str name;
	struct str value;
};

struct parser {
	struct arena *a;
	struct str in;
	size_t lineno; /* of the line that `in` begins with */
	size_t values;
	struct str why;
};

static enum rc
fail(struct parser *p, size_t lineno, const char *what)
{
	p->why = str_fmt(p->a, "line %zu: %s", lineno, what);
	return RC_BAD;
}

/* One physical line without its end; LF and CRLF both end lines here. */
static struct str
physical(struct parser *p)
{
	size_t at = str_chr(p->in, '\n');
	struct str l = str_sub(p->in, 0, at);

	p->in = str_from(p->in, at + 1);
	p->lineno++;
	if (l.n && l.p[l.n - 1] == '\r')
		l.n--;
	return l;
}

/* A line with its continuations ("\n " is nothing). */
static struct str
logical(struct parser *p)
{
	struct parser ahead;
	struct str l = physical(p);
	size_t n = l.n;
	char *q;

	if (p->in.n == 0 || p->in.p[0] != ' ')
		return l;
	for (ahead = *p; ahead.in.n && ahead.in.p[0] == ' ';)
		n += physical(&ahead).n - 1;
	q = arena_alloc(p->a, n + 1);
	memcpy(q, l.p, l.n);
	for (n = l.n; p->in.n && p->in.p[0] == ' ';) {
		struct str more = str_from(physical(p), 1);

		memcpy(q + n, more.p, more.n);
		n += more.n;
	}
	q[n] = '\0';
	return str_n(q, n);
}

static enum rc
split(struct parser *p, size_t lineno, struct str l, struct line *out)
{
	size_t at = str_chr(l, ':');
	struct str v = str_from(l, at + 1);

	if (at == l.n || at == 0)
		return fail(p, lineno, "no \"attribute:\"");
	out->name = str_sub(l, 0, at);
	for (size_t i = 0; i < out->name.n; i++)
		if (!ascii_is_alnum(out->name.p[i]) &&
		    str_chr(STR("-;._"), out->name.p[i]) == 4)
			return fail(p, lineno, "not an attribute name");
	if (str_has_prefix(v, STR("<")))
		return fail(p, lineno, "values from URLs are not read");
	if (str_cut_prefix(&v, STR(":"))) {
		if (str_unb64(p->a, str_trim(v), &out->value) != RC_OK)
			return fail(p, lineno, "bad base64");
		return RC_OK;
	}
	while (str_cut_prefix(&v, STR(" ")))
		;
	out->value = v;
	return RC_OK;
}

static struct dir_attr *
find_attr(struct dir_raw *e, struct str name)
{
	for (size_t i = 0; i < e->nattr; i++)
		if (str_ieq(e->attr[i].name, name))
			return &e->attr[i];
	return NULL;
}

static enum rc
gather(struct parser *p, struct line *lines, size_t n, struct dir_raw *e)
{
	e->attr = arena_calloc(p->a, n + 1, sizeof(*e->attr));
	for (struct line *l = lines; l != NULL; l = l->next) {
		struct dir_attr *at = find_attr(e, l->name);

		if (at == NULL) {
			if (e->nattr == ATTRS_MAX)
				return fail(p, p->lineno, "record too long");
			at = &e->attr[e->nattr++];
			at->name = l->name;
		}
		at->n++;
	}
	for (size_t i = 0; i < e->nattr; i++) {
		e->attr[i].v =
		    arena_calloc(p->a, e->attr[i].n, sizeof(*e->attr[i].v));
		e->attr[i].n = 0;
	}
	for (struct line *l = lines; l != NULL; l = l->next) {
		struct dir_attr *at = find_attr(e, l->name);

		at->v[at->n++] = l->value;
	}
	return RC_OK;
}

/* *got: false when only blank lines, comments or the version were left. */
static enum rc
record(struct parser *p, struct dir_raw *e, bool *got)
{
	struct line *lines = NULL, **tail = &lines;
	size_t n = 0;

	*got = false;
	while (p->in.n) {
		size_t lineno = p->lineno + 1;
		struct str l = logical(p);
		struct line one = { 0 };
		enum rc rc;

		if (l.n == 0) {
			if (*got)
				break;
			continue;
		}
		if (l.p[0] == '#')
			continue;
		if ((rc = split(p, lineno, l, &one)) != RC_OK)
			return rc;
		if (!*got && str_ieq(one.name, STR("version")))
			continue;
		if (!*got) {
			if (!str_ieq(one.name, STR("dn")))
				return fail(p, lineno, "expected \"dn:\"");
			e->dn = one.value;
			*got = true;
			continue;
		}
		if (str_ieq(one.name, STR("changetype")))
			return fail(p, lineno, "change records are not read");
		if (p->values++ == DIR_LDIF_VALUES)
			return fail(p, lineno, "too many values");
		*tail = arena_alloc(p->a, sizeof(one));
		**tail = one;
		tail = &(*tail)->next;
		n++;
	}
	return *got ? gather(p, lines, n, e) : RC_OK;
}

enum rc
dir_ldif_parse(struct arena *a, struct str text, struct dir_raw **out,
    size_t *out_n, struct str *why)
{
	struct parser p = { .a = a, .in = text };
	size_t n = 0, size = 64;
	struct dir_raw *v = arena_calloc(a, size, sizeof(*v));

	*why = STR("");
	if (text.n > DIR_LDIF_MAX) {
		*why = STR("the file is too large");
		return RC_BAD;
	}
	while (p.in.n) {
		struct dir_raw e = { 0 };
		bool got;

		if (record(&p, &e, &got) != RC_OK) {
			*why = p.why;
			return RC_BAD;
		}
		if (!got)
			break;
		if (n == DIR_LDIF_ENTRIES) {
			*why = STR("too many entries");
			return RC_BAD;
		}
		if (n == size) {
			struct dir_raw *bigger =
			    arena_calloc(a, size * 2, sizeof(*v));

			memcpy(bigger, v, n * sizeof(*v));
			v = bigger;
			size *= 2;
		}
		v[n++] = e;
	}
	*out = v;
	*out_n = n;
	return RC_OK;
}
