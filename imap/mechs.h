/*
 * mechs - the SASL mechanisms that the directory offers, remembered for a
 * while: POP3's CAPA lists them after the login as well.
 *
 * One caller asks when it is time to; the others get what was known last and
 * never wait, so that a directory that hangs holds one worker for a moment and
 * not all of them.  If it does not answer, the last list stays.
 *
 * Ownership  struct imap_daemon has one; imap_mechs_init makes it.
 * Threads    Any; locks inside, never over the call.
 * Errors     None: what was never known is "".
 * Limits     IMAP_MECHS_MAX bytes.
 */
#ifndef IMAP_MECHS_H
#define IMAP_MECHS_H

#include <pthread.h>

#include "directory/dir_client.h"

#define IMAP_MECHS_MAX      256u
#define IMAP_MECHS_MS       60000 /* until the directory is asked again */
#define IMAP_MECHS_RETRY_MS 5000  /* the same, when it did not answer */
#define IMAP_MECHS_WAIT_MS  1000  /* for the directory */

struct imap_mechs {
	pthread_mutex_t lock;
	char text[IMAP_MECHS_MAX];
	size_t n;
	int64_t until; /* CLOCK_MONOTONIC ns */
};

void imap_mechs_init(struct imap_mechs *m);
/* Space separated, in `a`. */
struct str imap_mechs(
    struct imap_mechs *m, struct dir_client *dir, struct arena *a);

#endif
