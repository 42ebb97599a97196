/*
 * decode - from what a message says to UTF-8 text: transfer encodings,
 * charsets, encoded words.
 *
 * Formats    RFC 2045 section 6 (base64, quoted-printable), RFC 2047.  All are
 *            read tolerantly: bytes that cannot be meant are skipped, a bad
 *            escape stands for itself, a byte that is no character of its
 *            charset becomes U+FFFD.
 * Ownership  Output is appended to the caller's buf.  A mail_charset is freed.
 * Threads    One owner at a time.  iconv descriptors are not shared.
 * Errors     RC_BAD    the buf reached its cap (the first part is in it)
 *            RC_NOENT  this charset is not known
 * Limits     The cap of the buf.
 */
#ifndef MAIL_DECODE_H
#define MAIL_DECODE_H

#include "lib/base.h"

struct mail_b64 {
	unsigned bits;
	unsigned n; /* characters of the current four */
};

/* Zero-initialised is ready; no end call is needed. */
MUST_CHECK enum rc mail_b64_feed(
    struct mail_b64 *d, struct str in, struct buf *out);

struct mail_qp {
	size_t n; /* bytes held back: "=", "=X", "= ", or white space */
	char held[80];
};

MUST_CHECK enum rc mail_qp_feed(
    struct mail_qp *d, struct str in, struct buf *out);
MUST_CHECK enum rc mail_qp_end(struct mail_qp *d, struct buf *out);

/* Content-Transfer-Encoding; what is not known is taken as it is. */
enum mail_cte { MAIL_CTE_IDENTITY, MAIL_CTE_B64, MAIL_CTE_QP };
enum mail_cte mail_cte_of(struct str name);

struct mail_charset;

/* An empty name is US-ASCII. */
MUST_CHECK enum rc mail_charset_new(struct str name, struct mail_charset **out);
MUST_CHECK enum rc mail_charset_feed(
    struct mail_charset *c, struct str in, struct buf *out);
/* A character cut off at the very end becomes U+FFFD. */
MUST_CHECK enum rc mail_charset_end(struct mail_charset *c, struct buf *out);
void mail_charset_free(struct mail_charset **c);

/* A whole string; RC_NOENT as above. */
MUST_CHECK enum rc mail_charset_convert(
    struct str charset, struct str in, struct buf *out);

/*
 * A header value (unfolded or not) to UTF-8: encoded words decoded, white
 * space between two of them dropped, folds removed.  Words in a charset that
 * is not known stay as written.
 */
MUST_CHECK enum rc mail_words_decode(struct str value, struct buf *out);

#endif
