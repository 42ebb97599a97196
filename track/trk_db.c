/*
 * One table and an index for each thing that people ask by.  Empty texts are
 * NULL and the indexes leave NULL out, so an event pays for what it has.
 *
 * WAL with synchronous=NORMAL: the file is synced when the log is folded into
 * it, every few MiB; a power cut loses seconds, never the file.  Who sent a
 * batch and its number are written with it, so a repeat is known.
 *
 * The file does not shrink by deleting; pages that are free are given back in
 * steps (auto_vacuum=INCREMENTAL), so that a smaller track_mb takes effect.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "track/trk_db.h"
#include "track/trk_sql.h"

#define LAYOUT      1
#define PRUNE_STEP  500
#define VACUUM_STEP 256
#define CLIENT_MS   INT64_C(86400000) /* a repeat comes within seconds */

enum {
	ST_BEGIN,
	ST_COMMIT,
	ST_ROLLBACK,
	ST_SEEN,
	ST_CLIENT,
	ST_EVENT,
	ST_OLD,
	ST_OLDEST,
	ST_CLIENTS,
	ST_VACUUM,
	ST_PAGES,
	ST_FREE,
	ST_SIZE,
	NST
};

static const char *const sql[NST] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",
	[ST_SEEN] = "SELECT 1 FROM client WHERE id=?1 AND seq>=?2",
	[ST_CLIENT] = "INSERT OR REPLACE INTO client(id,seq,at) "
		      "VALUES(?1,?2,?3)",
	[ST_EVENT] = "INSERT INTO event(" TRK_COLUMNS ") "
		     "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
	[ST_OLD] = "DELETE FROM event WHERE id IN "
		   "(SELECT id FROM event WHERE at<?1 ORDER BY at LIMIT ?2)",
	[ST_OLDEST] = "DELETE FROM event WHERE id IN "
		      "(SELECT id FROM event ORDER BY at LIMIT ?1)",
	[ST_CLIENTS] = "DELETE FROM client WHERE at<?1",
	[ST_VACUUM] = "PRAGMA incremental_vacuum(256)",
	[ST_PAGES] = "PRAGMA page_count",
	[ST_FREE] = "PRAGMA freelist_count",
	[ST_SIZE] = "PRAGMA page_size",
};

static const char schema[] =
    "BEGIN;"
    "CREATE TABLE event("
    " id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " sid TEXT, qid TEXT, message_id TEXT, client_ip TEXT,"
    " sender TEXT COLLATE NOCASE, rcpt TEXT COLLATE NOCASE,"
    " host TEXT, code TEXT, text TEXT,"
    " size INTEGER NOT NULL, nrcpt INTEGER NOT NULL);"
    "CREATE INDEX event_at ON event(at);"
    "CREATE INDEX event_sid ON event(sid) WHERE sid IS NOT NULL;"
    "CREATE INDEX event_qid ON event(qid) WHERE qid IS NOT NULL;"
    "CREATE INDEX event_message_id ON event(message_id)"
    " WHERE message_id IS NOT NULL;"
    "CREATE INDEX event_sender ON event(sender) WHERE sender IS NOT NULL;"
    "CREATE INDEX event_rcpt ON event(rcpt) WHERE rcpt IS NOT NULL;"
    "CREATE TABLE client(id BLOB PRIMARY KEY, seq INTEGER NOT NULL,"
    " at INTEGER NOT NULL) WITHOUT ROWID;"
    "PRAGMA user_version=1;"
    "COMMIT";

static const char pragmas[] = "PRAGMA auto_vacuum=INCREMENTAL;"
			      "PRAGMA journal_mode=WAL;"
			      "PRAGMA synchronous=NORMAL;"
			      "PRAGMA temp_store=MEMORY;"
			      "PRAGMA cache_size=-4096;"
			      "PRAGMA journal_size_limit=8388608;"
			      "PRAGMA trusted_schema=OFF;"
			      "PRAGMA cell_size_check=ON";

struct trk_db {
	struct log log;
	char *path;
	sqlite3 *db;
	sqlite3_stmt *st[NST];
	bool failing; /* said so in the log */
};

