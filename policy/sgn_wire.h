/*
 * sgn_wire - what the signer and its clients say to each other.
 *
 * Requests and replies are ipc frames; the fields are named in sgn_wire.c.
 *
 * Ownership  What is read out of a message lives in the message; the
 *            descriptor belongs to the caller.
 * Threads    Pure functions.
 * Errors     RC_BAD: a field is missing, out of range, or contradicts another.
 * Limits     the ones below, on each field.
 */
#ifndef POLICY_SGN_WIRE_H
#define POLICY_SGN_WIRE_H

#include "policy/sgn_client.h"

#define SGN_EDITS_MAX  (256u << 10)
#define SGN_INLINE_MAX (16u << 10)
#define SGN_NAME_MAX   255u /* a domain as mail writes it */
#define SGN_RECORD_MAX 4096u
#define SGN_FIELDS_MAX (64u << 10) /* the signatures of one message */

enum sgn_op {
	SGN_OP_SIGN = 1,
	SGN_OP_TEST,
};

void sgn_put_message(struct ipc_msg *m, const struct sgn_message *in);
/* *out is complete and within the limits, or RC_BAD (out->fd is then -1). */
MUST_CHECK enum rc sgn_get_message(struct ipc_in *in, struct sgn_message *out);
void sgn_put_trial(struct ipc_msg *m, const struct sgn_trial *in);
MUST_CHECK enum rc sgn_get_trial(struct ipc_in *in, struct sgn_trial *out);

#endif
