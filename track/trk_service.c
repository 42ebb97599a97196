/*
 * A batch stays in its request until the writer has it; the writer takes all
 * that wait into one transaction and answers them after the commit.  A client
 * has one batch on its way at a time, so little can wait.
 *
 * The disk is shared with the mail: below free_space_mb and some more nothing
 * is written here, so that track is never what fills it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "track/trk_db.h"
#include "track/trk_query.h"
#include "track/trk_service.h"

#define PENDING_MAX   64u
#define QUESTIONS_MAX 2u
#define TICK_MS       1000
#define PRUNE_MS      60000
#define SPARE_MB      64u
#define DAY_MS        INT64_C(86400000)

struct pending {
	struct rpcd_req *r;
	struct trk_batch batch;
};

struct trk_service {
	const struct log *log;
	const char *dir;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	const struct conf *conf;
	struct pending *pending[PENDING_MAX];
	size_t npending;
	bool stop;
	/* the writer's own */
	struct trk_db *db;
	struct deadline prune_at;
	bool no_room; /* said so in the log */
	/* shared */
	_Atomic unsigned questions;
	_Atomic bool damaged, works;
	_Atomic uint64_t events, batches, dropped, lost, bytes, steps;
};

/* ---- the writer */

static bool
has_room(struct trk_service *s, const struct conf *conf)
{
	uint64_t floor = ((uint64_t)conf->free_space_mb + SPARE_MB) << 20;
	struct statvfs st;
	bool room = true;

	if (statvfs(s->dir, &st) == 0)
		room = (uint64_t)st.f_bavail * st.f_frsize > floor;
	if (!room && !s->no_room)
		log_warn(s->log, "track.full", KVC("path", s->dir),
		    KVC("todo", "free some space: nothing is tracked now"));
	s->no_room = !room;
	return room;
}

static void
write_down(struct trk_service *s, const struct conf *conf,
    struct pending *const *v, size_t n)
{
	const struct trk_batch *b[PENDING_MAX];
	uint64_t events = 0, all = 0;
	enum rc rc = RC_TEMP;

	for (size_t i = 0; i < n; i++) {
		b[i] = &v[i]->batch;
		all += b[i]->n;
		s->lost += b[i]->dropped;
	}
	if (has_room(s, conf))
		rc = trk_db_write(s->db, b, n, &events);
	s->works = rc == RC_OK;
	if (rc == RC_OK)
		s->events += events;
	else
		s->dropped += all;
	s->batches += n;
	for (size_t i = 0; i < n; i++)
		rpcd_reply(v[i]->r, RC_OK);
}

static void
prune(struct trk_service *s, const struct conf *conf)
{
	int64_t before = now_unix_ms() - (int64_t)conf->track_days * DAY_MS;
	bool more = false;

	if (!deadline_over(s->prune_at))
		return;
	if (trk_db_prune(
		s->db, before, (uint64_t)conf->track_mb << 20, &more) != RC_OK)
		s->works = false;
	s->steps += more;
	s->bytes = trk_db_bytes(s->db);
	s->prune_at = deadline_in(more ? 0 : PRUNE_MS);
}

static void
wait_a_tick(struct trk_service *s)
{
	struct deadline dl = deadline_in(TICK_MS);
	struct timespec ts = { dl.at_ns / 1000000000, dl.at_ns % 1000000000 };

	if (s->npending == 0 && !s->stop && !deadline_over(s->prune_at))
		pthread_cond_timedwait(&s->wake, &s->lock, &ts);
}

static void *
run(void *arg)
{
	struct trk_service *s = arg;
	struct pending *v[PENDING_MAX];
	bool stop = false;

	while (!stop) {
		const struct conf *conf;
		size_t n;

		pthread_mutex_lock(&s->lock);
		wait_a_tick(s);
		n = s->npending;
		memcpy(v, s->pending, n * sizeof(v[0]));
		s->npending = 0;
		stop = s->stop && n == 0;
		conf = conf_ref(s->conf);
		pthread_mutex_unlock(&s->lock);
		if (atomic_exchange(&s->damaged, false) &&
		    trk_db_set_aside(s->db) != RC_OK)
			s->works = false;
		if (n > 0)
			write_down(s, conf, v, n);
		if (!stop)
			prune(s, conf);
		conf_unref(&conf);
	}
	return NULL;
}

/* ---- the requests */

static enum rpcd_next
on_tell(struct trk_service *s, struct rpcd_req *r, enum rc *rc)
{
	struct pending *p = arena_calloc(&r->a, 1, sizeof(*p));
	bool taken;

	p->r = r;
	*rc = trk_get_batch(&r->in, &p->batch);
	if (*rc != RC_OK) {
		log_error(s->log, "track.bad", KVU("uid", r->uid),
		    KVI("pid", r->pid));
		return RPCD_REPLY;
	}
	pthread_mutex_lock(&s->lock);
	taken = s->npending < PENDING_MAX;
	if (taken)
		s->pending[s->npending++] = p;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	*rc = RC_TEMP;
	return taken ? RPCD_LATER : RPCD_REPLY;
}

/* A damaged file is the writer's to set aside. */
static enum rc
looked(struct trk_service *s, enum rc rc)
{
	if (rc != RC_BAD)
		return rc;
	s->damaged = true;
	return RC_TEMP;
}

