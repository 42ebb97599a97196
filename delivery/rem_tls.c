/*
 * What is opportunistic takes any TLS rather than none (RFC 7435), and checks
 * no certificate: a server that nobody vouches for is the rule among mail
 * hosts, and the alternative is clear text.  What a smart host's setting
 * demands is TLS 1.2 or later.
 */
#include <stdio.h>

#include "delivery/rem_ip.h"
#include "delivery/rem_tls.h"

#define PRIO_MAY  "NORMAL:+VERS-TLS1.1:+VERS-TLS1.0:%COMPAT"
#define PRIO_MUST "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct rem_tls {
	gnutls_certificate_credentials_t cred, trusted;
	gnutls_priority_t may, must;
};

struct rem_tls *
rem_tls_new(const struct log *log)
{
	struct rem_tls *t = xcalloc(1, sizeof(*t));
	int r = gnutls_certificate_allocate_credentials(&t->cred);

	if (r >= 0)
		r = gnutls_priority_init(&t->may, PRIO_MAY, NULL);
	if (r >= 0)
		r = gnutls_priority_init(&t->must, PRIO_MUST, NULL);
	if (r < 0) {
		log_error(log, "tls.init", KVC("error", gnutls_strerror(r)));
		rem_tls_free(&t);
	}
	return t;
}

void
rem_tls_free(struct rem_tls **tp)
{
	struct rem_tls *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	if (t->cred != NULL)
		gnutls_certificate_free_credentials(t->cred);
	if (t->trusted != NULL)
		gnutls_certificate_free_credentials(t->trusted);
	if (t->may != NULL)
		gnutls_priority_deinit(t->may);
	if (t->must != NULL)
		gnutls_priority_deinit(t->must);
	xfree(t);
}

enum rc
rem_tls_trust(struct rem_tls *t, const struct log *log, struct str ca)
{
	gnutls_datum_t pem = { .data = (unsigned char *)(uintptr_t)ca.p,
		.size = (unsigned)ca.n };
	int r = 0;

	if (t->trusted != NULL)
		gnutls_certificate_free_credentials(t->trusted);
	t->trusted = NULL;
	r = gnutls_certificate_allocate_credentials(&t->trusted);
	if (r >= 0)
		r = ca.n > 0
			? gnutls_certificate_set_x509_trust_mem(
			      t->trusted, &pem, GNUTLS_X509_FMT_PEM)
			: gnutls_certificate_set_x509_system_trust(t->trusted);
	if (r <= 0) {
		log_error(log, "tls.trust",
		    KVC("error", r < 0 ? gnutls_strerror(r)
				       : "no certificate that vouches"));
		return RC_TEMP;
	}
	return RC_OK;
}

static int
prepare(struct rem_tls *t, gnutls_session_t s, const char *host, bool must,
    bool verify)
{
	int r = gnutls_priority_set(s, must ? t->must : t->may);
	struct rem_ip ip;

	if (r >= 0)
		r = gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE,
		    verify && t->trusted ? t->trusted : t->cred);
	/* RFC 6066 section 3: names only. */
	if (r >= 0 && rem_ip_parse(str_c(host), &ip) != RC_OK)
		r = gnutls_server_name_set(
		    s, GNUTLS_NAME_DNS, host, str_c(host).n);
	if (r >= 0 && verify)
		gnutls_session_set_verify_cert(s, host, 0);
	return r;
}

enum rc
rem_tls_session(struct rem_tls *t, const struct rem_tls_io *io,
    const char *host, bool must, bool verify, gnutls_session_t *out)
{
	gnutls_session_t s;

	if (gnutls_init(
		&s, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
		return RC_TEMP;
	if (prepare(t, s, host, must, verify) < 0) {
		gnutls_deinit(s);
		return RC_TEMP;
	}
	gnutls_transport_set_ptr2(
	    s, io->arg, (gnutls_transport_ptr_t)(intptr_t)io->fd);
	gnutls_transport_set_pull_function(s, io->pull);
	*out = s;
	return RC_OK;
}

void
rem_tls_text(gnutls_session_t s, char *out, size_t size)
{
	const char *version =
	    gnutls_protocol_get_name(gnutls_protocol_get_version(s));
	const char *cipher = gnutls_cipher_get_name(gnutls_cipher_get(s));

	snprintf(out, size, "%s %s", version ? version : "TLS",
	    cipher ? cipher : "?");
	for (char *p = out; *p != '\0'; p++)
		if (*p == '-')
			*p = '_';
}

struct str
rem_tls_error(struct arena *a, gnutls_session_t s, int error)
{
	gnutls_datum_t text = { 0 };
	struct str out;

	if (error != GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR ||
	    gnutls_certificate_verification_status_print(
		gnutls_session_get_verify_cert_status(s), GNUTLS_CRT_X509,
		&text, 0) < 0)
		return str_fmt(a, "TLS: %s", gnutls_strerror(error));
	out = str_fmt(a, "TLS: %.*s", (int)text.size, (const char *)text.data);
	gnutls_free(text.data);
	return out;
}
