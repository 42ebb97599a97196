/*
 * gw_tls - credentials out of a frame of the supervisor (start or reload).
 *
 * Ownership  *out is one reference for the caller.
 * Errors     RC_NOENT: the frame has no certificate; RC_BAD: unusable (logged).
 * Limits     GW_TLS_PAIRS pairs, GW_PEM_MAX bytes in a file.
 */
#ifndef GW_TLS_H
#define GW_TLS_H

#include "lib/ipc.h"
#include "lib/tls.h"

#define GW_TLS_PAIRS 8u
#define GW_PEM_MAX   (256u << 10)

MUST_CHECK enum rc gw_tls_load(
    const struct log *log, struct ipc_in *in, struct tls_ctx **out);

#endif
