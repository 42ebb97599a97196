/*
 * Leader and followers: all workers wait on one epoll set, and the kernel's
 * ready list is the request queue.
 *
 * Connections are edge-triggered.  Whoever gets an event claims the
 * connection (`busy`), reads until the socket is empty, and gives it back
 * before it runs a handler; an event that meets a claimed connection leaves
 * a note (`again`), upon which the owner reads once more.  That saves the
 * epoll_ctl of EPOLLONESHOT: a small request costs epoll_wait, recvmsg and
 * sendmsg.  A short read without descriptors has emptied the socket (the
 * kernel joins pieces unless they carry descriptors), so no second recvmsg is
 * needed to find that out.
 *
 * When one read brings several requests, the worker keeps the first, queues
 * the rest, and wakes one other; who finds more in the queue wakes the next.
 * So requests that block spread over the workers, and quick ones are done by
 * the first before the second is awake.
 *
 * Events name a slot and its generation, not a pointer: an event may be in
 * one worker's hands while another closes the connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/rpcd_impl.h"

uint64_t
rpcd_event_key(const struct rpcd_conn *c)
{
	return (uint64_t)c->d->slots[c->slot].generation << 32 | c->slot;
}

/* The last reference: everybody has left. */
void
rpcd_release(struct rpcd *d)
{
	if (atomic_fetch_sub(&d->refs, 1) != 1)
		return;
	while (d->kept != NULL) {
		struct rpcd_item *item = d->kept;

		d->kept = item->next;
		ipc_msg_free(&item->r.msg);
		ipc_msg_free(&item->r.out);
		arena_free(&item->r.a);
		xfree(item);
	}
	fd_close(&d->epoll_fd);
	fd_close(&d->work_fd);
	pthread_cond_destroy(&d->idle);
	pthread_mutex_destroy(&d->lock);
	xfree(d->threads);
	xfree(d->slots);
	xfree(d->uids);
	xfree(d);
}

static bool
may_connect(const struct rpcd *d, uid_t uid)
{
	if (uid == 0 || uid == geteuid())
		return true;
	for (size_t i = 0; i < d->conf.nuids; i++)
		if (d->uids[i] == uid)
			return true;
	return false;
}

/* Under lock: a free slot, or max_conns. */
static uint32_t
free_slot(const struct rpcd *d)
{
	uint32_t i = 0;

	while (i < d->conf.max_conns && d->slots[i].conn != NULL)
		i++;
	return i;
}

static void
conn_add(struct rpcd *d, int fd, const struct ucred *peer)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET };
	struct rpcd_conn *c;
	uint32_t slot;

	pthread_mutex_lock(&d->lock);
	slot = free_slot(d);
	if (slot == d->conf.max_conns || d->stop) {
		pthread_mutex_unlock(&d->lock);
		fd_close(&fd);
		log_warn(&d->log, "rpc.full", KVC("service", d->name),
		    KVU("max", d->conf.max_conns), KVU("uid", peer->uid));
		return;
	}
	c = xcalloc(1, sizeof(*c));
	*c = (struct rpcd_conn){ .d = d, .fd = fd, .slot = slot };
	c->uid = peer->uid;
	c->pid = peer->pid;
	atomic_init(&c->refs, 1);
	ipc_reader_init(&c->r, RPCD_CHUNK);
	pthread_mutex_init(&c->out_lock, NULL);
	atomic_fetch_add(&d->refs, 1);
	d->slots[slot].conn = c;
	d->slots[slot].generation++;
	d->nconns++;
	ev.data.u64 = rpcd_event_key(c);
	if (epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		panic("epoll_ctl: errno %d", errno);
	pthread_mutex_unlock(&d->lock);
}

static void
on_listen(struct rpcd *d)
{
	for (int i = 0; i < RPCD_EVENTS && !d->stop; i++) {
		struct ucred peer = { 0 };
		socklen_t n = sizeof(peer);
		AUTO_FD fd =
		    accept4(d->conf.listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EAGAIN || errno == ECONNABORTED ||
			    errno == EINTR)
				return;
			log_error(&d->log, "rpc.accept",
			    KVC("service", d->name), KVE(errno));
			/* EMFILE stays; do not spin on it. */
			nanosleep(&(struct timespec){ 0, 100000000 }, NULL);
			return;
		}
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 ||
		    !may_connect(d, peer.uid)) {
			log_warn(&d->log, "rpc.denied", KVC("service", d->name),
			    KVU("uid", peer.uid), KVI("pid", peer.pid));
			continue;
		}
		conn_add(d, take(&fd), &peer);
	}
}

static void
set_partial(struct rpcd_conn *c, bool partial)
{
	int64_t was = atomic_load(&c->partial_since);

	if (partial == (was != 0))
		return;
	atomic_store(&c->partial_since, partial ? now_ns() : 0);
	if (partial)
		atomic_fetch_add(&c->d->partials, 1);
	else
		atomic_fetch_sub(&c->d->partials, 1);
}

