/*
 * section - which bytes of a message BODY[...] means, and saying them as a
 * literal in pieces.
 *
 * Ownership  Borrows the message; imap_section_begin .. until `left` is 0.
 * Threads    One owner at a time.
 * Errors     RC_NOENT the message has no such part (NIL); RC_TEMP.  After a
 *            literal was begun there is no way to say an error: RC_TEMP of
 *            imap_section_go_on ends the session.
 * Limits     IMAP_HEADER_MAX bytes of header are looked at for HEADER.FIELDS.
 */
#ifndef IMAP_SECTION_H
#define IMAP_SECTION_H

#include "imap/fetch.h"
#include "imap/message.h"

#define IMAP_HEADER_MAX (4u << 20)

struct imap_section {
	uint64_t off, left; /* of the literal, in the message */
};

/* "LABEL {n}" and the first piece; *sec says what is left. */
MUST_CHECK enum rc imap_section_begin(struct imap_session *s,
    struct imap_message *m, const struct fetch_item *it,
    struct imap_section *sec);
MUST_CHECK enum rc imap_section_go_on(
    struct imap_session *s, struct imap_message *m, struct imap_section *sec);

/* Exposed for tests: HEADER.FIELDS and .NOT of a header block. */
MUST_CHECK enum rc imap_section_fields(
    const struct fetch_item *it, struct str block, struct buf *out);

#endif
