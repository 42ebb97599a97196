/* Recording, failing, and making files as a power cut leaves them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fault/recio.h"

#define SECTOR 512u

static struct recio *
self(const struct io *io)
{
	return io->ctx;
}

/* False: this call fails; errno says how. */
static bool
go_on(struct recio *r)
{
	bool fail;

	pthread_mutex_lock(&r->lock);
	fail = ++r->calls == r->fail_at;
	pthread_mutex_unlock(&r->lock);
	if (fail)
		errno = r->fail_errno;
	return !fail;
}

static int
path_of(struct recio *r, const char *path)
{
	size_t skip = strlen(r->root);
	const char *rel = path;

	assert_int_equal(strncmp(path, r->root, skip), 0);
	rel += skip;
	while (*rel == '/')
		rel++;
	for (int i = 0; i < r->npaths; i++)
		if (strcmp(r->paths[i], rel) == 0)
			return i;
	assert_true(r->npaths < RECIO_PATHS);
	r->paths[r->npaths] = xmalloc(strlen(rel) + 1);
	memcpy(r->paths[r->npaths], rel, strlen(rel) + 1);
	return r->npaths++;
}

static struct recio_event *
event(struct recio *r, enum recio_kind kind, int file)
{
	if (r->n == r->size) {
		r->size = MAX(256, r->size * 2);
		r->v = xrealloc(r->v, r->size * sizeof(*r->v));
	}
	r->v[r->n] = (struct recio_event){ .kind = kind, .file = file };
	return &r->v[r->n++];
}

static int
rec_open(const struct io *io, const char *path, int flags, mode_t mode)
{
	struct recio *r = self(io);
	bool there = access(path, F_OK) == 0;
	int fd;

	if (!go_on(r))
		return -1;
	fd = open(path, flags, mode);
	if (fd < 0)
		return fd;
	assert_true(fd < (int)COUNT(r->fds));
	pthread_mutex_lock(&r->lock);
	r->fds[fd] = path_of(r, path);
	if (r->keep && !there)
		(void)event(r, RECIO_CREATE, r->fds[fd]);
	else if (r->keep && (flags & O_TRUNC))
		(void)event(r, RECIO_TRUNCATE, r->fds[fd]);
	pthread_mutex_unlock(&r->lock);
	return fd;
}

static ssize_t
rec_pwritev(
    const struct io *io, int fd, const struct iovec *v, int n, off_t off)
{
	struct recio *r = self(io);
	ssize_t done;
	size_t left;
	struct recio_event *e;

	if (!go_on(r)) {
		/* Half of it gets through, as it may. */
		if (n > 1)
			(void)!pwritev(fd, v, n / 2, off);
		errno = r->fail_errno;
		return -1;
	}
	done = pwritev(fd, v, n, off);
	if (done <= 0 || !r->keep)
		return done;
	pthread_mutex_lock(&r->lock);
	e = event(r, RECIO_WRITE, r->fds[fd]);
	e->off = (uint64_t)off;
	e->data = xmalloc((size_t)done);
	for (left = (size_t)done; left > 0; v++) {
		size_t k = MIN(left, v->iov_len);

		memcpy(e->data + e->n, v->iov_base, k);
		e->n += k;
		left -= k;
	}
	pthread_mutex_unlock(&r->lock);
	return done;
}

static void
note(struct recio *r, enum recio_kind kind, int fd, uint64_t off)
{
	pthread_mutex_lock(&r->lock);
	if (r->keep)
		event(r, kind, r->fds[fd])->off = off;
	pthread_mutex_unlock(&r->lock);
}

static int
rec_fdatasync(const struct io *io, int fd)
{
	struct recio *r = self(io);

	if (!go_on(r))
		return -1;
	if (atomic_exchange(&r->fail_sync, false)) {
		errno = EIO;
		return -1;
	}
	note(r, RECIO_SYNC, fd, 0);
	return 0;
}

static int
rec_ftruncate(const struct io *io, int fd, off_t size)
{
	struct recio *r = self(io);

	if (!go_on(r))
		return -1;
	note(r, RECIO_TRUNCATE, fd, (uint64_t)size);
	return ftruncate(fd, size);
}

static void
note_path(
    struct recio *r, enum recio_kind kind, const char *path, const char *to)
{
	struct recio_event *e;

	pthread_mutex_lock(&r->lock);
	if (r->keep) {
		int file = path_of(r, path);
		int other = to != NULL ? path_of(r, to) : 0;

		e = event(r, kind, file);
		e->to = other;
		/* Who has it open goes on writing to the new name. */
		for (size_t i = 0; to != NULL && i < COUNT(r->fds); i++)
			if (r->fds[i] == file)
				r->fds[i] = other;
	}
	pthread_mutex_unlock(&r->lock);
}

static int
rec_rename(const struct io *io, const char *from, const char *to)
{
	struct recio *r = self(io);

	if (!go_on(r))
		return -1;
	note_path(r, RECIO_RENAME, from, to);
	return rename(from, to);
}