static enum rc
failed(struct trk_db *t, const char *what, int n)
{
	enum rc rc = trk_sql_rc(n);

	if (rc != RC_BAD && !t->failing)
		log_error(&t->log, "track.write", KVC("what", what),
		    KVC("error", sqlite3_errmsg(t->db)), KVI("code", n));
	t->failing = true;
	return rc == RC_OK || rc == RC_NOENT ? RC_TEMP : rc;
}

static void
shut(struct trk_db *t)
{
	for (size_t i = 0; i < NST; i++) {
		sqlite3_finalize(t->st[i]);
		t->st[i] = NULL;
	}
	sqlite3_close(t->db);
	t->db = NULL;
}

/* A statement that gives at most one number. */
static enum rc
run(struct trk_db *t, int which, int64_t *out)
{
	sqlite3_stmt *st = t->st[which];
	int n = sqlite3_step(st);

	if (n == SQLITE_ROW && out != NULL)
		*out = sqlite3_column_int64(st, 0);
	while (n == SQLITE_ROW && out == NULL)
		n = sqlite3_step(st);
	sqlite3_reset(st);
	if (n == SQLITE_DONE || n == SQLITE_ROW)
		return n == SQLITE_ROW ? RC_OK : RC_NOENT;
	return failed(t, sql[which], n);
}

static enum rc
script(struct trk_db *t, const char *text)
{
	int n = sqlite3_exec(t->db, text, NULL, NULL, NULL);

	return n == SQLITE_OK ? RC_OK : failed(t, "open", n);
}

static enum rc
version(struct trk_db *t, int64_t *out)
{
	sqlite3_stmt *st = NULL;
	int n = sqlite3_prepare_v2(t->db, "PRAGMA user_version", -1, &st, NULL);

	if (n == SQLITE_OK)
		n = sqlite3_step(st);
	if (n == SQLITE_ROW)
		*out = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n == SQLITE_ROW ? RC_OK : failed(t, "version", n);
}

/* RC_BAD: damaged, or not of this version. */
static enum rc
try_open(struct trk_db *t)
{
	int64_t v = 0;
	enum rc rc = RC_OK;
	int n = sqlite3_open_v2(t->path, &t->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
	    NULL);

	if (n != SQLITE_OK)
		return failed(t, "open", n);
	sqlite3_extended_result_codes(t->db, 1);
	sqlite3_busy_timeout(t->db, 1000);
	rc = script(t, pragmas);
	if (rc == RC_OK)
		rc = version(t, &v);
	if (rc == RC_OK && v == 0)
		rc = script(t, schema);
	else if (rc == RC_OK && v != LAYOUT)
		rc = RC_BAD;
	for (size_t i = 0; i < NST && rc == RC_OK; i++) {
		n = sqlite3_prepare_v3(t->db, sql[i], -1,
		    SQLITE_PREPARE_PERSISTENT, &t->st[i], NULL);
		/* No such table: not the file that we wrote. */
		if (n != SQLITE_OK)
			rc = n == SQLITE_ERROR ? RC_BAD : failed(t, sql[i], n);
	}
	if (rc == RC_OK)
		t->failing = false;
	return rc;
}

/* One damaged file is kept for whoever wants to look at it. */
enum rc
trk_db_set_aside(struct trk_db *t)
{
	static const char *const tails[] = { "", "-wal", "-shm" };
	struct str stem = str_sub(str_c(t->path), 0, strlen(t->path) - 3);
	AUTO_ARENA a = { 0 };
	const char *to = str_fmt(&a, "%.*s.damaged", STRF(stem)).p;

	shut(t);
	log_error(&t->log, "track.damaged", KVC("path", t->path),
	    KVC("kept_as", to), KVC("todo", "none: a new one is begun"));
	for (size_t i = 0; i < COUNT(tails); i++) {
		const char *from = str_fmt(&a, "%s%s", t->path, tails[i]).p;
		int n = i == 0 ? rename(from, to) : unlink(from);

		if (n < 0 && errno != ENOENT) {
			log_error(&t->log, "track.damaged", KVC("path", from),
			    KVE(errno));
			return RC_TEMP;
		}
	}
	t->failing = false;
	if (try_open(t) == RC_OK)
		return RC_OK;
	shut(t); /* the next batch tries again */
	return RC_TEMP;
}

