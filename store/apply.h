/*
 * apply - carry an operation of the log out on the index.
 *
 * Live changes and replay take the same way, so that they cannot differ.
 *
 * Threads    As the transaction.
 * Errors     RC_BAD an operation that contradicts the index; RC_DENY one of
 *            a later version; RC_TEMP disk.  After anything but RC_OK the
 *            transaction must be aborted.
 * Limits     APPLY_OPS_MAX operation ids, for APPLY_OPS_AGE seconds.
 */
#ifndef STORE_APPLY_H
#define STORE_APPLY_H

#include "store/ix.h"
#include "store/seglog.h"

#define APPLY_OPS_MAX 200000u
#define APPLY_OPS_AGE (7 * 24 * 3600)

/* Who wants to hear what happens; members may be NULL. */
struct apply_hooks {
	void (*touched)(
	    void *ctx, uint64_t account, uint64_t mailbox, uint64_t modseq);
	void (*op_added)(void *ctx, uint64_t number, const struct rec_opid *op);
	void (*op_dropped)(void *ctx, uint64_t number, struct str id);
	void *ctx;
};

struct apply {
	const struct ix *ix;
	MDB_txn *txn;
	struct ix_info *info; /* written by the caller at the end */
	struct seglog_files *files;
	const struct apply_hooks *hooks;
	struct arena *a; /* for the time of one record */
	/*
	 * The record: ops_pos + (p - base) is where the byte at p stands.
	 */
	uint64_t ops_pos;
	const char *base;
	size_t base_off;
	/* Its part and its body, if it has them. */
	uint64_t part_pos;
	unsigned char body[BODY_ID];
	bool has_body;
	struct str meta;
};

/* Before the first operation of a record. */
void apply_record(struct apply *ap, uint64_t ops_pos, const char *base);
MUST_CHECK enum rc apply_op(struct apply *ap, const struct rec_op *op);
/* All operations of a record as it was read. */
MUST_CHECK enum rc apply_ops(struct apply *ap, struct str ops);

/* The parts, by file. */
enum rc apply_body(struct apply *ap, const struct rec_body *r);
enum rc apply_deliver(struct apply *ap, const struct rec_deliver *r);
enum rc apply_flags(struct apply *ap, const struct rec_flags *r);
enum rc apply_expunge(struct apply *ap, const struct rec_expunge *r);
enum rc apply_copy(struct apply *ap, const struct rec_copy *r);
enum rc apply_account(struct apply *ap, const struct rec_account *r);
enum rc apply_mailbox(struct apply *ap, const struct rec_mailbox *r);
enum rc apply_mailbox_del(struct apply *ap, uint64_t mailbox);
enum rc apply_keyword(struct apply *ap, const struct rec_keyword *r);
enum rc apply_recent(struct apply *ap, const struct rec_recent *r);
enum rc apply_queue(struct apply *ap, const struct rec_queue *r);
enum rc apply_entry(struct apply *ap, const struct rec_entry *r);
enum rc apply_entry_del(struct apply *ap, const struct rec_entry *r);
enum rc apply_opid(struct apply *ap, const struct rec_opid *r);
enum rc apply_moved(struct apply *ap, const struct rec_body *r);
enum rc apply_restored(struct apply *ap, const struct rec_restored *r);
/* The reference is gone; so is the body with its last one. */
enum rc apply_unref(struct apply *ap, const unsigned char body[BODY_ID],
    uint64_t mailbox, uint32_t uid);
enum rc apply_contradiction(struct apply *ap, const char *what);
void apply_touched(
    struct apply *ap, uint64_t account, uint64_t mailbox, uint64_t modseq);

#endif
