#include <poll.h>
#include <pthread.h>
#include <time.h>

#include "directory/ldap_pool.h"
#include "lib/proc.h"

#define CONNECTORS     2u
#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 1000
#define LINKS_MAX      64u
#define DOWN_AFTER     3u /* attempts at all servers, some 150 ms */

enum health { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };

struct dir_pool {
	pthread_mutex_t lock;
	pthread_cond_t idle_cond; /* a link, or the news that there is none */
	pthread_cond_t work_cond; /* for the connectors */
	struct log log;
	struct dir_pool_conf conf;
	struct dir_target *target[DIR_LDAP_SERVERS_MAX];
	struct dir_link *idle[LINKS_MAX]; /* the last one is the warmest */
	size_t nidle, nopen, connecting, waiters;
	size_t server; /* the one we stay with */
	enum health health;
	int backoff_ms;
	unsigned failures; /* in a row, of all servers */
	int64_t next_try_ns;
	bool stopping;
	pthread_t connector[CONNECTORS];
	size_t nconnectors;
};

static struct timespec
at(int64_t ns)
{
	return (struct timespec){ ns / 1000000000, ns % 1000000000 };
}

/* One spare connection ahead of those who wait, as far as `max` allows. */
static bool
wanted(const struct dir_pool *p)
{
	return p->nidle + p->connecting < MAX(p->waiters, 1) &&
	       p->nopen + p->connecting < p->conf.max;
}

static void
connected(struct dir_pool *p, struct dir_link *l)
{
	p->nopen++;
	p->idle[p->nidle++] = l;
	if (p->health != HEALTH_UP)
		log_info(&p->log, "ldap.up", KVC("for", p->conf.name),
		    KVC("server", dir_target_name(p->target[l->server])));
	p->health = HEALTH_UP;
	p->server = l->server;
	p->backoff_ms = 0;
	p->next_try_ns = 0;
	p->failures = 0;
	pthread_cond_broadcast(&p->idle_cond);
}

static void
unreachable(struct dir_pool *p)
{
	p->backoff_ms = p->backoff_ms ? MIN(p->backoff_ms * 2, BACKOFF_MAX_MS)
				      : BACKOFF_MIN_MS;
	p->next_try_ns = now_ns() + p->backoff_ms * 1000000ll;
	/* A server that restarts, or drops us once, is not down yet. */
	if (++p->failures < DOWN_AFTER)
		return;
	if (p->health != HEALTH_DOWN)
		log_error(&p->log, "ldap.down", KVC("for", p->conf.name),
		    KVU("servers", p->conf.ntargets));
	p->health = HEALTH_DOWN;
	pthread_cond_broadcast(&p->idle_cond);
}

/* Every server once, beginning with the one we stay with; no lock held. */
static struct dir_link *
connect_any(struct dir_pool *p, size_t first, bool quiet)
{
	for (size_t i = 0; i < p->conf.ntargets; i++) {
		size_t s = (first + i) % p->conf.ntargets;
		struct dir_link *l = NULL;
		AUTO_ARENA a = { 0 };
		struct str why;

		if (dir_conn_open(p->target[s], &a,
			deadline_in(p->conf.connect_ms), &l, &why) == RC_OK) {
			l->server = s;
			return l;
		}
		LOG_AT(&p->log, quiet ? LOG_DEBUG : LOG_WARN,
		    "ldap.connect_failed", KVC("for", p->conf.name),
		    KVC("server", dir_target_name(p->target[s])),
		    KV("why", why));
	}
	return NULL;
}

static void *
connector(void *arg)
{
	struct dir_pool *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->stopping) {
		struct dir_link *l;
		size_t first = p->server;
		bool quiet = p->health == HEALTH_DOWN;
		struct timespec ts;

		if (!wanted(p)) {
			pthread_cond_wait(&p->work_cond, &p->lock);
			continue;
		}
		if (p->next_try_ns > now_ns()) {
			ts = at(p->next_try_ns);
			pthread_cond_timedwait(&p->work_cond, &p->lock, &ts);
			continue;
		}
		p->connecting++;
		pthread_mutex_unlock(&p->lock);
		l = connect_any(p, first, quiet);
		pthread_mutex_lock(&p->lock);
		p->connecting--;
		if (l != NULL)
			connected(p, l);
		/* The other connector may have been luckier meanwhile. */
		else if (p->nopen == 0)
			unreachable(p);
		else
			p->next_try_ns = now_ns() + BACKOFF_MAX_MS * 1000000ll;
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct dir_pool *
dir_pool_new(const struct log *log, const struct dir_pool_conf *conf)
{
	struct dir_pool *p = xcalloc(1, sizeof(*p));
	pthread_condattr_t mono;

	p->log = *log;
	p->conf = *conf;
	p->conf.max = MIN(conf->max, LINKS_MAX);
	p->conf.ntargets = MIN(conf->ntargets, DIR_LDAP_SERVERS_MAX);
	for (size_t i = 0; i < p->conf.ntargets; i++)
		p->target[i] = conf->target[i];
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_cond_init(&p->idle_cond, &mono);
	pthread_cond_init(&p->work_cond, &mono);
	pthread_condattr_destroy(&mono);
	for (size_t i = 0; i < CONNECTORS && p->conf.ntargets; i++)
		if (pthread_create(
			&p->connector[p->nconnectors], NULL, connector, p) == 0)
			p->nconnectors++;
	if (p->nconnectors == 0)
		p->health = HEALTH_DOWN;
	return p;
}

void
dir_pool_free(struct dir_pool **pp)
{
	struct dir_pool *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->work_cond);
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < p->nconnectors; i++)
		pthread_join(p->connector[i], NULL);
	for (size_t i = 0; i < p->nidle; i++)
		dir_conn_close(&p->idle[i]);
	for (size_t i = 0; i < p->conf.ntargets; i++)
		dir_target_free(&p->target[i]);
	pthread_cond_destroy(&p->idle_cond);
	pthread_cond_destroy(&p->work_cond);
	pthread_mutex_destroy(&p->lock);
	xfree(p);
}

