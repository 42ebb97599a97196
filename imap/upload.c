/*
 * The client's next bytes are already on their way when something fails here,
 * so errors are remembered and said at the end, when they can be.
 */
#include "imap/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "mail/meta.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

struct imap_upload {
	const struct log *log;
	struct imap_spool *spool;
	uint64_t size, have;
	uint64_t budget; /* taken of the spool's memory */
	struct buf inline_data;
	int fd;
	bool memfd;
	enum rc rc; /* the first thing that went wrong */
	struct arena mem;
	struct mail_mime *mime;
	struct buf meta;
};

static bool
take_budget(struct imap_upload *u)
{
	struct imap_spool *sp = u->spool;

	if (atomic_fetch_add(&sp->memory, u->size) + u->size > sp->memory_max) {
		atomic_fetch_sub(&sp->memory, u->size);
		return false;
	}
	u->budget = u->size;
	return true;
}

static enum rc
open_place(struct imap_upload *u)
{
	if (u->size <= STORE_INLINE_MAX)
		return RC_OK;
	u->memfd = u->size <= IMAP_UPLOAD_MEMFD_MAX && take_budget(u);
	if (u->memfd)
		u->fd = memfd_create("append", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	else
		u->fd = fd_spool(u->spool->dir);
	if (u->fd >= 0)
		return RC_OK;
	log_error(u->log, "imap.upload", KVC("dir", u->spool->dir), KVE(errno));
	return RC_TEMP;
}

enum rc
imap_upload_new(const struct log *log, struct imap_spool *sp, uint64_t size,
    struct imap_upload **out)
{
	struct imap_upload *u = xcalloc(1, sizeof(*u));
	enum rc rc;

	u->log = log;
	u->spool = sp;
	u->size = size;
	u->fd = -1;
	buf_init(&u->inline_data, STORE_INLINE_MAX);
	buf_init(&u->meta, MAIL_META_MAX);
	rc = open_place(u);
	if (rc == RC_OK) {
		u->mime = mail_mime_new(&u->mem);
		*out = u;
	} else {
		imap_upload_free(&u);
	}
	return rc;
}

void
imap_upload_free(struct imap_upload **up)
{
	struct imap_upload *u = *up;

	if (u == NULL)
		return;
	fd_close(&u->fd);
	atomic_fetch_sub(&u->spool->memory, u->budget);
	mail_mime_free(&u->mime);
	buf_free(&u->inline_data);
	buf_free(&u->meta);
	arena_free(&u->mem);
	xfree(u);
	*up = NULL;
}

void
imap_upload_add(struct imap_upload *u, struct str data)
{
	if (u->rc != RC_OK)
		return;
	assert(data.n <= u->size - u->have);
	if (memchr(data.p, 0, data.n) != NULL) {
		u->rc = RC_BAD;
		return;
	}
	if (u->fd < 0)
		u->rc = buf_add(&u->inline_data, data);
	else
		u->rc = fd_pwrite_all(u->fd, data, u->have);
	if (u->rc != RC_OK) {
		log_error(
		    u->log, "imap.upload", KVU("size", u->size), KVE(errno));
		u->rc = RC_TEMP;
		return;
	}
	mail_mime_feed(u->mime, data);
	u->have += data.n;
}

enum rc
imap_upload_finish(struct imap_upload *u, struct store_body *out)
{
	struct mail_meta meta;

	if (u->rc != RC_OK)
		return u->rc;
	assert(u->have == u->size);
	if (u->memfd && fcntl(u->fd, F_ADD_SEALS, SEALS) < 0) {
		log_error(
		    u->log, "imap.upload", KVU("size", u->size), KVE(errno));
		return RC_TEMP;
	}
	mail_mime_end(u->mime, &meta);
	if (mail_meta_encode(&meta, &u->meta) != RC_OK)
		return RC_TEMP;
	*out = (struct store_body){
		.inline_data = buf_str(&u->inline_data),
		.fd = u->fd,
		.size = u->size,
		.meta = buf_str(&u->meta),
	};
	return RC_OK;
}
