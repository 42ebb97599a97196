/*
 * inflight - what was being worked on when a process died.
 *
 * A table in shared memory that the supervisor keeps over the lives of a
 * process.  A handler enters the id of a message or command before it works
 * on it and takes it out afterwards; what the next life finds entered is what
 * the last one died with.  An id that was in flight at two deaths is poison:
 * nobody tries a third time.  A clean stop leaves nothing behind.
 *
 * Ownership  inflight_open maps the descriptor and does not keep it.
 * Threads    Begin and end from any thread; lock-free.
 * Errors     inflight_begin: RC_DENY it is poison; RC_TEMP the table is full
 *            (more at a time than INFLIGHT_SLOTS, or not ours): go on
 *            without, or answer 4xx.
 * Limits     INFLIGHT_SLOTS ids at a time, INFLIGHT_DEATHS remembered.
 */
#ifndef LIB_INFLIGHT_H
#define LIB_INFLIGHT_H

#include "lib/base.h"

#define INFLIGHT_ID     16u
#define INFLIGHT_SLOTS  4096u
#define INFLIGHT_DEATHS 256u
#define INFLIGHT_FATAL  2u /* deaths that make an id poison */

struct inflight;

/* The supervisor's side: an empty table; -1 with errno. */
int inflight_make(void);

/*
 * Map it and count the dead: what is entered is moved to the list of deaths.
 * fd -1 (or not such a table) gives a private, empty one.
 */
struct inflight *inflight_open(int fd);
void inflight_close(struct inflight **f);

/* Enter the first INFLIGHT_ID bytes of id (shorter ones are padded). */
MUST_CHECK enum rc inflight_begin(
    struct inflight *f, struct str id, unsigned *slot);
void inflight_end(struct inflight *f, unsigned slot);

/* Deaths of an id so far. */
unsigned inflight_deaths(struct inflight *f, struct str id);
/* The i-th id that the last life died with; false at the end. */
bool inflight_found(struct inflight *f, size_t i, unsigned char id[INFLIGHT_ID],
    unsigned *deaths);
/* It was set aside for good (or worked after all). */
void inflight_forget(struct inflight *f, struct str id);

#endif
