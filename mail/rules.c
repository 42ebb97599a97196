/*
 * One table for all patterns, keyed by kind and pattern in lower case, open
 * addressing at half load: a lookup is three hashes at most.  The text is not
 * kept; what rules say is kept as canonical addresses in the rules' arena.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "mail/route.h"
#include "mail/rules.h"

enum kind {
	SENDER = 1,
	RECIPIENT,
	BCC_FROM,
	BCC_TO,
	CATCH_ALL,
	SIZE_LIMIT,
	BCC,     /* without a pattern */
	CAPTURE, /* likewise */
	SEND_LIMIT,
	RECEIVE_LIMIT,
};

struct rule {
	struct str key; /* kind as one byte, then the pattern */
	struct str *to;
	size_t nto;
	uint64_t size;
	unsigned line;
	bool header;       /* the map is for fields of the header, too */
	struct rule *more; /* further rules of this key: copies add up */
};

struct mail_rules {
	_Atomic int refs;
	struct arena a;
	struct rule **slot;
	size_t nslots, n;
	struct rule *bcc;
	struct str capture;
	bool has_bcc, has_header_map;
	struct mail_size_limits *send, *receive; /* NULL: none */
};

struct reader {
	struct mail_rules *r;
	struct arena *a; /* the caller's */
	const char *name;
	unsigned line;
	struct str why;
};

static enum rc
bad(struct reader *rd, const char *what, struct str about)
{
	if (about.n > 0)
		rd->why = str_fmt(rd->a, "%s:%u: %s: %.*s", rd->name, rd->line,
		    what, STRF(str_sub(about, 0, 200)));
	else
		rd->why = str_fmt(rd->a, "%s:%u: %s", rd->name, rd->line, what);
	return RC_BAD;
}

/* The slot of a key: its rule, or where it would be. */
static struct rule **
slot_of(const struct mail_rules *r, struct str key)
{
	size_t i = (size_t)str_hash(key) & (r->nslots - 1);

	while (r->slot[i] != NULL && !str_eq(r->slot[i]->key, key))
		i = (i + 1) & (r->nslots - 1);
	return &r->slot[i];
}

static struct str
make_key(struct arena *a, enum kind kind, struct str local, bool at,
    struct str domain)
{
	struct str text = str_fmt(a, "%c%.*s%s%.*s", (char)kind, STRF(local),
	    at ? "@" : "", STRF(domain));

	return str_lower(a, text);
}

/* user@domain, user@, @domain: in the order in which they count. */
static const struct rule *
find(const struct mail_rules *r, enum kind kind, const struct addr *x)
{
	AUTO_ARENA a = { 0 };
	const struct rule *rule;

	if (r == NULL || r->n == 0)
		return NULL;
	rule = *slot_of(r, make_key(&a, kind, x->local, true, x->domain));
	if (rule == NULL)
		rule = *slot_of(r, make_key(&a, kind, x->local, true, STR("")));
	if (rule == NULL)
		rule =
		    *slot_of(r, make_key(&a, kind, STR(""), true, x->domain));
	return rule;
}

static enum rc
read_pattern(struct reader *rd, enum kind kind, struct str s, struct str *out)
{
	struct addr x = { STR(""), STR("") };
	struct str in = s;

	if (kind == CATCH_ALL && (s.n == 0 || s.p[0] != '@'))
		return bad(rd, "catch-all wants @DOMAIN", s);
	if (str_cut_prefix(&s, STR("@"))) {
		if (!mail_domain_ok(s))
			return bad(rd, "no domain", in);
		x.domain = s;
	} else if (s.n > 1 && s.p[s.n - 1] == '@') {
		/* Any domain will do to see whether the rest is all right. */
		if (mail_addr_parse(rd->a, str_cat(rd->a, s, STR("x.example")),
			&x) != RC_OK)
			return bad(rd, "no pattern", in);
		x.domain = STR("");
	} else if (mail_addr_parse(rd->a, s, &x) != RC_OK) {
		return bad(rd, "no pattern (user@domain, user@, @domain)", in);
	}
	*out = make_key(&rd->r->a, kind, x.local, true, x.domain);
	return RC_OK;
}

/* An address, or @domain where the rule rewrites. */
static enum rc
read_address(struct reader *rd, struct str s, bool rewrites, struct str *out)
{
	struct str domain = s;
	struct addr x;

	if (rewrites && str_cut_prefix(&domain, STR("@"))) {
		if (!mail_domain_ok(domain))
			return bad(rd, "no domain", s);
		*out = str_lower(&rd->r->a, s);
		return RC_OK;
	}
	if (mail_addr_parse(rd->a, s, &x) != RC_OK)
		return bad(
		    rd, s.n > 0 ? "no address" : "an address is missing", s);
	*out = mail_addr_text(&rd->r->a, &x);
	return RC_OK;
}

