/*
 * Each row is one process: it enters the sandbox, tries one thing, and tells
 * by its exit status what came of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/lib/test.h"
#include "lib/sandbox.h"

#define KILLED 1000 /* by SIGSYS */

struct world {
	char dir[32], data[48], other[48];
	int listen_fd, client_fd;
	bool landlock;
};

/* A deed gives 0 or errno. */

static int
result(long n)
{
	return n < 0 ? errno : 0;
}

static int
read_passwd(struct world *w)
{
	(void)w;
	return result(open("/etc/passwd", O_RDONLY));
}

static int
read_granted(struct world *w)
{
	char name[64];

	snprintf(name, sizeof(name), "%s/file", w->data);
	return result(open(name, O_RDONLY));
}

static int
write_granted(struct world *w)
{
	char name[64], to[64];
	int fd;

	snprintf(name, sizeof(name), "%s/new", w->data);
	snprintf(to, sizeof(to), "%s/newer", w->data);
	fd = open(name, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || fdatasync(fd) < 0 ||
	    ftruncate(fd, 0) < 0 || rename(name, to) < 0 || unlink(to) < 0)
		return errno;
	return 0;
}

static int
spool_granted(struct world *w)
{
	return result(open(w->data, O_TMPFILE | O_RDWR, 0600));
}

static int
write_other(struct world *w)
{
	char name[64];

	snprintf(name, sizeof(name), "%s/new", w->other);
	return result(open(name, O_RDWR | O_CREAT, 0600));
}

static int
make_inet(struct world *w)
{
	(void)w;
	return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int
make_inet6_udp(struct world *w)
{
	(void)w;
	return result(socket(AF_INET6, SOCK_DGRAM, 0));
}

static int
make_packet(struct world *w)
{
	(void)w;
	return result(socket(AF_PACKET, SOCK_RAW, 0));
}

/* Accepting, reading and writing need no rights. */
static int
serve_accepted(struct world *w)
{
	char c;
	int fd = accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 || read(fd, &c, 1) != 1 || write(fd, &c, 1) != 1)
		return errno;
	return 0;
}

static int
talk_unix(struct world *w)
{
	int pair[2];

	(void)w;
	return result(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

static void *
thread_main(void *arg)
{
	return arg;
}

static int
make_thread(struct world *w)
{
	pthread_t t;
	void *out = NULL;
	int n = pthread_create(&t, NULL, thread_main, w);

	if (n == 0)
		pthread_join(t, &out);
	return n != 0 ? n : out == w ? 0 : EINVAL;
}

static int
make_process(struct world *w)
{
	pid_t pid = fork();

	(void)w;
	if (pid == 0)
		_exit(0);
	return result(pid);
}

static int
exec_true(struct world *w)
{
	(void)w;
	execl("/bin/true", "true", (char *)NULL);
	return errno;
}

static int
new_user_space(struct world *w)
{
	(void)w;
	return result(
	    syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0));
}

static int
trace(struct world *w)
{
	(void)w;
	return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int
mount_tmp(struct world *w)
{
	return result(mount("none", w->other, "tmpfs", 0, NULL));
}

static int
become_root(struct world *w)
{
	(void)w;
	return result(setresuid(0, 0, 0));
}

static int
signal_parent(struct world *w)
{
	(void)w;
	return result(syscall(SYS_kill, getppid(), 0));
}

static int
listen_anew(struct world *w)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)w;
	return result(listen(fd, 1));
}

static int
gain_privileges(struct world *w)
{
	(void)w;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : EINVAL;
}

static int
in_sandbox(
    struct world *w, const struct sandbox *rules, int (*d)(struct world *))
{
	struct log log = { 0 };
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (sandbox_enter(&log, SANDBOX_ON, rules) != RC_OK)
			_exit(255);
		_exit(d(w));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : -1;
	return WEXITSTATUS(status);
}

#ifdef GP_SANITIZED /* these need what the leak check needs */
#define UNLESS_SANITIZED(x) -2
#else
#define UNLESS_SANITIZED(x) x
#endif

