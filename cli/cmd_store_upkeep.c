/* gatepost store stats | compact: asked of the store that runs. */
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "cli/cmd_store.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "store/store_client.h"

#define ASK_MS  60000 /* a look at every body */
#define POLL_NS 200000000

static enum cli_exit
ask(struct cli *c, struct store_client *s, json_t **out)
{
	AUTO_ARENA a = { 0 };
	struct str json;
	enum rc rc = store_upkeep(s, &a, deadline_in(ASK_MS), &json);

	if (rc != RC_OK)
		return cli_answer(c, "store", rc, "");
	*out = json_loadb(json.p, json.n, 0, NULL);
	if (*out != NULL)
		return CLI_GOOD;
	fputs("gatepost store: the store's answer is not understood; is it of "
	      "the same version?\n",
	    c->err);
	return CLI_WRONG;
}

static uint64_t
number(const json_t *o, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(o, name));
}

static bool
truth(const json_t *o, const char *name)
{
	return json_is_true(json_object_get(o, name));
}

static void
size_row(struct cli *c, const json_t *o, const char *label, const char *name)
{
	AUTO_ARENA a = { 0 };

	fprintf(
	    c->out, "%-16s%.*s\n", label, STRF(out_size(&a, number(o, name))));
}

static void
count_row(struct cli *c, const json_t *o, const char *label, const char *name)
{
	fprintf(
	    c->out, "%-16s%llu\n", label, (unsigned long long)number(o, name));
}

static void
show(struct cli *c, const json_t *o)
{
	const json_t *k = json_object_get(o, "compaction");
	uint64_t log = number(o, "log_bytes");

	count_row(c, o, "accounts", "accounts");
	count_row(c, o, "mailboxes", "mailboxes");
	count_row(c, o, "messages", "messages");
	count_row(c, o, "bodies", "bodies");
	count_row(c, o, "queue entries", "queued");
	count_row(c, o, "segments", "segments");
	size_row(c, o, "full segments", "log_bytes");
	size_row(c, o, "  in use", "live_bytes");
	size_row(c, o, "  garbage", "garbage_bytes");
	if (log > 0)
		fprintf(c->out, "%-16s%.0f %%\n", "  garbage share",
		    (double)number(o, "garbage_bytes") * 100 / (double)log);
	size_row(c, o, "checkpoint", "checkpoint_bytes");
	size_row(c, o, "free space", "free_bytes");
	count_row(c, o, "commits", "commits");
	fprintf(c->out, "%-16s%s\n", "compaction",
	    truth(k, "waits_for_backup") ? "waits for a backup"
	    : truth(k, "running")        ? "runs"
	    : truth(k, "failed")         ? "failed: see the log"
					 : "idle");
	if (truth(o, "read_only"))
		fputs("The store is read-only: a sync failed.\n", c->out);
	if (truth(o, "below_floor"))
		fputs("Free space is below free_space_mb: no new mail.\n",
		    c->out);
}

static void
dump(struct cli *c, const json_t *o)
{
	json_dumpf(o, c->out, JSON_INDENT(2));
	fputc('\n', c->out);
}

enum cli_exit
store_cmd_stats(struct cli *c)
{
	struct store_client *s =
	    store_client_new(&c->log, cli_socket(c, "store"), 1);
	json_t *o = NULL;
	enum cli_exit status = ask(c, s, &o);

	if (status == CLI_GOOD && c->json)
		dump(c, o);
	else if (status == CLI_GOOD)
		show(c, o);
	json_decref(o);
	store_client_free(&s);
	return status;
}

/* Until the run that was asked for has ended; *o is the last answer. */
static enum cli_exit
watch(struct cli *c, struct store_client *s, json_t **o)
{
	struct timespec nap = { .tv_nsec = POLL_NS };
	struct progress p;
	enum cli_exit status;

	progress_begin(&p, c->err, "compacting");
	while ((status = ask(c, s, o)) == CLI_GOOD) {
		const json_t *k = json_object_get(*o, "compaction");

		if (!truth(k, "running"))
			break;
		progress_set(&p, number(k, "moved"), number(k, "to_move"));
		json_decref(*o);
		*o = NULL;
		nanosleep(&nap, NULL);
	}
	progress_end(&p);
	return status;
}

enum cli_exit
store_cmd_compact(struct cli *c)
{
	struct store_client *s =
	    store_client_new(&c->log, cli_socket(c, "store"), 1);
	AUTO_ARENA a = { 0 };
	json_t *o = NULL;
	enum rc rc = store_compact(s, deadline_in(ASK_MS));
	enum cli_exit status = cli_answer(c, "store compact", rc, "");

	if (status == CLI_GOOD)
		status = watch(c, s, &o);
	if (status == CLI_GOOD) {
		const json_t *k = json_object_get(o, "compaction");

		if (c->json)
			dump(c, o);
		else
			fprintf(c->out,
			    "%.*s given back; full segments hold %.*s, of "
			    "which %.*s are in use.\n",
			    STRF(out_size(&a, number(k, "freed"))),
			    STRF(out_size(&a, number(o, "log_bytes"))),
			    STRF(out_size(&a, number(o, "live_bytes"))));
		if (truth(k, "failed")) {
			fputs("gatepost store compact: it did not come to its "
			      "end: see the log (event=compact.*); is there "
			      "room for a segment and the checkpoint?\n",
			    c->err);
			status = CLI_WRONG;
		}
	}
	json_decref(o);
	store_client_free(&s);
	return status;
}
