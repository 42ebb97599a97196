/*
 * ix - the index: LMDB with what the log says, ready to be read.
 *
 * Format     DIR/index.  Databases and keys (numbers in keys big endian):
 *            info     "state" -> struct ix_info
 *            account  account id -> number, key, uidvalidity, inbox
 *            acctno   number -> account id
 *            name     account number, mailbox -> struct rec_mailbox
 *            byname   account number, name tag -> mailbox
 *            mbox     mailbox, kind, number -> see enum ix_kind
 *            body     body id -> place; body id, mailbox, uid -> a reference
 *                     (mailbox 0: from the queue)
 *            queue    body id -> envelope; body id, entry -> entry
 *            op       sequence number -> operation id and result
 * Threads    A writing transaction belongs to its thread; reading ones to
 *            whoever holds them (MDB_NOTLS).
 * Errors     RC_NOENT no such key; RC_TEMP LMDB said no (logged);
 *            RC_DENY made by a later version; RC_BAD damaged: rebuild.
 */
#ifndef STORE_IX_H
#define STORE_IX_H

#include <lmdb.h>

#include "lib/log.h"
#include "store/rec.h"
#include "store/seglog.h"

#define IX_FORMAT      1u
#define IX_READERS     1024u
#define IX_META_INLINE (16u << 10) /* longer ones are read from the log */

/*
 * Rows of a page: 63 of 64 bytes are 4,032, which with LMDB's header is
 * exactly one page of its file; a delivery rewrites at most that.
 */
#define IX_PAGE_ROWS 63u
#define IX_ROW       64u

enum ix_kind {
	IX_STATE = 0,    /* struct ix_mbox */
	IX_ROWS = 1,     /* page number ((uid - 1) / 63) -> rows */
	IX_DETAIL = 2,   /* uid -> letter and meta */
	IX_KEYWORD = 3,  /* bit -> sealed name */
	IX_EXPUNGED = 4, /* modseq -> ranges */
};

struct ix {
	MDB_env *env;
	MDB_dbi info, account, acctno, name, byname, mbox, body, queue, op;
	struct log log;
};

struct ix_info {
	uint32_t format;
	unsigned char store[STORE_ID];
	struct seglog_pos applied; /* everything before is in the index */
	uint64_t next_account, next_mailbox, next_entry;
	uint32_t next_segment; /* above every one seen */
	uint64_t messages, bodies, queued;
	uint64_t oldest_op, next_op; /* numbers in `op` */
};

struct ix_account {
	uint64_t number;
	uint32_t key;
	uint32_t uidvalidity; /* the last one given out */
	uint64_t inbox;       /* 0: not made yet */
};

struct ix_mbox {
	uint64_t account;
	uint32_t uidnext, first_recent;
	uint64_t modseq;
	uint32_t messages, unseen, deleted;
	uint64_t bytes;
};

/* RC_NOENT: there is no index there yet (readers). */
MUST_CHECK enum rc ix_open(const struct log *log, const char *dir,
    uint64_t map_bytes, bool readonly, struct ix *out);
void ix_close(struct ix *ix);

/*
 * Is so much of the map in use that new mail must wait?  An eighth is kept,
 * because deleting needs new pages before it frees old ones.
 */
bool ix_full(const struct ix *ix);

/* LMDB's answer as ours; anything unexpected is logged. */
enum rc ix_rc(const struct ix *ix, int e, const char *what);

MUST_CHECK enum rc ix_info_get(
    const struct ix *ix, MDB_txn *t, struct ix_info *out);
MUST_CHECK enum rc ix_info_put(
    const struct ix *ix, MDB_txn *t, const struct ix_info *in);

/* Values borrow from the map until the next write or the end of t. */
MUST_CHECK enum rc ix_get(const struct ix *ix, MDB_txn *t, MDB_dbi db,
    struct str key, struct str *out);
MUST_CHECK enum rc ix_put(const struct ix *ix, MDB_txn *t, MDB_dbi db,
    struct str key, struct str value);
/* As put; the value is filled in by the caller at once. */
MUST_CHECK enum rc ix_room(const struct ix *ix, MDB_txn *t, MDB_dbi db,
    struct str key, size_t n, unsigned char **out);
/* RC_OK also when it was not there. */
MUST_CHECK enum rc ix_del(
    const struct ix *ix, MDB_txn *t, MDB_dbi db, struct str key);

