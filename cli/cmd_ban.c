/*
 * gatepost ban: which clients are shut out after too many failed logins, and
 * letting one in again.
 */
#include <jansson.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "lib/net.h"
#include "supervisor/sup_client.h"

#define ASK_MS 10000

static void
as_json(struct cli *c, const struct sup_process *v, size_t n)
{
	json_t *root = json_object(), *all = json_array();

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < v[i].nbans; k++) {
			const struct sup_ban *b = &v[i].bans[k];
			json_t *o = json_object();

			json_object_set_new(
			    o, "client", json_stringn(b->who.p, b->who.n));
			json_object_set_new(o, "process",
			    json_stringn(v[i].name.p, v[i].name.n));
			json_object_set_new(
			    o, "left_s", json_integer((json_int_t)b->left_s));
			json_array_append_new(all, o);
		}
	json_object_set_new(root, "bans", all);
	json_dumpf(root, c->out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	fputc('\n', c->out);
	json_decref(root);
}

static enum cli_exit
list(struct cli *c)
{
	struct sup_process *v;
	size_t n, shown = 0;
	enum rc rc =
	    sup_status(&c->a, c->conf->run_dir, deadline_in(ASK_MS), &v, &n);

	if (rc != RC_OK)
		return cli_no_supervisor(c, "ban list", rc);
	if (c->json) {
		as_json(c, v, n);
		return CLI_GOOD;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < v[i].nbans; k++, shown++)
			fprintf(c->out, "%-45.*s %-8.*s for %.*s\n",
			    STRF(out_escape(&c->a, v[i].bans[k].who)),
			    STRF(out_escape(&c->a, v[i].name)),
			    STRF(
				out_span(&c->a, (int64_t)v[i].bans[k].left_s)));
	if (shown == 0)
		fputs("Nobody is banned.\n", c->out);
	return CLI_GOOD;
}

static enum cli_exit
lift(struct cli *c, struct str address)
{
	struct str ip = str_sub(address, 0, str_chr(address, '/'));
	struct net_addr a;
	uint64_t lifted = 0;
	enum rc rc;

	if (net_addr_parse(ip, &a) != RC_OK) {
		fputs("gatepost ban: that is no address\n", c->err);
		return CLI_USAGE;
	}
	rc = sup_unban(
	    &c->a, c->conf->run_dir, ip, deadline_in(ASK_MS), &lifted);
	if (rc != RC_OK)
		return cli_no_supervisor(c, "ban lift", rc);
	if (lifted == 0) {
		fputs("gatepost ban: it is not banned\n", c->err);
		return CLI_WRONG;
	}
	fputs("Lifted.\n", c->out);
	return CLI_GOOD;
}

enum cli_exit
cmd_ban(struct cli *c)
{
	if (c->argc == 1 && str_eq(str_c(c->argv[0]), STR("list")))
		return list(c);
	if (c->argc == 2 && str_eq(str_c(c->argv[0]), STR("lift")))
		return lift(c, str_c(c->argv[1]));
	return cli_bad_usage(c, "ban list | ban lift ADDRESS");
}
