/*
 * Telling a session what has changed in its mailbox since it was last told.
 *
 * RFC 3501 section 7.4.1: message numbers may not change under a client that
 * uses them, so expunges are held back until a command allows them, while new
 * messages and flags are told with every reply.  That is why a view has two
 * positions in the mailbox's history.
 *
 * One snapshot is told in up to three stages, in steps with bounded output;
 * what changes meanwhile has a higher MODSEQ and is told the next time.
 */
#include "imap/session.h"

void
imap_sync_own(struct imap_box *box, uint64_t modseq)
{
	if (modseq == 0)
		return;
	if (box->view.modseq + 1 == modseq)
		box->view.modseq = modseq;
	else
		box->own_modseq = modseq;
}

void
imap_sync_tell_flags(struct imap_session *s, const struct store_mailbox *mb,
    const struct store_row *row, bool uid)
{
	struct view *v = &s->box->view;
	uint32_t seq = imap_view_seq(v, row->uid);

	if (seq == 0)
		return;
	imap_out_str(&s->out, STR("* "));
	imap_out_u64(&s->out, seq);
	imap_out_str(&s->out, STR(" FETCH ("));
	if (uid) {
		imap_out_str(&s->out, STR("UID "));
		imap_out_u64(&s->out, row->uid);
		imap_out_str(&s->out, STR(" "));
	}
	imap_out_str(&s->out, STR("FLAGS "));
	imap_flags_print(
	    &s->out, mb, row->flags, imap_view_is_recent(v, row->uid));
	imap_out_str(&s->out, STR(")\r\n"));
}

void
imap_sync_tell_keywords(struct imap_session *s, const struct store_mailbox *mb)
{
	uint64_t hash = imap_flags_hash(mb);

	if (hash == s->box->flags_hash)
		return;
	s->box->flags_hash = hash;
	imap_flags_announce(&s->out, mb, s->box->readonly);
}

static enum rc
tell_expunges(struct imap_session *s)
{
	struct view *v = &s->box->view;
	struct store_view *rv;
	struct uid_set gone;
	enum rc rc = imap_view_of_store(s, &rv);

	if (rc == RC_OK)
		rc = store_expunged(
		    rv, &s->unit, s->box->id, v->expunged_modseq, &gone);
	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; i < gone.n; i++) {
		uint32_t seq;
		uint32_t n =
		    imap_view_remove(v, gone.v[i].lo, gone.v[i].hi, &seq);

		for (; n > 0 && seq <= s->box->exists; n--) {
			imap_out_fmt(&s->out, "* %u EXPUNGE\r\n", seq);
			s->box->exists--;
		}
	}
	v->expunged_modseq = s->box->sync.modseq;
	return RC_OK;
}

/* Which of the new messages are \Recent to us; asked before the snapshot. */
static uint32_t
take_recent(struct imap_session *s)
{
	uint32_t first;

	imap_view_drop(s);
	if (store_take_recent(s->d->store, s->account->id, s->box->id,
		s->box->readonly, imap_deadline(), &first) != RC_OK)
		return UINT32_MAX;
	return first;
}

static enum rc
read_row(struct imap_session *s, struct store_mailbox *mb)
{
	enum rc rc = imap_box_row(s, &s->unit, mb);

	if (rc == RC_OK && mb->uidvalidity != s->box->uidvalidity)
		return RC_NOENT;
	return rc;
}

