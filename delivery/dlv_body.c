/*
 * The store's files are read here directly (store/reader.h), with the queue's
 * key, which the store is asked for once.  A key that does not fit any more
 * (the store was built anew) is asked for again.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "delivery/dlv.h"
#include "store/reader.h"

#define KEY_MS 10000
#define PIECE  (64u << 10)
#define SEALS  (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

static enum rc
queue_key(struct dlv *d, struct store_attach *out)
{
	enum rc rc = RC_OK;

	pthread_mutex_lock(&d->key_lock);
	if (d->has_key)
		*out = d->key;
	else
		rc = RC_NOENT;
	pthread_mutex_unlock(&d->key_lock);
	if (rc == RC_OK)
		return rc;
	rc = store_queue_key(d->store, deadline_in(KEY_MS), out);
	if (rc != RC_OK) {
		log_warn(d->log, "queue.key", KVC("rc", rc_name(rc)));
		return RC_TEMP;
	}
	pthread_mutex_lock(&d->key_lock);
	d->key = *out;
	d->has_key = true;
	pthread_mutex_unlock(&d->key_lock);
	return RC_OK;
}

static void
forget_key(struct dlv *d)
{
	pthread_mutex_lock(&d->key_lock);
	d->has_key = false;
	explicit_bzero(&d->key, sizeof(d->key));
	pthread_mutex_unlock(&d->key_lock);
}

static enum rc
open_message(struct dlv *d, struct str message_id, struct store_msg **out)
{
	AUTO_VIEW *v = NULL;
	struct store_attach key;
	enum rc rc = queue_key(d, &key);

	if (rc != RC_OK)
		return rc;
	rc = store_view_begin(d->reader, &v);
	if (rc == RC_OK) {
		rc = store_queue_msg_open(v, key.key, message_id, out);
		if (rc == RC_TEMP)
			forget_key(d);
	}
	explicit_bzero(&key, sizeof(key));
	return rc;
}

static enum rc
read_all(struct store_msg *m, uint64_t off, char *p, size_t n)
{
	while (n > 0) {
		size_t got;
		enum rc rc = store_msg_read(m, off, p, n, &got);

		if (rc != RC_OK || got == 0)
			return rc == RC_OK ? RC_TEMP : rc;
		off += got;
		p += got;
		n -= got;
	}
	return RC_OK;
}

/* Take n bytes of the budget, or say no. */
static bool
budget_take(struct dlv *d, struct dlv_body *b, uint64_t n)
{
	const struct conf *conf = dlv_conf(d);
	uint64_t max = conf->memory_body_max;

	conf_unref(&conf);
	if (atomic_fetch_add(&d->body_memory, n) + n > max) {
		atomic_fetch_sub(&d->body_memory, n);
		return false;
	}
	b->budget = n;
	return true;
}

static int
open_place(struct dlv *d, struct dlv_body *b, bool *out_memory)
{
	int fd;

	*out_memory = b->size <= DLV_BODY_MEMFD && budget_take(d, b, b->size);
	fd = *out_memory ? memfd_create("body", MFD_CLOEXEC | MFD_ALLOW_SEALING)
			 : fd_spool(d->spool_dir);
	if (fd < 0)
		log_error(d->log, "body.open",
		    KVC("where", *out_memory ? "memory" : d->spool_dir),
		    KVE(errno));
	return fd;
}

static enum rc
copy(struct dlv *d, struct store_msg *m, uint64_t off, struct dlv_body *b)
{
	AUTO_ARENA a = { 0 };
	char *p = arena_alloc(&a, PIECE);
	bool memory;

	b->fd = open_place(d, b, &memory);
	if (b->fd < 0)
		return RC_TEMP;
	for (uint64_t at = 0; at < b->size;) {
		size_t n = (size_t)MIN(b->size - at, (uint64_t)PIECE);
		enum rc rc = read_all(m, off + at, p, n);

		if (rc == RC_OK)
			rc = fd_pwrite_all(b->fd, str_n(p, n), at);
		if (rc != RC_OK)
			return RC_TEMP;
		at += n;
	}
	if (memory && fcntl(b->fd, F_ADD_SEALS, SEALS) < 0) {
		log_error(d->log, "body.seal", KVE(errno));
		return RC_TEMP;
	}
	return RC_OK;
}

enum rc
dlv_body_open(struct dlv *d, struct arena *a,
    const struct store_queue_item *item, struct dlv_body *out)
{
	AUTO_STORE_MSG *m = NULL;
	struct dlv_body b = { .fd = -1, .size = item->size };
	enum rc rc = open_message(d, item->message_id, &m);

	if (rc != RC_OK)
		return rc;
	if (store_msg_size(m) != item->edits.n + b.size) {
		log_error(d->log, "queue.body", KV("qid", item->message_id),
		    KVU("size", store_msg_size(m)));
		return RC_TEMP;
	}
	if (b.size <= DLV_BODY_INLINE) {
		char *p = arena_alloc(a, (size_t)b.size + 1);

		rc = read_all(m, item->edits.n, p, (size_t)b.size);
		b.inline_data = str_n(p, (size_t)b.size);
	} else {
		rc = copy(d, m, item->edits.n, &b);
	}
	if (rc != RC_OK)
		dlv_body_close(d, &b);
	else
		*out = b;
	return rc;
}

void
dlv_body_close(struct dlv *d, struct dlv_body *b)
{
	fd_close(&b->fd);
	atomic_fetch_sub(&d->body_memory, b->budget);
	b->budget = 0;
}

enum rc
dlv_body_head(struct dlv *d, struct arena *a, struct str message_id, size_t max,
    struct str *out)
{
	AUTO_STORE_MSG *m = NULL;
	enum rc rc = open_message(d, message_id, &m);
	size_t n;
	char *p;

	if (rc != RC_OK)
		return rc;
	n = (size_t)MIN(store_msg_size(m), (uint64_t)max);
	p = arena_alloc(a, n + 1);
	rc = read_all(m, 0, p, n);
	if (rc == RC_OK)
		*out = str_n(p, n);
	return rc;
}
