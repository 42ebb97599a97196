/*
 * meta - what mail_mime found out, as bytes that are kept beside the message.
 *
 * Computed once at delivery over header edits + body.  A recipient's own
 * prefix of header lines comes in front later: give its length to
 * mail_part_header() and mail_part_body(), add it to mail_meta.size.
 *
 * Format     doc in meta.c; first byte is the version.  Integers are LEB128.
 * Ownership  Decoded slices and nodes live in the arena; strings are copied, so
 *            the blob may go.
 * Threads    Pure functions.
 * Errors     Decoding: RC_BAD for a damaged blob, RC_NOENT for a version
 *            that this program does not know (compute it anew).
 *            Encoding: RC_BAD when `out` reaches its cap.
 * Limits     A blob has at most MAIL_META_MAX bytes; decoding uses a bounded
 *            multiple of the blob's length.
 */
#ifndef MAIL_META_H
#define MAIL_META_H

#include "mail/mime.h"

/* Raised whenever the parser's answer or the format changes. */
#define MAIL_META_VERSION 1
#define MAIL_META_MAX     (4u << 20)

/* Append the blob to *out. */
MUST_CHECK enum rc mail_meta_encode(
    const struct mail_meta *meta, struct buf *out);
MUST_CHECK enum rc mail_meta_decode(
    struct arena *a, struct str blob, struct mail_meta *out);
/*
 * Only sizes, flags and the root envelope (out->root has no header offsets,
 * children or content type): quick, for SEARCH, SORT and THREAD.
 */
MUST_CHECK enum rc mail_meta_decode_head(
    struct arena *a, struct str blob, struct mail_meta *out);

#endif