/* RC_NOENT: nothing to tell. */
static enum rc
begin(struct imap_session *s, bool expunge)
{
	struct imap_box *box = s->box;
	struct view *v = &box->view;
	struct store_mailbox mb;
	uint32_t recent = UINT32_MAX;
	enum rc rc;

	imap_view_drop(s);
	rc = read_row(s, &mb);
	if (rc == RC_OK && mb.uidnext > v->uidnext) {
		recent = take_recent(s);
		rc = read_row(s, &mb);
	}
	if (rc == RC_NOENT)
		imap_bye(s, STR("The selected mailbox was deleted"));
	if (rc != RC_OK)
		return rc;
	imap_sync_tell_keywords(s, &mb);
	if (mb.highest_modseq == v->modseq && mb.uidnext == v->uidnext &&
	    (!expunge || v->expunged_modseq == mb.highest_modseq))
		return RC_NOENT;
	box->sync = (struct imap_sync){
		.stage = SYNC_NEW,
		.modseq = mb.highest_modseq,
		.uidnext = MAX(mb.uidnext, v->uidnext),
		.old_next = v->uidnext,
		.next_uid = v->uidnext,
	};
	if (expunge && tell_expunges(s) != RC_OK)
		return RC_TEMP;
	if (mb.uidnext > v->uidnext)
		imap_view_add_recent(
		    v, MAX(recent, v->uidnext), mb.uidnext - 1);
	return RC_OK;
}

static enum rc
read_rows(struct imap_session *s, uint64_t since, uint32_t end,
    struct store_row **out, size_t *n)
{
	struct imap_sync *y = &s->box->sync;
	struct store_view *rv;
	enum rc rc;

	*n = 0;
	if (y->next_uid >= end)
		return RC_OK;
	*out = arena_alloc(&s->unit, IMAP_BATCH * sizeof(**out));
	rc = imap_view_of_store(s, &rv);
	if (rc == RC_OK && since == 0)
		rc = store_rows(
		    rv, s->box->id, y->next_uid, end - 1, *out, IMAP_BATCH, n);
	else if (rc == RC_OK)
		rc = store_rows_since(rv, s->box->id, since, y->next_uid,
		    end - 1, *out, IMAP_BATCH, n);
	if (rc == RC_OK && *n > 0)
		y->next_uid = (*out)[*n - 1].uid + 1;
	return rc;
}

static enum rc
step_new(struct imap_session *s)
{
	struct imap_sync *y = &s->box->sync;
	struct view *v = &s->box->view;
	struct store_row *rows;
	size_t n;
	enum rc rc = read_rows(s, 0, y->uidnext, &rows, &n);

	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; i < n; i++) {
		imap_view_add(v, rows[i].uid);
		v->uidnext = rows[i].uid + 1;
	}
	if (n == IMAP_BATCH)
		return RC_OK;
	v->uidnext = y->uidnext;
	if (imap_view_count(v) != s->box->exists) {
		s->box->exists = imap_view_count(v);
		imap_out_fmt(&s->out, "* %u EXISTS\r\n* %u RECENT\r\n",
		    imap_view_count(v), imap_view_recent(v));
	}
	y->stage = SYNC_FLAGS;
	y->next_uid = 1;
	return RC_OK;
}

static enum rc
step_flags(struct imap_session *s)
{
	struct imap_sync *y = &s->box->sync;
	struct view *v = &s->box->view;
	struct store_mailbox mb;
	struct store_row *rows;
	size_t n = 0;
	enum rc rc = RC_OK;

	if (v->modseq < y->modseq)
		rc = read_rows(s, v->modseq, y->old_next, &rows, &n);
	if (rc == RC_OK && n > 0)
		rc = imap_box_row(s, &s->unit, &mb);
	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; i < n; i++) {
		if (rows[i].modseq != s->box->own_modseq)
			imap_sync_tell_flags(s, &mb, &rows[i], s->cur.uid);
	}
	if (n == IMAP_BATCH)
		return RC_OK;
	v->modseq = MAX(v->modseq, y->modseq);
	s->box->own_modseq = 0;
	y->stage = SYNC_NONE;
	return RC_OK;
}

/*
 * Trouble with the store is no news: what could not be told is told the next
 * time.
 */
enum imap_step
imap_sync_step(struct imap_session *s, bool expunge)
{
	struct imap_sync *y = &s->box->sync;
	enum rc rc;

	switch (y->stage) {
	case SYNC_NONE:
		rc = begin(s, expunge);
		break;
	case SYNC_NEW:
		rc = step_new(s);
		break;
	default:
		rc = step_flags(s);
		break;
	}
	if (rc == RC_OK && y->stage != SYNC_NONE)
		return STEP_MORE;
	y->stage = SYNC_NONE;
	return STEP_DONE;
}
