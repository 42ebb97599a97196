/*
 * gatepostd with stand-ins for its daemons: this program, started under their
 * names, is probe.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/lib/test.h"
#include "supervisor/sup_client.h"

#define PROCESSES 11u
#define PATIENCE  20000

int probe_main(int argc, char **argv);

struct world {
	char dir[32], run[48], conf[48], log[48], bin[48];
	pid_t pid;
	int notify; /* what a service manager hears; -1: there is none */
	struct arena a;
	struct sup_process *p;
	size_t n;
};

static const char *
path(struct world *w, const char *name)
{
	return str_fmt(&w->a, "%s/%s", w->dir, name).p;
}

static void
write_text(const char *name, struct str text)
{
	AUTO_FD fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_rc(fd_write_all(fd, text), RC_OK);
}

static void
write_conf(struct world *w, const char *more)
{
	struct str text = str_fmt(&w->a,
	    "hostname = mail.example.test\ndomains = {example.test}\n"
	    "directory = ldif\nldif_file = %s/x.ldif\n"
	    "data_dir = %s/data\nrun_dir = %s\n"
	    "master_key_file = %s/master.key\nlog_file = %s\n"
	    "listen_smtp = {'127.0.0.1:0'}\n"
	    "listen_submission = {'127.0.0.1:0'}\n"
	    "listen_submissions = {'127.0.0.1:0'}\n"
	    "listen_imap = {'127.0.0.1:0'}\n"
	    "listen_imaps = {'127.0.0.1:0'}\n"
	    "listen_pop3 = {}\nlisten_pop3s = {'127.0.0.1:0'}\n%s%s",
	    w->dir, w->dir, w->run, w->dir, w->log,
	    geteuid() == 0 ? "user = nobody\n" : "", more);

	write_text(w->conf, text);
}

static void
spawn(struct world *w)
{
	w->pid = fork();
	assert_true(w->pid >= 0);
	if (w->pid == 0) {
		if (w->notify >= 0)
			setenv("NOTIFY_SOCKET", path(w, "notify"), 1);
		execl("./gatepostd", "gatepostd", "-c", w->conf, "-L", w->bin,
		    (char *)NULL);
		_exit(99);
	}
}

static int
end(struct world *w, int sig)
{
	int status = -1;

	if (w->pid <= 0)
		return -1;
	if (sig > 0)
		kill(w->pid, sig);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	w->pid = 0;
	return status;
}

static struct str
log_text(struct world *w)
{
	AUTO_FD fd = open(w->log, O_RDONLY);
	struct str text = STR("");

	if (fd >= 0)
		assert_rc(fd_read_file(&w->a, fd, 1u << 20, &text), RC_OK);
	return text;
}

static size_t
count_log(struct world *w, const char *what)
{
	struct str left = log_text(w);
	size_t n = 0, at;

	while ((at = str_find(left, str_c(what))) < left.n) {
		n++;
		left = str_from(left, at + 1);
	}
	return n;
}

static void
wait_log(struct world *w, const char *what, size_t n)
{
	struct deadline dl = deadline_in(PATIENCE);

	while (count_log(w, what) < n && !deadline_over(dl))
		usleep(20000);
	if (count_log(w, what) < n)
		fail_msg("no \"%s\" in\n%.*s", what, STRF(log_text(w)));
}

static void
ask_status(struct world *w)
{
	assert_rc(
	    sup_status(&w->a, w->run, deadline_in(5000), &w->p, &w->n), RC_OK);
}

static struct sup_process *
process(struct world *w, const char *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (str_eq(w->p[i].name, str_c(name)))
			return &w->p[i];
	fail_msg("no process %s", name);
	return NULL;
}

static uint64_t
number(const struct sup_process *p, const char *name)
{
	for (size_t i = 0; i < p->nnumbers; i++)
		if (str_eq(p->numbers[i].name, str_c(name)))
			return p->numbers[i].value;
	return UINT64_MAX;
}

