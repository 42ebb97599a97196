#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

void
fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int
take(int *fd)
{
	int was = *fd;

	*fd = -1;
	return was;
}

enum rc
fd_write_all(int fd, struct str s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return RC_TEMP;
		s = str_from(s, (size_t)n);
	}
	return RC_OK;
}

enum rc
fd_pwrite_all(int fd, struct str s, uint64_t offset)
{
	while (s.n > 0) {
		ssize_t n = pwrite(fd, s.p, s.n, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return RC_TEMP;
		s = str_from(s, (size_t)n);
		offset += (uint64_t)n;
	}
	return RC_OK;
}

enum rc
fd_pread_all(int fd, void *p, size_t n, uint64_t offset)
{
	char *q = p;

	while (n > 0) {
		ssize_t got = pread(fd, q, n, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return RC_TEMP;
		if (got == 0)
			return RC_NOENT;
		q += got;
		n -= (size_t)got;
		offset += (uint64_t)got;
	}
	return RC_OK;
}

enum rc
fd_wait(int fd, short events, struct deadline dl)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int n = poll(&p, 1, deadline_left_ms(dl));

		if (n > 0)
			return RC_OK;
		if (n == 0) {
			errno = ETIMEDOUT;
			return RC_TEMP;
		}
		if (errno != EINTR)
			return RC_TEMP;
	}
}

enum rc
fd_read_file(struct arena *a, int fd, size_t max, struct str *out)
{
	struct stat st;
	char *p;
	enum rc rc;

	if (fstat(fd, &st) < 0)
		return RC_TEMP;
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return RC_BAD;
	p = arena_alloc(a, (size_t)st.st_size + 1);
	rc = fd_pread_all(fd, p, (size_t)st.st_size, 0);
	if (rc != RC_OK)
		return RC_TEMP;
	p[st.st_size] = '\0';
	*out = (struct str){ p, (size_t)st.st_size };
	return RC_OK;
}

int
fd_sealed(const char *name, struct str s)
{
	AUTO_FD fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || fd_write_all(fd, s) != RC_OK)
		return -1;
	if (fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0)
		return -1;
	return take(&fd);
}

int
fd_spool(const char *dir)
{
	return open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

bool
fd_is_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS) == SEALS;
}

enum rc
fd_read_sealed(struct arena *a, int fd, size_t max, struct str *out)
{
	return fd_is_sealed(fd) ? fd_read_file(a, fd, max, out) : RC_BAD;
}
