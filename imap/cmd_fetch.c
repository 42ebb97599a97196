/*
 * FETCH (RFC 3501 section 6.4.5) as a cursor over messages, their items, and
 * the bytes of one item.
 *
 * An item that cannot be read is left out and the reply is NO [UNAVAILABLE];
 * only when it breaks off within a literal is there nothing left to say, and
 * the session ends.
 *
 * \Seen is set for a batch of at most SEEN_BYTES before its bytes are sent, and
 * told in the same response; that it could not be set keeps nobody from
 * reading.
 */
#include "imap/fetch.h"
#include "imap/message.h"
#include "imap/section.h"
#include "imap/structure.h"
#include "mail/date.h"

#define SEEN_BYTES (1u << 20)
#define FAULTS_MAX 20u /* items that cannot be read; then it gives up */

struct fetch {
	struct fetch_plan plan;
	struct uid_set uids;
	size_t range; /* of uids, where reading rows goes on */
	uint32_t next_uid;
	uint32_t expected, found; /* messages */
	uint64_t modseq;          /* of the mailbox when it began */
	unsigned faults;          /* items that could not be read */
	bool gone;                /* a message was expunged meanwhile */

	struct arena mem; /* of the batch */
	struct store_mailbox mb;
	struct store_row *rows;
	size_t nrows, row;
	struct uid_set seen; /* UIDs that just became \Seen */

	struct imap_message msg;
	bool open;   /* "* n FETCH (" was said */
	bool in_msg; /* msg is rows[row] */
	size_t item;
	struct imap_section sec;
};

static void
fetch_drop(struct imap_session *s)
{
	struct fetch *f = s->cur.state;

	imap_message_end(&f->msg);
	arena_free(&f->msg.mem);
	arena_free(&f->mem);
}

/* Cut the batch to what is sent soon, and set \Seen where it is missing. */
static void
set_seen(struct imap_session *s, struct fetch *f)
{
	struct store_flags in = {
		.account = s->account->id,
		.mailbox = s->box->id,
		.op = STORE_FLAGS_ADD,
		.flags = STORE_SEEN,
		.unchanged_since = UINT64_MAX,
	};
	struct store_flagged done;
	uint64_t bytes = 0;
	size_t n;

	for (n = 0; n < f->nrows && (n == 0 || bytes < SEEN_BYTES); n++)
		bytes += f->rows[n].size;
	f->nrows = n;
	in.uids.v = arena_calloc(&f->mem, n, sizeof(*in.uids.v));
	for (size_t i = 0; i < n; i++) {
		uint32_t uid = f->rows[i].uid;

		if ((f->rows[i].flags & STORE_SEEN) == 0)
			in.uids.v[in.uids.n++] = (struct uid_range){ uid, uid };
	}
	if (in.uids.n == 0)
		return;
	imap_uids_normalise(&in.uids);
	imap_view_drop(s);
	if (store_flags(s->d->store, &f->mem, &in, imap_deadline(), &done) !=
	    RC_OK) {
		log_warn(&s->log, "imap.seen", KVU("mailbox", s->box->id));
		return;
	}
	imap_sync_own(s->box, done.modseq);
	f->seen = in.uids;
	for (size_t i = 0; i < n; i++)
		f->rows[i].flags |= STORE_SEEN;
}

/* RC_NOENT: no more messages. */
static enum rc
next_batch(struct imap_session *s, struct fetch *f)
{
	struct store_view *rv;
	struct uid_range r;
	enum rc rc;

	if (f->range == f->uids.n)
		return RC_NOENT;
	arena_reset(&f->mem);
	f->seen = (struct uid_set){ 0 };
	f->row = f->nrows = 0;
	f->rows = arena_alloc(&f->mem, IMAP_BATCH * sizeof(*f->rows));
	r = f->uids.v[f->range];
	rc = imap_box_row(s, &f->mem, &f->mb);
	if (rc == RC_OK)
		rc = imap_view_of_store(s, &rv);
	if (rc == RC_OK)
		rc = store_rows(rv, s->box->id, MAX(r.lo, f->next_uid), r.hi,
		    f->rows, IMAP_BATCH, &f->nrows);
	if (rc != RC_OK)
		return RC_TEMP;
	imap_sync_tell_keywords(s, &f->mb);
	if (f->modseq == 0)
		f->modseq = f->mb.highest_modseq;
	size_t got = f->nrows;
	if (f->plan.seen && !s->box->readonly && got > 0)
		set_seen(s, f);
	if (got < IMAP_BATCH && f->nrows == got) {
		f->range++;
		f->next_uid = 0;
	} else {
		f->next_uid = f->rows[f->nrows - 1].uid + 1;
	}
	return RC_OK;
}

