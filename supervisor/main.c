/*
 * gatepostd: binds, opens, starts, watches.  See gatepostd(8).
 *
 * One thread around one epoll set; nothing here waits for a child or an
 * administrator.  Signals come as descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/sup.h"

#define EVENTS 32
#define TICK   200 /* ms, while something is due */

static void
usage(void)
{
	static const char text[] =
	    "usage: gatepostd [-f] [-k] [-t] -c FILE [-L DIRECTORY]\n"
	    "  -c FILE  the configuration\n"
	    "  -f       stay in the foreground (always so)\n"
	    "  -k       trial: no TCP listeners, log on stderr\n"
	    "  -t       check the configuration and exit\n"
	    "  -L DIR   where the programs are\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	_exit(2);
}

/* Beside us in a build tree, else where they were installed. */
static const char *
find_programs(struct sup *s)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self));
	struct str dir = str_n(self, n > 0 ? (size_t)n : 0);
	const char *here;

	dir = str_sub(dir, 0, str_rchr(dir, '/'));
	here = str_fmt(&s->a, "%.*s", STRF(dir)).p;
	if (access(str_fmt(&s->a, "%s/gatepost-store", here).p, X_OK) == 0)
		return here;
	return GP_LIBEXECDIR;
}

static void
watch(struct sup *s, int fd, void *what)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = what };

	if (fd < 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		panic("epoll_ctl: errno %d", errno);
}

static void
open_signals(struct sup *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	watch(s, s->signal_fd, &s->signal_fd);
}

static void
on_signal(struct sup *s)
{
	struct signalfd_siginfo si;

	while (read(s->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGHUP:
			if (!s->stopping)
				sup_admin_hup(s);
			break;
		case SIGCHLD:
			sup_children_reap(s);
			break;
		default:
			sup_notify_stop(s);
			sup_stop_begin(s);
		}
	}
}

/* One supervisor for a data_dir, whatever else is configured. */
static enum rc
lock_run_dir(struct sup *s)
{
	const char *path =
	    str_fmt(&s->a, "%s/gatepostd.pid", s->conf->run_dir).p;
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	struct deadline dl = deadline_in(3000);
	struct str text = str_fmt(&s->a, "%ld\n", (long)getpid());

	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || deadline_over(dl)) {
			fd_close(&fd);
			break;
		}
		usleep(50000);
	}
	if (fd < 0 || ftruncate(fd, 0) < 0 ||
	    fd_pwrite_all(fd, text, 0) != RC_OK) {
		log_error(&s->log, "start.running", KVC("path", path),
		    KVC("error", "another gatepostd has this run_dir"));
		return RC_BAD;
	}
	return RC_OK; /* held until we end */
}

static enum rc
prepare(struct sup *s)
{
	enum rc rc;

	if (getrandom(s->tickets, sizeof(s->tickets), 0) != sizeof(s->tickets))
		return RC_BAD;
	sup_children_init(s);
	rc = sup_users(s);
	if (rc == RC_OK)
		rc = sup_dirs(s);
	if (rc == RC_OK)
		rc = lock_run_dir(s);
	if (rc == RC_OK)
		rc = sup_master_key(s);
	if (rc == RC_OK)
		rc = sup_listen_ipc(s);
	if (rc == RC_OK && !s->trial)
		rc = sup_listen_tcp(s);
	if (rc == RC_OK && !s->trial)
		rc = sup_listen_local(s);
	if (rc == RC_OK)
		rc = sup_write_ports(s);
	if (rc == RC_OK)
		rc = sup_drop_caps(s);
	return rc;
}

static void
on_event(struct sup *s, void *what)
{
	if (what == &s->signal_fd) {
		on_signal(s);
	} else if (what == &s->admin_fd) {
		sup_admin_accept(s);
	} else if (what >= (void *)s->queries &&
		   what < (void *)(s->queries + SUP_ADMINS_MAX)) {
		sup_admin_event(s, what);
	} else {
		sup_child_event(s, what);
	}
}

/* How long nothing is due: TICK when a restart, a stop or a question is. */
static int
patience(const struct sup *s)
{
	int64_t now = now_ns(), first = INT64_MAX;

	if (s->stopping)
		return TICK;
	for (size_t i = 0; i < SUP_ADMINS_MAX; i++)
		if (s->queries[i].pending)
			first = MIN(first, s->queries[i].dl.at_ns);
	if (s->hup.pending)
		first = MIN(first, s->hup.dl.at_ns);
	for (size_t i = 0; i < s->nchildren; i++)
		if (s->children[i].state == SUP_DOWN)
			first = MIN(first, s->children[i].restart_at);
	first = MIN(first, sup_notify_due(s));
	if (first == INT64_MAX)
		return -1;
	return first <= now ? 0 : (int)((first - now) / 1000000 + 1);
}

