/*
 * gatepost status: the processes as the supervisor sees them, and the numbers
 * that each gives about itself.
 */
#include <jansson.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "supervisor/sup_client.h"

#define ASK_MS 10000

static json_t *
string(struct str s)
{
	return json_stringn(s.p ? s.p : "", s.n);
}

static void
limits_json(json_t *o, const struct sup_process *p)
{
	json_t *bans = json_array(), *busy = json_array(), *one;

	for (size_t i = 0; i < p->nbans; i++) {
		one = json_object();
		json_object_set_new(one, "client", string(p->bans[i].who));
		json_object_set_new(
		    one, "left_s", json_integer((json_int_t)p->bans[i].left_s));
		json_array_append_new(bans, one);
	}
	for (size_t i = 0; i < p->nbusy; i++) {
		one = json_object();
		json_object_set_new(one, "who", string(p->busy[i].who));
		json_object_set_new(one, "what", string(p->busy[i].what));
		json_object_set_new(one, "percent",
		    json_integer((json_int_t)p->busy[i].percent));
		json_array_append_new(busy, one);
	}
	json_object_set_new(o, "bans", bans);
	json_object_set_new(o, "busy", busy);
}

static json_t *
process_json(const struct sup_process *p)
{
	json_t *o = json_object(), *numbers = json_object();

	json_object_set_new(o, "name", string(p->name));
	json_object_set_new(o, "role", string(p->role));
	json_object_set_new(o, "state", string(p->state));
	json_object_set_new(o, "pid", json_integer((json_int_t)p->pid));
	json_object_set_new(
	    o, "restarts", json_integer((json_int_t)p->restarts));
	json_object_set_new(
	    o, "uptime_s", json_integer((json_int_t)p->uptime_s));
	json_object_set_new(o, "last_end", string(p->last_end));
	for (size_t i = 0; i < p->nnumbers; i++)
		json_object_setn_new(numbers, p->numbers[i].name.p,
		    p->numbers[i].name.n,
		    json_integer((json_int_t)p->numbers[i].value));
	json_object_set_new(o, "numbers", numbers);
	limits_json(o, p);
	return o;
}

static void
as_json(struct cli *c, const struct sup_process *v, size_t n)
{
	json_t *root = json_object(), *all = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(all, process_json(&v[i]));
	json_object_set_new(root, "processes", all);
	json_dumpf(root, c->out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	fputc('\n', c->out);
	json_decref(root);
}

static void
process_text(struct cli *c, const struct sup_process *p)
{
	FILE *f = c->out;

	fprintf(f, "%-14.*s %-9.*s", STRF(out_escape(&c->a, p->name)),
	    STRF(out_escape(&c->a, p->state)));
	if (p->pid > 0)
		fprintf(f, " pid %llu, for %.*s", (unsigned long long)p->pid,
		    STRF(out_span(&c->a, (int64_t)p->uptime_s)));
	if (p->restarts > 0) {
		fprintf(f, ", restarted %llu times, last: ",
		    (unsigned long long)p->restarts);
		out_text(f, p->last_end);
	}
	fputc('\n', f);
	for (size_t i = 0; i < p->nnumbers; i++)
		fprintf(f, "    %-24.*s %llu\n",
		    STRF(out_escape(&c->a, p->numbers[i].name)),
		    (unsigned long long)p->numbers[i].value);
	for (size_t i = 0; i < p->nbans; i++)
		fprintf(f, "    banned %.*s for %.*s\n",
		    STRF(out_escape(&c->a, p->bans[i].who)),
		    STRF(out_span(&c->a, (int64_t)p->bans[i].left_s)));
	for (size_t i = 0; i < p->nbusy; i++)
		fprintf(f, "    %.*s has used %llu%% of its %.*s\n",
		    STRF(out_escape(&c->a, p->busy[i].who)),
		    (unsigned long long)p->busy[i].percent,
		    STRF(out_escape(&c->a, p->busy[i].what)));
}

enum cli_exit
cmd_status(struct cli *c)
{
	struct sup_process *v;
	enum cli_exit status = CLI_GOOD;
	size_t n;
	enum rc rc;

	if (c->argc > 0)
		return cli_bad_usage(c, "status [--json]");
	rc = sup_status(&c->a, c->conf->run_dir, deadline_in(ASK_MS), &v, &n);
	if (rc != RC_OK)
		return cli_no_supervisor(c, "status", rc);
	if (c->json)
		as_json(c, v, n);
	for (size_t i = 0; i < n; i++) {
		if (!c->json)
			process_text(c, &v[i]);
		if (!str_eq(v[i].state, STR("ready")))
			status = CLI_WRONG;
	}
	return status;
}
