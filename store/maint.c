/*
 * Checking goes from the ground up: keys, log, index.  The index is read in
 * one transaction before the log is scanned, so that a store at work is not
 * found wanting for what it has just added.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fcntl.h>

#include "store/ckpt.h"
#include "store/local.h"
#include "store/maint_impl.h"
#include "store/sum.h"

void
maint_say(
    struct check *c, enum maint_grade grade, const char *what, struct str found)
{
	if (grade == MAINT_BAD)
		c->bad = true;
	c->m->say(c->m->ctx, grade, str_c(what), found);
}

static const char *
path_of(struct check *c, const char *name)
{
	return str_fmt(&c->a, "%s/%s", c->m->dir, name).p;
}

/* Without the master key: shape and sums. */
static enum rc
check_keys(struct check *c)
{
	AUTO_FD fd = open(path_of(c, "keys"), O_RDONLY | O_CLOEXEC);
	unsigned char b[KEYS_RECORD];
	uint64_t off = KEYS_HEADER;
	struct stat st;
	size_t n = 0;

	if (fd < 0 || fstat(fd, &st) != 0 ||
	    fd_pread_all(fd, b, KEYS_HEADER, 0) != RC_OK) {
		maint_say(c, MAINT_BAD, "key file",
		    STR("cannot be read: without it no mail can be opened"));
		return RC_BAD;
	}
	if (le_get(b + 8, 4) > KEYS_FORMAT) {
		maint_say(c, MAINT_BAD, "key file",
		    STR("was made by a later version"));
		return RC_DENY;
	}
	if (le_get(b + 56, 8) != sum_of(0, b, 56)) {
		maint_say(c, MAINT_BAD, "key file", STR("header is damaged"));
		return RC_BAD;
	}
	memcpy(c->sconf.store, b + 16, STORE_ID);
	for (; off + KEYS_RECORD <= (uint64_t)st.st_size; off += KEYS_RECORD) {
		struct keys_record r;

		if (fd_pread_all(fd, b, sizeof(b), off) != RC_OK)
			return RC_TEMP;
		if (keys_record_get(b, off, &r) == RC_OK)
			n++;
		else
			maint_say(c, MAINT_BAD, "key file",
			    str_fmt(&c->a, "record at %llu is damaged",
				(unsigned long long)off));
	}
	maint_say(c, MAINT_GOOD, "key file", str_fmt(&c->a, "%zu keys", n));
	return RC_OK;
}

static enum rc
check_record(void *ctx, const struct seglog_seen *rec)
{
	struct check *c = ctx;
	struct str ops = rec->ops;
	struct rec_op op;
	enum rc rc;

	while ((rc = rec_next(&c->scratch, &ops, &op)) == RC_OK)
		c->ops++;
	arena_reset(&c->scratch);
	c->log_bytes += rec->ops.n;
	if (rc == RC_NOENT)
		return RC_OK;
	maint_say(c, MAINT_BAD, "log",
	    str_fmt(&c->a, "record in segment %08x at %u: %s",
		(unsigned)POS_SEG(rec->pos), (unsigned)POS_OFF(rec->pos),
		rc == RC_DENY ? "an operation of a later version"
			      : "malformed"));
	return RC_OK;
}

/*
 * Every sum of the checkpoint.  A store at work may replace it meanwhile,
 * which does not touch the one that is open.
 */
static enum rc
check_checkpoint(struct check *c, struct ckpt_head *head)
{
	const char *path = path_of(c, "log/" CKPT_NAME);
	struct ckpt_scan x;
	enum rc rc = ckpt_scan(&c->m->log, path, NULL, NULL, head, &x);

	if (rc == RC_NOENT) {
		*head = (struct ckpt_head){ 0 };
		return RC_OK;
	}
	if (rc == RC_OK && memcmp(head->store, c->sconf.store, STORE_ID) != 0)
		rc = RC_BAD;
	if (rc == RC_OK) {
		maint_say(c, MAINT_GOOD, "checkpoint",
		    str_fmt(&c->a, "%llu entries, of segment %08x at %u",
			(unsigned long long)x.entries,
			(unsigned)POS_SEG(head->at.pos),
			(unsigned)POS_OFF(head->at.pos)));
		return rc;
	}
	maint_say(c, MAINT_BAD, "checkpoint",
	    rc == RC_BAD
		? str_fmt(&c->a,
		      "damaged at %llu: the index cannot be built anew; "
		      "gatepost store compact makes another from it",
		      (unsigned long long)x.offset)
	    : rc == RC_DENY ? STR("was made by a later version")
			    : STR("cannot be read"));
	return rc;
}

