/*
 * Restoring goes in two steps, because the first reads what only root may and
 * the second runs as the store.  A mark in the folder says from the first
 * write to the last that it is not ready: the store refuses to open it, and
 * the next try begins anew.
 *
 * The index is built from checkpoint and log; then one record gives every
 * mailbox a new UIDVALIDITY (UIDs given out after the backup would otherwise
 * come again for other messages), and every queue entry is held (some of it
 * may have been sent since), however old it is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/backup.h"
#include "store/backup_impl.h"

#define HOLD_MAX   1000u      /* entries in one commit */
#define HOLD_BYTES (2u << 20) /* and with one of STORE_QUEUED_DATA_MAX */

struct restoring {
	struct arena *a;
	const struct restore *r;
	struct str *why;
	struct stat owner; /* of data_dir */
	bool root;         /* and so there are two */
	gid_t gid;         /* root's own */
	char *block;
	uint64_t done, total;
};

static const char *
in_data(struct restoring *s, const char *name)
{
	return str_fmt(s->a, "%s/%s", s->r->data_dir, name).p;
}

static enum rc
damaged(struct restoring *s, const char *path, uint64_t off)
{
	*s->why = str_fmt(s->a, "%s is damaged at %llu: not restored", path,
	    (unsigned long long)off);
	return RC_BAD;
}

/*
 * What root restores, root reads; but data_dir is the store's, and whoever owns
 * it could lead root away at any moment (a link in the place of a folder).  So
 * all that is done in there is done with its owner's rights, who also owns what
 * is made.
 */
static enum rc
act_as(struct restoring *s, uid_t uid, gid_t gid)
{
	if (!s->root)
		return RC_OK;
	if ((uid == 0 ? seteuid(0) != 0 || setegid(gid) != 0
		      : setegid(gid) != 0 || seteuid(uid) != 0))
		return backup_say(s->a, RC_TEMP, s->why,
		    "cannot act as the owner of", s->r->data_dir);
	return RC_OK;
}

static enum rc
act_as_owner(struct restoring *s)
{
	return act_as(s, s->owner.st_uid, s->owner.st_gid);
}

static enum rc
act_as_root(struct restoring *s)
{
	return act_as(s, 0, s->gid);
}

/* For a moment, to read what only root may. */
static enum rc
open_source(struct restoring *s, const char *path, int *out)
{
	enum rc rc = act_as_root(s);

	if (rc != RC_OK)
		return rc;
	*out = open(path, O_RDONLY | O_CLOEXEC);
	if (*out < 0)
		rc = errno == ENOENT ? damaged(s, path, 0)
				     : backup_say(s->a, RC_TEMP, s->why,
					   "cannot read", path);
	return act_as_owner(s) == RC_OK ? rc : RC_TEMP;
}

static enum rc
read_keys(
    struct restoring *s, const unsigned char id[STORE_ID], struct str *out)
{
	enum rc rc = act_as_root(s);

	if (rc == RC_OK)
		rc = backup_read_keys(s->a, s->r->keys_dir, id, out, s->why);
	return act_as_owner(s) == RC_OK ? rc : RC_TEMP;
}

