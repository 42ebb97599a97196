/*
 * gatepost-delivery: decides where each accepted message goes, and looks after
 * the queue.  See gatepost-delivery(8).
 */
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "delivery/dlv.h"
#include "directory/dir_resolve_client.h"
#include "lib/proc.h"
#include "store/reader.h"

#define STORE_CONNS 8u
#define REM_CONNS   4u
#define SGN_CONNS   1u
#define RPC_CONNS   256u
#define CHECK_MS    5000

struct daemon {
	struct proc proc;
	struct dlv dlv;
	struct rpcd *rpcd;
};

static void
on_reload(void *ctx, const struct conf *conf, struct ipc_in *in)
{
	struct daemon *dm = ctx;
	const struct mail_rules *rules;

	if (dlv_rules_load(dm->dlv.log, conf, in, &rules) == RC_OK)
		dlv_rules_set(&dm->dlv, rules);
	dlv_conf_set(&dm->dlv, conf);
}

static void
on_status(void *ctx, struct ipc_msg *out)
{
	struct daemon *dm = ctx;
	struct dlv_counts *c = &dm->dlv.counts;
	struct dlv_queue_sum q;

	dlv_queue_sum(dm->dlv.queue, &q);
	ipc_put_u64(out, "submits", c->submits);
	ipc_put_u64(out, "messages", c->messages);
	ipc_put_u64(out, "repeated", c->repeated);
	ipc_put_u64(out, "delivered", c->delivered);
	ipc_put_u64(out, "queued", c->queued);
	ipc_put_u64(out, "refused", c->refused);
	ipc_put_u64(out, "deferred", c->deferred);
	ipc_put_u64(out, "poisoned", c->poisoned);
	ipc_put_u64(out, "retried", c->retried);
	ipc_put_u64(out, "retried_ok", c->retried_ok);
	ipc_put_u64(out, "notices", c->notices);
	ipc_put_u64(out, "queue_loaded", q.loaded);
	ipc_put_u64(out, "queue_messages", q.messages);
	ipc_put_u64(out, "queue_ready", q.ready);
	ipc_put_u64(out, "queue_held", q.held);
	ipc_put_u64(out, "queue_poison", q.poison);
	ipc_put_u64(out, "queue_expired", q.expired);
	ipc_put_u64(out, "queue_places", q.places);
	ipc_put_u64(out, "queue_sending", q.sending);
}

static void
check_store(struct dlv *d, struct ipc_msg *out)
{
	AUTO_ARENA a = { 0 };
	struct str json;
	enum rc rc = store_stats(d->store, &a, deadline_in(CHECK_MS), &json);

	proc_check_line(out, rc == RC_OK ? PROC_GOOD : PROC_FAIL,
	    STR("delivery asks the store"),
	    rc == RC_OK ? STR("it answers") : STR("no answer"),
	    rc == RC_OK ? STR("")
			: STR("look for proc=store in the log; is it "
			      "running, is its disk full?"));
}

/* As a notice would find them. */
static void
check_directory(struct dlv *d, struct ipc_msg *out)
{
	const struct conf *conf = dlv_conf(d);
	const struct mail_rules *rules = dlv_rules(d);
	struct str who = str_c(conf->postmaster);
	AUTO_ARENA a = { 0 };
	const struct dir_resolve r = {
		.dir = d->dir,
		.conf = conf,
		.rules = rules,
		.a = &a,
		.authenticated = true,
		.timeout_ms = CHECK_MS,
	};
	struct dir_target *v;
	size_t n;
	enum rc rc = dir_resolve_one(&r, who, &v, &n);

	if (rc == RC_OK)
		proc_check_line(out, PROC_GOOD,
		    STR("delivery asks the directory for the postmaster"),
		    str_fmt(&a, "%.*s is %.*s", STRF(who),
			STRF(v[0].is.address.n > 0 ? v[0].is.address
						   : v[0].address)),
		    STR(""));
	else
		proc_check_line(out, PROC_FAIL,
		    STR("delivery asks the directory for the postmaster"),
		    str_fmt(&a, "%.*s: %s", STRF(who),
			rc == RC_TEMP ? "no answer" : "is nobody"),
		    str_fmt(&a, "gatepost explain rcpt %.*s", STRF(who)));
	mail_rules_unref(&rules);
	conf_unref(&conf);
}

