/*
 * gatepost store backup DIR [--keys DIR] | restore DIR [--keys DIR]
 *
 * A backup is made by this process, with the rights of who calls it; the
 * store only keeps its files in place meanwhile, so it needs no right to
 * write elsewhere.
 */
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cmd_store.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "delivery/dlv_client.h"
#include "store/backup.h"
#include "store/store_client.h"

#define ASK_MS   15000
#define RENEW_NS (10 * (int64_t)1000000000)
#define TRIES    3

struct job {
	struct cli *c;
	const char *dir, *keys;
	struct store_client *store;
	uint64_t token;
	int64_t renewed_ns;
	struct progress bar;
};

static enum cli_exit
arguments(struct cli *c, struct job *j, const char *usage)
{
	*j = (struct job){ .c = c };
	for (int i = 1; i < c->argc; i++) {
		if (strcmp(c->argv[i], "--keys") == 0 && i + 1 < c->argc)
			j->keys = c->argv[++i];
		else if (c->argv[i][0] != '-' && j->dir == NULL)
			j->dir = c->argv[i];
		else
			return cli_bad_usage(c, usage);
	}
	if (j->dir == NULL)
		return cli_bad_usage(c, usage);
	if (j->keys == NULL)
		j->keys = j->dir;
	return CLI_GOOD;
}

static enum cli_exit
complain(struct cli *c, const char *what, enum rc rc, struct str why)
{
	fprintf(c->err, "gatepost store %s: ", what);
	out_text(c->err, why);
	fputc('\n', c->err);
	return rc == RC_TEMP ? CLI_NO_ANSWER : CLI_WRONG;
}

static enum rc
on_backup(void *ctx, uint64_t done, uint64_t total)
{
	struct job *j = ctx;
	int64_t now = now_ns();
	bool last = done == total;

	progress_set(&j->bar, done, total);
	if (!last && now < j->renewed_ns + RENEW_NS)
		return RC_OK;
	j->renewed_ns = now;
	return store_lease_renew(j->store, j->token, deadline_in(ASK_MS));
}

static void
say_backup(struct cli *c, const struct backup_done *d)
{
	AUTO_ARENA a = { 0 };

	if (c->json) {
		fprintf(c->out,
		    "{\"number\": %llu, \"full\": %s, \"files\": %llu, "
		    "\"copied_bytes\": %llu, \"total_bytes\": %llu}\n",
		    (unsigned long long)d->number, d->first ? "true" : "false",
		    (unsigned long long)d->files, (unsigned long long)d->bytes,
		    (unsigned long long)d->total);
		return;
	}
	fprintf(c->out, "Backup %llu is complete: %.*s copied, %.*s in all.\n",
	    (unsigned long long)d->number, STRF(out_size(&a, d->bytes)),
	    STRF(out_size(&a, d->total)));
}

static enum cli_exit
back_up_once(struct job *j, bool *again)
{
	struct cli *c = j->c;
	struct backup b = { .log = c->log,
		.io = &io_system,
		.data_dir = c->conf->data_dir,
		.dir = j->dir,
		.keys_dir = j->keys,
		.go_on = on_backup,
		.ctx = j };
	struct backup_done done;
	struct store_lease lease;
	struct str why = STR("");
	AUTO_ARENA a = { 0 };
	enum rc rc = store_lease_begin(j->store, deadline_in(ASK_MS), &lease);

	*again = false;
	if (rc != RC_OK)
		return cli_answer(c, "store backup", rc, "");
	j->token = lease.token;
	j->renewed_ns = now_ns();
	b.at = (struct engine_position){ lease.pos, lease.last, lease.seq,
		lease.chain };
	progress_begin(&j->bar, c->err, "copying");
	rc = backup_run(&a, &b, &done, &why);
	progress_end(&j->bar);
	if (rc != RC_NOENT &&
	    store_lease_end(j->store, j->token, deadline_in(ASK_MS)) != RC_OK)
		log_debug(&c->log, "lease.end", KVU("rc", rc));
	if (rc == RC_OK) {
		say_backup(c, &done);
		return CLI_GOOD;
	}
	*again = rc == RC_NOENT;
	return complain(c, "backup", rc, why);
}

