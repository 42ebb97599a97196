/*
 * A search goes by the rarest thing that was given (an id, then Message-ID,
 * recipient, sender, time) and its index; the other conditions are asked of
 * the event itself or of another event of the same message, because no event
 * has everything.
 *
 * A session may carry several messages, and one event of it (the connection)
 * belongs to all, while a refused recipient belongs to the message that was
 * accepted next.  Events of one process come in order, so that is a range of
 * ids.
 */
#include <string.h>

#include "track/trk_query.h"
#include "track/trk_sql.h"
#include "track/trk_wire.h"

#define PROGRESS 2000  /* virtual machine steps between two looks */
#define SCAN_MAX 20000 /* events looked at for one page */

struct query {
	sqlite3 *db;
	sqlite3_stmt *st;
	struct deadline dl;
};

static void
query_free(struct query *q)
{
	sqlite3_finalize(q->st);
	sqlite3_close(q->db);
}

static int
is_over(void *arg)
{
	const struct query *q = arg;

	return deadline_over(q->dl);
}

static enum rc
query_open(struct query *q, const char *dir)
{
	AUTO_ARENA a = { 0 };
	int n = sqlite3_open_v2(str_fmt(&a, "%s/" TRK_FILE, dir).p, &q->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	if (n == SQLITE_OK) {
		sqlite3_progress_handler(q->db, PROGRESS, is_over, q);
		sqlite3_busy_timeout(q->db, 1000);
		n = sqlite3_exec(q->db,
		    "PRAGMA query_only=ON;PRAGMA temp_store=MEMORY;"
		    "PRAGMA trusted_schema=OFF;PRAGMA cell_size_check=ON",
		    NULL, NULL, NULL);
	}
	return trk_sql_rc(n);
}

static enum rc
prepare(struct query *q, const char *sql)
{
	sqlite3_finalize(q->st);
	q->st = NULL;
	return trk_sql_rc(sqlite3_prepare_v2(q->db, sql, -1, &q->st, NULL));
}

/* Values by name; a statement has those that it needs. */
static enum rc
bind_text(struct query *q, const char *name, struct str s)
{
	int i = sqlite3_bind_parameter_index(q->st, name);

	return i == 0 ? RC_OK : trk_sql_rc(trk_sql_bind(q->st, i, s));
}

static enum rc
bind_int(struct query *q, const char *name, int64_t v)
{
	int i = sqlite3_bind_parameter_index(q->st, name);

	return i == 0 ? RC_OK : trk_sql_rc(sqlite3_bind_int64(q->st, i, v));
}

static struct str
column(struct query *q, struct arena *a, int i)
{
	const void *p = sqlite3_column_text(q->st, i);

	return p == NULL
		   ? STR("")
		   : str_dup(
			 a, str_n(p, (size_t)sqlite3_column_bytes(q->st, i)));
}

static uint64_t
number(struct query *q, int i)
{
	int64_t v = sqlite3_column_int64(q->st, i);

	return v < 0 ? 0 : (uint64_t)v;
}

static void
read_event(struct query *q, struct arena *a, struct trk_event *e)
{
	*e = (struct trk_event){ 0 };
	for (int i = 0; i < (int)TRK_NTEXTS; i++)
		*(struct str *)(void *)((char *)e + trk_texts[i]) =
		    column(q, a, i);
	e->at_ms = sqlite3_column_int64(q->st, 9);
	e->kind = (enum trk_kind)number(q, 10);
	e->size = number(q, 11);
	e->nrcpt = number(q, 12);
}

/* A condition that may be fulfilled by another event of the message. */
#define BY(col, name)                                                          \
	" AND (e." col "=" name " OR EXISTS(SELECT 1 FROM event x"             \
	" WHERE x.qid=e.qid AND x." col "=" name "))"

static struct str
find_sql(struct arena *a, const struct trk_find *f)
{
	const char *by = "e.kind IN (2,3,4) AND e.at>=:since AND e.at<:until";
	bool id = f->id.n > 0, mid = f->message_id.n > 0, to = f->to.n > 0,
	     from = f->from.n > 0;

	if (id)
		by = "(e.qid=:id OR e.sid=:id)";
	else if (mid)
		by = "e.message_id=:mid";
	else if (to)
		by = "e.rcpt=:to";
	else if (from)
		by = "e.sender=:from";
	return str_fmt(a,
	    "SELECT " TRK_COLUMNS ",id FROM event e WHERE %s%s%s%s"
	    " AND (e.qid IS NOT NULL OR e.kind IN (2,3))"
	    " AND e.at>=:since AND e.at<:until"
	    " AND (:before=0 OR e.id<:before)"
	    " ORDER BY e.id DESC LIMIT %d",
	    by, id && mid ? BY("message_id", ":mid") : "",
	    (id || mid) && to ? BY("rcpt", ":to") : "",
	    (id || mid || to) && from ? BY("sender", ":from") : "", SCAN_MAX);
}

/* The qid, or for what was never accepted the sid. */
static struct str
key_of(const struct trk_event *e)
{
	return e->qid.n > 0 ? e->qid : e->sid;
}

static bool
is_among(const struct trk_event *v, size_t n, const struct trk_event *e)
{
	for (size_t i = n; i-- > 0;)
		if (str_eq(key_of(&v[i]), key_of(e)))
			return true;
	return false;
}

static enum rc
find(struct query *q, struct arena *a, const struct trk_find *f,
    struct trk_event **out, size_t *out_n, uint64_t *out_next)
{
	struct trk_event *v = arena_calloc(a, f->limit + 1, sizeof(*v));
	size_t n = 0, rows = 0;
	uint64_t last = 0;
	enum rc rc = prepare(q, find_sql(a, f).p);

	if (rc == RC_OK)
		rc = bind_text(q, ":id", f->id);
	if (rc == RC_OK)
		rc = bind_text(q, ":mid", f->message_id);
	if (rc == RC_OK)
		rc = bind_text(q, ":to", f->to);
	if (rc == RC_OK)
		rc = bind_text(q, ":from", f->from);
	if (rc == RC_OK)
		rc = bind_int(q, ":since", f->since_ms);
	if (rc == RC_OK)
		rc = bind_int(q, ":until", f->until_ms);
	if (rc == RC_OK)
		rc = bind_int(q, ":before", (int64_t)f->before);
	while (rc == RC_OK && n < f->limit) {
		rc = trk_sql_rc(sqlite3_step(q->st));
		if (rc != RC_OK)
			break;
		rows++;
		last = number(q, 13);
		read_event(q, a, &v[n]);
		n += !is_among(v, n, &v[n]);
	}
	if (rc != RC_OK && rc != RC_NOENT)
		return rc;
	*out = v;
	*out_n = n;
	*out_next = rc == RC_OK || rows == SCAN_MAX ? last : 0;
	return RC_OK;
}

enum rc
trk_query_find(struct arena *a, const char *dir, const struct trk_find *f,
    struct deadline dl, struct trk_event **out, size_t *out_n,
    uint64_t *out_next)
{
	struct query q = { .dl = dl };
	enum rc rc = query_open(&q, dir);

	if (rc == RC_OK)
		rc = find(&q, a, f, out, out_n, out_next);
	query_free(&q);
	return rc;
}

/* Where in its session the message is. */
struct place {
	struct str sid;
	int64_t after, until; /* ids */
};

static enum rc
find_place(struct query *q, struct arena *a, struct str qid, struct place *out)
{
	enum rc rc = prepare(q,
	    "SELECT e.sid, e.id, e.kind=4,"
	    " ifnull((SELECT max(p.id) FROM event p WHERE p.sid=e.sid"
	    "  AND p.kind=4 AND p.id<e.id),0)"
	    " FROM event e WHERE e.qid=:qid AND e.sid IS NOT NULL"
	    " ORDER BY e.kind=4 DESC, e.id LIMIT 1");

	if (rc == RC_OK)
		rc = bind_text(q, ":qid", qid);
	if (rc == RC_OK)
		rc = trk_sql_rc(sqlite3_step(q->st));
	if (rc == RC_NOENT)
		return RC_OK;
	if (rc != RC_OK)
		return rc;
	out->sid = column(q, a, 0);
	if (number(q, 2) != 0) {
		out->until = sqlite3_column_int64(q->st, 1);
		out->after = sqlite3_column_int64(q->st, 3);
	}
	return RC_OK;
}

/*
 * Of the same moment, what a gateway said comes first: who hands on and who is
 * handed to do not report at the same time.
 */
#define IN_ORDER " ORDER BY at, client_ip IS NULL, id"

static const char steps_of_message[] =
    "SELECT " TRK_COLUMNS " FROM event WHERE id IN ("
    "SELECT id FROM event WHERE qid=:qid"
    " UNION SELECT id FROM event WHERE sid=:sid AND qid IS NULL"
    "  AND (kind=1 OR (id>:after AND id<:until))"
    " UNION SELECT id FROM event WHERE sid=:qid AND kind=4"
    ")" IN_ORDER " LIMIT :n OFFSET :from";
static const char steps_of_session[] =
    "SELECT " TRK_COLUMNS " FROM event WHERE sid=:sid AND qid IS NULL" IN_ORDER
    " LIMIT :n OFFSET :from";

static enum rc
steps(struct query *q, struct arena *a, struct str qid, struct str sid,
    uint64_t from, struct trk_event **out, size_t *out_n)
{
	struct trk_event *v = arena_calloc(a, TRK_PAGE, sizeof(*v));
	struct place at = { .sid = sid };
	size_t n = 0;
	enum rc rc = RC_OK;

	if (qid.n > 0)
		rc = find_place(q, a, qid, &at);
	if (rc == RC_OK)
		rc =
		    prepare(q, qid.n > 0 ? steps_of_message : steps_of_session);
	if (rc == RC_OK)
		rc = bind_text(q, ":qid", qid);
	if (rc == RC_OK)
		rc = bind_text(q, ":sid", at.sid);
	if (rc == RC_OK)
		rc = bind_int(q, ":after", at.after);
	if (rc == RC_OK)
		rc = bind_int(q, ":until", at.until);
	if (rc == RC_OK)
		rc = bind_int(q, ":n", TRK_PAGE);
	if (rc == RC_OK)
		rc = bind_int(q, ":from", (int64_t)from);
	while (rc == RC_OK && n < TRK_PAGE) {
		rc = trk_sql_rc(sqlite3_step(q->st));
		if (rc == RC_OK)
			read_event(q, a, &v[n++]);
	}
	if (rc != RC_OK && rc != RC_NOENT)
		return rc;
	*out = v;
	*out_n = n;
	return RC_OK;
}

enum rc
trk_query_steps(struct arena *a, const char *dir, struct str qid,
    struct str sid, uint64_t from, struct deadline dl, struct trk_event **out,
    size_t *out_n)
{
	struct query q = { .dl = dl };
	enum rc rc = query_open(&q, dir);

	if (rc == RC_OK)
		rc = steps(&q, a, qid, sid, from, out, out_n);
	query_free(&q);
	return rc;
}

/* A deliver may stand for several recipients (trk_client.h). */
#define WEIGHT "sum(CASE kind WHEN 7 THEN max(nrcpt,1) ELSE 1 END)"
/* TRK_NOTICE, TRK_JUNK. */
#define KIND                                                                   \
	"CASE WHEN kind=4 AND client_ip IS NULL THEN 64"                       \
	" WHEN kind=7 AND text='Junk' THEN 65 ELSE kind END"
#define PERIOD " FROM event WHERE at>=:since AND at<:until"

/* kind, slot, n, nrcpt, bytes, who, text */
static const struct {
	enum trk_table table;
	const char *sql;
} tables[] = {
	{ TRK_BY_KIND, "SELECT " KIND " k,0," WEIGHT
		       ",sum(nrcpt),sum(size),NULL,NULL" PERIOD " GROUP BY k" },
	{ TRK_BY_REASON, "SELECT kind,0,count(*) n,0,0,code,max(text)" PERIOD
			 " AND kind IN (2,3,10,11)"
			 " GROUP BY kind,code ORDER BY n DESC LIMIT :top" },
	{ TRK_BY_TIME, "SELECT " KIND " k,(at-:since)/:slot s," WEIGHT
		       ",sum(nrcpt),sum(size),NULL,NULL" PERIOD
		       " AND kind IN (2,3,4,7,9,10,11) GROUP BY s,k" },
	{ TRK_BY_SENDER,
	    "SELECT 4,0,count(*) n,sum(nrcpt),sum(size) b,ifnull(sender,''),"
	    "NULL" PERIOD " AND kind=4 AND client_ip IS NOT NULL"
	    " GROUP BY sender ORDER BY n DESC, b DESC, sender LIMIT :top" },
	{ TRK_BY_RCPT,
	    "SELECT 7,0," WEIGHT " n,0,sum(size) b,rcpt,NULL" PERIOD
	    " AND kind IN (7,9) AND rcpt IS NOT NULL"
	    " GROUP BY rcpt ORDER BY n DESC, b DESC, rcpt LIMIT :top" },
};

struct rows {
	struct trk_row *v;
	size_t n, room;
};

static struct trk_row *
add_row(struct arena *a, struct rows *r)
{
	if (r->n == r->room) {
		struct trk_row *more;

		r->room = r->room ? 2 * r->room : 64;
		more = arena_calloc(a, r->room, sizeof(*more));
		for (size_t i = 0; i < r->n; i++)
			more[i] = r->v[i];
		r->v = more;
	}
	return &r->v[r->n++];
}

static enum rc
read_table(struct query *q, struct arena *a, size_t which, struct rows *r)
{
	enum rc rc;

	while ((rc = trk_sql_rc(sqlite3_step(q->st))) == RC_OK) {
		if (r->n == TRK_ROWS_MAX)
			return RC_TEMP;
		*add_row(a, r) = (struct trk_row){
			.table = tables[which].table,
			.kind = number(q, 0),
			.slot = number(q, 1),
			.n = number(q, 2),
			.nrcpt = number(q, 3),
			.bytes = number(q, 4),
			.who = column(q, a, 5),
			.text = column(q, a, 6),
		};
	}
	return rc == RC_NOENT ? RC_OK : rc;
}

/* In one transaction, so that the tables agree. */
static enum rc
report(struct query *q, struct arena *a, int64_t since, int64_t until,
    int64_t slot, uint64_t top, struct rows *r)
{
	enum rc rc = trk_sql_rc(sqlite3_exec(q->db, "BEGIN", NULL, NULL, NULL));

	for (size_t i = 0; i < COUNT(tables) && rc == RC_OK; i++) {
		rc = prepare(q, tables[i].sql);
		if (rc == RC_OK)
			rc = bind_int(q, ":since", since);
		if (rc == RC_OK)
			rc = bind_int(q, ":until", until);
		if (rc == RC_OK)
			rc = bind_int(q, ":slot", slot);
		if (rc == RC_OK)
			rc = bind_int(q, ":top",
			    tables[i].table == TRK_BY_REASON ? TRK_TOP_MAX
							     : (int64_t)top);
		if (rc == RC_OK)
			rc = read_table(q, a, i, r);
	}
	return rc;
}

enum rc
trk_query_report(struct arena *a, const char *dir, int64_t since_ms,
    int64_t until_ms, int64_t slot_ms, uint64_t top, struct deadline dl,
    struct trk_row **out, size_t *out_n)
{
	struct query q = { .dl = dl };
	struct rows r = { 0 };
	enum rc rc = query_open(&q, dir);

	if (rc == RC_OK)
		rc = report(&q, a, since_ms, until_ms, slot_ms, top, &r);
	query_free(&q);
	*out = r.v;
	*out_n = r.n;
	return rc;
}
