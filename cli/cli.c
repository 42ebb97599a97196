/* What the commands have in common. */
#include "cli/cli.h"
#include "cli/out.h"

const char *
cli_socket(struct cli *c, const char *service)
{
	return str_fmt(&c->a, "%s/%s.sock", c->conf->run_dir, service).p;
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
