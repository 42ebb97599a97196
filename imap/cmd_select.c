/*
 * SELECT and EXAMINE (RFC 3501 sections 6.3.1, 6.3.2), CLOSE, UNSELECT
 * (RFC 3691).
 *
 * The rows of the mailbox are read in steps; MODSEQ and UIDNEXT are those of
 * the first snapshot, so what changes while a large mailbox is being read is
 * told by the next command's news.
 */
#include "imap/session.h"

#include "imap/name.h"

struct select {
	struct imap_box *box; /* until it is the session's */
	struct store_mailbox mb;
	uint32_t recent; /* \Recent from this UID on */
	uint32_t next_uid;
	uint32_t unseen; /* first message number without \Seen, 0: none */
};

static void
select_drop(struct imap_session *s)
{
	struct select *sel = s->cur.state;

	if (sel->box == NULL)
		return;
	imap_view_free(&sel->box->view);
	xfree(sel->box);
	sel->box = NULL;
}

static void
announce(struct imap_session *s, const struct select *sel)
{
	struct imap_out *o = &s->out;
	const struct view *v = &s->box->view;

	imap_flags_announce(o, &sel->mb, s->box->readonly);
	imap_out_fmt(o, "* %u EXISTS\r\n* %u RECENT\r\n", imap_view_count(v),
	    imap_view_recent(v));
	if (sel->unseen > 0)
		imap_out_fmt(o, "* OK [UNSEEN %u] First unseen message\r\n",
		    sel->unseen);
	imap_out_fmt(o,
	    "* OK [UIDVALIDITY %u] UIDs valid\r\n"
	    "* OK [UIDNEXT %u] Predicted next UID\r\n",
	    sel->mb.uidvalidity, sel->mb.uidnext);
}

static enum imap_step
select_step(struct imap_session *s)
{
	struct select *sel = s->cur.state;
	struct view *v = &sel->box->view;
	struct store_row *rows =
	    arena_alloc(&s->unit, IMAP_BATCH * sizeof(*rows));
	struct store_view *rv;
	size_t n = 0;
	enum rc rc = imap_view_of_store(s, &rv);

	if (rc == RC_OK && sel->next_uid < sel->mb.uidnext)
		rc = store_rows(rv, sel->box->id, sel->next_uid,
		    sel->mb.uidnext - 1, rows, IMAP_BATCH, &n);
	if (rc != RC_OK)
		return imap_fail(s, rc);
	for (size_t i = 0; i < n; i++) {
		imap_view_add(v, rows[i].uid);
		if (sel->unseen == 0 && (rows[i].flags & STORE_SEEN) == 0)
			sel->unseen = imap_view_count(v);
	}
	if (n == IMAP_BATCH) {
		sel->next_uid = rows[n - 1].uid + 1;
		return STEP_MORE;
	}
	if (sel->mb.uidnext > 1)
		imap_view_add_recent(
		    v, MAX(sel->recent, 1), sel->mb.uidnext - 1);
	v->uidnext = sel->mb.uidnext;
	v->modseq = v->expunged_modseq = sel->mb.highest_modseq;
	sel->box->flags_hash = imap_flags_hash(&sel->mb);
	s->box = sel->box;
	sel->box = NULL;
	s->box->exists = imap_view_count(v);
	s->phase = PH_SELECTED;
	announce(s, sel);
	return imap_ok(s, s->box->readonly ? "[READ-ONLY] Examine completed"
					   : "[READ-WRITE] Select completed");
}

/*
 * \Recent is asked for before the snapshot: what came in between is then
 * recent to us and to the next session, which section 2.3.2 prefers to
 * nobody's.
 */
static enum rc
select_open(
    struct imap_session *s, struct str name, bool readonly, struct select *sel)
{
	enum rc rc = imap_box_find(s, name, &sel->mb);

	if (rc != RC_OK)
		return rc;
	imap_view_drop(s);
	if (store_take_recent(s->d->store, s->account->id, sel->mb.id, readonly,
		imap_deadline(), &sel->recent) != RC_OK)
		sel->recent = UINT32_MAX;
	rc = imap_box_find(s, name, &sel->mb);
	if (rc != RC_OK)
		return rc;
	sel->box = xcalloc(1, sizeof(*sel->box));
	sel->box->id = sel->mb.id;
	sel->box->uidvalidity = sel->mb.uidvalidity;
	sel->box->readonly = readonly;
	sel->next_uid = 1;
	return RC_OK;
}

static enum imap_step
select_run(struct imap_session *s, struct imap_parse *args, bool readonly)
{
	struct select *sel = arena_calloc(&s->mem, 1, sizeof(*sel));
	struct str wire, name;
	enum rc rc;

	if (!imap_parse_astring(args, &wire) || !imap_parse_end(args))
		return imap_bad(s, "Mailbox name expected");
	imap_deselect(s); /* also when the new one cannot be had (6.3.1) */
	if (imap_name_parse(&s->mem, wire, &name) != RC_OK)
		return imap_no(s, "[CANNOT] Not a mailbox name");
	rc = select_open(s, name, readonly, sel);
	if (rc != RC_OK)
		return imap_fail(s, rc);
	s->cur.state = sel;
	s->cur.drop = select_drop;
	s->cur.step = select_step;
	return STEP_MORE;
}

enum imap_step
imap_cmd_select(struct imap_session *s, struct imap_parse *args)
{
	return select_run(s, args, false);
}

enum imap_step
imap_cmd_examine(struct imap_session *s, struct imap_parse *args)
{
	return select_run(s, args, true);
}

enum imap_step
imap_cmd_unselect(struct imap_session *s, struct imap_parse *args)
{
	(void)args;
	imap_deselect(s);
	return imap_ok(s, "Unselect completed");
}

/* RFC 3501 section 6.4.2: expunges without telling, unless read-only. */
enum imap_step
imap_cmd_close(struct imap_session *s, struct imap_parse *args)
{
	enum rc rc = RC_OK;

	(void)args;
	if (!s->box->readonly)
		rc = imap_expunge_all(s);
	if (rc != RC_OK)
		return imap_fail(s, rc);
	imap_deselect(s);
	return imap_ok(s, "Close completed");
}
