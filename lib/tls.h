/*
 * tls - server credentials for netd (GnuTLS), reloadable.
 *
 * Ownership  A tls_ctx is reference-counted; a session keeps the one it
 *            began with, so a reload never drops anybody.
 * Threads    Reference counting is atomic; the rest is read-only.
 * Errors     RC_BAD: certificate or key unusable (logged with the reason).
 */
#ifndef LIB_TLS_H
#define LIB_TLS_H

#include "lib/log.h"

struct tls_ctx;

struct tls_pair {
	struct str cert; /* PEM chain */
	struct str key;  /* PEM; wiped by the caller */
};

/* TLS 1.2 and later, server preference; `ticket_key` is 64 shared bytes. */
MUST_CHECK enum rc tls_ctx_new(const struct log *log,
    const struct tls_pair *pairs, size_t npairs, struct str ticket_key,
    struct tls_ctx **out);
struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx);
void tls_ctx_unref(struct tls_ctx **ctx);

/* What was negotiated, for logs and Received: "TLS1.3", "AES_256_GCM". */
struct tls_info {
	const char *version;
	const char *cipher;
	unsigned bits;
};

#endif
