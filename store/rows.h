/*
 * rows - the hot rows of a mailbox, in pages of IX_PAGE_ROWS by UID.
 *
 * Format     A page holds the rows that exist, ascending: u32 uid, u32
 *            prefix length, u64 flags, u64 modseq, u64 size, i64 internal
 *            date, i64 save date, 16 bytes body id.
 * Threads    As the transaction.
 * Errors     RC_BAD a page that is none (rebuild); else as ix.h.
 */
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include "store/ix.h"
#include "store/reader.h"

/* Called for each row in order; other than RC_OK ends the walk. */
MUST_CHECK enum rc rows_each(const struct ix *ix, MDB_txn *t, uint64_t mailbox,
    uint32_t lo, uint32_t hi,
    enum rc (*fn)(void *ctx, const struct store_row *row), void *ctx);
/* RC_NOENT: there is no such row. */
MUST_CHECK enum rc rows_get(const struct ix *ix, MDB_txn *t, uint64_t mailbox,
    uint32_t uid, struct store_row *out);
/* Put a new row, or replace the one of that uid. */
MUST_CHECK enum rc rows_put(const struct ix *ix, MDB_txn *t, uint64_t mailbox,
    const struct store_row *row);

enum rows_verdict { ROWS_KEEP, ROWS_CHANGED, ROWS_DELETE };
/*
 * Go over the rows of `uids` page by page, writing each changed page once.
 * fn must not touch rows of this mailbox.
 */
MUST_CHECK enum rc rows_edit(const struct ix *ix, MDB_txn *t, uint64_t mailbox,
    const struct uid_set *uids,
    enum rc (*fn)(void *ctx, struct store_row *row, enum rows_verdict *v),
    void *ctx);

#endif
