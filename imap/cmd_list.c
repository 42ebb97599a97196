/*
 * LIST and LSUB (RFC 3501 sections 6.3.8, 6.3.9), with the attributes of
 * RFC 3348 (children) and RFC 6154 (special uses).
 *
 * Names are sorted with the separator before every other byte, so that what
 * is below a name follows it, and a name has children exactly when the next
 * one is below it.  A level without a mailbox comes in as a name of its own.
 */
#include "imap/session.h"

#include <stdlib.h>

#include "imap/mutf7.h"
#include "imap/name.h"

#define IMAP_PATTERN_MAX 2000u

struct list_entry {
	struct str name;
	const struct store_mailbox *mb; /* NULL: a level only */
};

struct list {
	struct str response; /* "LIST" or "LSUB" */
	bool lsub;
	bool levels; /* levels without a mailbox are shown */
	struct str pattern, upper;
	struct list_entry *v;
	size_t n, at;
};

static int
rank(char c)
{
	return c == IMAP_SEPARATOR ? 0 : (unsigned char)c + 1;
}

static int
by_name(const void *a, const void *b)
{
	const struct list_entry *x = a, *y = b;
	size_t n = MIN(x->name.n, y->name.n);

	for (size_t i = 0; i < n; i++) {
		int d = rank(x->name.p[i]) - rank(y->name.p[i]);

		if (d != 0)
			return d;
	}
	if (x->name.n != y->name.n)
		return x->name.n < y->name.n ? -1 : 1;
	/* the mailbox before the level of the same name */
	return (x->mb == NULL) - (y->mb == NULL);
}

static size_t
count_levels(struct str name)
{
	size_t n = 1;

	for (size_t i = 0; i < name.n; i++)
		n += name.p[i] == IMAP_SEPARATOR;
	return n;
}

static bool
is_wanted(const struct list *l, const struct store_mailbox *mb)
{
	return l->lsub ? mb->subscribed : mb->exists;
}

/* The mailboxes and every level above them, sorted, each name once. */
static void
build(struct arena *a, struct list *l, const struct store_mailbox *mbs,
    size_t nmbs)
{
	size_t total = 0, once = 0;

	for (size_t i = 0; i < nmbs; i++)
		total += is_wanted(l, &mbs[i]) ? count_levels(mbs[i].name) : 0;
	l->v = arena_calloc(a, MAX(total, 1), sizeof(*l->v));
	for (size_t i = 0; i < nmbs; i++) {
		struct str name = mbs[i].name;

		if (!is_wanted(l, &mbs[i]))
			continue;
		l->v[l->n++] = (struct list_entry){ name, &mbs[i] };
		for (size_t k = name.n; k-- > 0;) {
			if (name.p[k] == IMAP_SEPARATOR)
				l->v[l->n++] =
				    (struct list_entry){ str_sub(name, 0, k),
					    NULL };
		}
	}
	qsort(l->v, l->n, sizeof(*l->v), by_name);
	for (size_t i = 0; i < l->n; i++) {
		if (once == 0 || !str_eq(l->v[i].name, l->v[once - 1].name))
			l->v[once++] = l->v[i];
	}
	l->n = once;
}

static bool
matches(const struct list *l, struct str name)
{
	if (imap_name_match(l->pattern, name))
		return true;
	return str_eq(name, STR("INBOX")) && imap_name_match(l->upper, name);
}

static void
attribute(struct imap_out *o, bool *first, struct str name)
{
	if (!*first)
		imap_out_str(o, STR(" "));
	*first = false;
	imap_out_str(o, name);
}

static void
print(struct imap_session *s, const struct list *l, size_t i)
{
	const struct list_entry *e = &l->v[i];
	bool children =
	    i + 1 < l->n && imap_name_is_child(l->v[i + 1].name, e->name);
	struct imap_out *o = &s->out;
	bool first = true;

	imap_out_str(o, STR("* "));
	imap_out_str(o, l->response);
	imap_out_str(o, STR(" ("));
	if (e->mb == NULL)
		attribute(o, &first, STR("\\Noselect"));
	if (!l->lsub) {
		attribute(o, &first,
		    children ? STR("\\HasChildren") : STR("\\HasNoChildren"));
		if (e->mb != NULL && e->mb->special_use.n > 0)
			attribute(o, &first, e->mb->special_use);
	}
	imap_out_str(o, STR(") \"/\" "));
	imap_out_astring(o, imap_name_wire(&s->unit, e->name));
	imap_out_str(o, STR("\r\n"));
}

static enum imap_step
list_step(struct imap_session *s)
{
	struct list *l = s->cur.state;

	while (l->at < l->n) {
		size_t i = l->at++;

		if (l->v[i].mb == NULL && !l->levels)
			continue;
		if (matches(l, l->v[i].name))
			print(s, l, i);
		if (imap_out_full(&s->out))
			return STEP_MORE;
	}
	return imap_ok(s, l->lsub ? "Lsub completed" : "List completed");
}

static bool
parse_pattern(struct arena *a, struct list *l, struct str ref, struct str pat)
{
	struct str name;
	char *up;

	if (imap_mutf7_decode(a, str_cat(a, ref, pat), &name) != RC_OK)
		return false;
	l->pattern = imap_name_fold_inbox(a, name);
	up = arena_alloc(a, name.n + 1);
	for (size_t i = 0; i < name.n; i++)
		up[i] = ascii_upper(name.p[i]);
	l->upper = str_n(up, name.n);
	return true;
}

static enum imap_step
list_run(struct imap_session *s, struct imap_parse *args, bool lsub)
{
	struct list *l = arena_calloc(&s->mem, 1, sizeof(*l));
	struct store_mailbox *mbs;
	struct store_view *rv;
	struct str ref, pat;
	size_t n;
	enum rc rc;

	if (!imap_parse_astring(args, &ref) || !imap_parse_sp(args) ||
	    !imap_parse_pattern(args, &pat) || !imap_parse_end(args))
		return imap_bad(s, "Reference and pattern expected");
	if (ref.n + pat.n > IMAP_PATTERN_MAX)
		return imap_no(s, "[LIMIT] Pattern is too long");
	l->lsub = lsub;
	l->response = lsub ? STR("LSUB") : STR("LIST");
	/* section 6.3.9: a level is shown only where "%" stopped at it */
	l->levels =
	    !lsub || (str_chr(pat, '%') < pat.n && str_chr(pat, '*') == pat.n);
	if (pat.n == 0 && !lsub) { /* what separates levels? */
		imap_out_str(
		    &s->out, STR("* LIST (\\Noselect) \"/\" \"\"\r\n"));
		return imap_ok(s, "List completed");
	}
	if (!parse_pattern(&s->mem, l, ref, pat))
		return imap_ok(s, "No mailbox has such a name");
	rc = imap_view_of_store(s, &rv);
	if (rc == RC_OK)
		rc = store_mailboxes(
		    rv, &s->mem, s->account->id, s->account->key, &mbs, &n);
	if (rc != RC_OK)
		return imap_fail(s, rc);
	build(&s->mem, l, mbs, n);
	s->cur.state = l;
	s->cur.step = list_step;
	return STEP_MORE;
}

enum imap_step
imap_cmd_list(struct imap_session *s, struct imap_parse *args)
{
	return list_run(s, args, false);
}

enum imap_step
imap_cmd_lsub(struct imap_session *s, struct imap_parse *args)
{
	return list_run(s, args, true);
}
