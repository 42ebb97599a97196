/*
 * Writing the directory of keys, for `gatepost dkim`.
 *
 * A new domain is put together under a name with a dot first, which nobody
 * reads, and then renamed.  In one that exists, keys are written first and
 * `selectors`, which alone gives them a meaning, last.  Two administrators at
 * once take turns (flock on the directory).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/sgn_keys.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define NEW_FLAGS (O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)

struct writing {
	struct arena *a;
	const struct sgn_writer *w;
	int top; /* dkim_dir, locked */
	int dir; /* of the domain, or of what will be it */
	struct str *why;
};

static enum rc
fail(struct writing *g, const char *what, struct str name)
{
	const char *error = strerrordesc_np(errno);

	*g->why = str_fmt(g->a, "%s %s/%.*s: %s", what, g->w->dir, STRF(name),
	    error != NULL ? error : "failed");
	return RC_TEMP;
}

static int
give(const struct writing *g, int fd)
{
	return geteuid() == 0 ? fchown(fd, g->w->uid, g->w->gid) : 0;
}

/* The whole file or, after a crash, none of it. */
static enum rc
write_file(struct writing *g, struct str name, mode_t mode, struct str text)
{
	struct str temp = str_fmt(g->a, ".%.*s", STRF(name));
	AUTO_FD fd = -1;

	if (unlinkat(g->dir, temp.p, 0) < 0 && errno != ENOENT)
		return fail(g, "remove", temp);
	fd = openat(g->dir, temp.p, NEW_FLAGS, 0600);
	if (fd < 0 || fd_write_all(fd, text) != RC_OK || give(g, fd) < 0 ||
	    fchmod(fd, mode) < 0 || fsync(fd) < 0 ||
	    renameat(g->dir, temp.p, g->dir,
		str_fmt(g->a, "%.*s", STRF(name)).p) < 0)
		return fail(g, "write", name);
	return RC_OK;
}

static enum rc
write_key(struct writing *g, enum sgn_alg alg, struct str selector)
{
	AUTO_BUF pem = { 0 };
	enum rc rc;

	buf_init(&pem, SGN_PEM_MAX);
	/* The buffer must not move, or a copy would stay behind. */
	if (buf_reserve(&pem, SGN_PEM_MAX) != RC_OK)
		panic("no room for a key");
	rc = sgn_pem_make(alg, &pem);
	if (rc == RC_OK)
		rc = write_file(g, str_fmt(g->a, "%.*s.pem", STRF(selector)),
		    0400, buf_str(&pem));
	else
		*g->why = STR("no key could be made");
	explicit_bzero(pem.p, pem.size);
	return rc;
}

/* Both keys of a base, and their rows. */
static enum rc
write_pair(struct writing *g, struct str base, enum sgn_state state,
    struct sgn_selector *out)
{
	static const enum sgn_alg algs[] = { SGN_RSA, SGN_ED25519 };
	static const char *const ends[] = { "rsa", "ed" };
	enum rc rc = RC_OK;

	for (size_t i = 0; rc == RC_OK && i < COUNT(algs); i++) {
		out[i] = (struct sgn_selector){
			.name = str_fmt(g->a, "%.*s-%s", STRF(base), ends[i]),
			.state = state,
			.since = g->w->now,
		};
		if (!sgn_selector_ok(out[i].name)) {
			*g->why = str_fmt(
			    g->a, "%.*s is not a selector", STRF(out[i].name));
			return RC_BAD;
		}
		rc = write_key(g, algs[i], out[i].name);
	}
	return rc;
}

static enum rc
write_state(struct writing *g, const struct sgn_selector *v, size_t n)
{
	AUTO_BUF text = { 0 };
	enum rc rc;

	buf_init(&text, SGN_STATE_MAX);
	if (sgn_state_format(&text, v, n) != RC_OK)
		return RC_BAD;
	rc = write_file(g, STR("selectors"), 0400, buf_str(&text));
	if (rc == RC_OK && fsync(g->dir) < 0)
		rc = fail(g, "write", STR("selectors"));
	return rc;
}

static enum rc
open_top(struct writing *g)
{
	bool made = mkdir(g->w->dir, 0700) == 0;

	g->top = open(g->w->dir, DIR_FLAGS);
	if (g->top < 0 || (made && give(g, g->top) < 0) ||
	    flock(g->top, LOCK_EX) < 0)
		return fail(g, "open", STR(""));
	return RC_OK;
}

/* What a crash left of an earlier try. */
static void
clear(struct writing *g, const char *name)
{
	int fd = openat(g->top, name, DIR_FLAGS);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	else
		fd_close(&fd);
	unlinkat(g->top, name, AT_REMOVEDIR);
}

static enum rc
make_domain(struct writing *g, struct str domain, struct str base)
{
	const char *temp = str_fmt(g->a, ".%.*s.new", STRF(domain)).p;
	const char *name = str_fmt(g->a, "%.*s", STRF(domain)).p;
	struct sgn_selector v[2];
	enum rc rc;

	clear(g, temp);
	if (mkdirat(g->top, temp, 0700) < 0 ||
	    (g->dir = openat(g->top, temp, DIR_FLAGS)) < 0 ||
	    give(g, g->dir) < 0)
		return fail(g, "make", str_c(temp));
	rc = write_pair(g, base, SGN_ACTIVE, v);
	if (rc == RC_OK)
		rc = write_state(g, v, COUNT(v));
	if (rc == RC_OK &&
	    (renameat2(g->top, temp, g->top, name, RENAME_NOREPLACE) < 0 ||
		fsync(g->top) < 0))
		rc = fail(g, "make", domain);
	if (rc != RC_OK)
		clear(g, temp);
	return rc;
}

