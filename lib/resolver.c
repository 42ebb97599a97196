/*
 * One thread of ours talks to libunbound: it alone asks, cancels and takes
 * answers, so that nothing of libunbound's is shared (its own helper thread
 * does the network).  An asker puts a question on the list `todo` and rings
 * an eventfd; equal questions that are on their way have several waiters.
 *
 *   asker:   cache? -> answer.  Else: find or make the question, add a waiter
 *   thread:  todo -> ub_resolve_async; ub_process -> on_answer -> cache,
 *            waiters; the deadlines of those that nobody waits for blocking
 *
 * The lock guards the cache, the questions and the waiters.  It is never held
 * over a call of libunbound's or of somebody's `done`.  A blocking asker waits
 * on a condition with the same lock, so its waiter can be on its stack.
 *
 * Deadlines of the start form: next_ns is at most the earliest of them; when
 * it has come, all waiters are looked at once.  That is rare, since nearly all
 * answers come in time: a heap would cost every question to save one scan now
 * and then.
 *
 * The thread is made with the first question, inside the sandbox.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/resolver_cache.h"
#include "lib/resolver_ub.h"

#define BUCKETS 1024u

struct gather { /* a blocking asker */
	pthread_cond_t done;
	size_t left;
};

struct waiter {
	struct waiter *next; /* of the same question */
	struct question *q;  /* NULL: it has its answer */
	struct dns_entry *answer;
	/* One of both forms. */
	struct gather *gather;
	void (*done)(void *arg, const struct dns_answer *out);
	void *arg;
	int64_t at_ns; /* deadline of the start form */
};

struct question {
	struct question *next; /* of the same bucket */
	struct question *todo_next;
	struct resolver *r;
	struct waiter *waiters;
	bool queued; /* on the list todo */
	/* the thread's */
	bool sent;
	int id;
	struct dns_key key;
};

struct resolver {
	struct log log;
	struct ub_ctx *ub;
	int wake;
	pthread_t thread;
	pthread_mutex_t lock;
	/* under the lock */
	bool started, stop;
	struct dns_cache *cache;
	struct question *asked[BUCKETS];
	struct question *todo;
	unsigned waiting;
	int64_t next_ns;
	struct resolver_stats stats;
};

static void *run(void *arg);

