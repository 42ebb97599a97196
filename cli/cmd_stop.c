/*
 * gatepost stop: tell the supervisor to end, and wait until it has.
 *
 * It holds a lock on its pid file for as long as it lives, so a number that
 * an earlier life has left there is never taken for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

#define WAIT_MS 90000
#define PID_MAX 64u /* bytes of the file */

/* RC_NOENT: nobody holds it. */
static enum rc
running(struct cli *c, int fd, pid_t *out)
{
	struct str text;
	uint64_t pid;

	if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
		flock(fd, LOCK_UN);
		return RC_NOENT;
	}
	if (lseek(fd, 0, SEEK_SET) != 0 ||
	    fd_read_file(&c->a, fd, PID_MAX, &text) != RC_OK ||
	    str_u64(str_sub(text, 0, str_chr(text, '\n')), INT32_MAX, &pid) !=
		RC_OK ||
	    pid == 0)
		return RC_TEMP;
	*out = (pid_t)pid;
	return RC_OK;
}

static enum cli_exit
wait_for_end(struct cli *c, int fd)
{
	const struct timespec step = { 0, 50000000 };
	struct deadline dl = deadline_in(WAIT_MS);

	while (!deadline_over(dl)) {
		if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
			fputs("Stopped.\n", c->out);
			return CLI_GOOD;
		}
		nanosleep(&step, NULL);
	}
	fputs("gatepost stop: it has not ended yet\n", c->err);
	return CLI_NO_ANSWER;
}

enum cli_exit
cmd_stop(struct cli *c)
{
	AUTO_FD fd = -1;
	pid_t pid = 0;
	enum rc rc;

	if (c->argc > 0)
		return cli_bad_usage(c, "stop");
	fd = open(str_fmt(&c->a, "%s/gatepostd.pid", c->conf->run_dir).p,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		rc = errno == ENOENT ? RC_NOENT : RC_DENY;
	else
		rc = running(c, fd, &pid);
	if (rc == RC_OK && kill(pid, SIGTERM) != 0)
		rc = errno == ESRCH ? RC_NOENT : RC_DENY;
	if (rc != RC_OK)
		return cli_no_supervisor(c, "stop", rc);
	return wait_for_end(c, fd);
}
