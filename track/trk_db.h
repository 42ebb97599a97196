/*
 * trk_db - events in an SQLite file, written by one thread.
 *
 * Ownership  The caller opens and closes it; batches are borrowed.
 * Threads    One; questions (trk_query.h) have connections of their own.
 * Errors     RC_TEMP: the disk is full or fails, and what was to be written is
 *            not there.  A file that is damaged is set aside as
 *            events.damaged and a new one begun; that is logged and RC_OK.
 * Limits     The size given to trk_db_prune is kept within a step of it.
 * Format     doc/formats.md.
 */
#ifndef TRACK_TRK_DB_H
#define TRACK_TRK_DB_H

#include "track/trk_wire.h"

struct trk_db;

/* dir: an existing folder of ours. */
MUST_CHECK enum rc trk_db_open(
    const struct log *log, const char *dir, struct trk_db **out);
void trk_db_close(struct trk_db **db);
/*
 * All batches in one transaction; one that was written before is not written
 * again.  *out_events: how many were new.
 */
MUST_CHECK enum rc trk_db_write(struct trk_db *db,
    const struct trk_batch *const *v, size_t n, uint64_t *out_events);
/*
 * One small step towards: nothing older than before_ms, no more than max_bytes
 * in the file.  *out_more: another step has something to do.
 */
MUST_CHECK enum rc trk_db_prune(
    struct trk_db *db, int64_t before_ms, uint64_t max_bytes, bool *out_more);
/* Bytes in the file that are in use. */
uint64_t trk_db_bytes(struct trk_db *db);
/* A reader has found it damaged: set it aside. */
MUST_CHECK enum rc trk_db_set_aside(struct trk_db *db);

#endif
