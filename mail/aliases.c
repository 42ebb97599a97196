/*
 * Logical lines are put together first, because a target may be on the line
 * after its entry; then each is cut into words with quotes in mind.  Names are
 * compared without case, as both ancestors do.
 */
#include <stdatomic.h>
#include <string.h>

#include "mail/aliases.h"

struct target {
	struct str text; /* a name or an address */
	bool last;       /* "\name": no further lookup */
};

struct entry {
	struct str name; /* lower case */
	struct target *to;
	size_t nto;
	unsigned line;
};

struct mail_aliases {
	_Atomic int refs;
	struct arena a;
	struct entry **slot;
	size_t nslots, n;
};

struct reader {
	struct mail_aliases *m;
	struct arena *a;
	const char *name;
	unsigned line; /* of the entry */
	mail_aliases_warn *warn;
	void *ctx;
	struct str why;
};

static enum rc
bad(struct reader *rd, const char *what)
{
	rd->why = str_fmt(rd->a, "%s:%u: %s", rd->name, rd->line, what);
	return RC_BAD;
}

static struct entry **
slot_of(const struct mail_aliases *m, struct str name)
{
	size_t i = (size_t)str_hash(name) & (m->nslots - 1);

	while (m->slot[i] != NULL && !str_eq(m->slot[i]->name, name))
		i = (i + 1) & (m->nslots - 1);
	return &m->slot[i];
}

static void
grow(struct mail_aliases *m)
{
	struct entry **old = m->slot;
	size_t n = m->nslots;

	m->nslots = n > 0 ? n * 2 : 64;
	m->slot = xcalloc(m->nslots, sizeof(struct entry *));
	for (size_t i = 0; i < n; i++)
		if (old[i] != NULL)
			*slot_of(m, old[i]->name) = old[i];
	xfree(old);
}

static struct str
trim(struct str s)
{
	while (s.n > 0 && strchr(" \t\r\n", s.p[0]) != NULL)
		s = str_from(s, 1);
	while (s.n > 0 && strchr(" \t\r\n", s.p[s.n - 1]) != NULL)
		s.n--;
	return s;
}

/* Cut up to `end` that is not inside quotes; RC_BAD: a quote stays open. */
static enum rc
cut_word(struct str *s, char end, struct str *out, bool *found)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < s->n; i++) {
		if (s->p[i] == '\\' && i + 1 < s->n)
			i++;
		else if (s->p[i] == '"')
			quoted = !quoted;
		else if (s->p[i] == end && !quoted)
			break;
	}
	if (quoted)
		return RC_BAD;
	*found = i < s->n;
	*out = trim(str_sub(*s, 0, i));
	*s = str_from(*s, i + 1);
	return RC_OK;
}

/* Quotes around the whole word go. */
static struct str
unquote(struct arena *a, struct str s)
{
	char *p;
	size_t n = 0;

	if (s.n < 2 || s.p[0] != '"' || s.p[s.n - 1] != '"')
		return s;
	s = str_sub(s, 1, s.n - 2);
	p = arena_alloc(a, s.n + 1);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		p[n++] = s.p[i];
	}
	return str_n(p, n);
}

/* A name as it may stand in front of an "@", there perhaps with quotes. */
static bool
name_ok(struct arena *a, struct str name, bool quoted)
{
	struct addr x;

	if (quoted) {
		for (size_t i = 0; i < name.n; i++)
			if (name.p[i] < ' ' || name.p[i] > '~')
				return false;
		return name.n > 0 && name.n <= MAIL_LOCAL_MAX;
	}
	return mail_addr_parse(a, str_cat(a, name, STR("@x.example")), &x) ==
	       RC_OK;
}

