/*
 * gatepost explain rcpt ADDRESS | login NAME: every step that leads to the
 * directory's answer, in the directory's own words.
 */
#include <jansson.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "directory/dir_client.h"

#define ASK_MS  15000
#define ARG_MAX 1024u
#define USAGE   "explain rcpt ADDRESS | login NAME"

static void
as_json(struct cli *c, struct str kind, struct str arg, struct str text)
{
	json_t *root = json_object(), *steps = json_array();
	struct str line;

	while (text.n > 0 && text.p[text.n - 1] == '\n')
		text.n--;
	while (str_split(&text, '\n', &line)) {
		line = str_is_utf8(line) ? line : out_escape(&c->a, line);
		json_array_append_new(steps, json_stringn(line.p, line.n));
	}
	arg = str_is_utf8(arg) ? arg : out_escape(&c->a, arg);
	json_object_set_new(root, "kind", json_stringn(kind.p, kind.n));
	json_object_set_new(root, "about", json_stringn(arg.p, arg.n));
	json_object_set_new(root, "steps", steps);
	json_dumpf(root, c->out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	fputc('\n', c->out);
	json_decref(root);
}

enum cli_exit
cmd_explain(struct cli *c)
{
	struct str kind = str_c(c->argc > 0 ? c->argv[0] : "");
	struct str arg = str_c(c->argc > 1 ? c->argv[1] : "");
	struct dir_client *dir;
	struct str text;
	enum rc rc;

	if (c->argc != 2 || arg.n == 0 || arg.n > ARG_MAX ||
	    (!str_eq(kind, STR("rcpt")) && !str_eq(kind, STR("login"))))
		return cli_bad_usage(c, USAGE);
	dir = dir_client_new(&c->log, cli_socket(c, "directory"), 1);
	rc = dir_explain(dir, &c->a, kind, arg, deadline_in(ASK_MS), &text);
	dir_client_free(&dir);
	if (rc != RC_OK)
		return cli_answer(c, "explain", rc, "nothing is known");
	if (c->json)
		as_json(c, kind, arg, text);
	else
		out_lines(c->out, "", text);
	return CLI_GOOD;
}
