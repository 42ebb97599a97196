/*
 * dot - the body of DATA as it comes off the wire, and the line-end check that
 * DATA and BDAT share.
 *
 * Format     RFC 5321 section 4.5.2 (transparency) and 2.3.8: lines end in
 *            CRLF and in nothing else.  A bare CR or LF sets `bare`, ends no
 *            line and hides no end: only CRLF "." CRLF ends the message, so
 *            the caller reads on to it and then refuses (no SMTP smuggling).
 * Ownership  Output slices point into the input or into static memory; no byte
 *            is copied.  Nothing to free.
 * Threads    One owner at a time.
 * Limits     None kept here: the caller counts what it accepts.
 *
 *	mail_dot_init(&d);
 *	for each piece of input:
 *		while (mail_dot_next(&d, &in, &out))
 *			... `out` is the next slice of the message
 *		if (d.done)
 *			... `in` is what follows the final CRLF "." CRLF
 */
#ifndef MAIL_DOT_H
#define MAIL_DOT_H

#include "lib/base.h"

/*
 * A bare CR or LF anywhere in a stream that comes in pieces.
 */
struct mail_crlf {
	bool bare;      /* one was seen */
	bool cr;        /* the last byte was a CR that waits for its LF */
	bool line_done; /* at the start, or the last two bytes were CRLF */
};

struct mail_dot {
	struct mail_crlf crlf; /* crlf.bare: refuse with 550 5.6.0 */
	bool done;             /* the end was seen and cut off */
	unsigned char held;    /* bytes of ".", ".\r" not yet given out */
	bool owed;             /* a CR is to be given out first */
};

void mail_dot_init(struct mail_dot *d);
/*
 * Cut the next slice off *in.  False when *in is used up or the end was
 * reached (`done`); never gives an empty slice.
 */
bool mail_dot_next(struct mail_dot *d, struct str *in, struct str *out);

void mail_crlf_init(struct mail_crlf *c);
void mail_crlf_feed(struct mail_crlf *c, struct str in);
/*
 * After the last byte: true when every line, also the last, ended in CRLF (an
 * empty stream is fine) and no bare CR or LF was seen.
 */
bool mail_crlf_ok(const struct mail_crlf *c);

#endif
