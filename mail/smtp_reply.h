/*
 * smtp_reply - replies of an SMTP or LMTP server, read in any split.
 *
 * Format     RFC 5321 section 4.2: "250-text" CRLF ... "250 text" CRLF; the
 *            code of the last line counts.  A line may end in LF alone: nothing
 *            hangs on it here, and such servers exist.  Enhanced status codes:
 *            RFC 2034; one whose class contradicts the code is not believed.
 * Ownership  Everything is inside struct mail_reply.
 * Threads    One owner at a time.
 * Errors     RC_BAD: no reply at all, or beyond the limits; the connection is
 *            of no more use.
 * Limits     MAIL_REPLY_LINE bytes of a line, MAIL_REPLY_BYTES and
 *            MAIL_REPLY_LINES of a reply; MAIL_REPLY_TEXT bytes are kept.
 */
#ifndef MAIL_SMTP_REPLY_H
#define MAIL_SMTP_REPLY_H

#include "lib/base.h"

#define MAIL_REPLY_LINE  2048u
#define MAIL_REPLY_BYTES 16384u
#define MAIL_REPLY_LINES 100u
#define MAIL_REPLY_TEXT  1024u

struct mail_reply {
	unsigned code;
	char status[12]; /* "5.1.1"; made from the code if none was given */
	/*
	 * "550 5.1.1 No such user": one line of printable ASCII, the lines of
	 * the server joined, code and status once.
	 */
	struct str text;
	/* our own */
	bool done;
	unsigned lines;
	size_t bytes, nline, ntext;
	char line[MAIL_REPLY_LINE];
	char kept[MAIL_REPLY_TEXT];
};

/*
 * Cut one line off *in.  RC_NOENT: *in is used up and more is needed; RC_OK:
 * a line of the reply is in *out_line (what follows "250-"; it dies with the
 * next call), and r->done says that it was the last one.  The first call after
 * that begins a new reply.
 */
MUST_CHECK enum rc mail_reply_next(
    struct mail_reply *r, struct str *in, struct str *out_line);
void mail_reply_init(struct mail_reply *r);
/* Between two replies. */
bool mail_reply_clean(const struct mail_reply *r);

/* "5.1.1" at the front of s (three numbers), or the empty slice. */
struct str mail_status_of(struct str s);

#endif
