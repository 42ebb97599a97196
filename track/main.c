/*
 * gatepost-track: keeps what happened to messages.  See gatepost-track(8).
 */
#include <sqlite3.h>

#include "lib/proc.h"
#include "track/trk_service.h"

#define WORKERS   4u
#define RPC_CONNS 64u

struct daemon {
	struct proc proc;
	struct trk_service *service;
	struct rpcd *rpcd;
};

static void
on_reload(void *ctx, const struct conf *conf, struct ipc_in *in)
{
	struct daemon *dm = ctx;

	(void)in;
	trk_service_conf(dm->service, conf);
}

static void
on_status(void *ctx, struct ipc_msg *out)
{
	struct daemon *dm = ctx;
	struct trk_counts c;

	trk_service_counts(dm->service, &c);
	ipc_put_u64(out, "events", c.events);
	ipc_put_u64(out, "batches", c.batches);
	ipc_put_u64(out, "events_dropped", c.dropped);
	ipc_put_u64(out, "events_lost_before", c.lost);
	ipc_put_u64(out, "bytes", c.bytes);
}

static void
on_check(void *ctx, struct ipc_msg *out)
{
	struct daemon *dm = ctx;
	bool good = trk_service_works(dm->service);

	proc_check_line(out, good ? PROC_GOOD : PROC_FAIL,
	    STR("write down what happens to messages"),
	    good ? STR("it can") : STR("the last time it could not"),
	    good ? STR("")
		 : STR("look for proc=track in the log; mail is not affected"));
}

static void
on_stop(void *ctx, struct deadline dl)
{
	struct daemon *dm = ctx;

	rpcd_stop(&dm->rpcd, dl);
}

int
main(int argc, char **argv)
{
	struct daemon dm = { 0 };
	struct proc *p = &dm.proc;
	const char *write[2] = { NULL, NULL };
	AUTO_ARENA a = { 0 };
	const struct proc_hooks hooks = {
		.reload = on_reload,
		.status = on_status,
		.check = on_check,
		.stop = on_stop,
		.ctx = &dm,
	};
	struct rpcd_conf rpc = {
		.name = "track",
		.workers = WORKERS,
		.max_conns = RPC_CONNS,
		.handle = trk_service_handle,
	};
	int status;

	proc_begin(p, argc, argv);
	write[0] = str_fmt(&a, "%s/track", p->conf->data_dir).p;
	proc_confine(p, &(struct sandbox){ .write = write });
	/* Its accounts of memory are a lock that all threads share. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	dm.service = trk_service_start(&p->log, p->conf, write[0]);
	rpc.ctx = dm.service;
	rpc.listen_fd = proc_take_fd(p, "rpc");
	rpc.uids = proc_peer_uids(p, &rpc.nuids);
	dm.rpcd = rpcd_start(&p->log, &rpc);
	status = proc_run(p, &hooks);
	trk_service_stop(&dm.service);
	return status;
}
