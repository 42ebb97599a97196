/*
 * trial - the daemons started for a check alone: they take no connection from
 * the network, and end with it.
 *
 * Ownership  trial_end stops what trial_start has started.
 * Errors     RC_NOENT: gatepostd is not where it should be; RC_BAD: it ended
 *            again, the log says why; RC_TEMP: not all daemons got ready.
 */
#ifndef CLI_TRIAL_H
#define CLI_TRIAL_H

#include <sys/types.h>

#include "cli/cli.h"

struct trial {
	pid_t pid; /* 0: not running */
	int log;   /* what it has written to stderr */
};

#define AUTO_TRIAL CLEANUP(trial_end) struct trial

/* Returns when all daemons are ready, or will not be. */
MUST_CHECK enum rc trial_start(struct trial *t, struct cli *c);
/* The lines of its log that report errors, the last ones if there are many. */
struct str trial_errors(struct trial *t, struct arena *a);
void trial_end(struct trial *t);

#endif
