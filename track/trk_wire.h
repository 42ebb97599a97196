/*
 * trk_wire - what the clients of track and track say to each other.
 *
 * Format     Events travel as records in one string of a frame, because a
 *            batch has hundreds of them: u32 length of what follows, u8 kind,
 *            i64 milliseconds, u64 size, u64 nrcpt, then for each text that is
 *            not empty u8 number (its place in trk_texts, from 1), u16 length,
 *            bytes.  Integers are little endian.  Unknown texts are skipped.
 * Ownership  What is read borrows from the bytes it was read from.
 * Threads    Pure functions.
 * Errors     RC_BAD: a record is cut short or longer than allowed.
 * Limits     TRK_RECORD_MAX bytes a record, TRK_BATCH_EVENTS records and
 *            TRK_BATCH_BYTES a frame.
 */
#ifndef TRACK_TRK_WIRE_H
#define TRACK_TRK_WIRE_H

#include "track/trk_ask_client.h"
#include "track/trk_client.h"

#define TRK_NTEXTS       9u
#define TRK_RECORD_HEAD  25u /* kind and numbers */
#define TRK_RECORD_MAX   (4u + TRK_RECORD_HEAD + TRK_NTEXTS * (3u + TRK_TEXT_MAX))
#define TRK_BATCH_EVENTS 1000u
#define TRK_BATCH_BYTES  (512u << 10)
#define TRK_CLIENT_ID    16u

enum trk_op {
	TRK_OP_TELL = 1,
	TRK_OP_FIND,
	TRK_OP_STEPS,
	TRK_OP_REPORT,
};

/* Where the texts are in struct trk_event, in the order of the format. */
extern const size_t trk_texts[TRK_NTEXTS];

/* Writes at most TRK_RECORD_MAX bytes; texts are cut to TRK_TEXT_MAX. */
size_t trk_record_put(char *p, const struct trk_event *e);
/* Cuts one record off *in; RC_NOENT at the end. */
MUST_CHECK enum rc trk_record_get(struct str *in, struct trk_event *out);
/* All of them: RC_OK and how many, or RC_BAD. */
MUST_CHECK enum rc trk_records_check(struct str in, size_t *out_n);

/* One frame of events: who tells, and the how manieth batch it is. */
struct trk_batch {
	struct str client; /* TRK_CLIENT_ID random bytes of a process's life */
	uint64_t seq;      /* from 1; a repeat has the number of the first */
	uint64_t dropped;  /* events that were lost before these */
	struct str events; /* records */
	size_t n;
};

void trk_put_batch(struct ipc_msg *m, const struct trk_batch *in);
MUST_CHECK enum rc trk_get_batch(struct ipc_in *in, struct trk_batch *out);
void trk_put_find(struct ipc_msg *m, const struct trk_find *in);
MUST_CHECK enum rc trk_get_find(struct ipc_in *in, struct trk_find *out);
void trk_put_row(struct ipc_msg *m, const struct trk_row *in);
MUST_CHECK enum rc trk_get_row(struct ipc_in *in, struct trk_row *out);

#endif
