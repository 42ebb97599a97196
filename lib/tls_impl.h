/*
 * tls_impl - what netd needs to know of a tls_ctx to begin a session.
 * Included by lib/tls.c and lib/netd_*.c only.
 */
#ifndef LIB_TLS_IMPL_H
#define LIB_TLS_IMPL_H

#include <gnutls/gnutls.h>

#include "lib/tls.h"

/*
 * A non-blocking server session with the context's credentials, priorities
 * and ticket key; the caller sets the transport.  RC_TEMP: no memory.
 */
MUST_CHECK enum rc tls_session_new(
    const struct tls_ctx *ctx, gnutls_session_t *out);
struct tls_info tls_session_info(gnutls_session_t s);

#endif
