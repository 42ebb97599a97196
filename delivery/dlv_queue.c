/*
 * The threads take turns at whatever is there, in this order: outcomes to
 * commit, messages to read, jobs.  The lock is held for a few pointer moves and
 * never over a call that waits.
 *
 * A message is read again after each of its jobs, unless that job has removed
 * the last entry: what the store says is what is scheduled.  A new message is
 * sent with what was committed (dlv_fresh.h) or else with what was read,
 * without reading it twice.
 *
 * A thread is woken only when there is something for it, and after the lock
 * was given away: one that wakes up under the lock sleeps again at once, which
 * is four system calls for nothing.  An outcome that needs nothing to be read
 * is committed by the thread that brings it.  Wake-ups merge, so whoever has
 * taken something and leaves something wakes the next.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#include "delivery/dlv.h"
#include "delivery/dlv_fresh.h"
#include "delivery/dlv_queue_impl.h"
#include "delivery/dlv_retry.h"
#include "delivery/dlv_send.h"

#define HOUSE_MAX    2u /* threads that may wait for the directory */
#define READ_MS      10000
#define RELOAD_S     1
#define LOOK_MS      3000  /* the store gave no answer */
#define PAUSE_MAX_MS 30000 /* remote gave no answer */
#define WAIT_MAX_MS  30000
#define CLOCK_SET_MS 60000
#define FRESH_JOBS   20u  /* of one message at once */
#define LAST_MS      1000 /* of a stop, for what comes after the outcomes */

/* Give the lock away, and wake a thread. */
static void
leave(struct dlv_queue *q, bool wake)
{
	q->leaving += wake;
	pthread_mutex_unlock(&q->lock);
	if (!wake)
		return;
	pthread_cond_signal(&q->changed);
	q->leaving--;
}

static struct dlv_send *next_outcome(
    const struct dlv_queue *q, int64_t now, int64_t *out_at);

/* A worker has taken what it does now: is there more, and somebody for it? */
static void
give_away(struct dlv_queue *q)
{
	int64_t now = now_unix_ms(), at;
	bool more = !q->drain && (q->fresh != NULL || q->sched.looks != NULL ||
				     dlv_sched_at(&q->sched) <= now);

	more = q->idle > 0 && (more || next_outcome(q, now, &at) != NULL);
	pthread_mutex_unlock(&q->lock);
	if (more)
		pthread_cond_signal(&q->changed);
}

void
dlv_queue_poke(struct dlv_queue *q, struct str message_id)
{
	struct dlv_message *m;

	if (message_id.n == 0 || message_id.n > DLV_QUEUE_ID_MAX)
		return;
	pthread_mutex_lock(&q->lock);
	m = dlv_sched_find(&q->sched, message_id);
	if (m == NULL)
		m = dlv_sched_add(&q->sched, message_id);
	dlv_sched_look(&q->sched, m);
	leave(q, true);
}

void
dlv_queue_fresh(struct dlv_queue *q, struct dlv_fresh *f)
{
	pthread_mutex_lock(&q->lock);
	DL_APPEND(q->fresh, f);
	leave(q, true);
}

void
dlv_queue_reload(struct dlv_queue *q)
{
	pthread_mutex_lock(&q->lock);
	dlv_reload_in(&q->reload, now_unix(), RELOAD_S);
	leave(q, true);
}

void
dlv_queue_doubt(struct dlv_queue *q)
{
	pthread_mutex_lock(&q->lock);
	dlv_reload_doubt(&q->reload, now_unix());
	leave(q, true);
}

enum rc
dlv_queue_room(struct dlv_queue *q, uint64_t max, size_t n)
{
	const struct dlv_numbers *sum = &q->sched.sum;
	uint64_t have;

	pthread_mutex_lock(&q->lock);
	have = sum->ready + sum->held + sum->poison;
	pthread_mutex_unlock(&q->lock);
	if (have + n <= max)
		return RC_OK;
	log_error(q->d->log, "queue.full", KVU("entries", have),
	    KVU("queue_max", max));
	return RC_TEMP;
}

enum rc
dlv_queue_why(
    struct dlv_queue *q, struct arena *a, struct str hop, struct dlv_why *out)
{
	const struct dlv_why *why;
	bool down;

