/*
 * sandbox_calls - the lists behind sandbox.c: system calls and paths.
 */
#ifndef LIB_SANDBOX_CALLS_H
#define LIB_SANDBOX_CALLS_H

#include <stddef.h>

extern const int sandbox_allowed[];
extern const size_t sandbox_nallowed;
extern const int sandbox_exec[]; /* allowed with exec, else deadly */
extern const size_t sandbox_nexec;
extern const int sandbox_hostile[];
extern const size_t sandbox_nhostile;
/* What the C library and the others read in every process. */
extern const char *const sandbox_always_read[];
extern const char *const sandbox_always_write[];

#endif
