/*
 * The writer.
 *
 * Segments are filled with zeros ahead of time, by a thread, because
 * overwriting blocks that exist needs no journal commit of the file system: a
 * sync then costs one flush of the disk.  A segment becomes the current one
 * by its header, which names the end of the one before; that one is durable
 * first, so a header proves where its predecessor ended.
 *
 * A record carries the sum of the record before (chain): remains of a batch
 * that was given up can never be taken for the continuation of another one.
 * It carries the position before which all was synced (durable): a bad record
 * below a later record's durable position is damage, and not the end.
 *
 * After a sync that failed nobody knows what the disk holds, and asking again
 * would be answered from pages that the kernel has marked clean.  The log
 * therefore refuses everything until the store is opened (and settled) anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/seglog.h"
#include "store/sum.h"

#define ZEROS (1u << 20)

enum prepared { PREP_IDLE, PREP_WANTED, PREP_READY, PREP_FAILED };

struct seglog {
	struct log log;
	char *dir;
	struct seglog_conf conf;
	int fd;
	uint32_t id;
	struct seglog_pos written; /* all of it is in the file */
	struct seglog_pos at;      /* with the pending ones */
	uint64_t durable;
	bool dirty, failed;
	/* The batch. */
	struct arena heads; /* a header and padding for each record */
	struct iovec *iov;
	size_t niov, iov_size;
	size_t bound;
	atomic_uint_fast64_t bytes, records, syncs;
	/* The next segment. */
	pthread_t thread;
	bool threaded;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t cond;
	enum prepared prepared;
	bool stop;
	uint32_t next_id;
	int next_fd;
};

#define HEAD_SLOT 48u /* header and up to 7 bytes of padding */

static enum rc
fill_zeros(struct seglog *l, int fd, uint64_t size)
{
	char *zeros = xcalloc(1, ZEROS);
	enum rc rc = RC_OK;

	for (uint64_t off = 0; rc == RC_OK && off < size; off += ZEROS)
		rc = io_pwrite(
		    l->conf.io, fd, zeros, MIN(ZEROS, size - off), off);
	if (rc == RC_OK)
		rc = io_fdatasync(l->conf.io, fd);
	xfree(zeros);
	return rc;
}

/* A new file of zeros under the next id; -1 on error. */
static int
make_segment(struct seglog *l, uint32_t id)
{
	char path[4096], dir[4096];
	AUTO_FD fd = -1;

	seglog_path(l->dir, id, path, sizeof(path));
	(void)snprintf(dir, sizeof(dir), "%s/log", l->dir);
	fd = io_open(l->conf.io, path, O_RDWR | O_CREAT | O_EXCL, 0640);
	if (fd < 0 || fill_zeros(l, fd, l->conf.segment_bytes) != RC_OK ||
	    io_syncdir(l->conf.io, dir) != RC_OK) {
		log_error(&l->log, "log.segment.prepare", KVC("path", path),
		    KVE(errno));
		if (fd >= 0 && io_unlink(l->conf.io, path) != RC_OK)
			log_warn(&l->log, "log.segment.unlink",
			    KVC("path", path), KVE(errno));
		return -1;
	}
	return take(&fd);
}

