/*
 * lib/proc.h: the start of every daemon.  It lives here because it reads the
 * settings, which lib does not know.
 *
 * The control socket is served by the main thread.  A check may take seconds,
 * so it runs on a thread of its own, one at a time, and answers by itself;
 * two threads writing take turns (send_lock).  At the end it is waited for, as
 * what it looks at is about to be freed.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include "conf/conf.h"
#include "lib/proc.h"

#define START_MS   10000
#define PATHS_MS   5000
#define REPLY_MS   5000
#define ORPHAN_MS  5000 /* to stop when the supervisor has gone */
#define CONF_BYTES (8u << 20)

/*
 * The one mutable global: what a daemon frees after proc_run may still log, so
 * the sink lives as long as the process.
 */
static struct log_sink *sink_for_ever;

static _Noreturn void
die(const struct proc *p, int status, const char *what, struct str why)
{
	log_error(&p->log, "proc.start", KVC("what", what), KV("error", why));
	_exit(status);
}

/* The configuration of a start or reload frame; *why lives in a. */
static enum rc
take_conf(struct arena *a, struct ipc_in *in, const struct conf **out,
    int *out_fd, struct str *why)
{
	AUTO_FD fd = -1;
	struct str text;
	enum rc rc;

	*why = STR("the frame has no sealed configuration");
	if (ipc_get_fd(in, "conf", &fd) != RC_OK || !fd_is_sealed(fd) ||
	    fd_read_file(a, fd, CONF_BYTES, &text) != RC_OK)
		return RC_BAD;
	rc = conf_parse(a, "conf", text, out, why);
	if (rc == RC_OK)
		*out_fd = take(&fd);
	return rc;
}

static void
take_log(struct proc *p, const struct conf *c, struct ipc_in *in)
{
	AUTO_FD fd = -1, daemon = -1;

	log_sink_format(p->sink, c->log_format);
	if (ipc_get_fd(in, "syslog", &daemon) != RC_OK)
		daemon = -1;
	log_sink_syslog(p->sink, daemon, c->log_syslog);
	if (ipc_get_fd(in, "log", &fd) == RC_OK) {
		log_sink_set(p->sink, fd, c->log_level);
		/* What sanitizers and panic() say goes there too. */
		dup2(fd, STDERR_FILENO);
	} else {
		log_sink_set(p->sink, STDERR_FILENO, c->log_level);
	}
}

static void
take_ids(struct proc *p)
{
	struct ipc_in one;
	size_t pos = 0;

	p->uid = (uid_t)ipc_u64_or(&p->in, "uid", geteuid());
	p->gid = (gid_t)ipc_u64_or(&p->in, "gid", getegid());
	p->same_user = ipc_u64_or(&p->in, "same_user", 1) != 0;
	while (p->ngroups < PROC_GROUPS_MAX &&
	       ipc_next_group(&p->in, "group", &pos, &one) == RC_OK)
		p->groups[p->ngroups++] =
		    (gid_t)ipc_u64_or(&one, "gid", p->gid);
	pos = 0;
	while (p->npeers < PROC_PEERS_MAX &&
	       ipc_next_group(&p->in, "peer", &pos, &one) == RC_OK)
		p->peers[p->npeers++] = (uid_t)ipc_u64_or(&one, "uid", p->uid);
}

void
proc_begin(struct proc *p, int argc, char **argv)
{
	struct str why = STR_NULL, name;
	enum rc rc;

	*p = (struct proc){ .role = argc > 1 ? argv[1] : "?", .conf_fd = -1 };
	p->sink = log_sink_new(STDERR_FILENO, p->role, LOG_INFO);
	p->log.sink = p->sink;
	signal(SIGPIPE, SIG_IGN);
	/*
	 * What is sent to the whole process group (Ctrl-C, a service manager)
	 * is the supervisor's business, which stops us in order.
	 */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	if (argc < 2 || fcntl(PROC_CONTROL_FD, F_SETFD, FD_CLOEXEC) < 0)
		die(p, PROC_EX_CONFIG, "control",
		    STR("must be started by gatepostd"));
	rc = ipc_recv(PROC_CONTROL_FD, &p->start, deadline_in(START_MS));
	if (rc != RC_OK || p->start.op != PROC_START)
		die(p, 1, "start", str_c(rc_name(rc)));
	ipc_in_init(&p->in, &p->start);
	p->instance = (unsigned)ipc_u64_or(&p->in, "instance", 0);
	name = ipc_str_or(&p->in, "name", str_c(p->role));
	log_sink_free(&p->sink);
	p->sink = log_sink_new(
	    STDERR_FILENO, str_fmt(&p->a, "%.*s", STRF(name)).p, LOG_INFO);
	p->log.sink = sink_for_ever = p->sink;
	if (take_conf(&p->a, &p->in, &p->conf, &p->conf_fd, &why) != RC_OK)
		die(p, PROC_EX_CONFIG, "configuration", why);
	take_log(p, p->conf, &p->in);
	take_ids(p);
}

