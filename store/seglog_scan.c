/*
 * Reading the log from front to back: replay, rebuild, check.
 *
 * Where the valid records end is either the end of the log (torn by a power
 * loss: what follows was never acknowledged) or damage to what was durable.
 * They are told apart by witnesses behind that place: a later segment whose
 * header names a later end, or a later record that says that more was
 * synced.  Damage stops everything: going on would silently lose mail.
 *
 * Settling: records that a killed process wrote but did not sync are still in
 * the page cache, look valid, and may be lost by a power cut after the index
 * has taken them; and after a sync that failed, such pages may be marked
 * clean although the disk never got them.  So the tail is written once more,
 * from its own bytes, and synced, before anything is built upon it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/seglog.h"
#include "store/sum.h"

#define BLOCK (1u << 20)

struct segments {
	uint32_t *ids;
	size_t n;
};

struct scan {
	struct log log;
	const struct seglog_conf *conf;
	struct arena *a;
	struct seglog_scan *out;
	struct segments segs;
	int fd;
	uint32_t id;
	unsigned char *ops;
	size_t ops_size;
};

static int
by_id(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* "0000002a.seg" and nothing else. */
static bool
parse_name(const char *name, uint32_t *out)
{
	uint32_t v = 0;

	if (strlen(name) != 12 || memcmp(name + 8, ".seg", 4) != 0)
		return false;
	for (int i = 0; i < 8; i++) {
		char c = name[i];
		int d = ascii_is_digit(c)      ? c - '0'
			: c >= 'a' && c <= 'f' ? c - 'a' + 10
					       : -1;

		if (d < 0)
			return false;
		v = v << 4 | (uint32_t)d;
	}
	*out = v;
	return v != 0;
}

enum rc
seglog_list(
    const struct log *log, const char *dir, uint32_t **ids, size_t *out_n)
{
	AUTO_ARENA a = { 0 };
	const char *path = str_fmt(&a, "%s/log", dir).p;
	DIR *d = opendir(path);
	size_t n = 0, size = 0;
	struct dirent *e;
	uint32_t id;

	*ids = NULL;
	*out_n = 0;
	if (d == NULL) {
		log_error(log, "log.list", KVC("path", path), KVE(errno));
		return RC_TEMP;
	}
	while ((e = readdir(d)) != NULL && n <= SEGLOG_SEGMENTS) {
		if (!parse_name(e->d_name, &id))
			continue;
		if (n == size) {
			size = MAX(64, size * 2);
			*ids = xrealloc(*ids, size * sizeof(**ids));
		}
		(*ids)[n++] = id;
	}
	closedir(d);
	if (n > SEGLOG_SEGMENTS) {
		log_error(log, "log.list", KVC("path", path),
		    KVC("why", "more segments than there may be"));
		xfree(*ids);
		*ids = NULL;
		return RC_TEMP;
	}
	if (n > 0)
		qsort(*ids, n, sizeof(**ids), by_id);
	*out_n = n;
	return RC_OK;
}

static enum rc
damaged(struct scan *s, struct str why)
{
	s->out->damaged = true;
	s->out->why = why;
	log_error(&s->log, "log.damaged",
	    KVU("segment", POS_SEG(s->out->end.pos)),
	    KVU("offset", POS_OFF(s->out->end.pos)), KV("why", why));
	return RC_BAD;
}