/* As put, for keys that come in order into a database that was empty. */
MUST_CHECK enum rc ix_append(const struct ix *ix, MDB_txn *t, MDB_dbi db,
    struct str key, struct str value);
/* Everything out, for a checkpoint to be put in. */
MUST_CHECK enum rc ix_empty(const struct ix *ix, MDB_txn *t);
/* What was committed survives a power cut from here on. */
MUST_CHECK enum rc ix_sync(const struct ix *ix);

/*
 * Walk over the keys that begin with `prefix`, from `from` on (which also
 * begins with it).
 */
struct ix_walk {
	MDB_cursor *c;
	struct str prefix;
	char from[64];
	size_t from_n;
	bool begun;
	const struct ix *ix;
};
MUST_CHECK enum rc ix_walk_begin(const struct ix *ix, MDB_txn *t, MDB_dbi db,
    struct str prefix, struct str from, struct ix_walk *out);
MUST_CHECK enum rc ix_walk_next(
    struct ix_walk *w, struct str *key, struct str *value);
/* Delete what ix_walk_next gave last; the walk goes on. */
MUST_CHECK enum rc ix_walk_del(struct ix_walk *w);
void ix_walk_end(struct ix_walk *w);
#define AUTO_WALK CLEANUP(ix_walk_end) struct ix_walk

/* Keys. */
struct ix_key {
	char b[64];
	size_t n;
};
struct str ix_key_str(const struct ix_key *k);
struct ix_key ix_key_mbox(uint64_t mailbox, enum ix_kind kind, uint64_t n);
struct ix_key ix_key_mbox_all(uint64_t mailbox);
struct ix_key ix_key_kind(uint64_t mailbox, enum ix_kind kind);
struct ix_key ix_key_u64(uint64_t n);
struct ix_key ix_key_pair(uint64_t account, uint64_t mailbox);
struct ix_key ix_key_tag(uint64_t account, const unsigned char tag[16]);
struct ix_key ix_key_body(const unsigned char body[BODY_ID]);
struct ix_key ix_key_ref(
    const unsigned char body[BODY_ID], uint64_t mailbox, uint32_t uid);
struct ix_key ix_key_entry(const unsigned char body[BODY_ID], uint64_t id);

/* Typed values. */
MUST_CHECK enum rc ix_account_get(
    const struct ix *ix, MDB_txn *t, struct str id, struct ix_account *out);
/* The value, for who walks over them. */
MUST_CHECK enum rc ix_account_parse(
    const struct ix *ix, struct str value, struct ix_account *out);
MUST_CHECK enum rc ix_account_put(const struct ix *ix, MDB_txn *t,
    struct str id, const struct ix_account *in);
MUST_CHECK enum rc ix_account_id(
    const struct ix *ix, MDB_txn *t, uint64_t number, struct str *out);
MUST_CHECK enum rc ix_mbox_get(
    const struct ix *ix, MDB_txn *t, uint64_t mailbox, struct ix_mbox *out);
MUST_CHECK enum rc ix_mbox_put(const struct ix *ix, MDB_txn *t,
    uint64_t mailbox, const struct ix_mbox *in);
/* The mailbox's own record; the name borrows. */
MUST_CHECK enum rc ix_name_get(const struct ix *ix, MDB_txn *t,
    uint64_t account, uint64_t mailbox, struct rec_mailbox *out);
MUST_CHECK enum rc ix_byname(const struct ix *ix, MDB_txn *t, uint64_t account,
    const unsigned char tag[16], uint64_t *out);
/* parts and meta borrow; meta is in the log at *meta_pos, *meta_len long. */
struct ix_body {
	struct rec_body body; /* body.meta empty */
	uint64_t meta_pos;
	uint32_t meta_len;
};
MUST_CHECK enum rc ix_body_get(const struct ix *ix, MDB_txn *t,
    const unsigned char id[BODY_ID], struct ix_body *out);
/* A detail's parts; meta is empty if it is to be read from the log. */
struct ix_detail {
	uint32_t key;
	unsigned char thread[OBJECT_ID];
	struct str letter, meta;
};
MUST_CHECK enum rc ix_detail_get(const struct ix *ix, MDB_txn *t,
    uint64_t mailbox, uint32_t uid, struct ix_detail *out);
MUST_CHECK enum rc ix_detail_put(const struct ix *ix, MDB_txn *t,
    uint64_t mailbox, uint32_t uid, const struct ix_detail *in);

#endif
