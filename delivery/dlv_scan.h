/*
 * dlv_scan - read a message once: its meta blob and its trace of hops.
 *
 * The gateway may be in foreign hands, so a descriptor is only ever read by
 * pread: a file that shrinks below our feet is an error, never a SIGBUS.
 *
 * Ownership  *out->meta is the caller's buf; slices live in `a`.
 * Threads    Any worker; reads the disk.
 * Errors     RC_BAD: the descriptor is no regular file or not as long as said,
 *            or what came with it is no header; RC_TEMP: it cannot be read.
 * Limits     DLV_SCAN_HEADER bytes of the header are searched for hops, and
 *            DLV_SCAN_DELIVERED Delivered-To fields are kept, so that a
 *            message for many recipients is not read once for each.
 */
#ifndef DLV_SCAN_H
#define DLV_SCAN_H

#include "delivery/dlv_client.h"

#define DLV_SCAN_HEADER    (256u << 10)
#define DLV_SCAN_DELIVERED 100u

struct dlv_scan {
	uint64_t received;  /* Received fields, ours included */
	uint64_t delivered; /* Delivered-To fields */
	struct str field[DLV_SCAN_DELIVERED]; /* the first of those, whole */
	struct str message_id;                /* with its brackets, or "" */
};

/* meta: initialised by the caller. */
MUST_CHECK enum rc dlv_scan(const struct log *log, struct arena *a,
    const struct dlv_submit *in, struct buf *meta, struct dlv_scan *out);
/* A Delivered-To field names this recipient: it has been here before. */
bool dlv_scan_loops(const struct dlv_scan *scan, struct str address);

#endif
