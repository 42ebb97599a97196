/*
 * sandbox - landlock for the file system, seccomp for system calls.
 *
 * Errors  A kernel without one of them: a warning, or a refusal to start with
 *         `sandbox = required`.
 */
#ifndef LIB_SANDBOX_H
#define LIB_SANDBOX_H

#include "lib/log.h"

enum sandbox_mode { SANDBOX_ON, SANDBOX_REQUIRED, SANDBOX_OFF };

/* Paths end with NULL; anything not named cannot be opened at all. */
struct sandbox {
	const char *const *read;  /* files and trees that may be read */
	const char *const *write; /* trees that may be written */
	bool inet;                /* may make outgoing TCP/UDP connections */
	bool exec;                /* may exec (nobody but the supervisor) */
};

/* Applied to the whole process; before threads are made. */
MUST_CHECK enum rc sandbox_enter(
    const struct log *log, enum sandbox_mode mode, const struct sandbox *rules);

#endif
