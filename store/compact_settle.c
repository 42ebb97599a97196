/*
 * Steps 2 and 3 of a round: the checkpoint, and what it makes unnecessary.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "store/ckpt.h"
#include "store/compact_impl.h"

struct surveying {
	struct compact *c;
	struct segments *s;
	bool manual;
	int64_t at_ns;
};

static void
survey_body(void *ctx, const struct ix_body *b)
{
	struct surveying *v = ctx;

	compact_count_body(v->s, b);
}

static bool
survey_go_on(void *ctx, uint64_t bytes)
{
	struct surveying *v = ctx;
	int64_t now = now_ns();

	(void)bytes;
	/* The transaction is open: less rest than while moving. */
	compact_rest(v->c, v->manual, (now - v->at_ns) / REST_AUTO);
	v->at_ns = now_ns();
	return !compact_stopping(v->c);
}

/* The first segment that parts without a record may stand in. */
static uint32_t
pinned_from(struct local *l)
{
	uint32_t from;

	pthread_mutex_lock(&l->lock);
	from = POS_SEG(atomic_load(&l->tail_pos));
	for (const struct engine_body *b = l->ahead; b != NULL; b = b->next)
		from = MIN(from, b->pin);
	pthread_mutex_unlock(&l->lock);
	return from;
}

enum rc
compact_checkpoint(struct compact *c, bool manual, struct segments *out)
{
	struct local *l = c->l;
	struct surveying v = {
		.c = c, .s = out, .manual = manual, .at_ns = now_ns()
	};
	struct ckpt_write w = { .log = &l->log,
		.io = l->conf.io,
		.dir = l->dir,
		.ix = &l->ix,
		.body = survey_body,
		.go_on = survey_go_on,
		.ctx = &v };
	uint32_t below = pinned_from(l);
	struct ix_info info;
	uint64_t bytes = 0;
	enum rc rc;

	*out = (struct segments){ 0 };
	if (atomic_load(&l->behind))
		return RC_TEMP;
	rc = ix_rc(
	    &l->ix, mdb_txn_begin(l->ix.env, NULL, MDB_RDONLY, &w.t), "begin");
	if (rc != RC_OK)
		return rc;
	rc = ix_info_get(&l->ix, w.t, &info);
	if (rc == RC_OK)
		rc = compact_list_sealed(
		    l, MIN(below, POS_SEG(info.applied.last)), out);
	if (rc == RC_OK)
		rc = ckpt_write(&w, &bytes);
	mdb_txn_abort(w.t);
	return rc;
}

/* Its name first, for good; then its space, whoever has it open. */
static enum rc
remove_segment(struct local *l, uint32_t id)
{
	char path[4096];
	AUTO_FD fd = -1;

	seglog_path(l->dir, id, path, sizeof(path));
	fd = io_open(l->conf.io, path, O_RDWR, 0);
	if (fd < 0 || io_unlink(l->conf.io, path) != RC_OK) {
		log_error(
		    &l->log, "compact.unlink", KVC("path", path), KVE(errno));
		return RC_TEMP;
	}
	seglog_files_drop(l->files, id);
	return io_ftruncate(l->conf.io, fd, 0);
}

static enum rc
remove_empty(struct compact *c, const struct segments *s, size_t *removed)
{
	AUTO_ARENA a = { 0 };
	struct local *l = c->l;
	uint64_t freed = 0;
	size_t n = 0;
	enum rc rc = RC_OK;

	for (size_t i = 0; rc == RC_OK && i < s->n; i++) {
		if (s->v[i].live > 0)
			continue;
		rc = remove_segment(l, s->v[i].id);
		n += rc == RC_OK;
		freed += rc == RC_OK ? s->v[i].size : 0;
	}
	if (n > 0 &&
	    io_syncdir(l->conf.io, str_fmt(&a, "%s/log", l->dir).p) != RC_OK)
		rc = RC_TEMP;
	*removed = n;
	pthread_mutex_lock(&c->lock);
	c->seen.freed += freed;
	pthread_mutex_unlock(&c->lock);
	log_info(&l->log, "compact.removed", KVU("segments", n),
	    KVU("bytes", freed));
	return rc;
}

/*
 * While somebody copies the log nothing is removed and no checkpoint
 * replaced; that what was written waits does not make it wrong.
 */
enum rc
compact_settle(struct compact *c, const struct segments *s, size_t *removed)
{
	struct local *l = c->l;
	enum rc rc = ix_sync(&l->ix);

	pthread_mutex_lock(&c->lock);
	c->seen.waits = c->pins > 0;
	while (c->pins > 0 && !c->stop)
		pthread_cond_wait(&c->changed, &c->lock);
	c->seen.waits = false;
	c->seen.removing = true; /* who pins now waits for a few calls */
	pthread_mutex_unlock(&c->lock);
	if (rc == RC_OK && compact_stopping(c))
		rc = RC_TEMP;
	if (rc == RC_OK)
		rc = ckpt_commit(&l->log, l->conf.io, l->dir);
	if (rc == RC_OK)
		rc = remove_empty(c, s, removed);
	pthread_mutex_lock(&c->lock);
	c->seen.removing = false;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return rc;
}
