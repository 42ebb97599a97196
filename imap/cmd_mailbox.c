/*
 * CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 sections 6.3.3 to
 * 6.3.7).
 *
 * The store makes missing parents with a mailbox.  DELETE of a mailbox with
 * others below it leaves its name as a level without a mailbox (\Noselect).
 */
#include "imap/session.h"

#include "imap/name.h"

enum imap_step
imap_cmd_create(struct imap_session *s, struct imap_parse *args)
{
	struct str wire, name;
	struct store_mailbox mb;
	uint64_t id;
	enum rc rc;

	if (!imap_parse_astring(args, &wire) || !imap_parse_end(args))
		return imap_bad(s, "Mailbox name expected");
	if (imap_name_parse_new(&s->mem, wire, &name) != RC_OK)
		return imap_no(s, "[CANNOT] Not a mailbox name");
	rc = imap_box_find(s, name, &mb);
	if (rc == RC_OK)
		return imap_no(s, "[ALREADYEXISTS] Mailbox exists already");
	if (rc != RC_NOENT)
		return imap_fail(s, rc);
	imap_view_drop(s);
	rc = store_mailbox_create(
	    s->d->store, s->account->id, name, imap_deadline(), &id);
	if (rc == RC_DENY)
		return imap_no(s, "[LIMIT] Cannot create this mailbox");
	return rc == RC_OK ? imap_ok(s, "Create completed") : imap_fail(s, rc);
}

/* RC_OK: there is something below this name. */
static enum rc
has_children(struct imap_session *s, struct str name)
{
	struct store_mailbox *v;
	struct store_view *rv;
	size_t n;
	enum rc rc = imap_view_of_store(s, &rv);

	if (rc == RC_OK)
		rc = store_mailboxes(
		    rv, &s->unit, s->account->id, s->account->key, &v, &n);
	for (size_t i = 0; rc == RC_OK && i < n; i++) {
		if (v[i].exists && imap_name_is_child(v[i].name, name))
			return RC_OK;
	}
	return rc == RC_OK ? RC_NOENT : rc;
}

static enum imap_step
not_there(struct imap_session *s, struct str name)
{
	enum rc rc = has_children(s, name);

	if (rc == RC_OK)
		return imap_no(s, "[CANNOT] A name with mailboxes below it");
	return imap_fail(s, rc);
}

enum imap_step
imap_cmd_delete(struct imap_session *s, struct imap_parse *args)
{
	struct store_mailbox mb;
	struct str name;
	enum rc rc;

	if (!imap_arg_mailbox(s, args, &name))
		return STEP_DONE;
	if (!imap_parse_end(args))
		return imap_bad(s, "Unexpected arguments");
	if (str_eq(name, STR("INBOX")))
		return imap_no(s, "[CANNOT] INBOX cannot be deleted");
	rc = imap_box_find(s, name, &mb);
	if (rc == RC_NOENT)
		return not_there(s, name);
	if (rc != RC_OK)
		return imap_fail(s, rc);
	imap_view_drop(s);
	rc = store_mailbox_delete(
	    s->d->store, s->account->id, name, imap_deadline());
	if (rc != RC_OK)
		return imap_fail(s, rc);
	if (s->box != NULL && s->box->id == mb.id)
		imap_deselect(s);
	return imap_ok(s, "Delete completed");
}

enum imap_step
imap_cmd_rename(struct imap_session *s, struct imap_parse *args)
{
	struct str from, wire, to;
	struct store_mailbox mb;
	enum rc rc;

	if (!imap_arg_mailbox(s, args, &from))
		return STEP_DONE;
	if (!imap_parse_sp(args) || !imap_parse_astring(args, &wire) ||
	    !imap_parse_end(args))
		return imap_bad(s, "Two mailbox names expected");
	if (imap_name_parse_new(&s->mem, wire, &to) != RC_OK)
		return imap_no(s, "[CANNOT] Not a mailbox name");
	rc = imap_box_find(s, from, &mb);
	if (rc == RC_NOENT)
		return not_there(s, from);
	if (rc == RC_OK)
		rc = imap_box_find(s, to, &mb);
	if (rc == RC_OK)
		return imap_no(s, "[ALREADYEXISTS] Mailbox exists already");
	if (rc != RC_NOENT)
		return imap_fail(s, rc);
	if (imap_name_is_child(to, from) && !str_eq(from, STR("INBOX")))
		return imap_no(s, "[CANNOT] Cannot move below itself");
	imap_view_drop(s);
	rc = store_mailbox_rename(
	    s->d->store, s->account->id, from, to, imap_deadline());
	if (rc == RC_DENY) /* a name below the new one */
		return imap_no(s, "[ALREADYEXISTS] Mailbox exists already");
	return rc == RC_OK ? imap_ok(s, "Rename completed") : imap_fail(s, rc);
}

static enum imap_step
subscribe(struct imap_session *s, struct imap_parse *args, bool on)
{
	struct store_mailbox mb;
	struct str name;
	enum rc rc = RC_OK;

	if (!imap_arg_mailbox(s, args, &name))
		return STEP_DONE;
	if (!imap_parse_end(args))
		return imap_bad(s, "Unexpected arguments");
	if (on)
		rc = imap_box_find(s, name, &mb);
	if (rc != RC_OK)
		return imap_fail(s, rc);
	imap_view_drop(s);
	rc = store_mailbox_subscribe(
	    s->d->store, s->account->id, name, on, imap_deadline());
	/* what is not subscribed is already as it was asked for */
	if (rc != RC_OK && !(rc == RC_NOENT && !on))
		return imap_fail(s, rc);
	return imap_ok(s, "Completed");
}

enum imap_step
imap_cmd_subscribe(struct imap_session *s, struct imap_parse *args)
{
	return subscribe(s, args, true);
}

enum imap_step
imap_cmd_unsubscribe(struct imap_session *s, struct imap_parse *args)
{
	return subscribe(s, args, false);
}
