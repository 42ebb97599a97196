/* GnuTLS's AEAD and HMAC, and nothing of our own. */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "store/bytes.h"
#include "store/seal.h"

void
seal_random(void *p, size_t n)
{
	if (gnutls_rnd(GNUTLS_RND_KEY, p, n) != 0)
		panic("no random numbers");
}

void
seal_wipe(void *p, size_t n)
{
	gnutls_memset(p, 0, n);
}

void
seal_aad(struct seal_aad *aad, enum seal_kind kind, struct str who, uint64_t a,
    uint64_t b)
{
	assert(who.n <= sizeof(aad->b) - 18);
	aad->b[0] = (unsigned char)kind;
	aad->b[1] = (unsigned char)who.n;
	if (who.n > 0)
		memcpy(aad->b + 2, who.p, who.n);
	le_put(aad->b + 2 + who.n, a, 8);
	le_put(aad->b + 10 + who.n, b, 8);
	aad->n = 18 + who.n;
}

enum rc
seal_begin(struct seal_ctx *c, const unsigned char key[SEAL_KEY])
{
	unsigned char copy[SEAL_KEY]; /* gnutls_datum_t knows no const */
	gnutls_datum_t k = { copy, SEAL_KEY };
	gnutls_aead_cipher_hd_t h = NULL;
	int e;

	memcpy(copy, key, sizeof(copy));
	e = gnutls_aead_cipher_init(&h, GNUTLS_CIPHER_AES_256_GCM, &k);
	seal_wipe(copy, sizeof(copy));
	c->h = e == 0 ? h : NULL;
	return e == 0 ? RC_OK : RC_TEMP;
}

void
seal_end(struct seal_ctx *c)
{
	if (c->h != NULL)
		gnutls_aead_cipher_deinit(c->h);
	c->h = NULL;
}

enum rc
seal_put(struct seal_ctx *c, const unsigned char nonce[SEAL_NONCE],
    const struct seal_aad *aad, const void *p, size_t n, void *out)
{
	size_t got = n + SEAL_TAG;

	if (gnutls_aead_cipher_encrypt(c->h, nonce, SEAL_NONCE, aad->b, aad->n,
		SEAL_TAG, n > 0 ? p : "", n, out, &got) != 0)
		return RC_TEMP;
	return got == n + SEAL_TAG ? RC_OK : RC_TEMP;
}

enum rc
seal_get(struct seal_ctx *c, const unsigned char nonce[SEAL_NONCE],
    const struct seal_aad *aad, const void *p, size_t n, void *out)
{
	size_t got;
	char none;

	if (n < SEAL_TAG)
		return RC_TEMP;
	got = n - SEAL_TAG;
	if (gnutls_aead_cipher_decrypt(c->h, nonce, SEAL_NONCE, aad->b, aad->n,
		SEAL_TAG, p, n, got > 0 ? out : &none, &got) != 0)
		return RC_TEMP;
	return got == n - SEAL_TAG ? RC_OK : RC_TEMP;
}

enum rc
seal_box(const unsigned char key[SEAL_KEY], const struct seal_aad *aad,
    struct str plain, struct buf *out)
{
	struct seal_ctx c;
	unsigned char *to;
	enum rc rc;

	if (buf_reserve(out, plain.n + SEAL_BOX) != RC_OK ||
	    seal_begin(&c, key) != RC_OK)
		return RC_TEMP;
	to = (unsigned char *)out->p + out->n;
	if (gnutls_rnd(GNUTLS_RND_NONCE, to, SEAL_NONCE) != 0)
		panic("no random numbers");
	rc = seal_put(&c, to, aad, plain.p, plain.n, to + SEAL_NONCE);
	seal_end(&c);
	if (rc == RC_OK)
		out->n += plain.n + SEAL_BOX;
	return rc;
}

enum rc
seal_open(const unsigned char key[SEAL_KEY], const struct seal_aad *aad,
    struct str box, void *p)
{
	const unsigned char *from = (const unsigned char *)box.p;
	struct seal_ctx c;
	enum rc rc;

	if (box.n < SEAL_BOX || seal_begin(&c, key) != RC_OK)
		return RC_TEMP;
	rc = seal_get(&c, from, aad, from + SEAL_NONCE, box.n - SEAL_NONCE, p);
	seal_end(&c);
	return rc;
}

enum rc
seal_open_str(struct arena *a, const unsigned char key[SEAL_KEY],
    const struct seal_aad *aad, struct str box, struct str *out)
{
	char *p;

	if (box.n < SEAL_BOX)
		return RC_TEMP;
	p = arena_alloc(a, box.n - SEAL_BOX + 1);
	if (seal_open(key, aad, box, p) != RC_OK)
		return RC_TEMP;
	*out = str_n(p, box.n - SEAL_BOX);
	return RC_OK;
}

enum rc
seal_tag(
    const unsigned char key[SEAL_KEY], struct str name, unsigned char out[16])
{
	unsigned char full[32];

	if (gnutls_hmac_fast(
		GNUTLS_MAC_SHA256, key, SEAL_KEY, name.p, name.n, full) != 0)
		return RC_TEMP;
	memcpy(out, full, 16);
	return RC_OK;
}