static int
rec_unlink(const struct io *io, const char *path)
{
	struct recio *r = self(io);

	if (!go_on(r))
		return -1;
	note_path(r, RECIO_UNLINK, path, NULL);
	return unlink(path);
}

static int
rec_syncdir(const struct io *io, const char *path)
{
	struct recio *r = self(io);

	if (!go_on(r))
		return -1;
	note_path(r, RECIO_SYNCDIR, path, NULL);
	return 0;
}

static const struct io_ops ops = {
	rec_open,
	rec_pwritev,
	rec_fdatasync,
	rec_ftruncate,
	rec_rename,
	rec_unlink,
	rec_syncdir,
};

void
recio_init(struct recio *r, const char *root, bool keep)
{
	*r = (struct recio){ .io = { &ops, r }, .keep = keep };
	(void)snprintf(r->root, sizeof(r->root), "%s", root);
	pthread_mutex_init(&r->lock, NULL);
}

void
recio_free(struct recio *r)
{
	for (size_t i = 0; i < r->n; i++)
		xfree(r->v[i].data);
	for (int i = 0; i < r->npaths; i++)
		xfree(r->paths[i]);
	xfree(r->v);
	pthread_mutex_destroy(&r->lock);
}

size_t
recio_events(struct recio *r)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = r->n;
	pthread_mutex_unlock(&r->lock);
	return n;
}

static uint64_t
rnd(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x >> 11;
}

/* Is there a sync of this file (or of its directory) in (from, upto)? */
static bool
synced(const struct recio *r, size_t from, size_t upto, enum recio_kind kind,
    int file)
{
	for (size_t i = from + 1; i < upto; i++) {
		const char *dir;
		size_t n;

		if (r->v[i].kind != kind)
			continue;
		if (kind == RECIO_SYNC && r->v[i].file == file)
			return true;
		if (kind != RECIO_SYNCDIR)
			continue;
		dir = r->paths[r->v[i].file];
		n = strlen(dir);
		if (strncmp(r->paths[file], dir, n) == 0 &&
		    strchr(r->paths[file] + n + (n > 0), '/') == NULL)
			return true;
	}
	return false;
}

static void
write_sectors(int fd, const struct recio_event *e, bool all, uint64_t *x)
{
	bool every = rnd(x) % 2 == 0; /* a whole write, or torn */
	bool keep = rnd(x) % 2 == 0;

	for (size_t at = 0; at < e->n;) {
		size_t k = SECTOR - (e->off + at) % SECTOR;

		k = MIN(k, e->n - at);
		if (!every)
			keep = rnd(x) % 2 == 0;
		if (all || keep)
			assert_int_equal(
			    pwrite(fd, e->data + at, k, (off_t)(e->off + at)),
			    k);
		at += k;
	}
}

static void
full_path(
    const struct recio *r, const char *dir, int file, char *out, size_t size)
{
	int n = snprintf(out, size, "%s/%s", dir, r->paths[file]);

	assert_true(n > 0 && (size_t)n < size);
}

/* What was not synced under the old name of a renamed file stays torn. */
void
recio_replay(struct recio *r, size_t upto, uint64_t seed, const char *dir)
{
	uint64_t x = seed * 0x9E3779B97F4A7C15u + 0x1234567;
	char path[512], to[512];

	assert_int_equal(mkdir(dir, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/log", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < upto; i++) {
		const struct recio_event *e = &r->v[i];
		AUTO_FD fd = -1;

		full_path(r, dir, e->file, path, sizeof(path));
		switch (e->kind) {
		case RECIO_CREATE:
			if (!synced(r, i, upto, RECIO_SYNCDIR, e->file) &&
			    rnd(&x) % 2 == 0)
				break;
			fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
			assert_true(fd >= 0);
			break;
		case RECIO_WRITE:
			fd = open(path, O_RDWR | O_CLOEXEC);
			if (fd >= 0)
				write_sectors(fd, e,
				    synced(r, i, upto, RECIO_SYNC, e->file),
				    &x);
			break;
		case RECIO_TRUNCATE:
			if (!synced(r, i, upto, RECIO_SYNC, e->file) &&
			    rnd(&x) % 2 == 0)
				break;
			fd = open(path, O_RDWR | O_CLOEXEC);
			if (fd >= 0)
				assert_int_equal(
				    ftruncate(fd, (off_t)e->off), 0);
			break;
		case RECIO_RENAME:
			full_path(r, dir, e->to, to, sizeof(to));
			if (synced(r, i, upto, RECIO_SYNCDIR, e->to) ||
			    rnd(&x) % 2 == 0)
				(void)rename(path, to);
			break;
		case RECIO_UNLINK:
			if (synced(r, i, upto, RECIO_SYNCDIR, e->file) ||
			    rnd(&x) % 2 == 0)
				(void)unlink(path);
			break;
		default:
			break;
		}
	}
}