static enum rc
reopen(struct trk_db *t)
{
	enum rc rc;

	if (t->db != NULL)
		return RC_OK;
	rc = try_open(t);
	if (rc == RC_BAD)
		return trk_db_set_aside(t);
	if (rc != RC_OK)
		shut(t);
	return rc;
}

enum rc
trk_db_open(const struct log *log, const char *dir, struct trk_db **out)
{
	struct trk_db *t = xcalloc(1, sizeof(*t));
	size_t n = strlen(dir) + sizeof("/" TRK_FILE);

	t->log = *log;
	t->path = xmalloc(n);
	snprintf(t->path, n, "%s/" TRK_FILE, dir);
	*out = t;
	return reopen(t);
}

void
trk_db_close(struct trk_db **tp)
{
	struct trk_db *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	shut(t);
	xfree(t->path);
	xfree(t);
}

static enum rc
insert(struct trk_db *t, const struct trk_event *e)
{
	sqlite3_stmt *st = t->st[ST_EVENT];
	int n = SQLITE_OK, i;

	for (i = 0; i < (int)TRK_NTEXTS && n == SQLITE_OK; i++)
		n = trk_sql_bind(st, i + 1,
		    *(const struct str *)(const void *)((const char *)e +
							trk_texts[i]));
	if (n == SQLITE_OK)
		n = sqlite3_bind_int64(st, 10, e->at_ms);
	if (n == SQLITE_OK)
		n = sqlite3_bind_int64(st, 11, (int64_t)e->kind);
	if (n == SQLITE_OK)
		n = sqlite3_bind_int64(st, 12, (int64_t)e->size);
	if (n == SQLITE_OK)
		n = sqlite3_bind_int64(st, 13, (int64_t)e->nrcpt);
	if (n == SQLITE_OK)
		n = sqlite3_step(st);
	sqlite3_reset(st);
	return n == SQLITE_DONE ? RC_OK : failed(t, sql[ST_EVENT], n);
}

