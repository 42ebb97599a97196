/*
 * A checkpoint is written from one read transaction of the index, which is
 * the state at exactly one position (the index remembers it); nobody is
 * stopped for it.  It is no part of the log's sequence: a file beside the
 * segments, replaced as a whole, so that an old one costs no space and a
 * half-written one is never found under its name.
 *
 * Keys and values are those of the index, in order, so that loading appends.
 * What the index holds twice is left out: the sealed meta beside a message's
 * letter stands in the log with the body.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/ckpt.h"
#include "store/rows.h"
#include "store/sum.h"

#define MAGIC      "GPCKPT\r\n"
#define BLOCK      0x31425047u /* "GPB1" */
#define END        0x31455047u /* "GPE1" */
#define ENTRY      8u
#define SYNC_BYTES (8u << 20) /* so that no flush is long */
#define TXN_BYTES  (32u << 20)

static const char *
path_of(struct arena *a, const char *dir, const char *suffix)
{
	return str_fmt(a, "%s/log/" CKPT_NAME "%s", dir, suffix).p;
}

enum rc
ckpt_head_parse(const unsigned char b[CKPT_HEADER], struct ckpt_head *out)
{
	if (memcmp(b, MAGIC, 8) != 0)
		return RC_BAD;
	*out = (struct ckpt_head){ .format = (uint32_t)le_get(b + 8, 4),
		.index_format = (uint32_t)le_get(b + 12, 4),
		.at = { .pos = le_get(b + 32, 8),
		    .last = le_get(b + 40, 8),
		    .seq = le_get(b + 48, 8),
		    .chain = le_get(b + 56, 8) },
		.time = (int64_t)le_get(b + 64, 8) };
	memcpy(out->store, b + 16, STORE_ID);
	if (out->format > CKPT_FORMAT || out->index_format > IX_FORMAT)
		return RC_DENY;
	return le_get(b + 88, 8) == sum_of(0, b, 88) ? RC_OK : RC_BAD;
}

static void
head_put(const struct ckpt_head *h, unsigned char b[CKPT_HEADER])
{
	memset(b, 0, CKPT_HEADER);
	memcpy(b, MAGIC, 8);
	le_put(b + 8, h->format, 4);
	le_put(b + 12, h->index_format, 4);
	memcpy(b + 16, h->store, STORE_ID);
	le_put(b + 32, h->at.pos, 8);
	le_put(b + 40, h->at.last, 8);
	le_put(b + 48, h->at.seq, 8);
	le_put(b + 56, h->at.chain, 8);
	le_put(b + 64, (uint64_t)h->time, 8);
	le_put(b + 88, sum_of(0, b, 88), 8);
}

enum rc
ckpt_next(struct str *payload, struct ckpt_entry *out)
{
	struct dec d = dec_of(*payload);
	size_t k, v;

	if (payload->n == 0)
		return RC_NOENT;
	out->db = (enum ckpt_db)dec_u(&d, 1);
	out->flags = (unsigned)dec_u(&d, 1);
	k = (size_t)dec_u(&d, 2);
	v = (size_t)dec_u(&d, 4);
	out->key = dec_bytes(&d, k);
	out->value = dec_bytes(&d, v);
	if (d.bad || k == 0 || k > 511 || out->db < CKPT_ACCOUNT ||
	    out->db > CKPT_INFO || out->flags > CKPT_NO_META)
		return RC_BAD;
	*payload = str_n(d.p, d.n);
	return RC_OK;
}

/* Reading */

static enum rc
damaged(const struct log *log, struct ckpt_scan *s, const char *why)
{
	log_error(log, "checkpoint.damaged", KVC("path", s->path),
	    KVU("offset", s->offset), KVC("why", why));
	return RC_BAD;
}

static enum rc
read_head(const struct log *log, int fd, struct ckpt_scan *s,
    struct ckpt_head *out, uint64_t *sum)
{
	unsigned char b[CKPT_HEADER];
	enum rc rc = fd_pread_all(fd, b, sizeof(b), 0);

	if (rc == RC_OK)
		rc = ckpt_head_parse(b, out);
	else if (rc == RC_NOENT)
		rc = RC_BAD;
	if (rc == RC_DENY)
		log_error(log, "checkpoint.format", KVC("path", s->path),
		    KVU("known", CKPT_FORMAT));
	if (rc == RC_OK)
		*sum = le_get(b + 88, 8);
	return rc == RC_BAD ? damaged(log, s, "header") : rc;
}

static int
open_it(const struct log *log, const char *path, enum rc *rc)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*rc = RC_OK;
	if (fd >= 0)
		return fd;
	*rc = errno == ENOENT ? RC_NOENT : RC_TEMP;
	if (*rc == RC_TEMP)
		log_error(
		    log, "checkpoint.open", KVC("path", path), KVE(errno));
	return -1;
}