static void *
prepare_loop(void *arg)
{
	struct seglog *l = arg;

	pthread_mutex_lock(&l->lock);
	while (!l->stop) {
		uint32_t id = l->next_id;
		int fd;

		if (l->prepared != PREP_WANTED) {
			pthread_cond_wait(&l->cond, &l->lock);
			continue;
		}
		l->next_id++; /* used up even if it fails */
		pthread_mutex_unlock(&l->lock);
		fd = make_segment(l, id);
		pthread_mutex_lock(&l->lock);
		l->next_fd = fd;
		l->prepared = fd >= 0 ? PREP_READY : PREP_FAILED;
		pthread_cond_broadcast(&l->cond);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* The next segment, waiting for it or making it here. */
static int
take_segment(struct seglog *l, uint32_t *id)
{
	int fd = -1;

	pthread_mutex_lock(&l->lock);
	while (l->threaded && l->prepared == PREP_WANTED)
		pthread_cond_wait(&l->cond, &l->lock);
	if (l->prepared == PREP_READY) {
		fd = take(&l->next_fd);
		*id = l->next_id - 1;
	} else {
		*id = l->next_id++;
	}
	l->prepared = PREP_IDLE;
	pthread_mutex_unlock(&l->lock);
	return fd >= 0 ? fd : make_segment(l, *id);
}

static void
want_segment(struct seglog *l)
{
	if (!l->threaded)
		return;
	pthread_mutex_lock(&l->lock);
	l->prepared = PREP_WANTED;
	pthread_cond_broadcast(&l->cond);
	pthread_mutex_unlock(&l->lock);
}

enum rc
seglog_roll(struct seglog *l)
{
	unsigned char b[SEG_HEADER];
	struct seg_header h = { .format = SEGLOG_FORMAT,
		.prev_end = l->at.pos,
		.prev_chain = l->at.chain };
	AUTO_FD fd = -1;

	assert(l->niov == 0 && !l->dirty);
	if (l->failed)
		return RC_TEMP;
	fd = take_segment(l, &h.id);
	if (fd < 0)
		return RC_TEMP;
	memcpy(h.store, l->conf.store, STORE_ID);
	seglog_header_put(&h, b);
	if (io_pwrite(l->conf.io, fd, b, sizeof(b), 0) != RC_OK) {
		log_error(&l->log, "log.segment.begin", KVU("segment", h.id),
		    KVE(errno));
		return RC_TEMP;
	}
	fd_close(&l->fd);
	l->fd = take(&fd);
	l->id = h.id;
	l->at.pos = POS(h.id, SEG_HEADER);
	l->written = l->at;
	l->dirty = true;
	want_segment(l);
	return RC_OK;
}

enum rc
seglog_begin(struct seglog *l, size_t bound, uint64_t *out_ops_pos)
{
	uint64_t off = POS_OFF(l->at.pos);

	if (l->failed || bound > REC_MAX)
		return RC_TEMP;
	/* What is larger than a whole segment extends one. */
	if (off + REC_HEADER + bound > l->conf.segment_bytes &&
	    off > SEG_HEADER)
		return RC_NOENT;
	l->bound = bound;
	*out_ops_pos = l->at.pos + REC_HEADER;
	return RC_OK;
}

static void
iov_add(struct seglog *l, const void *p, size_t n)
{
	union {
		const void *in;
		void *out;
	} base = { .in = p };

	if (l->niov == l->iov_size) {
		l->iov_size = MAX(64, l->iov_size * 2);
		l->iov = xrealloc(l->iov, l->iov_size * sizeof(*l->iov));
	}
	l->iov[l->niov++] = (struct iovec){ base.out, n };
}

void
seglog_end(struct seglog *l, const struct str *pieces, size_t n)
{
	unsigned char *h = arena_calloc(&l->heads, 1, HEAD_SLOT);
	struct sum s;
	size_t len = 0, pad;

	for (size_t i = 0; i < n; i++)
		len += pieces[i].n;
	assert(len <= l->bound);
	pad = -len & 7;
	le_put(h, SEGLOG_RECORD, 4);
	le_put(h + 4, len, 4);
	le_put(h + 8, l->at.seq + 1, 8);
	le_put(h + 16, l->at.chain, 8);
	le_put(h + 24, l->durable, 8);
	sum_init(&s, l->at.pos);
	sum_add(&s, h, 32);
	iov_add(l, h, REC_HEADER);
	for (size_t i = 0; i < n; i++) {
		sum_add(&s, pieces[i].p, pieces[i].n);
		if (pieces[i].n > 0)
			iov_add(l, pieces[i].p, pieces[i].n);
	}
	l->at.chain = sum_end(&s);
	le_put(h + 32, l->at.chain, 8);
	if (pad > 0)
		iov_add(l, h + REC_HEADER, pad);
	l->at.seq++;
	l->at.last = l->at.pos;
	l->at.pos += REC_HEADER + len + pad;
}

enum rc
seglog_write(struct seglog *l)
{
	enum rc rc;

	if (l->failed)
		return RC_TEMP;
	if (l->niov == 0)
		return RC_OK;
	rc = io_pwritev(
	    l->conf.io, l->fd, l->iov, l->niov, POS_OFF(l->written.pos));
	if (rc != RC_OK) {
		log_error(&l->log, "log.write", KVU("segment", l->id),
		    KVU("offset", POS_OFF(l->written.pos)), KVE(errno));
		return rc;
	}
	atomic_fetch_add(&l->bytes, l->at.pos - l->written.pos);
	atomic_fetch_add(&l->records, l->at.seq - l->written.seq);
	l->written = l->at;
	l->dirty = true;
	l->niov = 0;
	arena_reset(&l->heads);
	return RC_OK;
}

void
seglog_discard(struct seglog *l)
{
	l->at = l->written;
	l->niov = 0;
	arena_reset(&l->heads);
}

enum rc
seglog_sync(struct seglog *l)
{
	if (l->failed)
		return RC_TEMP;
	if (!l->dirty)
		return RC_OK;
	atomic_fetch_add(&l->syncs, 1);
	if (io_fdatasync(l->conf.io, l->fd) != RC_OK) {
		l->failed = true;
		log_error(&l->log, "log.sync", KVU("segment", l->id),
		    KVC("consequence", "read-only until opened anew"),
		    KVE(errno));
		return RC_TEMP;
	}
	l->dirty = false;
	l->durable = l->written.pos;
	return RC_OK;
}

struct seglog_pos
seglog_at(const struct seglog *l)
{
	return l->at;
}

bool
seglog_pending(const struct seglog *l)
{
	return l->niov > 0;
}

bool
seglog_failed(const struct seglog *l)
{
	return l->failed;
}

void
seglog_stats(struct seglog *l, struct seglog_stats *out)
{
	out->bytes = atomic_load(&l->bytes);
	out->records = atomic_load(&l->records);
	out->syncs = atomic_load(&l->syncs);
}

static enum rc
open_current(struct seglog *l)
{
	char path[4096];

	seglog_path(l->dir, POS_SEG(l->at.pos), path, sizeof(path));
	l->fd = io_open(l->conf.io, path, O_RDWR, 0);
	if (l->fd < 0) {
		log_error(&l->log, "log.open", KVC("path", path), KVE(errno));
		return RC_TEMP;
	}
	l->id = POS_SEG(l->at.pos);
	want_segment(l);
	return RC_OK;
}

enum rc
seglog_open(const struct log *log, const struct seglog_conf *conf,
    const struct seglog_pos *at, uint32_t next_segment, struct seglog **out)
{
	struct seglog *l = xcalloc(1, sizeof(*l));
	size_t n = strlen(conf->dir) + 1;
	enum rc rc;

	l->log = *log;
	l->conf = *conf;
	l->dir = xmalloc(n);
	memcpy(l->dir, conf->dir, n);
	l->fd = l->next_fd = -1;
	l->at = l->written = *at;
	l->durable = at->pos;
	l->next_id = next_segment;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->cond, NULL);
	if (!conf->inline_prepare) {
		if (pthread_create(&l->thread, NULL, prepare_loop, l) != 0)
			panic("no thread for the log");
		l->threaded = true;
	}
	rc = at->pos == 0 ? seglog_roll(l) : open_current(l);
	if (rc != RC_OK)
		seglog_close(&l);
	*out = l;
	return rc;
}

void
seglog_close(struct seglog **lp)
{
	struct seglog *l = *lp;

	if (l == NULL)
		return;
	if (l->threaded) {
		pthread_mutex_lock(&l->lock);
		l->stop = true;
		pthread_cond_broadcast(&l->cond);
		pthread_mutex_unlock(&l->lock);
		pthread_join(l->thread, NULL);
	}
	fd_close(&l->fd);
	fd_close(&l->next_fd);
	pthread_cond_destroy(&l->cond);
	pthread_mutex_destroy(&l->lock);
	arena_free(&l->heads);
	xfree(l->iov);
	xfree(l->dir);
	xfree(l);
	*lp = NULL;
}