/* What is kept for its bodies: the records before the checkpoint. */
static enum rc
check_kept(struct check *c, const struct seglog_pos *from)
{
	uint64_t records = 0;
	uint32_t *ids;
	size_t n, segments = 0;
	enum rc rc = seglog_list(&c->m->log, c->m->dir, &ids, &n);

	for (size_t i = 0; rc == RC_OK && i < n; i++) {
		struct seglog_scan out;

		if (ids[i] > POS_SEG(from->pos))
			break;
		rc = seglog_scan_one(&c->m->log, &c->sconf, ids[i],
		    check_record, c, &c->a, &out);
		if (rc == RC_NOENT) { /* removed meanwhile, or never begun */
			rc = RC_OK;
			continue;
		}
		records += out.records;
		segments++;
		if (rc == RC_BAD) {
			maint_say(c, MAINT_BAD, "log",
			    str_fmt(&c->a,
				"damaged in segment %08x at %u: %.*s",
				(unsigned)ids[i],
				(unsigned)POS_OFF(out.end.pos), STRF(out.why)));
			rc = RC_OK;
		}
	}
	xfree(ids);
	if (rc == RC_OK && segments > 0)
		maint_say(c, MAINT_GOOD, "bodies before it",
		    str_fmt(&c->a, "%zu segments, %llu records", segments,
			(unsigned long long)records));
	return rc;
}

static enum rc
check_log(struct check *c)
{
	struct ckpt_head head;
	struct seglog_pos from;
	struct seglog_scan out;
	enum rc rc = check_checkpoint(c, &head);

	if (rc != RC_OK && rc != RC_BAD)
		return rc;
	/* Without it the log is taken up where the index stands. */
	from = rc == RC_OK ? head.at : c->info.applied;
	if (from.pos != 0) {
		rc = check_kept(c, &from);
		if (rc != RC_OK)
			return rc;
	}
	rc = seglog_scan(
	    &c->m->log, &c->sconf, &from, check_record, c, &c->a, &out);

	if (rc == RC_BAD) {
		maint_say(c, MAINT_BAD, "log",
		    str_fmt(&c->a, "damaged in segment %08x at %u: %.*s",
			(unsigned)POS_SEG(out.end.pos),
			(unsigned)POS_OFF(out.end.pos), STRF(out.why)));
		return RC_BAD;
	}
	if (rc != RC_OK) {
		maint_say(c, MAINT_BAD, "log", STR("cannot be read"));
		return rc;
	}
	c->end = out.end;
	maint_say(c, MAINT_GOOD, "log",
	    str_fmt(&c->a,
		"%llu records, %llu operations, %llu bytes, up to segment "
		"%08x at %u",
		(unsigned long long)out.records, (unsigned long long)c->ops,
		(unsigned long long)c->log_bytes,
		(unsigned)POS_SEG(out.end.pos),
		(unsigned)POS_OFF(out.end.pos)));
	return RC_OK;
}

static enum rc
check_position(struct check *c)
{
	enum rc rc = seglog_confirm(&c->m->log, &c->sconf, &c->info.applied);

	if (memcmp(c->info.store, c->sconf.store, STORE_ID) != 0)
		maint_say(
		    c, MAINT_BAD, "index", STR("belongs to another store"));
	else if (rc != RC_OK)
		maint_say(c, MAINT_BAD, "index",
		    STR("names a place that the log does not have: it will "
			"be built anew"));
	else if (c->info.applied.seq != c->end.seq)
		maint_say(c, MAINT_NOTE, "index",
		    str_fmt(&c->a,
			"%llu records behind the log: replayed at the next "
			"start",
			(unsigned long long)(c->end.seq -
					     c->info.applied.seq)));
	return rc == RC_TEMP ? rc : RC_OK;
}

static enum rc
open_index(struct check *c)
{
	enum rc rc = ix_open(&c->m->log, c->m->dir, 0, true, &c->ix);

	if (rc == RC_OK &&
	    mdb_txn_begin(c->ix.env, NULL, MDB_RDONLY, &c->t) != 0)
		rc = RC_TEMP;
	if (rc == RC_OK)
		rc = ix_info_get(&c->ix, c->t, &c->info);
	if (rc == RC_OK)
		return rc;
	maint_say(c, rc == RC_NOENT ? MAINT_NOTE : MAINT_BAD, "index",
	    rc == RC_NOENT  ? STR("there is none: it will be built")
	    : rc == RC_DENY ? STR("was made by a later version")
			    : STR("cannot be read: gatepost store rebuild"));
	return rc;
}

/*
 * The view of the index is let go while the log is read, which may take hours:
 * a store at work could not use any page again meanwhile.  The keys are read
 * again after it, because an account's key is made before the account.
 */
