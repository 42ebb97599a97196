/*
 * pol_wire - what the gateway and policy say to each other.
 *
 * Ownership  What is read out of a message lives in the message, arrays in the
 *            arena; the descriptor belongs to the caller.
 * Threads    Pure functions.
 * Errors     RC_BAD: a field is missing, out of range, or contradicts another.
 * Limits     the ones below, POL_EDITS_MAX, POL_CUTS_MAX.
 */
#ifndef POLICY_POL_WIRE_H
#define POLICY_POL_WIRE_H

#include "policy/pol_client.h"

#define POL_SID_MAX    64u
#define POL_IP_MAX     64u
#define POL_HELO_MAX   512u
#define POL_ID_MAX     64u
#define POL_RCPTS_MAX  1000u
#define POL_INLINE_MAX (16u << 10)
#define POL_TEXT_MAX   400u

enum pol_op { POL_OP_CHECK = 1 };

void pol_put_check(struct ipc_msg *m, const struct pol_check *in);
/* On RC_BAD out->fd is -1. */
MUST_CHECK enum rc pol_get_check(
    struct ipc_in *in, struct arena *a, struct pol_check *out);
void pol_put_verdict(struct ipc_msg *m, const struct pol_verdict *in);
/* size: of the message that was checked, for the cuts. */
MUST_CHECK enum rc pol_get_verdict(
    struct ipc_in *in, struct arena *a, uint64_t size, struct pol_verdict *out);

#endif
