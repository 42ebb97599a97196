/*
 * gatepost config: is the file valid; --dump: all settings with the values in
 * force; --manual: the table of settings.
 */
#include <string.h>

#include "cli/cli.h"
#include "cli/out.h"

#define TEXT_MAX (1u << 20)

static enum cli_exit
print(struct cli *c, enum rc rc, const struct buf *b)
{
	struct str s = buf_str(b);

	if (rc != RC_OK)
		return cli_answer(c, "config", rc, "nothing to show");
	fwrite(s.p, 1, s.n, c->out);
	return CLI_GOOD;
}

enum cli_exit
cmd_config(struct cli *c)
{
	AUTO_BUF b = { 0 };

	buf_init(&b, TEXT_MAX);
	if (c->argc > 1)
		return cli_bad_usage(c, "config [--dump|--manual]");
	if (c->argc == 0) {
		fprintf(c->out, "%s is valid.\n", c->conf_path);
		return CLI_GOOD;
	}
	if (strcmp(c->argv[0], "--dump") == 0)
		return print(c, conf_dump(c->conf, &b), &b);
	if (strcmp(c->argv[0], "--manual") == 0)
		return print(c, conf_manual(&b), &b);
	return cli_bad_usage(c, "config [--dump|--manual]");
}
