/*
 * ares - what is said about a message in its header: Authentication-Results
 * (RFC 8601) and the mark of Junk, ours written, those forged found.
 *
 * The mark is what other filters write and other servers look for (a transport
 * rule of Exchange, Sieve), so that whoever stores the mail behind us knows.
 *
 * Ownership  Slices live in the arena.
 * Threads    Pure functions.
 * Errors     RC_BAD: more than the caller takes.
 * Hostile    Values come from the message and from the DNS: what is no token is
 *            quoted, what cannot stand in a quoted string or comment is '?'.
 */
#ifndef MAIL_ARES_H
#define MAIL_ARES_H

#include "lib/base.h"

#define MAIL_JUNK_FIELD "X-Spam-Flag"
#define MAIL_JUNK_MARK  MAIL_JUNK_FIELD ": YES\r\n"

struct mail_range {
	uint64_t off, len;
};

struct mail_ares_result {
	const char *method, *result; /* "spf", "pass" */
	struct str reason;           /* a comment, "" none */
	/* "smtp.mailfrom" and so on; empty values are left out. */
	struct {
		const char *name;
		struct str value;
	} prop[4];
	size_t nprop;
};

/* One field, folded, with CRLF; no results: "none". */
struct str mail_ares_field(struct arena *a, struct str authserv_id,
    const struct mail_ares_result *v, size_t n);

/*
 * Is this the value of a field in our name?  One that cannot be parsed and
 * has our name in it anywhere is, too.
 */
bool mail_ares_is_ours(struct str value, struct str authserv_id);

/*
 * Where the header has such fields, and with `marks` those of the name of the
 * mark, whatever they say; neighbours are one cut.  RC_BAD: more than max.
 */
MUST_CHECK enum rc mail_ares_cuts(struct str header, struct str authserv_id,
    bool marks, struct mail_range *out, size_t max, size_t *out_n);
/* Does it say that this is Junk? */
bool mail_ares_is_junk(struct str header);

#endif
