/*
 * gatepost-store: the only writer of mail and queue.  It holds the master key,
 * may write below data_dir and nowhere else, and talks to delivery and imap.
 */
#include <pwd.h>
#include <unistd.h>

#include "conf/conf.h"
#include "lib/proc.h"
#include "store/store_svc.h"

struct main {
	struct proc proc;
	struct engine *engine;
	struct store_svc *svc;
};

static void
on_status(void *ctx, struct ipc_msg *out)
{
	struct main *m = ctx;
	struct engine_stats x;

	m->engine->ops->stats(m->engine, &x);
	ipc_put_u64(out, "messages", x.messages);
	ipc_put_u64(out, "queued", x.queued);
	ipc_put_u64(out, "accounts", x.accounts);
	ipc_put_u64(out, "commits", x.commits);
	ipc_put_u64(out, "log_bytes", x.log_bytes);
	ipc_put_u64(out, "log_syncs", x.log_syncs);
	ipc_put_u64(out, "index_commits", x.index_commits);
	ipc_put_u64(out, "free_bytes", x.free_bytes);
	ipc_put_u64(out, "read_only", x.read_only);
}

static void
on_check(void *ctx, struct ipc_msg *out)
{
	struct main *m = ctx;
	struct engine_stats x;
	AUTO_ARENA a = { 0 };

	m->engine->ops->stats(m->engine, &x);
	proc_check_line(out, x.read_only ? PROC_FAIL : PROC_GOOD,
	    STR("write to the log"),
	    x.read_only ? STR("a sync failed: the store is read-only")
			: STR("the log can be written"),
	    x.read_only ? STR("look at the disk, then restart the store")
			: STR(""));
	proc_check_line(out, x.below_floor ? PROC_FAIL : PROC_GOOD,
	    STR("space above the floor (free_space_mb)"),
	    str_fmt(
		&a, "%llu MB are free", (unsigned long long)x.free_bytes >> 20),
	    x.below_floor ? STR("new mail is answered 4xx: make room")
			  : STR(""));
}

static void
on_reload(void *ctx, const struct conf *conf, struct ipc_in *in)
{
	struct main *m = ctx;

	(void)in;
	m->engine->ops->set_floor(
	    m->engine, (uint64_t)conf->free_space_mb << 20);
}

static void
on_stop(void *ctx, struct deadline dl)
{
	struct main *m = ctx;

	store_svc_stop(m->svc, dl);
}

/* The user that a role runs as: with one user for all, our own. */
static uid_t
uid_of(const struct proc *p, const char *role)
{
	AUTO_ARENA a = { 0 };
	const struct passwd *pw;

	if (p->same_user)
		return p->uid;
	pw = getpwnam(str_fmt(&a, "%s%s", p->conf->user_prefix, role).p);
	return pw != NULL ? pw->pw_uid : 0;
}

static enum rc
read_master(struct proc *p, unsigned char key[SEAL_KEY])
{
	AUTO_FD fd = proc_take_fd(p, "master_key");

	if (fd < 0 || fd_pread_all(fd, key, SEAL_KEY, 0) != RC_OK) {
		log_error(&p->log, "store.master_key",
		    KVC("path", p->conf->master_key_file),
		    KVC("error", "missing or shorter than 32 bytes"));
		return RC_BAD;
	}
	return RC_OK;
}

static enum rc
open_engine(struct main *m, struct engine_conf *ec)
{
	enum rc rc = engine_local_open(&m->proc.log, ec, &m->engine);

	seal_wipe(ec->master, sizeof(ec->master));
	return rc;
}

int
main(int argc, char **argv)
{
	struct main m = { 0 };
	struct proc *p = &m.proc;
	struct engine_conf ec = { .io = &io_system,
		.changed = store_svc_changed };
	uid_t key_uid, queue_key_uid;
	size_t nuids;
	int status;
	const uid_t *uids;

	proc_begin(p, argc, argv);
	if (read_master(p, ec.master) != RC_OK)
		return PROC_EX_CONFIG;
	key_uid = uid_of(p, "imap");
	queue_key_uid = uid_of(p, "delivery");
	proc_confine(p, &(struct sandbox){ .write = (const char *[]){
					       p->conf->data_dir, NULL } });
	m.svc = store_svc_new(&p->log);
	ec.ctx = m.svc;
	ec.dir = p->conf->data_dir;
	ec.segment_bytes = (uint64_t)p->conf->segment_mb << 20;
	ec.map_bytes = (uint64_t)p->conf->index_gb << 30;
	ec.floor_bytes = (uint64_t)p->conf->free_space_mb << 20;
	ec.compact_auto = true;
	ec.compact_percent = p->conf->compact_percent;
	ec.gather_us = p->conf->commit_gather_us;
	switch (open_engine(&m, &ec)) {
	case RC_OK:
		break;
	case RC_TEMP: /* the disk may be better in a moment */
		return 1;
	default:
		return PROC_EX_CONFIG;
	}
	uids = proc_peer_uids(p, &nuids);
	store_svc_start(m.svc, m.engine,
	    &(struct store_svc_conf){ .listen_fd = proc_take_fd(p, "rpc"),
		.workers = p->conf->workers,
		.uids = uids,
		.nuids = nuids,
		.key_uid = key_uid,
		.queue_key_uid = queue_key_uid });
	status = proc_run(p, &(struct proc_hooks){ .reload = on_reload,
				 .status = on_status,
				 .check = on_check,
				 .stop = on_stop,
				 .ctx = &m });
	m.engine->ops->close(&m.engine);
	store_svc_free(&m.svc);
	return status;
}