static enum rc
view_again(struct check *c)
{
	enum rc rc;

	if (mdb_txn_renew(c->t) != 0)
		return RC_TEMP;
	rc = ix_info_get(&c->ix, c->t, &c->info);
	maint_free_keys(c);
	if (rc == RC_OK)
		rc = maint_load_owners(c);
	if (rc == RC_OK && c->m->master != NULL)
		rc = maint_load_keys(c, true);
	return rc;
}

enum rc
maint_check(const struct maint *m)
{
	struct check c = { .m = m };
	bool indexed;
	enum rc rc;

	c.sconf = (struct seglog_conf){ .dir = m->dir, .io = &io_system };
	c.files = seglog_files_new(m->dir);
	c.pool = content_pool_new();
	rc = check_keys(&c);
	if (rc == RC_OK && m->master != NULL)
		rc = maint_load_keys(&c, false);
	indexed = rc == RC_OK && open_index(&c) == RC_OK;
	if (indexed)
		mdb_txn_reset(c.t);
	if (rc == RC_OK)
		rc = check_log(&c);
	if (rc == RC_OK && indexed)
		rc = check_position(&c);
	if (rc == RC_OK && indexed)
		rc = view_again(&c);
	if (rc == RC_OK && indexed)
		rc = maint_check_index(&c);
	if (c.t != NULL)
		mdb_txn_abort(c.t);
	ix_close(&c.ix);
	maint_free_keys(&c);
	content_pool_free(&c.pool);
	seglog_files_free(&c.files);
	arena_free(&c.scratch);
	arena_free(&c.a);
	return rc == RC_OK && c.bad ? RC_BAD : rc;
}

static enum rc
set_aside(const struct maint *m, struct arena *a)
{
	const char *index = str_fmt(a, "%s/index", m->dir).p;
	const char *old =
	    str_fmt(a, "%s/index.old.%lld", m->dir, (long long)now_unix_ms()).p;

	if (rename(index, old) != 0 && errno != ENOENT) {
		log_error(
		    &m->log, "maint.set_aside", KVC("path", index), KVE(errno));
		return RC_TEMP;
	}
	m->say(m->ctx, MAINT_NOTE, STR("old index"), str_c(old));
	return RC_OK;
}

/* Is nobody at it?  The engine will lock it again for itself. */
static enum rc
check_idle(const struct maint *m, struct arena *a)
{
	AUTO_FD fd = open(str_fmt(a, "%s/lock", m->dir).p, O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return RC_OK;
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return RC_OK;
	m->say(m->ctx, MAINT_BAD, STR("store"),
	    errno == EWOULDBLOCK ? STR("is running: stop Gatepost first")
				 : STR("cannot be locked"));
	return errno == EWOULDBLOCK ? RC_DENY : RC_TEMP;
}

/* An index that cannot be built anew is not given away. */
static enum rc
check_loadable(const struct maint *m, struct arena *a)
{
	const char *path = str_fmt(a, "%s/log/" CKPT_NAME, m->dir).p;
	struct ckpt_head head;
	struct ckpt_scan x;
	enum rc rc = ckpt_scan(&m->log, path, NULL, NULL, &head, &x);

	if (rc == RC_OK || rc == RC_NOENT)
		return RC_OK;
	m->say(m->ctx, MAINT_BAD, STR("checkpoint"),
	    str_fmt(a, "cannot be read (at %llu): the index is left as it is",
		(unsigned long long)x.offset));
	return rc;
}

enum rc
maint_rebuild(const struct maint *m, uint64_t map_bytes, uint64_t segment_bytes)
{
	struct engine_conf conf = { .dir = m->dir,
		.segment_bytes = segment_bytes,
		.map_bytes = map_bytes,
		.gather_us = 1,
		.io = &io_system };
	struct engine_stats x;
	AUTO_ARENA a = { 0 };
	struct engine *e;
	enum rc rc = check_idle(m, &a);

	if (rc == RC_OK)
		rc = check_loadable(m, &a);
	if (rc == RC_OK)
		rc = set_aside(m, &a);
	if (rc != RC_OK)
		return rc;
	memcpy(conf.master, m->master, SEAL_KEY);
	rc = engine_local_open(&m->log, &conf, &e);
	seal_wipe(conf.master, SEAL_KEY);
	if (rc != RC_OK) {
		m->say(m->ctx, MAINT_BAD, STR("index"),
		    STR("could not be built: see the log above"));
		return rc;
	}
	e->ops->stats(e, &x);
	m->say(m->ctx, MAINT_GOOD, STR("index"),
	    str_fmt(&a, "built: %llu accounts, %llu messages, %llu queued",
		(unsigned long long)x.accounts, (unsigned long long)x.messages,
		(unsigned long long)x.queued));
	e->ops->close(&e);
	return RC_OK;
}
