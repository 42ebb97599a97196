/*
 * message - one message while FETCH or SEARCH looks at it: its structure and
 * its bytes, each read when first asked for.
 *
 * Ownership  imap_message_begin .. imap_message_end; slices live in m->mem.
 * Threads    One owner at a time.  Opening needs the store's view of the
 *            unit, reading does not.
 * Errors     RC_NOENT expunged meanwhile; RC_TEMP.
 */
#ifndef IMAP_MESSAGE_H
#define IMAP_MESSAGE_H

#include "imap/session.h"
#include "mail/meta.h"

struct imap_message {
	struct store_row row;
	struct arena mem;
	struct store_msg *msg; /* when open */
	struct mail_meta meta;
	enum { META_NONE, META_HEAD, META_FULL } have;
};

void imap_message_begin(struct imap_message *m, const struct store_row *row);
void imap_message_end(struct imap_message *m);
/* m->meta: the envelope, or with `full` the whole tree. */
MUST_CHECK enum rc imap_message_meta(
    struct imap_session *s, struct imap_message *m, bool full);
MUST_CHECK enum rc imap_message_open(
    struct imap_session *s, struct imap_message *m);
/* Of an open message; cut to what there is. */
struct mail_span imap_message_clamp(
    const struct imap_message *m, struct mail_span span);
/* All bytes of the span, into `a`. */
MUST_CHECK enum rc imap_message_read(struct imap_message *m, struct arena *a,
    struct mail_span span, struct str *out);

#endif