/* What an earlier try, or a store that was never used, left. */
static bool
is_ours(const char *name)
{
	static const char *const names[] = { "log", "index", "keys", "keys.new",
		"lock", BACKUP_MARK };

	for (size_t i = 0; i < COUNT(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return strncmp(name, "index.", 6) == 0;
}

/* RC_DENY: something is there. */
static enum rc
check_empty(struct restoring *s)
{
	const char *dir = s->r->data_dir;
	struct stat mark;
	bool marked =
	    lstat(in_data(s, BACKUP_MARK), &mark) == 0 && S_ISREG(mark.st_mode);
	DIR *d = opendir(dir);
	struct dirent *e;
	enum rc rc = RC_OK;

	if (d == NULL || fstat(dirfd(d), &s->owner) != 0) {
		rc = backup_say(s->a, RC_TEMP, s->why, "cannot read", dir);
		if (d != NULL)
			closedir(d);
		return rc;
	}
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if ((marked && is_ours(e->d_name)) ||
		    strcmp(e->d_name, "lost+found") == 0 ||
		    strcmp(e->d_name, "track") == 0)
			continue;
		*s->why = str_fmt(s->a,
		    "%s is not empty (%s): a backup is restored into an "
		    "empty data_dir",
		    dir, e->d_name);
		rc = RC_DENY;
	}
	closedir(d);
	return rc;
}

static void
remove_in(const char *dir)
{
	AUTO_ARENA a = { 0 };
	DIR *d = opendir(dir);
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			(void)unlink(str_fmt(&a, "%s/%s", dir, e->d_name).p);
	closedir(d);
	(void)rmdir(dir);
}

/* Back to an empty folder; the mark goes last. */
static enum rc
wipe(struct restoring *s, bool mark)
{
	DIR *d = opendir(s->r->data_dir);
	struct dirent *e;

	if (d == NULL)
		return RC_TEMP;
	while ((e = readdir(d)) != NULL) {
		const char *path = in_data(s, e->d_name);

		if (!is_ours(e->d_name) || strcmp(e->d_name, BACKUP_MARK) == 0)
			continue;
		if (unlink(path) != 0)
			remove_in(path);
	}
	closedir(d);
	if (mark && unlink(in_data(s, BACKUP_MARK)) != 0)
		return RC_TEMP;
	return io_syncdir(s->r->io, s->r->data_dir);
}

/* A segment gets the length it had, which is its size in whole. */
static enum rc
copy_back(struct restoring *s, const char *from, const char *to,
    const struct backup_file *f)
{
	const struct io *io = s->r->io;
	AUTO_FD in = -1;
	AUTO_FD out = -1;
	enum rc rc = open_source(s, from, &in);

	if (rc != RC_OK)
		return rc;
	out = io_open(io, to, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0640);
	for (size_t i = 0; out >= 0 && rc == RC_OK && i < f->nsums; i++) {
		uint64_t off = (uint64_t)i * BACKUP_BLOCK;
		size_t n = (size_t)MIN(BACKUP_BLOCK, f->size - off);

		rc = fd_pread_all(in, s->block, n, off);
		if (rc == RC_TEMP)
			return backup_say(
			    s->a, rc, s->why, "cannot read", from);
		if (rc != RC_OK || backup_sum(i, s->block, n) != f->sums[i])
			return damaged(s, from, off);
		if (backup_put_block(io, out, s->block, n, off, true) != RC_OK)
			return backup_say(
			    s->a, RC_TEMP, s->why, "cannot write", to);
		s->done += n;
		rc = s->r->go_on(s->r->ctx, s->done, s->total);
	}
	if (rc != RC_OK)
		return rc;
	if (out < 0 || io_ftruncate(io, out, f->size) != RC_OK ||
	    io_fdatasync(io, out) != RC_OK)
		return backup_say(s->a, RC_TEMP, s->why, "cannot write", to);
	return RC_OK;
}

static enum rc
make_dir(struct restoring *s, const char *path)
{
	if (mkdir(path, 0750) != 0 && errno != EEXIST)
		return backup_say(s->a, RC_TEMP, s->why, "cannot make", path);
	return RC_OK;
}

static enum rc
put_mark(struct restoring *s)
{
	const char *path = in_data(s, BACKUP_MARK);
	AUTO_FD fd =
	    io_open(s->r->io, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0640);

	if (fd < 0 || io_syncdir(s->r->io, s->r->data_dir) != RC_OK)
		return backup_say(s->a, RC_TEMP, s->why, "cannot write", path);
	return RC_OK;
}

static enum rc
copy_all(struct restoring *s, const struct backup_manifest *m)
{
	const struct restore *r = s->r;
	const char *log_dir = in_data(s, "log");
	enum rc rc = make_dir(s, log_dir);
	struct str keys = STR("");

	for (size_t i = 0; i < m->n; i++)
		s->total += m->files[i].size;
	for (size_t i = 0; rc == RC_OK && i < m->n; i++) {
		const struct backup_file *f = &m->files[i];

		rc = copy_back(s, backup_path(s->a, r->dir, f->id, m->ckpt),
		    f->id != 0 ? backup_path(s->a, r->data_dir, f->id, 0)
			       : in_data(s, "log/" CKPT_NAME),
		    f);
	}
	if (rc == RC_OK)
		rc = read_keys(s, m->store, &keys);
	if (rc == RC_OK)
		rc = backup_put_whole(
		    s->a, r->io, r->data_dir, "keys", keys, s->why);
	if (rc == RC_OK && io_syncdir(r->io, log_dir) != RC_OK)
		rc = backup_say(s->a, RC_TEMP, s->why, "cannot sync", log_dir);
	return rc;
}

/* A damaged backup leaves nothing behind. */
static enum rc
fill(struct restoring *s, const struct backup_manifest *m)
{
	enum rc rc = put_mark(s);

	if (rc != RC_OK)
		return rc;
	s->block = xmalloc(BACKUP_BLOCK);
	rc = wipe(s, false);
	if (rc == RC_OK)
		rc = copy_all(s, m);
	xfree(s->block);
	if (rc == RC_BAD && wipe(s, true) != RC_OK)
		log_warn(&s->r->log, "restore.wipe", KVE(errno));
	return rc;
}

enum rc
restore_copy(struct arena *a, const struct restore *r,
    struct restore_copied *out, struct str *why)
{
	struct restoring s = { .a = a, .r = r, .why = why, .gid = getegid() };
	struct backup_manifest m;
	enum rc rc = backup_manifest_read(a, r->dir, &m, why);

	if (rc == RC_OK)
		rc = check_empty(&s);
	if (rc != RC_OK)
		return rc;
	*out = (struct restore_copied){ m.time, m.at };
	s.root = geteuid() == 0 && s.owner.st_uid != 0;
	if (s.root && setgroups(0, NULL) != 0)
		return backup_say(
		    a, RC_TEMP, why, "cannot leave root's groups for", r->dir);
	rc = act_as_owner(&s);
	if (rc == RC_OK)
		rc = fill(&s, &m);
	return act_as_root(&s) == RC_OK ? rc : RC_TEMP;
}

/* The second step */

/* As many entries as one commit takes; a large group has more. */
static size_t
hold_some(
    struct arena *a, struct store_queued *q, size_t n, const struct restore *r)
{
	size_t bytes = 0, i;

	for (i = 0; i < MIN(n, HOLD_MAX) && bytes < HOLD_BYTES; i++) {
		q[i].state = r->held;
		q[i].data = r->hold(a, q[i].data);
		q[i].reason =
		    STR("held: restored from a backup, may have been sent");
		bytes += q[i].data.n + q[i].prefix.n + q[i].rcpt.n;
	}
	return i;
}

static enum rc
hold_one(struct engine *e, struct arena *a, struct store_queue_item *item,
    const struct restore *r, uint64_t *held)
{
	struct str id;
	enum rc rc = str_unhex(a, item->message_id, &id);

	if (rc != RC_OK || id.n != BODY_ID)
		return RC_BAD;
	for (size_t at = 0; at < item->nentries && rc == RC_OK;) {
		struct engine_intent in = { .kind = ENGINE_QUEUE, .a = a };

		memcpy(in.submit.id, id.p, BODY_ID);
		in.submit.set = item->entries + at;
		in.submit.nset =
		    hold_some(a, item->entries + at, item->nentries - at, r);
		at += in.submit.nset;
		rc = engine_run(e, &in);
	}
	*held += item->nentries;
	return rc;
}

static enum rc
hold_all(struct engine *e, const struct restore *r, uint64_t *held)
{
	AUTO_ARENA keep = { 0 };
	AUTO_ARENA a = { 0 };
	struct str after = STR("");
	enum rc rc = RC_OK;
	size_t n = 1;

	while (rc == RC_OK && n > 0) {
		struct store_queue_item *v;
		struct str id;

		rc = e->ops->queue_list(e, &a, after, 500, &v, &n);
		for (size_t i = 0; rc == RC_OK && i < n; i++)
			rc = hold_one(e, &a, &v[i], r, held);
		if (rc == RC_OK && n > 0)
			rc = str_unhex(&a, v[n - 1].message_id, &id);
		if (rc == RC_OK && n > 0) {
			arena_reset(&keep);
			after = str_dup(&keep, id);
		}
		arena_reset(&a);
	}
	return rc;
}

static enum rc
finish(struct engine *e, struct arena *a, const struct restore *r,
    const struct restore_copied *copied, struct restore_done *out,
    struct str *why)
{
	struct engine_intent in = { .kind = ENGINE_RESTORED, .a = a };
	struct engine_position at;
	enum rc rc = e->ops->pin(e, true, &at);

	if (rc == RC_OK)
		rc = e->ops->pin(e, false, NULL);
	if (rc == RC_OK &&
	    (at.seq != copied->at.seq || at.chain != copied->at.chain)) {
		*why = STR("the log ends before the position that the "
			   "manifest names");
		return RC_BAD;
	}
	e->ops->stats(e, &out->stats);
	if (rc == RC_OK && out->stats.keyless > 0) {
		*why = str_fmt(a,
		    "the keys are older than the backup: %llu accounts have "
		    "none: not restored",
		    (unsigned long long)out->stats.keyless);
		return RC_DENY;
	}
	if (rc == RC_OK)
		rc = engine_run(e, &in);
	if (rc == RC_OK)
		rc = hold_all(e, r, &out->held);
	if (rc != RC_OK)
		*why = STR("the restored store could not be written");
	e->ops->stats(e, &out->stats);
	return rc;
}

enum rc
restore_finish(struct arena *a, const struct restore *r,
    const struct restore_copied *copied, struct restore_done *out,
    struct str *why)
{
	struct engine_conf conf = { .dir = r->data_dir,
		.segment_bytes = r->segment_bytes,
		.map_bytes = r->map_bytes,
		.gather_us = 1,
		.restoring = true,
		.io = r->io };
	struct restoring s = { .a = a, .r = r, .why = why };
	struct engine *e = NULL;
	enum rc rc;

	*out = (struct restore_done){ .time = copied->time };
	memcpy(conf.master, r->master, SEAL_KEY);
	rc = engine_local_open(&r->log, &conf, &e);
	seal_wipe(conf.master, SEAL_KEY);
	if (rc != RC_OK) {
		*why = rc == RC_DENY
			   ? STR("the master key is not the one of this "
				 "backup, or it was made by a later version")
			   : STR("the restored log does not open: see the "
				 "lines above");
		return rc;
	}
	rc = finish(e, a, r, copied, out, why);
	e->ops->close(&e);
	if (rc == RC_DENY && out->stats.keyless > 0 && wipe(&s, true) != RC_OK)
		log_warn(&r->log, "restore.wipe", KVE(errno));
	if (rc == RC_OK &&
	    (io_unlink(r->io, in_data(&s, BACKUP_MARK)) != RC_OK ||
		io_syncdir(r->io, r->data_dir) != RC_OK))
		rc = backup_say(
		    a, RC_TEMP, why, "cannot open for use", r->data_dir);
	return rc;
}
