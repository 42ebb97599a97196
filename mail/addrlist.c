/*
 * A hand-written reader of RFC 5322 section 3.4 that never gives up.  A mailbox
 * begins as a run of words; what comes next says what they were: '<' a display
 * name, '@' a local part, ':' a group's name, ',' or the end a mailbox without
 * a domain.  So the words are written twice, once with blanks between them and
 * once without.  Where RFC 5322 gives no reading, the one chosen is that of a
 * person: it shows most and invents no address.
 *
 * Everything read ends up in one of three rooms, each as long as the input,
 * allocated once: no byte of input is written twice into the same room.
 */
#include <string.h>

#include "mail/addrlist.h"

#define COMMENT_DEPTH_MAX 32

struct room {
	char *p;
	size_t n;
};

struct reader {
	struct arena *a;
	struct str s;
	struct room names;  /* phrases, comments */
	struct room words;  /* local parts */
	struct room hosts;  /* domains, routes */
	struct str comment; /* the last one since it was cleared */
	const char *end;    /* of the last word or domain, in the input */
	mail_addrlist_each *each;
	void *ctx;
	bool enough;
	bool in_group;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static char
peek(const struct reader *r)
{
	return r->s.n > 0 ? r->s.p[0] : '\0';
}

static void
skip(struct reader *r)
{
	r->s.p++;
	r->s.n--;
}

static void
put(struct room *room, char c)
{
	room->p[room->n++] = c;
}

/* What was put since `from`. */
static struct str
since(const struct room *room, size_t from)
{
	return str_n(room->p + from, room->n - from);
}

/*
 * One comment with the comments in it, its outer parentheses removed.  Nested
 * too deep, it counts as running to the end.
 */
static void
read_comment(struct reader *r)
{
	size_t from = r->names.n, depth = 0;

	while (r->s.n > 0) {
		char c = peek(r);

		skip(r);
		if (c == '(' && depth++ == 0)
			continue;
		if (c == ')' && --depth == 0)
			break;
		if (depth > COMMENT_DEPTH_MAX)
			r->s.n = 0;
		if (c == '\\' && r->s.n > 0) {
			c = peek(r);
			skip(r);
		}
		if (c != '\r' && c != '\n')
			put(&r->names, c);
	}
	r->comment = str_trim(since(&r->names, from));
}

static void
skip_cfws(struct reader *r)
{
	while (r->s.n > 0) {
		if (peek(r) == '(')
			read_comment(r);
		else if (is_space(peek(r)))
			skip(r);
		else
			return;
	}
}

/* A quoted string's content, into both rooms. */
static void
read_quoted(struct reader *r)
{
	skip(r);
	while (r->s.n > 0 && peek(r) != '"') {
		char c = peek(r);

		skip(r);
		if (c == '\\' && r->s.n > 0) {
			c = peek(r);
			skip(r);
		}
		if (c == '\r' || c == '\n')
			continue;
		put(&r->names, c);
		put(&r->words, c);
	}
	if (r->s.n > 0)
		skip(r);
}

/* What ends a run of words; '(' and '"' are seen before. */
static bool
is_stop(char c)
{
	return c == '<' || c == '>' || c == '@' || c == ',' || c == ';' ||
	       c == ':' || c == '(' || c == '"' || is_space(c);
}

/* A run of words, written in the ways that it may be meant. */
struct words {
	struct str phrase; /* all, blanks between them */
	struct str all;    /* all, without blanks */
	struct str lead;   /* all but the last, as a phrase */
	struct str last;   /* the last, with the dots and words tied to it */
	/* Where in the input they begin. */
	const char *all_at, *last_at;
};

/* White space and comments; what was read of names stays last in its room. */
static bool
skip_blanks(struct reader *r)
{
	size_t kept = r->names.n;
	const char *start = r->s.p;

	while (r->s.n > 0 && (is_space(peek(r)) || peek(r) == '(')) {
		if (is_space(peek(r))) {
			skip(r);
			continue;
		}
		read_comment(r);
		r->comment = str_dup(r->a, r->comment);
		r->names.n = kept;
	}
	return r->s.p > start;
}

static void
read_atom(struct reader *r)
{
	while (r->s.n > 0 && !is_stop(peek(r))) {
		put(&r->names, peek(r));
		put(&r->words, peek(r));
		skip(r);
	}
}

/*
 * Words up to a special character.  A dot ties the words on both sides of it
 * together, also over blanks (RFC 5322 obs-local-part).
 */
static struct words
read_words(struct reader *r)
{
	size_t name = r->names.n, word = r->words.n;
	size_t lead = name, last = word;
	struct words w = { .all_at = NULL };

	for (;;) {
		bool blank = skip_blanks(r);

		if (r->s.n == 0 || (is_stop(peek(r)) && peek(r) != '"'))
			break;
		if (blank && r->names.n > name) {
			if (peek(r) != '.' &&
			    r->names.p[r->names.n - 1] != '.') {
				lead = r->names.n;
				last = r->words.n;
				w.last_at = r->s.p;
			}
			put(&r->names, ' ');
		}
		if (w.all_at == NULL)
			w.all_at = w.last_at = r->s.p;
		if (peek(r) == '"')
			read_quoted(r);
		else
			read_atom(r);
		r->end = r->s.p;
	}
	w.phrase = since(&r->names, name);
	w.all = since(&r->words, word);
	w.lead = str_sub(w.phrase, 0, lead - name);
	w.last = since(&r->words, last);
	return w;
}

/* A domain behind its '@': atoms and dots, or a literal; may be empty. */
static struct str
read_domain(struct reader *r)
{
	size_t from = r->hosts.n;

	for (skip_cfws(r); r->s.n > 0; skip_cfws(r)) {
		if (peek(r) == '[') {
			while (r->s.n > 0 && peek(r) != ']') {
				if (!is_space(peek(r)))
					put(&r->hosts, peek(r));
				skip(r);
			}
			if (r->s.n > 0) {
				put(&r->hosts, ']');
				skip(r);
			}
			r->end = r->s.p;
			continue;
		}
		if (is_stop(peek(r)))
			break;
		/* "a@b c": a blank that no dot is next to ends the domain. */
		if (r->hosts.n > from && is_space(r->s.p[-1]) &&
		    peek(r) != '.' && r->hosts.p[r->hosts.n - 1] != '.')
			break;
		while (r->s.n > 0 && !is_stop(peek(r)) && peek(r) != '[') {
			put(&r->hosts, peek(r));
			skip(r);
		}
		r->end = r->s.p;
	}
	return since(&r->hosts, from);
}

static void
emit(struct reader *r, struct mail_entry e)
{
	if (!r->enough)
		r->enough = !r->each(r->ctx, &e);
}

/* What of the input is the address, if it has both halves. */
static struct str
spec_of(const struct reader *r, const char *at, struct str host)
{
	return at != NULL && host.n > 0 ? str_n(at, (size_t)(r->end - at))
					: STR_NULL;
}

static struct str
or_nil(struct str s)
{
	return s.n > 0 ? s : STR_NULL;
}

static struct str
or_empty(struct str s)
{
	return s.n > 0 ? s : STR("");
}

/*
 * "@a,@b:" in front of a route-addr, as written without blanks; *apart: there
 * is none, or its ':' parts it from the address.
 */
static struct str
read_route(struct reader *r, bool *apart)
{
	size_t from = r->hosts.n;

	while (peek(r) == '@' || (peek(r) == ',' && r->hosts.n > from)) {
		put(&r->hosts, peek(r));
		if (peek(r) == '@') {
			skip(r);
			read_domain(r);
		} else {
			skip(r);
			skip_cfws(r);
		}
	}
	*apart = r->hosts.n == from;
	if (peek(r) == ':') {
		skip(r);
		*apart = true;
	}
	return since(&r->hosts, from);
}

/* From '<' to '>' or whatever serves as the end. */
static void
read_angle(struct reader *r, struct str name)
{
	struct mail_entry e = { .kind = MAIL_MAILBOX, .angle = r->s };
	struct str host = STR("");
	struct words w;
	bool apart;

	skip(r);
	skip_cfws(r);
	e.adl = or_nil(read_route(r, &apart));
	w = read_words(r);
	e.mailbox = w.all;
	if (peek(r) == '@') {
		skip(r);
		host = read_domain(r);
		if (apart)
			e.spec = spec_of(r, w.all_at, host);
	}
	while (r->s.n > 0 && peek(r) != '>' && peek(r) != ',')
		skip(r);
	if (peek(r) == '>')
		skip(r);
	e.angle.n = (size_t)(r->s.p - e.angle.p);
	r->comment = STR_NULL;
	skip_cfws(r);
	e.name = or_nil(name.n > 0 ? name : r->comment);
	e.mailbox = or_empty(e.mailbox);
	e.host = or_empty(host);
	emit(r, e);
}

/*
 * No '<' came: the last word is a local part and those in front of it are a
 * name; without an '@' several words are nothing but a name.
 */
static void
read_bare(struct reader *r, struct str start, const struct words *w)
{
	struct mail_entry e = { .kind = MAIL_MAILBOX, .mailbox = w->last };
	struct str host = STR(""), name = w->lead;

	if (peek(r) == '@') {
		skip(r);
		host = read_domain(r);
		e.spec = spec_of(r, w->last_at, host);
	} else if (name.n > 0) {
		name = w->phrase;
		e.mailbox = STR("");
	}
	skip_cfws(r);
	if (peek(r) == '<') { /* "a@b <a@b>": it was a name after all */
		start.n = (size_t)(r->s.p - start.p);
		read_angle(r, str_dup(r->a, str_trim(start)));
		return;
	}
	e.name = or_nil(name.n > 0 ? name : r->comment);
	e.mailbox = or_empty(e.mailbox);
	e.host = or_empty(host);
	if (name.n + e.mailbox.n + e.host.n > 0)
		emit(r, e);
}

static void
end_group(struct reader *r)
{
	if (r->in_group)
		emit(r, (struct mail_entry){ .kind = MAIL_GROUP_END });
	r->in_group = false;
}

static void
read_address(struct reader *r)
{
	struct words w;
	struct str start;

	r->comment = STR_NULL;
	skip_cfws(r);
	start = r->s;
	w = read_words(r);
	switch (peek(r)) {
	case '<':
		read_angle(r, w.phrase);
		break;
	case ':':
		skip(r);
		if (!r->in_group) {
			r->in_group = true;
			emit(r, (struct mail_entry){ .kind = MAIL_GROUP_START,
				    .mailbox = or_empty(w.phrase) });
		}
		return;
	case '>':
		skip(r);
		return;
	default:
		read_bare(r, start, &w);
		break;
	}
	/* Rubbish up to the next separator. */
	while (r->s.n > 0 && peek(r) != ',' && peek(r) != ';')
		skip(r);
}

void
mail_addrlist_walk(
    struct arena *a, struct str value, mail_addrlist_each *each, void *ctx)
{
	struct reader r = { .a = a, .s = value, .each = each, .ctx = ctx };

