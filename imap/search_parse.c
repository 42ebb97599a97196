/*
 * search-key, one table row per key.  What a key means in this mailbox (sets,
 * keywords) is settled while parsing; children of an AND are sorted by what
 * they cost, so that a message is read only when its row did not decide.
 */
#include "imap/search.h"

#include "mail/date.h"

enum search_arg {
	ARG_NONE,
	ARG_STRING,
	ARG_DATE,
	ARG_NUMBER,
	ARG_KEYWORD,
	ARG_HEADER, /* a field name and a string */
	ARG_SET,
	ARG_KEY,
	ARG_TWO_KEYS,
};

#define UNSET(flag) SEARCH_FLAGS, ARG_NONE, STR_INIT(""), (flag), 0
#define SET(flag)   SEARCH_FLAGS, ARG_NONE, STR_INIT(""), (flag), (flag)
#define FIELD(name) SEARCH_HEADER, ARG_STRING, STR_INIT(name)

static const struct {
	struct str name;
	enum search_kind kind;
	enum search_arg arg;
	struct str field;
	uint64_t mask, want;
} keys[] = {
	{ STR_INIT("ALL"), SEARCH_ALL, ARG_NONE },
	{ STR_INIT("ANSWERED"), SET(STORE_ANSWERED) },
	{ STR_INIT("BCC"), FIELD("Bcc") },
	{ STR_INIT("BEFORE"), SEARCH_BEFORE, ARG_DATE },
	{ STR_INIT("BODY"), SEARCH_BODY, ARG_STRING },
	{ STR_INIT("CC"), FIELD("Cc") },
	{ STR_INIT("DELETED"), SET(STORE_DELETED) },
	{ STR_INIT("DRAFT"), SET(STORE_DRAFT) },
	{ STR_INIT("FLAGGED"), SET(STORE_FLAGGED) },
	{ STR_INIT("FROM"), FIELD("From") },
	{ STR_INIT("HEADER"), SEARCH_HEADER, ARG_HEADER },
	{ STR_INIT("KEYWORD"), SEARCH_KEYWORD, ARG_KEYWORD, STR_INIT(""), 0,
	    1 },
	{ STR_INIT("LARGER"), SEARCH_LARGER, ARG_NUMBER },
	{ STR_INIT("NEW"), SEARCH_RECENT, ARG_NONE, STR_INIT(""), STORE_SEEN,
	    1 },
	{ STR_INIT("NOT"), SEARCH_NOT, ARG_KEY },
	{ STR_INIT("OLD"), SEARCH_RECENT, ARG_NONE, STR_INIT(""), 0, 0 },
	{ STR_INIT("ON"), SEARCH_ON, ARG_DATE },
	{ STR_INIT("OR"), SEARCH_OR, ARG_TWO_KEYS },
	{ STR_INIT("RECENT"), SEARCH_RECENT, ARG_NONE, STR_INIT(""), 0, 1 },
	{ STR_INIT("SEEN"), SET(STORE_SEEN) },
	{ STR_INIT("SENTBEFORE"), SEARCH_SENTBEFORE, ARG_DATE },
	{ STR_INIT("SENTON"), SEARCH_SENTON, ARG_DATE },
	{ STR_INIT("SENTSINCE"), SEARCH_SENTSINCE, ARG_DATE },
	{ STR_INIT("SINCE"), SEARCH_SINCE, ARG_DATE },
	{ STR_INIT("SMALLER"), SEARCH_SMALLER, ARG_NUMBER },
	{ STR_INIT("SUBJECT"), FIELD("Subject") },
	{ STR_INIT("TEXT"), SEARCH_TEXT, ARG_STRING },
	{ STR_INIT("TO"), FIELD("To") },
	{ STR_INIT("UID"), SEARCH_UIDS, ARG_SET },
	{ STR_INIT("UNANSWERED"), UNSET(STORE_ANSWERED) },
	{ STR_INIT("UNDELETED"), UNSET(STORE_DELETED) },
	{ STR_INIT("UNDRAFT"), UNSET(STORE_DRAFT) },
	{ STR_INIT("UNFLAGGED"), UNSET(STORE_FLAGGED) },
	{ STR_INIT("UNKEYWORD"), SEARCH_KEYWORD, ARG_KEYWORD, STR_INIT(""), 0,
	    0 },
	{ STR_INIT("UNSEEN"), UNSET(STORE_SEEN) },
};

struct parser {
	struct imap_parse *p;
	const struct search_scope *scope;
	unsigned nkeys;
	unsigned depth;
};

/* What mail/meta.h keeps of every message; asked as HEADER or by name. */
static bool
is_envelope_field(struct str name)
{
	static const struct str names[] = { STR_INIT("Date"),
		STR_INIT("Subject"), STR_INIT("From"), STR_INIT("Sender"),
		STR_INIT("Reply-To"), STR_INIT("To"), STR_INIT("Cc"),
		STR_INIT("Bcc"), STR_INIT("In-Reply-To"),
		STR_INIT("Message-ID"), STR_INIT("References") };

	for (size_t i = 0; i < COUNT(names); i++) {
		if (str_ieq(name, names[i]))
			return true;
	}
	return false;
}

static unsigned
cost_of(const struct search_key *k)
{
	unsigned cost = 0;

	switch (k->kind) {
	case SEARCH_SENTBEFORE:
	case SEARCH_SENTON:
	case SEARCH_SENTSINCE:
		return 1;
	case SEARCH_HEADER:
		return is_envelope_field(k->field) ? 1 : 2;
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return 3;
	default:
		for (const struct search_key *c = k->child; c != NULL;
		     c = c->next)
			cost = MAX(cost, c->cost);
		return cost;
	}
}