/*
 * Closed by the server while it was idle?  Data alone means nothing: TLS 1.3
 * sends tickets after the handshake.
 */
static bool
stale(const struct dir_link *l)
{
	struct pollfd pfd = { l->fd, POLLRDHUP, 0 };

	return poll(&pfd, 1, 0) != 0;
}

static void
drop(struct dir_pool *p, struct dir_link **l)
{
	p->nopen--;
	pthread_cond_signal(&p->work_cond);
	pthread_mutex_unlock(&p->lock);
	dir_conn_close(l);
	pthread_mutex_lock(&p->lock);
}

enum rc
dir_pool_get(struct dir_pool *p, struct deadline dl, struct dir_link **out)
{
	struct timespec ts = at(dl.at_ns);
	struct dir_link *l = NULL;

	pthread_mutex_lock(&p->lock);
	p->waiters++;
	while (l == NULL) {
		if (p->nidle) {
			l = p->idle[--p->nidle];
			if (stale(l))
				drop(p, &l);
			continue;
		}
		if (p->health == HEALTH_DOWN || deadline_over(dl))
			break;
		pthread_cond_signal(&p->work_cond);
		pthread_cond_timedwait(&p->idle_cond, &p->lock, &ts);
	}
	p->waiters--;
	if (wanted(p))
		pthread_cond_signal(&p->work_cond);
	pthread_mutex_unlock(&p->lock);
	*out = l;
	return l ? RC_OK : RC_TEMP;
}

/* The idle ones of a server that has just failed have failed as well. */
static void
drop_idle(struct dir_pool *p, size_t server)
{
	for (size_t i = p->nidle; i-- > 0;) {
		struct dir_link *l = p->idle[i];

		if (l->server != server)
			continue;
		p->idle[i] = p->idle[--p->nidle];
		drop(p, &l);
		i = MIN(i, p->nidle);
	}
}

void
dir_pool_put(struct dir_pool *p, struct dir_link **lp, enum dir_fate fate)
{
	struct dir_link *l = *lp;
	size_t server;

	*lp = NULL;
	if (l == NULL)
		return;
	server = l->server;
	pthread_mutex_lock(&p->lock);
	if (fate == DIR_LINK_GOOD) {
		p->idle[p->nidle++] = l;
		pthread_cond_signal(&p->idle_cond);
	} else {
		log_warn(&p->log, "ldap.link_lost", KVC("for", p->conf.name),
		    KVC("server", dir_target_name(p->target[server])),
		    KVC("why", fate == DIR_LINK_MUTE ? "no answer" : "closed"));
		if (fate == DIR_LINK_MUTE && p->server == server)
			p->server = (server + 1) % p->conf.ntargets;
		drop(p, &l);
		drop_idle(p, server);
	}
	pthread_mutex_unlock(&p->lock);
}

size_t
dir_pool_servers(const struct dir_pool *p)
{
	return p->conf.ntargets;
}

void
dir_pool_status(struct dir_pool *p, struct ipc_msg *out)
{
	AUTO_ARENA a = { 0 };
	const char *n = p->conf.name;

	pthread_mutex_lock(&p->lock);
	ipc_put_u64(
	    out, str_fmt(&a, "ldap_%s_up", n).p, p->health == HEALTH_UP);
	ipc_put_u64(out, str_fmt(&a, "ldap_%s_open", n).p, p->nopen);
	ipc_put_u64(out, str_fmt(&a, "ldap_%s_idle", n).p, p->nidle);
	ipc_put_u64(out, str_fmt(&a, "ldap_%s_server", n).p, p->server);
	pthread_mutex_unlock(&p->lock);
}

void
dir_pool_check(struct dir_pool *p, struct ipc_msg *out)
{
	for (size_t i = 0; i < p->conf.ntargets; i++) {
		struct dir_link *l = NULL;
		AUTO_ARENA a = { 0 };
		struct str why, tried;
		enum rc rc;

		tried = str_fmt(&a, "connect to %s for %s",
		    dir_target_name(p->target[i]), p->conf.name);
		rc = dir_conn_open(p->target[i], &a,
		    deadline_in(p->conf.connect_ms), &l, &why);
		proc_check_line(out, rc == RC_OK ? PROC_GOOD : PROC_FAIL, tried,
		    rc == RC_OK ? STR("ok") : why,
		    rc == RC_OK ? STR("")
				: STR("check ldap_servers, ldap_tls, "
				      "ldap_ca_file, ldap_bind and the "
				      "firewall"));
		dir_conn_close(&l);
	}
}