	pthread_mutex_lock(&q->lock);
	why = dlv_sched_why(&q->sched, hop);
	down = why != NULL;
	if (down) {
		*out = *why;
		out->host = str_dup(a, why->host);
		out->status = str_dup(a, why->status);
		out->reply = str_dup(a, why->reply);
	}
	pthread_mutex_unlock(&q->lock);
	return down ? RC_OK : RC_NOENT;
}

uint64_t
dlv_queue_mark(struct dlv_queue *q)
{
	uint64_t mark;

	pthread_mutex_lock(&q->lock);
	mark = dlv_sched_mark(&q->sched);
	pthread_mutex_unlock(&q->lock);
	return mark;
}

void
dlv_queue_revive(struct dlv_queue *q, struct str hop, uint64_t since)
{
	int64_t next;

	pthread_mutex_lock(&q->lock);
	next = dlv_sched_at(&q->sched);
	dlv_sched_revive(&q->sched, hop, since);
	leave(q, dlv_sched_at(&q->sched) < next);
}

void
dlv_queue_sum(struct dlv_queue *q, struct dlv_queue_sum *out)
{
	int64_t now = now_unix();
	struct dlv_message *m, *tmp;

	pthread_mutex_lock(&q->lock);
	*out = (struct dlv_queue_sum){
		.loaded = q->loaded,
		.messages = HASH_COUNT(q->sched.by_id),
		.ready = q->sched.sum.ready,
		.held = q->sched.sum.held,
		.poison = q->sched.sum.poison,
		.places = HASH_COUNT(q->sched.by_hop) - 1,
		.sending = q->sched.running,
	};
	HASH_ITER(hh, q->sched.by_id, m, tmp)
	out->expired += m->sum.expires_at <= now;
	pthread_mutex_unlock(&q->lock);
}

/* After a job or a look: what next?  With the lock.  True: it is to be read. */
static bool
next_step(struct dlv_queue *q, struct dlv_message *m, bool gone)
{
	if (m->looking || m->listed) {
		m->changed = true;
		return false;
	}
	if (gone && !m->changed && !m->here && m->running == 0) {
		dlv_sched_forget(&q->sched, m);
		return false;
	}
	dlv_sched_look(&q->sched, m);
	return true;
}

static void
settle(struct dlv_queue *q, struct dlv_message *m, bool gone)
{
	if (next_step(q, m, gone))
		pthread_cond_signal(&q->changed);
}

/* A job of this message that can start with what was just read. */
static struct dlv_job *
take_at_once(struct dlv_queue *q, struct dlv_message *m)
{
	if (q->stop || m->changed)
		return NULL;
	return dlv_sched_take(&q->sched, m, now_unix_ms());
}

/* With the lock; gives it away. */
static void
send_begin(struct dlv_queue *q, struct dlv_job *j, struct arena *a,
    const struct store_queue_item *item, struct dlv_fresh *fresh)
{
	struct str id = str_n(j->m->id, j->m->id_n);
	struct str hop = str_n(j->place->hop, j->place->hop_n);
	int64_t again;

	give_away(q);
	if (dlv_send_begin(q->d, j, id, hop, a, item, fresh, &again)) {
		/* It may be over by now: *j must not be touched. */
		pthread_mutex_lock(&q->lock);
		return;
	}
	pthread_mutex_lock(&q->lock);
	dlv_sched_done(&q->sched, j, now_unix_ms());
	if (again == 0 || j->m->changed) {
		settle(q, j->m, false);
		return;
	}
	dlv_heap_set(&j->place->jobs, &j->node, again);
	dlv_sched_poke_place(&q->sched, j->place);
	dlv_sched_resume(&q->sched, j->m, now_unix_ms());
}