enum rc
sgn_domain_new(struct arena *a, const struct sgn_writer *w, struct str domain,
    struct str base, struct str *why)
{
	struct writing g = { a, w, -1, -1, why };
	enum rc rc = RC_BAD;
	struct stat st;

	*why = str_fmt(a, "%.*s is not a domain", STRF(domain));
	if (!sgn_domain_ok(domain))
		return RC_BAD;
	rc = open_top(&g);
	if (rc == RC_OK && fstatat(g.top, str_fmt(a, "%.*s", STRF(domain)).p,
			       &st, AT_SYMLINK_NOFOLLOW) == 0) {
		*why = str_fmt(a, "%.*s has keys already", STRF(domain));
		rc = RC_DENY;
	}
	if (rc == RC_OK)
		rc = make_domain(&g, domain, base);
	fd_close(&g.dir);
	fd_close(&g.top); /* and the lock */
	return rc;
}

/* Lock, read, and open for writing; the rows are copied into v. */
static enum rc
begin(struct writing *g, struct str domain, struct sgn_selector *v, size_t *n)
{
	struct sgn_domain d;
	enum rc rc = open_top(g);

	if (rc != RC_OK)
		return rc;
	rc = sgn_domain_read(g->a, g->w->dir, domain, g->w->uid, false, &d);
	*g->why = rc == RC_NOENT
		      ? str_fmt(g->a, "%.*s has no keys", STRF(domain))
		      : d.why;
	if (rc != RC_OK)
		return rc;
	*n = d.n;
	for (size_t i = 0; i < d.n; i++)
		v[i] = d.v[i].sel;
	g->dir =
	    openat(g->top, str_fmt(g->a, "%.*s", STRF(domain)).p, DIR_FLAGS);
	return g->dir >= 0 ? RC_OK : fail(g, "open", domain);
}

static size_t
count(const struct sgn_selector *v, size_t n, enum sgn_state state)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += v[i].state == state;
	return found;
}

static enum rc
add(struct writing *g, struct sgn_selector *v, size_t n, struct str base)
{
	struct sgn_selector keep[SGN_SELECTORS_MAX + 2];
	size_t kept = 0;
	enum rc rc;

	for (size_t i = 0; i < n; i++)
		if (v[i].state != SGN_RETIRED)
			keep[kept++] = v[i];
	if (kept + 2 > SGN_SELECTORS_MAX) {
		*g->why = STR("the domain has too many keys");
		return RC_DENY;
	}
	rc = write_pair(g, base, SGN_NEW, keep + kept);
	if (rc == RC_OK)
		rc = write_state(g, keep, kept + 2);
	/* Retired at the last rotation: nobody needs these any more. */
	for (size_t i = 0; rc == RC_OK && i < n; i++)
		if (v[i].state == SGN_RETIRED)
			unlinkat(g->dir,
			    str_fmt(g->a, "%.*s.pem", STRF(v[i].name)).p, 0);
	return rc;
}

enum rc
sgn_domain_add(struct arena *a, const struct sgn_writer *w, struct str domain,
    struct str base, struct str *why)
{
	struct writing g = { a, w, -1, -1, why };
	struct sgn_selector v[SGN_SELECTORS_MAX];
	size_t n = 0;
	enum rc rc = begin(&g, domain, v, &n);

	for (size_t i = 0; rc == RC_OK && i < n; i++)
		if (str_has_prefix(v[i].name, base)) {
			*why = str_fmt(a, "the selector %.*s is there already",
			    STRF(v[i].name));
			rc = RC_DENY;
		}
	if (rc == RC_OK && count(v, n, SGN_NEW) > 0) {
		*why = STR("new keys wait already; publish their records, "
			   "then: gatepost dkim rotate --finish");
		rc = RC_DENY;
	}
	if (rc == RC_OK)
		rc = add(&g, v, n, base);
	fd_close(&g.dir);
	fd_close(&g.top);
	return rc;
}

enum rc
sgn_domain_switch(struct arena *a, const struct sgn_writer *w,
    struct str domain, struct str *why)
{
	struct writing g = { a, w, -1, -1, why };
	struct sgn_selector v[SGN_SELECTORS_MAX];
	size_t n = 0;
	enum rc rc = begin(&g, domain, v, &n);

	if (rc == RC_OK && count(v, n, SGN_NEW) == 0) {
		*why = STR("no new keys wait");
		rc = RC_DENY;
	}
	for (size_t i = 0; rc == RC_OK && i < n; i++) {
		if (v[i].state == SGN_RETIRED)
			continue;
		v[i].state = v[i].state == SGN_NEW ? SGN_ACTIVE : SGN_RETIRED;
		v[i].since = w->now;
	}
	if (rc == RC_OK)
		rc = write_state(&g, v, n);
	fd_close(&g.dir);
	fd_close(&g.top);
	return rc;
}