static int
setup(void **state)
{
	static const char *const programs[] = { "directory", "store",
		"delivery", "remote", "signer", "track", "imap", "policy",
		"gateway" };
	struct world *w = xcalloc(1, sizeof(*w));
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	w->notify = -1;
	self[n] = '\0';
	snprintf(w->dir, sizeof(w->dir), "/tmp/gp-sup-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(chmod(w->dir, 0755), 0);
	snprintf(w->run, sizeof(w->run), "%s/run", w->dir);
	snprintf(w->conf, sizeof(w->conf), "%s/c.conf", w->dir);
	snprintf(w->log, sizeof(w->log), "%s/log", w->dir);
	snprintf(w->bin, sizeof(w->bin), "%s/bin", w->dir);
	assert_int_equal(mkdir(w->bin, 0755), 0);
	for (size_t i = 0; i < COUNT(programs); i++)
		assert_int_equal(symlink(self, str_fmt(&w->a, "%s/gatepost-%s",
						   w->bin, programs[i])
						   .p),
		    0);
	write_conf(w, "");
	*state = w;
	return 0;
}

static int
setup_running(void **state)
{
	int n = setup(state);

	spawn(*state);
	wait_log(*state, "event=child.ready", PROCESSES);
	return n;
}

static int
setup_notified(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int n = setup(state);
	struct world *w = *state;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path(w, "notify"));
	w->notify =
	    socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(
	    bind(w->notify, (struct sockaddr *)&sa, sizeof(sa)), 0);
	spawn(w);
	return n;
}

static void
remove_tree(struct world *w)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", w->dir, (char *)NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

static int
teardown(void **state)
{
	struct world *w = *state;

	end(w, SIGTERM);
	fd_close(&w->notify);
	remove_tree(w);
	arena_free(&w->a);
	xfree(w);
	return 0;
}

static int
connect_to(unsigned port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		fd_close(&fd);
	return fd;
}

/* The first port of a listener out of ports.json. */
static unsigned
port_of(struct world *w, const char *name)
{
	AUTO_FD fd = open(path(w, "run/ports.json"), O_RDONLY);
	struct str text, port;
	uint64_t n = 0;

	assert_true(fd >= 0);
	assert_rc(fd_read_file(&w->a, fd, 65536, &text), RC_OK);
	text =
	    str_from(text, str_find(text, str_fmt(&w->a, "\"%s\": [", name)));
	text = str_from(text, str_find(text, STR("\"port\": ")) + 8);
	port = str_sub(text, 0, str_chr(text, '}'));
	assert_rc(str_u64(port, 65535, &n), RC_OK);
	return (unsigned)n;
}

static void
each_process_gets_what_it_needs_and_nothing_else(void **state)
{
	static const struct {
		const char *name;
		uint64_t listeners, certs, rpc, key, tickets, files;
	} rows[PROCESSES] = {
		{ "directory", 0, 0, 1, 0, 0, 0 },
		{ "store", 0, 0, 1, 1, 0, 0 },
		{ "delivery", 0, 0, 1, 0, 0, 1 },
		{ "remote", 0, 0, 1, 0, 0, 0 },
		{ "signer", 0, 0, 1, 0, 0, 0 },
		{ "track", 0, 0, 1, 0, 0, 0 },
		{ "imap.0", 0, 0, 1, 0, 0, 0 },
		{ "imap.1", 0, 0, 1, 0, 0, 0 },
		{ "policy", 0, 0, 1, 0, 0, 1 },
		{ "mx", 1, 1, 0, 0, 1, 1 },
		{ "access", 6, 1, 0, 0, 1, 3 },
	};
	struct world *w = *state;
	AUTO_FD fd = -1;

	ask_status(w);
	assert_int_equal(w->n, PROCESSES);
	for (size_t i = 0; i < PROCESSES; i++) {
		const struct sup_process *p = process(w, rows[i].name);

		assert_str(p->state, "ready");
		assert_true(p->pid > 0 && p->restarts == 0);
		assert_true(number(p, "listeners") == rows[i].listeners);
		assert_true(number(p, "certs") == rows[i].certs);
		assert_true(number(p, "rpc") == rows[i].rpc);
		assert_true(number(p, "master_key") == rows[i].key);
		assert_true(number(p, "tickets") == rows[i].tickets);
		assert_true(number(p, "files") == rows[i].files);
		assert_true(number(p, "uid") != 0 || geteuid() != 0);
	}
	fd = connect_to(port_of(w, "imaps"));
	assert_true(fd >= 0);
}