struct resolver *
resolver_new(const struct log *log, const struct resolver_conf *conf)
{
	struct ub_ctx *ub = resolver_ub_new(log, conf);
	AUTO_FD wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct resolver *r;

	if (ub == NULL)
		return NULL;
	if (wake < 0) {
		log_error(log, "dns.setup", KVE(errno));
		ub_ctx_delete(ub);
		return NULL;
	}
	r = xcalloc(1, sizeof(*r));
	r->log = *log;
	r->ub = ub;
	r->wake = take(&wake);
	r->cache = dns_cache_new(conf->cache_max);
	r->next_ns = INT64_MAX;
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

static void
ring(struct resolver *r)
{
	uint64_t one = 1;

	while (write(r->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* Signals are for the main thread. */
static enum rc
start_thread(struct resolver *r)
{
	sigset_t all, old;
	int err;

	if (r->started)
		return RC_OK;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&r->thread, NULL, run, r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err != 0) {
		log_error(&r->log, "dns.thread", KVE(err));
		return RC_TEMP;
	}
	r->started = true;
	return RC_OK;
}

/* ---- questions; all with the lock ---- */

static struct question **
find_question(struct resolver *r, const struct dns_key *key)
{
	struct question **p = &r->asked[key->hash % BUCKETS];

	while (*p != NULL && !dns_key_is(&(*p)->key, key))
		p = &(*p)->next;
	return p;
}

static void
put_todo(struct resolver *r, struct question *q)
{
	bool quiet = r->todo != NULL; /* it has been rung for */

	if (q->queued)
		return;
	q->queued = true;
	q->todo_next = r->todo;
	r->todo = q;
	if (!quiet)
		ring(r);
}

/* RC_TEMP: too many, or no thread. */
static enum rc
join(struct resolver *r, const struct dns_key *key, struct waiter *w)
{
	struct question **p, *q;

	if (r->stop || r->waiting >= RESOLVER_WAITING_MAX ||
	    start_thread(r) != RC_OK)
		return RC_TEMP;
	p = find_question(r, key);
	q = *p;
	if (q == NULL) {
		q = xcalloc(1, sizeof(*q));
		q->r = r;
		q->key = *key;
		*p = q;
		put_todo(r, q);
	}
	w->q = q;
	w->next = q->waiters;
	q->waiters = w;
	r->waiting++;
	return RC_OK;
}

static void
leave(struct resolver *r, struct waiter *w)
{
	struct question *q = w->q;
	struct waiter **p = &q->waiters;

	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	w->q = NULL;
	r->waiting--;
	r->stats.timeouts++;
	if (q->waiters == NULL)
		put_todo(r, q);
}

/* Waiters of the start form go to *out, for the time after the lock. */
static void
answer_waiters(struct resolver *r, struct question *q, struct dns_entry *e,
    struct waiter **out)
{
	struct waiter *next;

	for (struct waiter *w = q->waiters; w != NULL; w = next) {
		next = w->next;
		w->q = NULL;
		w->answer = dns_entry_ref(e);
		r->waiting--;
		if (w->gather == NULL) {
			w->next = *out;
			*out = w;
		} else if (--w->gather->left == 0) {
			pthread_cond_signal(&w->gather->done);
		}
	}
	q->waiters = NULL;
}

/* ---- the thread ---- */

static void
call_back(struct waiter *w)
{
	struct dns_answer out = { .rc = RC_TEMP };
	AUTO_ARENA a = { 0 };

	if (w->answer != NULL)
		dns_entry_answer(w->answer, &a, now_ns(), &out);
	w->done(w->arg, &out);
	dns_entry_unref(&w->answer);
	xfree(w);
}

static void
call_all(struct waiter *w)
{
	struct waiter *next;

	for (; w != NULL; w = next) {
		next = w->next;
		call_back(w);
	}
}

/* Out of the table, to everybody who waits, and gone. */
static void
finish(struct question *q, struct dns_entry *e, uint32_t ttl)
{
	struct resolver *r = q->r;
	struct waiter *calls = NULL;

	pthread_mutex_lock(&r->lock);
	*find_question(r, &q->key) = q->next;
	if (q->queued) { /* its last waiter has just left */
		struct question **p = &r->todo;

		while (*p != q)
			p = &(*p)->todo_next;
		*p = q->todo_next;
	}
	if (e->rc == RC_TEMP)
		r->stats.failed++;
	dns_cache_put(r->cache, e, now_ns(), ttl);
	answer_waiters(r, q, e, &calls);
	pthread_mutex_unlock(&r->lock);
	dns_entry_unref(&e);
	xfree(q);
	call_all(calls);
}

static void
log_failure(struct question *q, const struct ub_result *res, int err)
{
	char name[DNS_PLAIN_MAX];
	const char *why = err != 0 ? ub_strerror(err)
			  : res->bogus && res->why_bogus != NULL
			      ? res->why_bogus
			      : "server failure";

	if (!log_on(&q->r->log, LOG_DEBUG))
		return;
	dns_name_plain(&q->key.name, name);
	log_debug(&q->r->log, "dns.failed", KVC("name", name),
	    KVU("type", q->key.type), KVU("rcode", res ? res->rcode : 0),
	    KVC("error", why));
}

static enum rc
meaning(const struct ub_result *res, int err)
{
	if (err != 0 || res->bogus)
		return RC_TEMP;
	if (res->havedata)
		return RC_OK;
	return res->rcode == 0 || res->nxdomain ? RC_NOENT : RC_TEMP;
}

/* libunbound's; err or res, which is ours. */
static void
on_answer(void *arg, int err, struct ub_result *res)
{
	struct question *q = arg;
	struct str rdata[DNS_RECORDS_MAX + 1];
	struct dns_raw raw = { .rc = meaning(res, err), .rdata = rdata };
	uint32_t ttl = RESOLVER_TEMP_TTL;
	struct dns_entry *e;

	if (res != NULL) {
		raw.nxdomain = raw.rc == RC_NOENT && res->nxdomain;
		raw.secure = raw.rc != RC_TEMP && res->secure;
		raw.bogus = res->bogus;
	}
	for (; raw.rc == RC_OK && raw.n < COUNT(rdata) &&
	       res->data[raw.n] != NULL;
	     raw.n++)
		rdata[raw.n] = str_n(res->data[raw.n], (size_t)res->len[raw.n]);
	e = dns_entry_new(&q->key, &raw);
	if (e->rc == RC_TEMP)
		log_failure(q, res, err);
	else if (res != NULL)
		ttl = (uint32_t)MIN(MAX(res->ttl, 0), (int)RESOLVER_TTL_MAX);
	ub_resolve_free(res);
	finish(q, e, ttl);
}

static void
ask(struct question *q)
{
	char name[DNS_PLAIN_MAX];
	int err;

	dns_name_plain(&q->key.name, name);
	q->sent = true;
	err = ub_resolve_async(
	    q->r->ub, name, q->key.type, 1, q, on_answer, &q->id);
	if (err != 0)
		on_answer(q, err, NULL);
}

/* What is new is asked; what nobody waits for any more is cancelled. */
static void
do_todo(struct resolver *r)
{
	for (;;) {
		struct question *q;
		bool wanted;

		pthread_mutex_lock(&r->lock);
		q = r->todo;
		if (q == NULL) {
			pthread_mutex_unlock(&r->lock);
			return;
		}
		r->todo = q->todo_next;
		q->queued = false;
		wanted = q->waiters != NULL;
		if (!wanted)
			*find_question(r, &q->key) = q->next;
		pthread_mutex_unlock(&r->lock);
		if (wanted && !q->sent) {
			ask(q);
		} else if (!wanted) {
			if (q->sent)
				(void)ub_cancel(r->ub, q->id);
			xfree(q);
		}
	}
}

/* Those whose time is over, and the time of the next. */
static void
expire(struct resolver *r)
{
	int64_t now = now_ns();
	struct waiter *calls = NULL;

	pthread_mutex_lock(&r->lock);
	if (now < r->next_ns) {
		pthread_mutex_unlock(&r->lock);
		return;
	}
	r->next_ns = INT64_MAX;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct question *q = r->asked[i]; q; q = q->next) {
			struct waiter *next;

			for (struct waiter *w = q->waiters; w; w = next) {
				next = w->next;
				if (w->gather != NULL)
					continue;
				if (w->at_ns > now) {
					r->next_ns = MIN(r->next_ns, w->at_ns);
					continue;
				}
				leave(r, w);
				w->next = calls;
				calls = w;
			}
		}
	}
	pthread_mutex_unlock(&r->lock);
	call_all(calls);
}

/* False: stop.  *ms: how long to sleep, -1 until something happens. */
static bool
look_around(struct resolver *r, int *ms)
{
	bool stop;

	pthread_mutex_lock(&r->lock);
	stop = r->stop;
	*ms = r->next_ns == INT64_MAX
		  ? -1
		  : deadline_left_ms((struct deadline){ r->next_ns });
	pthread_mutex_unlock(&r->lock);
	return !stop;
}

static void *
run(void *arg)
{
	struct resolver *r = arg;
	struct pollfd fds[2] = { { .fd = r->wake, .events = POLLIN },
		{ .fd = ub_fd(r->ub), .events = POLLIN } };
	int ms;

	while (look_around(r, &ms)) {
		uint64_t count;

		/*
		 * With no deadline of a start form there is nothing to be late
		 * for: libunbound answers every question in the end.
		 */
		(void)poll(fds, COUNT(fds), ms);
		if (fds[0].revents != 0)
			(void)!read(r->wake, &count, sizeof(count));
		do_todo(r);
		if (fds[1].revents != 0)
			(void)ub_process(r->ub);
		expire(r);
	}
	return NULL;
}

static void
cancel_rest(struct resolver *r)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		while (r->asked[i] != NULL) {
			struct question *q = r->asked[i];
			struct waiter *next;

			r->asked[i] = q->next;
			if (q->sent)
				(void)ub_cancel(r->ub, q->id);
			for (struct waiter *w = q->waiters; w; w = next) {
				next = w->next;
				assert(w->gather == NULL);
				call_back(w);
			}
			xfree(q);
		}
	}
}