int
proc_take_fd(struct proc *p, const char *name)
{
	int fd;

	return ipc_get_fd(&p->in, name, &fd) == RC_OK ? fd : -1;
}

const char *
proc_ipc_path(const struct proc *p, const char *service)
{
	struct arena *a = (struct arena *)(uintptr_t)&p->a;

	return str_fmt(a, "%s/%s.sock", p->conf->run_dir, service).p;
}

const uid_t *
proc_peer_uids(const struct proc *p, size_t *n)
{
	*n = p->npeers;
	return p->peers;
}

static void
become_user(struct proc *p)
{
	if (geteuid() != 0) {
		if (p->uid != geteuid())
			die(p, PROC_EX_CONFIG, "user",
			    STR("only root can change it"));
		return;
	}
	if (p->uid == 0)
		return;
	if (setgroups(p->ngroups, p->groups) < 0 ||
	    setresgid(p->gid, p->gid, p->gid) < 0 ||
	    setresuid(p->uid, p->uid, p->uid) < 0)
		die(p, 1, "setresuid", str_c(strerrordesc_np(errno)));
	if (setresuid(0, 0, 0) == 0 || geteuid() != p->uid)
		die(p, 1, "setresuid", STR("did not hold"));
}

/*
 * A path that is not there when the sandbox is entered stays out of reach.
 * What another process makes at its first start is waited for.
 */
static void
await_paths(const struct proc *p, const char *const *paths)
{
	struct deadline dl = deadline_in(PATHS_MS);

	for (; paths != NULL && *paths != NULL; paths++) {
		while (access(*paths, F_OK) < 0 && !deadline_over(dl))
			nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
		if (access(*paths, F_OK) < 0)
			log_warn(&p->log, "proc.path", KVC("path", *paths),
			    KVE(errno));
	}
}

void
proc_confine(struct proc *p, const struct sandbox *rules)
{
	become_user(p);
	/*
	 * Without the supervisor a daemon would hold ports and locks that the
	 * next one needs.  A change of user clears this, hence here; should it
	 * have gone already, proc_run sees the end of the control socket.
	 */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 0); /* no core files with mail in them */
	/* With users of their own, groups say who reads whose files. */
	umask(p->same_user ? 077 : 007);
	await_paths(p, rules->write);
	if (sandbox_enter(&p->log, p->conf->sandbox, rules) != RC_OK)
		die(p, PROC_EX_CONFIG, "sandbox",
		    STR("is required and could not be entered"));
}

struct control {
	struct proc *p;
	const struct proc_hooks *hooks;
	pthread_mutex_t send_lock;
	atomic_bool checking;
	pthread_t check_thread;
	bool check_joinable;
	uint32_t check_id;
	struct deadline stop_dl;
};

static void
reply(struct control *c, struct ipc_msg *m, uint32_t id, enum rc rc)
{
	m->op = PROC_REPLY;
	m->id = id;
	m->extra = (uint32_t)rc;
	pthread_mutex_lock(&c->send_lock);
	if (ipc_send(PROC_CONTROL_FD, m, deadline_in(REPLY_MS)) != RC_OK)
		log_warn(&c->p->log, "proc.reply", KVC("error", "not sent"));
	pthread_mutex_unlock(&c->send_lock);
}

static enum rc
reload(struct control *c, struct ipc_in *in)
{
	struct proc *p = c->p;
	AUTO_ARENA a = { 0 };
	const struct conf *was = p->conf, *now = NULL;
	AUTO_FD fd = -1;
	struct str why;

	if (take_conf(&a, in, &now, &fd, &why) != RC_OK) {
		log_error(&p->log, "proc.reload", KV("error", why));
		return RC_BAD;
	}
	take_log(p, now, in);
	fd_close(&p->conf_fd);
	p->conf_fd = take(&fd);
	p->conf = now;
	if (c->hooks->reload != NULL)
		c->hooks->reload(c->hooks->ctx, now, in);
	conf_unref(&was);
	return RC_OK;
}

static void *
check_main(void *arg)
{
	struct control *c = arg;
	AUTO_MSG out;

	ipc_msg_init(&out, PROC_REPLY);
	if (c->hooks->check != NULL)
		c->hooks->check(c->hooks->ctx, &out);
	reply(c, &out, c->check_id, RC_OK);
	atomic_store(&c->checking, false);
	return NULL;
}

static void
start_check(struct control *c, uint32_t id)
{
	AUTO_MSG out;

	ipc_msg_init(&out, PROC_REPLY);
	if (atomic_exchange(&c->checking, true)) {
		reply(c, &out, id, RC_TEMP);
		return;
	}
	if (c->check_joinable)
		pthread_join(c->check_thread, NULL);
	c->check_id = id;
	c->check_joinable =
	    pthread_create(&c->check_thread, NULL, check_main, c) == 0;
	if (!c->check_joinable) {
		atomic_store(&c->checking, false);
		reply(c, &out, id, RC_TEMP);
	}
}