static enum rc
read_size(struct reader *rd, struct str s, uint64_t *out)
{
	uint64_t unit = 1;
	char last = s.n > 0 ? ascii_upper(s.p[s.n - 1]) : '\0';

	if (last == 'K')
		unit = 1u << 10;
	else if (last == 'M')
		unit = 1u << 20;
	else if (last == 'G')
		unit = 1u << 30;
	if (unit > 1)
		s.n--;
	if (str_u64(s, UINT32_MAX, out) != RC_OK || *out == 0)
		return bad(rd, "no size (bytes, or with K, M, G)", s);
	*out *= unit;
	return RC_OK;
}

/* Words are parted by spaces and tabs that are not inside quotes. */
static struct str
next_word(struct str *s)
{
	struct str out;
	bool quoted = false;
	size_t n;

	*s = str_trim(*s);
	for (n = 0; n < s->n; n++) {
		char c = s->p[n];

		if (!quoted && (c == ' ' || c == '\t'))
			break;
		if (c == '"')
			quoted = !quoted;
		else if (quoted && c == '\\' && n + 1 < s->n)
			n++;
	}
	out = str_sub(*s, 0, n);
	*s = str_trim(str_from(*s, n));
	return out;
}

static enum rc
read_targets(
    struct reader *rd, struct str rest, enum kind kind, struct rule *rule)
{
	size_t most = kind == RECIPIENT ? RULES_TO_MAX : 1;
	struct str to[RULES_TO_MAX];
	enum rc rc = RC_OK;

	do {
		if (rule->nto == most)
			return bad(rd, "too many words", rest);
		rc = read_address(rd, next_word(&rest),
		    kind == RECIPIENT || kind == SENDER, &to[rule->nto]);
		rule->nto++;
	} while (rc == RC_OK && rest.n > 0);
	if (rc != RC_OK)
		return rc;
	rule->to = arena_calloc(&rd->r->a, rule->nto, sizeof(*rule->to));
	memcpy(rule->to, to, rule->nto * sizeof(*rule->to));
	return RC_OK;
}

static void
grow(struct mail_rules *r)
{
	struct rule **old = r->slot;
	size_t n = r->nslots;

	r->nslots = n > 0 ? n * 2 : 64;
	r->slot = xcalloc(r->nslots, sizeof(struct rule *));
	for (size_t i = 0; i < n; i++)
		if (old[i] != NULL)
			*slot_of(r, old[i]->key) = old[i];
	xfree(old);
}

static enum rc
keep(struct reader *rd, enum kind kind, struct rule *rule)
{
	struct mail_rules *r = rd->r;
	struct rule **slot;

	if (kind == CAPTURE) {
		if (r->capture.n > 0)
			return bad(rd, "a second capture", STR(""));
		r->capture = rule->to[0];
		return RC_OK;
	}
	if (kind == BCC || kind == BCC_FROM || kind == BCC_TO)
		r->has_bcc = true;
	r->has_header_map = r->has_header_map || rule->header;
	if (kind == BCC) {
		rule->more = r->bcc;
		r->bcc = rule;
		return RC_OK;
	}
	if ((r->n + 1) * 2 > r->nslots)
		grow(r);
	slot = slot_of(r, rule->key);
	if (*slot != NULL && kind != BCC_FROM && kind != BCC_TO) {
		char text[64];

		snprintf(text, sizeof(text), "line %u", (*slot)->line);
		return bad(rd, "there is such a rule already", str_c(text));
	}
	r->n += *slot == NULL;
	rule->more = *slot;
	*slot = rule;
	return RC_OK;
}

/* An address, a DN, or "*"; a DN with blanks is in quotes. */
static enum rc
read_group(struct reader *rd, struct str word, struct str *out)
{
	struct str in = word;
	struct addr x;
	char *p;
	size_t n = 0;

	if (mail_addr_parse(rd->a, word, &x) == RC_OK) {
		*out = mail_addr_text(rd->a, &x);
		return RC_OK;
	}
	if (str_cut_prefix(&word, STR("\""))) {
		if (word.n == 0 || word.p[word.n - 1] != '"')
			return bad(rd, "a quote is missing", in);
		word.n--;
	}
	p = arena_alloc(rd->a, word.n + 1);
	for (size_t i = 0; i < word.n; i++) {
		/* All other escapes are those of the DN. */
		if (word.p[i] == '\\' && i + 1 < word.n && word.p[i + 1] == '"')
			i++;
		p[n++] = word.p[i];
	}
	*out = str_n(p, n);
	if (!str_eq(*out, STR("*")) && str_chr(*out, '=') == n)
		return bad(rd, "no group (an address, a DN or *)", in);
	return RC_OK;
}

