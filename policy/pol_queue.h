/*
 * pol_queue - whose message is checked when: so many at a time, and so many of
 * them for one client.
 *
 * A check waits for DNS servers that the sender has chosen.  Without a share
 * for each client one of them keeps all workers waiting, and everybody else's
 * mail is late.  Who is too late for a check that is worth something is told so
 * while somebody still listens; that is not the same as a process that is gone.
 *
 * Ownership  A turn is the caller's and stays where it is from enter until it
 *            is done or late.
 * Threads    Any; locks inside.
 * Limits     running and waiting; of one client (an IPv4 address or a /64 of
 *            IPv6) a quarter runs, but at least two, and three quarters wait: a
 *            server that brings much at once is late and not refused.
 */
#ifndef POLICY_POL_QUEUE_H
#define POLICY_POL_QUEUE_H

#include "lib/net.h"

struct pol_queue;

struct pol_turn {
	struct pol_turn *next; /* of those that wait, or are late */
	struct pol_turn_client *client;
	struct deadline start_by;
};

enum pol_turn_is {
	POL_TURN_RUN = 1, /* now; pol_queue_done afterwards */
	POL_TURN_WAIT,    /* somebody's pol_queue_done or _late gives it out */
	POL_TURN_BUSY,    /* never */
};

struct pol_queue *pol_queue_new(unsigned running, unsigned waiting);
void pol_queue_free(struct pol_queue **q); /* nobody may be in it */

/* ip: text; what is none is one client too. */
enum pol_turn_is pol_queue_enter(struct pol_queue *q, struct str ip,
    struct deadline start_by, struct pol_turn *t);
/* t has run: whose turn is it now?  NULL: nobody's. */
struct pol_turn *pol_queue_done(struct pol_queue *q, struct pol_turn *t);
/*
 * Sleep until somebody has waited past start_by; a list of those, who leave.
 * NULL: stopped.  For one thread.
 */
struct pol_turn *pol_queue_late(struct pol_queue *q);
/* Nobody waits any more; those who did, a list. */
struct pol_turn *pol_queue_stop(struct pol_queue *q);

#endif
