/*
 * structure - ENVELOPE, BODY and BODYSTRUCTURE (RFC 3501 section 7.4.2).
 *
 * Ownership  Output goes to *o; `a` is scratch.
 * Threads    Pure functions.
 * Limits     Those of mail/mime.h.
 */
#ifndef IMAP_STRUCTURE_H
#define IMAP_STRUCTURE_H

#include "imap/out.h"
#include "mail/mime.h"

/* e may be NULL: nothing is known. */
void imap_structure_envelope(
    struct imap_out *o, struct arena *a, const struct mail_envelope *e);
/* `extended`: BODYSTRUCTURE, else BODY. */
void imap_structure_body(struct imap_out *o, struct arena *a,
    const struct mail_part *p, bool extended);

#endif
