/*
 * Replies and the small things that many commands need.  Not knowing is never
 * a definite no: RC_TEMP is [UNAVAILABLE] (RFC 5530), and the client tries
 * again.
 */
#include "imap/session.h"

#include "imap/name.h"

enum imap_step
imap_ok(struct imap_session *s, const char *text)
{
	s->cur.reply = str_fmt(&s->mem, "OK %s", text);
	return STEP_DONE;
}

enum imap_step
imap_no(struct imap_session *s, const char *text)
{
	s->cur.reply = str_fmt(&s->mem, "NO %s", text);
	return STEP_DONE;
}

enum imap_step
imap_bad(struct imap_session *s, const char *text)
{
	s->cur.reply = str_fmt(&s->mem, "BAD %s", text);
	return STEP_DONE;
}

struct str
imap_fail_text(enum rc rc)
{
	switch (rc) {
	case RC_NOENT:
		return STR("NO [NONEXISTENT] No such mailbox");
	case RC_DENY:
		return STR("NO [NOPERM] Not allowed");
	case RC_BAD:
		return STR("NO [CANNOT] Not possible");
	default:
		return STR("NO [UNAVAILABLE] Temporary failure, try again");
	}
}

enum imap_step
imap_fail(struct imap_session *s, enum rc rc)
{
	s->cur.reply = imap_fail_text(rc);
	return STEP_DONE;
}

struct deadline
imap_deadline(void)
{
	return deadline_in(IMAP_BACKEND_MS);
}

enum rc
imap_view_of_store(struct imap_session *s, struct store_view **out)
{
	if (s->rv == NULL) {
		enum rc rc = store_view_begin(s->d->reader, &s->rv);

		if (rc != RC_OK)
			return rc;
	}
	*out = s->rv;
	return RC_OK;
}

void
imap_view_drop(struct imap_session *s)
{
	store_view_end(&s->rv);
}

enum rc
imap_box_row(struct imap_session *s, struct arena *a, struct store_mailbox *out)
{
	struct store_view *v;
	enum rc rc = imap_view_of_store(s, &v);

	if (rc != RC_OK)
		return rc;
	rc = store_mailbox_get(
	    v, a, s->account->id, s->account->key, s->box->id, out);
	return rc == RC_OK && !out->exists ? RC_NOENT : rc;
}

enum rc
imap_box_find(
    struct imap_session *s, struct str name, struct store_mailbox *out)
{
	struct store_view *v;
	enum rc rc = imap_view_of_store(s, &v);

	if (rc != RC_OK)
		return rc;
	rc = store_mailbox_find(
	    v, &s->mem, s->account->id, s->account->key, name, out);
	return rc == RC_OK && !out->exists ? RC_NOENT : rc;
}

bool
imap_arg_mailbox(struct imap_session *s, struct imap_parse *p, struct str *out)
{
	struct str wire;

	if (!imap_parse_astring(p, &wire)) {
		(void)imap_bad(s, "Mailbox name expected");
		return false;
	}
	if (imap_name_parse(p->a, wire, out) != RC_OK) {
		(void)imap_no(s, "[CANNOT] Not a mailbox name");
		return false;
	}
	return true;
}

bool
imap_arg_set(struct imap_session *s, struct imap_parse *p, struct uid_set *out)
{
	struct imap_resolve how = { .uid = s->cur.uid };
	struct imap_set set;

	if (!imap_set_parse(p, &set)) {
		(void)imap_bad(s, "Sequence set expected");
		return false;
	}
	if (imap_set_resolve(&s->mem, &s->box->view, &set, how, out) != RC_OK) {
		(void)imap_bad(s, "No such message number");
		return false;
	}
	return true;
}

void
imap_deselect(struct imap_session *s)
{
	if (s->box == NULL)
		return;
	imap_watch_remove(s->d->watches, &s->box->watch);
	imap_view_free(&s->box->view);
	xfree(s->box);
	s->box = NULL;
	s->phase = PH_AUTH;
}
