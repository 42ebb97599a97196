/* Headers of segments, file names, and reading by place. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/seglog.h"
#include "store/sum.h"

#define FILES_KEPT 64u

void
seglog_path(const char *dir, uint32_t id, char *out, size_t size)
{
	int n = snprintf(out, size, "%s/log/%08x.seg", dir, (unsigned)id);

	assert(n > 0 && (size_t)n < size);
}

void
seglog_header_put(const struct seg_header *h, unsigned char b[SEG_HEADER])
{
	memset(b, 0, SEG_HEADER);
	memcpy(b, SEGLOG_MAGIC, 8);
	le_put(b + 8, h->format, 4);
	le_put(b + 12, h->id, 4);
	memcpy(b + 16, h->store, STORE_ID);
	le_put(b + 32, h->prev_end, 8);
	le_put(b + 40, h->prev_chain, 8);
	le_put(b + 56, sum_of(h->id, b, 56), 8);
}

enum rc
seglog_header_get(const unsigned char b[SEG_HEADER], struct seg_header *out)
{
	static const unsigned char zero[SEG_HEADER];

	if (memcmp(b, zero, SEG_HEADER) == 0)
		return RC_NOENT;
	if (memcmp(b, SEGLOG_MAGIC, 8) != 0)
		return RC_BAD;
	out->format = (uint32_t)le_get(b + 8, 4);
	out->id = (uint32_t)le_get(b + 12, 4);
	/* A later format keeps these two fields and may move the rest. */
	if (out->format > SEGLOG_FORMAT)
		return RC_DENY;
	memcpy(out->store, b + 16, STORE_ID);
	out->prev_end = le_get(b + 32, 8);
	out->prev_chain = le_get(b + 40, 8);
	if (le_get(b + 56, 8) != sum_of(out->id, b, 56))
		return RC_BAD;
	return RC_OK;
}

/*
 * A few open segments, oldest use replaced.  A segment's content never
 * changes once it can be named, so a descriptor stays good; while one is
 * being read from it is counted, so that it is not closed underneath.
 */
struct kept {
	uint32_t id;
	int fd; /* -1: slot is free */
	unsigned users;
	uint64_t used;
};

struct seglog_files {
	char *dir;
	pthread_mutex_t lock; /* guards what follows */
	uint64_t clock;
	struct kept kept[FILES_KEPT];
};

struct seglog_files *
seglog_files_new(const char *dir)
{
	struct seglog_files *f = xcalloc(1, sizeof(*f));
	size_t n = strlen(dir) + 1;

	f->dir = xmalloc(n);
	memcpy(f->dir, dir, n);
	pthread_mutex_init(&f->lock, NULL);
	for (size_t i = 0; i < FILES_KEPT; i++)
		f->kept[i].fd = -1;
	return f;
}

void
seglog_files_free(struct seglog_files **fp)
{
	struct seglog_files *f = *fp;

	if (f == NULL)
		return;
	for (size_t i = 0; i < FILES_KEPT; i++)
		fd_close(&f->kept[i].fd);
	pthread_mutex_destroy(&f->lock);
	xfree(f->dir);
	xfree(f);
	*fp = NULL;
}

static struct kept *
find(struct seglog_files *f, uint32_t id)
{
	for (size_t i = 0; i < FILES_KEPT; i++)
		if (f->kept[i].fd >= 0 && f->kept[i].id == id)
			return &f->kept[i];
	return NULL;
}

/* A slot for a new descriptor, or NULL when all are being read from. */
static struct kept *
victim(struct seglog_files *f)
{
	struct kept *best = NULL;

	for (size_t i = 0; i < FILES_KEPT; i++) {
		struct kept *k = &f->kept[i];

		if (k->fd < 0)
			return k;
		if (k->users == 0 && (best == NULL || k->used < best->used))
			best = k;
	}
	return best;
}

/* The segment, counted; or *own_fd when there is no room to keep it. */
static struct kept *
acquire(struct seglog_files *f, uint32_t id, int *own_fd)
{
	char path[4096];
	AUTO_FD fd = -1;
	struct kept *k;

	pthread_mutex_lock(&f->lock);
	k = find(f, id);
	if (k == NULL) {
		pthread_mutex_unlock(&f->lock);
		seglog_path(f->dir, id, path, sizeof(path));
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return NULL;
		pthread_mutex_lock(&f->lock);
		k = find(f, id);
		if (k == NULL && (k = victim(f)) != NULL) {
			fd_close(&k->fd);
			*k = (struct kept){ .id = id, .fd = take(&fd) };
		}
	}
	if (k != NULL) {
		k->users++;
		k->used = ++f->clock;
	} else {
		*own_fd = take(&fd);
	}
	pthread_mutex_unlock(&f->lock);
	return k;
}

enum rc
seglog_read(struct seglog_files *f, uint64_t pos, void *p, size_t n)
{
	AUTO_FD own = -1;
	struct kept *k;
	enum rc rc;

	errno = 0;
	k = acquire(f, POS_SEG(pos), &own);
	if (k == NULL && own < 0)
		return errno == ENOENT ? RC_NOENT : RC_TEMP;
	rc = fd_pread_all(k != NULL ? k->fd : own, p, n, POS_OFF(pos));
	if (k != NULL) {
		pthread_mutex_lock(&f->lock);
		k->users--;
		/* Emptied by compaction: give its descriptor back. */
		if (rc == RC_NOENT && k->users == 0)
			fd_close(&k->fd);
		pthread_mutex_unlock(&f->lock);
	}
	return rc;
}

void
seglog_files_drop(struct seglog_files *f, uint32_t id)
{
	struct kept *k;

	pthread_mutex_lock(&f->lock);
	k = find(f, id);
	if (k != NULL && k->users == 0)
		fd_close(&k->fd);
	pthread_mutex_unlock(&f->lock);
}

enum rc
seglog_record(struct seglog_files *f, uint64_t pos, struct buf *out)
{
	unsigned char h[REC_HEADER];
	struct sum sum;
	size_t len;
	enum rc rc = seglog_read(f, pos, h, sizeof(h));

	if (rc != RC_OK)
		return rc;
	len = le_get(h + 4, 4);
	if (le_get(h, 4) != SEGLOG_RECORD || len > REC_MAX)
		return RC_BAD;
	buf_clear(out);
	if (buf_reserve(out, len) != RC_OK)
		return RC_TEMP;
	rc = seglog_read(f, pos + REC_HEADER, out->p, len);
	if (rc != RC_OK)
		return rc;
	out->n = len;
	sum_init(&sum, pos);
	sum_add(&sum, h, 32);
	sum_add(&sum, out->p, len);
	return sum_end(&sum) == le_get(h + 32, 8) ? RC_OK : RC_BAD;
}
