/*
 * The keys that the row or the envelope decides; those that read the message
 * are in search_text.c.  Dates are compared as days (RFC 3501 section 6.4.4:
 * time and zone are disregarded); the zone of INTERNALDATE is UTC.
 */
#include "imap/search.h"

#include "mail/date.h"

static enum rc
match_sent(struct imap_session *s, const struct search_key *k,
    struct imap_message *m, bool *out)
{
	const struct mail_envelope *e;
	int64_t day;
	enum rc rc = imap_message_meta(s, m, false);

	*out = false;
	if (rc != RC_OK)
		return rc;
	e = m->meta.root->envelope;
	if (e == NULL || !e->date_valid)
		return RC_OK;
	day = mail_date_day(e->when);
	if (k->kind == SEARCH_SENTBEFORE)
		*out = day < k->day;
	else if (k->kind == SEARCH_SENTON)
		*out = day == k->day;
	else
		*out = day >= k->day;
	return RC_OK;
}

/* NEW is recent and unseen, OLD is not recent. */
static bool
match_recent(const struct imap_session *s, const struct search_key *k,
    const struct store_row *row)
{
	bool recent = imap_view_is_recent(&s->box->view, row->uid);

	return recent == (k->want == 1) && (row->flags & k->mask) == 0;
}

static bool
match_row(const struct imap_session *s, const struct search_key *k,
    const struct store_row *row)
{
	struct mail_date received = { row->internal_date, 0 };

	switch (k->kind) {
	case SEARCH_ALL:
		return true;
	case SEARCH_FLAGS:
		return (row->flags & k->mask) == k->want;
	case SEARCH_RECENT:
		return match_recent(s, k, row);
	case SEARCH_LARGER:
		return row->size > k->number;
	case SEARCH_SMALLER:
		return row->size < k->number;
	case SEARCH_BEFORE:
		return mail_date_day(received) < k->day;
	case SEARCH_ON:
		return mail_date_day(received) == k->day;
	case SEARCH_SINCE:
		return mail_date_day(received) >= k->day;
	case SEARCH_UIDS:
		return imap_uids_have(&k->uids, row->uid);
	default:
		panic("search: kind %d is no row's", (int)k->kind);
	}
}

/* AND ends at the first that says no, OR at the first that says yes. */
static enum rc
match_children(struct imap_session *s, const struct search_key *k,
    struct imap_message *m, bool *out)
{
	bool stop = k->kind == SEARCH_OR;

	*out = !stop;
	for (const struct search_key *c = k->child; c != NULL; c = c->next) {
		enum rc rc = imap_search_match(s, c, m, out);

		if (rc != RC_OK || *out == stop)
			return rc;
	}
	return RC_OK;
}

enum rc
imap_search_match(struct imap_session *s, const struct search_key *k,
    struct imap_message *m, bool *out)
{
	enum rc rc;

	switch (k->kind) {
	case SEARCH_AND:
	case SEARCH_OR:
		return match_children(s, k, m, out);
	case SEARCH_NOT:
		rc = imap_search_match(s, k->child, m, out);
		*out = !*out;
		return rc;
	case SEARCH_SENTBEFORE:
	case SEARCH_SENTON:
	case SEARCH_SENTSINCE:
		return match_sent(s, k, m, out);
	case SEARCH_HEADER:
		return imap_search_header(s, k, m, out);
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return imap_search_text(s, k, m, out);
	default:
		*out = match_row(s, k, &m->row);
		return RC_OK;
	}
}