enum rc
ckpt_head(const struct log *log, const char *dir, struct ckpt_head *out)
{
	AUTO_ARENA a = { 0 };
	struct ckpt_scan s = { .path = path_of(&a, dir, "") };
	uint64_t sum;
	enum rc rc;
	AUTO_FD fd = open_it(log, s.path, &rc);

	return rc == RC_OK ? read_head(log, fd, &s, out, &sum) : rc;
}

/* The block at s->offset; *last: it is the last one. */
static enum rc
read_block(const struct log *log, int fd, struct ckpt_scan *s, struct buf *b,
    uint64_t *sum, bool *last)
{
	unsigned char h[CKPT_BLOCK];
	struct sum x;
	size_t n;
	enum rc rc = fd_pread_all(fd, h, sizeof(h), s->offset);

	if (rc == RC_NOENT)
		return damaged(log, s, "it ends too early");
	if (rc != RC_OK)
		return rc;
	n = (size_t)le_get(h + 4, 4);
	*last = le_get(h, 4) == END;
	if ((!*last && le_get(h, 4) != BLOCK) || n > CKPT_MAX ||
	    le_get(h + 8, 8) != *sum)
		return damaged(log, s, "a block's head");
	buf_clear(b);
	if (buf_reserve(b, n) != RC_OK)
		return RC_TEMP;
	rc = fd_pread_all(fd, b->p, n, s->offset + CKPT_BLOCK);
	if (rc == RC_NOENT)
		return damaged(log, s, "it ends too early");
	if (rc != RC_OK)
		return rc;
	b->n = n;
	sum_init(&x, s->offset);
	sum_add(&x, h, 16);
	sum_add(&x, b->p, n);
	*sum = sum_end(&x);
	if (*sum != le_get(h + 16, 8))
		return damaged(log, s, "a block's sum");
	return RC_OK;
}

static enum rc
scan_block(const struct log *log, struct ckpt_scan *s, struct str payload,
    enum rc (*each)(void *ctx, const struct ckpt_entry *e), void *ctx)
{
	struct ckpt_entry e;
	enum rc rc;

	while ((rc = ckpt_next(&payload, &e)) == RC_OK) {
		s->entries++;
		rc = each != NULL ? each(ctx, &e) : RC_OK;
		if (rc != RC_OK)
			return rc;
	}
	return rc == RC_NOENT ? RC_OK : damaged(log, s, "an entry");
}

enum rc
ckpt_scan(const struct log *log, const char *path,
    enum rc (*each)(void *ctx, const struct ckpt_entry *e), void *ctx,
    struct ckpt_head *head, struct ckpt_scan *out)
{
	bool last = false;
	AUTO_BUF b;
	uint64_t sum;
	enum rc rc;
	AUTO_FD fd = open_it(log, path, &rc);

	*out = (struct ckpt_scan){ .path = path };
	buf_init(&b, CKPT_MAX);
	if (rc == RC_OK)
		rc = read_head(log, fd, out, head, &sum);
	out->offset = CKPT_HEADER;
	while (rc == RC_OK && !last) {
		rc = read_block(log, fd, out, &b, &sum, &last);
		if (rc == RC_OK && !last)
			rc = scan_block(log, out, buf_str(&b), each, ctx);
		if (rc == RC_OK && last &&
		    (b.n != 8 || le_get(b.p, 8) != out->entries))
			rc = damaged(log, out, "number of entries");
		if (rc == RC_OK) {
			out->offset += CKPT_BLOCK + b.n;
			out->blocks++;
		}
	}
	return rc;
}

/* Loading */

struct loading {
	const struct log *log;
	const struct ix *ix;
	struct seglog_files *files;
	MDB_txn *t;
	size_t bytes;
	struct arena a;
};

static MDB_dbi
dbi_of(const struct ix *ix, enum ckpt_db db)
{
	switch (db) {
	case CKPT_ACCOUNT:
		return ix->account;
	case CKPT_ACCTNO:
		return ix->acctno;
	case CKPT_NAMES:
		return ix->name;
	case CKPT_BYNAME:
		return ix->byname;
	case CKPT_BODY:
		return ix->body;
	case CKPT_MBOX:
		return ix->mbox;
	case CKPT_QUEUE:
		return ix->queue;
	case CKPT_OP:
		return ix->op;
	default:
		return ix->info;
	}
}

