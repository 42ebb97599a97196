/*
 * seglog - the append-only log: segments of records.
 *
 * Format     DIR/log/SSSSSSSS.seg (hexadecimal id, never reused).  Header of
 *            64 bytes: "GPSEG\r\n\032", u32 format, u32 id, 16 bytes store
 *            id, u64 end of the segment before (0: there is none), u64 that
 *            segment's last chain value, 8 zero bytes, u64 sum seeded with
 *            id.  Then records, each at a multiple of 8: u32 "GPR1", u32
 *            length of the operations, u64 sequence number, u64 chain (the
 *            sum of the record before), u64 durable (everything before this
 *            position was synced), u64 sum seeded with the position over the
 *            rest of header and operations, then the operations and zeros.
 *            The file is zero-filled ahead; the first bad record ends it.
 * Threads    The writer has one owner (it prepares segments on a thread of
 *            its own); scans are for start-up; seglog_files is shared.
 * Errors     RC_TEMP: nothing was added.  After a sync that failed the log
 *            refuses everything (seglog_failed).
 * Limits     REC_MAX bytes of operations in a record; SEGLOG_SEGMENTS.
 */
#ifndef STORE_SEGLOG_H
#define STORE_SEGLOG_H

#include "lib/log.h"
#include "store/io.h"
#include "store/rec.h"

#define SEGLOG_FORMAT 1u
#define SEG_HEADER    64u
#define REC_HEADER    40u
#define STORE_ID      16u
#define SEGLOG_MAGIC  "GPSEG\r\n\032"
#define SEGLOG_RECORD 0x31525047u /* "GPR1" */

#define SEGLOG_SEGMENTS 1000000u /* files at one time */

struct seglog;

/* Where the log stands. */
struct seglog_pos {
	uint64_t pos;  /* of the next record */
	uint64_t last; /* of the last record; 0: none */
	uint64_t seq;  /* of the last record */
	uint64_t chain;
};

struct seglog_conf {
	const char *dir;               /* the data directory */
	unsigned char store[STORE_ID]; /* whose log it is */
	uint64_t segment_bytes;
	const struct io *io;
	bool inline_prepare; /* no thread (tests) */
};

/*
 * Continue at `at` (from a scan), or begin a new log when at->pos is 0.
 * next_segment: an id above every one ever used.
 */
MUST_CHECK enum rc seglog_open(const struct log *log,
    const struct seglog_conf *conf, const struct seglog_pos *at,
    uint32_t next_segment, struct seglog **out);
/* Does not sync. */
void seglog_close(struct seglog **l);

/*
 * A batch of records: for each, begin (which says where its operations will
 * stand), then end with the operations in pieces, so that content need not be
 * copied; the pieces must live until write or discard.
 *
 * begin: at most `bound` bytes will be given.  RC_NOENT: the segment is full:
 * write, sync and answer what is pending, then seglog_roll and begin again.
 */
MUST_CHECK enum rc seglog_begin(
    struct seglog *l, size_t bound, uint64_t *out_ops_pos);
void seglog_end(struct seglog *l, const struct str *pieces, size_t n);
/* Only when nothing is pending and everything is synced. */
MUST_CHECK enum rc seglog_roll(struct seglog *l);
MUST_CHECK enum rc seglog_write(struct seglog *l);
void seglog_discard(struct seglog *l); /* the pending ones */
/* Make everything written so far durable.  Never tried twice. */
MUST_CHECK enum rc seglog_sync(struct seglog *l);
/* Behind the last pending record. */
struct seglog_pos seglog_at(const struct seglog *l);
bool seglog_pending(const struct seglog *l);
bool seglog_failed(const struct seglog *l);

struct seglog_stats {
	uint64_t bytes, records, syncs;
	uint32_t segment;
};
void seglog_stats(struct seglog *l, struct seglog_stats *out);

/*
 * Reading.  A scan gives the valid records from a position on, in order.
 * At the end it tells where it stopped and why: RC_OK a clean end, RC_BAD
 * when what was durable is damaged (or of another store).
 */
struct seglog_scan {
	struct seglog_pos end;
	uint32_t segments; /* highest id seen */
	uint64_t records;
	bool damaged;
	struct str why;
};
struct seglog_seen {
	uint64_t pos; /* of the record */
	uint64_t ops_pos;
	uint64_t seq, chain;
	struct str ops;
};
/*
 * from->pos 0: from the first segment.  each may be NULL; what it returns
 * other than RC_OK ends the scan and is returned.  RC_BAD: see out->why.
 */
MUST_CHECK enum rc seglog_scan(const struct log *log,
    const struct seglog_conf *conf, const struct seglog_pos *from,
    enum rc (*each)(void *ctx, const struct seglog_seen *rec), void *ctx,
    struct arena *a, struct seglog_scan *out);
/*
 * One segment by itself, wherever the log begins by now.  RC_NOENT: it is
 * not there, or was not begun; RC_BAD: its records end before the next
 * segment says they do.
 */
MUST_CHECK enum rc seglog_scan_one(const struct log *log,
    const struct seglog_conf *conf, uint32_t id,
    enum rc (*each)(void *ctx, const struct seglog_seen *rec), void *ctx,
    struct arena *a, struct seglog_scan *out);
/*
 * Does the record at `at->last` end at at->pos, or where its segment ended,
 * with at->chain?  RC_NOENT: no; this log does not contain it.
 */
MUST_CHECK enum rc seglog_confirm(const struct log *log,
    const struct seglog_conf *conf, const struct seglog_pos *at);
/* Write the valid tail [from, to) again and sync it: see seglog_scan.c. */
MUST_CHECK enum rc seglog_settle(const struct log *log,
    const struct seglog_conf *conf, uint64_t from, uint64_t to);

/*
 * Ids of the files there are, ascending; the caller frees *ids.  RC_TEMP also:
 * there are too many.
 */
MUST_CHECK enum rc seglog_list(
    const struct log *log, const char *dir, uint32_t **ids, size_t *n);

/* Shared by writer and scanner. */
void seglog_path(const char *dir, uint32_t id, char *out, size_t size);
struct seg_header {
	uint32_t format, id;
	unsigned char store[STORE_ID];
	uint64_t prev_end, prev_chain;
};
void seglog_header_put(const struct seg_header *h, unsigned char b[SEG_HEADER]);
/* RC_NOENT all zero: prepared and not begun; RC_DENY a later format. */
MUST_CHECK enum rc seglog_header_get(
    const unsigned char b[SEG_HEADER], struct seg_header *out);

/* Reading by place: open descriptors kept, any thread. */
struct seglog_files;
struct seglog_files *seglog_files_new(const char *dir);
void seglog_files_free(struct seglog_files **f);
/*
 * Exactly n bytes at pos; RC_NOENT: there is no such segment any more: what
 * stood in it has moved, and whoever asks looks up again where to.
 */
MUST_CHECK enum rc seglog_read(
    struct seglog_files *f, uint64_t pos, void *p, size_t n);
/*
 * The operations of the record at pos, whose sum is right.  RC_BAD: it is
 * not.
 */
MUST_CHECK enum rc seglog_record(
    struct seglog_files *f, uint64_t pos, struct buf *out);
void seglog_files_drop(struct seglog_files *f, uint32_t id);

#endif
