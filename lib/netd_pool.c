/*
 * The workers.  Two run queues: authenticated sessions first, and while there
 * are any, a quarter of the workers takes nothing else, so that a crowd of
 * strangers whose back-end hangs leaves somebody for people at work.
 * Strangers are not starved either: every eighth unit is theirs if they wait.
 *
 * Idle workers form a stack, so that the one whose cache is warm works next.
 * Only one of them is being woken at a time; it wakes another if it finds more
 * than one session waiting.  A burst of short units is thus eaten by few
 * workers, and one of long units still gets all of them.
 *
 * A worker goes on with the next unit of the same session when it is there
 * already, up to NETD_UNITS: pipelined commands cost no trip to the reactor.
 */
#include <signal.h>

#include "lib/netd_impl.h"

#define STACK_SIZE (1u << 20)

static void
push(struct netd_pool *p, struct netd_conn *c)
{
	unsigned q = c->authenticated ? 1 : 0;

	c->qnext = NULL;
	*p->tail[q] = c;
	p->tail[q] = &c->qnext;
}

static struct netd_conn *
pop_from(struct netd_pool *p, unsigned q)
{
	struct netd_conn *c = p->head[q];

	if (c == NULL)
		return NULL;
	p->head[q] = c->qnext;
	if (p->head[q] == NULL)
		p->tail[q] = &p->head[q];
	c->qnext = NULL;
	return c;
}

static bool
strangers_may(const struct netd *d)
{
	unsigned n = d->conf.workers;

	if (atomic_load_explicit(&d->authenticated, memory_order_relaxed) == 0)
		return true;
	return d->pool.strangers < MAX(n - n / 4, 1u);
}

static struct netd_conn *
pop(struct netd *d, unsigned turn)
{
	struct netd_conn *c = NULL;

	if (turn % 8 == 0 && strangers_may(d))
		c = pop_from(&d->pool, 0);
	if (c == NULL)
		c = pop_from(&d->pool, 1);
	if (c == NULL && strangers_may(d))
		c = pop_from(&d->pool, 0);
	return c;
}

/* With the lock held: somebody to wake, if there is a need. */
static struct netd_worker *
to_wake(struct netd_pool *p)
{
	struct netd_worker *w = p->idle;

	if (w == NULL || p->waking ||
	    (p->head[0] == NULL && p->head[1] == NULL))
		return NULL;
	p->idle = w->next;
	p->waking = true;
	return w;
}

void
netd_pool_submit(struct netd_conn *c, enum netd_job job)
{
	struct netd_pool *p = &c->d->pool;
	struct netd_worker *w;

	assert(!c->out);
	c->out = true;
	c->job = job;
	c->due = NETD_NEVER;
	pthread_mutex_lock(&p->lock);
	push(p, c);
	w = to_wake(p);
	pthread_mutex_unlock(&p->lock);
	if (w != NULL)
		sem_post(&w->work);
}

size_t
netd_frame(struct netd_conn *c)
{
	struct str in = netd_in(c);
	size_t n;

	if (in.n <= c->in_seen)
		return 0;
	n = c->l->ops->frame(c->session, in);
	if (n > in.n)
		panic("%s: frame() wants %zu of %zu bytes", c->d->conf.name, n,
		    in.n);
	c->in_seen = n ? 0 : in.n;
	return n;
}

enum next
netd_call(struct netd_conn *c, enum netd_unit_kind kind, size_t n)
{
	struct netd_unit u = { .kind = kind,
		.data =
		    kind == UNIT_DATA ? str_sub(netd_in(c), 0, n) : STR_NULL };
	enum next was = c->next;

	c->in_off += n;
	c->rate_n += n;
	c->in_seen = 0;
	c->unit_from = 0;
	c->wake_at = 0;
	if (kind == UNIT_DATA)
		c->first = false;
	if (kind != UNIT_WAKE || was != NEXT_IDLE)
		c->restart = true;
	c->next = c->l->ops->unit(c->session, c, &u);
	if (kind == UNIT_TOO_LONG) {
		c->in.n = c->in_off = 0;
	} else if (c->in_off == c->in.n) {
		c->in.n = c->in_off = 0;
	}
	return c->next;
}

