/*
 * LMDB opened the one way that is safe here: MDB_NOMETASYNC saves a flush and
 * may lose the last transaction, which the log then gives back; NOSYNC and
 * WRITEMAP would risk the whole file.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/ix.h"

enum rc
ix_rc(const struct ix *ix, int e, const char *what)
{
	if (e == 0)
		return RC_OK;
	if (e == MDB_NOTFOUND)
		return RC_NOENT;
	log_error(&ix->log, "index.error", KVC("what", what),
	    KVC("error", mdb_strerror(e)));
	return e == MDB_CORRUPTED || e == MDB_INVALID ||
		       e == MDB_PAGE_NOTFOUND || e == MDB_VERSION_MISMATCH
		   ? RC_BAD
		   : RC_TEMP;
}

static enum rc
open_dbs(struct ix *ix, bool readonly)
{
	const struct {
		const char *name;
		MDB_dbi *dbi;
	} dbs[] = {
		{ "info", &ix->info },
		{ "account", &ix->account },
		{ "acctno", &ix->acctno },
		{ "name", &ix->name },
		{ "byname", &ix->byname },
		{ "mbox", &ix->mbox },
		{ "body", &ix->body },
		{ "queue", &ix->queue },
		{ "op", &ix->op },
	};
	MDB_txn *t;
	int e = mdb_txn_begin(ix->env, NULL, readonly ? MDB_RDONLY : 0, &t);

	if (e != 0)
		return ix_rc(ix, e, "begin");
	for (size_t i = 0; i < COUNT(dbs) && e == 0; i++)
		e = mdb_dbi_open(
		    t, dbs[i].name, readonly ? 0 : MDB_CREATE, dbs[i].dbi);
	if (e != 0) {
		mdb_txn_abort(t);
		return ix_rc(ix, e, "open");
	}
	return ix_rc(ix, mdb_txn_commit(t), "commit");
}

/* Readers of the group write the lock file, not the data. */
static void
keep_data_ours(MDB_env *env)
{
	struct stat st;
	int fd;

	if (mdb_env_get_fd(env, &fd) == 0 && fstat(fd, &st) == 0 &&
	    (st.st_mode & 022) != 0)
		(void)fchmod(fd, st.st_mode & 0755);
}

enum rc
ix_open(const struct log *log, const char *dir, uint64_t map_bytes,
    bool readonly, struct ix *out)
{
	char path[4096];
	unsigned flags = MDB_NOTLS | MDB_NOMETASYNC | MDB_NORDAHEAD;
	struct ix ix = { .log = *log };
	struct stat st;
	enum rc rc;
	int e;

	(void)snprintf(path, sizeof(path), "%s/index", dir);
	if (readonly && stat(path, &st) != 0)
		return errno == ENOENT ? RC_NOENT : RC_TEMP;
	e = mdb_env_create(&ix.env);
	if (e != 0)
		return ix_rc(&ix, e, "create");
	(void)mdb_env_set_maxdbs(ix.env, 16);
	(void)mdb_env_set_maxreaders(ix.env, IX_READERS);
	if (!readonly)
		(void)mdb_env_set_mapsize(ix.env, map_bytes);
	e = mdb_env_open(
	    ix.env, path, flags | (readonly ? MDB_RDONLY : 0), 0660);
	rc = e == ENOENT ? RC_NOENT : ix_rc(&ix, e, path);
	if (rc == RC_OK && !readonly)
		keep_data_ours(ix.env);
	if (rc == RC_OK)
		rc = open_dbs(&ix, readonly);
	if (rc != RC_OK) {
		mdb_env_close(ix.env);
		return rc;
	}
	*out = ix;
	return RC_OK;
}

void
ix_close(struct ix *ix)
{
	if (ix->env != NULL)
		mdb_env_close(ix->env);
	ix->env = NULL;
}

/* Pages on LMDB's list of free ones (database 0: id lists with a count). */
static size_t
free_pages(const struct ix *ix)
{
	MDB_cursor *c;
	MDB_txn *t;
	MDB_val k, v;
	size_t n = 0;

	if (mdb_txn_begin(ix->env, NULL, MDB_RDONLY, &t) != 0)
		return 0;
	if (mdb_cursor_open(t, 0, &c) == 0) {
		while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
			size_t in;

			memcpy(&in, v.mv_data, sizeof(in));
			n += in;
		}
		mdb_cursor_close(c);
	}
	mdb_txn_abort(t);
	return n;
}

bool
ix_full(const struct ix *ix)
{
	MDB_envinfo info;
	MDB_stat st;
	size_t most;

	if (mdb_env_info(ix->env, &info) != 0 ||
	    mdb_env_stat(ix->env, &st) != 0)
		return false;
	most = info.me_mapsize / st.ms_psize / 8 * 7;
	return info.me_last_pgno > most &&
	       info.me_last_pgno - MIN(free_pages(ix), info.me_last_pgno) >
		   most;
}

static MDB_val
val(struct str s)
{
	union {
		const char *in;
		void *out;
	} p = { .in = s.p };

	return (MDB_val){ s.n, p.out };
}

enum rc
ix_get(const struct ix *ix, MDB_txn *t, MDB_dbi db, struct str key,
    struct str *out)
{
	MDB_val k = val(key), v;
	int e = mdb_get(t, db, &k, &v);

	if (e == 0)
		*out = str_n(v.mv_data, v.mv_size);
	return e == 0 ? RC_OK : ix_rc(ix, e, "get");
}

enum rc
ix_put(const struct ix *ix, MDB_txn *t, MDB_dbi db, struct str key,
    struct str value)
{
	MDB_val k = val(key), v = val(value);

