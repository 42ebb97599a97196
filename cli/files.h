/*
 * files - the files that the configuration names: are they there at all?
 *
 * Whether a daemon may read its own is the daemon's check; this one tells a
 * wrong name from a wrong right, and works before anything is started.
 *
 * Ownership  Texts live in the cli's arena.
 */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include "cli/cli.h"

/* Calls `missing` for each that is not there; returns how many are named. */
unsigned files_check(struct cli *c,
    void (*missing)(
	void *arg, const char *setting, const char *path, int error),
    void *arg);

#endif
