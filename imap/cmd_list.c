/*
 * LIST and LSUB (RFC 3501 sections 6.3.8, 6.3.9), with the attributes of
 * RFC 3348 (children) and RFC 6154 (special uses), and the extended LIST of
 * RFC 5258.
 *
 * Names are sorted with the separator before every other byte, so that what
 * is below a name follows it, and a name has children exactly when the next
 * one is below it.  A level without a mailbox comes in as a name of its own.
 */
#include "imap/session.h"

#include <stdlib.h>

#include "imap/list.h"
#include "imap/name.h"

struct list_entry {
	struct str name;
	const struct store_mailbox *mb; /* NULL: a level only */
};

struct list {
	struct list_query q;
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

/* Its name is one of those that are looked at. */
static bool
is_wanted(const struct list_query *q, const struct store_mailbox *mb)
{
	if (q->lsub)
		return mb->subscribed;
	return mb->exists || (q->subscribed && mb->subscribed);
}

/* The mailboxes and every level above them, sorted, each name once. */
static void
build(struct arena *a, struct list *l, const struct store_mailbox *mbs,
    size_t nmbs)
{
	size_t total = 0, once = 0;

	for (size_t i = 0; i < nmbs; i++)
		total +=
		    is_wanted(&l->q, &mbs[i]) ? count_levels(mbs[i].name) : 0;
	l->v = arena_calloc(a, MAX(total, 1), sizeof(*l->v));
	for (size_t i = 0; i < nmbs; i++) {
		struct str name = mbs[i].name;

		if (!is_wanted(&l->q, &mbs[i]))
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

static void
attribute(struct imap_out *o, bool *first, struct str name)
{
	if (!*first)
		imap_out_str(o, STR(" "));
	*first = false;
	imap_out_str(o, name);
}

/* The selection options speak for it. */
static bool
is_selected(const struct list_query *q, const struct list_entry *e)
{
	if (e->mb == NULL)
		return q->levels && !q->subscribed && !q->special;
	return (!q->subscribed || e->mb->subscribed) &&
	       (!q->special || e->mb->special_use.n > 0);
}

static bool
any_below(const struct list *l, size_t i,
    bool (*is)(const struct list_query *q, const struct list_entry *e))
{
	for (size_t k = i + 1;
	     k < l->n && imap_name_is_child(l->v[k].name, l->v[i].name); k++) {
		if (l->v[k].mb != NULL && is(&l->q, &l->v[k]))
			return true;
	}
	return false;
}

static bool
is_there(const struct list_query *q, const struct list_entry *e)
{
	(void)q;
	return e->mb->exists;
}

static void
attributes(struct imap_session *s, const struct list *l, size_t i)
{
	const struct store_mailbox *mb = l->v[i].mb;
	bool first = true;

	if (mb == NULL || (!mb->exists && !l->q.lsub))
		attribute(&s->out, &first,
		    l->q.extended ? STR("\\NonExistent") : STR("\\Noselect"));
	if (l->q.lsub)
		return;
	if (mb != NULL && mb->subscribed && l->q.show_subscribed)
		attribute(&s->out, &first, STR("\\Subscribed"));
	attribute(&s->out, &first,
	    any_below(l, i, is_there) ? STR("\\HasChildren")
				      : STR("\\HasNoChildren"));
	if (mb != NULL && mb->exists && mb->special_use.n > 0)
		attribute(&s->out, &first, mb->special_use);
}

static void
print(struct imap_session *s, const struct list *l, size_t i)
{
	const struct list_query *q = &l->q;
	bool below = q->recursive && any_below(l, i, is_selected);

	if (!imap_list_matches(q, l->v[i].name) ||
	    (!is_selected(q, &l->v[i]) && !below))
		return;
	imap_out_str(&s->out, q->lsub ? STR("* LSUB (") : STR("* LIST ("));
	attributes(s, l, i);
	imap_out_str(&s->out, STR(") \"/\" "));
	imap_out_astring(&s->out, imap_name_wire(&s->unit, l->v[i].name));
	if (below && q->subscribed)
		imap_out_str(&s->out, STR(" (\"CHILDINFO\" (\"SUBSCRIBED\"))"));
	imap_out_str(&s->out, STR("\r\n"));
}

static enum imap_step
list_step(struct imap_session *s)
{
	struct list *l = s->cur.state;

	while (l->at < l->n) {
		print(s, l, l->at++);
		if (imap_out_full(&s->out))
			return STEP_MORE;
	}
	return imap_ok(s, l->q.lsub ? "Lsub completed" : "List completed");
}

static enum imap_step
list_run(struct imap_session *s, struct imap_parse *args, bool lsub)
{
	struct list *l = arena_calloc(&s->mem, 1, sizeof(*l));
	struct store_mailbox *mbs;
	struct store_view *rv;
	size_t n;
	enum rc rc;

	if (!imap_list_parse(args, lsub, &l->q))
		return imap_bad(s, "Reference and pattern expected");
	if (l->q.separator) {
		imap_out_str(
		    &s->out, STR("* LIST (\\Noselect) \"/\" \"\"\r\n"));
		return imap_ok(s, "List completed");
	}
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
