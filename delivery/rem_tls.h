/*
 * rem_tls - client sessions of GnuTLS.
 *
 * Ownership  Sessions are the caller's (gnutls_deinit).
 * Threads    The loop's.
 * Errors     RC_TEMP: GnuTLS cannot, logged.
 */
#ifndef DELIVERY_REM_TLS_H
#define DELIVERY_REM_TLS_H

#include <gnutls/gnutls.h>

#include "lib/log.h"

struct rem_tls;

/* `ca`: PEM that vouches for servers, "" the system's; read when needed. */
struct rem_tls *rem_tls_new(const struct log *log);
void rem_tls_free(struct rem_tls **t);
/* For sessions that check the certificate; before the first of them. */
MUST_CHECK enum rc rem_tls_trust(
    struct rem_tls *t, const struct log *log, struct str ca);
/*
 * A non-blocking session on fd.  What comes in goes through pull(arg), because
 * only that knows whether the socket is empty: GnuTLS says GNUTLS_E_AGAIN also
 * when it has read a session ticket and more is there.  `must`: TLS 1.2 and
 * later only; `verify`: the certificate has to be good for host.
 */
struct rem_tls_io {
	int fd;
	gnutls_pull_func pull;
	void *arg;
};
MUST_CHECK enum rc rem_tls_session(struct rem_tls *t,
    const struct rem_tls_io *io, const char *host, bool must, bool verify,
    gnutls_session_t *out);
/* "TLS1.3 AES_256_GCM" */
void rem_tls_text(gnutls_session_t s, char *out, size_t size);
/* Why the handshake failed, in words. */
struct str rem_tls_error(struct arena *a, gnutls_session_t s, int error);

#endif
