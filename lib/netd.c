/*
 * Starting and stopping.  The shape in one picture:
 *
 *   listener -> reactor: read, frame -> run queue -> worker: handler
 *                  ^ write, park  <- return list <----'
 *
 * Nothing here blocks on a client: not a reactor, because its sockets are
 * non-blocking, and not a worker, because it never sees a socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/netd_impl.h"

/* Text of the service's, copied. */
static struct str
keep(struct str s)
{
	char *p = xmalloc(s.n + 1);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return str_n(p, s.n);
}

static void
drop(struct str s)
{
	union {
		const char *in;
		char *out;
	} p = { s.p };

	xfree(p.out);
}

static void
prepare_listeners(struct netd *d, const struct netd_conf *conf)
{
	const int one = 1;

	d->listeners = xcalloc(MAX(conf->nlisteners, 1), sizeof(*d->listeners));
	for (size_t i = 0; i < conf->nlisteners; i++) {
		int fd = conf->listeners[i].fd;
		int flags = fcntl(fd, F_GETFL);

		d->listeners[i] = conf->listeners[i];
		d->listeners[i].busy = keep(conf->listeners[i].busy);
		if (flags >= 0)
			fcntl(fd, F_SETFL, flags | O_NONBLOCK);
		/* Fail on UNIX sockets, which need neither. */
		(void)setsockopt(
		    fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		(void)setsockopt(
		    fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	}
	d->conf.listeners = d->listeners;
}

static void
copy_conf(struct netd *d, const struct netd_conf *conf)
{
	size_t buckets = 64;

	assert(conf->reactors > 0 && conf->workers > 0 &&
	       conf->max_sessions > 0 && conf->in_max > 0 &&
	       conf->out_high > 0 && conf->out_low < conf->out_high &&
	       conf->first_timeout_ms > 0 && conf->handshake_timeout_ms > 0 &&
	       conf->min_rate > 0);
	d->conf = *conf;
	if (d->conf.max_per_source == 0)
		d->conf.max_per_source = MAX(conf->max_sessions / 4, 1u);
	if (d->conf.stall_timeout_ms <= 0)
		d->conf.stall_timeout_ms = NETD_STALL_MS;
	if (d->conf.trickle_grace_ms <= 0)
		d->conf.trickle_grace_ms = NETD_GRACE_MS;
	d->conf.busy = keep(conf->busy);
	if (conf->npeer_uids > 0) {
		d->uids = xcalloc(conf->npeer_uids, sizeof(d->uids[0]));
		memcpy(d->uids, conf->peer_uids,
		    conf->npeer_uids * sizeof(d->uids[0]));
	}
	d->proxy_from =
	    xcalloc(MAX(conf->proxy_from.n, 1), sizeof(d->proxy_from[0]));
	for (size_t i = 0; i < conf->proxy_from.n; i++)
		d->proxy_from[i] = conf->proxy_from.v[i];
	d->conf.proxy_from.v = d->proxy_from;
	while (buckets < conf->max_sessions / 2 && buckets < 1u << 16)
		buckets *= 2;
	d->src = xcalloc(buckets, sizeof(d->src[0]));
	d->src_mask = buckets - 1;
	prepare_listeners(d, conf);
}

static void
netd_free(struct netd *d)
{
	for (unsigned i = 0; i < d->conf.reactors; i++)
		netd_reactor_free(&d->reactors[i]);
	for (size_t i = 0; i <= d->src_mask; i++)
		assert(d->src[i] == NULL);
	tls_ctx_unref(&d->tls);
	pthread_mutex_destroy(&d->tls_lock);
	pthread_mutex_destroy(&d->src_lock);
	pthread_mutex_destroy(&d->pool.lock);
	xfree(d->reactors);
	for (size_t i = 0; i < d->conf.nlisteners; i++)
		drop(d->listeners[i].busy);
	xfree(d->listeners);
	xfree(d->uids);
	xfree(d->proxy_from);
	drop(d->conf.busy);
	xfree(d->src);
	xfree(d);
}

/* Threads of ours take no signals. */
static bool
start_threads(struct netd *d, unsigned *running)
{
	sigset_t all, old;
	bool ok;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ok = netd_pool_start(d);
	while (ok && *running < d->conf.reactors) {
		ok = pthread_create(&d->reactors[*running].thread, NULL,
			 netd_reactor_main, &d->reactors[*running]) == 0;
		if (ok)
			(*running)++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ok;
}

static void
halt(struct netd *d, unsigned running, int64_t due)
{
	atomic_store(&d->stop_due, due);
	for (unsigned i = 0; i < running; i++)
		netd_reactor_kick(&d->reactors[i]);
	for (unsigned i = 0; i < running; i++)
		pthread_join(d->reactors[i].thread, NULL);
	netd_pool_stop(d);
	netd_free(d);
}

struct netd *
netd_start(const struct log *log, const struct netd_conf *conf)
{
	struct netd *d = xcalloc(1, sizeof(*d));
	pthread_mutexattr_t attr;
	unsigned running = 0;
	uint64_t seed;
	bool ok = true;

	d->log = log;
	copy_conf(d, conf);
	d->tls = tls_ctx_ref(conf->tls);
	pthread_mutex_init(&d->tls_lock, NULL);
	pthread_mutex_init(&d->src_lock, NULL);
	/* Held for a few instructions only: spin before sleeping. */
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&d->pool.lock, &attr);
	pthread_mutexattr_destroy(&attr);
	atomic_init(&d->stop_due, NETD_NEVER);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = (uint64_t)now_ns();
	atomic_init(&d->sid, seed);
	d->reactors = xcalloc(conf->reactors, sizeof(d->reactors[0]));
	for (unsigned i = 0; i < conf->reactors; i++)
		ok = netd_reactor_init(&d->reactors[i], d) && ok;
	if (ok)
		ok = start_threads(d, &running);
	if (!ok) {
		log_error(log, "netd.start", KVE(errno));
		halt(d, running, 0);
		return NULL;
	}
	return d;
}

void
netd_set_tls(struct netd *d, struct tls_ctx *tls)
{
	struct tls_ctx *old;

	pthread_mutex_lock(&d->tls_lock);
	old = d->tls;
	d->tls = tls_ctx_ref(tls);
	pthread_mutex_unlock(&d->tls_lock);
	tls_ctx_unref(&old);
}

void
netd_stop(struct netd **d, struct deadline dl)
{
	if (*d == NULL)
		return;
	halt(*d, (*d)->conf.reactors, dl.at_ns / 1000000);
	*d = NULL;
}

void
netd_stats(struct netd *d, uint64_t *now, uint64_t *accepted, uint64_t *refused)
{
	*now = atomic_load(&d->sessions);
	*accepted = atomic_load(&d->accepted);
	*refused = atomic_load(&d->refused);
}
