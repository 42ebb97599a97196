/*
 * backup - copies of a store's log and keys, and the way back.
 *
 * A backup is a folder: the segments up to one position of the log, the
 * checkpoint, and a manifest that names them with sums; the key file beside
 * it or in a folder of its own.  Later backups into the same folder copy what
 * came since.  The manifest is replaced last and as a whole: what it names is
 * there, and a backup that was cut short leaves the one before.
 *
 * Format     DIR/manifest, log/SSSSSSSS.seg, log/checkpoint.POSITION; keys:
 *            see doc/formats.md.
 * Ownership  Texts live in the arena given.
 * Threads    One.
 * Errors     *why says in words what was wrong.  RC_NOENT: the lease ended
 *            (backup), or there is no backup (restore); RC_BAD: damaged;
 *            RC_DENY: of another store or another history of it, of a later
 *            version, or the target is not empty; RC_TEMP: disk.
 */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include "lib/log.h"
#include "store/ckpt.h"
#include "store/engine.h"

#define BACKUP_FORMAT   1u
#define BACKUP_BLOCK    (4u << 20) /* a sum for each so many bytes of a file */
#define BACKUP_FILES    (SEGLOG_SEGMENTS + 1) /* and the checkpoint */
#define BACKUP_MANIFEST "manifest"
#define BACKUP_MARK     "restoring" /* in data_dir: not ready for use */

struct backup_file {
	uint32_t id;   /* segment; 0: the checkpoint */
	uint64_t size; /* bytes of it that belong to the backup */
	uint64_t *sums;
	size_t nsums;
};

struct backup_manifest {
	unsigned char store[STORE_ID];
	struct engine_position at;
	int64_t time;
	uint64_t number; /* of backups into this folder */
	uint64_t ckpt;   /* position of the checkpoint; 0: none */
	struct backup_file *files;
	size_t n;
};

MUST_CHECK enum rc backup_manifest_parse(
    struct arena *a, struct str text, struct backup_manifest *out);
/* RC_BAD, RC_TEMP: it would not be read again. */
MUST_CHECK enum rc backup_manifest_put(
    const struct backup_manifest *m, struct buf *out);
/* RC_NOENT: there is none. */
MUST_CHECK enum rc backup_manifest_read(struct arena *a, const char *dir,
    struct backup_manifest *out, struct str *why);

struct backup {
	struct log log;
	const struct io *io;
	const char *data_dir, *dir, *keys_dir;
	struct engine_position at; /* while the lease runs */
	/* Bytes copied; other than RC_OK stops: the lease is gone. */
	enum rc (*go_on)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
};
struct backup_done {
	bool first;
	uint64_t number, files, bytes; /* copied now */
	uint64_t total;                /* that the backup has */
};
MUST_CHECK enum rc backup_run(struct arena *a, const struct backup *b,
    struct backup_done *out, struct str *why);

struct restore {
	struct log log;
	const struct io *io;
	const char *data_dir, *dir, *keys_dir;
	enum rc (*go_on)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
	/* The second step: */
	const unsigned char *master;
	uint64_t map_bytes, segment_bytes;
	uint32_t held; /* the state that queue entries get, */
	/* and their data: what must not happen to them is not ours to know. */
	struct str (*hold)(struct arena *a, struct str data);
};
struct restore_done {
	struct engine_stats stats;
	int64_t time; /* of the backup */
	uint64_t held;
};
/* What the second step must know, which may be unable to read the backup. */
struct restore_copied {
	int64_t time;
	struct engine_position at;
};
/*
 * Copy everything into the empty data_dir, each sum checked; files belong to
 * who owns the folder.  Can be repeated after a crash.
 */
MUST_CHECK enum rc restore_copy(struct arena *a, const struct restore *r,
    struct restore_copied *out, struct str *why);
/* Build the index, give new UIDVALIDITYs, hold the queue, open for use. */
MUST_CHECK enum rc restore_finish(struct arena *a, const struct restore *r,
    const struct restore_copied *copied, struct restore_done *out,
    struct str *why);

#endif
