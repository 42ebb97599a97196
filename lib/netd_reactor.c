/*
 * The loop.  Three things give a reactor work: its epoll set, sessions that
 * come back from workers, and wakers.  The last two are lock-free lists;
 * the eventfd is written only if the reactor sleeps or is about to, so a busy
 * reactor costs its workers no system call.  The eventfd is edge triggered and
 * never read.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/netd_impl.h"

#define EVENTS_MAX 256

int64_t
netd_now(void)
{
	return now_ns() / 1000000;
}

void
netd_reactor_kick(struct netd_reactor *r)
{
	const uint64_t one = 1;

	while (write(r->evfd, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

/* Something was put on a list: does this thread have to wake the reactor? */
static void
brought(struct netd_reactor *r)
{
	if (atomic_load(&r->asleep) && atomic_exchange(&r->asleep, false))
		netd_reactor_kick(r);
}

void
netd_reactor_return(struct netd_conn *c)
{
	struct netd_reactor *r = c->r;
	struct netd_conn *head = atomic_load(&r->back);

	do {
		c->qnext = head;
	} while (!atomic_compare_exchange_weak(&r->back, &head, c));
	brought(r);
}

/* The waker's lock is held, so its session and this reactor live. */
void
netd_reactor_wake(struct netd_reactor *r, struct netd_waker *w)
{
	struct netd_waker *head = atomic_load(&r->wakes);

	do {
		w->next = head;
	} while (!atomic_compare_exchange_weak(&r->wakes, &head, w));
	brought(r);
}

void
netd_reactor_again(struct netd_conn *c)
{
	if (c->again)
		return;
	c->again = true;
	c->qnext = c->r->turn;
	c->r->turn = c;
}

static void
woken(struct netd_waker *w)
{
	struct netd_conn *c;

	pthread_mutex_lock(&w->lock);
	w->queued = false;
	c = w->c;
	pthread_mutex_unlock(&w->lock);
	/* Only this thread detaches it, so c stays valid. */
	if (c != NULL) {
		c->woken = true;
		if (!c->out && !c->again && c->phase == NP_SERVING)
			netd_run(c);
	}
	netd_waker_unref(&w);
}

/* Who came back first goes first. */
static struct netd_conn *
reversed(struct netd_conn *c)
{
	struct netd_conn *out = NULL, *next;

	for (; c != NULL; c = next) {
		next = c->qnext;
		c->qnext = out;
		out = c;
	}
	return out;
}

/* Sessions that used up their turn, then what others have brought. */
static void
take_lists(struct netd_reactor *r)
{
	struct netd_conn *c, *next, *turn = r->turn;
	struct netd_waker *w, *wnext;

	r->turn = NULL;
	c = reversed(atomic_exchange(&r->back, NULL));
	w = atomic_exchange(&r->wakes, NULL);
	for (; turn != NULL; turn = next) {
		next = turn->qnext;
		turn->again = false;
		netd_run(turn);
	}
	for (; c != NULL; c = next) {
		next = c->qnext;
		c->out = false;
		netd_run(c);
	}
	for (; w != NULL; w = wnext) {
		wnext = w->next;
		woken(w);
	}
}

static void
on_event(struct netd_conn *c, uint32_t events, bool relay)
{
	uint8_t *ev = relay ? &c->relay_ev : &c->ev;

	if (c->dead)
		return;
	if (events & EPOLLIN)
		*ev |= EV_IN;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		*ev |= EV_IN | EV_HUP;
	if (events & EPOLLOUT)
		*ev &= (uint8_t)~EV_BLOCKED;
	if ((events & (EPOLLHUP | EPOLLERR)) && !relay)
		atomic_store(&c->gone, true);
	if (events & (EPOLLHUP | EPOLLERR))
		*ev &= (uint8_t)~EV_BLOCKED; /* let a write see the error */
	if (!c->out && !c->again)
		netd_run(c);
}

