/*
 * Two passes over a field: the walk says which addresses get which text; then
 * the lines are followed from left to right, as they will be written, to see
 * where one has to be folded.
 *
 * A line can always be folded well enough for what stood on it before: an
 * address that stays is looked at as well as one that changes, because what is
 * in front of it on its line may have grown.
 */
#include <string.h>

#include "mail/addrlist.h"
#include "mail/header.h"
#include "mail/rewrite.h"

/* One address in a field, and where its line may be folded. */
struct unit {
	const char *open, *at, *end, *close;
	struct str text; /* what it becomes */
};

struct field {
	struct arena *a;
	mail_rewrite_map *map;
	void *ctx;
	bool sender;
	struct unit *v;
	size_t n, size;
	bool changes;
};

/* Where the writing of a field has come to. */
struct lines {
	const char *p, *end; /* input: done up to here, its end */
	const char *begin;   /* of the line in the input */
	const char *eol;     /* its end, or of the input */
	size_t col;          /* of the line as written */
	bool blank;          /* nothing but white space on it */
};

static const struct {
	struct str name;
	bool sender;
} fields[] = {
	{ STR_INIT("From"), true },
	{ STR_INIT("Sender"), true },
	{ STR_INIT("Reply-To"), true },
	{ STR_INIT("Errors-To"), true },
	{ STR_INIT("Mail-Followup-To"), true },
	{ STR_INIT("Return-Receipt-To"), true },
	{ STR_INIT("Disposition-Notification-To"), true },
	{ STR_INIT("Resent-From"), true },
	{ STR_INIT("Resent-Sender"), true },
	/* Postfix takes this one for a recipient's; it is the author's. */
	{ STR_INIT("Resent-Reply-To"), true },
	{ STR_INIT("To"), false },
	{ STR_INIT("Cc"), false },
	{ STR_INIT("Bcc"), false },
	{ STR_INIT("Apparently-To"), false },
	{ STR_INIT("Resent-To"), false },
	{ STR_INIT("Resent-Cc"), false },
	{ STR_INIT("Resent-Bcc"), false },
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_space(char c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

/* Length of the comment at the front, comments in it included; 0: no end. */
static size_t
comment_len(struct str s)
{
	size_t depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return 0;
}

/* Length of a quoted string, a literal, a dot, an @ or an atom; 0: neither. */
static size_t
token_len(struct str s)
{
	char close = s.p[0] == '"' ? '"' : ']';
	size_t n = 1;

	if (s.p[0] == '.' || s.p[0] == '@')
		return 1;
	if (s.p[0] == '"' || s.p[0] == '[') {
		for (; n < s.n && s.p[n] != close; n++)
			if (s.p[n] == '\\')
				n++;
		return n < s.n ? n + 1 : 0;
	}
	while (n < s.n && !is_space(s.p[n]) &&
	       memchr("().@\"[]", s.p[n], 7) == NULL)
		n++;
	return n;
}

static bool
is_tie(char c)
{
	return c == '.' || c == '@';
}

/*
 * An address with white space or comments around its dots and its @: the
 * address without them, and the comments, each with a blank in front.
 */
static enum rc
strip(struct arena *a, struct str raw, struct str *spec, struct str *comments)
{
	char *s = arena_alloc(a, raw.n), *c = arena_alloc(a, raw.n * 2);
	size_t ns = 0, nc = 0, n;
	bool gap = false;

	for (; raw.n > 0; raw = str_from(raw, n)) {
		n = 1;
		if (is_space(raw.p[0])) {
			gap = true;
		} else if (raw.p[0] == '(') {
			n = comment_len(raw);
			c[nc++] = ' ';
			for (size_t i = 0; i < n; i++)
				if (raw.p[i] != '\r' && raw.p[i] != '\n')
					c[nc++] = raw.p[i];
			gap = true;
		} else {
			n = token_len(raw);
			/* Two words side by side are no address. */
			if (gap && ns > 0 && !is_tie(raw.p[0]) &&
			    !is_tie(s[ns - 1]))
				return RC_BAD;
			memcpy(s + ns, raw.p, n);
			ns += n;
			gap = false;
		}
		if (n == 0)
			return RC_BAD;
	}
	*spec = str_n(s, ns);
	*comments = str_n(c, nc);
	return RC_OK;
}

/* What the address is to become; RC_NOENT: it stays. */
static enum rc
mapped(struct field *f, struct str raw, struct str *out)
{
	struct str spec = raw, comments = STR(""), to;
	struct addr x, y;

	if (mail_addr_parse(f->a, raw, &x) != RC_OK &&
	    (strip(f->a, raw, &spec, &comments) != RC_OK ||
		mail_addr_parse(f->a, spec, &x) != RC_OK))
		return RC_NOENT;
	if (f->map(f->ctx, f->sender, &x, &to) != RC_OK ||
	    mail_addr_parse(f->a, to, &y) != RC_OK || str_eq(to, spec))
		return RC_NOENT;
	*out = comments.n > 0 ? str_cat(f->a, to, comments) : to;
	return RC_OK;
}

static bool
on_entry(void *ctx, const struct mail_entry *e)
{
	struct field *f = ctx;
	struct str whole = e->angle.n > 0 ? e->angle : e->spec;
	struct unit u;

	if (e->spec.n == 0)
		return true;
	u = (struct unit){ .open = whole.p,
		.at = e->spec.p,
		.end = e->spec.p + e->spec.n,
		.close = whole.p + whole.n,
		.text = e->spec };
	if (mapped(f, e->spec, &u.text) == RC_OK)
		f->changes = true;
	if (f->n == f->size) {
		size_t size = MAX(f->size * 2, 4);
		struct unit *v = arena_calloc(f->a, size, sizeof(*v));

		if (f->n > 0)
			memcpy(v, f->v, f->n * sizeof(*v));
		f->v = v;
		f->size = size;
	}
	f->v[f->n++] = u;
	return true;
}

static void
find_eol(struct lines *l)
{
	struct str rest = str_n(l->p, (size_t)(l->end - l->p));

	l->begin = l->p;
	l->eol = l->p + str_find(rest, STR("\r\n"));
}

/* The input up to `to` is written as it is. */
static void
follow(struct lines *l, const char *to)
{
	while (l->p < to) {
		if (l->p == l->eol && to - l->p >= 2) {
			l->p += 2;
			l->col = 0;
			l->blank = true;
			find_eol(l);
			continue;
		}
		l->blank = l->blank && is_space(*l->p);
		l->col++;
		l->p++;
	}
}

static bool
all_space(const char *p, const char *end)
{
	while (p < end && is_space(*p))
		p++;
	return p == end;
}

struct folds {
	bool before, behind;
};

/*
 * The first way of folding with which `text` bytes fit into the line; false:
 * none does.  `stop` is where the line can be folded next, or where it ends.
 */
static bool
find_fold(const struct lines *l, const struct unit *u, size_t text,
    const char *stop, struct folds *out)
{
	static const struct folds ways[] = { { false, false }, { true, false },
		{ false, true }, { true, true } };
	size_t limit = MAX((size_t)(l->eol - l->begin), MAIL_LINE_MAX);
	size_t head = (size_t)(u->at - u->open);

	for (size_t i = 0; i < COUNT(ways); i++) {
		const struct folds w = ways[i];
		const char *last = w.behind ? u->close : stop;

		/* No line may become one of white space alone. */
		if (w.before && l->blank)
			continue;
		if (w.behind &&
		    (u->close >= stop || all_space(u->close, stop) ||
			(size_t)(stop - u->close) + 1 > limit))
			continue;
		if ((w.before ? 1 : l->col) + head + text +
			(size_t)(last - u->end) >
		    limit)
			continue;
		*out = w;
		return true;
	}
	return false;
}

static void
patch(struct arena *a, struct mail_patches *out, struct str header,
    const char *from, const char *to, struct str text)
{
	if (out->n == out->size) {
		size_t size = MAX(out->size * 2, 8);
		struct mail_patch *v = arena_calloc(a, size, sizeof(*v));

		if (out->n > 0)
			memcpy(v, out->v, out->n * sizeof(*v));
		out->v = v;
		out->size = size;
	}
	out->v[out->n++] = (struct mail_patch){
		.off = (uint64_t)(from - header.p),
		.len = (uint64_t)(to - from),
		.text = text,
	};
}

/* The end of the line that the end of the address is on. */
static const char *
last_eol(const struct lines *l, const struct unit *u)
{
	struct str rest = str_n(u->end, (size_t)(l->end - u->end));

	return u->end <= l->eol ? l->eol : u->end + str_find(rest, STR("\r\n"));
}

/* How to fold; u->text becomes the old one if the new one cannot be placed. */
static struct folds
choose(const struct lines *l, struct unit *u, const char *next)
{
	struct str old = str_n(u->at, (size_t)(u->end - u->at));
	struct folds w = { false, false };
	const char *stop = last_eol(l, u);

	if (next != NULL && next < stop)
		stop = next;
	if (u->close > stop) /* there is a fold in front of the '>' */
		u->close = u->end;
	if (find_fold(l, u, u->text.n, stop, &w))
		return w;
	u->text = old;
	if (u->end <= l->eol)
		(void)!find_fold(l, u, old.n, stop, &w);
	else /* it has folds itself: what is in front of the first */
		w.before = !l->blank &&
			   l->col + (size_t)(l->eol - u->open) > MAIL_LINE_MAX;
	return w;
}

/* One address; `next` is where the one behind it begins, or NULL. */
static void
write_unit(struct field *f, struct lines *l, struct unit *u, const char *next,
    struct str header, struct mail_patches *out)
{
	struct folds w;

	follow(l, u->open);
	if (l->eol < u->at) { /* a fold between '<' and the address */
		follow(l, u->at);
		u->open = u->at;
	}
	w = choose(l, u, next);
	if (w.before) {
		patch(f->a, out, header, u->open, u->open, STR("\r\n "));
		l->col = 1;
		l->blank = true;
	}
	follow(l, u->at);
	if (u->text.p != u->at) {
		patch(f->a, out, header, u->at, u->end, u->text);
		l->col += u->text.n;
		l->blank = false;
		l->p = u->end;
		if (l->p > l->eol)
			find_eol(l);
	}
	if (w.behind) {
		follow(l, u->close);
		patch(f->a, out, header, u->close, u->close, STR("\r\n "));
		l->col = 1;
		l->blank = true;
	}
}

static void
write_field(struct field *f, const struct mail_field *in, struct str header,
    struct mail_patches *out)
{
	struct lines l = { .p = in->whole.p,
		.end = in->whole.p + in->whole.n,
		.blank = true };

	find_eol(&l);
	for (size_t i = 0; i < f->n; i++)
		write_unit(f, &l, &f->v[i],
		    i + 1 < f->n ? f->v[i + 1].open : NULL, header, out);
}

size_t
mail_patched_len(struct str header, const struct mail_patches *p)
{
	size_t n = header.n;

	for (size_t i = 0; i < p->n; i++)
		n += p->v[i].text.n - (size_t)p->v[i].len;
	return n;
}

void
mail_rewrite(struct arena *a, struct str header, mail_rewrite_map *map,
    void *ctx, struct mail_patches *out)
{
	struct mail_header_iter it = { header };
	struct mail_field in;

	*out = (struct mail_patches){ NULL, 0, 0 };
	while (mail_header_next(&it, &in)) {
		size_t i = 0;

		while (i < COUNT(fields) && !str_ieq(in.name, fields[i].name))
			i++;
		if (i < COUNT(fields)) {
			struct field f = { .a = a,
				.map = map,
				.ctx = ctx,
				.sender = fields[i].sender };

			mail_addrlist_walk(a, in.value, on_entry, &f);
			if (f.changes)
				write_field(&f, &in, header, out);
		}
	}
}
