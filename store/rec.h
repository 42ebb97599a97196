/*
 * rec - what a log record says: a list of operations, as results and not as
 * wishes, so that replaying them cannot come out differently.
 *
 * Format     Each operation: u16 type, u16 zero, u32 length, bytes.  All
 *            integers little endian; a str is u32 length and bytes.  A type
 *            or version that this program does not know stops a replay:
 *            nothing in the log may be skipped.
 * Ownership  Decoded slices borrow from the record.
 * Threads    Pure functions.
 * Errors     RC_BAD for anything malformed; encoding is sticky (struct enc).
 * Limits     REC_MAX bytes of operations in a record, REC_RANGES_MAX ranges
 *            in one operation.
 */
#ifndef STORE_REC_H
#define STORE_REC_H

#include "store/bytes.h"
#include "store/store_client.h"

#define REC_MAX        (24u << 20)
#define REC_RANGES_MAX (256u << 10)
#define REC_PARTS_MAX  4096u
#define BODY_ID        16u
#define OBJECT_ID      16u
#define ACCOUNT_ID_MAX 64u

enum rec_type {
	REC_PART = 1,    /* a part of a body's sealed content */
	REC_BODY,        /* a body is complete */
	REC_ACCOUNT,     /* an account is made */
	REC_MAILBOX,     /* a mailbox is made, renamed, subscribed */
	REC_MAILBOX_DEL, /* a mailbox is gone with all it holds */
	REC_KEYWORD,     /* a keyword gets a bit */
	REC_DELIVER,     /* a message is put into a mailbox */
	REC_FLAGS,       /* flags of ranges of UIDs change */
	REC_EXPUNGE,     /* ranges of UIDs are gone */
	REC_COPY,        /* ranges are copied to another mailbox */
	REC_RECENT,      /* \Recent was handed out up to here */
	REC_QUEUE,       /* a message is queued */
	REC_ENTRY,       /* a queue entry is made or changed */
	REC_ENTRY_DEL,   /* a queue entry is gone */
	REC_OPID,        /* an operation id and its result */
	REC_MOVED,       /* a body that is known stands here now */
	REC_RESTORED,    /* a backup was put back */
};

/* Where something is: segment << 32 | offset. */
#define POS(segment, offset) ((uint64_t)(segment) << 32 | (uint32_t)(offset))
#define POS_SEG(pos)         ((uint32_t)((pos) >> 32))
#define POS_OFF(pos)         ((uint32_t)(pos))

struct rec_place {
	uint64_t pos;
	uint32_t len;
};

struct rec_part {
	unsigned char body[BODY_ID];
	uint32_t number;
	struct str data; /* see content.h */
};

struct rec_body {
	unsigned char id[BODY_ID];
	uint64_t content; /* edits + body, bytes */
	uint32_t edits;
	uint32_t meta_version; /* of the parser that made meta */
	struct str meta;       /* sealed under the message key */
	uint32_t nparts;
	struct str parts; /* nparts times u64 pos, u32 len */
};

struct rec_account {
	uint64_t number;
	uint32_t key;
	struct str id;
};

enum rec_mailbox_flag {
	MBOX_EXISTS = 1,
	MBOX_SUBSCRIBED = 2,
	MBOX_INBOX = 4,
};
/* Also what is kept of it in the index. */
struct rec_mailbox {
	uint64_t id, account;
	uint32_t flags, uidvalidity;
	uint8_t special; /* enum special_use */
	unsigned char object[OBJECT_ID];
	unsigned char tag[16]; /* keyed hash of the name */
	struct str name;       /* sealed */
};

struct rec_keyword {
	uint64_t mailbox;
	uint8_t bit;
	struct str name; /* sealed */
};

struct rec_deliver {
	uint64_t mailbox;
	uint32_t uid;
	uint32_t key; /* id of the account key */
	uint64_t modseq, flags, size;
	uint32_t prefix_len;
	int64_t internal_date, save_date;
	unsigned char body[BODY_ID];
	unsigned char thread[OBJECT_ID]; /* zero: not determined */
	struct str letter;               /* message key + prefix, sealed */
};

