/*
 * The reader: a handle that opens the index when it is first needed (the
 * store may start later) and again when it has been built anew, and views
 * that are LMDB read transactions.
 *
 * An old index stays open until the last view of it has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/reader_impl.h"

#define LOOK_NS 1000000000

/* Was the index replaced?  Asked at most once a second. */
static bool
replaced(struct store_reader *r)
{
	char path[4096];
	struct stat st;
	int64_t now = now_ns();

	if (r->cur == NULL)
		return true;
	if (now < r->looked_ns + LOOK_NS)
		return false;
	r->looked_ns = now;
	(void)snprintf(path, sizeof(path), "%s/index/data.mdb", r->dir);
	return stat(path, &st) == 0 &&
	       (st.st_ino != r->cur->ino || st.st_dev != r->cur->dev);
}

static void
index_unref(struct store_reader *r, struct reader_index *x)
{
	if (--x->refs > 0)
		return;
	ix_close(&x->ix);
	xfree(x);
	(void)r;
}

/*
 * The sandbox admits the one lock file that was there when the process was
 * confined.  If the index was built anew since, only a new process can read.
 */
static void
check_admitted(struct store_reader *r)
{
	AUTO_ARENA a = { 0 };
	AUTO_FD fd =
	    open(store_reader_lock_path(&a, r->dir).p, O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == EACCES)
		panic("the index was replaced: out of the sandbox's reach");
}

static enum rc
reopen(struct store_reader *r)
{
	struct reader_index *x = xcalloc(1, sizeof(*x));
	char path[4096];
	struct ix_info info;
	struct stat st;
	MDB_txn *t;
	enum rc rc = ix_open(&r->log, r->dir, 0, true, &x->ix);

	if (rc != RC_OK && r->cur != NULL)
		check_admitted(r);
	(void)snprintf(path, sizeof(path), "%s/index/data.mdb", r->dir);
	if (rc != RC_OK || stat(path, &st) != 0 ||
	    mdb_txn_begin(x->ix.env, NULL, MDB_RDONLY, &t) != 0) {
		ix_close(&x->ix);
		xfree(x);
		return RC_TEMP;
	}
	rc = ix_info_get(&x->ix, t, &info);
	mdb_txn_abort(t);
	if (rc != RC_OK) {
		if (rc == RC_DENY)
			log_error(&r->log, "reader.format",
			    KVC("why", "the index is of a later version"));
		ix_close(&x->ix);
		xfree(x);
		return RC_TEMP;
	}
	x->ino = st.st_ino;
	x->dev = st.st_dev;
	x->refs = 1;
	if (r->cur != NULL)
		index_unref(r, r->cur);
	r->cur = x;
	r->looked_ns = now_ns();
	return RC_OK;
}

struct str
store_reader_lock_path(struct arena *a, const char *dir)
{
	return str_fmt(a, "%s/index/lock.mdb", dir);
}

enum rc
store_reader_open(
    const struct log *log, const char *dir, struct store_reader **out)
{
	struct store_reader *r = xcalloc(1, sizeof(*r));
	size_t n = strlen(dir) + 1;

	r->log = *log;
	r->dir = xmalloc(n);
	memcpy(r->dir, dir, n);
	pthread_mutex_init(&r->lock, NULL);
	r->files = seglog_files_new(dir);
	r->pool = content_pool_new();
	*out = r;
	return RC_OK;
}

void
store_reader_close(struct store_reader **rp)
{
	struct store_reader *r = *rp;

	if (r == NULL)
		return;
	if (r->cur != NULL)
		index_unref(r, r->cur);
	seglog_files_free(&r->files);
	content_pool_free(&r->pool);
	pthread_mutex_destroy(&r->lock);
	xfree(r->dir);
	xfree(r);
	*rp = NULL;
}

enum rc
store_view_begin(struct store_reader *r, struct store_view **out)
{
	struct store_view *v = xcalloc(1, sizeof(*v));
	enum rc rc = RC_OK;
	int e;

	pthread_mutex_lock(&r->lock);
	if (replaced(r))
		rc = reopen(r);
	if (r->cur != NULL) { /* an old one is better than none */
		rc = RC_OK;
		v->x = r->cur;
		v->x->refs++;
	}
	pthread_mutex_unlock(&r->lock);
	v->r = r;
	if (rc != RC_OK) {
		xfree(v);
		return RC_TEMP;
	}
	e = mdb_txn_begin(v->x->ix.env, NULL, MDB_RDONLY, &v->t);
	if (e == MDB_MAP_RESIZED) {
		(void)mdb_env_set_mapsize(v->x->ix.env, 0);
		e = mdb_txn_begin(v->x->ix.env, NULL, MDB_RDONLY, &v->t);
	}
	if (e != 0) {
		(void)ix_rc(&v->x->ix, e, "view");
		v->t = NULL;
		store_view_end(&v);
		return RC_TEMP;
	}
	*out = v;
	return RC_OK;
}

void
store_view_end(struct store_view **vp)
{
	struct store_view *v = *vp;

	if (v == NULL)
		return;
	if (v->t != NULL)
		mdb_txn_abort(v->t);
	pthread_mutex_lock(&v->r->lock);
	index_unref(v->r, v->x);
	pthread_mutex_unlock(&v->r->lock);
	xfree(v);
	*vp = NULL;
}