/* RC_NOENT: it is new. */
static enum rc
seen(struct trk_db *t, const struct trk_batch *b)
{
	sqlite3_stmt *st = t->st[ST_SEEN];

	if (sqlite3_bind_blob(st, 1, b->client.p, (int)b->client.n,
		SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_int64(st, 2, (int64_t)b->seq) != SQLITE_OK)
		return RC_TEMP;
	return run(t, ST_SEEN, &(int64_t){ 0 });
}

static enum rc
note_client(struct trk_db *t, const struct trk_batch *b)
{
	sqlite3_stmt *st = t->st[ST_CLIENT];
	enum rc rc;

	if (sqlite3_bind_blob(st, 1, b->client.p, (int)b->client.n,
		SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_int64(st, 2, (int64_t)b->seq) != SQLITE_OK ||
	    sqlite3_bind_int64(st, 3, now_unix_ms()) != SQLITE_OK)
		return RC_TEMP;
	rc = run(t, ST_CLIENT, NULL);
	return rc == RC_NOENT ? RC_OK : rc;
}

static enum rc
write_batch(struct trk_db *t, const struct trk_batch *b, uint64_t *count)
{
	struct str in = b->events;
	struct trk_event e;
	enum rc rc = seen(t, b);

	if (rc != RC_NOENT)
		return rc;
	while (trk_record_get(&in, &e) == RC_OK) {
		rc = insert(t, &e);
		if (rc != RC_OK)
			return rc;
		(*count)++;
	}
	return note_client(t, b);
}

static enum rc
write_all(struct trk_db *t, const struct trk_batch *const *v, size_t n,
    uint64_t *count)
{
	enum rc rc = reopen(t);

	*count = 0;
	if (rc == RC_OK)
		rc = run(t, ST_BEGIN, NULL);
	if (rc != RC_NOENT)
		return rc == RC_OK ? RC_TEMP : rc;
	rc = RC_OK;
	for (size_t i = 0; i < n && rc == RC_OK; i++)
		rc = write_batch(t, v[i], count);
	if (rc == RC_OK)
		rc = run(t, ST_COMMIT, NULL) == RC_NOENT ? RC_OK : RC_TEMP;
	/* Some errors have rolled back by themselves. */
	if (rc != RC_OK && !sqlite3_get_autocommit(t->db)) {
		enum rc undone = run(t, ST_ROLLBACK, NULL);

		if (undone == RC_TEMP)
			shut(t);
	}
	if (rc != RC_OK)
		*count = 0;
	return rc;
}

enum rc
trk_db_write(struct trk_db *t, const struct trk_batch *const *v, size_t n,
    uint64_t *out_events)
{
	enum rc rc = write_all(t, v, n, out_events);

	if (rc == RC_BAD && trk_db_set_aside(t) == RC_OK)
		rc = write_all(t, v, n, out_events);
	if (rc == RC_OK && t->failing) {
		t->failing = false;
		log_info(&t->log, "track.write", KVC("what", "works again"));
	}
	return rc == RC_OK ? RC_OK : RC_TEMP;
}

/* How much of the file is in use, and how much is free in it. */
static enum rc
measure(struct trk_db *t, uint64_t *used, int64_t *free_pages)
{
	int64_t pages, size;

	if (run(t, ST_PAGES, &pages) != RC_OK ||
	    run(t, ST_FREE, free_pages) != RC_OK ||
	    run(t, ST_SIZE, &size) != RC_OK)
		return RC_TEMP;
	*used = (uint64_t)(pages - *free_pages) * (uint64_t)size;
	return RC_OK;
}

uint64_t
trk_db_bytes(struct trk_db *t)
{
	uint64_t used;
	int64_t unused;

	return t->db != NULL && measure(t, &used, &unused) == RC_OK ? used : 0;
}

/* RC_OK, *changed: some went. */
static enum rc
delete_some(struct trk_db *t, int which, int64_t before, bool *changed)
{
	sqlite3_stmt *st = t->st[which];
	int i = 1;
	enum rc rc;

	if ((which == ST_OLD &&
		sqlite3_bind_int64(st, i++, before) != SQLITE_OK) ||
	    sqlite3_bind_int64(st, i, PRUNE_STEP) != SQLITE_OK)
		return RC_TEMP;
	rc = run(t, which, NULL);
	if (rc != RC_NOENT)
		return rc;
	*changed = sqlite3_changes(t->db) > 0;
	return RC_OK;
}

static enum rc
prune(struct trk_db *t, int64_t before_ms, uint64_t max_bytes, bool *more)
{
	int64_t unused = 0;
	uint64_t used = 0;
	bool old = false, big = false;
	enum rc rc = delete_some(t, ST_OLD, before_ms, &old);

	if (rc == RC_OK)
		rc = measure(t, &used, &unused);
	if (rc == RC_OK && !old && used > max_bytes)
		rc = delete_some(t, ST_OLDEST, 0, &big);
	if (rc == RC_OK && !old && !big) {
		if (sqlite3_bind_int64(t->st[ST_CLIENTS], 1,
			now_unix_ms() - CLIENT_MS) != SQLITE_OK)
			return RC_TEMP;
		rc = run(t, ST_CLIENTS, NULL) == RC_NOENT ? RC_OK : RC_TEMP;
	}
	/* Some room is kept, because it is about to be needed again. */
	if (rc == RC_OK && unused > 4 * VACUUM_STEP) {
		rc = run(t, ST_VACUUM, NULL) == RC_NOENT ? RC_OK : RC_TEMP;
		big = true;
	}
	*more = rc == RC_OK && (old || big);
	return rc;
}

enum rc
trk_db_prune(
    struct trk_db *t, int64_t before_ms, uint64_t max_bytes, bool *out_more)
{
	enum rc rc = reopen(t);

	*out_more = false;
	if (rc == RC_OK)
		rc = prune(t, before_ms, max_bytes, out_more);
	if (rc == RC_BAD)
		rc = trk_db_set_aside(t);
	return rc;
}
