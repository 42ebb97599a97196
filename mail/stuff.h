/*
 * stuff - the body of DATA as it goes onto the wire.
 *
 * Format     RFC 5321 section 4.5.2 (transparency) and 2.3.8: every line that
 *            leaves ends in CRLF; a bare CR or LF becomes CRLF, so that nobody
 *            behind us can take it for something else (SMTP smuggling).  A dot
 *            at the beginning of a line is doubled.
 * Threads    One owner at a time.
 * Errors     RC_BAD: the output's cap; nothing was added then.
 */
#ifndef MAIL_STUFF_H
#define MAIL_STUFF_H

#include "lib/base.h"

struct mail_stuff {
	bool in_line; /* the last byte was no line end */
	bool cr;      /* the last byte was a CR, given out as CRLF */
};

/* Any split; at most twice the bytes of `in` are added. */
MUST_CHECK enum rc mail_stuff_add(
    struct mail_stuff *s, struct str in, struct buf *out);
/* Ends the last line, if it has no end, and the message: "." CRLF. */
MUST_CHECK enum rc mail_stuff_end(struct mail_stuff *s, struct buf *out);

#endif
