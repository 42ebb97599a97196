/*
 * STORE (RFC 3501 section 6.4.6).
 *
 * The change is one call for the whole set; then the flags are told as a FETCH
 * would, in steps.  With .SILENT the news are told before the change, so that
 * another session's change to the same messages is not taken for ours.
 */
#include "imap/session.h"

struct store_cmd {
	struct uid_set uids;
	enum store_flag_op op;
	bool silent, stored;
	struct imap_flags flags;
	size_t range; /* where telling goes on */
	uint32_t next_uid;
};

static enum rc
change(struct imap_session *s, struct store_cmd *c)
{
	struct store_flagged done;
	struct store_flags in = {
		.account = s->account->id,
		.mailbox = s->box->id,
		.uids = c->uids,
		.op = c->op,
		.flags = c->flags.system,
		.keywords = c->flags.kw,
		.nkeywords = c->flags.nkw,
		.unchanged_since = UINT64_MAX,
	};
	enum rc rc;

	imap_view_drop(s);
	rc = store_flags(s->d->store, &s->mem, &in, imap_deadline(), &done);
	if (rc == RC_OK)
		imap_sync_own(s->box, done.modseq);
	return rc;
}

static enum imap_step
tell_step(struct imap_session *s, struct store_cmd *c)
{
	struct store_row *rows =
	    arena_alloc(&s->unit, IMAP_BATCH * sizeof(*rows));
	struct uid_range r = c->uids.v[c->range];
	struct store_mailbox mb;
	struct store_view *rv;
	size_t n = 0;
	enum rc rc = imap_box_row(s, &s->unit, &mb);

	if (rc == RC_OK)
		rc = imap_view_of_store(s, &rv);
	if (rc == RC_OK)
		rc = store_rows(rv, s->box->id, MAX(r.lo, c->next_uid), r.hi,
		    rows, IMAP_BATCH, &n);
	if (rc != RC_OK)
		return imap_fail(s, rc);
	imap_sync_tell_keywords(s, &mb);
	for (size_t i = 0; i < n; i++)
		imap_sync_tell_flags(s, &mb, &rows[i], s->cur.uid);
	if (n == IMAP_BATCH && rows[n - 1].uid < r.hi) {
		c->next_uid = rows[n - 1].uid + 1;
	} else {
		c->next_uid = 0;
		c->range++;
	}
	return STEP_MORE;
}

static enum imap_step
store_step(struct imap_session *s)
{
	struct store_cmd *c = s->cur.state;
	enum rc rc;

	if (!c->stored) {
		if (c->silent && imap_sync_step(s, s->cur.uid) == STEP_MORE)
			return STEP_MORE;
		rc = change(s, c);
		if (rc == RC_DENY)
			return imap_no(s, "[LIMIT] Too many keywords");
		if (rc != RC_OK)
			return imap_fail(s, rc);
		c->stored = true;
	}
	if (!c->silent && c->range < c->uids.n)
		return tell_step(s, c);
	return imap_ok(s, "Store completed");
}

static bool
parse_store(struct imap_parse *p, struct store_cmd *c)
{
	if (!imap_parse_sp(p))
		return false;
	c->op = STORE_FLAGS_SET;
	if (imap_parse_char(p, '+'))
		c->op = STORE_FLAGS_ADD;
	else if (imap_parse_char(p, '-'))
		c->op = STORE_FLAGS_REMOVE;
	if (imap_parse_word(p, STR("FLAGS.SILENT")))
		c->silent = true;
	else if (!imap_parse_word(p, STR("FLAGS")))
		return false;
	return imap_parse_sp(p) && imap_flags_parse(p, &c->flags) &&
	       imap_parse_end(p);
}

enum imap_step
imap_cmd_store(struct imap_session *s, struct imap_parse *args)
{
	struct store_cmd *c = arena_calloc(&s->mem, 1, sizeof(*c));

	if (!imap_arg_set(s, args, &c->uids))
		return STEP_DONE;
	if (!parse_store(args, c))
		return imap_bad(s, "Flags expected");
	if (c->uids.n == 0)
		return imap_ok(s, "No such message");
	s->cur.state = c;
	s->cur.step = store_step;
	return STEP_MORE;
}
