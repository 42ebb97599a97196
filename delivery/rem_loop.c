/*
 * The loop: one thread and one epoll set, edge-triggered, so that a server
 * that stalls costs a descriptor and some kilobytes, and a message on a warm
 * connection no epoll_ctl.  What other threads want comes through the inbox.
 *
 * Time-outs are found by looking at all connections when the earliest of them
 * may be due; that time only ever errs on the early side.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

#include "delivery/rem_impl.h"

#define EVENTS_MAX  64
#define NS_PER_MS   INT64_C(1000000)
#define WAIT_MAX_MS 60000

/* RFC 5321 section 4.5.3.2, where it says something. */
const struct rem_limits rem_limits = {
	.connect = 30000,
	.phase = {
		[MAIL_PHASE_GREETING] = 300000,
		[MAIL_PHASE_HELLO] = 300000,
		[MAIL_PHASE_TLS] = 60000,
		[MAIL_PHASE_AUTH] = 120000,
		[MAIL_PHASE_IDLE] = 5000,
		[MAIL_PHASE_RSET] = 60000,
		[MAIL_PHASE_MAIL] = 300000,
		[MAIL_PHASE_RCPT] = 300000,
		[MAIL_PHASE_DATA] = 120000,
		[MAIL_PHASE_BODY] = 180000,
		[MAIL_PHASE_DOT] = 600000,
		[MAIL_PHASE_QUIT] = 5000,
	},
	.dns = 20000,
	.idle = 5000,
	.age = 300000,
	.margin = 1000,
	.rate_grace = 60000,
	.min_rate = 512,
	.per_connection = 100,
	.idle_per_hop = 4,
	.idle_max = 50,
};

struct rem_conf *
rem_conf_ref(struct rem_conf *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

void
rem_conf_unref(struct rem_conf **cp)
{
	struct rem_conf *c = *cp;

	*cp = NULL;
	if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	if (c->password.n > 0)
		explicit_bzero((char *)(uintptr_t)c->password.p, c->password.n);
	arena_free(&c->a);
	xfree(c);
}

void
rem_post(struct rem *r, void (*run)(void *arg), void *arg)
{
	struct rem_event *e = xmalloc(sizeof(*e));
	uint64_t one = 1;
	bool first;

	*e = (struct rem_event){ .run = run, .arg = arg };
	pthread_mutex_lock(&r->lock);
	first = r->inbox == NULL;
	*r->inbox_tail = e;
	r->inbox_tail = &e->next;
	pthread_mutex_unlock(&r->lock);
	if (first && write(r->wake_fd, &one, sizeof(one)) != sizeof(one))
		panic("eventfd: errno %d", errno);
}

void
rem_wake_at(struct rem *r, int64_t at)
{
	r->next_scan = MIN(r->next_scan, at);
}

static void
run_inbox(struct rem *r)
{
	struct rem_event *e;

	pthread_mutex_lock(&r->lock);
	e = r->inbox;
	r->inbox = NULL;
	r->inbox_tail = &r->inbox;
	pthread_mutex_unlock(&r->lock);
	while (e != NULL) {
		struct rem_event *next = e->next;

		e->run(e->arg);
		xfree(e);
		e = next;
	}
}

static struct rem_conn *
overdue(struct rem *r, int64_t now)
{
	struct rem_conn *c;

	DL_FOREACH(r->conns, c)
	{
		if (now >= c->due)
			return c;
		rem_wake_at(r, c->due);
	}
	return NULL;
}

static void
scan(struct rem *r)
{
	int64_t now = now_ns();
	struct rem_conn *c;

	if (now < r->next_scan)
		return;
	r->next_scan = now + WAIT_MAX_MS * NS_PER_MS;
	/* One that times out may take others with it: begin anew. */
	while ((c = overdue(r, now)) != NULL)
		rem_conn_timeout(c);
	rem_job_tick(r, now);
}

/* Those that had more to do than their turn allowed. */
static void
run_again(struct rem *r)
{
	struct rem_conn *c;
	unsigned n;

	DL_COUNT2(r->again, c, n, again_next);
	for (; n > 0 && (c = r->again) != NULL; n--) {
		DL_DELETE2(r->again, c, again_prev, again_next);
		c->again = false;
		rem_conn_run(c);
	}
}

static int
wait_ms(const struct rem *r)
{
	int64_t at =
	    r->stopping ? MIN(r->next_scan, r->stop_dl.at_ns) : r->next_scan;
	int64_t left = at - now_ns();

	if (r->again != NULL || left <= 0)
		return 0;
	return (int)MIN(left / NS_PER_MS + 1, WAIT_MAX_MS);
}

static void
turn(struct rem *r)
{
	struct epoll_event ev[EVENTS_MAX];
	int n = epoll_wait(r->epoll_fd, ev, EVENTS_MAX, wait_ms(r));
	uint64_t count;

	if (n < 0 && errno != EINTR)
		panic("epoll_wait: errno %d", errno);
	for (int i = 0; i < n; i++) {
		struct rem_conn *c = ev[i].data.ptr;

		if (c == NULL) {
			if (read(r->wake_fd, &count, sizeof(count)) < 0 &&
			    errno != EAGAIN)
				panic("eventfd: errno %d", errno);
			run_inbox(r);
		} else if (!c->closed) {
			rem_conn_event(c, ev[i].events);
		}
	}
	run_again(r);
	scan(r);
	if (r->stopping)
		rem_jobs_stop(r, deadline_over(r->stop_dl));
	rem_conns_bury(r);
}

static void *
loop_main(void *arg)
{
	struct rem *r = arg;

	while (!r->stopping || (r->njobs > 0 && !deadline_over(r->stop_dl)))
		turn(r);
	rem_jobs_stop(r, true);
	rem_pool_clear(r);
	rem_conns_bury(r);
	return NULL;
}

static bool
make_fds(struct rem *r)
{
	struct epoll_event ev = { .events = EPOLLIN };

	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return r->epoll_fd >= 0 && r->wake_fd >= 0 &&
	       epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->wake_fd, &ev) == 0;
}

