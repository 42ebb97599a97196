/*
 * gatepost: the administrator's command.  See gatepost(1).
 *
 * Exit codes: 0 good, 1 something is wrong, 2 usage, 75 no answer.
 */
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/out.h"

#define CONF_DEFAULT GP_SYSCONFDIR "/gatepost.conf"

static enum cli_exit cmd_help(struct cli *c);
static enum cli_exit cmd_version(struct cli *c);

#define NEEDS_CONF 1u /* the configuration must load */
#define OPTIONS    2u /* it reads its options itself */

static const struct command {
	const char *name;
	unsigned flags;
	enum cli_exit (*run)(struct cli *c);
	const char *args;
	const char *help;
} commands[] = {
	{ "check", NEEDS_CONF, cmd_check, "",
	    "let each daemon test its own means; says what to do" },
	{ "status", NEEDS_CONF, cmd_status, "",
	    "which daemons run, and their numbers" },
	{ "dkim", NEEDS_CONF | OPTIONS, cmd_dkim,
	    "new DOMAIN | show DOMAIN | test DOMAIN | rotate DOMAIN | list",
	    "the keys that outgoing mail is signed with" },
	{ "explain", NEEDS_CONF, cmd_explain, "rcpt ADDRESS | login NAME",
	    "why mail goes where it goes, why a login works or fails" },
	{ "dns", NEEDS_CONF, cmd_dns, "DOMAIN",
	    "the DNS records of a domain: what to publish, what is wrong" },
	{ "queue", NEEDS_CONF, cmd_queue,
	    "list | show ID | retry, hold, release, delete ID|all",
	    "mail that waits" },
	{ "trace", NEEDS_CONF | OPTIONS, cmd_trace,
	    "[ID] [--message-id M] [--from A] [--to A] [--since T] "
	    "[--until T]",
	    "what happened to a message" },
	{ "report", NEEDS_CONF | OPTIONS, cmd_report,
	    "[--day D | --since T [--until T]] [--top N]",
	    "the traffic of a day, or of another time" },
	{ "ban", NEEDS_CONF, cmd_ban, "list | lift ADDRESS",
	    "clients that are shut out after failed logins" },
	{ "store", NEEDS_CONF | OPTIONS, cmd_store,
	    "stats | compact | check [deep] | rebuild |\n"
	    "      backup DIR [--keys DIR] | restore DIR [--keys DIR]",
	    "mail on disk: how full, give space back, verify it, make its\n"
	    "      index anew, copy it while it is in use, put a copy back" },
	{ "config", NEEDS_CONF | OPTIONS, cmd_config, "[--dump|--manual]",
	    "check the configuration, show it, explain it" },
	{ "reload", NEEDS_CONF, cmd_reload, "",
	    "read configuration and certificates again" },
	{ "stop", NEEDS_CONF, cmd_stop, "", "finish what runs and stop" },
	{ "version", 0, cmd_version, "", "print the version" },
	{ "help", 0, cmd_help, "", "print this" },
};

static void
usage(FILE *f)
{
	fputs("usage: gatepost [-c FILE] [--json] COMMAND ...\n\n", f);
	for (size_t i = 0; i < COUNT(commands); i++) {
		const struct command *m = &commands[i];

		fprintf(f, "  %s%s%s\n      %s\n", m->name,
		    m->args[0] ? " " : "", m->args, m->help);
	}
	fputs("\n--json works with check, status, ban, dkim, dns, explain, "
	      "queue, report, store\nand trace.\n"
	      "Exit: 0 good, 1 something is wrong, 2 usage, 75 no answer.\n",
	    f);
}

static enum cli_exit
cmd_help(struct cli *c)
{
	usage(c->out);
	return CLI_GOOD;
}

static enum cli_exit
cmd_version(struct cli *c)
{
	fputs("gatepost " PACKAGE_VERSION "\n", c->out);
	return CLI_GOOD;
}

static enum cli_exit
load_conf(struct cli *c)
{
	struct str why = STR("");
	enum rc rc = conf_load(&c->a, c->conf_path, &c->conf, &why);

	if (rc == RC_OK)
		return CLI_GOOD;
	fputs("gatepost: ", c->err);
	out_text(c->err, why);
	fputc('\n', c->err);
	return CLI_WRONG;
}

static enum cli_exit
run(struct cli *c, const struct command *m)
{
	enum cli_exit status = CLI_GOOD;

	if (m->flags & NEEDS_CONF)
		status = load_conf(c);
	if (status == CLI_GOOD)
		status = m->run(c);
	if (c->conf != NULL)
		conf_unref(&c->conf);
	/* A full disk behind a redirection must not look like success. */
	if (fflush(c->out) != 0 && status == CLI_GOOD)
		status = CLI_WRONG;
	return status;
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < COUNT(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* Cuts our own options out of argv; false: usage. */
static bool
options(struct cli *c, int argc, char **argv)
{
	bool own = false; /* the command reads its options itself */

	for (int i = 1; i < argc; i++) {
		const char *s = argv[i];

		if (strcmp(s, "--json") == 0) {
			c->json = true;
		} else if (strcmp(s, "-c") == 0 && i + 1 < argc) {
			c->conf_path = argv[++i];
		} else if (c->argc == 0 &&
			   (strcmp(s, "-h") == 0 || strcmp(s, "--help") == 0)) {
			c->argv[c->argc++] = "help";
		} else if (c->argc == 0 && strcmp(s, "--version") == 0) {
			c->argv[c->argc++] = "version";
		} else if (s[0] == '-' && !own) {
			return false;
		} else {
			const struct command *m;

			c->argv[c->argc++] = argv[i];
			m = find_command(c->argv[0]);
			own = m != NULL && (m->flags & OPTIONS);
		}
	}
	return c->argc > 0;
}

int
main(int argc, char **argv)
{
	struct log_sink *sink = log_sink_new(2, "gatepost", LOG_ERROR);
	struct cli c = {
		.log = { .sink = sink },
		.conf_path = CONF_DEFAULT,
		.out = stdout,
		.err = stderr,
	};
	enum cli_exit status = CLI_USAGE;
	const struct command *m = NULL;

	json_set_alloc_funcs(xmalloc, xfree);
	signal(SIGPIPE, SIG_IGN);
	c.argv = arena_calloc(&c.a, (size_t)argc + 1, sizeof(c.argv[0]));
	if (options(&c, argc, argv))
		m = find_command(c.argv[0]);
	if (m != NULL) {
		c.argv++;
		c.argc--;
		status = run(&c, m);
	} else {
		usage(stderr);
	}
	arena_free(&c.a);
	log_sink_free(&sink);
	return (int)status;
}