static bool
more_to_do(struct netd_conn *c, size_t *n)
{
	if (c->next != NEXT_INPUT && c->next != NEXT_IDLE)
		return false;
	if (netd_out(c) >= c->d->conf.out_high)
		return false;
	*n = netd_frame(c);
	return *n > 0;
}

static void
run_units(struct netd_conn *c, enum netd_unit_kind kind, size_t n)
{
	for (unsigned i = 0;; i++) {
		netd_call(c, kind, n);
		if (i + 1 == NETD_UNITS || !more_to_do(c, &n))
			break;
		kind = UNIT_DATA;
	}
	if (c->next == NEXT_CLOSE || c->next == NEXT_ABORT) {
		c->l->ops->close(c->session);
		c->session = NULL;
	}
}

/* The first step of TLS that is not encryption: here the service learns. */
static void
secured(struct netd_conn *c)
{
	c->secured = true;
	c->phase = NP_SERVING;
	c->next = NEXT_INPUT;
	if (c->session != NULL) {
		run_units(c, UNIT_TLS, 0);
		return;
	}
	c->session = c->l->ops->open(c->l->ctx, c);
	if (c->session == NULL)
		c->next = NEXT_ABORT;
	else
		run_units(c, UNIT_OPEN, 0);
}

static void
work(struct netd_conn *c)
{
	switch (c->job) {
	case JOB_UNIT:
		run_units(c, c->kind, c->unit_n);
		break;
	case JOB_HANDSHAKE:
		switch (netd_tls_step(c)) {
		case RC_OK:
			secured(c);
			break;
		case RC_TEMP:
			break;
		default:
			c->next = NEXT_ABORT;
		}
		break;
	case JOB_CLOSE:
		c->l->ops->close(c->session);
		c->session = NULL;
		break;
	}
	netd_reactor_return(c);
}

/* With the lock held, and again when this returns. */
static void
sleep_on(struct netd_pool *p, struct netd_worker *w)
{
	w->next = p->idle;
	p->idle = w;
	pthread_mutex_unlock(&p->lock);
	while (sem_wait(&w->work) < 0)
		continue; /* EINTR */
	pthread_mutex_lock(&p->lock);
	p->waking = false;
}

static void *
worker_main(void *arg)
{
	struct netd_worker *w = arg, *other;
	struct netd *d = w->d;
	struct netd_pool *p = &d->pool;
	unsigned turn = 0;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct netd_conn *c = pop(d, ++turn);
		bool stranger;

		if (c == NULL) {
			if (p->quit)
				break;
			sleep_on(p, w);
			continue;
		}
		stranger = !c->authenticated;
		p->strangers += stranger;
		other = to_wake(p);
		pthread_mutex_unlock(&p->lock);
		if (other != NULL)
			sem_post(&other->work);
		work(c);
		pthread_mutex_lock(&p->lock);
		p->strangers -= stranger;
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

bool
netd_pool_start(struct netd *d)
{
	struct netd_pool *p = &d->pool;
	pthread_attr_t attr;
	bool ok = true;

	for (unsigned q = 0; q < 2; q++)
		p->tail[q] = &p->head[q];
	d->workers = xcalloc(d->conf.workers, sizeof(d->workers[0]));
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	while (ok && d->nthreads < d->conf.workers) {
		struct netd_worker *w = &d->workers[d->nthreads];

		w->d = d;
		sem_init(&w->work, 0, 0);
		ok = pthread_create(&w->thread, &attr, worker_main, w) == 0;
		if (ok)
			d->nthreads++;
	}
	pthread_attr_destroy(&attr);
	return ok;
}

void
netd_pool_stop(struct netd *d)
{
	struct netd_worker *w;

	pthread_mutex_lock(&d->pool.lock);
	d->pool.quit = true;
	while ((w = d->pool.idle) != NULL) {
		d->pool.idle = w->next;
		sem_post(&w->work);
	}
	pthread_mutex_unlock(&d->pool.lock);
	for (unsigned i = 0; i < d->nthreads; i++) {
		pthread_join(d->workers[i].thread, NULL);
		sem_destroy(&d->workers[i].work);
	}
	xfree(d->workers);
}
