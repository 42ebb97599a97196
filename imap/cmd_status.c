/*
 * STATUS (RFC 3501 section 6.3.10).
 */
#include "imap/session.h"

#include "imap/name.h"

enum status_item {
	ST_MESSAGES = 1,
	ST_RECENT = 2,
	ST_UIDNEXT = 4,
	ST_UIDVALIDITY = 8,
	ST_UNSEEN = 16,
};

static const struct {
	struct str name;
	enum status_item item;
} items[] = {
	{ STR_INIT("MESSAGES"), ST_MESSAGES },
	{ STR_INIT("RECENT"), ST_RECENT },
	{ STR_INIT("UIDNEXT"), ST_UIDNEXT },
	{ STR_INIT("UIDVALIDITY"), ST_UIDVALIDITY },
	{ STR_INIT("UNSEEN"), ST_UNSEEN },
};

static bool
parse_items(struct imap_parse *p, unsigned *out)
{
	*out = 0;
	if (!imap_parse_sp(p) || !imap_parse_char(p, '('))
		return false;
	do {
		struct str word;
		size_t i;

		if (!imap_parse_atom(p, &word))
			return false;
		for (i = 0; i < COUNT(items); i++) {
			if (str_ieq(word, items[i].name))
				break;
		}
		if (i == COUNT(items))
			return false;
		*out |= items[i].item;
	} while (imap_parse_sp(p));
	return imap_parse_char(p, ')') && imap_parse_end(p);
}

/* Those from the first recent UID on that are still there. */
static enum rc
count_recent(
    struct imap_session *s, const struct store_mailbox *mb, uint32_t *out)
{
	struct store_row *rows =
	    arena_alloc(&s->unit, IMAP_BATCH * sizeof(*rows));
	struct store_view *rv;
	uint32_t next;
	size_t n = IMAP_BATCH;
	enum rc rc;

	imap_view_drop(s);
	rc = store_take_recent(
	    s->d->store, s->account->id, mb->id, true, imap_deadline(), &next);
	if (rc == RC_OK)
		rc = imap_view_of_store(s, &rv);
	for (*out = 0; rc == RC_OK && n == IMAP_BATCH; *out += (uint32_t)n) {
		n = 0;
		if (next >= mb->uidnext)
			break;
		rc = store_rows(
		    rv, mb->id, next, mb->uidnext - 1, rows, IMAP_BATCH, &n);
		if (n > 0)
			next = rows[n - 1].uid + 1;
	}
	return rc;
}

enum imap_step
imap_cmd_status(struct imap_session *s, struct imap_parse *args)
{
	struct store_mailbox mb;
	struct str name;
	unsigned wanted;
	uint32_t recent = 0;
	bool first = true;
	enum rc rc;

	if (!imap_arg_mailbox(s, args, &name))
		return STEP_DONE;
	if (!parse_items(args, &wanted))
		return imap_bad(s, "List of status items expected");
	rc = imap_box_find(s, name, &mb);
	if (rc == RC_OK && (wanted & ST_RECENT) != 0)
		rc = count_recent(s, &mb, &recent);
	if (rc != RC_OK)
		return imap_fail(s, rc);

	const uint32_t values[COUNT(items)] = { mb.messages, recent, mb.uidnext,
		mb.uidvalidity, mb.unseen };
	imap_out_str(&s->out, STR("* STATUS "));
	imap_out_astring(&s->out, imap_name_wire(&s->unit, name));
	imap_out_str(&s->out, STR(" ("));
	for (size_t i = 0; i < COUNT(items); i++) {
		if ((wanted & items[i].item) == 0)
			continue;
		imap_out_fmt(&s->out, "%s%s %u", first ? "" : " ",
		    items[i].name.p, values[i]);
		first = false;
	}
	imap_out_str(&s->out, STR(")\r\n"));
	return imap_ok(s, "Status completed");
}
