/* The calls, whole: short writes continued, EINTR repeated. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "store/io.h"

#define IOV_BATCH 512

static int
sys_open(const struct io *io, const char *path, int flags, mode_t mode)
{
	(void)io;
	return open(path, flags, mode);
}

static ssize_t
sys_pwritev(
    const struct io *io, int fd, const struct iovec *v, int n, off_t off)
{
	(void)io;
	return pwritev(fd, v, n, off);
}

static int
sys_fdatasync(const struct io *io, int fd)
{
	(void)io;
	return fdatasync(fd);
}

static int
sys_ftruncate(const struct io *io, int fd, off_t size)
{
	(void)io;
	return ftruncate(fd, size);
}

static int
sys_rename(const struct io *io, const char *from, const char *to)
{
	(void)io;
	return rename(from, to);
}

static int
sys_unlink(const struct io *io, const char *path)
{
	(void)io;
	return unlink(path);
}

static int
sys_syncdir(const struct io *io, const char *path)
{
	AUTO_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)io;
	return fd < 0 ? -1 : fsync(fd);
}

static const struct io_ops system_ops = {
	sys_open,
	sys_pwritev,
	sys_fdatasync,
	sys_ftruncate,
	sys_rename,
	sys_unlink,
	sys_syncdir,
};

const struct io io_system = { &system_ops, NULL };

int
io_open(const struct io *io, const char *path, int flags, mode_t mode)
{
	return io->ops->open(io, path, flags | O_CLOEXEC, mode);
}

static void
iov_skip(struct iovec **v, size_t *n, size_t done)
{
	while (*n > 0 && done >= (*v)->iov_len) {
		done -= (*v)->iov_len;
		(*v)++;
		(*n)--;
	}
	if (*n > 0) {
		(*v)->iov_base = (char *)(*v)->iov_base + done;
		(*v)->iov_len -= done;
	}
}

enum rc
io_pwritev(const struct io *io, int fd, struct iovec *v, size_t n, uint64_t off)
{
	iov_skip(&v, &n, 0);
	while (n > 0) {
		ssize_t k = io->ops->pwritev(
		    io, fd, v, (int)MIN(n, IOV_BATCH), (off_t)off);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0) {
			if (k == 0)
				errno = EIO;
			return RC_TEMP;
		}
		off += (uint64_t)k;
		iov_skip(&v, &n, (size_t)k);
	}
	return RC_OK;
}

enum rc
io_pwrite(const struct io *io, int fd, const void *p, size_t n, uint64_t off)
{
	union {
		const void *in;
		void *out;
	} base = { .in = p }; /* iovec knows no const */
	struct iovec v = { base.out, n };

	return io_pwritev(io, fd, &v, 1, off);
}

enum rc
io_fdatasync(const struct io *io, int fd)
{
	return io->ops->fdatasync(io, fd) == 0 ? RC_OK : RC_TEMP;
}

enum rc
io_ftruncate(const struct io *io, int fd, uint64_t size)
{
	return io->ops->ftruncate(io, fd, (off_t)size) == 0 ? RC_OK : RC_TEMP;
}

enum rc
io_rename(const struct io *io, const char *from, const char *to)
{
	return io->ops->rename(io, from, to) == 0 ? RC_OK : RC_TEMP;
}

enum rc
io_unlink(const struct io *io, const char *path)
{
	return io->ops->unlink(io, path) == 0 ? RC_OK : RC_TEMP;
}

enum rc
io_syncdir(const struct io *io, const char *path)
{
	return io->ops->syncdir(io, path) == 0 ? RC_OK : RC_TEMP;
}
