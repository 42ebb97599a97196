/*
 * io - every call by which the store changes a file of its own, so that tests
 * can record them, lose what was not synced, or make each of them fail.
 *
 * LMDB writes its files itself and does not pass here.
 *
 * Threads  Any thread.
 * Errors   RC_TEMP with the cause in errno until the next call.
 */
#ifndef STORE_IO_H
#define STORE_IO_H

#include <sys/types.h>
#include <sys/uio.h>

#include "lib/base.h"

struct io;

struct io_ops {
	int (*open)(
	    const struct io *io, const char *path, int flags, mode_t mode);
	ssize_t (*pwritev)(const struct io *io, int fd, const struct iovec *v,
	    int n, off_t off);
	int (*fdatasync)(const struct io *io, int fd);
	int (*ftruncate)(const struct io *io, int fd, off_t size);
	int (*rename)(const struct io *io, const char *from, const char *to);
	int (*unlink)(const struct io *io, const char *path);
	int (*syncdir)(const struct io *io, const char *path);
};

struct io {
	const struct io_ops *ops;
	void *ctx;
};

/* The kernel itself. */
extern const struct io io_system;

/* -1 on error. */
int io_open(const struct io *io, const char *path, int flags, mode_t mode);
/* All of it; v is used up. */
MUST_CHECK enum rc io_pwritev(
    const struct io *io, int fd, struct iovec *v, size_t n, uint64_t off);
MUST_CHECK enum rc io_pwrite(
    const struct io *io, int fd, const void *p, size_t n, uint64_t off);
MUST_CHECK enum rc io_fdatasync(const struct io *io, int fd);
MUST_CHECK enum rc io_ftruncate(const struct io *io, int fd, uint64_t size);
MUST_CHECK enum rc io_rename(
    const struct io *io, const char *from, const char *to);
MUST_CHECK enum rc io_unlink(const struct io *io, const char *path);
MUST_CHECK enum rc io_syncdir(const struct io *io, const char *path);

#endif
