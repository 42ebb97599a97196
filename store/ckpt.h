/*
 * ckpt - the checkpoint: all that the index knows at one position of the log,
 * so that records before it need not be kept for anything but their bodies.
 *
 * Format     DIR/log/checkpoint, see doc/formats.md.  Written as
 *            checkpoint.new, synced and renamed: there is a whole one or the
 *            one before.  Header of 96 bytes, then blocks: u32 "GPB1" (the
 *            last one "GPE1"), u32 length, u64 sum of the block before (of
 *            the header), u64 sum seeded with the offset over those 16 bytes
 *            and the payload.  Payload: entries u8 database, u8 flags, u16
 *            length of key, u32 length of value, key, value; in the last
 *            block u64 number of entries.
 * Threads    As the transaction given.
 * Errors     RC_NOENT there is none; RC_BAD damaged (logged, with the
 *            offset); RC_DENY of a later version; RC_TEMP disk.
 */
#ifndef STORE_CKPT_H
#define STORE_CKPT_H

#include "store/io.h"
#include "store/ix.h"

#define CKPT_FORMAT  1u
#define CKPT_HEADER  96u
#define CKPT_BLOCK   24u
#define CKPT_PAYLOAD (256u << 10) /* a block is ended behind this */
#define CKPT_MAX     (REC_MAX + CKPT_PAYLOAD + 1024)
#define CKPT_NAME    "checkpoint"

struct ckpt_head {
	uint32_t format, index_format;
	unsigned char store[STORE_ID];
	struct seglog_pos at; /* the index stood here */
	int64_t time;
};

enum ckpt_db {
	CKPT_ACCOUNT = 1,
	CKPT_ACCTNO,
	CKPT_NAMES,
	CKPT_BYNAME,
	CKPT_BODY,
	CKPT_MBOX,
	CKPT_QUEUE,
	CKPT_OP,
	CKPT_INFO,
};

/* A message's detail without meta, which stands in the log. */
#define CKPT_NO_META 1u

struct ckpt_entry {
	enum ckpt_db db;
	unsigned flags;
	struct str key, value;
};
/* Cut the next one off *payload; RC_NOENT at the end, RC_BAD malformed. */
MUST_CHECK enum rc ckpt_next(struct str *payload, struct ckpt_entry *out);
/* RC_BAD, RC_DENY. */
MUST_CHECK enum rc ckpt_head_parse(
    const unsigned char b[CKPT_HEADER], struct ckpt_head *out);

/* The header alone. */
MUST_CHECK enum rc ckpt_head(
    const struct log *log, const char *dir, struct ckpt_head *out);

struct ckpt_scan {
	const char *path;
	uint64_t blocks, entries;
	uint64_t offset; /* where it is damaged */
};
/*
 * Go through all of a checkpoint, every sum checked; each may be NULL.  What
 * it returns other than RC_OK ends the scan.
 */
MUST_CHECK enum rc ckpt_scan(const struct log *log, const char *path,
    enum rc (*each)(void *ctx, const struct ckpt_entry *e), void *ctx,
    struct ckpt_head *head, struct ckpt_scan *out);

/* Put it into the index, which is emptied before. */
MUST_CHECK enum rc ckpt_load(const struct log *log, const char *dir,
    const struct ix *ix, struct seglog_files *files);

struct ckpt_write {
	const struct log *log;
	const struct io *io;
	const char *dir;
	const struct ix *ix;
	MDB_txn *t; /* what it shows is written */
	/* Called for each body, and after each block: false stops (RC_TEMP). */
	void (*body)(void *ctx, const struct ix_body *b);
	bool (*go_on)(void *ctx, uint64_t bytes);
	void *ctx;
};
/* Makes checkpoint.new, synced. */
MUST_CHECK enum rc ckpt_write(const struct ckpt_write *w, uint64_t *out_bytes);
/* Rename it to its name, durably. */
MUST_CHECK enum rc ckpt_commit(
    const struct log *log, const struct io *io, const char *dir);

#endif