static void
a_dead_process_is_started_again_at_once(void **state)
{
	struct world *w = *state;
	uint64_t pid;

	ask_status(w);
	pid = process(w, "mx")->pid;
	kill((pid_t)pid, SIGKILL);
	wait_log(w, "event=child.ready child=mx", 2);
	ask_status(w);
	assert_true(process(w, "mx")->pid != pid);
	assert_true(process(w, "mx")->restarts == 1);
	assert_str(process(w, "mx")->last_end, "signal KILL");
	assert_true(number(process(w, "mx"), "listeners") == 1);
	assert_true(count_log(w, "child=mx") > 0);
	assert_non_null(strstr(log_text(w).p, "event=child.died child=mx"));
}

/* At 0, 0.1, 0.3, 0.7, 1.5 s: not more than five in the first second. */
static void
one_that_keeps_dying_is_slowed_down_and_its_poison_known(void **state)
{
	struct world *w = *state;

	write_conf(w, "attr_mail = 'delivery:crash'\n");
	spawn(w);
	wait_log(w, "event=child.died child=delivery", 4);
	assert_true(count_log(w, "event=child.died child=delivery") <= 5);
	wait_log(w, "proc=delivery event=probe.deaths n=0", 1);
	wait_log(w, "proc=delivery event=probe.deaths n=1", 1);
	/* Entered twice, refused from then on. */
	wait_log(w, "proc=delivery event=probe.deaths n=2", 2);
	assert_int_equal(count_log(w, "probe.deaths n=3"), 0);
	ask_status(w);
	assert_str(process(w, "store")->state, "ready");
}

static void
a_wrong_configuration_is_not_tried_quickly(void **state)
{
	struct world *w = *state;
	struct sup_line *lines;
	bool found = false;
	size_t n;

	write_conf(w, "attr_mail = 'store:exit78'\n");
	spawn(w);
	wait_log(w, "event=child.config child=store", 1);
	usleep(700000);
	assert_int_equal(count_log(w, "event=child.start child=store"), 1);
	/* A check says so, too. */
	wait_log(w, "event=child.ready", PROCESSES - 1);
	assert_rc(
	    sup_check(&w->a, w->run, deadline_in(5000), &lines, &n), RC_OK);
	for (size_t i = 0; i < n; i++)
		if (str_eq(lines[i].process, STR("store"))) {
			assert_int_equal(lines[i].grade, PROC_FAIL);
			assert_str(lines[i].found,
			    "it is down; it ended last with status 78");
			found = true;
		}
	assert_true(found);
	/* A reload may have corrected it. */
	write_conf(w, "attr_mail = ''\n");
	kill(w->pid, SIGHUP);
	wait_log(w, "event=child.ready child=store", 1);
}

static void
a_reload_reaches_all_and_names_what_needs_a_restart(void **state)
{
	struct world *w = *state;
	struct str why, behind;

	write_conf(w, "hops_max = 33\nworkers = 5\n");
	assert_rc(
	    sup_reload_ask(&w->a, w->run, deadline_in(5000), &why, &behind),
	    RC_OK);
	assert_str(why, "workers");
	assert_str(behind, "");
	/* It is answered when all have it. */
	assert_int_equal(count_log(w, "event=probe.reload hops=33"), PROCESSES);
	ask_status(w);
	assert_true(number(process(w, "mx"), "reloads") == 1);
	assert_true(number(process(w, "mx"), "certs") == 1);
	/* And the same by signal. */
	write_conf(w, "hops_max = 44\n");
	kill(w->pid, SIGHUP);
	wait_log(w, "event=probe.reload hops=44", PROCESSES);
}