	return ix_rc(ix, mdb_put(t, db, &k, &v, 0), "put");
}

enum rc
ix_append(const struct ix *ix, MDB_txn *t, MDB_dbi db, struct str key,
    struct str value)
{
	MDB_val k = val(key), v = val(value);

	return ix_rc(ix, mdb_put(t, db, &k, &v, MDB_APPEND), "append");
}

enum rc
ix_empty(const struct ix *ix, MDB_txn *t)
{
	const MDB_dbi dbs[] = { ix->info, ix->account, ix->acctno, ix->name,
		ix->byname, ix->mbox, ix->body, ix->queue, ix->op };
	enum rc rc = RC_OK;

	for (size_t i = 0; rc == RC_OK && i < COUNT(dbs); i++)
		rc = ix_rc(ix, mdb_drop(t, dbs[i], 0), "empty");
	return rc;
}

enum rc
ix_sync(const struct ix *ix)
{
	return ix_rc(ix, mdb_env_sync(ix->env, 1), "sync");
}

enum rc
ix_room(const struct ix *ix, MDB_txn *t, MDB_dbi db, struct str key, size_t n,
    unsigned char **out)
{
	MDB_val k = val(key), v = { n, NULL };
	int e = mdb_put(t, db, &k, &v, MDB_RESERVE);

	*out = v.mv_data;
	return ix_rc(ix, e, "reserve");
}

enum rc
ix_del(const struct ix *ix, MDB_txn *t, MDB_dbi db, struct str key)
{
	MDB_val k = val(key);
	int e = mdb_del(t, db, &k, NULL);

	return e == MDB_NOTFOUND ? RC_OK : ix_rc(ix, e, "del");
}

enum rc
ix_walk_begin(const struct ix *ix, MDB_txn *t, MDB_dbi db, struct str prefix,
    struct str from, struct ix_walk *w)
{
	*w = (struct ix_walk){ .ix = ix };
	assert(prefix.n <= from.n && from.n <= sizeof(w->from));
	if (from.n > 0)
		memcpy(w->from, from.p, from.n);
	w->from_n = from.n;
	w->prefix = str_n(w->from, prefix.n);
	return ix_rc(ix, mdb_cursor_open(t, db, &w->c), "cursor");
}

enum rc
ix_walk_next(struct ix_walk *w, struct str *key, struct str *value)
{
	MDB_val k = { w->from_n, w->from }, v;
	int e;

	if (w->begun)
		e = mdb_cursor_get(w->c, &k, &v, MDB_NEXT);
	else
		e = mdb_cursor_get(
		    w->c, &k, &v, w->from_n > 0 ? MDB_SET_RANGE : MDB_FIRST);
	w->begun = true;
	if (e != 0)
		return ix_rc(w->ix, e, "next");
	*key = str_n(k.mv_data, k.mv_size);
	*value = str_n(v.mv_data, v.mv_size);
	/* The prefix is kept in from: a walk may be moved in memory. */
	if (key->n < w->prefix.n || memcmp(key->p, w->from, w->prefix.n) != 0)
		return RC_NOENT;
	return RC_OK;
}

enum rc
ix_walk_del(struct ix_walk *w)
{
	return ix_rc(w->ix, mdb_cursor_del(w->c, 0), "cursor del");
}

void
ix_walk_end(struct ix_walk *w)
{
	if (w->c != NULL)
		mdb_cursor_close(w->c);
	w->c = NULL;
}

struct str
ix_key_str(const struct ix_key *k)
{
	return str_n(k->b, k->n);
}

struct ix_key
ix_key_mbox_all(uint64_t mailbox)
{
	return ix_key_u64(mailbox);
}

struct ix_key
ix_key_kind(uint64_t mailbox, enum ix_kind kind)
{
	struct ix_key k = { .n = 9 };

	be_put(k.b, mailbox, 8);
	k.b[8] = (char)kind;
	return k;
}

struct ix_key
ix_key_mbox(uint64_t mailbox, enum ix_kind kind, uint64_t n)
{
	struct ix_key k = ix_key_kind(mailbox, kind);

	be_put(k.b + 9, n, 8);
	k.n = 17;
	return k;
}

struct ix_key
ix_key_u64(uint64_t n)
{
	struct ix_key k = { .n = 8 };

	be_put(k.b, n, 8);
	return k;
}

struct ix_key
ix_key_pair(uint64_t account, uint64_t mailbox)
{
	struct ix_key k = { .n = 16 };

	be_put(k.b, account, 8);
	be_put(k.b + 8, mailbox, 8);
	return k;
}

struct ix_key
ix_key_tag(uint64_t account, const unsigned char tag[16])
{
	struct ix_key k = { .n = 24 };

	be_put(k.b, account, 8);
	memcpy(k.b + 8, tag, 16);
	return k;
}

struct ix_key
ix_key_body(const unsigned char body[BODY_ID])
{
	struct ix_key k = { .n = BODY_ID };

	memcpy(k.b, body, BODY_ID);
	return k;
}

struct ix_key
ix_key_ref(const unsigned char body[BODY_ID], uint64_t mailbox, uint32_t uid)
{
	struct ix_key k = ix_key_body(body);

	be_put(k.b + BODY_ID, mailbox, 8);
	be_put(k.b + BODY_ID + 8, uid, 4);
	k.n = BODY_ID + 12;
	return k;
}

struct ix_key
ix_key_entry(const unsigned char body[BODY_ID], uint64_t id)
{
	struct ix_key k = ix_key_body(body);

	be_put(k.b + BODY_ID, id, 8);
	k.n = BODY_ID + 8;
	return k;
}
