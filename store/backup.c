/*
 * Backup, under a lease: no file of the log goes meanwhile, and everything
 * before the lease's position is on disk and never changes any more.  So a
 * file is copied once; the segment that was the last one grows, and is gone
 * on with from the block in which its copy ended.
 *
 * Order: files, synced and read back; key file (last, so that it has every
 * key the log needs); manifest; only then files that it does not name go.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/backup.h"
#include "store/backup_impl.h"
#include "store/keys.h"
#include "store/sum.h"

#define MAGIC    "GPBKUP\r\n"
#define FIXED    96u
#define TEXT_MAX (256u << 20)
#define SPARSE   (64u << 10)
/*
 * The lease is kept by going on: between two times there is little enough to
 * do for a slow disk.
 */
#define SYNC_BLOCKS 4u
#define LOOK_FILES  64u

enum rc
backup_say(struct arena *a, enum rc rc, struct str *why, const char *what,
    const char *path)
{
	const char *error = strerrordesc_np(errno);

	*why = str_fmt(
	    a, "%s %s: %s", what, path, error != NULL ? error : "failed");
	return rc;
}

/* The manifest */

static enum rc
put_text(const struct backup_manifest *m, struct buf *out)
{
	struct enc e = { out, false };

	enc_bytes(&e, MAGIC, 8);
	enc_u(&e, BACKUP_FORMAT, 4);
	enc_u(&e, 0, 4);
	enc_bytes(&e, m->store, STORE_ID);
	enc_u(&e, m->at.pos, 8);
	enc_u(&e, m->at.last, 8);
	enc_u(&e, m->at.seq, 8);
	enc_u(&e, m->at.chain, 8);
	enc_u(&e, (uint64_t)m->time, 8);
	enc_u(&e, m->number, 8);
	enc_u(&e, m->ckpt, 8);
	enc_u(&e, m->n, 8);
	for (size_t i = 0; i < m->n; i++) {
		enc_u(&e, m->files[i].id, 4);
		enc_u(&e, m->files[i].nsums, 4);
		enc_u(&e, m->files[i].size, 8);
		for (size_t k = 0; k < m->files[i].nsums; k++)
			enc_u(&e, m->files[i].sums[k], 8);
	}
	if (!e.bad)
		enc_u(&e, sum_of(0, out->p, out->n), 8);
	return e.bad ? RC_TEMP : RC_OK;
}

static uint64_t
blocks_of(uint64_t size)
{
	return (size + BACKUP_BLOCK - 1) / BACKUP_BLOCK;
}

static enum rc
get_files(struct arena *a, struct dec *d, struct backup_manifest *m)
{
	uint32_t last = 0;

	m->n = (size_t)dec_u(d, 8);
	if (m->n > BACKUP_FILES || m->n > d->n / 16)
		return RC_BAD;
	m->files = arena_calloc(a, MAX(m->n, 1), sizeof(*m->files));
	for (size_t i = 0; i < m->n; i++) {
		struct backup_file *f = &m->files[i];

		f->id = (uint32_t)dec_u(d, 4);
		f->nsums = (size_t)dec_u(d, 4);
		f->size = dec_u(d, 8);
		/* The checkpoint first, then ascending. */
		if (d->bad || f->nsums != blocks_of(f->size) ||
		    f->nsums > d->n / 8 || (i > 0 && f->id <= last) ||
		    (f->id == 0) != (i == 0 && m->ckpt != 0))
			return RC_BAD;
		last = f->id;
		f->sums = arena_calloc(a, MAX(f->nsums, 1), sizeof(*f->sums));
		for (size_t k = 0; k < f->nsums; k++)
			f->sums[k] = dec_u(d, 8);
	}
	return d->bad || d->n != 0 ? RC_BAD : RC_OK;
}

enum rc
backup_manifest_parse(
    struct arena *a, struct str text, struct backup_manifest *out)
{
	struct dec d = dec_of(text);