static int
open_segment(struct scan *s, uint32_t id)
{
	char path[4096];

	seglog_path(s->conf->dir, id, path, sizeof(path));
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* RC_NOENT: prepared only, torn, or of an id that the name contradicts. */
static enum rc
read_header(struct scan *s, uint32_t id, struct seg_header *out)
{
	unsigned char b[SEG_HEADER];
	AUTO_FD fd = open_segment(s, id);
	enum rc rc;

	if (fd < 0)
		return RC_TEMP;
	rc = fd_pread_all(fd, b, sizeof(b), 0);
	if (rc != RC_OK)
		return rc; /* shorter than a header: being prepared */
	rc = seglog_header_get(b, out);
	if (rc == RC_DENY)
		return damaged(
		    s, str_fmt(s->a,
			   "segment %08x has format %u, this program knows %u",
			   (unsigned)id, (unsigned)out->format, SEGLOG_FORMAT));
	if (rc == RC_OK && memcmp(out->store, s->conf->store, STORE_ID) != 0)
		return damaged(
		    s, str_fmt(s->a, "segment %08x belongs to another store",
			   (unsigned)id));
	return rc == RC_OK && out->id == id ? RC_OK : RC_NOENT;
}

/*
 * One record at pos.  RC_NOENT: no valid record.  chain is checked only if
 * given.
 */
static enum rc
read_record(struct scan *s, uint64_t pos, const uint64_t *chain,
    unsigned char h[REC_HEADER], struct str *ops)
{
	struct sum sum;
	size_t len;
	enum rc rc = fd_pread_all(s->fd, h, REC_HEADER, POS_OFF(pos));

	if (rc != RC_OK)
		return rc;
	len = le_get(h + 4, 4);
	if (le_get(h, 4) != SEGLOG_RECORD || len > REC_MAX ||
	    (chain != NULL && le_get(h + 16, 8) != *chain))
		return RC_NOENT;
	if (len > s->ops_size) {
		s->ops = xrealloc(s->ops, len);
		s->ops_size = len;
	}
	rc = fd_pread_all(s->fd, s->ops, len, POS_OFF(pos) + REC_HEADER);
	if (rc != RC_OK)
		return rc;
	sum_init(&sum, pos);
	sum_add(&sum, h, 32);
	sum_add(&sum, s->ops, len);
	*ops = str_n(s->ops, len);
	return sum_end(&sum) == le_get(h + 32, 8) ? RC_OK : RC_NOENT;
}

/* The records of one segment, from out->end on. */
static enum rc
scan_segment(struct scan *s,
    enum rc (*each)(void *ctx, const struct seglog_seen *rec), void *ctx)
{
	struct seglog_pos *at = &s->out->end;
	unsigned char h[REC_HEADER];

	for (;;) {
		struct seglog_seen seen = { .pos = at->pos,
			.ops_pos = at->pos + REC_HEADER };
		enum rc rc = read_record(s, at->pos, &at->chain, h, &seen.ops);

		if (rc != RC_OK)
			return rc == RC_NOENT ? RC_OK : rc;
		seen.seq = le_get(h + 8, 8);
		seen.chain = le_get(h + 32, 8);
		if (seen.seq != at->seq + 1)
			return RC_OK;
		rc = each != NULL ? each(ctx, &seen) : RC_OK;
		if (rc != RC_OK)
			return rc;
		at->last = at->pos;
		at->pos += REC_HEADER + ((seen.ops.n + 7) & ~(size_t)7);
		at->seq = seen.seq;
		at->chain = seen.chain;
		s->out->records++;
	}
}

/*
 * The segment that says it continues at out->end: the last of them, because
 * one whose beginning failed may have been left behind.
 */
static enum rc
find_next(struct scan *s, uint32_t *out)
{
	bool longer = false;

	*out = 0;
	for (size_t i = s->segs.n; *out == 0 && i > 0; i--) {
		struct seg_header h;
		enum rc rc;

		if (s->segs.ids[i - 1] <= s->id)
			break;
		rc = read_header(s, s->segs.ids[i - 1], &h);
		if (rc == RC_TEMP || (rc == RC_BAD && s->out->damaged))
			return rc;
		if (rc != RC_OK)
			continue;
		longer = longer || h.prev_end > s->out->end.pos;
		if (h.prev_end == s->out->end.pos &&
		    h.prev_chain == s->out->end.chain)
			*out = h.id;
	}
	if (*out == 0 && longer)
		return damaged(
		    s, STR("a later segment says that there was more"));
	return *out != 0 ? RC_OK : RC_NOENT;
}

/* Is there a record behind the end which says that more was durable? */
static enum rc
look_behind(struct scan *s)
{
	uint64_t end = s->out->end.pos;
	unsigned char *block = xmalloc(BLOCK), h[REC_HEADER];
	enum rc rc = RC_OK;
	struct str ops;

	for (uint64_t off = POS_OFF(end); rc == RC_OK; off += BLOCK) {
		ssize_t n = pread(s->fd, block, BLOCK, (off_t)off);

		if (n <= 0) {
			rc = n < 0 ? RC_TEMP : RC_OK;
			break;
		}
		for (size_t i = 0; i + 8 <= (size_t)n && rc == RC_OK; i += 8) {
			if (le_get(block + i, 4) != SEGLOG_RECORD)
				continue;
			rc = read_record(s, POS(s->id, off + i), NULL, h, &ops);
			if (rc == RC_OK && le_get(h + 24, 8) > end)
				rc = damaged(
				    s, STR("a record is bad, and a later one "
					   "says that it was durable"));
			else if (rc == RC_NOENT)
				rc = RC_OK;
		}
	}
	xfree(block);
	return rc;
}

static enum rc
scan_all(struct scan *s,
    enum rc (*each)(void *ctx, const struct seglog_seen *rec), void *ctx)
{
	enum rc rc;
	uint32_t next;

	for (;;) {
		s->fd = open_segment(s, s->id);
		if (s->fd < 0) {
			log_error(&s->log, "log.open", KVU("segment", s->id),
			    KVE(errno));
			return errno == ENOENT
				   ? damaged(s, STR("a segment is missing"))
				   : RC_TEMP;
		}
		rc = scan_segment(s, each, ctx);
		if (rc != RC_OK)
			return rc;
		rc = find_next(s, &next);
		if (rc == RC_NOENT)
			return look_behind(s);
		if (rc != RC_OK)
			return rc;
		fd_close(&s->fd);
		s->id = next;
		s->out->end.pos = POS(next, SEG_HEADER);
	}
}

/* Where the log begins: the first segment with a header. */
static enum rc
find_first(struct scan *s)
{
	for (size_t i = 0; i < s->segs.n; i++) {
		struct seg_header h;
		enum rc rc = read_header(s, s->segs.ids[i], &h);

		if (rc == RC_TEMP || (rc == RC_BAD && s->out->damaged))
			return rc;
		if (rc != RC_OK)
			continue;
		if (h.prev_end != 0)
			return damaged(s, STR("the first segment is missing"));
		s->id = h.id;
		s->out->end =
		    (struct seglog_pos){ .pos = POS(h.id, SEG_HEADER) };
		return RC_OK;
	}
	return RC_NOENT;
}

enum rc
seglog_scan(const struct log *log, const struct seglog_conf *conf,
    const struct seglog_pos *from,
    enum rc (*each)(void *ctx, const struct seglog_seen *rec), void *ctx,
    struct arena *a, struct seglog_scan *out)
{
	struct scan s = {
		.log = *log, .conf = conf, .a = a, .out = out, .fd = -1
	};
	enum rc rc;

	*out = (struct seglog_scan){ .end = *from };
	rc = seglog_list(&s.log, conf->dir, &s.segs.ids, &s.segs.n);
	if (rc == RC_OK && s.segs.n > 0)
		out->segments = s.segs.ids[s.segs.n - 1];
	s.id = POS_SEG(from->pos);
	if (rc == RC_OK && from->pos == 0)
		rc = find_first(&s);
	if (rc == RC_OK)
		rc = scan_all(&s, each, ctx);
	fd_close(&s.fd);
	xfree(s.ops);
	xfree(s.segs.ids);
	return rc == RC_NOENT ? RC_OK : rc;
}

/* The sequence number a segment begins with is known from its record. */
static enum rc
find_seq(struct scan *s)
{
	unsigned char h[REC_HEADER];
	enum rc rc = fd_pread_all(s->fd, h, sizeof(h), SEG_HEADER);

	if (rc == RC_OK && le_get(h, 4) == SEGLOG_RECORD)
		s->out->end.seq = le_get(h + 8, 8) - 1;
	return rc == RC_NOENT ? RC_OK : rc;
}

enum rc
seglog_scan_one(const struct log *log, const struct seglog_conf *conf,
    uint32_t id, enum rc (*each)(void *ctx, const struct seglog_seen *rec),
    void *ctx, struct arena *a, struct seglog_scan *out)
{
	struct scan s = { .log = *log,
		.conf = conf,
		.a = a,
		.out = out,
		.fd = -1,
		.id = id };
	struct seg_header h = { 0 }, next;
	enum rc rc;

	*out = (struct seglog_scan){ .end = { .pos = POS(id, SEG_HEADER) } };
	s.fd = open_segment(&s, id);
	if (s.fd < 0)
		return errno == ENOENT ? RC_NOENT : RC_TEMP;
	rc = read_header(&s, id, &h);
	if (rc == RC_OK)
		rc = find_seq(&s);
	out->end.chain = h.prev_chain;
	if (rc == RC_OK)
		rc = scan_segment(&s, each, ctx);
	if (rc == RC_OK && id < UINT32_MAX &&
	    read_header(&s, id + 1, &next) == RC_OK &&
	    POS_SEG(next.prev_end) == id && next.prev_end > out->end.pos)
		rc = damaged(&s, STR("the next segment says there was more"));
	if (rc == RC_OK)
		rc = look_behind(&s);
	fd_close(&s.fd);
	xfree(s.ops);
	return rc;
}

enum rc
seglog_confirm(const struct log *log, const struct seglog_conf *conf,
    const struct seglog_pos *at)
{
	struct seglog_scan out = { 0 };
	struct scan s = { .log = *log, .conf = conf, .out = &out };
	unsigned char h[REC_HEADER];
	struct str ops;
	enum rc rc;

	if (at->last == 0)
		return RC_OK;
	s.fd = open_segment(&s, POS_SEG(at->last));
	if (s.fd < 0)
		return errno == ENOENT ? RC_NOENT : RC_TEMP;
	rc = read_record(&s, at->last, NULL, h, &ops);
	if (rc == RC_OK &&
	    (le_get(h + 8, 8) != at->seq || le_get(h + 32, 8) != at->chain))
		rc = RC_NOENT;
	fd_close(&s.fd);
	xfree(s.ops);
	return rc;
}

static enum rc
settle_segment(
    const struct seglog_conf *conf, uint32_t id, uint64_t from, uint64_t to)
{
	char path[4096];
	char *block;
	AUTO_FD fd = -1;
	enum rc rc = RC_OK;

	seglog_path(conf->dir, id, path, sizeof(path));
	fd = io_open(conf->io, path, O_RDWR, 0);
	if (fd < 0)
		return errno == ENOENT ? RC_OK : RC_TEMP;
	block = xmalloc(BLOCK);
	for (uint64_t off = from; rc == RC_OK && off < to;) {
		size_t n = MIN(BLOCK, to - off);
		ssize_t got = pread(fd, block, n, (off_t)off);

		if (got <= 0) {
			rc = got < 0 ? RC_TEMP : RC_OK;
			break;
		}
		rc = io_pwrite(conf->io, fd, block, (size_t)got, off);
		off += (uint64_t)got;
	}
	xfree(block);
	return rc == RC_OK ? io_fdatasync(conf->io, fd) : rc;
}

enum rc
seglog_settle(const struct log *log, const struct seglog_conf *conf,
    uint64_t from, uint64_t to)
{
	for (uint32_t id = POS_SEG(from); id <= POS_SEG(to); id++) {
		uint64_t lo = id == POS_SEG(from) ? POS_OFF(from) : 0;
		uint64_t hi = id == POS_SEG(to) ? POS_OFF(to) : UINT32_MAX;

		if (settle_segment(conf, id, lo, hi) != RC_OK) {
			log_error(
			    log, "log.settle", KVU("segment", id), KVE(errno));
			return RC_TEMP;
		}
	}
	return RC_OK;
}
