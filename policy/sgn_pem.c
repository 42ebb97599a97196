/*
 * Keys by GnuTLS.  In the record an RSA key is its SubjectPublicKeyInfo (what
 * every verifier takes, and RFC 6376's own examples show), an Ed25519 key its
 * 32 bytes bare (RFC 8463 section 4).
 */
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

#include "policy/sgn_keys.h"

#define RSA_BITS 2048u /* more does not fit one UDP answer everywhere */

static void
wipe(gnutls_datum_t *d)
{
	if (d->data == NULL)
		return;
	explicit_bzero(d->data, d->size);
	gnutls_free(d->data);
	d->data = NULL;
}

static enum rc
public_bytes(gnutls_pubkey_t pub, enum sgn_alg alg, gnutls_datum_t *out)
{
	gnutls_ecc_curve_t curve;
	int r;

	if (alg == SGN_RSA)
		r = gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, out);
	else
		r = gnutls_pubkey_export_ecc_raw2(pub, &curve, out, NULL, 0);
	return r < 0 ? RC_BAD : RC_OK;
}

static enum rc
describe(struct arena *a, gnutls_pubkey_t pub, struct sgn_public *out)
{
	unsigned bits = 0;
	int alg = gnutls_pubkey_get_pk_algorithm(pub, &bits);
	gnutls_datum_t raw = { 0 };

	if (alg != GNUTLS_PK_RSA && alg != GNUTLS_PK_EDDSA_ED25519)
		return RC_BAD;
	out->alg = alg == GNUTLS_PK_RSA ? SGN_RSA : SGN_ED25519;
	out->bits = bits;
	if (public_bytes(pub, out->alg, &raw) != RC_OK)
		return RC_BAD;
	out->record =
	    str_fmt(a, "v=DKIM1; k=%s; p=%.*s", sgn_alg_name(out->alg),
		STRF(str_b64(a, str_n(raw.data, raw.size))));
	gnutls_free(raw.data);
	return RC_OK;
}

enum rc
sgn_pem_public(struct arena *a, struct str pem, struct sgn_public *out)
{
	gnutls_datum_t text = {
		(unsigned char *)(uintptr_t)pem.p,
		(unsigned)pem.n,
	};
	gnutls_privkey_t key = NULL;
	gnutls_pubkey_t pub = NULL;
	enum rc rc = RC_BAD;

	if (pem.n > SGN_PEM_MAX || gnutls_privkey_init(&key) < 0)
		return RC_BAD;
	if (gnutls_privkey_import_x509_raw(
		key, &text, GNUTLS_X509_FMT_PEM, NULL, 0) == 0 &&
	    gnutls_pubkey_init(&pub) == 0 &&
	    gnutls_pubkey_import_privkey(pub, key, 0, 0) == 0)
		rc = describe(a, pub, out);
	if (pub != NULL)
		gnutls_pubkey_deinit(pub);
	gnutls_privkey_deinit(key);
	return rc;
}

enum rc
sgn_pem_make(enum sgn_alg alg, struct buf *pem)
{
	gnutls_x509_privkey_t key;
	gnutls_datum_t text = { 0 };
	enum rc rc = RC_TEMP;
	int r;

	if (gnutls_x509_privkey_init(&key) < 0)
		return RC_TEMP;
	if (alg == SGN_RSA)
		r = gnutls_x509_privkey_generate(
		    key, GNUTLS_PK_RSA, RSA_BITS, 0);
	else
		r = gnutls_x509_privkey_generate(key, GNUTLS_PK_EDDSA_ED25519,
		    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519), 0);
	if (r == 0 &&
	    gnutls_x509_privkey_export2_pkcs8(
		key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &text) == 0)
		rc = buf_add(pem, str_n(text.data, text.size));
	wipe(&text);
	gnutls_x509_privkey_deinit(key);
	return rc == RC_OK ? RC_OK : RC_TEMP;
}