static void
who_is_behind_after_a_reload_is_named(void **state)
{
	struct world *w = *state;
	struct str why, behind;

	write_conf(w, "attr_mail = 'directory:slow'\n");
	assert_rc(
	    sup_reload_ask(&w->a, w->run, deadline_in(500), &why, &behind),
	    RC_OK);
	assert_str(behind, "directory");
	assert_int_equal(
	    count_log(w, "event=reload.behind child=directory"), 1);
	wait_log(w, "event=probe.reload", PROCESSES);
	/* Who has died begins anew, with what is new. */
	ask_status(w);
	kill((pid_t)process(w, "mx")->pid, SIGKILL);
	write_conf(w, "hops_max = 33\n");
	assert_rc(
	    sup_reload_ask(&w->a, w->run, deadline_in(5000), &why, &behind),
	    RC_OK);
	assert_str(behind, "");
}

/*
 * Its tracer is told first of a death: until then nobody else can bury it.
 * EOF on the control socket comes all the same.
 */
static void
who_is_dead_and_not_buried_is_not_waited_for(void **state)
{
	struct world *w = *state;
	struct deadline dl = deadline_in(PATIENCE);
	struct sup_process mx;
	struct str why, behind;
	size_t died;
	pid_t pid;
	enum rc rc;

	ask_status(w);
	pid = (pid_t)process(w, "mx")->pid;
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		skip(); /* without it the dead are buried at once */
	kill(pid, SIGKILL);
	do {
		usleep(20000);
		ask_status(w);
		mx = *process(w, "mx");
	} while (!str_eq(mx.state, STR("down")) && !deadline_over(dl));
	write_conf(w, "hops_max = 33\n");
	rc = sup_reload_ask(&w->a, w->run, deadline_in(5000), &why, &behind);
	died = count_log(w, "event=child.died child=mx");
	/* Bury it before anything can fail: the stop waits for it. */
	assert_int_equal(waitpid(pid, NULL, __WALL), pid);
	assert_int_equal(died, 0);
	assert_str(mx.state, "down");
	assert_true(mx.pid == (uint64_t)pid);
	assert_rc(rc, RC_OK);
	assert_str(behind, "");
	assert_int_equal(count_log(w, "proc=mx event=probe.reload hops=33"), 0);
	assert_int_equal(
	    count_log(w, "event=probe.reload hops=33"), PROCESSES - 1);
	wait_log(w, "event=child.ready child=mx", 2);
}

/* What the service manager hears next, of READY and RELOADING. */
static struct str
hear(struct world *w)
{
	struct deadline dl = deadline_in(PATIENCE);
	char text[256];

	while (!deadline_over(dl)) {
		ssize_t n = recv(w->notify, text, sizeof(text), 0);
		struct str s = str_n(text, n > 0 ? (size_t)n : 0);

		if (n < 0)
			usleep(10000);
		else if (str_has_prefix(s, STR("RE")))
			return str_dup(&w->a, str_sub(s, 0, str_chr(s, '=')));
	}
	fail_msg("nothing said; the log is\n%.*s", STRF(log_text(w)));
	return STR("");
}

static pid_t
reload_in_background(struct world *w)
{
	pid_t pid = fork();
	struct str why, behind;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(sup_reload_ask(&w->a, w->run, deadline_in(PATIENCE), &why,
			  &behind) != RC_OK);
	return pid;
}