static struct search_key *
new_key(struct parser *q, enum search_kind kind)
{
	struct search_key *k;

	if (q->nkeys++ == IMAP_SEARCH_KEYS_MAX)
		return NULL;
	k = arena_calloc(q->p->a, 1, sizeof(*k));
	k->kind = kind;
	return k;
}

/* Behind what costs the same: the client's order decides then. */
static void
insert_by_cost(struct search_key *parent, struct search_key *k)
{
	struct search_key **at = &parent->child;

	while (*at != NULL && (*at)->cost <= k->cost)
		at = &(*at)->next;
	k->next = *at;
	*at = k;
}

static bool
parse_needle(struct parser *q, struct search_key *k)
{
	struct str s;

	if (!imap_parse_sp(q->p) || !imap_parse_astring(q->p, &s))
		return false;
	k->needle = arena_calloc(q->p->a, 1, sizeof(*k->needle));
	return mail_needle_init(q->p->a, s, k->needle) == RC_OK;
}

static bool
parse_set(struct parser *q, struct search_key *k, bool uid)
{
	struct imap_resolve how = { .uid = uid, .clamp = true };
	struct imap_set set;

	k->kind = SEARCH_UIDS;
	return imap_set_parse(q->p, &set) &&
	       imap_set_resolve(q->p->a, q->scope->view, &set, how, &k->uids) ==
		   RC_OK;
}

/* A keyword that the mailbox does not know is set nowhere. */
static bool
parse_keyword(struct parser *q, struct search_key *k, bool set)
{
	struct str name;

	if (!imap_parse_sp(q->p) || !imap_parse_atom(q->p, &name))
		return false;
	k->kind = SEARCH_FLAGS;
	k->mask = imap_flags_keyword(q->scope->mb, name);
	if (k->mask != 0)
		k->want = set ? k->mask : 0;
	else
		k->want = set ? 1 : 0; /* never, always */
	return true;
}

static struct search_key *parse_key(struct parser *q);

static bool
parse_children(struct parser *q, struct search_key *k, size_t n)
{
	while (n-- > 0) {
		struct search_key *c;

		if (!imap_parse_sp(q->p) || (c = parse_key(q)) == NULL)
			return false;
		insert_by_cost(k, c);
	}
	return true;
}

static bool
parse_argument(struct parser *q, struct search_key *k, enum search_arg arg)
{
	struct str s;

	switch (arg) {
	case ARG_NONE:
		return true;
	case ARG_STRING:
		return parse_needle(q, k);
	case ARG_DATE:
		return imap_parse_sp(q->p) && imap_parse_astring(q->p, &s) &&
		       mail_date_day_parse(s, &k->day) == RC_OK;
	case ARG_NUMBER:
		return imap_parse_sp(q->p) &&
		       imap_parse_number(q->p, &k->number);
	case ARG_KEYWORD:
		return parse_keyword(q, k, k->want == 1);
	case ARG_HEADER:
		return imap_parse_sp(q->p) &&
		       imap_parse_astring(q->p, &k->field) &&
		       parse_needle(q, k);
	case ARG_SET:
		return imap_parse_sp(q->p) && parse_set(q, k, true);
	case ARG_KEY:
		return parse_children(q, k, 1);
	case ARG_TWO_KEYS:
		return parse_children(q, k, 2);
	}
	return false;
}

static bool
parse_list(struct parser *q, struct search_key *k)
{
	do {
		struct search_key *c = parse_key(q);

		if (c == NULL)
			return false;
		insert_by_cost(k, c);
	} while (imap_parse_sp(q->p));
	return true;
}

static bool
parse_named(struct parser *q, struct search_key *k)
{
	struct str word;

	if (!imap_parse_atom(q->p, &word))
		return false;
	for (size_t i = 0; i < COUNT(keys); i++) {
		if (!str_ieq(word, keys[i].name))
			continue;
		k->kind = keys[i].kind;
		k->field = keys[i].field;
		k->mask = keys[i].mask;
		k->want = keys[i].want;
		return parse_argument(q, k, keys[i].arg);
	}
	return false;
}

static struct search_key *
parse_key(struct parser *q)
{
	struct search_key *k = new_key(q, SEARCH_AND);
	int c = imap_parse_peek(q->p);
	bool ok;

	if (k == NULL || ++q->depth > IMAP_SEARCH_DEPTH_MAX)
		return NULL;
	if (imap_parse_char(q->p, '('))
		ok = parse_list(q, k) && imap_parse_char(q->p, ')');
	else if (c == '*' || (c >= '0' && c <= '9'))
		ok = parse_set(q, k, false);
	else
		ok = parse_named(q, k);
	q->depth--;
	k->cost = cost_of(k);
	return ok ? k : NULL;
}

enum rc
imap_search_parse(struct imap_parse *p, const struct search_scope *scope,
    struct search_key **out)
{
	struct parser q = { .p = p, .scope = scope };
	struct str charset;

	if (imap_parse_word(p, STR("CHARSET"))) {
		if (!imap_parse_sp(p) || !imap_parse_astring(p, &charset) ||
		    !imap_parse_sp(p))
			return RC_BAD;
		if (!str_ieq(charset, STR("US-ASCII")) &&
		    !str_ieq(charset, STR("UTF-8")))
			return RC_NOENT;
	}
	*out = new_key(&q, SEARCH_AND);
	if (!parse_list(&q, *out) || !imap_parse_end(p))
		return RC_BAD;
	(*out)->cost = cost_of(*out);
	return RC_OK;
}
