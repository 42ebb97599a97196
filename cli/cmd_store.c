/*
 * gatepost store check|rebuild: works on the files themselves, so that it can
 * be used when the store does not start.  See store/maint.h.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "store/keys.h"
#include "store/maint.h"

#define MASTER_MAX 256u

static const char usage[] = "store check [deep] | rebuild";

static void
say(void *ctx, enum maint_grade grade, struct str what, struct str found)
{
	static const char *const words[] = { "good", "note", "BAD" };
	struct cli *c = ctx;

	fprintf(c->out, "%-4s  ", words[grade]);
	out_text(c->out, what);
	fputs(": ", c->out);
	out_text(c->out, found);
	fputc('\n', c->out);
}

static enum rc
read_master(struct cli *c, unsigned char key[SEAL_KEY])
{
	AUTO_FD fd = open(c->conf->master_key_file, O_RDONLY | O_CLOEXEC);
	struct str text;

	if (fd >= 0 && fd_read_file(&c->a, fd, MASTER_MAX, &text) == RC_OK &&
	    keys_master_parse(text, key) == RC_OK)
		return RC_OK;
	fprintf(c->err, "gatepost: the master key cannot be read from %s\n",
	    c->conf->master_key_file);
	return RC_BAD;
}

/* The files stay the store's own, whoever built them. */
static enum cli_exit
rebuild(struct cli *c, const struct maint *m)
{
	uint64_t map = (uint64_t)c->conf->index_gb << 30;
	uint64_t segment = (uint64_t)c->conf->segment_mb << 20;

	switch (maint_rebuild(m, map, segment)) {
	case RC_OK:
		return CLI_GOOD;
	case RC_TEMP:
		return CLI_NO_ANSWER;
	default:
		return CLI_WRONG;
	}
}

enum cli_exit
cmd_store(struct cli *c)
{
	unsigned char key[SEAL_KEY];
	bool deep = c->argc == 2 && strcmp(c->argv[1], "deep") == 0;
	bool check = c->argc >= 1 && strcmp(c->argv[0], "check") == 0;
	bool build = c->argc == 1 && strcmp(c->argv[0], "rebuild") == 0;
	struct maint m = { .log = c->log,
		.dir = c->conf->data_dir,
		.deep = deep,
		.say = say,
		.ctx = c };
	enum cli_exit e;
	enum rc rc;

	if (!build && !(check && (c->argc == 1 || deep)))
		return cli_bad_usage(c, usage);
	if (deep || build) {
		if (read_master(c, key) != RC_OK)
			return CLI_WRONG;
		m.master = key;
	}
	if (build) {
		e = rebuild(c, &m);
	} else {
		rc = maint_check(&m);
		e = rc == RC_OK     ? CLI_GOOD
		    : rc == RC_TEMP ? CLI_NO_ANSWER
				    : CLI_WRONG;
	}
	seal_wipe(key, sizeof(key));
	return e;
}
