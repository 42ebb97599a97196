/*
 * COPY and MOVE (RFC 3501 section 6.4.7, RFC 6851), with COPYUID (RFC 4315).
 * MOVE says COPYUID before the EXPUNGE responses, which are the news that come
 * before the reply.
 */
#include "imap/session.h"

/* "[COPYUID validity from to] ", empty when nothing was copied. */
static struct str
copyuid(struct imap_session *s, const struct store_copied *c)
{
	AUTO_BUF b = { 0 };

	buf_init(&b, IMAP_OUT_MAX);
	if (c->from.n == 0 || c->to.n == 0)
		return STR("");
	if (buf_fmt(&b, "[COPYUID %u ", c->uidvalidity) != RC_OK ||
	    imap_set_print(&b, &c->from) != RC_OK ||
	    buf_add_char(&b, ' ') != RC_OK ||
	    imap_set_print(&b, &c->to) != RC_OK ||
	    buf_add(&b, STR("] ")) != RC_OK)
		return STR("");
	return str_dup(&s->mem, buf_str(&b));
}

static enum imap_step
copy(struct imap_session *s, struct imap_parse *args, bool move)
{
	struct store_mailbox to;
	struct store_copied done;
	struct uid_set uids;
	struct str name;
	enum rc rc;

	if (!imap_arg_set(s, args, &uids))
		return STEP_DONE;
	if (!imap_parse_sp(args))
		return imap_bad(s, "Mailbox name expected");
	if (!imap_arg_mailbox(s, args, &name))
		return STEP_DONE;
	if (!imap_parse_end(args))
		return imap_bad(s, "Unexpected arguments");
	rc = imap_box_find(s, name, &to);
	if (rc == RC_NOENT)
		return imap_no(s, "[TRYCREATE] No such mailbox");
	if (rc != RC_OK)
		return imap_fail(s, rc);
	imap_view_drop(s);
	if (uids.n == 0)
		return imap_ok(s, "Nothing to do");
	rc = store_copy(s->d->store, &s->mem, s->account->id, s->box->id, uids,
	    to.id, move, imap_deadline(), &done);
	if (rc == RC_NOENT) /* the target, or all messages, went meanwhile */
		return imap_no(s, "[EXPUNGEISSUED] Messages are gone");
	if (rc == RC_DENY)
		return imap_no(s, "[LIMIT] No room, or too many keywords");
	if (rc != RC_OK)
		return imap_fail(s, rc);
	if (!move) {
		s->cur.reply = str_fmt(
		    &s->mem, "OK %.*sCopy completed", STRF(copyuid(s, &done)));
		return STEP_DONE;
	}
	if (done.from.n > 0) {
		imap_out_str(&s->out, STR("* OK "));
		imap_out_str(&s->out, copyuid(s, &done));
		imap_out_str(&s->out, STR("Moved\r\n"));
	}
	return imap_ok(s, "Move completed");
}

enum imap_step
imap_cmd_copy(struct imap_session *s, struct imap_parse *args)
{
	return copy(s, args, false);
}

enum imap_step
imap_cmd_move(struct imap_session *s, struct imap_parse *args)
{
	return copy(s, args, true);
}
