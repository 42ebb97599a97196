/*
 * Reading the directory of keys.  Everything is opened below a descriptor and
 * without following links, and looked at through the descriptor.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/sgn_keys.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Reads one domain. */
struct reading {
	struct arena *a;
	const char *dir;
	int fd;
	uid_t owner;
	bool with_pem;
	struct sgn_domain *out;
};

static enum rc
fault(struct reading *r, struct str file, const char *why)
{
	r->out->why = str_fmt(r->a, "%s/%.*s/%.*s: %s", r->dir,
	    STRF(r->out->name), STRF(file), why);
	return RC_TEMP;
}

static enum rc
fault_errno(struct reading *r, struct str file)
{
	const char *why = strerrordesc_np(errno);

	return fault(r, file, why != NULL ? why : "cannot be read");
}

/* A private key file: whose it is, and who else may read it. */
static enum rc
check_key_file(struct reading *r, struct str file, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return fault(r, file, "not a file");
	if (st->st_uid != r->owner)
		return fault(r, file, "does not belong to the signer's user");
	if ((st->st_mode & 077) != 0)
		return fault(r, file, "others may use it; chmod 0400");
	if (st->st_size > (off_t)SGN_PEM_MAX)
		return fault(r, file, "too large for a key");
	return RC_OK;
}

static enum rc
check_key(struct reading *r, struct str file, struct sgn_key *k)
{
	struct str pem = str_n(k->pem, k->pem_n);

	if (memchr(pem.p, 0, pem.n) != NULL ||
	    sgn_pem_public(r->a, pem, &k->pub) != RC_OK)
		return fault(r, file,
		    "not a private key in PEM, RSA or Ed25519, without "
		    "password");
	if (k->pub.alg == SGN_RSA && k->pub.bits < SGN_RSA_MIN)
		return fault(r, file, "the key is too small (RFC 8301)");
	return RC_OK;
}

static enum rc
read_key(struct reading *r, struct sgn_key *k)
{
	struct str file = str_fmt(r->a, "%.*s.pem", STRF(k->sel.name));
	AUTO_FD fd = openat(r->fd, file.p, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fault_errno(r, file);
	if (check_key_file(r, file, &st) != RC_OK)
		return RC_TEMP;
	k->pem_n = (size_t)st.st_size;
	k->pem = xcalloc(1, k->pem_n + 1);
	if (fd_pread_all(fd, k->pem, k->pem_n, 0) != RC_OK)
		return fault_errno(r, file);
	return check_key(r, file, k);
}

static enum rc
read_state(struct reading *r, struct sgn_selector **v, size_t *n)
{
	struct str file = STR("selectors"), text;
	AUTO_FD fd = openat(r->fd, file.p, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fault_errno(r, file);
	if ((st.st_uid != r->owner && st.st_uid != 0) || st.st_mode & 022)
		return fault(r, file,
		    "must belong to the signer's user and be written by it "
		    "alone");
	if (fd_read_file(r->a, fd, SGN_STATE_MAX, &text) != RC_OK ||
	    sgn_state_parse(r->a, text, v, n) != RC_OK)
		return fault(r, file, "not understood");
	return RC_OK;
}

static void
drop_pem(struct sgn_key *k)
{
	if (k->pem != NULL)
		explicit_bzero(k->pem, k->pem_n);
	xfree(k->pem);
	k->pem = NULL;
}

static enum rc
read_domain(struct reading *r)
{
	struct sgn_selector *v = NULL;
	size_t n = 0;
	enum rc rc = read_state(r, &v, &n);

	if (rc != RC_OK)
		return rc;
	r->out->v = arena_calloc(r->a, n, sizeof(*r->out->v));
	for (size_t i = 0; rc == RC_OK && i < n; i++) {
		struct sgn_key *k = &r->out->v[r->out->n++];

		k->sel = v[i];
		rc = read_key(r, k);
		if (!r->with_pem)
			drop_pem(k);
	}
	if (rc != RC_OK) {
		sgn_domain_wipe(r->out);
		r->out->n = 0;
	}
	return rc;
}

enum rc
sgn_domain_read(struct arena *a, const char *dir, struct str domain,
    uid_t owner, bool with_pem, struct sgn_domain *out)
{
	struct reading r = { a, dir, -1, owner, with_pem, out };
	AUTO_FD fd = -1;

	*out = (struct sgn_domain){ .name = str_dup(a, domain) };
	if (!sgn_domain_ok(domain))
		return RC_NOENT;
	fd = open(str_fmt(a, "%s/%.*s", dir, STRF(domain)).p, DIR_FLAGS);
	if (fd < 0 && errno == ENOENT)
		return RC_NOENT;
	if (fd < 0)
		return fault_errno(&r, STR(""));
	r.fd = fd;
	return read_domain(&r);
}

void
sgn_domain_wipe(struct sgn_domain *d)
{
	for (size_t i = 0; i < d->n; i++)
		drop_pem(&d->v[i]);
}

static int
by_name(const void *x, const void *y)
{
	return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

enum rc
sgn_domains(struct arena *a, const char *dir, struct str **out, size_t *out_n)
{
	struct str *v = arena_calloc(a, SGN_DOMAINS_MAX, sizeof(*v));
	DIR *d = opendir(dir);
	const struct dirent *e;
	size_t n = 0;

	if (d == NULL)
		return errno == ENOENT ? RC_NOENT : RC_TEMP;
	while (n < SGN_DOMAINS_MAX && (e = readdir(d)) != NULL) {
		/* A name with a capital or a dot first is none of ours. */
		if (sgn_domain_ok(str_c(e->d_name)) &&
		    (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN))
			v[n++] = str_dup(a, str_c(e->d_name));
	}
	closedir(d);
	qsort(v, n, sizeof(*v), by_name);
	*out = v;
	*out_n = n;
	return RC_OK;
}

enum rc
dkim_records(struct arena *a, const char *dir, struct str domain, uid_t owner,
    struct sgn_record **out, size_t *out_n, struct str *why)
{
	struct sgn_domain d;
	enum rc rc = sgn_domain_read(a, dir, domain, owner, false, &d);

	*why = d.why;
	if (rc != RC_OK)
		return rc;
	*out = arena_calloc(a, d.n, sizeof(**out));
	*out_n = d.n;
	for (size_t i = 0; i < d.n; i++)
		(*out)[i] = (struct sgn_record){
			.name = str_fmt(a, "%.*s._domainkey.%.*s",
			    STRF(d.v[i].sel.name), STRF(domain)),
			.text = d.v[i].pub.record,
			.state = d.v[i].sel.state,
			.since = d.v[i].sel.since,
		};
	return RC_OK;
}