static void
stop(struct control *c, int64_t ms)
{
	c->stop_dl = deadline_in(ms);
	if (c->hooks->stop != NULL)
		c->hooks->stop(c->hooks->ctx, c->stop_dl);
}

/* A check that hangs must not hold the exit, and cannot be freed under. */
static void
end_check(struct control *c)
{
	const struct timespec until = { c->stop_dl.at_ns / 1000000000,
		c->stop_dl.at_ns % 1000000000 };

	if (c->check_joinable && pthread_clockjoin_np(c->check_thread, NULL,
				     CLOCK_MONOTONIC, &until) != 0)
		_exit(0);
}

/* One frame; false: the end. */
static bool
serve(struct control *c, struct ipc_msg *m)
{
	AUTO_MSG out;
	struct ipc_in in;

	ipc_msg_init(&out, PROC_REPLY);
	ipc_in_init(&in, m);
	switch (m->op) {
	case PROC_RELOAD:
		reply(c, &out, m->id, reload(c, &in));
		return true;
	case PROC_STATUS:
		if (c->hooks->status != NULL)
			c->hooks->status(c->hooks->ctx, &out);
		reply(c, &out, m->id, RC_OK);
		return true;
	case PROC_UNBAN:
		if (c->hooks->unban != NULL)
			ipc_put_u64(&out, "lifted",
			    c->hooks->unban(c->hooks->ctx,
				ipc_str_or(&in, "address", STR(""))));
		reply(c, &out, m->id, RC_OK);
		return true;
	case PROC_CHECK:
		start_check(c, m->id);
		return true;
	case PROC_STOP:
		stop(c, m->extra);
		return false;
	default:
		reply(c, &out, m->id, RC_BAD);
		return true;
	}
}

/* Wait without end for the next frame; RC_NOENT: the supervisor has gone. */
static enum rc
next_frame(struct ipc_msg *m)
{
	struct pollfd p = { .fd = PROC_CONTROL_FD, .events = POLLIN };

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	return ipc_recv(PROC_CONTROL_FD, m, deadline_in(START_MS));
}

/*
 * Under AddressSanitizer leaks are looked for here, where main's variables
 * still hold what lives as long as the process; at exit they are gone, and all
 * of that would be reported.  There is no second look at exit.
 */
static void
look_for_leaks(void)
{
#ifdef __SANITIZE_ADDRESS__
	__lsan_do_leak_check();
#endif
}

int
proc_run(struct proc *p, const struct proc_hooks *hooks)
{
	struct control c = { .p = p, .hooks = hooks };
	AUTO_MSG ready;
	bool on = true, orphan = false;

	pthread_mutex_init(&c.send_lock, NULL);
	ipc_msg_init(&ready, PROC_READY);
	if (ipc_send(PROC_CONTROL_FD, &ready, deadline_in(REPLY_MS)) != RC_OK)
		orphan = true;
	while (on && !orphan) {
		AUTO_MSG m;

		if (next_frame(&m) == RC_OK)
			on = serve(&c, &m);
		else
			orphan = true;
	}
	if (orphan) {
		log_error(&p->log, "proc.orphan",
		    KVC("error", "the supervisor has gone"));
		stop(&c, ORPHAN_MS);
	}
	end_check(&c);
	look_for_leaks();
	pthread_mutex_destroy(&c.send_lock);
	conf_unref(&p->conf);
	fd_close(&p->conf_fd);
	ipc_msg_free(&p->start);
	arena_free(&p->a);
	return orphan ? 1 : 0;
}

void
proc_check_line(struct ipc_msg *out, enum proc_grade grade, struct str tried,
    struct str found, struct str todo)
{
	size_t at = ipc_begin(out, "line");

	ipc_put_u64(out, "grade", grade);
	ipc_put_str(out, "tried", tried);
	ipc_put_str(out, "found", found);
	ipc_put_str(out, "todo", todo);
	ipc_end(out, at);
}

void
proc_check_spool(struct ipc_msg *out, const char *who, const char *dir)
{
	AUTO_ARENA a = { 0 };
	AUTO_FD fd = fd_spool(dir);
	struct str tried = str_fmt(&a, "%s a spool file in %s", who, dir);
	char why[128];

	if (fd >= 0)
		proc_check_line(out, PROC_GOOD, tried, STR("it can"), STR(""));
	else
		proc_check_line(out, PROC_FAIL, tried,
		    str_c(strerror_r(errno, why, sizeof(why))),
		    STR("the directory must exist, belong to this user, and "
			"be on a file system with O_TMPFILE"));
}