/* The store was started anew meanwhile: what was copied is not lost. */
enum cli_exit
store_cmd_backup(struct cli *c)
{
	struct job j;
	enum cli_exit status =
	    arguments(c, &j, "store backup DIR [--keys DIR]");
	bool again = true;

	if (status != CLI_GOOD)
		return status;
	j.store = store_client_new(&c->log, cli_socket(c, "store"), 1);
	for (int i = 0; again && i < TRIES; i++)
		status = back_up_once(&j, &again);
	store_client_free(&j.store);
	return status;
}

static enum rc
on_restore(void *ctx, uint64_t done, uint64_t total)
{
	struct job *j = ctx;

	progress_set(&j->bar, done, total);
	return RC_OK;
}

static void
say_restored(struct cli *c, const struct restore_done *d)
{
	AUTO_ARENA a = { 0 };

	if (c->json) {
		fprintf(c->out,
		    "{\"time\": %lld, \"accounts\": %llu, \"messages\": %llu, "
		    "\"held\": %llu}\n",
		    (long long)d->time, (unsigned long long)d->stats.accounts,
		    (unsigned long long)d->stats.messages,
		    (unsigned long long)d->held);
		return;
	}
	fprintf(c->out, "Restored as of %.*s: %llu accounts, %llu messages.\n",
	    STRF(out_time(&a, d->time)), (unsigned long long)d->stats.accounts,
	    (unsigned long long)d->stats.messages);
	if (d->held > 0)
		fprintf(c->out,
		    "%llu queue entries are held, because they may have been "
		    "sent since: gatepost queue list\n",
		    (unsigned long long)d->held);
}

/*
 * A new data_dir that root has just made is to be the store's, and so what is
 * restored into it; the top folder alone would become so at the next start.
 */
static enum cli_exit
give_to_store(struct cli *c)
{
	const char *dir = c->conf->data_dir, *name = c->conf->user;
	const struct passwd *pw;
	AUTO_ARENA a = { 0 };
	struct stat st;

	if (geteuid() != 0 || stat(dir, &st) != 0 || st.st_uid != 0)
		return CLI_GOOD;
	if (name[0] == '\0')
		name = str_fmt(&a, "%sstore", c->conf->user_prefix).p;
	pw = getpwnam(name);
	if (pw == NULL)
		return store_cmd_fail(
		    c, "the store's user is missing:", name, ENOENT);
	if (pw->pw_uid != 0 && chown(dir, pw->pw_uid, pw->pw_gid) != 0)
		return store_cmd_fail(c, "cannot give away", dir, errno);
	return CLI_GOOD;
}

/* The master key is read and the backup copied as root, if we are; the rest
 * is the store's own work. */
enum cli_exit
store_cmd_restore(struct cli *c)
{
	struct job j;
	enum cli_exit status =
	    arguments(c, &j, "store restore DIR [--keys DIR]");
	unsigned char key[SEAL_KEY];
	struct restore r = { .log = c->log,
		.io = &io_system,
		.data_dir = c->conf->data_dir,
		.go_on = on_restore,
		.ctx = &j,
		.master = key,
		.map_bytes = (uint64_t)c->conf->index_gb << 30,
		.segment_bytes = (uint64_t)c->conf->segment_mb << 20,
		.held = DLV_HELD,
		.hold = dlv_entry_held };
	struct restore_copied copied;
	struct restore_done done;
	struct str why = STR("");
	AUTO_ARENA a = { 0 };
	enum rc rc;

	if (status == CLI_GOOD)
		status = store_cmd_read_key(c, key);
	if (status == CLI_GOOD)
		status = give_to_store(c);
	if (status != CLI_GOOD)
		return status;
	r.dir = j.dir;
	r.keys_dir = j.keys;
	/* Root makes files for the store's user: its group reads them. */
	umask(geteuid() == 0 ? 007 : 077);
	progress_begin(&j.bar, c->err, "restoring");
	rc = restore_copy(&a, &r, &copied, &why);
	progress_end(&j.bar);
	if (rc == RC_OK)
		status = store_cmd_become_owner(c);
	if (rc == RC_OK && status == CLI_GOOD)
		rc = restore_finish(&a, &r, &copied, &done, &why);
	seal_wipe(key, sizeof(key));
	if (rc != RC_OK)
		return complain(c, "restore", rc, why);
	if (status == CLI_GOOD)
		say_restored(c, &done);
	return status;
}