/* By the owner: nobody will find it any more. */
static void
conn_close(struct rpcd_conn *c)
{
	struct rpcd *d = c->d;

	set_partial(c, false);
	pthread_mutex_lock(&c->out_lock);
	c->dead = true;
	pthread_mutex_unlock(&c->out_lock);
	if (epoll_ctl(d->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL) < 0)
		panic("epoll_ctl: errno %d", errno);
	shutdown(c->fd, SHUT_RDWR);
	pthread_mutex_lock(&d->lock);
	d->slots[c->slot].conn = NULL;
	d->nconns--;
	pthread_mutex_unlock(&d->lock);
	if (atomic_load(&c->subscribed) && d->conf.gone != NULL)
		d->conf.gone(d->conf.ctx, c);
	rpcd_conn_put(c);
}

static void
item_fill(struct rpcd_item *item, struct rpcd_conn *c)
{
	struct rpcd_req *r = &item->r;

	r->op = r->msg.op;
	r->id = r->msg.id;
	ipc_in_init(&r->in, &r->msg);
	r->dl = deadline_in(r->msg.extra);
	r->uid = c->uid;
	r->pid = c->pid;
	r->rpcd = c->d;
	r->conn = c;
	r->out.op = r->op;
	rpcd_conn_get(c);
}

/* Take all whole frames; appends to *tail. */
static enum rc
take_frames(struct rpcd_conn *c, struct rpcd_item ***tail)
{
	while (ipc_reader_ready(&c->r)) {
		struct rpcd_item *item = rpcd_item_new(c->d);
		enum rc rc = ipc_reader_next(&c->r, &item->r.msg);

		if (rc == RC_OK && item->r.msg.id == 0)
			rc = RC_BAD; /* those are pushes */
		if (rc != RC_OK) {
			rpcd_item_free(c->d, item, false);
			return RC_BAD;
		}
		item_fill(item, c);
		**tail = item;
		*tail = &item->next;
	}
	return RC_OK;
}

/* By the owner: read until the socket is empty.  False: it must go. */
static bool
conn_read(struct rpcd_conn *c, struct rpcd_item ***tail)
{
	bool more = true;

	while (more) {
		enum rc rc = ipc_reader_fill(&c->r, c->fd, MSG_DONTWAIT, &more);

		if (rc == RC_TEMP && errno == EAGAIN)
			return true;
		if (rc == RC_OK)
			rc = take_frames(c, tail);
		if (rc == RC_BAD)
			log_warn(&c->d->log, "rpc.bad_frame",
			    KVC("service", c->d->name), KVU("uid", c->uid),
			    KVI("pid", c->pid));
		if (rc != RC_OK)
			return false;
	}
	return true;
}

/* Claim the connection of an event; NULL: gone, or somebody has it. */
static struct rpcd_conn *
claim(struct rpcd *d, uint64_t key)
{
	uint32_t slot = (uint32_t)key;
	struct rpcd_conn *c = NULL;

	pthread_mutex_lock(&d->lock);
	if (d->slots[slot].generation == key >> 32)
		c = d->slots[slot].conn;
	if (c != NULL && c->busy) {
		c->again = true;
		c = NULL;
	} else if (c != NULL) {
		c->busy = true;
		rpcd_conn_get(c);
	}
	pthread_mutex_unlock(&d->lock);
	return c;
}

/*
 * Give it back, together with what was read but the first request, which is
 * returned.  *again: an event came meanwhile, and the caller still owns it.
 */
static void
give_back(struct rpcd *d, struct rpcd_conn *c, bool *again)
{
	pthread_mutex_lock(&d->lock);
	*again = c->again;
	c->again = false;
	if (!*again)
		c->busy = false;
	pthread_mutex_unlock(&d->lock);
}

static void
on_conn(struct rpcd *d, const struct epoll_event *ev, void *worker)
{
	struct rpcd_conn *c = claim(d, ev->data.u64);
	struct rpcd_item *head = NULL, **tail = &head, *rest;
	bool again = true, alive = true, flush = (ev->events & EPOLLOUT) != 0;
	unsigned n = 0;

	if (c == NULL)
		return;
	while (again && alive) {
		/* The event that we were not told of may have been room. */
		if (flush)
			rpcd_conn_flush(c);
		flush = true;
		alive = conn_read(c, &tail);
		if (!alive) {
			conn_close(c);
			break;
		}
		set_partial(c, ipc_reader_partial(&c->r));
		give_back(d, c, &again);
	}
	rpcd_conn_put(c);
	for (struct rpcd_item *i = head; i != NULL; i = i->next)
		n++;
	if (n == 0)
		return;
	rest = head->next;
	head->next = NULL;
	pthread_mutex_lock(&d->lock);
	d->live += n;
	if (n > 1) {
		*d->queue_tail = rest;
		d->queue_tail = tail;
	}
	pthread_mutex_unlock(&d->lock);
	if (n > 1)
		rpcd_wake_one(d);
	rpcd_run(d, head, worker);
	rpcd_run_queue(d, worker);
}

