/*
 * The first 16 KiB are collected in memory in any case; only what grows past
 * them moves to a descriptor.  The spool file is made with O_TMPFILE, so that
 * nothing has to be cleaned up after a crash.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gateway/gw_body.h"
#include "mail/header.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

void
gw_body_init(struct gw_body *b, struct gw *gw, uint64_t memory_max)
{
	*b = (struct gw_body){ .gw = gw, .memory_max = memory_max, .fd = -1 };
	buf_init(&b->head, GW_BODY_INLINE);
}

void
gw_body_reset(struct gw_body *b)
{
	fd_close(&b->fd);
	atomic_fetch_sub(&b->gw->body_memory, b->budget);
	buf_release(&b->head);
	b->file = false;
	b->size = 0;
	b->budget = 0;
}

/* Take n bytes of the budget, or say no. */
static bool
budget_take(struct gw_body *b, uint64_t n)
{
	if (atomic_fetch_add(&b->gw->body_memory, n) + n > b->memory_max) {
		atomic_fetch_sub(&b->gw->body_memory, n);
		return false;
	}
	b->budget += n;
	return true;
}

static int
spool_open(struct gw_body *b)
{
	int fd = fd_spool(b->gw->spool_dir);

	if (fd < 0)
		log_error(&b->gw->log, "spool.open",
		    KVC("path", b->gw->spool_dir), KVE(errno));
	return fd;
}

static enum rc
copy(int from, int to, uint64_t size)
{
	char chunk[64 << 10];
	uint64_t at = 0;

	while (at < size) {
		size_t n = MIN(sizeof(chunk), size - at);

		if (fd_pread_all(from, chunk, n, at) != RC_OK ||
		    fd_pwrite_all(to, str_n(chunk, n), at) != RC_OK)
			return RC_TEMP;
		at += n;
	}
	return RC_OK;
}

/* Move what there is to the next kind of place, with room for n more. */
static enum rc
grow(struct gw_body *b, size_t n)
{
	AUTO_FD fd = -1;
	bool file = false;

	if (b->fd < 0 && b->size + n <= GW_BODY_MEMFD &&
	    budget_take(b, GW_BODY_MEMFD)) {
		fd = memfd_create("body", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (fd < 0)
			log_error(&b->gw->log, "body.memfd", KVE(errno));
	} else {
		fd = spool_open(b);
		file = true;
	}
	if (fd < 0)
		return RC_TEMP;
	if (b->fd < 0 ? fd_pwrite_all(fd, buf_str(&b->head), 0) != RC_OK
		      : copy(b->fd, fd, b->size) != RC_OK) {
		log_error(&b->gw->log, "body.write", KVU("size", b->size),
		    KVE(errno));
		return RC_TEMP;
	}
	fd_close(&b->fd);
	b->fd = take(&fd);
	b->file = file;
	if (file) {
		atomic_fetch_sub(&b->gw->body_memory, b->budget);
		b->budget = 0;
	}
	return RC_OK;
}

enum rc
gw_body_add(struct gw_body *b, struct str s)
{
	if (b->fd < 0 && b->size + s.n <= GW_BODY_INLINE) {
		if (buf_add(&b->head, s) != RC_OK)
			panic("body head past its cap");
		b->size += s.n;
		return RC_OK;
	}
	if ((b->fd < 0 || (!b->file && b->size + s.n > GW_BODY_MEMFD)) &&
	    grow(b, s.n) != RC_OK)
		return RC_TEMP;
	if (fd_pwrite_all(b->fd, s, b->size) != RC_OK) {
		log_error(&b->gw->log, "body.write", KVU("size", b->size),
		    KVE(errno));
		return RC_TEMP;
	}
	b->size += s.n;
	return RC_OK;
}

enum rc
gw_body_finish(struct gw_body *b)
{
	if (b->fd < 0 || b->file)
		return RC_OK;
	if (fcntl(b->fd, F_ADD_SEALS, SEALS) < 0) {
		log_error(&b->gw->log, "body.seal", KVE(errno));
		return RC_TEMP;
	}
	return RC_OK;
}

/* `seen` is the header up to `len`, and all of it if `whole`. */
static enum rc
header_of(struct str seen, size_t len, size_t max, bool whole, struct str *out)
{
	if (whole && len <= max) {
		*out = str_sub(seen, 0, len);
		return RC_OK;
	}
	for (len = MIN(len, max); len > 0 && seen.p[len - 1] != '\n';)
		len--;
	*out = str_sub(seen, 0, len);
	return RC_BAD;
}

enum rc
gw_body_header(struct gw_body *b, struct arena *a, size_t max, struct str *out)
{
	struct str seen = buf_str(&b->head);
	size_t len = mail_header_len(seen);
	char *p;

	if (len < seen.n || b->fd < 0)
		return header_of(seen, len, max, true, out);
	p = arena_alloc(a, max);
	seen = str_n(p, MIN(max, b->size));
	if (fd_pread_all(b->fd, p, seen.n, 0) != RC_OK) {
		log_error(&b->gw->log, "body.read", KVE(errno));
		return RC_TEMP;
	}
	len = mail_header_len(seen);
	return header_of(
	    seen, len, max, len < seen.n || seen.n == b->size, out);
}

/* The bytes from `at` to `end` go to the end of *to. */
static enum rc
add_range(
    struct gw_body *to, const struct gw_body *from, uint64_t at, uint64_t end)
{
	char chunk[16 << 10];

	if (from->fd < 0)
		return gw_body_add(
		    to, str_sub(buf_str(&from->head), at, end - at));
	while (at < end) {
		size_t n = MIN(sizeof(chunk), end - at);

		if (fd_pread_all(from->fd, chunk, n, at) != RC_OK ||
		    gw_body_add(to, str_n(chunk, n)) != RC_OK)
			return RC_TEMP;
		at += n;
	}
	return RC_OK;
}

enum rc
gw_body_patch(struct gw_body *b, const struct mail_patch *v, size_t n)
{
	struct gw_body anew;
	uint64_t at = 0;
	enum rc rc = RC_OK;

	gw_body_init(&anew, b->gw, b->memory_max);
	for (size_t i = 0; i < n && rc == RC_OK; i++) {
		assert(v[i].off >= at && v[i].len <= b->size - v[i].off);
		rc = add_range(&anew, b, at, v[i].off);
		if (rc == RC_OK)
			rc = gw_body_add(&anew, v[i].text);
		at = v[i].off + v[i].len;
	}
	if (rc == RC_OK)
		rc = add_range(&anew, b, at, b->size);
	if (rc == RC_OK)
		rc = gw_body_finish(&anew);
	if (rc == RC_OK) {
		struct gw_body old = *b;

		*b = anew;
		anew = old;
	}
	gw_body_reset(&anew);
	buf_free(&anew.head);
	return rc;
}

enum rc
gw_body_cut(struct gw_body *b, const struct mail_range *v, size_t n)
{
	AUTO_ARENA a = { 0 };
	struct mail_patch *p = arena_calloc(&a, n, sizeof(*p));

	for (size_t i = 0; i < n; i++)
		p[i] = (struct mail_patch){ v[i].off, v[i].len, STR("") };
	return gw_body_patch(b, p, n);
}
