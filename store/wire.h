/*
 * wire - requests and replies of the store as IPC fields, both directions in
 * one place, so that client and service cannot disagree.
 *
 * Ownership  What a get puts into *out are slices of the message (arrays live
 *            in `a`); a body's descriptor then belongs to the caller.
 * Threads    Pure functions.
 * Errors     A get is RC_BAD for missing, unknown or impossible fields; *out
 *            holds no descriptor then.
 * Limits     Those of store_client.h; WIRE_LIST_MAX deliveries or entries.
 */
#ifndef STORE_WIRE_H
#define STORE_WIRE_H

#include "store/store_client.h"

#define WIRE_LIST_MAX 100000u
#define WIRE_UIDS_MAX 500000u /* ranges in one set */

enum store_op {
	STORE_OP_SUBMIT = 1,
	STORE_OP_QUEUE_LIST,
	STORE_OP_QUEUE_GET,
	STORE_OP_QUEUE_UPDATE,
	STORE_OP_ENSURE,
	STORE_OP_ATTACH,
	STORE_OP_CREATE,
	STORE_OP_DELETE,
	STORE_OP_RENAME,
	STORE_OP_SUBSCRIBED, /* a mailbox, IMAP's sense */
	STORE_OP_APPEND,
	STORE_OP_FLAGS,
	STORE_OP_COPY,
	STORE_OP_EXPUNGE,
	STORE_OP_RECENT,
	STORE_OP_LISTEN, /* to hints: the reply is empty, pushes follow */
	STORE_OP_STATS,
	STORE_OP_HINT, /* a push */
	STORE_OP_QUEUE_KEY,
	STORE_OP_UPKEEP,
	STORE_OP_COMPACT,
	STORE_OP_LEASE, /* mailbox: 0 or the token; on: renew, else end */
};

void wire_put_submit(struct ipc_msg *m, const struct store_submit *x);
MUST_CHECK enum rc wire_get_submit(
    struct ipc_in *in, struct arena *a, struct store_submit *out);
void wire_put_submitted(struct ipc_msg *m, const struct store_submitted *x);
MUST_CHECK enum rc wire_get_submitted(
    struct ipc_in *in, struct store_submitted *out);

struct wire_page {
	struct str after; /* message id, "" from the start */
	size_t max;
};
void wire_put_page(struct ipc_msg *m, const struct wire_page *x);
MUST_CHECK enum rc wire_get_page(struct ipc_in *in, struct wire_page *out);
/* Several may be put into one reply. */
void wire_put_item(struct ipc_msg *m, const struct store_queue_item *x);
MUST_CHECK enum rc wire_get_items(struct ipc_in *in, struct arena *a,
    struct store_queue_item **out, size_t *out_n);
void wire_put_update(struct ipc_msg *m, const struct store_queue_update *x);
MUST_CHECK enum rc wire_get_update(
    struct ipc_in *in, struct arena *a, struct store_queue_update *out);

/*
 * The requests about one account; each uses the fields it needs: ENSURE,
 * ATTACH account; CREATE, DELETE name; RENAME name and to; SUBSCRIBED name
 * and on; COPY mailbox, uids, dest, on (move); EXPUNGE mailbox, uids; RECENT
 * mailbox and on (peek); QUEUE_GET name (the message id).
 */
struct wire_account {
	struct str account;
	struct str name, to;
	bool on;
	uint64_t mailbox, dest;
	struct uid_set uids;
};
void wire_put_account(struct ipc_msg *m, const struct wire_account *x);
MUST_CHECK enum rc wire_get_account(
    struct ipc_in *in, struct arena *a, struct wire_account *out);

void wire_put_append(struct ipc_msg *m, const struct store_append *x);
MUST_CHECK enum rc wire_get_append(
    struct ipc_in *in, struct arena *a, struct store_append *out);
void wire_put_flags(struct ipc_msg *m, const struct store_flags *x);
MUST_CHECK enum rc wire_get_flags(
    struct ipc_in *in, struct arena *a, struct store_flags *out);

/* Replies. */
void wire_put_flagged(struct ipc_msg *m, const struct store_flagged *x);
MUST_CHECK enum rc wire_get_flagged(
    struct ipc_in *in, struct arena *a, struct store_flagged *out);
void wire_put_copied(struct ipc_msg *m, const struct store_copied *x);
MUST_CHECK enum rc wire_get_copied(
    struct ipc_in *in, struct arena *a, struct store_copied *out);
/* A number: mailbox, UID, MODSEQ, first recent UID. */
void wire_put_number(struct ipc_msg *m, uint64_t n);
MUST_CHECK enum rc wire_get_number(
    struct ipc_in *in, uint64_t max, uint64_t *out);
/* Bytes: the key of ATTACH, the JSON of STATS. */
void wire_put_bytes(struct ipc_msg *m, struct str s);
MUST_CHECK enum rc wire_get_bytes(struct ipc_in *in, struct str *out);

void wire_put_lease(struct ipc_msg *m, const struct store_lease *x);
MUST_CHECK enum rc wire_get_lease(struct ipc_in *in, struct store_lease *out);

struct wire_hint {
	struct str account;
	uint64_t mailbox, modseq;
};
/* Several may be put into one push. */
void wire_put_hint(struct ipc_msg *m, const struct wire_hint *x);
MUST_CHECK enum rc wire_next_hint(
    struct ipc_in *in, size_t *pos, struct wire_hint *out);

#endif