static enum rc
read_target(struct reader *rd, struct str word, struct entry *e)
{
	struct arena *a = &rd->m->a;
	struct target t = { .text = unquote(a, word) };
	struct addr x;

	if (t.text.n == 0)
		return RC_OK;
	if (t.text.p[0] == '|' || t.text.p[0] == '/' ||
	    str_has_iprefix(t.text, STR(":include:"))) {
		if (rd->warn != NULL)
			rd->warn(rd->ctx, rd->line, t.text);
		return RC_OK;
	}
	if (str_cut_prefix(&t.text, STR("\\")))
		t.last = true;
	if (str_chr(t.text, '@') < t.text.n) {
		/* A quoted local part keeps its own quotes. */
		if (mail_addr_parse(a, t.text, &x) != RC_OK &&
		    mail_addr_parse(a, word, &x) != RC_OK)
			return bad(rd, "a target is no address");
		t.text = mail_addr_text(a, &x);
	} else if (!name_ok(rd->a, t.text, word.p[0] == '"')) {
		return bad(rd, "a target is neither an address nor a name");
	} else {
		t.text = str_dup(a, t.text);
	}
	e->to[e->nto++] = t;
	return RC_OK;
}

static enum rc
read_entry(struct reader *rd, struct str text)
{
	struct mail_aliases *m = rd->m;
	struct entry *e = arena_calloc(&m->a, 1, sizeof(*e));
	size_t most = 1;
	struct str word;
	bool found;

	if (cut_word(&text, ':', &word, &found) != RC_OK)
		return bad(rd, "a quote stays open");
	e->name = str_lower(&m->a, unquote(rd->a, word));
	e->line = rd->line;
	if (!found || e->name.n == 0)
		return bad(rd, "no \"name: target\"");
	if (str_chr(e->name, '@') < e->name.n ||
	    !name_ok(rd->a, e->name, word.p[0] == '"'))
		return bad(rd, "no local name before the colon");
	for (size_t i = 0; i < text.n; i++)
		most += text.p[i] == ',';
	e->to = arena_calloc(&m->a, most, sizeof(*e->to));
	do {
		if (cut_word(&text, ',', &word, &found) != RC_OK)
			return bad(rd, "a quote stays open");
		if (read_target(rd, word, e) != RC_OK)
			return RC_BAD;
	} while (found);
	if ((m->n + 1) * 2 > m->nslots)
		grow(m);
	if (*slot_of(m, e->name) != NULL)
		return bad(rd, "there is such an entry already");
	if (++m->n > ALIASES_MAX)
		return bad(rd, "too many entries");
	*slot_of(m, e->name) = e;
	return RC_OK;
}

/* White space in front: it goes on with the line before. */
static bool
continues(struct str line)
{
	return line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t') &&
	       trim(line).n > 0;
}

static enum rc
read_all(struct reader *rd, struct str text)
{
	AUTO_BUF entry = { 0 };
	struct str line;
	unsigned number = 0;

	buf_init(&entry, ALIASES_LINE_MAX);
	if (text.n > ALIASES_BYTES_MAX)
		return bad(rd, "the file is too large");
	while (str_split(&text, '\n', &line)) {
		struct str t = trim(line);

		number++;
		if (t.n == 0 || t.p[0] == '#')
			continue;
		if (!continues(line)) {
			if (entry.n > 0 &&
			    read_entry(rd, buf_str(&entry)) != RC_OK)
				return RC_BAD;
			buf_clear(&entry);
			rd->line = number;
		} else if (entry.n == 0) {
			rd->line = number;
			return bad(rd, "goes on with no entry");
		}
		if (memchr(t.p, 0, t.n) != NULL)
			return bad(rd, "a NUL");
		if (buf_add(&entry, t) != RC_OK ||
		    buf_add_char(&entry, ' ') != RC_OK)
			return bad(rd, "entry too long");
	}
	return entry.n > 0 ? read_entry(rd, buf_str(&entry)) : RC_OK;
}

enum rc
mail_aliases_parse(struct arena *a, const char *name, struct str text,
    mail_aliases_warn *warn, void *ctx, const struct mail_aliases **out,
    struct str *why)
{
	struct mail_aliases *m = xcalloc(1, sizeof(*m));
	const struct mail_aliases *done = m;
	struct reader rd = {
		.m = m, .a = a, .name = name, .warn = warn, .ctx = ctx
	};

