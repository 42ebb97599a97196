/*
 * gatepost-imap: IMAP and POP3 for people who are already authenticated.  It
 * sees clients only through access, reads mail itself and has the store change
 * it. See gatepost-imap(8).
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "imap/session.h"
#include "imap/upload.h"
#include "lib/proc.h"

#define BACKEND_CONNS 32u
#define CHECK_MS      5000
#define OUT_HIGH      (128u << 10)
#define OUT_LOW       (32u << 10)

struct main {
	struct imap_daemon d;
	struct proc proc;
	pthread_mutex_t lock; /* guards d.conf */
	struct imap_spool spool;
	struct store_sub *sub;
	struct netd *netd;
};

static const struct conf *
conf_get(struct imap_daemon *d)
{
	struct main *m = (struct main *)d; /* d is its first member */
	const struct conf *conf;

	pthread_mutex_lock(&m->lock);
	conf = conf_ref(d->conf);
	pthread_mutex_unlock(&m->lock);
	return conf;
}

static void
on_reload(void *ctx, const struct conf *conf, struct ipc_in *in)
{
	struct main *m = ctx;
	const struct conf *old;

	(void)in;
	pthread_mutex_lock(&m->lock);
	old = m->d.conf;
	m->d.conf = conf_ref(conf);
	pthread_mutex_unlock(&m->lock);
	conf_unref(&old);
}

static void
on_status(void *ctx, struct ipc_msg *out)
{
	struct main *m = ctx;
	uint64_t now, accepted, refused;

	netd_stats(m->netd, &now, &accepted, &refused);
	ipc_put_u64(out, "sessions", now);
	ipc_put_u64(out, "connections", accepted);
	ipc_put_u64(out, "connections_refused", refused);
}

static void
check_store(struct main *m, struct ipc_msg *out)
{
	AUTO_ARENA a = { 0 };
	AUTO_VIEW *v = NULL;
	struct str json;

	if (store_view_begin(m->d.reader, &v) == RC_OK)
		proc_check_line(out, PROC_GOOD, STR("imap reads the index"),
		    STR("it can"), STR(""));
	else
		proc_check_line(out, PROC_FAIL, STR("imap reads the index"),
		    STR("it cannot"), STR("gatepost store check"));
	if (store_stats(m->d.store, &a, deadline_in(CHECK_MS), &json) == RC_OK)
		proc_check_line(out, PROC_GOOD, STR("imap asks the store"),
		    STR("it answers"), STR(""));
	else
		proc_check_line(out, PROC_FAIL, STR("imap asks the store"),
		    STR("no answer"),
		    STR("look for proc=store in the log; is it running?"));
}

static void
on_check(void *ctx, struct ipc_msg *out)
{
	struct main *m = ctx;

	check_store(m, out);
	proc_check_spool(out, "imap makes", m->spool.dir);
}

static void
on_stop(void *ctx, struct deadline dl)
{
	struct main *m = ctx;

	store_sub_free(&m->sub);
	netd_stop(&m->netd, dl);
}

static void
on_hint(void *arg, struct str account, uint64_t mailbox, uint64_t modseq)
{
	(void)account;
	(void)modseq;
	imap_watch_hint(arg, mailbox);
}

static struct netd *
serve(struct main *m)
{
	struct proc *p = &m->proc;
	struct netd_listener rpc = { .fd = proc_take_fd(p, "rpc"),
		.ops = &imap_session_ops,
		.ctx = &m->d };
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct netd_conf nc = {
		.name = p->role,
		.reactors = (unsigned)MIN(MAX(cores, 1), 16),
		.workers = p->conf->workers,
		.max_sessions = p->conf->imap_sessions_max,
		.in_max = IMAP_LINE_MAX,
		.out_high = OUT_HIGH,
		.out_low = OUT_LOW,
		.first_timeout_ms = 30000,
		.handshake_timeout_ms = 30000,
		.min_rate = 1,
		.listeners = &rpc,
		.nlisteners = 1,
		.max_per_source = p->conf->imap_sessions_max, /* access */
	};

	nc.peer_uids = proc_peer_uids(p, &nc.npeer_uids);

	return netd_start(&p->log, &nc);
}

static enum rc
open_backends(struct main *m)
{
	struct proc *p = &m->proc;
	struct imap_daemon *d = &m->d;

	d->dir = dir_client_new(
	    &p->log, proc_ipc_path(p, "directory"), BACKEND_CONNS);
	d->store =
	    store_client_new(&p->log, proc_ipc_path(p, "store"), BACKEND_CONNS);
	d->accounts = imap_accounts_new(d->store);
	d->watches = imap_watches_new();
	if (store_reader_open(&p->log, p->conf->data_dir, &d->reader) != RC_OK)
		return RC_TEMP;
	m->sub = store_subscribe(d->store, on_hint, d->watches);
	return RC_OK;
}

int
main(int argc, char **argv)
{
	struct main m = { 0 };
	AUTO_ARENA a = { 0 };
	AUTO_FD inflight_fd = -1;
	const char *read[2] = { NULL, NULL };
	const char *write[3] = { NULL, NULL, NULL };

	proc_begin(&m.proc, argc, argv);
	pthread_mutex_init(&m.lock, NULL);
	imap_mechs_init(&m.d.mechs);
	m.d.log = &m.proc.log;
	m.d.conf = conf_ref(m.proc.conf);
	m.d.conf_get = conf_get;
	m.d.spool = &m.spool;
	m.spool.dir = str_fmt(&a, "%s/spool", m.proc.conf->run_dir).p;
	m.spool.memory_max = m.proc.conf->memory_body_max;
	inflight_fd = proc_take_fd(&m.proc, "inflight");
	m.d.inflight = inflight_open(inflight_fd);
	imap_poison_report(&m.proc.log, m.d.inflight);
	write[0] = m.spool.dir;
	write[1] = store_reader_lock_path(&a, m.proc.conf->data_dir).p;
	read[0] = m.proc.conf->data_dir;
	proc_confine(
	    &m.proc, &(struct sandbox){ .read = read, .write = write });
	if (open_backends(&m) != RC_OK)
		return 1;
	m.netd = serve(&m);
	if (m.netd == NULL)
		return 1;
	return proc_run(&m.proc, &(struct proc_hooks){ .reload = on_reload,
				     .status = on_status,
				     .check = on_check,
				     .stop = on_stop,
				     .ctx = &m });
}
