/*
 * gatepost check: the supervisor asks each daemon, and each daemon tests its
 * own means under its own user.  If nothing runs, everything is started for
 * the check alone (trial.h).
 */
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/files.h"
#include "cli/out.h"
#include "cli/trial.h"
#include "supervisor/sup_client.h"

#define ASK_MS   60000
#define START_MS 15000

struct check {
	struct cli *c;
	json_t *all; /* NULL: text */
	unsigned lines, failed, unproven;
};

static json_t *
string(struct cli *c, struct str s)
{
	if (!str_is_utf8(s))
		s = out_escape(&c->a, s);
	return json_stringn(s.p ? s.p : "", s.n);
}

static void
line_json(struct check *k, const struct sup_line *l, const char *grade)
{
	json_t *o = json_object();

	json_object_set_new(o, "process", string(k->c, l->process));
	json_object_set_new(o, "grade", json_string(grade));
	json_object_set_new(o, "tried", string(k->c, l->tried));
	json_object_set_new(o, "found", string(k->c, l->found));
	json_object_set_new(o, "todo", string(k->c, l->todo));
	json_array_append_new(k->all, o);
}

static void
line_text(struct check *k, const struct sup_line *l, const char *grade)
{
	FILE *f = k->c->out;

	fprintf(
	    f, "%-9s %.*s: ", grade, STRF(out_escape(&k->c->a, l->process)));
	out_text(f, l->tried);
	if (l->found.n > 0)
		fputs(": ", f);
	out_text(f, l->found);
	fputc('\n', f);
	if (l->todo.n > 0)
		out_lines(f, "          -> ", l->todo);
}

static void
line(struct check *k, const struct sup_line *l)
{
	static const char *const grades[] = {
		[PROC_GOOD] = "good",
		[PROC_UNPROVEN] = "unproven",
		[PROC_FAIL] = "FAILED",
	};
	const char *grade =
	    l->grade < COUNT(grades) ? grades[l->grade] : grades[PROC_FAIL];

	k->lines++;
	k->failed += grade == grades[PROC_FAIL];
	k->unproven += grade == grades[PROC_UNPROVEN];
	if (k->all != NULL)
		line_json(k, l, grade);
	else
		line_text(k, l, grade);
}

/* One of our own. */
static void
own_line(struct check *k, enum proc_grade grade, struct str tried,
    struct str found, struct str todo)
{
	line(k, &(const struct sup_line){
		    STR("gatepost"), grade, tried, found, todo });
}

static void
file_missing(void *arg, const char *setting, const char *path, int error)
{
	struct check *k = arg;
	const char *why = strerrordesc_np(error);

	own_line(k, PROC_FAIL,
	    str_fmt(&k->c->a, "find the file of %s, %s", setting, path),
	    str_c(why != NULL ? why : "not found"),
	    STR("correct the setting, or put the file there"));
}

static void
check_files(struct check *k)
{
	unsigned before = k->failed;
	unsigned named = files_check(k->c, file_missing, k);

	if (k->failed == before)
		own_line(k, PROC_GOOD, STR("find the files it names"),
		    str_fmt(&k->c->a, "%u are there", named), STR(""));
}

/* Somebody is between its start and the moment when it serves. */
static bool
starting(struct check *k)
{
	AUTO_ARENA a = { 0 };
	struct sup_process *v;
	size_t n;

	if (sup_status(&a, k->c->conf->run_dir, deadline_in(ASK_MS), &v, &n) !=
	    RC_OK)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (str_eq(v[i].state, STR("starting")))
			return true;
	}
	return false;
}

static void
let_them_start(struct check *k)
{
	const struct timespec step = { 0, 50000000 };
	struct deadline dl = deadline_in(START_MS);

	while (starting(k) && !deadline_over(dl))
		nanosleep(&step, NULL);
}

static enum rc
ask(struct check *k)
{
	struct cli *c = k->c;
	struct sup_line *v;
	size_t n;
	enum rc rc =
	    sup_check(&c->a, c->conf->run_dir, deadline_in(ASK_MS), &v, &n);

	for (size_t i = 0; rc == RC_OK && i < n; i++)
		line(k, &v[i]);
	return rc;
}

static void
start_and_ask(struct check *k)
{
	struct str tried = STR("start the daemons, closed to the network");
	AUTO_TRIAL t = { .log = -1 };
	enum rc rc = trial_start(&t, k->c);
	struct str errors;

	if (rc == RC_OK)
		own_line(k, PROC_GOOD, tried, STR("all are ready"), STR(""));
	else if (rc == RC_NOENT)
		own_line(k, PROC_FAIL, tried, STR("there is no gatepostd"),
		    STR("install it"));
	else
		own_line(k, PROC_FAIL, tried,
		    rc == RC_BAD ? STR("gatepostd ended")
				 : STR("not all got ready"),
		    STR("see below"));
	if ((rc == RC_OK || rc == RC_TEMP) && ask(k) != RC_OK)
		own_line(k, PROC_FAIL, STR("ask the daemons"), STR("no answer"),
		    STR("see below"));
	errors = trial_errors(&t, &k->c->a);
	if (k->failed > 0 && errors.n > 0)
		own_line(
		    k, PROC_FAIL, STR("errors in the log"), STR(""), errors);
}

static enum cli_exit
summary(struct check *k)
{
	FILE *f = k->c->out;

	if (k->all != NULL) {
		json_dumpf(k->all, f, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		fputc('\n', f);
		json_decref(k->all);
	} else {
		fprintf(f, "\n%u checks", k->lines);
		if (k->failed > 0)
			fprintf(f, ", %u FAILED", k->failed);
		else
			fputs(", nothing wrong", f);
		if (k->unproven > 0)
			fprintf(f, ", %u unproven", k->unproven);
		fputc('\n', f);
	}
	return k->failed > 0 ? CLI_WRONG : CLI_GOOD;
}

enum cli_exit
cmd_check(struct cli *c)
{
	struct check k = { .c = c };
	enum rc rc;

	if (c->argc > 0)
		return cli_bad_usage(c, "check [--json]");
	if (c->json)
		k.all = json_array();
	own_line(&k, PROC_GOOD, STR("read the configuration"),
	    str_c(c->conf_path), STR(""));
	check_files(&k);
	let_them_start(&k);
	rc = ask(&k);
	if (rc == RC_NOENT) {
		start_and_ask(&k);
	} else if (rc != RC_OK) {
		json_decref(k.all);
		return cli_no_supervisor(c, "check", rc);
	}
	return summary(&k);
}
