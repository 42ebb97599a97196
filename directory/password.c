/* The salt is whatever follows the digest. */
#include <gnutls/crypto.h>

#include "directory/password.h"

#define DIGEST_MAX 64u

static const struct scheme {
	struct str name;
	gnutls_digest_algorithm_t alg;
	size_t len;
	bool salted;
} schemes[] = {
	{ STR_INIT("{SSHA}"), GNUTLS_DIG_SHA1, 20, true },
	{ STR_INIT("{SSHA256}"), GNUTLS_DIG_SHA256, 32, true },
	{ STR_INIT("{SSHA512}"), GNUTLS_DIG_SHA512, 64, true },
	{ STR_INIT("{SHA}"), GNUTLS_DIG_SHA1, 20, false },
	{ STR_INIT("{SHA256}"), GNUTLS_DIG_SHA256, 32, false },
	{ STR_INIT("{SHA512}"), GNUTLS_DIG_SHA512, 64, false },
};

static bool
match_digest(const struct scheme *s, struct str b64, struct str password)
{
	AUTO_ARENA a = { 0 };
	unsigned char got[DIGEST_MAX];
	gnutls_hash_hd_t h;
	struct str raw;

	if (str_unb64(&a, b64, &raw) != RC_OK || raw.n < s->len ||
	    (!s->salted && raw.n != s->len))
		return false;
	if (gnutls_hash_init(&h, s->alg) < 0)
		return false;
	if (gnutls_hash(h, password.p, password.n) < 0 ||
	    (raw.n > s->len &&
		gnutls_hash(h, raw.p + s->len, raw.n - s->len) < 0)) {
		gnutls_hash_deinit(h, NULL);
		return false;
	}
	gnutls_hash_deinit(h, got);
	return str_eq_secret(str_n(got, s->len), str_sub(raw, 0, s->len));
}

bool
dir_password_match(struct str stored, struct str password)
{
	if (stored.n == 0 || stored.n > 1024 || password.n == 0)
		return false;
	if (stored.p[0] != '{')
		return str_eq_secret(stored, password);
	for (size_t i = 0; i < COUNT(schemes); i++) {
		struct str v = stored;

		if (str_cut_iprefix(&v, schemes[i].name))
			return match_digest(&schemes[i], v, password);
	}
	return false;
}
