/*
 * recio - an io layer that remembers every change it passed on, so that the
 * files can be made again as a power cut at any moment may leave them; or
 * that lets the n-th call fail.
 */
#ifndef TESTS_RECIO_H
#define TESTS_RECIO_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/io.h"

#define RECIO_PATHS 256

enum recio_kind {
	RECIO_CREATE,
	RECIO_WRITE,
	RECIO_SYNC,
	RECIO_TRUNCATE,
	RECIO_RENAME,
	RECIO_UNLINK,
	RECIO_SYNCDIR,
};

struct recio_event {
	enum recio_kind kind;
	int file, to; /* index into paths; to: RENAME */
	uint64_t off; /* WRITE; TRUNCATE: the size */
	size_t n;
	char *data;
};

struct recio {
	struct io io;
	char root[64];
	pthread_mutex_t lock;
	char *paths[RECIO_PATHS]; /* relative to root */
	int npaths;
	int fds[1024]; /* path of an open descriptor */
	struct recio_event *v;
	size_t n, size;
	/* Failing: the call with this number, counted from 1; 0: none. */
	size_t calls, fail_at;
	int fail_errno;
	bool keep;             /* remember events */
	atomic_bool fail_sync; /* the next sync fails, once */
};

void recio_init(struct recio *r, const char *root, bool keep);
void recio_free(struct recio *r);
size_t recio_events(struct recio *r);

/*
 * The files as a cut after the first `upto` events may leave them, below
 * `dir`, which is made: what was synced is there; of the rest each write (in
 * sectors of 512 bytes), creation, renaming is there or not, as `seed` says.
 */
void recio_replay(struct recio *r, size_t upto, uint64_t seed, const char *dir);

#endif