void
resolver_free(struct resolver **rp)
{
	struct resolver *r = *rp;

	if (r == NULL)
		return;
	*rp = NULL;
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_mutex_unlock(&r->lock);
	if (r->started) {
		ring(r);
		pthread_join(r->thread, NULL);
	}
	cancel_rest(r);
	ub_ctx_delete(r->ub);
	dns_cache_free(&r->cache);
	pthread_mutex_destroy(&r->lock);
	fd_close(&r->wake);
	xfree(r);
}

/* ---- asking ---- */

/* True: *out is what there is to say at once (an entry, or NULL: *rc). */
static bool
begin(struct resolver *r, struct str name, enum dns_type type, struct waiter *w,
    struct dns_answer *out)
{
	struct dns_key key;

	*out = (struct dns_answer){ .rc = RC_TEMP };
	if (dns_cache_key(r->cache, name, type, &key) != RC_OK) {
		out->rc = RC_BAD;
		return true;
	}
	r->stats.asked++;
	w->answer = dns_cache_find(r->cache, &key, now_ns());
	if (w->answer != NULL) {
		r->stats.cached++;
		return true;
	}
	return join(r, &key, w) != RC_OK;
}

static void
gather_wait(struct resolver *r, struct gather *g, struct deadline dl)
{
	struct timespec at = { .tv_sec = dl.at_ns / 1000000000,
		.tv_nsec = dl.at_ns % 1000000000 };

	while (g->left > 0 && dl.at_ns > 0 &&
	       pthread_cond_timedwait(&g->done, &r->lock, &at) != ETIMEDOUT)
		;
}

