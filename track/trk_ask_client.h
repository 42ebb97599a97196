/*
 * trk_ask_client - ask the track process what happened, for `gatepost trace`
 * and `gatepost report`.
 *
 * Ownership  What comes out lives in `a`.
 * Threads    Any; blocks until `dl`.
 * Errors     RC_DENY: only root and track's own user may ask; RC_TEMP: no
 *            answer, or the question took longer than track allows.
 * Limits     TRK_PAGE events and messages an answer, TRK_ROWS_MAX rows of a
 *            report.
 */
#ifndef TRACK_TRK_ASK_CLIENT_H
#define TRACK_TRK_ASK_CLIENT_H

#include "track/trk_client.h"

#define TRK_PAGE     500u
#define TRK_ROWS_MAX 20000u
#define TRK_TOP_MAX  1000u

/* Which messages; what is empty is no condition. */
struct trk_find {
	struct str id; /* a queue id or session id */
	struct str message_id, from, to;
	int64_t since_ms, until_ms; /* since <= t < until */
	uint64_t before;            /* 0, or *out_next of the page before */
	uint64_t limit;             /* messages, at most TRK_PAGE */
};

/* A table of a report. */
enum trk_table {
	TRK_BY_KIND = 1, /* kind */
	TRK_BY_REASON,   /* kind, who: code, text: one of the texts */
	TRK_BY_TIME,     /* kind, slot */
	TRK_BY_SENDER,   /* who; what came in */
	TRK_BY_RCPT,     /* who; what was delivered or sent */
};

/* Kinds that only reports have. */
enum trk_kind_more {
	TRK_NOTICE = 64, /* an accept of a message of our own */
	TRK_JUNK,        /* a deliver into Junk */
};

struct trk_row {
	enum trk_table table;
	uint64_t kind; /* enum trk_kind or trk_kind_more */
	uint64_t slot; /* of slot_ms since since_ms */
	uint64_t n, nrcpt, bytes;
	struct str who, text;
};

struct trk_ask;
struct trk_ask *trk_ask_new(const struct log *log, const char *path);
void trk_ask_free(struct trk_ask **t);
/*
 * One event of each message that fits, the newest first.  It has the qid, or
 * for what was never accepted the sid.  A message may appear on several pages.
 */
MUST_CHECK enum rc trk_ask_find(struct trk_ask *t, struct arena *a,
    const struct trk_find *find, struct deadline dl, struct trk_event **out,
    size_t *out_n, uint64_t *out_next);
/*
 * The events of one message in order, from the `from`th on: those of its qid;
 * those of its session that belong to it; the accept events of notices about
 * it.  With an empty qid: what a session did without a message accepted.
 */
MUST_CHECK enum rc trk_ask_steps(struct trk_ask *t, struct arena *a,
    struct str qid, struct str sid, uint64_t from, struct deadline dl,
    struct trk_event **out, size_t *out_n);
MUST_CHECK enum rc trk_ask_report(struct trk_ask *t, struct arena *a,
    int64_t since_ms, int64_t until_ms, int64_t slot_ms, uint64_t top,
    struct deadline dl, struct trk_row **out, size_t *out_n);

#endif