static void
the_end_of_a_reload_is_said_when_nobody_waits_for_it(void **state)
{
	struct world *w = *state;
	pid_t asker;

	assert_str(hear(w), "READY");
	write_conf(w, "attr_mail = 'directory:slow'\n");
	asker = reload_in_background(w);
	assert_str(hear(w), "RELOADING");
	kill(asker, SIGKILL);
	assert_int_equal(waitpid(asker, NULL, 0), asker);
	assert_str(hear(w), "READY");
	assert_int_equal(count_log(w, "event=probe.reload"), PROCESSES);
}

static void
of_reloads_that_overlap_the_last_end_counts(void **state)
{
	struct world *w = *state;
	pid_t asker[2];
	int status;

	assert_str(hear(w), "READY");
	write_conf(w, "attr_mail = 'directory:slow'\n");
	asker[0] = reload_in_background(w);
	assert_str(hear(w), "RELOADING");
	asker[1] = reload_in_background(w);
	assert_str(hear(w), "RELOADING");
	kill(w->pid, SIGHUP);
	assert_str(hear(w), "RELOADING");
	/* Replaces the one before it. */
	kill(w->pid, SIGHUP);
	assert_str(hear(w), "RELOADING");
	assert_str(hear(w), "READY");
	assert_int_equal(count_log(w, "proc=directory event=probe.reload"), 4);
	for (size_t i = 0; i < COUNT(asker); i++) {
		assert_int_equal(waitpid(asker[i], &status, 0), asker[i]);
		assert_int_equal(status, 0);
	}
	/* It was said once. */
	write_conf(w, "");
	kill(w->pid, SIGHUP);
	assert_str(hear(w), "RELOADING");
	assert_str(hear(w), "READY");
}

static void
a_bad_reload_changes_nothing(void **state)
{
	struct world *w = *state;
	struct str why, behind;

	write_conf(w, "hops_max = 3\n");
	assert_rc(
	    sup_reload_ask(&w->a, w->run, deadline_in(5000), &why, &behind),
	    RC_BAD);
	assert_true(str_find(why, STR("hops_max: must be a number")) < why.n);
	write_conf(w, "tls_certificate = {'/nonexistent'}\n"
		      "tls_key = {'/nonexistent'}\n");
	assert_rc(
	    sup_reload_ask(&w->a, w->run, deadline_in(5000), &why, &behind),
	    RC_BAD);
	ask_status(w);
	assert_true(number(process(w, "mx"), "reloads") == 0);
	assert_int_equal(count_log(w, "event=reload.failed"), 2);
}

static void
a_check_is_answered_by_each_process_itself(void **state)
{
	struct world *w = *state;
	struct sup_line *lines;
	size_t n;

	assert_rc(
	    sup_check(&w->a, w->run, deadline_in(5000), &lines, &n), RC_OK);
	assert_int_equal(n, PROCESSES);
	for (size_t i = 0; i < n; i++) {
		/* The sandbox holds: no probe can read that file. */
		assert_int_equal(lines[i].grade, PROC_GOOD);
		assert_str(lines[i].tried, "read /etc/passwd");
	}
}

static size_t
place(struct world *w, const char *what)
{
	struct str text = log_text(w);
	size_t at = str_find(text, str_c(what));

	if (at == text.n)
		fail_msg("no \"%s\" in\n%.*s", what, STRF(text));
	return at;
}

static void
a_stop_is_in_order_and_clean(void **state)
{
	struct world *w = *state;
	int status = end(w, SIGTERM);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(place(w, "event=child.exit child=mx") <
		    place(w, "proc=delivery event=probe.stop"));
	assert_true(place(w, "event=child.exit child=imap.1") <
		    place(w, "proc=remote event=probe.stop"));
	assert_true(place(w, "event=child.exit child=delivery") <
		    place(w, "proc=directory event=probe.stop"));
	assert_true(place(w, "event=child.exit child=remote") <
		    place(w, "proc=directory event=probe.stop"));
	assert_true(place(w, "event=child.exit child=directory") <
		    place(w, "proc=store event=probe.stop"));
	assert_int_equal(access(path(w, "run/control.sock"), F_OK), -1);
	assert_rc(sup_status(&w->a, w->run, deadline_in(100), &w->p, &w->n),
	    RC_NOENT);
}

