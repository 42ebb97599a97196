/*
 * wire - the operations of the directory's IPC service and how answers are
 * written into messages; shared by dir_client.c and the service.
 *
 * Format of an expanded group (a sealed memfd, because it may be larger than
 * a frame): u32 number of records, then records of u8 rc, u8 kind, u8
 * has_quota, u64 quota and four slices (id, address, route, why), each u32
 * length and bytes.  Integers are little endian.
 *
 * Ownership  What is read out of a message is copied into the arena.
 * Errors     RC_BAD: the peer wrote nonsense, or too much.
 * Limits     DIR_EXPANSION_MAX bytes.
 */
#ifndef DIRECTORY_WIRE_H
#define DIRECTORY_WIRE_H

#include "directory/dir_client.h"

#define DIR_EXPANSION_MAX (64u << 20)
#define DIR_EXPLAIN_MAX   (512u << 10)

enum dir_op {
	DIR_OP_RCPTS = 1,
	DIR_OP_EXPAND,
	DIR_OP_BY_ID,
	DIR_OP_LOGIN,
	DIR_OP_SASL_START,
	DIR_OP_SASL_STEP,
	DIR_OP_SASL_CANCEL,
	DIR_OP_SASL_MECHS,
	DIR_OP_TICKET,
	DIR_OP_MAY_SEND,
	DIR_OP_EXPLAIN,
	DIR_OP_MEMBERS,
};

void dir_wire_put_rcpt(struct ipc_msg *m, const struct dir_rcpt *r);
MUST_CHECK enum rc dir_wire_get_rcpt(
    struct ipc_in *group, struct arena *a, struct dir_rcpt *out);
void dir_wire_put_account(struct ipc_msg *m, const struct dir_account *x);
void dir_wire_get_account(
    struct ipc_in *in, struct arena *a, struct dir_account *out);
MUST_CHECK enum rc dir_wire_pack(
    struct buf *b, const struct dir_rcpt *r, size_t i, size_t n);
MUST_CHECK enum rc dir_wire_unpack(
    struct arena *a, struct str s, struct dir_rcpt **out, size_t *out_n);

#endif