static enum rc
read_group_limit(struct reader *rd, struct str line, enum kind kind)
{
	struct mail_size_limits **l =
	    kind == SEND_LIMIT ? &rd->r->send : &rd->r->receive;
	struct str group;
	uint64_t size;

	if (read_group(rd, next_word(&line), &group) != RC_OK ||
	    read_size(rd, line, &size) != RC_OK)
		return RC_BAD;
	if (*l == NULL)
		*l = arena_calloc(&rd->r->a, 1, sizeof(**l));
	if ((*l)->n == MAIL_SIZE_GROUPS_MAX)
		return bad(rd, "too many groups", group);
	if (mail_size_limit_add(*l, &rd->r->a, group, size) != RC_OK)
		return bad(rd, "there is such a rule already", group);
	return RC_OK;
}

static enum rc
read_rule(struct reader *rd, struct str line)
{
	static const struct {
		struct str word;
		enum kind kind;
		bool header;
	} words[] = {
		{ STR_INIT("sender"), SENDER, true },
		{ STR_INIT("recipient"), RECIPIENT, true },
		{ STR_INIT("envelope-sender"), SENDER },
		{ STR_INIT("envelope-recipient"), RECIPIENT },
		{ STR_INIT("bcc"), BCC },
		{ STR_INIT("bcc-from"), BCC_FROM },
		{ STR_INIT("bcc-to"), BCC_TO },
		{ STR_INIT("catch-all"), CATCH_ALL },
		{ STR_INIT("capture"), CAPTURE },
		{ STR_INIT("size-limit"), SIZE_LIMIT },
		{ STR_INIT("send-limit"), SEND_LIMIT },
		{ STR_INIT("receive-limit"), RECEIVE_LIMIT },
	};
	struct str word = next_word(&line);
	struct rule *rule;
	enum kind kind = 0;
	enum rc rc = RC_OK;
	bool header = false;

	for (size_t i = 0; i < COUNT(words); i++)
		if (str_eq(word, words[i].word)) {
			kind = words[i].kind;
			header = words[i].header;
		}
	if (kind == 0)
		return bad(rd, "unknown rule", word);
	if (kind == SEND_LIMIT || kind == RECEIVE_LIMIT)
		return read_group_limit(rd, line, kind);
	rule = arena_calloc(&rd->r->a, 1, sizeof(*rule));
	rule->line = rd->line;
	if (kind != BCC && kind != CAPTURE)
		rc = read_pattern(rd, kind, next_word(&line), &rule->key);
	if (rc == RC_OK && kind == SIZE_LIMIT)
		rc = read_size(rd, line, &rule->size);
	else if (rc == RC_OK)
		rc = read_targets(rd, line, kind, rule);
	/* A list of people has no place where one was written. */
	rule->header = header && rule->nto == 1;
	return rc == RC_OK ? keep(rd, kind, rule) : rc;
}

/* What is of no interest: nothing, a comment. */
static bool
is_blank(struct str line)
{
	return line.n == 0 || line.p[0] == '#';
}

static bool
is_header_rule(struct str line)
{
	return str_eq(next_word(&line), STR("header"));
}

static struct str
clean(struct str line)
{
	assert(line.n == 0 || line.p != NULL);
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return str_trim(line);
}

static enum rc
read_all(struct reader *rd, struct str text)
{
	struct str line;
	unsigned rules = 0;
	enum rc rc = RC_OK;

	if (text.n > RULES_BYTES_MAX)
		return bad(rd, "the file is too large", STR(""));
	while (rc == RC_OK && str_split(&text, '\n', &line)) {
		rd->line++;
		if (line.n > RULES_LINE_MAX)
			return bad(rd, "line too long", STR(""));
		if (memchr(line.p != NULL ? line.p : "", 0, line.n) != NULL)
			return bad(rd, "a NUL", STR(""));
		line = clean(line);
		if (is_blank(line))
			continue;
		if (++rules > RULES_MAX)
			return bad(rd, "too many rules", STR(""));
		if (!is_header_rule(line))
			rc = read_rule(rd, line);
	}
	return rc;
}

enum rc
mail_rules_parse(struct arena *a, const char *name, struct str text,
    const struct mail_rules **out, struct str *why)
{
	struct mail_rules *r = xcalloc(1, sizeof(*r));
	struct reader rd = { .r = r, .a = a, .name = name };
	const struct mail_rules *done = r;

	r->refs = 1;
	if (read_all(&rd, text) != RC_OK) {
		*why = rd.why;
		mail_rules_unref(&done);
		return RC_BAD;
	}
	*out = r;
	return RC_OK;
}

const struct mail_rules *
mail_rules_ref(const struct mail_rules *r)
{
	struct mail_rules *m = (struct mail_rules *)(uintptr_t)r;

	if (m != NULL)
		atomic_fetch_add(&m->refs, 1);
	return r;
}

