/*
 * The engine on the local disk: opening, recovery, closing.
 *
 * Opening reads keys, log and index in this order, because each needs the one
 * before.  An index that is damaged, of another store or ahead of the log is
 * set aside and built anew from the log; a damaged log or key file is not
 * touched, and nothing is served until somebody has looked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/backup.h"
#include "store/ckpt.h"
#include "store/local.h"

static void
local_stats(struct engine *e, struct engine_stats *out)
{
	struct local *l = (struct local *)e;
	struct ix_info info = { 0 };
	struct seglog_stats log;
	MDB_stat names;
	MDB_txn *t;

	*out = (struct engine_stats){ 0 };
	if (mdb_txn_begin(l->ix.env, NULL, MDB_RDONLY, &t) == 0) {
		if (ix_info_get(&l->ix, t, &info) != RC_OK)
			info = (struct ix_info){ 0 };
		if (mdb_stat(t, l->ix.name, &names) == 0)
			out->mailboxes = names.ms_entries;
		mdb_txn_abort(t);
	}
	seglog_stats(l->seglog, &log);
	out->messages = info.messages;
	out->bodies = info.bodies;
	out->queued = info.queued;
	out->accounts = keys_count(l->keys);
	out->keyless = l->keyless;
	out->commits = atomic_load(&l->commits);
	out->intents = atomic_load(&l->intents);
	out->log_bytes = log.bytes;
	out->log_syncs = log.syncs;
	out->index_commits = atomic_load(&l->index_commits);
	out->rolls = atomic_load(&l->rolls);
	out->free_bytes = atomic_load(&l->free_bytes);
	out->read_only = atomic_load(&l->read_only);
	out->below_floor = atomic_load(&l->below_floor);
}

static void
local_set_floor(struct engine *e, uint64_t bytes)
{
	struct local *l = (struct local *)e;

	atomic_store(&l->floor_bytes, bytes);
}

static void
local_tend(struct engine *e)
{
	struct local *l = (struct local *)e;
	int dead = 0;

	if (mdb_reader_check(l->ix.env, &dead) == 0 && dead > 0)
		log_warn(&l->log, "index.dead_readers", KVI("cleared", dead));
}

static void
local_close(struct engine **ep)
{
	struct local *l = (struct local *)*ep;
	struct local_recent *r, *next;

	if (l == NULL)
		return;
	local_compact_stop(l);
	local_commit_stop(l);
	seglog_close(&l->seglog);
	ix_close(&l->ix);
	keys_free(&l->keys);
	seglog_files_free(&l->files);
	content_pool_free(&l->pool);
	local_free_ops(l);
	HASH_ITER(hh, l->recent, r, next)
	{
		HASH_DEL(l->recent, r);
		xfree(r);
	}
	arena_free(&l->batch);
	xfree(l->touched);
	fd_close(&l->lock_fd);
	pthread_mutex_destroy(&l->lock);
	pthread_mutex_destroy(&l->op_lock);
	pthread_mutex_destroy(&l->recent_lock);
	pthread_cond_destroy(&l->work);
	pthread_cond_destroy(&l->part_done);
	seal_wipe(l->conf.master, SEAL_KEY);
	xfree(l->dir);
	xfree(l);
	*ep = NULL;
}

static const struct engine_ops ops = {
	.name = "local",
	.put_body = local_put_body,
	.drop_body = local_drop_body,
	.start = local_start,
	.find_op = local_find_op,
	.attach = local_attach,
	.queue_key = local_queue_key,
	.take_recent = local_take_recent,
	.queue_list = local_queue_list,
	.queue_get = local_queue_get,
	.stats = local_stats,
	.compact = local_compact,
	.upkeep = local_upkeep,
	.pin = local_pin,
	.set_floor = local_set_floor,
	.tend = local_tend,
	.close = local_close,
};

/* Directories, and the lock that keeps a second store process out. */
static enum rc
prepare_dir(struct local *l)
{
	static const char *const subs[] = { "", "/log", "/index" };
	char path[4096];

	for (size_t i = 0; i < COUNT(subs); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", l->dir, subs[i]);
		if (mkdir(path, 0750) != 0 && errno != EEXIST) {
			log_error(&l->log, "store.mkdir", KVC("path", path),
			    KVE(errno));
			return RC_TEMP;
		}
	}
	if (io_syncdir(l->conf.io, l->dir) != RC_OK)
		return RC_TEMP;
	(void)snprintf(path, sizeof(path), "%s/" BACKUP_MARK, l->dir);
	if (!l->conf.restoring && access(path, F_OK) == 0) {
		log_error(&l->log, "store.restoring", KVC("path", path),
		    KVC("why", "a restore was begun and did not end: begin "
			       "it again"));
		return RC_BAD;
	}
	(void)snprintf(path, sizeof(path), "%s/lock", l->dir);
	l->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (l->lock_fd < 0) {
		log_error(&l->log, "store.lock", KVC("path", path), KVE(errno));
		return RC_TEMP;
	}
	if (flock(l->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		log_error(&l->log, "store.lock", KVC("path", path),
		    KVC("why", "another process has this store open"),
		    KVE(errno));
		return RC_TEMP;
	}
	return RC_OK;
}

static enum rc
new_info(struct local *l)
{
	struct ix_info info = { .format = IX_FORMAT,
		.next_account = 1,
		.next_mailbox = 1,
		.next_entry = 1,
		.next_segment = 1 };
	MDB_txn *t;
	enum rc rc =
	    ix_rc(&l->ix, mdb_txn_begin(l->ix.env, NULL, 0, &t), "begin");

	if (rc != RC_OK)
		return rc;
	memcpy(info.store, l->sconf.store, STORE_ID);
	rc = ix_info_put(&l->ix, t, &info);
	if (rc != RC_OK) {
		mdb_txn_abort(t);
		return rc;
	}
	return ix_rc(&l->ix, mdb_txn_commit(t), "commit");
}

/*
 * RC_BAD: not an index of this log.  RC_NOENT: an empty one, or one that was
 * not loaded whole.
 */
static enum rc
open_index(struct local *l, const struct ckpt_head *ckpt)
{
	MDB_txn *t;
	enum rc rc = ix_open(&l->log, l->dir, l->conf.map_bytes, false, &l->ix);

	if (rc != RC_OK)
		return rc;
	rc = ix_rc(
	    &l->ix, mdb_txn_begin(l->ix.env, NULL, MDB_RDONLY, &t), "begin");
	if (rc != RC_OK)
		return rc;
	rc = ix_info_get(&l->ix, t, &l->info);
	mdb_txn_abort(t);
	if (rc == RC_DENY)
		log_error(&l->log, "index.format", KVU("known", IX_FORMAT),
		    KVC("why", "the index was made by a later version"));
	if (rc != RC_OK)
		return rc;
	if (memcmp(l->info.store, l->sconf.store, STORE_ID) != 0)
		return RC_BAD;
	/* Before it there may be holes where segments were. */
	if (l->info.applied.pos < ckpt->at.pos)
		return RC_BAD;
	rc = seglog_confirm(&l->log, &l->sconf, &l->info.applied);
	return rc == RC_NOENT ? RC_BAD : rc;
}

/* From the checkpoint if there is one, else from nothing. */
static enum rc
fill_index(struct local *l, enum rc found, const struct ckpt_head *ckpt)
{
	MDB_txn *t;
	enum rc rc = found;

	if (rc == RC_NOENT)
		return new_info(l);
	if (rc == RC_OK)
		rc = seglog_confirm(&l->log, &l->sconf, &ckpt->at);
	if (rc == RC_NOENT) {
		log_error(&l->log, "log.damaged",
		    KVU("segment", POS_SEG(ckpt->at.last)),
		    KVU("offset", POS_OFF(ckpt->at.last)),
		    KVC("why", "the record before the checkpoint is missing"));
		return RC_BAD;
	}
	if (rc == RC_OK)
		rc = ckpt_load(&l->log, l->dir, &l->ix, l->files);
	if (rc == RC_OK)
		rc = ix_rc(&l->ix,
		    mdb_txn_begin(l->ix.env, NULL, MDB_RDONLY, &t), "begin");
	if (rc != RC_OK)
		return rc;
	rc = ix_info_get(&l->ix, t, &l->info);
	mdb_txn_abort(t);
	return rc;
}

/*
 * A checkpoint that cannot be read is damage only to who needs it: the next
 * compaction makes another one.
 */
static enum rc
find_checkpoint(struct local *l, struct ckpt_head *out)
{
	enum rc rc = ckpt_head(&l->log, l->dir, out);

	if (rc == RC_OK && memcmp(out->store, l->sconf.store, STORE_ID) != 0) {
		log_error(&l->log, "checkpoint.store",
		    KVC("why", "it belongs to another store"));
		rc = RC_BAD;
	}
	if (rc != RC_OK)
		*out = (struct ckpt_head){ 0 };
	return rc;
}

static enum rc
set_index_aside(struct local *l)
{
	char from[4096], to[4096];

	ix_close(&l->ix);
	(void)snprintf(from, sizeof(from), "%s/index", l->dir);
	(void)snprintf(to, sizeof(to), "%s/index.damaged.%lld", l->dir,
	    (long long)now_unix_ms());
	log_error(&l->log, "index.set_aside", KVC("to", to),
	    KVC("why", "it does not fit the log; it is built anew"));
	if (rename(from, to) != 0 || mkdir(from, 0750) != 0) {
		log_error(
		    &l->log, "index.set_aside", KVC("path", from), KVE(errno));
		return RC_TEMP;
	}
	return RC_OK;
}

static enum rc
fit_index(struct local *l)
{
	struct ckpt_head ckpt;
	enum rc found = find_checkpoint(l, &ckpt), rc;

	if (found == RC_TEMP || found == RC_DENY)
		return found;
	rc = open_index(l, &ckpt);
	if (rc == RC_BAD) {
		rc = set_index_aside(l);
		if (rc == RC_OK)
			rc = open_index(l, &ckpt);
	}
	return rc == RC_NOENT ? fill_index(l, found, &ckpt) : rc;
}

/* Nothing may be built on records that the disk does not surely have. */
static enum rc
settle_log(struct local *l, struct seglog_scan *scan, struct arena *a)
{
	uint64_t from = l->info.applied.pos, end;
	enum rc rc = seglog_scan(
	    &l->log, &l->sconf, &l->info.applied, NULL, NULL, a, scan);

	if (rc != RC_OK)
		return rc;
	end = scan->end.pos;
	if (end == from)
		return RC_OK;
	if (POS_SEG(from) != POS_SEG(end))
		from = POS(POS_SEG(end), 0);
	return seglog_settle(&l->log, &l->sconf, from, end);
}

/* Prepared and not begun, or left behind: they cost only space. */
static enum rc
remove_unused(struct local *l, uint32_t current, uint32_t highest)
{
	char path[4096];

	for (uint64_t id = (uint64_t)current + 1; id <= highest; id++) {
		seglog_path(l->dir, (uint32_t)id, path, sizeof(path));
		if (io_unlink(l->conf.io, path) != RC_OK && errno != ENOENT) {
			log_error(&l->log, "log.unlink", KVC("path", path),
			    KVE(errno));
			return RC_TEMP;
		}
	}
	return RC_OK;
}

/*
 * A key file of before an account would give the number of its key to the next
 * one.  As each number that the index has is in the file, new ones are above.
 */
static enum rc
check_keys(struct local *l)
{
	AUTO_WALK w = { 0 };
	struct str id, v;
	MDB_txn *t;
	enum rc rc = ix_rc(
	    &l->ix, mdb_txn_begin(l->ix.env, NULL, MDB_RDONLY, &t), "begin");

	if (rc != RC_OK)
		return rc;
	rc = ix_walk_begin(&l->ix, t, l->ix.account, STR(""), STR(""), &w);
	while (rc == RC_OK && (rc = ix_walk_next(&w, &id, &v)) == RC_OK) {
		struct ix_account acct;

		rc = ix_account_parse(&l->ix, v, &acct);
		if (rc == RC_OK && !keys_fits(l->keys, acct.key, id))
			l->keyless++;
	}
	ix_walk_end(&w);
	mdb_txn_abort(t);
	if (rc != RC_NOENT)
		return rc;
	if (l->keyless == 0 || l->conf.restoring)
		return RC_OK;
	log_error(&l->log, "keys.older", KVU("accounts", l->keyless),
	    KVC("why", "the key file is older than the mail: these accounts "
		       "have no key in it"));
	return RC_DENY;
}

static enum rc
open_all(struct local *l)
{
	struct seglog_scan scan;
	AUTO_ARENA a = { 0 };
	enum rc rc = prepare_dir(l);

	if (rc == RC_OK)
		rc = keys_open(&l->log, l->conf.io, l->dir, l->conf.master,
		    l->sconf.store, &l->keys);
	if (rc != RC_OK)
		return rc;
	rc = fit_index(l);
	if (rc == RC_OK)
		rc = settle_log(l, &scan, &a);
	if (rc == RC_OK)
		rc = remove_unused(l, POS_SEG(scan.end.pos), scan.segments);
	if (rc == RC_OK)
		rc = local_replay(l);
	if (rc == RC_OK)
		rc = check_keys(l);
	if (rc == RC_OK)
		rc = local_load_ops(l);
	if (rc != RC_OK)
		return rc;
	local_tend(&l->base);
	rc = seglog_open(&l->log, &l->sconf, &l->info.applied,
	    MAX(scan.segments + 1, l->info.next_segment), &l->seglog);
	if (rc == RC_OK)
		atomic_store(&l->tail_pos, seglog_at(l->seglog).pos);
	return rc;
}

static void
init_locks(struct local *l)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&l->lock, NULL);
	pthread_mutex_init(&l->op_lock, NULL);
	pthread_mutex_init(&l->recent_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->work, &attr);
	pthread_cond_init(&l->part_done, NULL);
	pthread_condattr_destroy(&attr);
}

