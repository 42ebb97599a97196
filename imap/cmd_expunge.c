/*
 * EXPUNGE and UID EXPUNGE (RFC 3501 section 6.4.3, RFC 4315 section 2.1).
 * The EXPUNGE responses are the news that come before the reply.
 */
#include "imap/session.h"

static enum rc
expunge(struct imap_session *s, struct uid_set uids)
{
	struct store_mailbox mb;
	uint64_t modseq;
	enum rc rc = imap_box_row(s, &s->unit, &mb);

	if (rc != RC_OK || mb.deleted == 0)
		return rc; /* clients expunge often with nothing to do */
	imap_view_drop(s);
	rc = store_expunge(s->d->store, s->account->id, s->box->id, uids,
	    imap_deadline(), &modseq);
	return rc == RC_NOENT ? RC_OK : rc;
}

enum rc
imap_expunge_all(struct imap_session *s)
{
	struct uid_range all = { 1, imap_view_max_uid(&s->box->view) };

	if (all.hi == 0)
		return RC_OK;
	return expunge(s, (struct uid_set){ &all, 1 });
}

enum imap_step
imap_cmd_expunge(struct imap_session *s, struct imap_parse *args)
{
	struct uid_set uids;
	enum rc rc;

	if (s->cur.uid && !imap_arg_set(s, args, &uids))
		return STEP_DONE;
	if (!imap_parse_end(args))
		return imap_bad(s, "Unexpected arguments");
	rc = s->cur.uid ? expunge(s, uids) : imap_expunge_all(s);
	if (rc != RC_OK)
		return imap_fail(s, rc);
	return imap_ok(s, "Expunge completed");
}