static void
put_simple(struct imap_session *s, struct fetch *f, const struct fetch_item *it)
{
	const struct store_row *row = &f->msg.row;
	struct imap_out *o = &s->out;

	imap_out_str(o, it->label);
	imap_out_str(o, STR(" "));
	switch (it->kind) {
	case FETCH_FLAGS:
		imap_flags_print(o, &f->mb, row->flags,
		    imap_view_is_recent(&s->box->view, row->uid));
		break;
	case FETCH_UID:
		imap_out_u64(o, row->uid);
		break;
	case FETCH_INTERNALDATE:
		imap_out_str(o, STR("\""));
		imap_out_str(
		    o, mail_date_imap_text(&f->msg.mem,
			   (struct mail_date){ row->internal_date, 0 }));
		imap_out_str(o, STR("\""));
		break;
	case FETCH_SIZE:
		imap_out_u64(o, row->size);
		break;
	case FETCH_ENVELOPE:
		imap_structure_envelope(
		    o, &f->msg.mem, f->msg.meta.root->envelope);
		break;
	default:
		imap_structure_body(o, &f->msg.mem, f->msg.meta.root,
		    it->kind == FETCH_BODYSTRUCTURE);
		break;
	}
}

/* One item; what was said of it is taken back when it fails. */
static void
put_item(struct imap_session *s, struct fetch *f, const struct fetch_item *it)
{
	size_t before = s->out.b.n;
	bool was_open = f->open;
	enum rc rc = RC_OK;

	if (!f->open) {
		imap_out_fmt(&s->out, "* %u FETCH (",
		    imap_view_seq(&s->box->view, f->msg.row.uid));
		f->open = true;
	} else {
		imap_out_str(&s->out, STR(" "));
	}
	if (it->kind >= FETCH_ENVELOPE &&
	    (f->plan.structure || f->plan.envelope))
		rc = imap_message_meta(s, &f->msg, f->plan.structure);
	if (rc == RC_OK && it->kind == FETCH_SECTION)
		rc = imap_section_begin(s, &f->msg, it, &f->sec);
	else if (rc == RC_OK)
		put_simple(s, f, it);
	if (rc == RC_OK)
		return;
	f->sec.left = 0;
	f->open = was_open;
	if (!s->out.bad)
		s->out.b.n = before;
	if (rc == RC_NOENT)
		f->gone = true;
	else
		f->faults++;
}

static void
begin_message(struct imap_session *s, struct fetch *f)
{
	static const struct fetch_item flags = { .kind = FETCH_FLAGS,
		.label = STR_INIT("FLAGS") };

	imap_message_begin(&f->msg, &f->rows[f->row]);
	f->in_msg = true;
	f->open = false;
	f->item = 0;
	f->found++;
	if (!f->plan.flags && imap_uids_have(&f->seen, f->msg.row.uid))
		put_item(s, f, &flags);
}

static void
end_message(struct imap_session *s, struct fetch *f)
{
	if (f->open)
		imap_out_str(&s->out, STR(")\r\n"));
	imap_message_end(&f->msg);
	f->in_msg = false;
	f->row++;
}

/* The flags of all messages were told: these are no news any more. */
static void
told_flags(struct imap_box *box, const struct fetch *f)
{
	if (f->plan.flags && f->faults == 0 &&
	    f->expected == imap_view_count(&box->view))
		box->view.modseq = MAX(box->view.modseq, f->modseq);
}

static enum imap_step
fetch_done(struct imap_session *s, struct fetch *f)
{
	told_flags(s->box, f);
	if (f->faults > 0)
		return imap_no(s, "[UNAVAILABLE] Some data cannot be read now");
	if (!s->cur.uid && (f->gone || f->found < f->expected))
		return imap_no(s, "[EXPUNGEISSUED] Some messages are gone");
	return imap_ok(s, "Fetch completed");
}

static enum imap_step
fetch_step(struct imap_session *s)
{
	struct fetch *f = s->cur.state;
	int64_t until = now_ns() + IMAP_UNIT_NS;
	enum rc rc;

	while (!imap_out_full(&s->out)) {
		if (f->sec.left > 0) {
			if (imap_section_go_on(s, &f->msg, &f->sec) != RC_OK) {
				log_error(&s->log, "imap.fetch.cut",
				    KVU("uid", f->msg.row.uid));
				s->abort = true;
				return STEP_MORE;
			}
		} else if (f->in_msg && f->item < f->plan.n) {
			put_item(s, f, &f->plan.v[f->item++]);
		} else if (f->in_msg) {
			end_message(s, f);
			if (f->faults >= FAULTS_MAX)
				return fetch_done(s, f);
			if (now_ns() > until)
				break;
		} else if (f->row < f->nrows) {
			begin_message(s, f);
		} else {
			rc = next_batch(s, f);
			if (rc == RC_NOENT)
				return fetch_done(s, f);
			if (rc != RC_OK)
				return imap_fail(s, rc);
		}
	}
	return STEP_MORE;
}

enum imap_step
imap_cmd_fetch(struct imap_session *s, struct imap_parse *args)
{
	struct fetch *f = arena_calloc(&s->mem, 1, sizeof(*f));

	if (!imap_arg_set(s, args, &f->uids))
		return STEP_DONE;
	if (!imap_parse_sp(args) ||
	    !imap_fetch_parse(args, s->cur.uid, &f->plan))
		return imap_bad(s, "Items to fetch expected");
	f->expected = imap_view_count_in(&s->box->view, &f->uids);
	s->cur.state = f;
	s->cur.drop = fetch_drop;
	s->cur.step = fetch_step;
	return STEP_MORE;
}
