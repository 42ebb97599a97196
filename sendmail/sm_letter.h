/*
 * sm_letter - make what a program wrote on our standard input a message that
 * can be sent, and find out whom it is for.
 *
 * Format     Lines end in LF, CR LF or CR; all end in CR LF afterwards.  A
 *            "From " line of an mbox is dropped.  The header ends at the empty
 *            line or at the first line that is no field.  Bcc, Resent-Bcc,
 *            Return-Path and Content-Length go; addresses without a domain get
 *            the host's; From is added when it is missing, and a To that says
 *            nothing when there is neither To nor Cc.  Date and Message-ID are
 *            the gateway's to add.
 * Ownership  Slices live in the arena; *out_text is the caller's to free.
 * Threads    Pure functions.
 * Errors     RC_BAD: *why says what is wrong.
 * Limits     SM_HEADER_MAX bytes of header, SM_TO_MAX recipients; the caller
 *            limits the rest.
 */
#ifndef SENDMAIL_SM_LETTER_H
#define SENDMAIL_SM_LETTER_H

#include "sendmail/sm_args.h"

#define SM_HEADER_MAX (256u << 10)
#define SM_TO_MAX     1000u

struct sm_who {
	struct str user; /* login name */
	struct str name; /* full name or "" */
	struct str host; /* for addresses without a domain */
};

struct sm_letter {
	struct str sender; /* canonical, "" is null */
	struct str *to;    /* canonical */
	size_t nto;
	bool eight_bit;
};

/* Line ends and the final dot; appends to *out. */
MUST_CHECK enum rc sm_lines(struct str input, bool dot_ends, struct buf *out);
/* `lines` is what sm_lines made. */
MUST_CHECK enum rc sm_letter(struct arena *a, const struct sm_args *args,
    const struct sm_who *who, struct str lines, struct buf *out_text,
    struct sm_letter *out, struct str *why);
/* The name in a passwd entry's gecos field, where "&" is the login name. */
struct str sm_gecos_name(struct arena *a, struct str gecos, struct str user);

#endif