	m->refs = 1;
	if (read_all(&rd, text) != RC_OK) {
		*why = rd.why;
		mail_aliases_unref(&done);
		return RC_BAD;
	}
	*out = m;
	return RC_OK;
}

const struct mail_aliases *
mail_aliases_ref(const struct mail_aliases *r)
{
	struct mail_aliases *m = (struct mail_aliases *)(uintptr_t)r;

	if (m != NULL)
		atomic_fetch_add(&m->refs, 1);
	return r;
}

void
mail_aliases_unref(const struct mail_aliases **r)
{
	struct mail_aliases *m = (struct mail_aliases *)(uintptr_t)*r;

	*r = NULL;
	if (m == NULL || atomic_fetch_sub(&m->refs, 1) > 1)
		return;
	xfree(m->slot);
	arena_free(&m->a);
	xfree(m);
}

struct expansion {
	const struct mail_aliases *m;
	struct arena *a;
	bool (*local)(void *, struct str);
	void *ctx;
	const struct entry *path[ALIASES_DEPTH];
	struct mail_alias_to *out;
	size_t n, room;
	unsigned steps;
	bool cut;
};

static const struct entry *
find(const struct mail_aliases *m, struct arena *a, struct str name)
{
	return m == NULL || m->n == 0 ? NULL : *slot_of(m, str_lower(a, name));
}

static void
add(struct expansion *x, struct mail_alias_to to)
{
	for (size_t i = 0; i < x->n; i++)
		if (str_ieq(x->out[i].name, to.name) &&
		    str_ieq(x->out[i].address, to.address))
			return;
	if (x->n == ALIASES_TO_MAX) {
		x->cut = true;
		return;
	}
	if (x->n == x->room) {
		size_t room = MAX(x->room * 2, 8);
		struct mail_alias_to *v = arena_calloc(x->a, room, sizeof(*v));

		if (x->n > 0)
			memcpy(v, x->out, x->n * sizeof(*v));
		x->out = v;
		x->room = room;
	}
	x->out[x->n++] = to;
}

static void expand(struct expansion *x, const struct entry *e, unsigned depth);

static void
follow(struct expansion *x, const struct target *t, const struct entry *from,
    unsigned depth)
{
	struct str name = t->text;
	const struct entry *e;
	struct addr addr;

	if (str_chr(name, '@') < name.n) {
		if (mail_addr_parse(x->a, name, &addr) != RC_OK ||
		    !x->local(x->ctx, addr.domain)) {
			add(x, (struct mail_alias_to){ STR(""), name });
			return;
		}
		name = addr.local;
	}
	e = t->last ? NULL : find(x->m, x->a, name);
	/* "root: root, admin@example.org" means the user, as in sendmail. */
	if (e == NULL || e == from)
		add(x, (struct mail_alias_to){ name, STR("") });
	else
		expand(x, e, depth);
}

/* Depth first; an entry on the way here, and too many steps, are cut off. */
static void
expand(struct expansion *x, const struct entry *e, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		if (x->path[i] == e) {
			x->cut = true;
			return;
		}
	if (depth == ALIASES_DEPTH) {
		x->cut = true;
		return;
	}
	x->path[depth] = e;
	for (size_t i = 0; i < e->nto; i++) {
		if (++x->steps > ALIASES_TO_MAX * 10) {
			x->cut = true;
			return;
		}
		follow(x, &e->to[i], e, depth + 1);
	}
}

enum rc
mail_aliases_expand(const struct mail_aliases *m, struct arena *a,
    struct str name, bool (*local)(void *, struct str), void *ctx,
    struct mail_alias_to **out, size_t *out_n, bool *cut)
{
	struct expansion x = { .m = m, .a = a, .local = local, .ctx = ctx };
	const struct entry *e = find(m, a, name);

	if (e == NULL)
		return RC_NOENT;
	expand(&x, e, 0);
	*out = x.out;
	*out_n = x.n;
	*cut = x.cut;
	return RC_OK;
}
