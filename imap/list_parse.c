/*
 * A pattern that is no modified UTF-7 is no error: no mailbox has such a name.
 */
#include "imap/list.h"

#include "imap/mutf7.h"
#include "imap/name.h"

/* "(" options ")", for selecting or returning. */
static bool
parse_options(struct imap_parse *p, struct list_query *q, bool selecting)
{
	struct str word;

	q->extended = true;
	if (imap_parse_char(p, ')'))
		return true;
	do {
		if (!imap_parse_atom(p, &word))
			return false;
		if (str_ieq(word, STR("SUBSCRIBED"))) {
			q->subscribed |= selecting;
			q->show_subscribed = true;
		} else if (str_ieq(word, STR("SPECIAL-USE"))) {
			q->special |= selecting;
		} else if (selecting && str_ieq(word, STR("RECURSIVEMATCH"))) {
			q->recursive = true;
		} else if (!str_ieq(word,
			       selecting ? STR("REMOTE") : STR("CHILDREN"))) {
			return false;
		}
	} while (imap_parse_sp(p));
	return imap_parse_char(p, ')');
}

static bool
add_pattern(struct imap_parse *p, struct list_query *q, struct str ref)
{
	struct list_pattern *pat = &q->pattern[q->n];
	struct str text;
	char *up;

	if (q->n == IMAP_PATTERNS_MAX || !imap_parse_pattern(p, &text) ||
	    ref.n + text.n > IMAP_PATTERN_MAX)
		return false;
	if (text.n == 0 && !q->lsub && !q->extended)
		q->separator = true;
	if (q->lsub) /* section 6.3.9: where "%" stopped at a level */
		q->levels =
		    str_chr(text, '%') < text.n && str_chr(text, '*') == text.n;
	if (imap_mutf7_decode(p->a, str_cat(p->a, ref, text), &text) != RC_OK)
		return true;
	up = arena_alloc(p->a, text.n + 1);
	for (size_t i = 0; i < text.n; i++)
		up[i] = ascii_upper(text.p[i]);
	pat->text = imap_name_fold_inbox(p->a, text);
	pat->upper = str_n(up, text.n);
	q->n++;
	return true;
}

static bool
parse_patterns(struct imap_parse *p, struct list_query *q, struct str ref)
{
	if (q->lsub || !imap_parse_char(p, '('))
		return add_pattern(p, q, ref);
	q->extended = true;
	do {
		if (!add_pattern(p, q, ref))
			return false;
	} while (imap_parse_sp(p));
	return imap_parse_char(p, ')');
}

bool
imap_list_parse(struct imap_parse *p, bool lsub, struct list_query *out)
{
	struct str ref;

	*out = (struct list_query){ .lsub = lsub, .levels = !lsub };
	if (!lsub && imap_parse_char(p, '(') &&
	    (!parse_options(p, out, true) || !imap_parse_sp(p)))
		return false;
	/* RFC 5258 section 3: it modifies another selection */
	if (out->recursive && !out->subscribed && !out->special)
		return false;
	if (!imap_parse_astring(p, &ref) || !imap_parse_sp(p) ||
	    !parse_patterns(p, out, ref))
		return false;
	if (!lsub && imap_parse_sp(p) &&
	    (!imap_parse_word(p, STR("RETURN")) || !imap_parse_sp(p) ||
		!imap_parse_char(p, '(') || !parse_options(p, out, false)))
		return false;
	return imap_parse_end(p);
}

bool
imap_list_matches(const struct list_query *q, struct str name)
{
	for (size_t i = 0; i < q->n; i++) {
		if (imap_name_match(q->pattern[i].text, name))
			return true;
		if (str_eq(name, STR("INBOX")) &&
		    imap_name_match(q->pattern[i].upper, name))
			return true;
	}
	return false;
}