static void
run(struct sup *s)
{
	while (!sup_stop_done(s)) {
		struct epoll_event ev[EVENTS];
		int n = epoll_wait(s->epoll_fd, ev, EVENTS, patience(s));

		if (n < 0 && errno != EINTR)
			panic("epoll_wait: errno %d", errno);
		for (int i = 0; i < n; i++)
			on_event(s, ev[i].data.ptr);
		sup_children_tick(s);
		sup_admin_tick(s);
		sup_stop_tick(s);
		sup_notify_tick(s);
	}
}

static void
remove_sockets(struct sup *s)
{
	const char *run = s->conf->run_dir;

	for (size_t i = 0; i < sup_nroles; i++)
		if (sup_roles[i].service != NULL)
			unlink(str_fmt(
			    &s->a, "%s/%s.sock", run, sup_roles[i].service)
				   .p);
	unlink(str_fmt(&s->a, "%s/control.sock", run).p);
	unlink(str_fmt(&s->a, "%s/sendmail.sock", run).p);
	unlink(str_fmt(&s->a, "%s/ports.json", run).p);
}

static void
sup_free(struct sup *s)
{
	for (size_t i = 0; i < SUP_ADMINS_MAX; i++) {
		if (s->queries[i].pending)
			ipc_msg_free(&s->queries[i].out);
		if (s->queries[i].fd < 0)
			continue;
		ipc_reader_free(&s->queries[i].r);
		fd_close(&s->queries[i].fd);
	}
	if (s->hup.pending)
		ipc_msg_free(&s->hup.out);
	sup_notify_close(s);
	sup_creds_free(&s->creds);
	sup_files_free(&s->files);
	conf_unref(&s->conf);
	log_sink_free(&s->sink);
	arena_free(&s->a);
	xfree(s);
}

static struct sup *
sup_new(void)
{
	struct sup *s = xcalloc(1, sizeof(*s));

	s->admin_fd = s->key_fd = s->conf_fd = -1;
	s->log_fd = s->syslog_fd = -1;
	s->notify.fd = s->hup.fd = -1;
	s->files = (struct sup_files){ -1, -1, -1 };
	for (size_t i = 0; i < SUP_ADMINS_MAX; i++)
		s->queries[i].fd = -1;
	s->sink = log_sink_new(STDERR_FILENO, "gatepostd", LOG_INFO);
	s->log.sink = s->sink;
	return s;
}

/* -t: is it good? */
static int
test_conf(struct sup *s)
{
	struct str why;

	if (conf_load(&s->a, s->conf_path, &s->conf, &why) == RC_OK &&
	    sup_files_load(s, &s->a, s->conf, &s->files, &why) == RC_OK)
		return 0;
	log_error(&s->log, "start.failed", KV("error", why));
	return PROC_EX_CONFIG;
}

static int
supervise(struct sup *s)
{
	AUTO_ARENA a = { 0 };
	struct str why;

	umask(077);
	if (s->libexec == NULL)
		s->libexec = find_programs(s);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	open_signals(s);
	sup_notify_open(s);
	if (sup_reload(s, &a, &why) != RC_OK || prepare(s) != RC_OK)
		return PROC_EX_CONFIG;
	watch(s, s->admin_fd, &s->admin_fd);
	log_info(&s->log, "start", KVC("conf", s->conf_path),
	    KVC("programs", s->libexec), KVI("pid", getpid()));
	run(s);
	remove_sockets(s);
	log_info(&s->log, "stopped", KVU("failed", s->failed));
	return s->failed ? 1 : 0;
}

int
main(int argc, char **argv)
{
	struct sup *s = sup_new();
	bool test = false;
	int c, status;

	while ((c = getopt(argc, argv, "c:fkL:t")) != -1) {
		if (c == 'c')
			s->conf_path = optarg;
		else if (c == 'L')
			s->libexec = optarg;
		else if (c == 'k')
			s->trial = true;
		else if (c == 't')
			test = true;
		else if (c != 'f')
			usage();
	}
	if (s->conf_path == NULL || optind != argc)
		usage();
	status = test ? test_conf(s) : supervise(s);
	sup_free(s);
	return status;
}
