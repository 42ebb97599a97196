/* gatepost reload: settings and certificates anew, sessions go on. */
#include "cli/cli.h"
#include "cli/out.h"
#include "supervisor/sup_client.h"

#define ASK_MS 15000

enum cli_exit
cmd_reload(struct cli *c)
{
	struct str why = STR(""), behind;
	enum rc rc;

	if (c->argc > 0)
		return cli_bad_usage(c, "reload");
	rc = sup_reload_ask(
	    &c->a, c->conf->run_dir, deadline_in(ASK_MS), &why, &behind);
	if (rc == RC_BAD) {
		fputs("gatepost reload: refused, the old settings stay: ",
		    c->err);
		out_text(c->err, why);
		fputc('\n', c->err);
		return CLI_WRONG;
	}
	if (rc != RC_OK)
		return cli_no_supervisor(c, "reload", rc);
	if (behind.n > 0) {
		fputs(
		    "gatepost reload: these have not taken the new settings: ",
		    c->err);
		out_text(c->err, behind);
		fputs("\nThe log says why; a restart makes sure.\n", c->err);
		return CLI_WRONG;
	}
	fputs("Reloaded.\n", c->out);
	if (why.n > 0) {
		fputs("These take effect only after a restart: ", c->out);
		out_text(c->out, why);
		fputc('\n', c->out);
	}
	return CLI_GOOD;
}
