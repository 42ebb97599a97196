/*
 * search - does this text contain that string, as IMAP SEARCH means it.
 *
 * Semantics  Substring after i;unicode-casemap (RFC 5051): titlecase, then
 *            compatibility decomposition.  ASCII goes a fast way.
 * Ownership  A mail_needle lives in its arena, which must outlive its use.  A
 *            mail_search is freed.
 * Threads    One owner at a time.
 * Errors     RC_BAD for a needle that is no UTF-8 or is too long.
 * Limits     MAIL_NEEDLE_MAX bytes of folded needle.
 */
#ifndef MAIL_SEARCH_H
#define MAIL_SEARCH_H

#include "mail/decode.h"

#define MAIL_NEEDLE_MAX 4096

/* Append the folded form; bytes that are no UTF-8 become U+FFFD. */
MUST_CHECK enum rc mail_casefold(struct str utf8, struct buf *out);

struct mail_needle {
	struct str folded;
};

MUST_CHECK enum rc mail_needle_init(
    struct arena *a, struct str utf8, struct mail_needle *out);
/* An empty needle is in every text. */
bool mail_needle_in(const struct mail_needle *nd, struct str utf8);
/* The same for a raw header value, which is decoded first (RFC 2047). */
bool mail_needle_in_value(const struct mail_needle *nd, struct str value);

/*
 * Search the body of a part that comes in pieces: transfer encoding, then
 * charset (one that is not known is taken for ASCII), then folding.
 */
struct mail_search;

struct mail_search *mail_search_new(
    const struct mail_needle *nd, enum mail_cte cte, struct str charset);
/* True as soon as the needle was found; also from then on. */
bool mail_search_feed(struct mail_search *s, struct str in);
bool mail_search_end(struct mail_search *s);
void mail_search_free(struct mail_search **s);

#endif