static void
check_queue(struct dlv *d, struct ipc_msg *out)
{
	struct dlv_queue_sum q;
	AUTO_ARENA a = { 0 };
	bool good;

	dlv_queue_sum(d->queue, &q);
	good = q.held + q.poison + q.expired == 0;
	proc_check_line(out, good && q.loaded ? PROC_GOOD : PROC_UNPROVEN,
	    STR("the queue"),
	    q.loaded
		? str_fmt(&a,
		      "%llu messages, %llu held, %llu poison, "
		      "%llu expired",
		      (unsigned long long)q.messages,
		      (unsigned long long)q.held, (unsigned long long)q.poison,
		      (unsigned long long)q.expired)
		: STR("not yet read from the store"),
	    good ? STR("") : STR("gatepost queue list"));
}

static void
on_check(void *ctx, struct ipc_msg *out)
{
	struct daemon *dm = ctx;

	check_store(&dm->dlv, out);
	check_directory(&dm->dlv, out);
	check_queue(&dm->dlv, out);
}

static void
on_stop(void *ctx, struct deadline dl)
{
	struct daemon *dm = ctx;

	rpcd_stop(&dm->rpcd, dl);
	/*
	 * A request or retry that waits for the directory: nothing of theirs
	 * has to be saved, and they hold what would be freed now.
	 */
	if (!dlv_queue_stop(dm->dlv.queue, dl) || deadline_over(dl))
		_exit(0);
}

static void
release(struct dlv *d)
{
	dlv_queue_free(&d->queue);
	rem_client_free(&d->remote);
	sgn_client_free(&d->signer);
	store_client_free(&d->store);
	dir_client_free(&d->dir);
	store_reader_close(&d->reader);
	explicit_bzero(&d->key, sizeof(d->key));
	trk_client_free(&d->trk);
	inflight_close(&d->inflight);
	mail_rules_unref(&d->rules);
	conf_unref(&d->conf);
}

static void
start(struct daemon *dm)
{
	struct proc *p = &dm->proc;
	struct dlv *d = &dm->dlv;
	AUTO_FD inflight_fd = proc_take_fd(p, "inflight");
	struct rpcd_conf rpc = {
		.name = "delivery",
		.listen_fd = proc_take_fd(p, "rpc"),
		.workers = p->conf->workers,
		.max_conns = RPC_CONNS,
		.handle = dlv_handle,
		.ctx = d,
	};

	rpc.uids = proc_peer_uids(p, &rpc.nuids);
	d->log = &p->log;
	pthread_mutex_init(&d->conf_lock, NULL);
	pthread_mutex_init(&d->key_lock, NULL);
	d->conf = conf_ref(p->conf);
	d->store =
	    store_client_new(d->log, proc_ipc_path(p, "store"), STORE_CONNS);
	/* A directory that hangs must leave workers for mail to people. */
	d->dir = dir_client_new(d->log, proc_ipc_path(p, "directory"),
	    MAX(p->conf->workers / 2, 1u));
	d->remote =
	    rem_client_new(d->log, proc_ipc_path(p, "remote"), REM_CONNS);
	d->signer =
	    sgn_client_new(d->log, proc_ipc_path(p, "signer"), SGN_CONNS);
	if (store_reader_open(d->log, p->conf->data_dir, &d->reader) != RC_OK)
		panic("no reader");
	if (p->conf->track)
		d->trk = trk_client_new(d->log, proc_ipc_path(p, "track"));
	d->started_ns = now_ns();
	d->inflight = inflight_open(inflight_fd);
	dlv_poison_report(d);
	dlv_queue_start(d);
	dm->rpcd = rpcd_start(d->log, &rpc);
}

int
main(int argc, char **argv)
{
	struct daemon dm = { 0 };
	struct ipc_in in;
	const char *read[2] = { NULL, NULL };
	const char *write[3] = { NULL, NULL, NULL };
	AUTO_ARENA a = { 0 };
	const struct proc_hooks hooks = {
		.reload = on_reload,
		.status = on_status,
		.check = on_check,
		.stop = on_stop,
		.ctx = &dm,
	};
	int status;

	json_set_alloc_funcs(xmalloc, xfree);
	proc_begin(&dm.proc, argc, argv);
	ipc_in_init(&in, &dm.proc.start);
	if (dlv_rules_load(&dm.proc.log, dm.proc.conf, &in, &dm.dlv.rules) !=
	    RC_OK)
		return PROC_EX_CONFIG;
	dm.dlv.spool_dir = str_fmt(&a, "%s/spool", dm.proc.conf->run_dir).p;
	/* The bodies of the queue are read, and their files are the store's. */
	read[0] = dm.proc.conf->data_dir;
	write[0] = dm.dlv.spool_dir;
	write[1] = store_reader_lock_path(&a, dm.proc.conf->data_dir).p;
	proc_confine(
	    &dm.proc, &(struct sandbox){ .read = read, .write = write });
	start(&dm);
	status = proc_run(&dm.proc, &hooks);
	release(&dm.dlv);
	return status;
}
