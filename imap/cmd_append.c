/*
 * APPEND (RFC 3501 section 6.3.11, RFC 4315).
 *
 * The arguments before the message are judged when its literal is announced,
 * so that a client that waits for "+" is told no before it sends megabytes;
 * then the literal streams into an upload, and the command itself, run when
 * the last line came, has only to hand it to the store.
 */
#include "imap/session.h"

#include <string.h>
#include <sys/random.h>

#include "imap/name.h"
#include "imap/upload.h"
#include "mail/date.h"

struct imap_append {
	struct imap_upload *upload;
	size_t line_end; /* of the command, behind the announcement */
	uint64_t mailbox;
	uint32_t uidvalidity;
	struct imap_flags flags;
	int64_t date;
};

void
imap_append_free(struct imap_session *s)
{
	if (s->append == NULL)
		return;
	imap_upload_free(&s->append->upload);
	s->append = NULL; /* its memory is the command's */
}

/* Behind the mailbox: "(flags) " and "date ", as far as they are there. */
static bool
parse_options(struct imap_parse *p, struct imap_append *a)
{
	struct mail_date date;
	struct str text;

	a->date = now_unix();
	if (imap_parse_peek(p) == '(' &&
	    (!imap_flags_parse_list(p, &a->flags) || !imap_parse_sp(p)))
		return false;
	if (imap_parse_peek(p) == '"') {
		if (!imap_parse_string(p, &text) ||
		    mail_date_imap_parse(text, &date) != RC_OK ||
		    !imap_parse_sp(p))
			return false;
		a->date = date.unixtime;
	}
	return imap_parse_end(p);
}

/* What stands before the announcement, copied: the command still grows. */
static struct imap_parse
arguments(struct imap_session *s, const struct imap_literal *lit)
{
	struct str all = buf_str(&s->in.b);
	struct imap_parse p = { .a = &s->mem };
	struct str word;

	p.in = str_dup(&s->mem, str_sub(all, 0, lit->at));
	if (!imap_parse_tag(&p, &word) || !imap_parse_sp(&p) ||
	    !imap_parse_atom(&p, &word) || !imap_parse_sp(&p))
		p.in = STR("");
	return p;
}

static enum rc
open_target(struct imap_session *s, struct imap_append *a, struct str wire,
    uint64_t size, struct str *why)
{
	struct store_mailbox mb;
	struct str name;
	enum rc rc;

	if (imap_name_parse(&s->mem, wire, &name) != RC_OK) {
		*why = STR("NO [CANNOT] Not a mailbox name");
		return RC_BAD;
	}
	if (size > s->conf->message_size_max) {
		*why = STR("NO [TOOBIG] Message is too large");
		return RC_BAD;
	}
	if (size == 0) {
		*why = STR("NO [CANNOT] Message is empty");
		return RC_BAD;
	}
	rc = imap_box_find(s, name, &mb);
	imap_view_drop(s);
	if (rc == RC_OK)
		rc = imap_upload_new(&s->log, s->d->spool, size, &a->upload);
	if (rc != RC_OK) {
		*why = rc == RC_NOENT ? STR("NO [TRYCREATE] No such mailbox")
				      : imap_fail_text(rc);
		return RC_BAD;
	}
	a->mailbox = mb.id;
	a->uidvalidity = mb.uidvalidity;
	return RC_OK;
}

enum rc
imap_append_begin(
    struct imap_session *s, const struct imap_literal *lit, struct str *why)
{
	struct imap_append *a = arena_calloc(&s->mem, 1, sizeof(*a));
	struct imap_parse p = arguments(s, lit);
	struct str wire;
	enum rc rc;

	if (imap_parse_end(&p))
		return RC_NOENT; /* the mailbox comes as a literal */
	*why = STR("BAD Mailbox, flags, date and message expected");
	if (!imap_parse_astring(&p, &wire) || !imap_parse_sp(&p) ||
	    !parse_options(&p, a))
		return RC_BAD;
	rc = open_target(s, a, wire, lit->size, why);
	if (rc != RC_OK)
		return rc;
	a->line_end = s->in.b.n;
	s->append = a;
	return RC_OK;
}

void
imap_append_chunk(struct imap_session *s, struct str data)
{
	imap_upload_add(s->append->upload, data);
}

static enum rc
commit(struct imap_session *s, struct imap_append *a, uint32_t *uid)
{
	unsigned char id[16];
	struct store_append in = {
		.account = s->account->id,
		.mailbox = a->mailbox,
		.flags = a->flags.system,
		.keywords = a->flags.kw,
		.nkeywords = a->flags.nkw,
		.internal_date = a->date,
	};
	enum rc rc = imap_upload_finish(a->upload, &in.body);

	if (rc != RC_OK)
		return rc;
	if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return RC_TEMP;
	in.op_id = str_hex(&s->mem, str_n(id, sizeof(id)));
	rc = store_append(s->d->store, &in, imap_deadline(), uid);
	if (rc == RC_TEMP) /* the id makes sure that it is stored once */
		rc = store_append(s->d->store, &in, imap_deadline(), uid);
	return rc;
}

enum imap_step
imap_cmd_append(struct imap_session *s, struct imap_parse *args)
{
	struct imap_append *a = s->append;
	uint32_t uid;
	enum rc rc;

	(void)args;
	if (a == NULL || s->in.b.n != a->line_end + 2)
		return imap_bad(s, "Mailbox and one message expected");
	rc = commit(s, a, &uid);
	switch (rc) {
	case RC_OK:
		s->cur.reply =
		    str_fmt(&s->mem, "OK [APPENDUID %u %u] Append completed",
			a->uidvalidity, uid);
		return STEP_DONE;
	case RC_NOENT:
		return imap_no(s, "[TRYCREATE] No such mailbox");
	case RC_DENY:
		return imap_no(s, "[LIMIT] No room, or too many keywords");
	case RC_BAD:
		return imap_bad(s, "A message may not hold NUL");
	default:
		return imap_fail(s, rc);
	}
}
