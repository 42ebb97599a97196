/*
 * pol_body - the message of a check, inline or in a descriptor, read in pieces.
 *
 * Nothing is mapped: a spool file may shrink under a mapping, and pieces keep
 * memory independent of size.  A memfd must be sealed, a file must have the
 * size that was said.
 *
 * Ownership  The descriptor and the inline bytes are borrowed.
 * Threads    One owner.
 * Errors     RC_BAD not what was announced; RC_TEMP it cannot be read (logged).
 * Limits     POL_HEADER_MAX bytes of header, POL_BODY_PIECE in a piece.
 */
#ifndef POLICY_POL_BODY_H
#define POLICY_POL_BODY_H

#include "lib/base.h"
#include "lib/log.h"

#define POL_HEADER_MAX (512u << 10)
#define POL_BODY_PIECE (64u << 10)

struct pol_body {
	struct str inline_data;
	int fd; /* -1: inline */
	uint64_t size;
};

MUST_CHECK enum rc pol_body_check(
    const struct log *log, const struct pol_body *b);
/*
 * The header block with its empty line, in `a` or in the message; *cut: it is
 * longer than POL_HEADER_MAX and this is its beginning, in whole lines.
 */
MUST_CHECK enum rc pol_body_header(const struct log *log,
    const struct pol_body *b, struct arena *a, struct str *out, bool *cut);
/*
 * At most POL_BODY_PIECE bytes from offset `at`, into room or borrowed;
 * empty: the end.
 */
MUST_CHECK enum rc pol_body_read(const struct log *log,
    const struct pol_body *b, uint64_t at, char *room, struct str *out);

#endif
