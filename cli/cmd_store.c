/*
 * gatepost store: the table of its parts; and check [deep] | rebuild, which
 * work on the files themselves, so that they can be used when the store does
 * not start.  See store/maint.h.
 *
 * Root reads the master key and then becomes the owner of the data folder:
 * what a check or a rebuild writes must be the store's own, and a fault in
 * reading damaged files is no fault of root's.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cmd_store.h"
#include "cli/out.h"
#include "store/keys.h"
#include "store/maint.h"

#define USAGE                                                                  \
	"store stats | compact | check [deep] | rebuild | backup DIR [--keys " \
	"DIR] | restore DIR [--keys DIR]"
#define MASTER_MAX 256u /* bytes of the file */

struct job {
	struct cli *c;
	unsigned notes, bad;
};

static void
say(void *ctx, enum maint_grade grade, struct str what, struct str found)
{
	static const char *const grades[] = {
		[MAINT_GOOD] = "good",
		[MAINT_NOTE] = "note",
		[MAINT_BAD] = "BAD",
	};
	struct job *j = ctx;
	FILE *f = j->c->out;

	j->notes += grade == MAINT_NOTE;
	j->bad += grade == MAINT_BAD;
	fprintf(f, "%-5s ", grades[grade]);
	out_text(f, what);
	if (found.n > 0)
		fputs(": ", f);
	out_text(f, found);
	fputc('\n', f);
	fflush(f);
}

enum cli_exit
store_cmd_fail(struct cli *c, const char *what, const char *path, int error)
{
	const char *why = strerrordesc_np(error);

	fprintf(c->err, "gatepost store: %s %s: %s\n", what, path,
	    why != NULL ? why : "failed");
	return CLI_WRONG;
}

enum cli_exit
store_cmd_read_key(struct cli *c, unsigned char key[SEAL_KEY])
{
	const char *path = c->conf->master_key_file;
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[MASTER_MAX];
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
	enum rc rc;

	if (n < 0)
		return store_cmd_fail(c, "cannot read", path, errno);
	rc = keys_master_parse(str_n(text, (size_t)n), key);
	seal_wipe(text, sizeof(text));
	if (rc == RC_OK)
		return CLI_GOOD;
	fprintf(c->err, "gatepost store: %s is no master key\n", path);
	return CLI_WRONG;
}

enum cli_exit
store_cmd_become_owner(struct cli *c)
{
	const char *dir = c->conf->data_dir;
	struct stat st;

	/* Root makes files for the store's user: its group reads them. */
	umask(geteuid() == 0 ? 007 : 077);
	if (stat(dir, &st) != 0)
		return store_cmd_fail(c, "cannot look at", dir, errno);
	if (geteuid() != 0 || st.st_uid == 0)
		return CLI_GOOD;
	if (setgroups(0, NULL) != 0 ||
	    setresgid(st.st_gid, st.st_gid, st.st_gid) != 0 ||
	    setresuid(st.st_uid, st.st_uid, st.st_uid) != 0)
		return store_cmd_fail(
		    c, "cannot become the owner of", dir, errno);
	return CLI_GOOD;
}

static enum cli_exit
result(struct job *j, enum rc rc)
{
	struct cli *c = j->c;

	switch (rc) {
	case RC_OK:
		fprintf(c->out, "\nAll is well");
		if (j->notes > 0)
			fprintf(c->out, ", %u notes", j->notes);
		fputs(".\n", c->out);
		return CLI_GOOD;
	case RC_BAD:
		fprintf(c->out, "\n%u things are wrong.\n", j->bad);
		return CLI_WRONG;
	case RC_DENY:
		fputs("gatepost store: refused: the store is running "
		      "(gatepost stop), was written by a later version, or "
		      "has another master key\n",
		    c->err);
		return CLI_WRONG;
	default:
		fputs("gatepost store: the disk could not be read or "
		      "written; see the lines above\n",
		    c->err);
		return CLI_NO_ANSWER;
	}
}

static enum cli_exit
run(struct cli *c, bool rebuild, bool deep, const unsigned char *key)
{
	struct job j = { .c = c };
	const struct maint m = {
		.log = c->log,
		.dir = c->conf->data_dir,
		.master = key,
		.deep = deep,
		.say = say,
		.ctx = &j,
	};

	if (rebuild)
		return result(
		    &j, maint_rebuild(&m, (uint64_t)c->conf->index_gb << 30,
			    (uint64_t)c->conf->segment_mb << 20));
	return result(&j, maint_check(&m));
}

static const struct sub {
	const char *name;
	int argc; /* with the name; -1: it looks itself */
	enum cli_exit (*run)(struct cli *c);
} subs[] = {
	{ "stats", 1, store_cmd_stats },
	{ "compact", 1, store_cmd_compact },
	{ "backup", -1, store_cmd_backup },
	{ "restore", -1, store_cmd_restore },
};

enum cli_exit
cmd_store(struct cli *c)
{
	struct str what = str_c(c->argc > 0 ? c->argv[0] : "");
	bool rebuild = c->argc == 1 && str_eq(what, STR("rebuild"));
	bool check = c->argc == 1 && str_eq(what, STR("check"));
	bool deep = c->argc == 2 && str_eq(what, STR("check")) &&
		    strcmp(c->argv[1], "deep") == 0;
	unsigned char key[SEAL_KEY];
	enum cli_exit status = CLI_GOOD;

	for (size_t i = 0; i < COUNT(subs); i++)
		if (str_eq(what, str_c(subs[i].name)) &&
		    (subs[i].argc < 0 || subs[i].argc == c->argc))
			return subs[i].run(c);
	if (!rebuild && !check && !deep)
		return cli_bad_usage(c, USAGE);
	if (!check)
		status = store_cmd_read_key(c, key);
	if (status == CLI_GOOD)
		status = store_cmd_become_owner(c);
	if (status == CLI_GOOD)
		status = run(c, rebuild, deep, check ? NULL : key);
	seal_wipe(key, sizeof(key));
	return status;
}
