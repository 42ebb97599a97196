/*
 * mime_fields - the header of one part, read for mail_mime.  Not for others.
 *
 * Ownership  What is kept is copied to the arena and counted in the budget.
 * Errors     There are none: what cannot be read has its default.
 * Limits     Those of mail/mime.h.
 */
#ifndef MAIL_MIME_FIELDS_H
#define MAIL_MIME_FIELDS_H

#include "mail/mime.h"

struct mime_budget {
	struct arena *a;
	size_t left;  /* bytes that may still be kept */
	bool limited; /* something was cut or left out */
};

/* `digest`: the part sits in a multipart/digest. */
void mime_fields_default(struct mail_part *part, bool digest);
/*
 * Fill everything in *part that comes from its header; the envelope when
 * part->envelope is not NULL.
 */
void mime_fields_read(struct mime_budget *bg, struct str block, bool digest,
    struct mail_part *part);

#endif
