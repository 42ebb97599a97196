/*
 * One list of those who wait, in the order in which they came, and one of the
 * clients that are in here at all; both are short (the limits), so they are
 * searched from the front.
 *
 * When a place is free, everybody who waits belongs to a client that has its
 * share; therefore one more that comes need not look at the list, and one that
 * leaves lets in one.
 */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "policy/pol_queue.h"

struct pol_turn_client {
	struct pol_turn_client *next;
	struct net_addr source;
	unsigned running, waiting;
};

struct pol_queue {
	pthread_mutex_t lock;
	pthread_cond_t comes; /* one more waits, or stop */
	struct pol_turn_client *clients;
	struct pol_turn *head, **tail; /* who waits */
	unsigned running, waiting;
	unsigned running_max, waiting_max;
	unsigned client_running_max, client_waiting_max;
	bool stop;
};

struct pol_queue *
pol_queue_new(unsigned running, unsigned waiting)
{
	struct pol_queue *q = xcalloc(1, sizeof(*q));
	pthread_condattr_t attr;

	assert(running > 0);
	pthread_mutex_init(&q->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->comes, &attr);
	pthread_condattr_destroy(&attr);
	q->tail = &q->head;
	q->running_max = running;
	q->waiting_max = waiting;
	q->client_running_max = MAX(running / 4, MIN(running, 2u));
	q->client_waiting_max = MAX(waiting - waiting / 4, 1u);
	return q;
}

void
pol_queue_free(struct pol_queue **qp)
{
	struct pol_queue *q = *qp;

	if (q == NULL)
		return;
	*qp = NULL;
	assert(q->clients == NULL);
	pthread_cond_destroy(&q->comes);
	pthread_mutex_destroy(&q->lock);
	xfree(q);
}

static struct pol_turn_client *
client_of(struct pol_queue *q, struct str ip)
{
	struct net_addr source = { { 0 } }, addr;
	struct pol_turn_client *c = q->clients;

	if (net_addr_parse(ip, &addr) == RC_OK)
		source = net_source(&addr);
	while (c != NULL && memcmp(&c->source, &source, sizeof(source)) != 0)
		c = c->next;
	if (c != NULL)
		return c;
	c = xcalloc(1, sizeof(*c));
	c->source = source;
	c->next = q->clients;
	q->clients = c;
	return c;
}

/* If nothing of it is in here any more. */
static void
client_drop(struct pol_queue *q, struct pol_turn_client *c)
{
	struct pol_turn_client **p = &q->clients;

	if (c->running > 0 || c->waiting > 0)
		return;
	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	xfree(c);
}

static bool
may_run(const struct pol_queue *q, const struct pol_turn_client *c)
{
	return q->running < q->running_max &&
	       c->running < q->client_running_max;
}

enum pol_turn_is
pol_queue_enter(struct pol_queue *q, struct str ip, struct deadline start_by,
    struct pol_turn *t)
{
	enum pol_turn_is is = POL_TURN_BUSY;
	struct pol_turn_client *c;

	pthread_mutex_lock(&q->lock);
	c = client_of(q, ip);
	*t = (struct pol_turn){ .client = c, .start_by = start_by };
	if (may_run(q, c)) {
		is = POL_TURN_RUN;
		q->running++;
		c->running++;
	} else if (!q->stop && q->waiting < q->waiting_max &&
		   c->waiting < q->client_waiting_max) {
		is = POL_TURN_WAIT;
		q->waiting++;
		c->waiting++;
		*q->tail = t;
		q->tail = &t->next;
		pthread_cond_signal(&q->comes);
	} else {
		client_drop(q, c);
	}
	pthread_mutex_unlock(&q->lock);
	return is;
}

/* Out of those who wait. */
static struct pol_turn *
unlink_turn(struct pol_queue *q, struct pol_turn **p)
{
	struct pol_turn *t = *p;

	*p = t->next;
	if (*p == NULL)
		q->tail = p;
	t->next = NULL;
	q->waiting--;
	t->client->waiting--;
	return t;
}

struct pol_turn *
pol_queue_done(struct pol_queue *q, struct pol_turn *t)
{
	struct pol_turn **p, *next = NULL;

	pthread_mutex_lock(&q->lock);
	q->running--;
	t->client->running--;
	client_drop(q, t->client);
	for (p = &q->head; *p != NULL; p = &(*p)->next)
		if (may_run(q, (*p)->client) && !deadline_over((*p)->start_by))
			break;
	if (*p != NULL) {
		next = unlink_turn(q, p);
		q->running++;
		next->client->running++;
	}
	pthread_mutex_unlock(&q->lock);
	return next;
}

/* With the lock: those who are late, or all. */
static struct pol_turn *
take_out(struct pol_queue *q, bool all)
{
	struct pol_turn *out = NULL, **end = &out;

	for (struct pol_turn **p = &q->head; *p != NULL;) {
		if (!all && !deadline_over((*p)->start_by)) {
			p = &(*p)->next;
			continue;
		}
		*end = unlink_turn(q, p);
		client_drop(q, (*end)->client);
		end = &(*end)->next;
	}
	return out;
}

/* With the lock. */
static void
sleep_until_late(struct pol_queue *q)
{
	int64_t at = INT64_MAX;
	struct timespec ts;

	for (const struct pol_turn *t = q->head; t != NULL; t = t->next)
		at = MIN(at, t->start_by.at_ns);
	ts = (struct timespec){ at / 1000000000, at % 1000000000 };
	if (at == INT64_MAX)
		pthread_cond_wait(&q->comes, &q->lock);
	else
		(void)pthread_cond_timedwait(&q->comes, &q->lock, &ts);
}

struct pol_turn *
pol_queue_late(struct pol_queue *q)
{
	struct pol_turn *out = NULL;

	pthread_mutex_lock(&q->lock);
	while (!q->stop && (out = take_out(q, false)) == NULL)
		sleep_until_late(q);
	pthread_mutex_unlock(&q->lock);
	return out;
}

struct pol_turn *
pol_queue_stop(struct pol_queue *q)
{
	struct pol_turn *out;

	pthread_mutex_lock(&q->lock);
	q->stop = true;
	out = take_out(q, true);
	pthread_cond_signal(&q->comes);
	pthread_mutex_unlock(&q->lock);
	return out;
}
