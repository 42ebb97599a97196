/*
 * fd - descriptors that close themselves, and whole reads and writes.
 *
 * Errors  RC_TEMP with the cause left in errno only until the next call;
 *         whoever sees it first logs it.
 */
#ifndef LIB_FD_H
#define LIB_FD_H

#include "lib/rc.h"
#include <stddef.h>
#include <stdint.h>
#include "lib/deadline.h"
#include "lib/str.h"

/* Closes on leaving the scope; -1 means none. */
#define AUTO_FD CLEANUP(fd_close) int

void fd_close(int *fd); /* and sets it to -1 */
/* Hand the descriptor on: returns it and leaves -1 behind. */
int take(int *fd);

/* All of it or RC_TEMP; for files (no deadline). */
MUST_CHECK enum rc fd_write_all(int fd, struct str s);
MUST_CHECK enum rc fd_pwrite_all(int fd, struct str s, uint64_t offset);
/* Exactly n bytes, else RC_NOENT (end of file) or RC_TEMP. */
MUST_CHECK enum rc fd_pread_all(int fd, void *p, size_t n, uint64_t offset);
/* Poll for POLLIN/POLLOUT: RC_OK ready, RC_TEMP deadline over or error. */
MUST_CHECK enum rc fd_wait(int fd, short events, struct deadline dl);
/* Read a whole file of at most `max` bytes into an arena. */
MUST_CHECK enum rc fd_read_file(
    struct arena *a, int fd, size_t max, struct str *out);
/* A sealed memfd holding s (F_SEAL_WRITE|GROW|SHRINK|SEAL); -1 on error. */
int fd_sealed(const char *name, struct str s);
/* An unnamed file in that directory, for us alone; -1 on error. */
int fd_spool(const char *dir);
/* True when fd is a memfd sealed against writing and resizing. */
bool fd_is_sealed(int fd);
/* fd_read_file of such a one; RC_BAD if it is none. */
MUST_CHECK enum rc fd_read_sealed(
    struct arena *a, int fd, size_t max, struct str *out);

#endif