/* Read a message; with the lock, gives it away. */
static void
look(struct dlv_queue *q, struct dlv_message *m)
{
	struct str id = str_n(m->id, m->id_n);
	struct store_queue_item item;
	AUTO_ARENA a = { 0 };
	const struct conf *conf;
	struct dlv_job *j;
	enum rc rc;

	give_away(q);
	rc = store_queue_get(q->d->store, &a, id, deadline_in(READ_MS), &item);
	conf = dlv_conf(q->d);
	pthread_mutex_lock(&q->lock);
	m->looking = false;
	if (rc == RC_NOENT || (rc == RC_OK && item.nentries == 0)) {
		/* Whoever still works on it looks again. */
		if (!m->here && m->running == 0)
			settle(q, m, true);
	} else if (rc != RC_OK) {
		log_warn(q->d->log, "queue.read", KV("qid", id),
		    KVC("rc", rc_name(rc)));
		/* Its other jobs wait for a look that sees something. */
		m->changed = true;
		dlv_sched_want(&q->sched, m, STR(""), now_unix_ms() + LOOK_MS);
	} else {
		dlv_retry_clock(conf, &item, now_unix(), dlv_queue_grace(q->d));
		dlv_queue_note(q, m, conf, &item);
		if (m->changed)
			settle(q, m, false);
		else if ((j = take_at_once(q, m)) != NULL)
			send_begin(q, j, &a, &item, NULL);
	}
	conf_unref(&conf);
}

/*
 * A new message: the tries that may begin now are claimed at once, because the
 * message may be gone as soon as one of them has ended.  With the lock, gives
 * it away.
 */
static void
begin_fresh(struct dlv_queue *q, struct dlv_fresh *f)
{
	const struct conf *conf = dlv_conf(q->d);
	struct str id = f->item.message_id;
	struct dlv_message *m = dlv_sched_find(&q->sched, id);
	struct dlv_job *job[FRESH_JOBS];
	size_t n = 0;

	DL_DELETE(q->fresh, f);
	if (m != NULL) {
		/* The queue was read just now, or somebody has asked for it. */
		dlv_sched_look(&q->sched, m);
	} else {
		m = dlv_sched_add(&q->sched, id);
		dlv_queue_note(q, m, conf, &f->item);
		while (n < COUNT(job) && (job[n] = take_at_once(q, m)) != NULL)
			n++;
	}
	for (size_t i = 0; i < n; i++)
		send_begin(q, job[i], NULL, NULL, f);
	conf_unref(&conf);
	dlv_fresh_unref(&f);
}

/* What is to be done in this house; with the lock, gives it away. */
static void
work_here(struct dlv_queue *q, struct dlv_job *j)
{
	struct dlv_message *m = j->m;
	struct dlv_step s;

	give_away(q);
	dlv_retry_step(q->d, str_n(m->id, m->id_n), &s);
	pthread_mutex_lock(&q->lock);
	dlv_sched_done(&q->sched, j, now_unix_ms());
	if (s.again || m->changed || s.gone) {
		settle(q, m, s.gone);
		return;
	}
	dlv_heap_set(&j->place->jobs, &j->node, s.next_at * 1000);
	dlv_sched_poke_place(&q->sched, j->place);
	dlv_sched_resume(&q->sched, m, now_unix_ms());
}

/*
 * Who has changed the message meant what is there now; a look that has come in
 * between clears `changed`, and the count stays.  With the lock.
 */
static void
note_pokes(struct dlv_send *s)
{
	s->refresh = s->refresh || s->job->pokes != s->job->m->pokes;
}

void
dlv_queue_answered(struct dlv_queue *q, struct dlv_send *s)
{
	bool later;

	pthread_mutex_lock(&q->lock);
	if (s->rc == RC_OK)
		note_pokes(s);
	later = s->rc != RC_OK || s->refresh;
	if (later)
		DL_APPEND(q->outcomes, s);
	leave(q, later);
	if (!later)
		dlv_send_commit(s);
}

void
dlv_queue_sent(struct dlv_queue *q, struct dlv_send *s)
{
	pthread_mutex_lock(&q->lock);
	DL_APPEND(q->outcomes, s);
	leave(q, true);
}

/*
 * Remote said nothing: nobody else is sent to it for a moment.  All that it was
 * busy with when it died is one time.
 */
static void
mute(struct dlv_queue *q, const struct dlv_job *j)
{
	int64_t ms = 250;

	if (j->began < q->muted)
		return;
	q->muted = dlv_sched_mark(&q->sched);
	for (unsigned i = 0; i < q->mute && ms < PAUSE_MAX_MS; i++)
		ms *= 2;
	q->mute++;
	q->sched.pause_until = now_unix_ms() + MIN(ms, PAUSE_MAX_MS);
}

