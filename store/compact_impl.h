/*
 * compact_impl - what the steps of a compaction share; what they are, and why
 * nothing is lost, stands in local_compact.c.
 *
 * Threads  The compacting thread; but see struct compact.  compact_take_stock
 *          is anybody's.
 */
#ifndef STORE_COMPACT_IMPL_H
#define STORE_COMPACT_IMPL_H

#include "store/local.h"

#define REST_AUTO 4 /* rest so many times the work */

struct segment {
	uint32_t id;
	bool victim;
	uint64_t size, live;
};

struct segments {
	struct segment *v;
	size_t n;
	uint64_t total, live, reclaim;
};

struct compact {
	struct local *l;
	pthread_t thread;
	bool threaded;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake, changed;
	bool stop, wanted, running;
	unsigned pins;
	uint64_t runs;     /* finished ones */
	enum rc result;    /* of the last one */
	uint64_t log_size; /* when the segments were last counted */
	struct engine_upkeep seen;
};

/*
 * All bodies in turn, a chunk to a transaction, so that none lasts; fn is
 * given those of a chunk while it is open.  What is put or moves meanwhile
 * may be missed: this chooses, the checkpoint decides.
 */
struct tour {
	struct compact *c;
	struct ix_key next;
	bool finished;
};

/* local_compact.c: the run is to end, with RC_TEMP. */
bool compact_stopping(struct compact *c);
void compact_progress(struct compact *c, uint64_t done);
/* Sleep, so that whoever has mail comes first; ends early when stopped. */
void compact_rest(struct compact *c, bool manual, int64_t worked_ns);

/* compact_stock.c: what is in the segments, and which are the victims. */
struct segment *compact_find_segment(struct segments *s, uint32_t id);
void compact_count_body(void *ctx, const struct ix_body *b);
/* The segments before `below`, with their sizes and nothing in them. */
MUST_CHECK enum rc compact_list_sealed(
    struct local *l, uint32_t below, struct segments *out);
MUST_CHECK enum rc compact_tour_chunk(
    struct tour *t, bool (*fn)(void *ctx, const struct ix_body *b), void *ctx);
/* All of it; s->v is the caller's, even on an error. */
MUST_CHECK enum rc compact_take_stock(
    struct compact *c, uint32_t below, struct segments *s);
/*
 * Mark the emptiest of the segments that are at most `percent` full, as far
 * as what is in them finds room.  RC_NOENT: there is none.
 */
MUST_CHECK enum rc compact_choose(
    struct compact *c, struct segments *s, unsigned percent);

/* compact_move.c: log what is in the victims again. */
MUST_CHECK enum rc compact_move(
    struct compact *c, const struct segments *s, bool manual);

/* compact_settle.c: write the index out; then remove what it does not need. */
MUST_CHECK enum rc compact_checkpoint(
    struct compact *c, bool manual, struct segments *out);
MUST_CHECK enum rc compact_settle(
    struct compact *c, const struct segments *s, size_t *removed);

#endif
