/*
 * Certificates and keys are read here, checked (does the key belong to the
 * certificate?), and handed on as sealed memfds: the gateway never sees a
 * path, and what a renewal writes next reaches it only through a reload.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "supervisor/sup.h"

#define PEM_MAX   (256u << 10)
#define SOON_DAYS 14
#define DAY       86400

void
sup_creds_free(struct sup_creds *c)
{
	for (size_t i = 0; i < c->n; i++) {
		fd_close(&c->cert[i]);
		fd_close(&c->key[i]);
	}
	c->n = 0;
}

/*
 * Root without CAP_DAC_OVERRIDE cannot read what belongs to somebody else,
 * but may become that somebody for the moment of opening.
 */
static int
open_as_owner(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 || errno != EACCES || geteuid() != 0)
		return fd;
	if (stat(path, &st) < 0 || st.st_uid == 0) {
		errno = EACCES;
		return -1;
	}
	setfsuid(st.st_uid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	setfsuid(0);
	return fd;
}

static enum rc
read_pem(struct sup *s, struct arena *a, const char *path, struct str *out)
{
	AUTO_FD fd = open_as_owner(path);

	if (fd >= 0 && fd_read_file(a, fd, PEM_MAX, out) == RC_OK)
		return RC_OK;
	log_error(&s->log, "tls.read", KVC("path", path), KVE(errno));
	return RC_BAD;
}

/* Expired or for another host: clients will complain, so we do. */
static void
look_at(struct sup *s, const struct conf *c, const char *path, struct str pem)
{
	gnutls_datum_t d = { (unsigned char *)(uintptr_t)pem.p,
		(unsigned)pem.n };
	gnutls_x509_crt_t crt;
	int64_t left;

	if (gnutls_x509_crt_init(&crt) < 0)
		return;
	if (gnutls_x509_crt_import(crt, &d, GNUTLS_X509_FMT_PEM) == 0) {
		left = gnutls_x509_crt_get_expiration_time(crt) - now_unix();
		if (left < SOON_DAYS * DAY)
			log_warn(&s->log, "tls.expires", KVC("path", path),
			    KVI("days_left", left / DAY));
		if (!gnutls_x509_crt_check_hostname(crt, c->hostname))
			log_warn(&s->log, "tls.hostname", KVC("path", path),
			    KVC("hostname", c->hostname));
	}
	gnutls_x509_crt_deinit(crt);
}

static enum rc
check_pair(struct sup *s, const char *path, struct str cert, struct str key)
{
	gnutls_datum_t c = { (unsigned char *)(uintptr_t)cert.p,
		(unsigned)cert.n };
	gnutls_datum_t k = { (unsigned char *)(uintptr_t)key.p,
		(unsigned)key.n };
	gnutls_certificate_credentials_t cred;
	int n = gnutls_certificate_allocate_credentials(&cred);

	if (n < 0)
		panic("gnutls: %s", gnutls_strerror(n));
	n = gnutls_certificate_set_x509_key_mem(
	    cred, &c, &k, GNUTLS_X509_FMT_PEM);
	gnutls_certificate_free_credentials(cred);
	if (n >= 0)
		return RC_OK;
	log_error(&s->log, "tls.pair", KVC("path", path),
	    KVC("error", gnutls_strerror(n)));
	return RC_BAD;
}

static enum rc
add_pair(struct sup *s, struct sup_creds *out, const char *path,
    struct str cert, struct str key)
{
	enum rc rc = check_pair(s, path, cert, key);

	if (rc == RC_OK && out->n == SUP_PAIRS_MAX) {
		log_error(&s->log, "tls.too_many", KVU("max", SUP_PAIRS_MAX));
		rc = RC_BAD;
	}
	if (rc != RC_OK)
		return rc;
	out->cert[out->n] = fd_sealed("tls-cert", cert);
	out->key[out->n] = fd_sealed("tls-key", key);
	out->n++;
	if (out->cert[out->n - 1] >= 0 && out->key[out->n - 1] >= 0)
		return RC_OK;
	log_error(&s->log, "tls.memfd", KVE(errno));
	return RC_BAD;
}

static void
wipe(struct str s)
{
	if (s.n > 0)
		explicit_bzero((char *)(uintptr_t)s.p, s.n);
}

static enum rc
write_file(struct sup *s, const char *path, struct str text)
{
	AUTO_ARENA a = { 0 };
	const char *tmp = str_fmt(&a, "%s.new", path).p;
	AUTO_FD fd = -1;

	if (unlink(tmp) < 0 && errno != ENOENT)
		return RC_TEMP;
	fd = open(
	    tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && fd_write_all(fd, text) == RC_OK && fsync(fd) == 0 &&
	    rename(tmp, path) == 0)
		return RC_OK;
	log_error(&s->log, "tls.write", KVC("path", path), KVE(errno));
	return RC_TEMP;
}

