/*
 * reader_impl - what the files of the reader share.
 *
 * Threads  As reader.h.
 */
#ifndef STORE_READER_IMPL_H
#define STORE_READER_IMPL_H

#include <pthread.h>
#include <sys/types.h>

#include "store/content.h"
#include "store/ix.h"
#include "store/reader.h"

/* An open index; counted under the reader's lock. */
struct reader_index {
	struct ix ix;
	unsigned refs;
	ino_t ino;
	dev_t dev;
};

struct store_reader {
	struct log log;
	char *dir;
	struct seglog_files *files;
	struct content_pool *pool;
	pthread_mutex_t lock; /* guards what follows */
	struct reader_index *cur;
	int64_t looked_ns;
};

struct store_view {
	struct store_reader *r;
	struct reader_index *x;
	MDB_txn *t;
};

/* Anything but a definite answer is "could not find out". */
static inline enum rc
reader_rc(enum rc rc)
{
	return rc == RC_BAD ? RC_TEMP : rc;
}

#endif