void
mail_rules_unref(const struct mail_rules **r)
{
	struct mail_rules *m = (struct mail_rules *)(uintptr_t)*r;

	*r = NULL;
	if (m == NULL || atomic_fetch_sub(&m->refs, 1) > 1)
		return;
	xfree(m->slot);
	arena_free(&m->a);
	xfree(m);
}

/* "@other.example" keeps the local part. */
static struct str
rewrite(struct arena *a, struct str to, const struct addr *x)
{
	struct addr y = *x;

	if (to.n == 0 || to.p[0] != '@')
		return to;
	y.domain = str_from(to, 1);
	return mail_addr_text(a, &y);
}

enum rc
mail_rules_sender(const struct mail_rules *r, struct arena *a,
    const struct addr *from, struct str *out)
{
	const struct rule *rule = find(r, SENDER, from);

	if (rule == NULL)
		return RC_NOENT;
	*out = rewrite(a, rule->to[0], from);
	return RC_OK;
}

enum rc
mail_rules_recipient(const struct mail_rules *r, struct arena *a,
    const struct addr *to, struct str **out, size_t *out_n)
{
	const struct rule *rule = find(r, RECIPIENT, to);

	if (rule == NULL)
		return RC_NOENT;
	*out = arena_calloc(a, rule->nto, sizeof(**out));
	for (size_t i = 0; i < rule->nto; i++)
		(*out)[i] = rewrite(a, rule->to[i], to);
	*out_n = rule->nto;
	return RC_OK;
}

bool
mail_rules_has_header_map(const struct mail_rules *r)
{
	return r != NULL && r->has_header_map;
}

enum rc
mail_rules_header(const struct mail_rules *r, struct arena *a, bool sender,
    const struct addr *x, struct str *out)
{
	const struct rule *rule = find(r, sender ? SENDER : RECIPIENT, x);

	if (rule == NULL)
		return RC_NOENT;
	if (!rule->header)
		return RC_DENY;
	*out = rewrite(a, rule->to[0], x);
	return RC_OK;
}

struct str
mail_rules_catch_all(const struct mail_rules *r, struct str domain)
{
	AUTO_ARENA a = { 0 };
	const struct rule *rule;

	if (r == NULL || r->n == 0)
		return STR("");
	rule = *slot_of(r, make_key(&a, CATCH_ALL, STR(""), true, domain));
	return rule != NULL ? rule->to[0] : STR("");
}

struct str
mail_rules_capture(const struct mail_rules *r)
{
	return r != NULL ? r->capture : STR("");
}

uint64_t
mail_rules_size_limit(
    const struct mail_rules *r, const struct addr *from, uint64_t most)
{
	const struct rule *rule = find(r, SIZE_LIMIT, from);

	return rule != NULL ? MIN(rule->size, most) : most;
}

const struct mail_size_limits *
mail_rules_send_limits(const struct mail_rules *r)
{
	return r != NULL ? r->send : NULL;
}

const struct mail_size_limits *
mail_rules_receive_limits(const struct mail_rules *r)
{
	return r != NULL ? r->receive : NULL;
}

bool
mail_rules_has_bcc(const struct mail_rules *r)
{
	return r != NULL && r->has_bcc;
}

static void
each_of(const struct rule *rule, mail_rules_each *each, void *ctx)
{
	for (; rule != NULL; rule = rule->more)
		each(ctx, rule->to[0]);
}

void
mail_rules_bcc(const struct mail_rules *r, mail_rules_each *each, void *ctx)
{
	each_of(r->bcc, each, ctx);
}

void
mail_rules_bcc_from(const struct mail_rules *r, const struct addr *from,
    mail_rules_each *each, void *ctx)
{
	each_of(find(r, BCC_FROM, from), each, ctx);
}

void
mail_rules_bcc_to(const struct mail_rules *r, const struct addr *to,
    mail_rules_each *each, void *ctx)
{
	each_of(find(r, BCC_TO, to), each, ctx);
}

enum rc
mail_rules_headers(struct str text, struct buf *out)
{
	struct str line;
	enum rc rc = RC_OK;

	while (rc == RC_OK && str_split(&text, '\n', &line)) {
		line = clean(line);
		if (!is_blank(line) && is_header_rule(line))
			rc = buf_add(out, line);
		if (rc == RC_OK)
			rc = buf_add_char(out, '\n');
	}
	return rc;
}

enum rc
mail_subaddress(
    struct arena *a, const struct addr *x, const char *sep, struct addr *out)
{
	size_t n;

	/* A detail that is an address of its own would be relayed to. */
	if (sep[0] == '\0' || mail_local_routes(x->local))
		return RC_NOENT;
	n = str_chr(x->local, sep[0]);
	if (n == 0 || n == x->local.n)
		return RC_NOENT;
	out->local = str_dup(a, str_sub(x->local, 0, n));
	out->domain = x->domain;
	return RC_OK;
}
