/*
 * trk_query - the questions of trk_ask_client.h, answered from the file.
 *
 * Each has a connection of its own, so that a long one holds up neither the
 * writer nor another, and ends at its deadline.
 *
 * Ownership  What comes out lives in `a`.
 * Threads    Any.
 * Errors     RC_TEMP: not before the deadline, or the file is not there yet;
 *            RC_BAD: the file is damaged.
 */
#ifndef TRACK_TRK_QUERY_H
#define TRACK_TRK_QUERY_H

#include "track/trk_ask_client.h"

MUST_CHECK enum rc trk_query_find(struct arena *a, const char *dir,
    const struct trk_find *find, struct deadline dl, struct trk_event **out,
    size_t *out_n, uint64_t *out_next);
MUST_CHECK enum rc trk_query_steps(struct arena *a, const char *dir,
    struct str qid, struct str sid, uint64_t from, struct deadline dl,
    struct trk_event **out, size_t *out_n);
MUST_CHECK enum rc trk_query_report(struct arena *a, const char *dir,
    int64_t since_ms, int64_t until_ms, int64_t slot_ms, uint64_t top,
    struct deadline dl, struct trk_row **out, size_t *out_n);

#endif