enum rc
engine_local_open(
    const struct log *log, const struct engine_conf *conf, struct engine **out)
{
	struct local *l = xcalloc(1, sizeof(*l));
	size_t n = strlen(conf->dir) + 1;
	struct engine *e = &l->base;
	enum rc rc;

	l->base.ops = &ops;
	l->log = *log;
	l->conf = *conf;
	l->floor_bytes = conf->floor_bytes;
	l->dir = xmalloc(n);
	memcpy(l->dir, conf->dir, n);
	l->lock_fd = -1;
	l->tail = &l->head;
	l->parts_tail = &l->parts;
	init_locks(l);
	l->sconf = (struct seglog_conf){ .dir = l->dir,
		.segment_bytes = conf->segment_bytes,
		.io = conf->io,
		.inline_prepare = conf->inline_prepare };
	l->files = seglog_files_new(l->dir);
	l->pool = content_pool_new();
	rc = open_all(l);
	if (rc == RC_OK)
		rc = local_commit_start(l);
	if (rc == RC_OK)
		rc = local_compact_start(l);
	if (rc != RC_OK)
		local_close(&e);
	*out = e;
	return rc;
}

struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool finished;
	enum rc rc;
};

static void
on_done(struct engine_intent *in, enum rc rc)
{
	struct waiting *w = in->arg;

	pthread_mutex_lock(&w->lock);
	w->finished = true;
	w->rc = rc;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->lock);
}

enum rc
engine_run(struct engine *e, struct engine_intent *in)
{
	struct waiting w = { .finished = false };

	pthread_mutex_init(&w.lock, NULL);
	pthread_cond_init(&w.cond, NULL);
	in->done = on_done;
	in->arg = &w;
	e->ops->start(e, in);
	pthread_mutex_lock(&w.lock);
	while (!w.finished)
		pthread_cond_wait(&w.cond, &w.lock);
	pthread_mutex_unlock(&w.lock);
	pthread_mutex_destroy(&w.lock);
	pthread_cond_destroy(&w.cond);
	return w.rc;
}