/* What it looks at is freed after the end. */
static void
a_stop_waits_for_a_check(void **state)
{
	struct world *w = *state;
	struct sup_line *lines;
	size_t n;
	enum rc rc;
	int status;

	write_conf(w, "attr_mail = 'mx:slow'\n");
	spawn(w);
	wait_log(w, "event=child.ready", PROCESSES);
	rc = sup_check(&w->a, w->run, deadline_in(600), &lines, &n);
	assert_true(rc == RC_OK || rc == RC_TEMP);
	status = end(w, SIGTERM);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_true(place(w, "proc=mx event=probe.checked") <
		    place(w, "proc=mx event=probe.end"));
}

static void
a_process_that_never_gets_ready_does_not_hold_the_stop(void **state)
{
	struct world *w = *state;
	int64_t t;
	int status;

	write_conf(w, "attr_mail = 'directory:mute'\n");
	spawn(w);
	wait_log(w, "event=child.ready", PROCESSES - 1);
	ask_status(w);
	assert_str(process(w, "directory")->state, "starting");
	t = now_ns();
	status = end(w, SIGTERM);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_true(now_ns() - t < INT64_C(8000000000));
}

static void
there_is_one_supervisor_for_a_run_dir(void **state)
{
	struct world *w = *state;
	pid_t first = w->pid;
	int status;

	spawn(w);
	status = end(w, 0);
	w->pid = first;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), PROC_EX_CONFIG);
	wait_log(w, "event=start.running", 1);
	ask_status(w);
	assert_int_equal(w->n, PROCESSES);
}

/* Nobody may be there to bury it. */
static bool
is_dead(struct world *w, uint64_t pid)
{
	AUTO_FD fd = open(str_fmt(&w->a, "/proc/%u/stat", (unsigned)pid).p,
	    O_RDONLY | O_CLOEXEC);
	char text[512];
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));
	struct str s = str_n(text, n > 0 ? (size_t)n : 0);

	return fd < 0 ||
	       str_has_prefix(str_from(s, str_rchr(s, ')')), STR(") Z"));
}

static void
its_violent_end_leaves_nobody_and_the_next_can_start(void **state)
{
	struct world *w = *state;
	uint64_t pid;
	struct stat was, is;

	ask_status(w);
	pid = process(w, "store")->pid;
	assert_int_equal(stat(path(w, "master.key"), &was), 0);
	write_conf(w, str_fmt(&w->a, "hops_max = %u\n", 20u).p);
	end(w, SIGKILL);
	spawn(w);
	wait_log(w, "event=child.ready", 2 * PROCESSES);
	assert_true(is_dead(w, pid));
	assert_int_equal(stat(path(w, "master.key"), &is), 0);
	assert_true(was.st_ino == is.st_ino && is.st_size == 32);
	assert_int_equal(is.st_mode & 0777, 0400);
}

static void
refused(struct world *w, const char *why)
{
	int status;

	spawn(w);
	status = end(w, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), PROC_EX_CONFIG);
	wait_log(w, why, 1);
}

static void
a_lost_key_is_not_replaced(void **state)
{
	struct world *w = *state;

	assert_int_equal(mkdir(path(w, "data"), 0755), 0);
	write_text(path(w, "data/segment"), STR("mail"));
	refused(w, "event=key.missing");
	assert_int_equal(access(path(w, "master.key"), F_OK), -1);
	write_text(path(w, "master.key"), STR("short"));
	refused(w, "event=key.size");
}

