/*
 * dlv_wire - what delivery's clients and delivery say to each other.
 *
 * Requests and replies are ipc frames; the fields are named in dlv_wire.c.
 *
 * Ownership  What is read out of a message lives in the message, arrays in the
 *            arena; the descriptor belongs to the caller.
 * Threads    Pure functions.
 * Errors     RC_BAD: a field is missing, out of range, or contradicts another.
 * Limits     the ones below, on each field.
 */
#ifndef DLV_WIRE_H
#define DLV_WIRE_H

#include "delivery/dlv_client.h"

#define DLV_SUBMIT_ID_LEN 16u
#define DLV_QUEUE_ID_MAX  64u
#define DLV_SID_MAX       64u
#define DLV_IP_MAX        64u
#define DLV_TRACE_MAX     (16u << 10)
#define DLV_EDITS_MAX     (256u << 10)
#define DLV_INLINE_MAX    (16u << 10)
#define DLV_ROUTE_MAX     2048u
#define DLV_ORCPT_MAX     500u /* RFC 3461 section 4.2 */
#define DLV_ENVID_MAX     100u /* section 4.4 */

enum dlv_op {
	DLV_OP_SUBMIT = 1,
	DLV_OP_QUEUE_LIST,
	DLV_OP_QUEUE_SHOW,
	DLV_OP_QUEUE_RETRY,
	DLV_OP_QUEUE_DELETE,
	DLV_OP_QUEUE_HOLD,
	DLV_OP_QUEUE_RELEASE,
};

void dlv_put_submit(struct ipc_msg *m, const struct dlv_submit *in);
/* *out is complete and within the limits, or RC_BAD (out->fd is then -1). */
MUST_CHECK enum rc dlv_get_submit(
    struct ipc_in *in, struct arena *a, struct dlv_submit *out);
void dlv_put_submitted(struct ipc_msg *m, const struct dlv_submitted *in);
MUST_CHECK enum rc dlv_get_submitted(
    struct ipc_in *in, struct dlv_submitted *out);

#endif