	*out = (struct backup_manifest){ 0 };
	if (text.n < FIXED + 8 || memcmp(text.p, MAGIC, 8) != 0)
		return RC_BAD;
	if (le_get(text.p + 8, 4) > BACKUP_FORMAT)
		return RC_DENY;
	if (le_get(text.p + text.n - 8, 8) != sum_of(0, text.p, text.n - 8))
		return RC_BAD;
	d.n -= 8;
	(void)dec_bytes(&d, 16);
	dec_copy(&d, out->store, STORE_ID);
	out->at.pos = dec_u(&d, 8);
	out->at.last = dec_u(&d, 8);
	out->at.seq = dec_u(&d, 8);
	out->at.chain = dec_u(&d, 8);
	out->time = (int64_t)dec_u(&d, 8);
	out->number = dec_u(&d, 8);
	out->ckpt = dec_u(&d, 8);
	return get_files(a, &d, out);
}

/* One that cannot be read would take the place of one that can. */
enum rc
backup_manifest_put(const struct backup_manifest *m, struct buf *out)
{
	struct backup_manifest again;
	AUTO_ARENA a = { 0 };
	enum rc rc = m->n <= BACKUP_FILES ? put_text(m, out) : RC_TEMP;

	return rc == RC_OK ? backup_manifest_parse(&a, buf_str(out), &again)
			   : rc;
}

enum rc
backup_manifest_read(struct arena *a, const char *dir,
    struct backup_manifest *out, struct str *why)
{
	const char *path = str_fmt(a, "%s/" BACKUP_MANIFEST, dir).p;
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	struct str text;
	enum rc rc;

	*out = (struct backup_manifest){ 0 };
	if (fd < 0)
		return backup_say(a, errno == ENOENT ? RC_NOENT : RC_TEMP, why,
		    "cannot read", path);
	rc = fd_read_file(a, fd, TEXT_MAX, &text);
	if (rc != RC_OK)
		return backup_say(a, rc, why, "cannot read", path);
	rc = backup_manifest_parse(a, text, out);
	if (rc == RC_BAD)
		*why = str_fmt(a, "%s is damaged, or is no manifest", path);
	if (rc == RC_DENY)
		*why = str_fmt(a, "%s was made by a later version", path);
	return rc;
}

const char *
backup_path(struct arena *a, const char *dir, uint32_t id, uint64_t ckpt)
{
	return id != 0 ? str_fmt(a, "%s/log/%08x.seg", dir, (unsigned)id).p
		       : str_fmt(a, "%s/log/" CKPT_NAME ".%016llx", dir,
			     (unsigned long long)ckpt)
			     .p;
}

uint64_t
backup_sum(size_t block, const void *p, size_t n)
{
	return sum_of(block, p, n);
}

/* Copying */

struct copying {
	struct arena *a;
	const struct backup *b;
	struct str *why;
	char *block;
	uint64_t done, total; /* bytes */
	uint64_t files;
};

static enum rc
go_on(struct copying *c)
{
	enum rc rc = c->b->go_on(c->b->ctx, c->done, c->total);

	if (rc != RC_OK)
		*c->why = STR("the store did not keep its files in place");
	return rc;
}

/* While it is not known yet how much there is to copy. */
static enum rc
look_on(struct copying *c, size_t i)
{
	enum rc rc = RC_OK;

	if (i % LOOK_FILES == LOOK_FILES - 1)
		rc = c->b->go_on(c->b->ctx, 0, 1);
	if (rc != RC_OK)
		*c->why = STR("the store did not keep its files in place");
	return rc;
}