/* Somebody began a frame and does not go on: end the connection. */
static void
check_partials(struct rpcd *d)
{
	int64_t now = now_ns();

	pthread_mutex_lock(&d->lock);
	for (uint32_t i = 0; i < d->conf.max_conns; i++) {
		struct rpcd_conn *c = d->slots[i].conn;
		int64_t since = c ? atomic_load(&c->partial_since) : 0;

		if (since != 0 && now - since > RPCD_PARTIAL_NS)
			shutdown(c->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&d->lock);
}

static void
on_work(struct rpcd *d, void *worker)
{
	struct rpcd_item *item;
	bool more;

	if (d->stop || (item = rpcd_queue_pop(d, &more)) == NULL)
		return;
	if (more)
		rpcd_wake_one(d);
	rpcd_run(d, item, worker);
	rpcd_run_queue(d, worker);
}

static void *
worker_main(void *arg)
{
	struct rpcd *d = arg;
	const struct rpcd_conf *conf = &d->conf;
	void *worker =
	    conf->worker_init != NULL ? conf->worker_init(conf->ctx) : NULL;

	while (!d->stop) {
		struct epoll_event ev;
		bool partial = atomic_load(&d->partials) > 0;
		int n = epoll_wait(d->epoll_fd, &ev, 1, partial ? 1000 : -1);

		if (n < 0 && errno != EINTR)
			panic("epoll_wait: errno %d", errno);
		if (partial)
			check_partials(d);
		if (n <= 0)
			continue;
		if ((uint32_t)ev.data.u64 == RPCD_SLOT_LISTEN)
			on_listen(d);
		else if ((uint32_t)ev.data.u64 == RPCD_SLOT_WORK)
			on_work(d, worker);
		else
			on_conn(d, &ev, worker);
	}
	rpcd_wake_one(d);
	rpcd_drop_queue(d);
	if (conf->worker_free != NULL)
		conf->worker_free(conf->ctx, worker);
	pthread_mutex_lock(&d->lock);
	if (--d->running == 0)
		pthread_cond_broadcast(&d->idle);
	pthread_mutex_unlock(&d->lock);
	rpcd_release(d);
	return NULL;
}

static void
watch(struct rpcd *d, int fd, uint32_t slot, uint32_t extra)
{
	struct epoll_event ev = { .events = EPOLLIN | extra, .data.u64 = slot };

	if (epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		panic("epoll_ctl: errno %d", errno);
}

struct rpcd *
rpcd_start(const struct log *log, const struct rpcd_conf *conf)
{
	struct rpcd *d = xcalloc(1, sizeof(*d));
	struct str name = str_c(conf->name);
	pthread_condattr_t attr;

	assert(conf->workers > 0 && conf->max_conns > 0 &&
	       conf->max_conns < RPCD_SLOT_WORK);
	d->log = *log;
	d->conf = *conf;
	memcpy(d->name, name.p, MIN(name.n, sizeof(d->name) - 1));
	d->uids = xcalloc(conf->nuids, sizeof(*d->uids));
	for (size_t i = 0; i < conf->nuids; i++)
		d->uids[i] = conf->uids[i];
	d->slots = xcalloc(conf->max_conns, sizeof(*d->slots));
	d->queue_tail = &d->queue;
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->idle, &attr);
	pthread_condattr_destroy(&attr);
	d->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	d->work_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->epoll_fd < 0 || d->work_fd < 0 ||
	    fcntl(conf->listen_fd, F_SETFL, O_NONBLOCK) < 0)
		panic("rpcd: errno %d", errno);
	watch(d, conf->listen_fd, RPCD_SLOT_LISTEN, EPOLLEXCLUSIVE);
	watch(d, d->work_fd, RPCD_SLOT_WORK, EPOLLET);
	atomic_init(&d->refs, conf->workers + 1);
	d->running = conf->workers;
	d->threads = xcalloc(conf->workers, sizeof(*d->threads));
	for (unsigned i = 0; i < conf->workers; i++)
		if (pthread_create(&d->threads[i], NULL, worker_main, d) != 0)
			panic("cannot start a thread");
	return d;
}

void
rpcd_stop(struct rpcd **dp, struct deadline dl)
{
	struct rpcd *d = *dp;
	struct timespec ts = { dl.at_ns / 1000000000, dl.at_ns % 1000000000 };
	bool left;
	int n = 0;

	*dp = NULL;
	atomic_store(&d->stop, true);
	rpcd_wake_one(d); /* who leaves wakes the next */
	rpcd_drop_queue(d);
	pthread_mutex_lock(&d->lock);
	while ((d->live > 0 || d->running > 0) && n == 0)
		n = pthread_cond_timedwait(&d->idle, &d->lock, &ts);
	left = d->running == 0;
	pthread_mutex_unlock(&d->lock);
	/* A handler that hangs must not hold the stop; the process ends. */
	for (unsigned i = 0; i < d->conf.workers; i++)
		if (left)
			pthread_join(d->threads[i], NULL);
		else
			pthread_detach(d->threads[i]);
	for (uint32_t i = 0; i < d->conf.max_conns; i++) {
		struct rpcd_conn *c;

		pthread_mutex_lock(&d->lock);
		c = d->slots[i].conn;
		if (c != NULL && c->busy)
			c = NULL;
		pthread_mutex_unlock(&d->lock);
		if (c != NULL)
			conn_close(c);
	}
	rpcd_release(d);
}