/* Its outcome tells of the place, too. */
static void
note_place(struct dlv_queue *q, struct dlv_send *s)
{
	const struct conf *conf = dlv_conf(q->d);
	struct dlv_place *p = s->job->place;
	struct dlv_why why;

	q->mute = 0;
	if (!s->out.hop_down) {
		dlv_sched_up(&q->sched, p);
	} else {
		dlv_send_why(s, &why);
		dlv_sched_down(&q->sched, s->job,
		    (now_unix() +
			dlv_backoff(conf, p->fails + 1, dlv_random())) *
			1000,
		    &why);
	}
	conf_unref(&conf);
}

void
dlv_queue_finish(struct dlv_queue *q, struct dlv_send *s)
{
	struct dlv_job *j = s->job;
	struct dlv_message *m = j->m;
	int64_t next;
	bool look;

	pthread_mutex_lock(&q->lock);
	next = dlv_sched_at(&q->sched);
	note_place(q, s);
	dlv_sched_done(&q->sched, j, now_unix_ms());
	look = next_step(q, m, s->all_gone);
	leave(q, look || dlv_sched_at(&q->sched) < next);
	dlv_send_free(&s);
}

/* Remote has answered, or has not; with the lock, gives it away. */
static void
take_up(struct dlv_queue *q, struct dlv_send *s)
{
	struct dlv_message *m = s->job->m;

	DL_DELETE(q->outcomes, s);
	if (s->rc == RC_OK) {
		note_pokes(s);
		give_away(q);
		dlv_send_commit(s);
		pthread_mutex_lock(&q->lock);
		return;
	}
	log_warn(&s->log, "send.unknown", KVC("rc", rc_name(s->rc)),
	    KV("hop", s->hop));
	mute(q, s->job);
	dlv_sched_done(&q->sched, s->job, now_unix_ms());
	settle(q, m, false);
	give_away(q);
	dlv_send_free(&s);
	pthread_mutex_lock(&q->lock);
}

static struct dlv_send *
next_outcome(const struct dlv_queue *q, int64_t now, int64_t *out_at)
{
	struct dlv_send *s;

	*out_at = DLV_NEVER;
	DL_FOREACH(q->outcomes, s)
	{
		if (s->at <= now)
			return s;
		*out_at = MIN(*out_at, s->at);
	}
	return NULL;
}

/* Not for long: the clock may be set back meanwhile. */
static void
wait_until(struct dlv_queue *q, int64_t at, int64_t now)
{
	int64_t ms = MIN(at, now + WAIT_MAX_MS);
	const struct timespec until = { ms / 1000, ms % 1000 * 1000000 };

	q->idle++;
	if (at == DLV_NEVER)
		pthread_cond_wait(&q->changed, &q->lock);
	else
		pthread_cond_timedwait(&q->changed, &q->lock, &until);
	q->idle--;
}

static void
give_grace(struct dlv_queue *q)
{
	const struct conf *conf = dlv_conf(q->d);

	q->d->grace_ns = now_ns() + (int64_t)conf->queue_retry_min_s *
					DLV_GRACE_WAITS * 1000000000;
	conf_unref(&conf);
}

int64_t
dlv_queue_grace(const struct dlv *d)
{
	return MAX((d->grace_ns - now_ns()) / 1000000000, 0);
}

/*
 * How far the two clocks are apart says when one of them was set: then what
 * looks old may be new, and is tried before it is given up.
 */
static void
watch_clock(struct dlv_queue *q, int64_t now)
{
	int64_t apart = now - now_ns() / 1000000;
	int64_t by = apart - q->clocks_apart;

	if (by > -CLOCK_SET_MS && by < CLOCK_SET_MS)
		return;
	q->clocks_apart = apart;
	log_warn(q->d->log, "queue.clock", KVI("set_by_ms", by));
	give_grace(q);
	/* What it says of times is read anew. */
	dlv_reload_in(&q->reload, now / 1000, 0);
}