static enum rc
put_events(struct rpcd_req *r, const struct trk_event *v, size_t n)
{
	char rec[TRK_RECORD_MAX];
	AUTO_BUF b = { 0 };

	buf_init(&b, TRK_PAGE * TRK_RECORD_MAX);
	for (size_t i = 0; i < n; i++)
		if (buf_add(&b, str_n(rec, trk_record_put(rec, &v[i]))) !=
		    RC_OK)
			return RC_TEMP;
	ipc_put_str(&r->out, "events", buf_str(&b));
	return RC_OK;
}

static enum rc
on_find(struct trk_service *s, struct rpcd_req *r)
{
	struct trk_find f;
	struct trk_event *v;
	uint64_t next;
	size_t n;
	enum rc rc = trk_get_find(&r->in, &f);

	if (rc == RC_OK)
		rc = looked(
		    s, trk_query_find(&r->a, s->dir, &f, r->dl, &v, &n, &next));
	if (rc != RC_OK)
		return rc;
	ipc_put_u64(&r->out, "next", next);
	return put_events(r, v, n);
}

static enum rc
on_steps(struct trk_service *s, struct rpcd_req *r)
{
	struct str qid = ipc_str_or(&r->in, "qid", STR(""));
	struct str sid = ipc_str_or(&r->in, "sid", STR(""));
	uint64_t from = ipc_u64_or(&r->in, "from", 0);
	struct trk_event *v;
	size_t n;
	enum rc rc = ipc_in_done(&r->in);

	if (rc != RC_OK || qid.n > TRK_TEXT_MAX || sid.n > TRK_TEXT_MAX ||
	    from > INT64_MAX)
		return RC_BAD;
	rc = looked(
	    s, trk_query_steps(&r->a, s->dir, qid, sid, from, r->dl, &v, &n));
	return rc == RC_OK ? put_events(r, v, n) : rc;
}

static enum rc
on_report(struct trk_service *s, struct rpcd_req *r)
{
	int64_t since, until, slot;
	uint64_t top = ipc_u64_or(&r->in, "top", 10);
	struct trk_row *v;
	size_t n;
	enum rc rc;

	if (ipc_get_i64(&r->in, "since", &since) != RC_OK ||
	    ipc_get_i64(&r->in, "until", &until) != RC_OK ||
	    ipc_get_i64(&r->in, "slot", &slot) != RC_OK || slot < 1 ||
	    top > TRK_TOP_MAX || ipc_in_done(&r->in) != RC_OK)
		return RC_BAD;
	rc = looked(s, trk_query_report(&r->a, s->dir, since, until, slot, top,
			   r->dl, &v, &n));
	for (size_t i = 0; i < n && rc == RC_OK; i++)
		trk_put_row(&r->out, &v[i]);
	return rc;
}

static const struct op {
	uint16_t op;
	enum rc (*run)(struct trk_service *s, struct rpcd_req *r);
} ops[] = {
	{ TRK_OP_FIND, on_find },
	{ TRK_OP_STEPS, on_steps },
	{ TRK_OP_REPORT, on_report },
};

/* Few at a time: workers are for those who tell. */
static enum rc
answer(struct trk_service *s, struct rpcd_req *r, const struct op *op)
{
	enum rc rc = RC_TEMP;

	if (atomic_fetch_add(&s->questions, 1) < QUESTIONS_MAX)
		rc = op->run(s, r);
	atomic_fetch_sub(&s->questions, 1);
	return rc;
}

enum rpcd_next
trk_service_handle(void *ctx, struct rpcd_req *r, enum rc *rc)
{
	struct trk_service *s = ctx;

	if (r->op == TRK_OP_TELL)
		return on_tell(s, r, rc);
	/* Who writes to whom is the administrator's to know. */
	if (r->uid != 0 && r->uid != geteuid()) {
		log_error(s->log, "track.refused", KVU("uid", r->uid),
		    KVI("pid", r->pid), KVU("op", r->op));
		*rc = RC_DENY;
		return RPCD_REPLY;
	}
	*rc = RC_BAD;
	for (size_t i = 0; i < COUNT(ops); i++)
		if (ops[i].op == r->op)
			*rc = answer(s, r, &ops[i]);
	return RPCD_REPLY;
}

/* ---- life */

struct trk_service *
trk_service_start(
    const struct log *log, const struct conf *conf, const char *dir)
{
	struct trk_service *s = xcalloc(1, sizeof(*s));
	pthread_condattr_t attr;

	s->log = log;
	s->dir = dir;
	s->conf = conf_ref(conf);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &attr);
	pthread_condattr_destroy(&attr);
	/* Tried again with each batch. */
	s->works = trk_db_open(log, dir, &s->db) == RC_OK;
	if (pthread_create(&s->thread, NULL, run, s) != 0)
		panic("no thread to write");
	return s;
}

void
trk_service_conf(struct trk_service *s, const struct conf *conf)
{
	const struct conf *old;

	pthread_mutex_lock(&s->lock);
	old = s->conf;
	s->conf = conf_ref(conf);
	pthread_mutex_unlock(&s->lock);
	conf_unref(&old);
}

void
trk_service_stop(struct trk_service **sp)
{
	struct trk_service *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	trk_db_close(&s->db);
	conf_unref(&s->conf);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	xfree(s);
}

void
trk_service_counts(struct trk_service *s, struct trk_counts *out)
{
	*out = (struct trk_counts){
		.events = s->events,
		.batches = s->batches,
		.dropped = s->dropped,
		.lost = s->lost,
		.bytes = s->bytes,
		.pruned_steps = s->steps,
	};
}

bool
trk_service_works(struct trk_service *s)
{
	return s->works;
}
