/*
 * gw_body - where the body of one message is collected, written once.
 *
 * Up to GW_BODY_INLINE bytes it stays in a buffer and travels in the IPC
 * frame; up to GW_BODY_MEMFD it is a memfd, sealed when complete, as long as
 * all such bodies fit the budget; else it is an unnamed file in the spool
 * directory, which no crash can leave behind.
 *
 * Ownership  gw_body_reset gives everything back, the budget included.
 * Threads    One owner; the budget is atomic.
 * Errors     RC_TEMP: no memory file, no spool file, disk full (logged).
 * Limits     The caller enforces the size of a message.
 */
#ifndef GW_BODY_H
#define GW_BODY_H

#include "gateway/gw.h"
#include "mail/ares.h"
#include "mail/rewrite.h"

#define GW_BODY_INLINE (16u << 10)
#define GW_BODY_MEMFD  (1u << 20)

struct gw_body {
	struct gw *gw;
	uint64_t memory_max; /* the budget of all memfd bodies, bytes */
	struct buf head;     /* all of it, or while fd >= 0 its first bytes */
	int fd;
	bool file; /* fd is a spool file, not a memfd */
	uint64_t size;
	uint64_t budget; /* bytes taken from the budget */
};

void gw_body_init(struct gw_body *b, struct gw *gw, uint64_t memory_max);
void gw_body_reset(struct gw_body *b);
MUST_CHECK enum rc gw_body_add(struct gw_body *b, struct str s);
/* Complete: seal the memfd. */
MUST_CHECK enum rc gw_body_finish(struct gw_body *b);
/*
 * The header block with its empty line, at most `max` bytes of it, in memory
 * of the body or of `a`.  RC_BAD: it is longer than that, and *out is its
 * beginning, in whole lines.
 */
MUST_CHECK enum rc gw_body_header(
    struct gw_body *b, struct arena *a, size_t max, struct str *out);
/*
 * Change it, or leave out ranges, which are in order: it is written anew, and
 * finished.  RC_TEMP: *b is as it was.
 */
MUST_CHECK enum rc gw_body_patch(
    struct gw_body *b, const struct mail_patch *v, size_t n);
MUST_CHECK enum rc gw_body_cut(
    struct gw_body *b, const struct mail_range *v, size_t n);

#endif
