/*
 * dlv_sched - which message is tried next, and where.
 *
 * The unit is a job: one message and one place, a next hop or (hop "") this
 * house: mailboxes, groups, notices, expiry.  A message has a job for each of
 * its places, a place has a heap of jobs by due time.  Places take turns; each
 * has a limit of jobs that run at a time, and one that could not be reached is
 * left alone for a while, then probed with a single job.  Many jobs that fail
 * together are one failure: a job tells nothing of a place of which something
 * was learned after that job had begun.
 *
 * While the job of this house runs for a message, none of its others does, and
 * the other way round: it decides about all entries (expiry).
 *
 * Ownership  The scheduler owns messages, places and jobs.
 * Threads    One owner at a time: the queue's lock.
 * Clock      It may be set back: everything keeps its distance.
 * Limits     `limit` jobs of a place, `cap` jobs of all places but this house,
 *            `local` of this house.  A message with one job is about 350
 *            bytes.
 */
#ifndef DLV_SCHED_H
#define DLV_SCHED_H

#include "delivery/dlv_heap.h"
#include "delivery/dlv_wire.h"

#define uthash_malloc(n)         xmalloc(n)
#define uthash_free(p, n)        xfree(p)
#define HASH_FUNCTION(p, n, out) (out) = (unsigned)str_hash(str_n((p), (n)))
#include <uthash.h>

/* How many entries of a message are in which state. */
struct dlv_numbers {
	uint64_t ready, held, poison;
	int64_t expires_at; /* unix seconds, DLV_NEVER */
};

/* Why nobody was reached at a place the last time. */
struct dlv_why {
	struct str host, status, reply;
	int64_t at; /* unix seconds */
};

struct dlv_place {
	struct dlv_node node; /* when it has something to do */
	struct dlv_heap jobs; /* those that wait */
	unsigned running;
	unsigned fails;   /* times in a row that nobody was reached */
	uint64_t learned; /* when, by dlv_sched.events */
	uint64_t marked;  /* when the try began that marked it down */
	int64_t down_until, turn;
	struct dlv_why why; /* while fails > 0 */
	struct arena a;     /* of why */
	UT_hash_handle hh;
	size_t hop_n;
	char hop[];
};

struct dlv_job {
	struct dlv_node node;
	struct dlv_message *m;
	struct dlv_place *place;
	struct dlv_job *next; /* of the message */
	uint64_t began;       /* when it was claimed, by dlv_sched.events */
	uint16_t pokes;       /* of the message, when it was claimed */
	bool running, wanted;
	bool blocked; /* due, and put off by another job of the message */
};

struct dlv_message {
	struct dlv_numbers sum;
	struct dlv_job *jobs;
	struct dlv_message *prev, *next; /* in `looks` */
	UT_hash_handle hh;
	uint64_t noted;   /* dlv_sched_begin was called, by dlv_sched.events */
	uint32_t running; /* jobs for other places */
	bool here;        /* the job of this house runs */
	bool listed;      /* in `looks` */
	bool looking;     /* somebody reads it now */
	bool changed;     /* poked since */
	uint16_t pokes;   /* so far */
	uint8_t id_n;
	char id[];
};

struct dlv_sched {
	unsigned limit, cap, local; /* the caller's, at any time */
	int64_t now;                /* the last that was said */
	int64_t pause_until;        /* no other place before */
	struct dlv_message *by_id;
	struct dlv_message *looks; /* to be read from the store */
	struct dlv_place *by_hop;
	struct dlv_place *house;
	struct dlv_heap places; /* but the house */
	unsigned running;       /* jobs for other places */
	bool house_turn;
	uint64_t events; /* a clock that nobody sets */
	struct dlv_numbers sum;
};

/* All times in unix milliseconds. */
void dlv_sched_init(struct dlv_sched *s);
void dlv_sched_free(struct dlv_sched *s);

struct dlv_message *dlv_sched_find(struct dlv_sched *s, struct str id);
struct dlv_message *dlv_sched_add(struct dlv_sched *s, struct str id);
/* It is no longer in the queue; nothing of it may run. */
void dlv_sched_forget(struct dlv_sched *s, struct dlv_message *m);
/* It has to be read from the store. */
void dlv_sched_look(struct dlv_sched *s, struct dlv_message *m);
/* The next one to read, marked as `looking`, or NULL. */
struct dlv_message *dlv_sched_take_look(struct dlv_sched *s);

/*
 * What the message has to do, as it was read: begin, a job for each place,
 * end.  Jobs that run are left alone, others that were not named are gone.
 */
void dlv_sched_begin(
    struct dlv_sched *s, struct dlv_message *m, const struct dlv_numbers *sum);
/* Is there a job for that place? */
bool dlv_sched_has(const struct dlv_message *m, struct str hop);
void dlv_sched_want(
    struct dlv_sched *s, struct dlv_message *m, struct str hop, int64_t at);
void dlv_sched_end(struct dlv_sched *s, struct dlv_message *m);

/*
 * The next job that may run, now marked as running, or NULL: *out_at says when
 * there may be one (DLV_NEVER: when something changes).
 */
struct dlv_job *dlv_sched_next(
    struct dlv_sched *s, int64_t now, int64_t *out_at);
/* When that may be, as far as is known now. */
int64_t dlv_sched_at(const struct dlv_sched *s);
/* One of this message for another place, if it may run now. */
struct dlv_job *dlv_sched_take(
    struct dlv_sched *s, struct dlv_message *m, int64_t now);
/*
 * It ran.  The message should be looked at or forgotten then; or, if nothing
 * was found to be done, resumed.
 */
void dlv_sched_done(struct dlv_sched *s, struct dlv_job *j, int64_t now);
/* What was due while another job of the message ran is due now. */
void dlv_sched_resume(struct dlv_sched *s, struct dlv_message *m, int64_t now);
/* The time of one of its jobs was set. */
void dlv_sched_poke_place(struct dlv_sched *s, struct dlv_place *p);
/*
 * This job, which still runs, reached nobody at its place: leave that alone
 * until then, unless something newer is known; or it reached somebody.
 */
void dlv_sched_down(struct dlv_sched *s, const struct dlv_job *j, int64_t until,
    const struct dlv_why *why);
void dlv_sched_up(struct dlv_sched *s, struct dlv_place *p);
/*
 * A moment, to compare with: tries that begin and messages that are noted from
 * now on are later.
 */
uint64_t dlv_sched_mark(struct dlv_sched *s);
/*
 * Somebody wants that place tried: it is no longer down, unless by a try that
 * began after the moment `since`.
 */
void dlv_sched_revive(struct dlv_sched *s, struct str hop, uint64_t since);
/* What is known of a place that is down, or NULL. */
const struct dlv_why *dlv_sched_why(const struct dlv_sched *s, struct str hop);

#endif