/* Bodies and rows are in already: they come before in the order of keys. */
static enum rc
fill_meta(struct loading *l, const struct ckpt_entry *e, struct str *out)
{
	struct store_row row;
	struct ix_body b;
	char *p;
	enum rc rc;

	if (e->db != CKPT_MBOX || e->key.n != 17)
		return RC_BAD;
	rc = rows_get(l->ix, l->t, be_get(e->key.p, 8),
	    (uint32_t)be_get(e->key.p + 9, 8), &row);
	if (rc == RC_OK)
		rc = ix_body_get(l->ix, l->t, row.body, &b);
	if (rc != RC_OK || b.meta_len == 0 || b.meta_len > IX_META_INLINE)
		return rc == RC_TEMP ? rc : RC_BAD;
	p = arena_alloc(&l->a, e->value.n + b.meta_len);
	memcpy(p, e->value.p, e->value.n);
	*out = str_n(p, e->value.n + b.meta_len);
	rc = seglog_read(l->files, b.meta_pos, p + e->value.n, b.meta_len);
	return rc == RC_NOENT ? RC_BAD : rc;
}

static enum rc
load_begin(struct loading *l)
{
	l->bytes = 0;
	return ix_rc(l->ix, mdb_txn_begin(l->ix->env, NULL, 0, &l->t), "begin");
}

static enum rc
load_commit(struct loading *l)
{
	MDB_txn *t = l->t;

	l->t = NULL;
	return ix_rc(l->ix, mdb_txn_commit(t), "commit");
}

static enum rc
load_entry(void *ctx, const struct ckpt_entry *e)
{
	struct loading *l = ctx;
	struct str v = e->value;
	enum rc rc = RC_OK;

	if (e->flags & CKPT_NO_META)
		rc = fill_meta(l, e, &v);
	if (rc != RC_OK)
		log_error(l->log, "checkpoint.meta", KVC("rc", rc_name(rc)));
	if (rc == RC_OK)
		rc = ix_append(l->ix, l->t, dbi_of(l->ix, e->db), e->key, v);
	arena_reset(&l->a);
	l->bytes += e->key.n + v.n;
	if (rc == RC_OK && l->bytes > TXN_BYTES) {
		rc = load_commit(l);
		if (rc == RC_OK)
			rc = load_begin(l);
	}
	return rc;
}

/*
 * The state comes last: an index without it was not loaded whole, and is
 * emptied at the next try.
 */
enum rc
ckpt_load(const struct log *log, const char *dir, const struct ix *ix,
    struct seglog_files *files)
{
	struct loading l = { .log = log, .ix = ix, .files = files };
	struct ckpt_scan scan;
	struct ckpt_head head;
	AUTO_ARENA a = { 0 };
	enum rc rc = load_begin(&l);

	if (rc == RC_OK)
		rc = ix_empty(ix, l.t);
	if (rc == RC_OK)
		rc = ckpt_scan(
		    log, path_of(&a, dir, ""), load_entry, &l, &head, &scan);
	if (rc == RC_OK)
		rc = load_commit(&l);
	if (l.t != NULL)
		mdb_txn_abort(l.t);
	arena_free(&l.a);
	if (rc == RC_OK)
		log_info(log, "checkpoint.loaded", KVU("entries", scan.entries),
		    KVU("segment", POS_SEG(head.at.pos)),
		    KVU("offset", POS_OFF(head.at.pos)));
	return rc;
}

/* Writing */

struct writing {
	const struct ckpt_write *w;
	int fd;
	struct buf b; /* room for a block's head, then payload */
	uint64_t off, sum, entries, unsynced;
};

static enum rc
flush(struct writing *s, uint32_t magic)
{
	struct sum x;
	enum rc rc;

	le_put(s->b.p, magic, 4);
	le_put(s->b.p + 4, s->b.n - CKPT_BLOCK, 4);
	le_put(s->b.p + 8, s->sum, 8);
	sum_init(&x, s->off);
	sum_add(&x, s->b.p, 16);
	sum_add(&x, s->b.p + CKPT_BLOCK, s->b.n - CKPT_BLOCK);
	s->sum = sum_end(&x);
	le_put(s->b.p + 16, s->sum, 8);
	rc = io_pwrite(s->w->io, s->fd, s->b.p, s->b.n, s->off);
	s->off += s->b.n;
	s->unsynced += s->b.n;
	if (rc == RC_OK && (s->unsynced >= SYNC_BYTES || magic == END)) {
		s->unsynced = 0;
		rc = io_fdatasync(s->w->io, s->fd);
	}
	if (rc != RC_OK)
		log_error(s->w->log, "checkpoint.write", KVU("offset", s->off),
		    KVE(errno));
	else if (magic != END && s->w->go_on != NULL &&
		 !s->w->go_on(s->w->ctx, s->b.n))
		rc = RC_TEMP;
	s->b.n = CKPT_BLOCK;
	return rc;
}