void
rem_free(struct rem **rp)
{
	struct rem *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	rem_jobs_free(r);
	rem_tls_free(&r->tls);
	rem_conf_unref(&r->conf);
	fd_close(&r->epoll_fd);
	fd_close(&r->wake_fd);
	pthread_mutex_destroy(&r->lock);
	xfree(r);
}

static void
trust(struct rem *r)
{
	/* Always: a reload may ask for it, and cannot load it any more. */
	if (rem_tls_trust(r->tls, &r->log, r->conf->ca) != RC_OK)
		log_warn(&r->log, "remote.trust",
		    KVC("todo", "smart hosts cannot be verified"));
}

struct rem *
rem_start(const struct log *log, struct rem_conf *conf, struct resolver *dns)
{
	struct rem *r = xcalloc(1, sizeof(*r));

	r->log = *log;
	r->conf = conf;
	r->dns = dns;
	r->epoll_fd = r->wake_fd = -1;
	r->inbox_tail = &r->inbox;
	pthread_mutex_init(&r->lock, NULL);
	r->tls = rem_tls_new(log);
	if (r->tls == NULL || !make_fds(r)) {
		log_error(log, "remote.start", KVE(errno));
		rem_free(&r);
		return NULL;
	}
	trust(r);
	if (pthread_create(&r->thread, NULL, loop_main, r) != 0)
		panic("cannot start a thread");
	return r;
}

struct submitted {
	struct rem *r;
	const struct rem_message *in;
	bool probe;
	struct deadline dl;
	rem_answer *answer;
	void *arg;
};

static void
on_submit(void *arg)
{
	struct submitted s = *(struct submitted *)arg;

	xfree(arg);
	if (s.r->stopping)
		s.answer(s.arg, RC_TEMP, NULL);
	else
		rem_job_submit(s.r, s.in, s.probe, s.dl, s.answer, s.arg);
}

static void
post_job(struct rem *r, const struct submitted *what)
{
	struct submitted *s;
	bool ended;

	pthread_mutex_lock(&r->lock);
	ended = r->ended;
	pthread_mutex_unlock(&r->lock);
	if (ended) {
		what->answer(what->arg, RC_TEMP, NULL);
		return;
	}
	s = xmalloc(sizeof(*s));
	*s = *what;
	rem_post(r, on_submit, s);
}

void
rem_submit(struct rem *r, const struct rem_message *in, struct deadline dl,
    rem_answer *answer, void *arg)
{
	post_job(r, &(struct submitted){ r, in, false, dl, answer, arg });
}

void
rem_probe(struct rem *r, const struct rem_message *in, struct deadline dl,
    rem_answer *answer, void *arg)
{
	post_job(r, &(struct submitted){ r, in, true, dl, answer, arg });
}

struct configured {
	struct rem *r;
	struct rem_conf *conf;
};

/* Idle connections were made by the old rules. */
static void
on_configure(void *arg)
{
	struct configured c = *(struct configured *)arg;

	xfree(arg);
	rem_pool_clear(c.r);
	rem_conf_unref(&c.r->conf);
	c.r->conf = c.conf;
}

void
rem_configure(struct rem *r, struct rem_conf *conf)
{
	struct configured *c = xmalloc(sizeof(*c));

	*c = (struct configured){ r, conf };
	rem_post(r, on_configure, c);
}

const struct rem_counts *
rem_counts(const struct rem *r)
{
	return &r->counts;
}

struct stop {
	struct rem *r;
	struct deadline dl;
};

static void
on_stop(void *arg)
{
	struct stop *s = arg;

	s->r->stopping = true;
	s->r->stop_dl = s->dl;
	rem_wake_at(s->r, s->dl.at_ns);
}

bool
rem_stop(struct rem *r, struct deadline dl)
{
	struct stop s = { r, dl };

	rem_post(r, on_stop, &s);
	pthread_join(r->thread, NULL);
	pthread_mutex_lock(&r->lock);
	r->ended = true;
	pthread_mutex_unlock(&r->lock);
	run_inbox(r); /* what came meanwhile is answered RC_TEMP */
	return r->njobs == 0;
}
