/*
 * cli - the administrator's command `gatepost`: what its parts share.
 *
 * One file for each command, one row for each in the table of main.c.
 *
 * Ownership  main.c makes and frees it; texts live in `a`.
 * Threads    One, apart from those of the ipc clients.
 * Errors     A command returns an exit code; results of calls become one by
 *            cli_answer.
 */
#ifndef CLI_H
#define CLI_H

#include <stdio.h>
#include <sys/types.h>

#include "conf/conf.h"

/* Exit codes; the last is EX_TEMPFAIL of sysexits.h. */
enum cli_exit {
	CLI_GOOD = 0,
	CLI_WRONG = 1,
	CLI_USAGE = 2,
	CLI_NO_ANSWER = 75,
};

struct cli {
	struct arena a;
	struct log log;
	const char *conf_path;
	const struct conf *conf; /* NULL for commands that need none */
	bool json;
	int argc; /* behind the command's name, options removed */
	const char **argv;
	FILE *out, *err;
};

enum cli_exit cmd_ban(struct cli *c);
enum cli_exit cmd_check(struct cli *c);
enum cli_exit cmd_config(struct cli *c);
enum cli_exit cmd_dns(struct cli *c);
enum cli_exit cmd_dkim(struct cli *c);
enum cli_exit cmd_explain(struct cli *c);
enum cli_exit cmd_queue(struct cli *c);
enum cli_exit cmd_reload(struct cli *c);
enum cli_exit cmd_report(struct cli *c);
enum cli_exit cmd_status(struct cli *c);
enum cli_exit cmd_stop(struct cli *c);
enum cli_exit cmd_store(struct cli *c);
enum cli_exit cmd_trace(struct cli *c);

/* The user that a process runs as when we are root, else ours. */
MUST_CHECK enum rc cli_user_of(
    struct cli *c, const char *role, uid_t *uid, gid_t *gid);
/* Path of a daemon's socket. */
const char *cli_socket(struct cli *c, const char *service);
/*
 * Say on stderr why there is no result: "queue show: no such message".
 * `noent` is what RC_NOENT means here.
 */
enum cli_exit cli_answer(
    struct cli *c, const char *what, enum rc rc, const char *noent);
/* The same for the supervisor. */
enum cli_exit cli_no_supervisor(struct cli *c, const char *what, enum rc rc);
/* The arguments are not what the command takes. */
enum cli_exit cli_bad_usage(struct cli *c, const char *usage);

#endif