/* A data_dir that is a file system of its own is as good as new. */
static void
lost_and_found_is_no_store(void **state)
{
	struct world *w = *state;

	assert_int_equal(mkdir(path(w, "data"), 0755), 0);
	assert_int_equal(mkdir(path(w, "data/lost+found"), 0700), 0);
	spawn(w);
	wait_log(w, "event=child.ready", PROCESSES);
	assert_int_equal(access(path(w, "master.key"), F_OK), 0);
	assert_int_equal(end(w, SIGTERM), 0);
}

static void
a_port_in_use_is_named(void **state)
{
	struct world *w = *state;
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(sa);
	AUTO_FD fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	write_conf(w, "");
	write_text(w->conf,
	    str_fmt(&w->a,
		"hostname = m\ndomains = d.example\ndirectory = ldif\n"
		"ldif_file = /x\ndata_dir = %s/data\nrun_dir = %s\n"
		"master_key_file = %s/master.key\nlog_file = %s\n%s"
		"listen_imap = {'127.0.0.1:%u'}\nlisten_smtp = {}\n"
		"listen_imaps = {}\nlisten_submission = {}\n"
		"listen_submissions = {}\nlisten_pop3s = {}\n",
		w->dir, w->run, w->dir, w->log,
		geteuid() == 0 ? "user = nobody\n" : "", ntohs(sa.sin_port)));
	refused(w, "event=listen.failed setting=listen_imap");
}

static void
a_key_must_belong_to_its_certificate(void **state)
{
	struct world *w = *state;

	/* Two starts make two self-signed pairs; take one half of each. */
	spawn(w);
	wait_log(w, "event=child.ready", PROCESSES);
	end(w, SIGTERM);
	assert_int_equal(
	    rename(path(w, "data/tls/key.pem"), path(w, "other.pem")), 0);
	spawn(w);
	wait_log(w, "event=child.ready", 2 * PROCESSES);
	end(w, SIGTERM);
	write_conf(w, str_fmt(&w->a,
			  "tls_certificate = {'%s/data/tls/cert.pem'}\n"
			  "tls_key = {'%s/other.pem'}\n",
			  w->dir, w->dir)
			  .p);
	spawn(w);
	assert_int_equal(WEXITSTATUS(end(w, 0)), PROC_EX_CONFIG);
}

int
main(int argc, char **argv)
{
#define T(f, s) cmocka_unit_test_setup_teardown(f, s, teardown)
	const struct CMUnitTest tests[] = {
		T(each_process_gets_what_it_needs_and_nothing_else,
		    setup_running),
		T(a_dead_process_is_started_again_at_once, setup_running),
		T(one_that_keeps_dying_is_slowed_down_and_its_poison_known,
		    setup),
		T(a_wrong_configuration_is_not_tried_quickly, setup),
		T(a_reload_reaches_all_and_names_what_needs_a_restart,
		    setup_running),
		T(a_bad_reload_changes_nothing, setup_running),
		T(who_is_behind_after_a_reload_is_named, setup_running),
		T(who_is_dead_and_not_buried_is_not_waited_for, setup_running),
		T(the_end_of_a_reload_is_said_when_nobody_waits_for_it,
		    setup_notified),
		T(of_reloads_that_overlap_the_last_end_counts, setup_notified),
		T(a_check_is_answered_by_each_process_itself, setup_running),
		T(a_stop_is_in_order_and_clean, setup_running),
		T(a_stop_waits_for_a_check, setup),
		T(a_process_that_never_gets_ready_does_not_hold_the_stop,
		    setup),
		T(there_is_one_supervisor_for_a_run_dir, setup_running),
		T(its_violent_end_leaves_nobody_and_the_next_can_start,
		    setup_running),
		T(a_lost_key_is_not_replaced, setup),
		T(lost_and_found_is_no_store, setup),
		T(a_port_in_use_is_named, setup),
		T(a_key_must_belong_to_its_certificate, setup),
	};

	if (strncmp(argv[0], "gatepost-", 9) == 0)
		return probe_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
