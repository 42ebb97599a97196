/*
 * A certificate for a site that has none yet, so that it can be tried: P-256,
 * signed by itself, for the host name as its alternative name.
 */
#include <string.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "supervisor/sup.h"

#define DAY        86400
#define VALID_DAYS 825

static enum rc
fill(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *host)
{
	unsigned char serial[16];
	int64_t now = now_unix();
	unsigned host_len = (unsigned)strlen(host);

	if (gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial)) < 0)
		return RC_TEMP;
	serial[0] &= 0x7f; /* positive */
	serial[0] |= 0x40;
	return gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
		   GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) < 0 ||
		       gnutls_x509_crt_set_version(crt, 3) < 0 ||
		       gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)) <
			   0 ||
		       gnutls_x509_crt_set_dn_by_oid(crt,
			   GNUTLS_OID_X520_COMMON_NAME, 0, host,
			   MIN(host_len, 64u)) < 0 ||
		       gnutls_x509_crt_set_subject_alt_name(crt,
			   GNUTLS_SAN_DNSNAME, host, host_len,
			   GNUTLS_FSAN_SET) < 0 ||
		       gnutls_x509_crt_set_activation_time(crt, now - DAY) <
			   0 ||
		       gnutls_x509_crt_set_expiration_time(
			   crt, now + VALID_DAYS * DAY) < 0 ||
		       gnutls_x509_crt_set_key_usage(
			   crt, GNUTLS_KEY_DIGITAL_SIGNATURE) < 0 ||
		       gnutls_x509_crt_set_key_purpose_oid(
			   crt, GNUTLS_KP_TLS_WWW_SERVER, 0) < 0 ||
		       gnutls_x509_crt_set_basic_constraints(crt, 0, -1) < 0 ||
		       gnutls_x509_crt_set_key(crt, key) < 0 ||
		       gnutls_x509_crt_sign2(
			   crt, crt, key, GNUTLS_DIG_SHA256, 0) < 0
		   ? RC_TEMP
		   : RC_OK;
}

static void
keep(struct arena *a, gnutls_datum_t *d, struct str *out)
{
	*out = str_dup(a, str_n(d->data, d->size));
	explicit_bzero(d->data, d->size);
	gnutls_free(d->data);
	d->data = NULL;
}

enum rc
sup_cert_make(
    struct arena *a, const char *host, struct str *cert, struct str *key)
{
	gnutls_x509_privkey_t k = NULL;
	gnutls_x509_crt_t c = NULL;
	gnutls_datum_t pem_key = { 0 }, pem_cert = { 0 };
	enum rc rc = RC_TEMP;

	if (gnutls_x509_privkey_init(&k) < 0 || gnutls_x509_crt_init(&c) < 0)
		goto out;
	rc = fill(c, k, host);
	if (rc != RC_OK)
		goto out;
	rc = RC_TEMP;
	if (gnutls_x509_crt_export2(c, GNUTLS_X509_FMT_PEM, &pem_cert) < 0 ||
	    gnutls_x509_privkey_export2(k, GNUTLS_X509_FMT_PEM, &pem_key) < 0)
		goto out;
	keep(a, &pem_cert, cert);
	keep(a, &pem_key, key);
	rc = RC_OK;
out:
	gnutls_free(pem_cert.data);
	if (k != NULL)
		gnutls_x509_privkey_deinit(k);
	if (c != NULL)
		gnutls_x509_crt_deinit(c);
	return rc;
}