static bool
is_zero(const char *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* Zeros are left out: the file is made as long as it is by its end. */
enum rc
backup_put_block(const struct io *io, int fd, const char *p, size_t n,
    uint64_t off, bool fresh)
{
	enum rc rc = RC_OK;

	for (size_t at = 0; rc == RC_OK && at < n; at += SPARSE) {
		size_t k = MIN(SPARSE, n - at);

		if (!fresh || !is_zero(p + at, k))
			rc = io_pwrite(io, fd, p + at, k, off + at);
	}
	return rc;
}

/* What was written is what comes back. */
static enum rc
read_back(struct copying *c, int fd, const char *path,
    const struct backup_file *f, size_t from)
{
	enum rc rc = RC_OK;

	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	for (size_t i = from; rc == RC_OK && i < f->nsums; i++) {
		uint64_t off = (uint64_t)i * BACKUP_BLOCK;
		size_t n = (size_t)MIN(BACKUP_BLOCK, f->size - off);

		if (fd_pread_all(fd, c->block, n, off) != RC_OK)
			return backup_say(
			    c->a, RC_TEMP, c->why, "cannot read back", path);
		if (backup_sum(i, c->block, n) != f->sums[i]) {
			*c->why = str_fmt(c->a,
			    "%s at %llu: what was written does not come back",
			    path, (unsigned long long)off);
			return RC_TEMP;
		}
		if ((i - from) % SYNC_BLOCKS == SYNC_BLOCKS - 1)
			rc = go_on(c);
	}
	return rc;
}

/*
 * f->size bytes of the source, from block `from` on.  What the old manifest
 * names (`named`) stays as it is while it grows.
 */
static enum rc
copy_file(struct copying *c, const char *source, const char *path,
    struct backup_file *f, size_t from, bool named)
{
	const struct io *io = c->b->io;
	AUTO_FD in = open(source, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	AUTO_FD out = -1;
	enum rc rc = RC_OK;

	if (in < 0)
		return backup_say(c->a, RC_TEMP, c->why, "cannot read", source);
	out = io_open(io, path, O_RDWR | O_CREAT | (named ? 0 : O_TRUNC), 0600);
	if (out < 0)
		return backup_say(c->a, RC_TEMP, c->why, "cannot write", path);
	for (size_t i = from; rc == RC_OK && i < f->nsums; i++) {
		uint64_t off = (uint64_t)i * BACKUP_BLOCK;
		size_t n = (size_t)MIN(BACKUP_BLOCK, f->size - off);

		if (fd_pread_all(in, c->block, n, off) != RC_OK)
			return backup_say(
			    c->a, RC_TEMP, c->why, "cannot read", source);
		f->sums[i] = backup_sum(i, c->block, n);
		if (backup_put_block(io, out, c->block, n, off, !named) !=
		    RC_OK)
			return backup_say(
			    c->a, RC_TEMP, c->why, "cannot write", path);
		if ((i - from) % SYNC_BLOCKS == SYNC_BLOCKS - 1 &&
		    io_fdatasync(io, out) != RC_OK)
			return backup_say(
			    c->a, RC_TEMP, c->why, "cannot write", path);
		c->done += n;
		rc = go_on(c);
	}
	if (rc != RC_OK)
		return rc;
	if (io_ftruncate(io, out, f->size) != RC_OK ||
	    io_fdatasync(io, out) != RC_OK)
		return backup_say(c->a, RC_TEMP, c->why, "cannot write", path);
	c->files++;
	rc = go_on(c);
	return rc == RC_OK ? read_back(c, out, path, f, from) : rc;
}

/* They ascend. */
static const struct backup_file *
find_file(const struct backup_manifest *m, uint32_t id)
{
	for (size_t lo = 0, hi = m->n; lo < hi;) {
		size_t mid = (lo + hi) / 2;

		if (m->files[mid].id == id)
			return &m->files[mid];
		if (m->files[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* Blocks that need not be copied again. */
static size_t
kept_blocks(const struct backup_manifest *old, const struct backup_manifest *m,
    const struct backup_file *f)
{
	const struct backup_file *was = find_file(old, f->id);

	if (was == NULL || was->size > f->size ||
	    (f->id == 0 && old->ckpt != m->ckpt))
		return 0;
	return was->size == f->size ? f->nsums
				    : (size_t)(was->size / BACKUP_BLOCK);
}

static enum rc
copy_files(struct copying *c, const struct backup_manifest *old,
    struct backup_manifest *m)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < m->n; i++)
		c->total += m->files[i].size -
			    MIN(m->files[i].size,
				(uint64_t)kept_blocks(old, m, &m->files[i]) *
				    BACKUP_BLOCK);
	for (size_t i = 0; rc == RC_OK && i < m->n; i++) {
		struct backup_file *f = &m->files[i];
		size_t kept = kept_blocks(old, m, f);
		const char *from =
		    f->id != 0
			? backup_path(c->a, c->b->data_dir, f->id, 0)
			: str_fmt(c->a, "%s/log/" CKPT_NAME, c->b->data_dir).p;

		if (kept > 0)
			memcpy(f->sums, find_file(old, f->id)->sums,
			    kept * sizeof(*f->sums));
		if (kept < f->nsums)
			rc = copy_file(c, from,
			    backup_path(c->a, c->b->dir, f->id, m->ckpt), f,
			    kept, f->id != 0 && find_file(old, f->id) != NULL);
	}
	return rc;
}

/* What there is to copy: the checkpoint, and segments up to the position. */
static enum rc
list_files(struct copying *c, struct backup_manifest *m)
{
	const struct backup *b = c->b;
	struct ckpt_head head;
	uint32_t *ids;
	size_t n;
	enum rc rc = ckpt_head(&b->log, b->data_dir, &head);

	if (rc != RC_OK && rc != RC_NOENT) {
		*c->why = STR("the checkpoint cannot be read: run gatepost "
			      "store compact, then again");
		return rc;
	}
	m->ckpt = rc == RC_OK ? head.at.pos : 0;
	rc = seglog_list(&b->log, b->data_dir, &ids, &n);
	if (rc != RC_OK)
		return backup_say(c->a, rc, c->why, "cannot read", b->data_dir);
	m->files = arena_calloc(c->a, n + 1, sizeof(*m->files));
	if (m->ckpt != 0)
		m->n++;
	for (size_t i = 0; i < n && ids[i] <= POS_SEG(b->at.pos); i++)
		m->files[m->n++].id = ids[i];
	xfree(ids);
	for (size_t i = 0; i < m->n; i++) {
		struct backup_file *f = &m->files[i];
		const char *path =
		    f->id != 0
			? backup_path(c->a, b->data_dir, f->id, 0)
			: str_fmt(c->a, "%s/log/" CKPT_NAME, b->data_dir).p;
		struct stat st;

		if (stat(path, &st) != 0)
			return backup_say(
			    c->a, RC_TEMP, c->why, "cannot look at", path);
		f->size = f->id == POS_SEG(b->at.pos) ? POS_OFF(b->at.pos)
						      : (uint64_t)st.st_size;
		f->nsums = blocks_of(f->size);
		f->sums =
		    arena_calloc(c->a, MAX(f->nsums, 1), sizeof(*f->sums));
		rc = look_on(c, i);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

/* The store id, from the key file's header. */
static enum rc
store_id(struct copying *c, unsigned char out[STORE_ID])
{
	const char *path = str_fmt(c->a, "%s/keys", c->b->data_dir).p;
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char b[KEYS_HEADER];

	if (fd < 0 || fd_pread_all(fd, b, sizeof(b), 0) != RC_OK)
		return backup_say(c->a, RC_TEMP, c->why, "cannot read", path);
	memcpy(out, b + 16, STORE_ID);
	return RC_OK;
}

/* A segment's header says what came before it: two histories differ there. */
static enum rc
same_header(struct copying *c, uint32_t id)
{
	const char *ours = backup_path(c->a, c->b->data_dir, id, 0);
	const char *theirs = backup_path(c->a, c->b->dir, id, 0);
	AUTO_FD a = open(ours, O_RDONLY | O_CLOEXEC);
	AUTO_FD b = open(theirs, O_RDONLY | O_CLOEXEC);
	unsigned char x[SEG_HEADER], y[SEG_HEADER];
	struct stat st;

	if (a < 0 || (fstat(a, &st) == 0 && st.st_size == 0))
		return RC_OK; /* compacted */
	if (b < 0 || fd_pread_all(a, x, sizeof(x), 0) != RC_OK ||
	    fd_pread_all(b, y, sizeof(y), 0) != RC_OK)
		return backup_say(c->a, RC_BAD, c->why, "cannot read", theirs);
	return memcmp(x, y, sizeof(x)) == 0 ? RC_OK : RC_DENY;
}

/*
 * The log must go on where the last backup ended: a store that was restored,
 * or another one, would overwrite what its manifest still names.
 */
static enum rc
same_history(struct copying *c, const struct backup_manifest *old,
    const unsigned char store[STORE_ID])
{
	struct seglog_conf conf = { .dir = c->b->data_dir, .io = c->b->io };
	struct seglog_pos at = { old->at.pos, old->at.last, old->at.seq,
		old->at.chain };
	enum rc rc = RC_DENY, gone;

	memcpy(conf.store, store, STORE_ID);
	if (memcmp(old->store, store, STORE_ID) == 0 &&
	    old->at.pos <= c->b->at.pos)
		rc = RC_OK;
	for (size_t i = 0; rc == RC_OK && i < old->n; i++) {
		if (old->files[i].id != 0)
			rc = same_header(c, old->files[i].id);
		if (rc == RC_OK && (gone = look_on(c, i)) != RC_OK)
			return gone;
	}
	if (rc == RC_OK && at.last != 0 &&
	    access(backup_path(c->a, c->b->data_dir, POS_SEG(at.last), 0),
		F_OK) == 0)
		rc = seglog_confirm(&c->b->log, &conf, &at);
	if (rc == RC_DENY || rc == RC_NOENT) {
		*c->why = str_fmt(c->a,
		    "%s holds a backup of another store, or of this one "
		    "before it was restored: use another folder",
		    c->b->dir);
		rc = RC_DENY;
	}
	return rc;
}

/* Write a small file whole: new name, sync, rename, sync the folder. */
enum rc
backup_put_whole(struct arena *a, const struct io *io, const char *dir,
    const char *name, struct str text, struct str *why)
{
	const char *path = str_fmt(a, "%s/%s", dir, name).p;
	const char *tmp = str_fmt(a, "%s.new", path).p;
	AUTO_FD fd = io_open(io, tmp, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || io_pwrite(io, fd, text.p, text.n, 0) != RC_OK ||
	    io_fdatasync(io, fd) != RC_OK ||
	    io_rename(io, tmp, path) != RC_OK || io_syncdir(io, dir) != RC_OK)
		return backup_say(a, RC_TEMP, why, "cannot write", path);
	return RC_OK;
}

enum rc
backup_read_keys(struct arena *a, const char *from,
    const unsigned char store[STORE_ID], struct str *out, struct str *why)
{
	const char *path = str_fmt(a, "%s/keys", from).p;
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	struct str text;
	enum rc rc;

	if (fd < 0)
		return backup_say(a, RC_TEMP, why, "cannot read", path);
	rc = fd_read_file(a, fd, TEXT_MAX, &text);
	if (rc != RC_OK)
		return backup_say(a, rc, why, "cannot read", path);
	/* A record that is being written while we read is not needed yet. */
	if (text.n < KEYS_HEADER + KEYS_RECORD ||
	    le_get(text.p + 56, 8) != sum_of(0, text.p, 56)) {
		*why = str_fmt(a, "%s is damaged at 0", path);
		return RC_BAD;
	}
	if (memcmp(text.p + 16, store, STORE_ID) != 0) {
		*why = str_fmt(a, "%s belongs to another store", path);
		return RC_DENY;
	}
	text.n -= (text.n - KEYS_HEADER) % KEYS_RECORD;
	for (size_t off = KEYS_HEADER; off < text.n; off += KEYS_RECORD) {
		struct keys_record r;

		if (keys_record_get(
			(const unsigned char *)text.p + off, off, &r) == RC_OK)
			continue;
		if (off + KEYS_RECORD == text.n && off > KEYS_HEADER) {
			text.n = off;
			break;
		}
		*why = str_fmt(a, "%s is damaged at %zu", path, off);
		return RC_BAD;
	}
	*out = text;
	return RC_OK;
}

static enum rc
make_dir(struct copying *c, const char *path)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return RC_OK;
	return backup_say(c->a, RC_TEMP, c->why, "cannot make", path);
}

/* Not named any more: compacted away, or of a backup cut short. */
static void
remove_rest(struct copying *c, const struct backup_manifest *old,
    const struct backup_manifest *m)
{
	const struct backup *b = c->b;
	uint32_t *ids;
	size_t n;

	if (old->ckpt != 0 && old->ckpt != m->ckpt &&
	    io_unlink(b->io, backup_path(c->a, b->dir, 0, old->ckpt)) != RC_OK)
		log_warn(&b->log, "backup.unlink", KVE(errno));
	if (seglog_list(&b->log, b->dir, &ids, &n) != RC_OK)
		return;
	for (size_t i = 0; i < n; i++)
		if (find_file(m, ids[i]) == NULL &&
		    io_unlink(b->io, backup_path(c->a, b->dir, ids[i], 0)) !=
			RC_OK)
			log_warn(&b->log, "backup.unlink", KVE(errno));
	xfree(ids);
}

static enum rc
put_manifest(struct copying *c, const struct backup_manifest *m)
{
	AUTO_BUF text;
	enum rc rc;

	buf_init(&text, TEXT_MAX);
	rc = backup_manifest_put(m, &text);
	if (rc != RC_OK) {
		*c->why = STR("too many files, or too large, for a manifest: "
			      "the backup before is as it was");
		return rc;
	}
	return backup_put_whole(
	    c->a, c->b->io, c->b->dir, BACKUP_MANIFEST, buf_str(&text), c->why);
}

static enum rc
run(struct copying *c, struct backup_manifest *old, struct backup_manifest *m)
{
	const struct backup *b = c->b;
	const char *log_dir = str_fmt(c->a, "%s/log", b->dir).p;
	enum rc rc = store_id(c, m->store);
	struct str keys;

	if (rc == RC_OK)
		rc = make_dir(c, b->dir);
	if (rc == RC_OK)
		rc = make_dir(c, log_dir);
	if (rc == RC_OK)
		rc = make_dir(c, b->keys_dir);
	if (rc == RC_OK) {
		rc = backup_manifest_read(c->a, b->dir, old, c->why);
		if (rc == RC_OK)
			rc = same_history(c, old, m->store);
		else if (rc == RC_NOENT)
			rc = RC_OK;
	}
	m->number = old->number + 1;
	if (rc == RC_OK)
		rc = list_files(c, m);
	if (rc == RC_OK)
		rc = copy_files(c, old, m);
	if (rc == RC_OK && io_syncdir(b->io, log_dir) != RC_OK)
		rc = backup_say(c->a, RC_TEMP, c->why, "cannot sync", log_dir);
	if (rc == RC_OK)
		rc = backup_read_keys(
		    c->a, b->data_dir, m->store, &keys, c->why);
	if (rc == RC_OK)
		rc = backup_put_whole(
		    c->a, b->io, b->keys_dir, "keys", keys, c->why);
	/* The lease held to the end, or what was copied may have holes. */
	if (rc == RC_OK)
		rc = go_on(c);
	if (rc == RC_OK)
		rc = put_manifest(c, m);
	if (rc == RC_OK)
		remove_rest(c, old, m);
	return rc;
}

enum rc
backup_run(struct arena *a, const struct backup *b, struct backup_done *out,
    struct str *why)
{
	struct copying c = { .a = a, .b = b, .why = why };
	struct backup_manifest old = { 0 };
	struct backup_manifest m = { .at = b->at, .time = now_unix() };
	enum rc rc;

	c.block = xmalloc(BACKUP_BLOCK);
	rc = run(&c, &old, &m);
	xfree(c.block);
	*out = (struct backup_done){ .first = old.number == 0,
		.number = m.number,
		.files = c.files,
		.bytes = c.done };
	for (size_t i = 0; i < m.n; i++)
		out->total += m.files[i].size;
	return rc;
}