static void
sleep_and_run(struct netd_reactor *r, int timeout)
{
	struct epoll_event e[EVENTS_MAX];
	int n = epoll_wait(r->epfd, e, EVENTS_MAX, timeout);

	if (n < 0 && errno != EINTR)
		panic("epoll_wait: errno %d", errno);
	atomic_store_explicit(&r->asleep, false, memory_order_relaxed);
	r->now = netd_now();
	for (int i = 0; i < n; i++) {
		uintptr_t p = (uintptr_t)e[i].data.u64;
		unsigned tag = p & NETD_TAG_MASK;

		if (tag == NETD_TAG_KICK)
			continue;
		if (tag == NETD_TAG_LISTENER) {
			if (r->listening)
				netd_accept(r, &r->d->listeners[p >> 2]);
		} else {
			on_event((void *)(p & ~(uintptr_t)NETD_TAG_MASK),
			    e[i].events, tag == NETD_TAG_RELAY);
		}
	}
}

/* How long to sleep; 0 when a list was filled meanwhile. */
static int
sleep_time(struct netd_reactor *r)
{
	int timeout = netd_timer_wait(r);
	int64_t stop = atomic_load(&r->d->stop_due);
	bool work;

	if (!r->listening && !r->stopping)
		timeout = timeout < 0 ? NETD_ACCEPT_WAIT
				      : MIN(timeout, NETD_ACCEPT_WAIT);
	if (r->stopping) {
		int left = (int)MIN(MAX(stop - r->now, 10), 3600000);

		timeout = timeout < 0 ? left : MIN(timeout, left);
	}
	/*
	 * First say so, then look: whoever brings something does it the other
	 * way round.
	 */
	atomic_store(&r->asleep, true);
	work = atomic_load(&r->back) != NULL ||
	       atomic_load(&r->wakes) != NULL || r->turn != NULL ||
	       (stop != NETD_NEVER && !r->stopping);
	if (work)
		atomic_store(&r->asleep, false);
	return work ? 0 : timeout;
}

static void
bury(struct netd_reactor *r)
{
	struct netd_conn *c;

	while ((c = r->dead) != NULL) {
		r->dead = c->qnext;
		xfree(c->local);
		xfree(c);
	}
}

/* Tell everybody once; at the deadline cut whoever is still here. */
static void
stop_round(struct netd_reactor *r)
{
	bool cut = r->now >= atomic_load(&r->d->stop_due);
	struct netd_conn *c, *next;

	if (r->stopping && !cut)
		return;
	if (!r->stopping)
		netd_listen(r, false);
	r->stopping = true;
	for (c = r->conns; c != NULL; c = next) {
		next = c->next_conn;
		if (c->out || c->again)
			continue;
		if (cut || c->phase == NP_HANDSHAKE || c->phase == NP_PROXY)
			netd_drop(c);
		else
			netd_run(c);
	}
}

void *
netd_reactor_main(void *arg)
{
	struct netd_reactor *r = arg;
	struct netd_conn *c;

	r->now = netd_now();
	for (;;) {
		sleep_and_run(r, sleep_time(r));
		take_lists(r);
		while ((c = netd_timer_pop(r)) != NULL)
			netd_timed_out(c);
		if (atomic_load(&r->d->stop_due) != NETD_NEVER)
			stop_round(r);
		else if (!r->listening && r->now >= r->accept_at)
			netd_listen(r, true);
		bury(r);
		if (r->stopping && r->conns == NULL)
			return NULL;
	}
}

bool
netd_reactor_init(struct netd_reactor *r, struct netd *d)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET,
		.data.u64 = NETD_TAG_KICK };

	r->d = d;
	r->scratch = xmalloc(NETD_SCRATCH);
	r->plain = xmalloc((size_t)2 * NETD_SCRATCH);
	r->epfd = epoll_create1(EPOLL_CLOEXEC);
	r->evfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return r->epfd >= 0 && r->evfd >= 0 &&
	       epoll_ctl(r->epfd, EPOLL_CTL_ADD, r->evfd, &e) == 0 &&
	       netd_listen(r, true);
}

void
netd_reactor_free(struct netd_reactor *r)
{
	struct netd_waker *w = atomic_exchange(&r->wakes, NULL), *next;

	assert(r->conns == NULL);
	for (; w != NULL; w = next) {
		next = w->next;
		netd_waker_unref(&w);
	}
	fd_close(&r->epfd);
	fd_close(&r->evfd);
	xfree(r->scratch);
	xfree(r->plain);
	xfree(r->heap);
	buf_free(&r->spare);
}
