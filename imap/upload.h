/*
 * upload - the bytes of an APPEND on their way to the store: kept, parsed
 * for their structure, and checked, as they come.
 *
 * Its size is known before the first byte, which decides where it waits: in
 * memory, in a sealed memfd within a budget that all sessions share, or in an
 * unnamed spool file.
 *
 * Ownership  imap_upload_new .. imap_upload_free; the body's slices and
 *            descriptor are the upload's.
 * Threads    One owner at a time; the budget is atomic.
 * Errors     RC_TEMP: no place for it (logged).  RC_BAD: it holds a NUL,
 *            which RFC 3501 section 9 does not allow.
 * Limits     The caller checks the size.
 */
#ifndef IMAP_UPLOAD_H
#define IMAP_UPLOAD_H

#include <stdatomic.h>

#include "lib/log.h"
#include "store/store_client.h"

#define IMAP_UPLOAD_MEMFD_MAX (1u << 20)

struct imap_spool {
	const char *dir;
	uint64_t memory_max; /* of all memfds */
	_Atomic uint64_t memory;
};

struct imap_upload;

MUST_CHECK enum rc imap_upload_new(const struct log *log, struct imap_spool *sp,
    uint64_t size, struct imap_upload **out);
void imap_upload_free(struct imap_upload **u);
/* What goes wrong here is said by imap_upload_finish. */
void imap_upload_add(struct imap_upload *u, struct str data);
/* All bytes came. */
MUST_CHECK enum rc imap_upload_finish(
    struct imap_upload *u, struct store_body *out);

#endif
