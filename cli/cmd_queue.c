/*
 * gatepost queue list | show ID | retry ID|all | hold ID|all |
 *                release ID|all | delete ID|all
 *
 * The list is fetched page by page, so its length is no limit; as JSON it is
 * one array all the same.
 */
#include <jansson.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "cli/queue_text.h"
#include "delivery/dlv_client.h"

#define ASK_MS 15000
#define ALL_MS 300000
#define ID_MAX 64u
#define USAGE                                                                  \
	"queue list | show ID | retry ID|all | hold ID|all | release ID|all"   \
	" | delete ID|all"
#define NO_SUCH "no such message in the queue"

struct queue {
	struct cli *c;
	struct dlv_client *dlv;
};

static enum cli_exit
odd_answer(struct queue *q)
{
	fputs("gatepost: delivery's answer is not understood; is it of the "
	      "same version?\n",
	    q->c->err);
	return CLI_WRONG;
}

static void
dump(FILE *f, json_t *root)
{
	json_dumpf(root, f, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	fputc('\n', f);
}

/* One page; *after moves on, to "" behind the last. */
static enum cli_exit
page(struct queue *q, json_t *all, struct str *after, size_t *count)
{
	struct cli *c = q->c;
	AUTO_ARENA a = { 0 };
	json_t *root, *messages, *next, *m;
	enum cli_exit status = CLI_GOOD;
	struct str json;
	size_t i;
	enum rc rc;

	rc = dlv_queue_list_after(
	    q->dlv, &a, *after, deadline_in(ASK_MS), &json);
	if (rc != RC_OK)
		return cli_answer(c, "queue list", rc, NO_SUCH);
	root = json_loadb(json.p, json.n, 0, NULL);
	messages = json_object_get(root, "messages");
	next = json_object_get(root, "next");
	json_array_foreach(messages, i, m)
	{
		(*count)++;
		if (c->json)
			json_array_append(all, m);
		else if (queue_text_item(c->out, m, now_unix()) != RC_OK)
			status = odd_answer(q);
	}
	*after = STR("");
	if (!json_is_array(messages))
		status = odd_answer(q);
	else if (json_is_string(next))
		*after = str_dup(&c->a, str_c(json_string_value(next)));
	json_decref(root);
	return status;
}

static enum cli_exit
list(struct queue *q, struct str id)
{
	json_t *all = json_array();
	enum cli_exit status;
	struct str after = STR("");
	size_t count = 0;

	(void)id;
	do
		status = page(q, all, &after, &count);
	while (status == CLI_GOOD && after.n > 0);
	if (status == CLI_GOOD && q->c->json) {
		dump(q->c->out, all);
	} else if (status == CLI_GOOD && count == 0) {
		fputs("The queue is empty.\n", q->c->out);
	}
	json_decref(all);
	return status;
}

static enum cli_exit
show(struct queue *q, struct str id)
{
	struct cli *c = q->c;
	struct str json;
	json_t *root;
	enum cli_exit status = CLI_GOOD;
	enum rc rc =
	    dlv_queue_show(q->dlv, &c->a, id, deadline_in(ASK_MS), &json);

	if (rc != RC_OK)
		return cli_answer(c, "queue show", rc, NO_SUCH);
	root = json_loadb(json.p, json.n, 0, NULL);
	if (root == NULL)
		return odd_answer(q);
	if (c->json)
		dump(c->out, root);
	else if (queue_text_show(c->out, root) != RC_OK)
		status = odd_answer(q);
	json_decref(root);
	return status;
}

static void
say_count(struct queue *q, const char *done, uint64_t n)
{
	FILE *f = q->c->out;

	if (q->c->json)
		fprintf(f, "{\"entries\": %llu}\n", (unsigned long long)n);
	else
		fprintf(f, "%llu %s %s.\n", (unsigned long long)n,
		    n == 1 ? "recipient" : "recipients", done);
}

static enum cli_exit
retry(struct queue *q, struct str id)
{
	uint64_t n;
	enum rc rc = dlv_queue_retry(q->dlv, id, deadline_in(ALL_MS), &n);

	if (rc != RC_OK)
		return cli_answer(q->c, "queue retry", rc, NO_SUCH);
	say_count(q, "will be tried now", n);
	return CLI_GOOD;
}

static enum cli_exit
hold(struct queue *q, struct str id)
{
	uint64_t n;
	enum rc rc = dlv_queue_hold(q->dlv, id, deadline_in(ALL_MS), &n);

	if (rc != RC_OK)
		return cli_answer(q->c, "queue hold", rc, NO_SUCH);
	say_count(q, "held", n);
	return CLI_GOOD;
}

static enum cli_exit
release(struct queue *q, struct str id)
{
	uint64_t n;
	enum rc rc = dlv_queue_release(q->dlv, id, deadline_in(ALL_MS), &n);

	if (rc != RC_OK)
		return cli_answer(q->c, "queue release", rc, NO_SUCH);
	say_count(q, "released", n);
	return CLI_GOOD;
}

static enum cli_exit delete (struct queue *q, struct str id) {
	uint64_t n;
	enum rc rc = dlv_queue_delete(q->dlv, id, deadline_in(ALL_MS), &n);

	if (rc != RC_OK) return cli_answer(q->c, "queue delete", rc, NO_SUCH);
	say_count(q, "deleted", n);
	return CLI_GOOD;
}

static const struct sub {
	const char *name;
	bool takes_id;
	enum cli_exit (*run)(struct queue *q, struct str id);
} subs[] = {
	{ "list", false, list },
	{ "show", true, show },
	{ "retry", true, retry },
	{ "hold", true, hold },
	{ "release", true, release },
	{ "delete", true, delete },
};

enum cli_exit
cmd_queue(struct cli *c)
{
	struct str name = str_c(c->argc > 0 ? c->argv[0] : "list");
	struct str id = str_c(c->argc > 1 ? c->argv[1] : "");
	struct queue q = { c, NULL };
	enum cli_exit status;

	for (size_t i = 0; i < COUNT(subs); i++) {
		if (!str_eq(name, str_c(subs[i].name)))
			continue;
		if (c->argc > 1 + subs[i].takes_id || id.n > ID_MAX ||
		    (id.n == 0) == subs[i].takes_id)
			break;
		q.dlv = dlv_client_new(&c->log, cli_socket(c, "delivery"), 1);
		status = subs[i].run(&q, id);
		dlv_client_free(&q.dlv);
		return status;
	}
	return cli_bad_usage(c, USAGE);
}