static bool
still_good(struct str pem, const char *host)
{
	gnutls_datum_t d = { (unsigned char *)(uintptr_t)pem.p,
		(unsigned)pem.n };
	gnutls_x509_crt_t crt;
	bool good = false;

	if (gnutls_x509_crt_init(&crt) < 0)
		return false;
	if (gnutls_x509_crt_import(crt, &d, GNUTLS_X509_FMT_PEM) == 0)
		good = gnutls_x509_crt_check_hostname(crt, host) &&
		       gnutls_x509_crt_get_expiration_time(crt) - now_unix() >
			   SOON_DAYS * DAY;
	gnutls_x509_crt_deinit(crt);
	return good;
}

/* The pair we sign ourselves, under data_dir/tls; kept while it is good. */
static enum rc
own_pair(struct sup *s, const struct conf *c, struct sup_creds *out)
{
	AUTO_ARENA a = { 0 };
	const char *dir = str_fmt(&a, "%s/tls", c->data_dir).p;
	const char *cert_path = str_fmt(&a, "%s/cert.pem", dir).p;
	const char *key_path = str_fmt(&a, "%s/key.pem", dir).p;
	struct str cert = STR_NULL, key = STR_NULL;
	enum rc rc = RC_OK;

	/* data_dir gets its owner later (sup_dirs). */
	if ((mkdir(c->data_dir, 0700) < 0 && errno != EEXIST) ||
	    (mkdir(dir, 0700) < 0 && errno != EEXIST)) {
		log_error(&s->log, "tls.write", KVC("path", dir), KVE(errno));
		return RC_BAD;
	}
	if (access(cert_path, R_OK) == 0 && access(key_path, R_OK) == 0 &&
	    read_pem(s, &a, cert_path, &cert) == RC_OK)
		rc = read_pem(s, &a, key_path, &key);
	if (rc == RC_OK && (key.n == 0 || !still_good(cert, c->hostname))) {
		rc = sup_cert_make(&a, c->hostname, &cert, &key);
		if (rc == RC_OK && (write_file(s, key_path, key) != RC_OK ||
				       write_file(s, cert_path, cert) != RC_OK))
			rc = RC_BAD;
	}
	log_warn(&s->log, "tls.self_signed", KVC("path", cert_path),
	    KVC("todo", "set tls_certificate and tls_key"));
	if (rc == RC_OK)
		rc = add_pair(s, out, cert_path, cert, key);
	wipe(key);
	return rc == RC_OK ? RC_OK : RC_BAD;
}

/* The same once more: what we signed cannot be read after the start. */
static enum rc
same_creds(struct sup *s, struct sup_creds *out)
{
	*out = (struct sup_creds){ .n = s->creds.n };
	for (size_t i = 0; i < out->n; i++) {
		out->cert[i] = fcntl(s->creds.cert[i], F_DUPFD_CLOEXEC, 3);
		out->key[i] = fcntl(s->creds.key[i], F_DUPFD_CLOEXEC, 3);
		if (out->cert[i] < 0 || out->key[i] < 0)
			panic("dup: errno %d", errno);
	}
	return RC_OK;
}

enum rc
sup_creds_load(struct sup *s, const struct conf *c, struct sup_creds *out)
{
	enum rc rc = RC_OK;

	*out = (struct sup_creds){ 0 };
	if (s->conf != NULL && c->tls_certificate.n == 0 &&
	    s->conf->tls_certificate.n == 0)
		return same_creds(s, out);
	if (c->tls_certificate.n == 0)
		rc = own_pair(s, c, out);
	for (size_t i = 0; rc == RC_OK && i < c->tls_certificate.n; i++) {
		AUTO_ARENA a = { 0 };
		const char *path = c->tls_certificate.v[i];
		struct str cert, key = STR_NULL;

		rc = read_pem(s, &a, path, &cert);
		if (rc == RC_OK)
			rc = read_pem(s, &a, c->tls_key.v[i], &key);
		if (rc == RC_OK)
			rc = add_pair(s, out, path, cert, key);
		wipe(key);
		if (rc == RC_OK)
			look_at(s, c, path, cert);
	}
	if (rc != RC_OK)
		sup_creds_free(out);
	return rc;
}

void
sup_put_creds(struct sup *s, struct ipc_msg *m)
{
	for (size_t i = 0; i < s->creds.n; i++) {
		ipc_put_fd(m, "tls.cert", s->creds.cert[i]);
		ipc_put_fd(m, "tls.key", s->creds.key[i]);
	}
	ipc_put_str(m, "tls.tickets", str_n(s->tickets, sizeof(s->tickets)));
}