static enum rc
put_entry(struct writing *s, enum ckpt_db db, struct str k, struct str v)
{
	struct enc e = { &s->b, false };
	unsigned flags = 0;

	if (db == CKPT_MBOX && k.n == 17 && k.p[8] == IX_DETAIL && v.n >= 24) {
		size_t n = 24 + (size_t)le_get(v.p + 20, 4);

		if (n < v.n) {
			flags = CKPT_NO_META;
			v = str_sub(v, 0, n);
		}
	}
	enc_u(&e, db, 1);
	enc_u(&e, flags, 1);
	enc_u(&e, k.n, 2);
	enc_u(&e, v.n, 4);
	enc_bytes(&e, k.p, k.n);
	enc_bytes(&e, v.p, v.n);
	s->entries++;
	if (e.bad)
		return RC_TEMP;
	return s->b.n < CKPT_PAYLOAD ? RC_OK : flush(s, BLOCK);
}

static enum rc
tell_body(struct writing *s, struct str k)
{
	struct ix_body b;
	enum rc rc;

	if (k.n != BODY_ID || s->w->body == NULL)
		return RC_OK;
	rc = ix_body_get(s->w->ix, s->w->t, (const unsigned char *)k.p, &b);
	if (rc == RC_OK)
		s->w->body(s->w->ctx, &b);
	return rc;
}

static enum rc
write_db(struct writing *s, enum ckpt_db db)
{
	const struct ix *ix = s->w->ix;
	AUTO_WALK w = { 0 };
	struct str k, v;
	enum rc rc =
	    ix_walk_begin(ix, s->w->t, dbi_of(ix, db), STR(""), STR(""), &w);

	while (rc == RC_OK && (rc = ix_walk_next(&w, &k, &v)) == RC_OK) {
		rc = put_entry(s, db, k, v);
		if (rc == RC_OK && db == CKPT_BODY)
			rc = tell_body(s, k);
	}
	return rc == RC_NOENT ? RC_OK : rc;
}

static enum rc
write_all(struct writing *s)
{
	unsigned char b[CKPT_HEADER];
	struct ckpt_head h = { .format = CKPT_FORMAT,
		.index_format = IX_FORMAT,
		.time = now_unix() };
	struct enc e = { &s->b, false };
	struct ix_info info;
	enum rc rc = ix_info_get(s->w->ix, s->w->t, &info);

	if (rc != RC_OK)
		return rc;
	memcpy(h.store, info.store, STORE_ID);
	h.at = info.applied;
	head_put(&h, b);
	s->sum = le_get(b + 88, 8);
	s->off = CKPT_HEADER;
	enc_bytes(&e, b, CKPT_BLOCK); /* room */
	if (io_pwrite(s->w->io, s->fd, b, sizeof(b), 0) != RC_OK) {
		log_error(s->w->log, "checkpoint.write", KVE(errno));
		return RC_TEMP;
	}
	for (unsigned db = CKPT_ACCOUNT; rc == RC_OK && db <= CKPT_INFO; db++)
		rc = write_db(s, (enum ckpt_db)db);
	if (rc == RC_OK && s->b.n > CKPT_BLOCK)
		rc = flush(s, BLOCK);
	if (rc != RC_OK)
		return rc;
	enc_u(&e, s->entries, 8);
	return e.bad ? RC_TEMP : flush(s, END);
}

enum rc
ckpt_write(const struct ckpt_write *w, uint64_t *out_bytes)
{
	struct writing s = { .w = w, .fd = -1 };
	AUTO_ARENA a = { 0 };
	const char *path = path_of(&a, w->dir, ".new");
	enum rc rc = RC_TEMP;

	buf_init(&s.b, CKPT_MAX + CKPT_BLOCK);
	s.fd = io_open(w->io, path, O_RDWR | O_CREAT | O_TRUNC, 0640);
	if (s.fd < 0)
		log_error(
		    w->log, "checkpoint.write", KVC("path", path), KVE(errno));
	else
		rc = write_all(&s);
	if (rc != RC_OK && s.fd >= 0 && io_unlink(w->io, path) != RC_OK)
		log_warn(
		    w->log, "checkpoint.unlink", KVC("path", path), KVE(errno));
	fd_close(&s.fd);
	buf_free(&s.b);
	*out_bytes = s.off;
	return rc;
}

enum rc
ckpt_commit(const struct log *log, const struct io *io, const char *dir)
{
	AUTO_ARENA a = { 0 };
	const char *path = path_of(&a, dir, "");

	if (io_rename(io, path_of(&a, dir, ".new"), path) == RC_OK &&
	    io_syncdir(io, str_fmt(&a, "%s/log", dir).p) == RC_OK)
		return RC_OK;
	log_error(log, "checkpoint.rename", KVC("path", path), KVE(errno));
	return RC_TEMP;
}
