/*
 * rem_wire - what remote and its client say to each other.
 *
 * Ownership  What is read out of a message lives in the message, arrays in the
 *            arena; the descriptor belongs to the caller.
 * Threads    Pure functions.
 * Errors     RC_BAD: a field is missing, out of range, or contradicts another.
 * Limits     the ones below, on each field.
 */
#ifndef DELIVERY_REM_WIRE_H
#define DELIVERY_REM_WIRE_H

#include "delivery/rem_client.h"

#define REM_ID_MAX     64u
#define REM_XTEXT_MAX  500u
#define REM_PREFIX_MAX (1u << 20)
#define REM_INLINE_MAX (64u << 10)

enum rem_op { REM_OP_SEND = 1 };

void rem_put_message(struct ipc_msg *m, const struct rem_message *in);
/* *out is complete and within the limits, or RC_BAD (out->fd is then -1). */
MUST_CHECK enum rc rem_get_message(
    struct ipc_in *in, struct arena *a, struct rem_message *out);
void rem_put_outcome(struct ipc_msg *m, const struct rem_outcome *in);
MUST_CHECK enum rc rem_get_outcome(
    struct ipc_in *in, struct arena *a, struct rem_outcome *out);

#endif
