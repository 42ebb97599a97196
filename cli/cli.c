/* What the commands have in common. */
#include <pwd.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/out.h"

const char *
cli_socket(struct cli *c, const char *service)
{
	return str_fmt(&c->a, "%s/%s.sock", c->conf->run_dir, service).p;
}

enum rc
cli_user_of(struct cli *c, const char *role, uid_t *uid, gid_t *gid)
{
	struct str name = str_c(c->conf->user);
	char text[4096];
	struct passwd pw, *found = NULL;

	*uid = geteuid();
	*gid = getegid();
	if (geteuid() != 0)
		return RC_OK;
	if (name.n == 0)
		name = str_fmt(&c->a, "%s%s", c->conf->user_prefix, role);
	if (getpwnam_r(name.p, &pw, text, sizeof(text), &found) != 0 ||
	    found == NULL)
		return RC_NOENT;
	*uid = pw.pw_uid;
	*gid = pw.pw_gid;
	return RC_OK;
}

enum cli_exit
cli_answer(struct cli *c, const char *what, enum rc rc, const char *noent)
{
	switch (rc) {
	case RC_OK:
		return CLI_GOOD;
	case RC_NOENT:
		fprintf(c->err, "gatepost %s: %s\n", what, noent);
		return CLI_WRONG;
	case RC_DENY:
		fprintf(c->err, "gatepost %s: refused\n", what);
		return CLI_WRONG;
	case RC_BAD:
		fprintf(c->err, "gatepost %s: not understood\n", what);
		return CLI_WRONG;
	case RC_TEMP:
		break;
	}
	fprintf(c->err,
	    "gatepost %s: no answer; is Gatepost running, and may you speak "
	    "with it?  Try: gatepost check\n",
	    what);
	return CLI_NO_ANSWER;
}

enum cli_exit
cli_no_supervisor(struct cli *c, const char *what, enum rc rc)
{
	const char *why = rc == RC_NOENT ? "Gatepost is not running here"
			  : rc == RC_DENY
			      ? "only root and the user who started it may ask"
			      : "no answer from gatepostd";

	fprintf(c->err, "gatepost %s: %s (run_dir %s)\n", what, why,
	    c->conf->run_dir);
	return CLI_NO_ANSWER;
}

enum cli_exit
cli_bad_usage(struct cli *c, const char *usage)
{
	fprintf(c->err, "usage: gatepost [-c FILE] %s\n", usage);
	return CLI_USAGE;
}
