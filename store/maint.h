/*
 * maint - looking after a store on disk: check it, build its index anew.
 *
 * Ownership  Texts given to `say` live for the call.
 * Threads    One.
 * Errors     RC_OK: looked at everything and all was well; RC_BAD: something
 *            said MAINT_BAD; RC_DENY: another process has the store open
 *            (rebuild), a later format, or not this master key; RC_TEMP: the
 *            disk.
 */
#ifndef STORE_MAINT_H
#define STORE_MAINT_H

#include "lib/log.h"
#include "store/seal.h"

enum maint_grade { MAINT_GOOD, MAINT_NOTE, MAINT_BAD };

struct maint {
	struct log log;
	const char *dir;
	/* NULL: what is sealed is not opened. */
	const unsigned char *master;
	bool deep; /* open every message (needs the master key) */
	/* One line: what was looked at, what was found. */
	void (*say)(void *ctx, enum maint_grade grade, struct str what,
	    struct str found);
	void *ctx;
};

/*
 * Keys, every record of the log, the index against itself and against the
 * log.  Changes nothing; the store may be running.
 */
MUST_CHECK enum rc maint_check(const struct maint *m);

/*
 * Set the index aside (as index.old.TIME) and build it from log and keys,
 * with UIDs, flags, MODSEQs and what was expunged.  The store must not run.
 */
MUST_CHECK enum rc maint_rebuild(
    const struct maint *m, uint64_t map_bytes, uint64_t segment_bytes);

#endif