	r.names.p = arena_alloc(a, value.n + 1);
	r.words.p = arena_alloc(a, value.n + 1);
	r.hosts.p = arena_alloc(a, value.n + 1);
	while (r.s.n > 0 && !r.enough) {
		if (peek(&r) == ',') {
			skip(&r);
		} else if (peek(&r) == ';') {
			skip(&r);
			end_group(&r);
		} else {
			read_address(&r);
		}
	}
	end_group(&r);
}

struct collector {
	struct arena *a;
	struct mail_addrlist *out;
	size_t size; /* entries allocated */
};

static bool
collect(void *ctx, const struct mail_entry *e)
{
	struct collector *c = ctx;
	struct mail_addrlist *l = c->out;

	if (l->n == MAIL_ADDRLIST_MAX) {
		l->truncated = true;
		return false;
	}
	if (l->n == c->size) {
		struct mail_entry *v;

		c->size = c->size ? c->size * 4 : 4;
		v = arena_alloc(c->a, c->size * sizeof(*v));
		if (l->n > 0)
			memcpy(v, l->v, l->n * sizeof(*v));
		l->v = v;
	}
	l->v[l->n++] = *e;
	return true;
}

void
mail_addrlist_parse(
    struct arena *a, struct str value, struct mail_addrlist *out)
{
	struct collector c = { .a = a, .out = out };

	*out = (struct mail_addrlist){ NULL, 0, false };
	mail_addrlist_walk(a, value, collect, &c);
}
