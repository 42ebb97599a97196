/*
 * gatepostd is started with -k: no TCP listeners, log on stderr.  Its stderr is
 * a file in memory, because a pipe that nobody reads would block it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/trial.h"
#include "supervisor/sup_client.h"

#define READY_MS   30000
#define END_MS     30000
#define ASK_MS     3000
#define LOG_MAX    (4u << 20)
#define ERRORS_MAX 4000u /* bytes */

extern char **environ;

static const struct timespec step = { 0, 50000000 };

/* Beside us in a build tree, else where it was installed. */
static const char *
program(struct cli *c)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self));
	struct str dir = str_n(self, n > 0 ? (size_t)n : 0);
	const char *beside;

	dir = str_sub(dir, 0, str_rchr(dir, '/'));
	beside = str_fmt(&c->a, "%.*s/gatepostd", STRF(dir)).p;
	if (access(beside, X_OK) == 0)
		return beside;
	return GP_SBINDIR "/gatepostd";
}

/* argv is not const in POSIX. */
static char *
writable(struct cli *c, const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(arena_alloc(&c->a, n), s, n);
}

static enum rc
spawn(struct trial *t, struct cli *c)
{
	char *argv[] = { writable(c, "gatepostd"), writable(c, "-k"),
		writable(c, "-c"), writable(c, c->conf_path), NULL };
	posix_spawn_file_actions_t fa;
	int err;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, t->log, 1);
	posix_spawn_file_actions_adddup2(&fa, t->log, 2);
	err = posix_spawn(&t->pid, program(c), &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	if (err == 0)
		return RC_OK;
	t->pid = 0;
	return err == ENOENT ? RC_NOENT : RC_TEMP;
}

/* It has ended by itself. */
static bool
ended(struct trial *t)
{
	if (t->pid > 0 && waitpid(t->pid, NULL, WNOHANG) == t->pid)
		t->pid = 0;
	return t->pid == 0;
}

static bool
all_ready(struct cli *c)
{
	AUTO_ARENA a = { 0 };
	struct sup_process *v;
	size_t n;

	if (sup_status(&a, c->conf->run_dir, deadline_in(ASK_MS), &v, &n) !=
		RC_OK ||
	    n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(v[i].state, STR("ready")))
			return false;
	}
	return true;
}

enum rc
trial_start(struct trial *t, struct cli *c)
{
	struct deadline dl = deadline_in(READY_MS);
	enum rc rc;

	*t = (struct trial){ .log = memfd_create("trial", MFD_CLOEXEC) };
	if (t->log < 0)
		return RC_TEMP;
	rc = spawn(t, c);
	while (rc == RC_OK && !all_ready(c)) {
		if (ended(t))
			return RC_BAD;
		if (deadline_over(dl))
			return RC_TEMP;
		nanosleep(&step, NULL);
	}
	return rc;
}

struct str
trial_errors(struct trial *t, struct arena *a)
{
	struct str all, line, out = STR("");

	if (lseek(t->log, 0, SEEK_SET) != 0 ||
	    fd_read_file(a, t->log, LOG_MAX, &all) != RC_OK)
		return out;
	while (str_split(&all, '\n', &line)) {
		size_t at = str_find(line, STR(" proc="));

		if (str_find(line, STR(" level=error ")) == line.n)
			continue;
		line = str_from(line, at < line.n ? at + 1 : 0);
		if (out.n > ERRORS_MAX)
			out = str_from(out, str_chr(out, '\n') + 1);
		out = str_cat(a, str_cat(a, out, line), STR("\n"));
	}
	return out;
}

void
trial_end(struct trial *t)
{
	struct deadline dl = deadline_in(END_MS);

	if (t->pid > 0)
		kill(t->pid, SIGTERM);
	while (!ended(t) && !deadline_over(dl))
		nanosleep(&step, NULL);
	if (t->pid > 0) {
		kill(t->pid, SIGKILL);
		waitpid(t->pid, NULL, 0);
		t->pid = 0;
	}
	fd_close(&t->log);
}
