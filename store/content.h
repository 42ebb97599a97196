/*
 * content - what a message is made of, sealed: header edits and body as one
 * stream, and the meta blob.
 *
 * Format     The stream is cut into chunks of 64 KiB, each compressed by
 *            itself (zstd, if that saves a sixteenth) and sealed under the
 *            message key with its number as nonce, so that any part of a
 *            message is read at the cost of its chunk.  16 chunks make a
 *            part: for each chunk u32 stored length (bit 31: compressed),
 *            then the chunks.  Body id, number, last and compressed are
 *            bound by the seal.
 * Ownership  A reader owns its key and cache.
 * Threads    The pool is shared; a reader has one owner.
 * Errors     RC_BAD the source is shorter than it said or no plain file;
 *            RC_TEMP disk, damage, wrong key; RC_NOENT segment is gone.
 * Limits     CONTENT_MAX bytes.
 */
#ifndef STORE_CONTENT_H
#define STORE_CONTENT_H

#include "store/seal.h"
#include "store/seglog.h"

#define CONTENT_CHUNK  (64u << 10)
#define CONTENT_CHUNKS 16u /* in a part */
#define CONTENT_PART   (CONTENT_CHUNK * CONTENT_CHUNKS)
#define CONTENT_MAX    ((uint64_t)CONTENT_PART * REC_PARTS_MAX)
/* A part as stored is never longer. */
#define CONTENT_STORED (CONTENT_PART + CONTENT_CHUNKS * (4u + SEAL_TAG))

/* Compressors for those who seal and read at the same time. */
struct content_pool;
struct content_pool *content_pool_new(void);
void content_pool_free(struct content_pool **p);

struct content_src {
	struct str edits;
	struct str data; /* the body, or */
	int fd;          /* >= 0: size bytes from its start */
	uint64_t size;
};

/*
 * Every part but the last goes to `full` as soon as it is sealed; the last
 * one is left in *last (always one, even if empty), its number in *number.
 */
MUST_CHECK enum rc content_seal(struct content_pool *pool,
    const unsigned char id[BODY_ID], const unsigned char key[SEAL_KEY],
    const struct content_src *src,
    enum rc (*full)(void *ctx, uint32_t number, struct str data), void *ctx,
    struct buf *last, uint32_t *number);

MUST_CHECK enum rc content_seal_meta(const unsigned char id[BODY_ID],
    const unsigned char key[SEAL_KEY], struct str meta, struct buf *out);
MUST_CHECK enum rc content_open_meta(struct arena *a,
    const unsigned char id[BODY_ID], const unsigned char key[SEAL_KEY],
    struct str sealed, struct str *out);

struct content_reader;
/* parts: as in struct rec_body; copied, like the key. */
MUST_CHECK enum rc content_open(struct content_pool *pool,
    struct seglog_files *files, const struct rec_body *body,
    const unsigned char key[SEAL_KEY], struct content_reader **out);
/* The body was moved: go on at its places of now. */
MUST_CHECK enum rc content_moved(
    struct content_reader *r, const struct rec_body *body);
/* Up to n bytes at off; *out_n is 0 at the end. */
MUST_CHECK enum rc content_read(
    struct content_reader *r, uint64_t off, void *p, size_t n, size_t *out_n);
void content_close(struct content_reader **r);

#endif