/* One thing to do, or a wait; with the lock. */
static void
turn(struct dlv_queue *q)
{
	int64_t now = now_unix_ms(), outcome_at, job_at = DLV_NEVER;
	struct dlv_send *s = next_outcome(q, now, &outcome_at);
	struct dlv_message *m;
	struct dlv_job *j;

	watch_clock(q, now);
	if (s != NULL) {
		take_up(q, s);
	} else if (q->drain) {
		wait_until(q, outcome_at, now);
	} else if (q->fresh != NULL) {
		begin_fresh(q, q->fresh);
	} else if (!q->loading && dlv_reload_at(&q->reload) <= now / 1000) {
		dlv_queue_load(q);
	} else if ((m = dlv_sched_take_look(&q->sched)) != NULL) {
		look(q, m);
	} else if ((j = dlv_sched_next(&q->sched, now, &job_at)) != NULL) {
		if (j->place == q->sched.house)
			work_here(q, j);
		else
			send_begin(q, j, NULL, NULL, NULL);
	} else {
		int64_t reload_at = dlv_reload_at(&q->reload);

		reload_at = reload_at == DLV_NEVER || q->loading
				? DLV_NEVER
				: reload_at * 1000;
		wait_until(q, MIN(MIN(outcome_at, job_at), reload_at), now);
	}
}

static void *
run(void *arg)
{
	struct dlv_queue *q = arg;
	const struct conf *conf;

	pthread_mutex_lock(&q->lock);
	while (!q->stop) {
		conf = dlv_conf(q->d);
		q->sched.limit = MAX(conf->remote_concurrency, 1u);
		conf_unref(&conf);
		turn(q);
	}
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

void
dlv_queue_start(struct dlv *d)
{
	struct dlv_queue *q = xcalloc(1, sizeof(*q));

	d->queue = q; /* for the threads, too */
	q->d = d;
	dlv_reload_init(&q->reload, now_unix());
	q->clocks_apart = now_unix_ms() - now_ns() / 1000000;
	give_grace(q);
	dlv_sched_init(&q->sched);
	q->sched.cap = DLV_QUEUE_SENDS;
	q->sched.local = HOUSE_MAX;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->changed, NULL);
	for (size_t i = 0; i < DLV_QUEUE_THREADS; i++) {
		int err = pthread_create(&q->thread[i], NULL, run, q);

		if (err != 0)
			panic("queue: no thread: %d", err);
	}
}

/*
 * What is with remote already is waited for: a message that another server has
 * taken, and we did not note down, would be sent again.  remote is stopped at
 * the same time and gives back at once what no server has in full; the others
 * may think for as long as there is, what comes after that takes no time.
 */
static void
drain(struct dlv_queue *q, struct deadline dl)
{
	bool sending = true;

	q->drain = true;
	while (sending && !deadline_over(dl)) {
		pthread_mutex_lock(&q->lock);
		sending = q->sched.running > 0;
		pthread_mutex_unlock(&q->lock);
		if (sending)
			nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
	}
}

bool
dlv_queue_stop(struct dlv_queue *q, struct deadline dl)
{
	struct timespec until = {
		.tv_sec = now_unix() + deadline_left_ms(dl) / 1000 + 1,
	};
	bool sending;

	if (q == NULL)
		return true;
	drain(q, deadline_in(MAX(deadline_left_ms(dl) - LAST_MS, 0)));
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
	for (size_t i = 0; i < DLV_QUEUE_THREADS; i++) {
		if (pthread_timedjoin_np(q->thread[i], NULL, &until) != 0)
			return false;
	}
	pthread_mutex_lock(&q->lock);
	while (q->outcomes != NULL) {
		struct dlv_send *s = q->outcomes;

		/* The next life asks remote for it. */
		DL_DELETE(q->outcomes, s);
		dlv_sched_done(&q->sched, s->job, 0);
		dlv_send_free(&s);
	}
	while (q->fresh != NULL) {
		struct dlv_fresh *f = q->fresh;

		DL_DELETE(q->fresh, f);
		dlv_fresh_unref(&f);
	}
	sending = q->sched.running > 0;
	pthread_mutex_unlock(&q->lock);
	while (q->leaving > 0)
		nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
	return !sending;
}

void
dlv_queue_free(struct dlv_queue **qp)
{
	struct dlv_queue *q = *qp;

	if (q == NULL)
		return;
	*qp = NULL;
	dlv_sched_free(&q->sched);
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->changed);
	xfree(q);
}