static void
gather_init(struct gather *g)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&g->done, &attr);
	pthread_condattr_destroy(&attr);
	g->left = 0;
}

void
resolver_ask_all(struct resolver *r, struct arena *a,
    const struct dns_question *q, size_t n, struct deadline dl,
    struct dns_answer *out)
{
	struct waiter *w = arena_calloc(a, n, sizeof(*w));
	struct gather g;
	int64_t now;

	gather_init(&g);
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < n; i++) {
		w[i].gather = &g;
		if (!begin(r, q[i].name, q[i].type, &w[i], &out[i]))
			g.left++;
	}
	gather_wait(r, &g, dl);
	for (size_t i = 0; i < n; i++)
		if (w[i].q != NULL)
			leave(r, &w[i]);
	pthread_mutex_unlock(&r->lock);
	pthread_cond_destroy(&g.done);
	now = now_ns();
	for (size_t i = 0; i < n; i++) {
		if (w[i].answer != NULL)
			dns_entry_answer(w[i].answer, a, now, &out[i]);
		dns_entry_unref(&w[i].answer);
	}
}

enum rc
resolver_ask(struct resolver *r, struct arena *a, struct str name,
    enum dns_type type, struct deadline dl, struct dns_answer *out)
{
	resolver_ask_all(
	    r, a, &(struct dns_question){ name, type }, 1, dl, out);
	return out->rc;
}

void
resolver_start(struct resolver *r, struct str name, enum dns_type type,
    struct deadline dl, void (*done)(void *arg, const struct dns_answer *out),
    void *arg)
{
	struct waiter *w = xcalloc(1, sizeof(*w));
	struct dns_answer out;
	bool now;

	w->done = done;
	w->arg = arg;
	w->at_ns = dl.at_ns;
	pthread_mutex_lock(&r->lock);
	now = begin(r, name, type, w, &out);
	if (!now && w->at_ns < r->next_ns) {
		r->next_ns = w->at_ns;
		ring(r); /* it sleeps too long */
	}
	pthread_mutex_unlock(&r->lock);
	if (!now)
		return;
	if (w->answer != NULL) {
		call_back(w);
		return;
	}
	done(arg, &out);
	xfree(w);
}

void
resolver_stats(struct resolver *r, struct resolver_stats *out)
{
	pthread_mutex_lock(&r->lock);
	*out = r->stats;
	out->waiting = r->waiting;
	pthread_mutex_unlock(&r->lock);
}
