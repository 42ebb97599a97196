/*
 * SEARCH and UID SEARCH (RFC 3501 section 6.4.4).
 *
 * Messages are looked at in steps of bounded time; matches are kept as runs
 * and said when all are known, because a message that cannot be read makes
 * the whole answer unknown (NO [UNAVAILABLE]).
 */
#include "imap/search.h"

#include <string.h>

struct search_cmd {
	struct search_key *key;
	struct uid_set uids; /* to look at */
	size_t range;
	uint32_t next_uid;
	struct imap_message msg;
	struct uid_set found; /* owned */
	size_t size;
	bool listing;
	size_t list_range;
	uint32_t list_uid;
};

static void
search_drop(struct imap_session *s)
{
	struct search_cmd *c = s->cur.state;

	imap_message_end(&c->msg);
	arena_free(&c->msg.mem);
	xfree(c->found.v);
}

static void
add_found(struct search_cmd *c, uint32_t uid)
{
	struct uid_set *f = &c->found;

	if (f->n > 0 && f->v[f->n - 1].hi + 1 == uid) {
		f->v[f->n - 1].hi = uid;
		return;
	}
	if (f->n == c->size) {
		c->size = c->size == 0 ? 16 : c->size * 2;
		f->v = xrealloc(f->v, c->size * sizeof(*f->v));
	}
	f->v[f->n++] = (struct uid_range){ uid, uid };
}

static enum rc
look_at(
    struct imap_session *s, struct search_cmd *c, const struct store_row *row)
{
	bool match = false;
	enum rc rc;

	imap_message_begin(&c->msg, row);
	rc = imap_search_match(s, c->key, &c->msg, &match);
	imap_message_end(&c->msg);
	if (rc == RC_NOENT) /* expunged while we look: it is not there */
		return RC_OK;
	if (rc == RC_OK && match && imap_view_seq(&s->box->view, row->uid) > 0)
		add_found(c, row->uid);
	return rc;
}

/* A batch of rows; those that cost more than their row end it by time. */
static enum rc
look_step(struct imap_session *s, struct search_cmd *c)
{
	struct store_row *rows =
	    arena_alloc(&s->unit, IMAP_BATCH * sizeof(*rows));
	struct uid_range r = c->uids.v[c->range];
	int64_t until = now_ns() + IMAP_UNIT_NS;
	struct store_view *rv;
	size_t n = 0, i;
	enum rc rc = imap_view_of_store(s, &rv);

	if (rc == RC_OK)
		rc = store_rows(rv, s->box->id, MAX(r.lo, c->next_uid), r.hi,
		    rows, IMAP_BATCH, &n);
	if (rc != RC_OK)
		return rc;
	for (i = 0; i < n; i++) {
		rc = look_at(s, c, &rows[i]);
		if (rc != RC_OK)
			return rc;
		c->next_uid = rows[i].uid + 1;
		if (c->key->cost > 0 && now_ns() > until)
			return RC_OK;
	}
	if (n < IMAP_BATCH || c->next_uid > r.hi) {
		c->range++;
		c->next_uid = 0;
	}
	return RC_OK;
}

static void
list_step(struct imap_session *s, struct search_cmd *c)
{
	while (c->list_range < c->found.n && !imap_out_full(&s->out)) {
		struct uid_range r = c->found.v[c->list_range];
		uint32_t uid = MAX(c->list_uid, r.lo);

		imap_out_str(&s->out, STR(" "));
		imap_out_u64(&s->out,
		    s->cur.uid ? uid : imap_view_seq(&s->box->view, uid));
		c->list_uid = uid + 1;
		if (uid == r.hi)
			c->list_range++;
	}
}

static enum imap_step
search_step(struct imap_session *s)
{
	struct search_cmd *c = s->cur.state;
	enum rc rc;

	if (c->range < c->uids.n) {
		rc = look_step(s, c);
		if (rc != RC_OK)
			return imap_fail(s, RC_TEMP);
		return STEP_MORE;
	}
	if (!c->listing) {
		imap_out_str(&s->out, STR("* SEARCH"));
		c->listing = true;
	}
	list_step(s, c);
	if (c->list_range < c->found.n)
		return STEP_MORE;
	imap_out_str(&s->out, STR("\r\n"));
	return imap_ok(s, "Search completed");
}

/* Only what a set on the top level allows need be looked at. */
static void
choose_uids(struct imap_session *s, struct search_cmd *c)
{
	uint32_t top = imap_view_max_uid(&s->box->view);

	for (const struct search_key *k = c->key->child; k != NULL;
	     k = k->next) {
		if (k->kind == SEARCH_UIDS) {
			c->uids = k->uids;
			return;
		}
	}
	if (top == 0)
		return;
	c->uids.v = arena_calloc(&s->mem, 1, sizeof(*c->uids.v));
	c->uids.v[0] = (struct uid_range){ 1, top };
	c->uids.n = 1;
}

enum imap_step
imap_cmd_search(struct imap_session *s, struct imap_parse *args)
{
	struct search_cmd *c = arena_calloc(&s->mem, 1, sizeof(*c));
	struct search_scope scope = { .view = &s->box->view };
	struct store_mailbox mb;
	enum rc rc = imap_box_row(s, &s->mem, &mb);

	if (rc != RC_OK)
		return imap_fail(s, rc);
	scope.mb = &mb;
	rc = imap_search_parse(args, &scope, &c->key);
	if (rc == RC_NOENT)
		return imap_no(s, "[BADCHARSET (US-ASCII UTF-8)] Charset");
	if (rc != RC_OK)
		return imap_bad(s, "Search program expected");
	choose_uids(s, c);
	s->cur.state = c;
	s->cur.drop = search_drop;
	s->cur.step = search_step;
	return STEP_MORE;
}