struct rec_flags {
	uint64_t mailbox, modseq;
	uint64_t clear, set; /* first clear, then set */
	struct uid_set uids;
};

struct rec_expunge {
	uint64_t mailbox, modseq;
	struct uid_set uids;
};

/* The messages of `uids`, ascending, get the UIDs from `first` on. */
struct rec_copy {
	uint64_t from, to, modseq;
	uint32_t first;
	int64_t save_date;
	uint32_t nbits;
	struct str bits; /* nbits times u8 source bit, u8 target bit */
	struct uid_set uids;
};

struct rec_recent {
	uint64_t mailbox;
	uint32_t first;
};

struct rec_queue {
	unsigned char body[BODY_ID];
	int64_t received_at;
	uint32_t key;
	struct str letter; /* sealed: message key, from, submitter */
};

struct rec_entry {
	unsigned char body[BODY_ID];
	uint64_t id;
	uint32_t key;
	struct str box; /* sealed struct store_queued */
};

struct rec_opid {
	int64_t time;
	struct str id;
	struct str result; /* engine's own: see engine.h */
};

struct rec_restored {
	int64_t time;
	uint32_t uidvalidity; /* the least that mailboxes get */
};

/* Start an operation; its length is filled in by rec_end. */
size_t rec_begin(struct enc *e, enum rec_type type);
void rec_end(struct enc *e, size_t at);

void rec_put_part_head(struct enc *e, const struct rec_part *r);
void rec_put_body(struct enc *e, const struct rec_body *r);
void rec_put_account(struct enc *e, const struct rec_account *r);
void rec_put_mailbox(struct enc *e, const struct rec_mailbox *r);
void rec_put_mailbox_del(struct enc *e, uint64_t mailbox);
void rec_put_keyword(struct enc *e, const struct rec_keyword *r);
void rec_put_deliver(struct enc *e, const struct rec_deliver *r);
void rec_put_flags(struct enc *e, const struct rec_flags *r);
void rec_put_expunge(struct enc *e, const struct rec_expunge *r);
void rec_put_copy(struct enc *e, const struct rec_copy *r);
void rec_put_recent(struct enc *e, const struct rec_recent *r);
void rec_put_queue(struct enc *e, const struct rec_queue *r);
void rec_put_entry(struct enc *e, const struct rec_entry *r);
void rec_put_entry_del(
    struct enc *e, const unsigned char body[BODY_ID], uint64_t id);
void rec_put_opid(struct enc *e, const struct rec_opid *r);
void rec_put_moved(struct enc *e, const struct rec_body *r);
void rec_put_restored(struct enc *e, const struct rec_restored *r);

struct rec_op {
	enum rec_type type;
	union {
		struct rec_part part;
		struct rec_body body; /* also MOVED */
		struct rec_account account;
		struct rec_mailbox mailbox;
		uint64_t mailbox_del;
		struct rec_keyword keyword;
		struct rec_deliver deliver;
		struct rec_flags flags;
		struct rec_expunge expunge;
		struct rec_copy copy;
		struct rec_recent recent;
		struct rec_queue queue;
		struct rec_entry entry; /* also ENTRY_DEL: no key, no box */
		struct rec_opid opid;
		struct rec_restored restored;
	};
	size_t at; /* REC_PART: offset of data in the record's payload */
};

/*
 * The next operation of *ops (cut off its front).  RC_NOENT at the end,
 * RC_BAD malformed, RC_DENY a type of a later version.  UID sets are copied
 * into a.
 */
MUST_CHECK enum rc rec_next(
    struct arena *a, struct str *ops, struct rec_op *out);

/* Also used inside index values. */
void rec_enc_mailbox(struct enc *e, const struct rec_mailbox *r);
void rec_dec_mailbox(struct dec *d, struct rec_mailbox *r);

/* Ascending, not touching, lo <= hi, no 0. */
bool uid_set_valid(const struct uid_set *s);
/* The same UIDs in that form.  RC_BAD: a range is none. */
MUST_CHECK enum rc uid_set_normal(
    struct arena *a, const struct uid_set *in, struct uid_set *out);
uint64_t uid_set_count(const struct uid_set *s);

#endif
