/*
 * What only the privileged can prepare: directories with their owners, the
 * master key; and then giving the privileges up.
 *
 * run_dir is reached by all roles (group), the spool directory below it is
 * written by them; data_dir is the store's, read by the members of its group,
 * but for data_dir/track, which is track's alone; dkim_dir is the signer's.
 *
 * The master key is made once.  If it is missing while there is mail, it was
 * lost or the path is wrong: a new one would only hide that.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/sup.h"

static enum rc
fail(struct sup *s, const char *what, const char *path)
{
	log_error(&s->log, what, KVC("path", path), KVE(errno));
	return RC_BAD;
}

static enum rc
make_dir(struct sup *s, const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat st;
	AUTO_FD fd = -1;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail(s, "dir.make", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(s, "dir.open", path);
	if (geteuid() == 0 && (st.st_uid != uid || st.st_gid != gid) &&
	    fchown(fd, uid, gid) < 0)
		return fail(s, "dir.owner", path);
	if ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
		return fail(s, "dir.mode", path);
	return RC_OK;
}

static const struct sup_user *
user_of(const struct sup *s, const char *role)
{
	for (size_t i = 0; i < s->nchildren; i++)
		if (strcmp(s->children[i].role->name, role) == 0)
			return &s->children[i].user;
	panic("no role %s", role);
}

enum rc
sup_dirs(struct sup *s)
{
	const struct sup_user *store = user_of(s, "store");
	const struct sup_user *signer = user_of(s, "signer");
	const struct sup_user *track = user_of(s, "track");
	const char *tracked = str_fmt(&s->a, "%s/track", s->conf->data_dir).p;
	const char *spool = str_fmt(&s->a, "%s/spool", s->conf->run_dir).p;
	const char *dkim = s->conf->dkim_dir;
	bool root = geteuid() == 0;
	enum rc rc;

	/*
	 * Ours, so that we can clean up when we have no privileges left.  Any
	 * user may go through it to sendmail.sock; nobody can list it, and each
	 * of the other sockets has a mode of its own.
	 */
	rc = make_dir(
	    s, s->conf->run_dir, geteuid(), s->group, root ? 0751 : 0711);
	if (rc == RC_OK)
		rc = make_dir(
		    s, spool, geteuid(), s->group, root ? 01770 : 0700);
	/* Others go through it to what is their own; they cannot list it. */
	if (rc == RC_OK)
		rc = make_dir(s, s->conf->data_dir, store->uid, store->gid,
		    s->same_user ? 0700 : 0751);
	/*
	 * What is not there when the signer starts stays out of its reach.  If
	 * we may not make it, the signer says what that means.
	 */
	if (rc == RC_OK && dkim[0] != '\0' &&
	    (access(dkim, F_OK) == 0 || mkdir(dkim, 0700) == 0) &&
	    make_dir(s, dkim, signer->uid, signer->gid, 0700) != RC_OK)
		log_warn(&s->log, "dkim.dir", KVC("path", dkim));
	if (rc == RC_OK)
		rc = make_dir(s, tracked, track->uid, track->gid, 0700);
	return rc;
}

/* Nothing in it but our own tls/ and track/, and what a file system has. */
static bool
is_empty(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	bool empty = d != NULL;

	while (empty && (e = readdir(d)) != NULL)
		empty = strcmp(e->d_name, ".") == 0 ||
			strcmp(e->d_name, "..") == 0 ||
			strcmp(e->d_name, "lost+found") == 0 ||
			strcmp(e->d_name, "tls") == 0 ||
			strcmp(e->d_name, "track") == 0;
	if (d != NULL)
		closedir(d);
	return empty;
}

static enum rc
sync_parent(const char *path)
{
	AUTO_ARENA a = { 0 };
	struct str dir = str_sub(str_c(path), 0, str_rchr(str_c(path), '/'));
	AUTO_FD fd = open(str_fmt(&a, "%.*s/", STRF(dir)).p,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && fsync(fd) == 0 ? RC_OK : RC_TEMP;
}

static enum rc
make_key(struct sup *s, const char *path)
{
	unsigned char key[SUP_KEY];
	AUTO_FD fd = -1;
	enum rc rc = RC_BAD;

	if (!is_empty(s->conf->data_dir)) {
		log_error(&s->log, "key.missing", KVC("path", path),
		    KVC("setting", "master_key_file"),
		    KVC("todo",
			"the store is not empty: bring the key back from its "
			"copy, or correct the path"));
		return RC_BAD;
	}
	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		return fail(s, "key.make", path);
	fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	if (fd < 0)
		return fail(s, "key.make", path);
	if (fd_write_all(fd, str_n(key, sizeof(key))) == RC_OK &&
	    fsync(fd) == 0 && sync_parent(path) == RC_OK)
		rc = RC_OK;
	explicit_bzero(key, sizeof(key));
	if (rc != RC_OK)
		return fail(s, "key.make", path);
	log_warn(&s->log, "key.made", KVC("path", path),
	    KVC("todo", "keep a copy elsewhere: without it the mail is lost"));
	return RC_OK;
}

enum rc
sup_master_key(struct sup *s)
{
	const char *path = s->conf->master_key_file;
	unsigned char key[SUP_KEY];
	struct stat st;
	AUTO_FD fd = -1;
	enum rc rc = RC_OK;

	if (access(path, F_OK) < 0 && errno == ENOENT)
		rc = make_key(s, path);
	if (rc != RC_OK)
		return rc;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(s, "key.open", path);
	if (!S_ISREG(st.st_mode) || st.st_size != SUP_KEY ||
	    fd_pread_all(fd, key, sizeof(key), 0) != RC_OK) {
		log_error(&s->log, "key.size", KVC("path", path),
		    KVU("bytes", st.st_size), KVU("want", SUP_KEY));
		return RC_BAD;
	}
	if (st.st_mode & 077)
		log_warn(&s->log, "key.mode", KVC("path", path),
		    KVC("todo", "chmod 0400"));
	s->key_fd = fd_sealed("master-key", str_n(key, sizeof(key)));
	explicit_bzero(key, sizeof(key));
	return s->key_fd >= 0 ? RC_OK : fail(s, "key.open", path);
}

enum rc
sup_drop_caps(struct sup *s)
{
	static const int keep[] = { CAP_SETUID, CAP_SETGID, CAP_KILL,
		CAP_NET_BIND_SERVICE };
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3,
		0 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	prctl(PR_SET_DUMPABLE, 0);
	if (geteuid() != 0)
		return RC_OK;
	for (size_t i = 0; i < COUNT(keep); i++)
		data[keep[i] / 32].permitted |= 1u << keep[i] % 32;
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++) {
		bool kept = false;

		for (size_t i = 0; i < COUNT(keep); i++)
			kept = kept || keep[i] == cap;
		/* EPERM: root of a container without CAP_SETPCAP. */
		if (!kept && prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EPERM)
			return fail(s, "caps.bounding", "");
	}
	for (size_t i = 0; i < COUNT(data); i++)
		data[i].effective = data[i].permitted;
	if (syscall(SYS_capset, &head, data) < 0)
		return fail(s, "caps.set", "");
	return RC_OK;
}