static void
what_is_not_allowed_fails_or_kills(void **state)
{
	static const struct {
		const char *rule;
		int (*d)(struct world *);
		bool inet, landlock;
		int want;
	} rows[] = {
		{ "read a file of the system", read_passwd, false, true,
		    EACCES },
		{ "read what was granted", read_granted, false, true, 0 },
		{ "write what was granted", write_granted, false, true, 0 },
		{ "an unnamed file", spool_granted, false, true, 0 },
		{ "write elsewhere", write_other, false, true, EACCES },
		{ "inet without the right", make_inet, false, false, EPERM },
		{ "inet6 without the right", make_inet6_udp, false, false,
		    EPERM },
		{ "inet with the right", make_inet, true, false, 0 },
		{ "packet sockets", make_packet, true, false, EPERM },
		{ "an accepted connection", serve_accepted, false, false, 0 },
		{ "a pair of sockets", talk_unix, false, false, 0 },
		{ "a thread", make_thread, false, false, 0 },
		{ "a process", make_process, false, false,
		    UNLESS_SANITIZED(EPERM) },
		{ "a name space", new_user_space, false, false,
		    UNLESS_SANITIZED(EPERM) },
		{ "tracing", trace, false, false, UNLESS_SANITIZED(KILLED) },
		{ "a signal to another", signal_parent, false, false,
		    UNLESS_SANITIZED(EPERM) },
		{ "a program", exec_true, true, false, KILLED },
		{ "mounting", mount_tmp, true, false, KILLED },
		{ "another user", become_root, true, false, KILLED },
		{ "a new listener", listen_anew, true, false, EPERM },
		{ "no new privileges", gain_privileges, false, false, 0 },
	};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *write[] = { w->data, NULL };
		const struct sandbox rules = { .write = write,
			.inet = rows[i].inet };
		int got;

		if (rows[i].want == -2 || (rows[i].landlock && !w->landlock))
			continue;
		got = in_sandbox(w, &rules, rows[i].d);
		if (got != rows[i].want)
			fail_msg(
			    "%s: %d, not %d", rows[i].rule, got, rows[i].want);
	}
}

static void
reading_is_not_writing(void **state)
{
	struct world *w = *state;
	const char *read[] = { w->data, NULL };
	const struct sandbox rules = { .read = read };

	if (!w->landlock)
		skip();
	assert_int_equal(in_sandbox(w, &rules, read_granted), 0);
	assert_int_equal(in_sandbox(w, &rules, write_granted), EACCES);
	assert_int_equal(in_sandbox(w, &rules, spool_granted), EACCES);
}

static void
off_means_no_more_than_no_new_privileges(void **state)
{
	struct world *w = *state;
	struct log log = { 0 };
	const struct sandbox rules = { 0 };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (sandbox_enter(&log, SANDBOX_OFF, &rules) != RC_OK)
			_exit(255);
		_exit(gain_privileges(w) + read_passwd(w) + make_inet(w));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int
setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(sa);
	char name[64];
	int fd, client;

	snprintf(w->dir, sizeof(w->dir), "/tmp/gp-sandbox-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->data, sizeof(w->data), "%s/data", w->dir);
	snprintf(w->other, sizeof(w->other), "%s/other", w->dir);
	assert_int_equal(mkdir(w->data, 0700), 0);
	assert_int_equal(mkdir(w->other, 0700), 0);
	snprintf(name, sizeof(name), "%s/file", w->data);
	fd = open(name, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	/* A client is waiting, with a byte sent. */
	w->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w->listen_fd, (struct sockaddr *)&sa, n), 0);
	assert_int_equal(listen(w->listen_fd, 4), 0);
	assert_int_equal(
	    getsockname(w->listen_fd, (struct sockaddr *)&sa, &n), 0);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&sa, n), 0);
	assert_int_equal(write(client, "x", 1), 1);
	w->client_fd = client;
	w->landlock = syscall(444, NULL, 0, 1) > 0;
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	char name[64];

	close(w->listen_fd);
	close(w->client_fd);
	snprintf(name, sizeof(name), "%s/file", w->data);
	unlink(name);
	rmdir(w->data);
	rmdir(w->other);
	rmdir(w->dir);
	xfree(w);
	return 0;
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_not_allowed_fails_or_kills),
		T(reading_is_not_writing),
		T(off_means_no_more_than_no_new_privileges),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
