/*
 * reader - read mail from the index and the log (delivery and imap link it).
 *
 * A view is a short LMDB read transaction: take it, copy what is needed, end
 * it within the unit.  Bodies are read from log segments by pread.
 *
 * Ownership  Out values are copied into the caller's arena or array.
 * Threads    The reader is shared; a view and a body have one owner.
 * Errors     RC_NOENT not there (any more); RC_TEMP disk or index trouble,
 *            checksum or seal broken (logged); RC_DENY no key attached.
 */
#ifndef STORE_READER_H
#define STORE_READER_H

#include "store/store_client.h"

struct store_reader;
struct store_view;

/* The one file under dir that readers write; the store makes it. */
struct str store_reader_lock_path(struct arena *a, const char *dir);
/*
 * dir: the store's data directory.  The index is opened with the first view
 * (the store may start later) and again after it was built anew.
 */
MUST_CHECK enum rc store_reader_open(
    const struct log *log, const char *dir, struct store_reader **out);
void store_reader_close(struct store_reader **r);

MUST_CHECK enum rc store_view_begin(
    struct store_reader *r, struct store_view **out);
void store_view_end(struct store_view **v);
#define AUTO_VIEW CLEANUP(store_view_end) struct store_view

struct store_mailbox {
	uint64_t id;
	struct str name;        /* UTF-8, '/' separates */
	struct str special_use; /* "\\Sent", or "" */
	bool subscribed;
	bool exists; /* false: only subscribed to */
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t highest_modseq;
	uint32_t messages;
	uint32_t unseen; /* messages without \Seen */
	uint32_t deleted;
	uint64_t bytes;                          /* sum of RFC822.SIZE */
	struct str keywords[STORE_KEYWORDS_MAX]; /* bit 8+i; "" unused */
	struct str object_id;                    /* MAILBOXID, RFC 8474 */
};

/* key: from store_attach (32 bytes); names are sealed under it. */
MUST_CHECK enum rc store_mailboxes(struct store_view *v, struct arena *a,
    struct str account, const unsigned char *key, struct store_mailbox **out,
    size_t *out_n);
MUST_CHECK enum rc store_mailbox_get(struct store_view *v, struct arena *a,
    struct str account, const unsigned char *key, uint64_t mailbox,
    struct store_mailbox *out);
MUST_CHECK enum rc store_mailbox_find(struct store_view *v, struct arena *a,
    struct str account, const unsigned char *key, struct str name,
    struct store_mailbox *out);

/* The hot row of one message. */
struct store_row {
	uint32_t uid;
	uint64_t flags;
	uint64_t modseq;
	uint64_t size;       /* RFC822.SIZE: prefix + edits + body */
	uint32_t prefix_len; /* of this recipient's trace fields */
	int64_t internal_date;
	int64_t save_date;
	unsigned char body[16]; /* body id; also EMAILID */
};

/*
 * Rows with lo <= uid <= hi in order, up to max; *out_n says how many.
 * Continue behind the last one for more.
 */
MUST_CHECK enum rc store_rows(struct store_view *v, uint64_t mailbox,
    uint32_t lo, uint32_t hi, struct store_row *rows, size_t max,
    size_t *out_n);
/* Rows whose MODSEQ is above `since` (flag changes), same paging. */
MUST_CHECK enum rc store_rows_since(struct store_view *v, uint64_t mailbox,
    uint64_t since, uint32_t lo, uint32_t hi, struct store_row *rows,
    size_t max, size_t *out_n);
/* UIDs expunged with a MODSEQ above `since` (RFC 7162). */
MUST_CHECK enum rc store_expunged(struct store_view *v, struct arena *a,
    uint64_t mailbox, uint64_t since, struct uid_set *out);
/* The mail/meta.h blob and the prefix of a message. */
MUST_CHECK enum rc store_meta(struct store_view *v, struct arena *a,
    struct str account, const unsigned char *key, uint64_t mailbox,
    uint32_t uid, struct str *out_meta, struct str *out_prefix);

/* The message as bytes: prefix + edits + body, seekable. */
struct store_msg;
MUST_CHECK enum rc store_msg_open(struct store_view *v, struct str account,
    const unsigned char *key, uint64_t mailbox, uint32_t uid,
    struct store_msg **out);
/*
 * A queued message: edits + body.  key: from store_queue_key.  RC_NOENT: it is
 * not in the queue (any more).
 */
MUST_CHECK enum rc store_queue_msg_open(struct store_view *v,
    const unsigned char *key, struct str message_id, struct store_msg **out);
uint64_t store_msg_size(const struct store_msg *m);
/* Up to n bytes at off into p; *out_n is 0 at the end.  Needs no view. */
MUST_CHECK enum rc store_msg_read(
    struct store_msg *m, uint64_t off, void *p, size_t n, size_t *out_n);
void store_msg_close(struct store_msg **m);
#define AUTO_STORE_MSG CLEANUP(store_msg_close) struct store_msg

#endif
