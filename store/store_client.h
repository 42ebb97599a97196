/*
 * store_client - have the store process change mail (reading is in
 * store/reader.h).
 *
 * Everything acknowledged here is durable: RC_OK comes after the log is
 * synced and the index applied.
 *
 * Accounts are named by their directory id (36 characters of text), mailboxes
 * by a number that is never reused, messages by UID.
 *
 * Ownership  Slices that come out live in `a`.
 * Threads    Any worker; blocking until dl.  The start form calls back on the
 *            client's own thread, which must not block.
 * Errors     RC_NOENT no such mailbox or message; RC_DENY exists already, not
 *            allowed (INBOX), over quota; RC_BAD malformed; RC_TEMP disk,
 *            space floor, read-only shard, no answer: not known whether it
 *            happened, repeat with the same op_id.
 */
#ifndef STORE_CLIENT_H
#define STORE_CLIENT_H

#include "lib/ipc.h"

#define STORE_OPID_MAX      64u   /* bytes of an operation id */
#define STORE_NAME_MAX      1000u /* bytes of a mailbox name, UTF-8 */
#define STORE_INLINE_MAX    (16u << 10)
#define STORE_MAILBOXES_MAX 20000u /* per account */

/* System flags; keywords are bits 8.. given out per mailbox. */
enum store_flag {
	STORE_SEEN = 1 << 0,
	STORE_ANSWERED = 1 << 1,
	STORE_FLAGGED = 1 << 2,
	STORE_DELETED = 1 << 3,
	STORE_DRAFT = 1 << 4,
	STORE_RECENT = 1 << 5, /* not in rows: see first_recent */
};
#define STORE_KEYWORDS_MAX 56u /* per mailbox: bits 8 to 63 */

struct store_client;
struct store_client *store_client_new(
    const struct log *log, const char *path, unsigned max_conns);
void store_client_free(struct store_client **s);

/* A message as it goes in: either inline or a descriptor, never both. */
struct store_body {
	struct str edits; /* header fields put before the body, shared */
	struct str inline_data;
	int fd;          /* sealed memfd or spool file; -1: inline */
	uint64_t size;   /* of the body */
	struct str meta; /* mail/meta.h blob over edits + body */
};

/* One mailbox that gets it. */
struct store_delivery {
	struct str account;
	struct str mailbox; /* by name; "INBOX", or created if missing */
	struct str prefix;  /* this recipient's trace fields */
	uint64_t flags;     /* system flags */
	struct str *keywords;
	size_t nkeywords;
};

/* A recipient that stays in the queue.  The store keeps, delivery thinks. */
struct store_queued {
	uint64_t id;       /* 0: new; given out by the store */
	struct str rcpt;   /* address as accepted */
	struct str dir_id; /* directory id, may be empty */
	uint32_t kind;     /* enum dir_kind */
	uint32_t state;    /* enum dlv_state */
	uint32_t attempts;
	int64_t next_at; /* unix seconds */
	int64_t expires_at;
	struct str reason; /* last result, text */
	struct str prefix; /* trace fields to put before the body */
	struct str data;   /* delivery's own, opaque: see below */
};
/* Room for the binary ids of DIR_MEMBERS_MAX people. */
#define STORE_QUEUED_DATA_MAX (2u << 20)

/* One commit: a message, its mailboxes, its queue entries. */
struct store_submit {
	struct str op_id;     /* idempotency: same id, same answer */
	struct str from;      /* return path, "" is null */
	struct str submitter; /* account id of an authenticated sender */
	int64_t received_at;  /* unix seconds: INTERNALDATE */
	struct store_body body;
	const struct store_delivery *to;
	size_t nto;
	const struct store_queued *queue;
	size_t nqueue;
};

struct store_submitted {
	struct str message_id; /* store's body id, hex; the "queue id" */
	bool repeated;         /* op_id was known: nothing was done again */
	/* The id of the first of `queue`, the others count up; 0: unknown. */
	uint64_t first_entry;
};

MUST_CHECK enum rc store_submit(struct store_client *s, struct arena *a,
    const struct store_submit *in, struct deadline dl,
    struct store_submitted *out);
void store_submit_start(struct store_client *s, const struct store_submit *in,
    struct deadline dl,
    void (*done)(void *arg, enum rc rc, const struct store_submitted *out),
    void *arg);

/*
 * The queue.  An update names the message, changes entries, removes entries,
 * and may at the same time deliver its body to mailboxes: one commit.
 */
struct store_queue_item {
	struct str message_id;
	struct str from, submitter;
	int64_t received_at;
	uint64_t size;
	struct str edits;
	struct store_queued *entries;
	size_t nentries;
};
/*
 * In order of message ids, behind after_message_id ("": from the start).  As
 * many as fit into an answer, at most max; none: that was all.
 */
MUST_CHECK enum rc store_queue_list(struct store_client *s, struct arena *a,
    struct str after_message_id, size_t max, struct deadline dl,
    struct store_queue_item **out, size_t *out_n);
MUST_CHECK enum rc store_queue_get(struct store_client *s, struct arena *a,
    struct str message_id, struct deadline dl, struct store_queue_item *out);
/* An entry as it was read: nobody has changed it since. */
struct store_expect {
	uint64_t id;
	uint32_t state, attempts;
};
struct store_queue_update {
	struct str op_id;
	struct str message_id;
	const struct store_expect *expect;
	size_t nexpect;
	const struct store_queued *set; /* id 0: a new entry */
	size_t nset;
	const uint64_t *remove;
	size_t nremove;
	const struct store_delivery *to;
	size_t nto;
};
/*
 * RC_NOENT: the message, or an entry in `set` (with an id) or `remove`, is not
 * in the queue, or one in `expect` is not in that state (any more); nothing is
 * done then, so that a late repeat cannot deliver twice and nobody's change is
 * overwritten unseen.  Read it again.
 */
MUST_CHECK enum rc store_queue_update(struct store_client *s,
    const struct store_queue_update *in, struct deadline dl);

/* As above; `done` is called on the client's thread and must not block. */
void store_queue_update_start(struct store_client *s,
    const struct store_queue_update *in, struct deadline dl,
    void (*done)(void *arg, enum rc rc), void *arg);
/* The key to the queue: with it delivery reads bodies (store/reader.h). */
struct store_attach;
MUST_CHECK enum rc store_queue_key(
    struct store_client *s, struct deadline dl, struct store_attach *out);

/*
 * Accounts and mailboxes.  ensure makes the account with INBOX and the
 * default folders (Drafts, Sent, Junk, Trash, Archive with their special
 * uses) if it has never existed; folders that were deleted stay deleted.
 */
MUST_CHECK enum rc store_account_ensure(
    struct store_client *s, struct str account, struct deadline dl);

/* What imap needs to read an account: its key, until detached. */
struct store_attach {
	unsigned char key[32];
};
MUST_CHECK enum rc store_attach(struct store_client *s, struct str account,
    struct deadline dl, struct store_attach *out);

MUST_CHECK enum rc store_mailbox_create(struct store_client *s,
    struct str account, struct str name, struct deadline dl,
    uint64_t *out_mailbox);
MUST_CHECK enum rc store_mailbox_delete(struct store_client *s,
    struct str account, struct str name, struct deadline dl);
/* RFC 9051 6.3.6: children move along; INBOX moves its messages. */
MUST_CHECK enum rc store_mailbox_rename(struct store_client *s,
    struct str account, struct str from, struct str to, struct deadline dl);
MUST_CHECK enum rc store_mailbox_subscribe(struct store_client *s,
    struct str account, struct str name, bool on, struct deadline dl);

/* Messages. */
struct uid_range {
	uint32_t lo, hi; /* inclusive, lo <= hi */
};
struct uid_set {
	struct uid_range *v;
	size_t n;
};

struct store_append {
	struct str account;
	uint64_t mailbox;
	uint64_t flags;
	struct str *keywords;
	size_t nkeywords;
	int64_t internal_date;
	struct store_body body;
	struct str op_id;
};
MUST_CHECK enum rc store_append(struct store_client *s,
    const struct store_append *in, struct deadline dl, uint32_t *out_uid);

enum store_flag_op { STORE_FLAGS_SET, STORE_FLAGS_ADD, STORE_FLAGS_REMOVE };
struct store_flags {
	struct str account;
	uint64_t mailbox;
	struct uid_set uids; /* UIDs that do not exist are skipped */
	enum store_flag_op op;
	uint64_t flags;       /* system flags */
	struct str *keywords; /* by name; new ones get a bit */
	size_t nkeywords;
	uint64_t unchanged_since; /* UINT64_MAX: no condition */
};
struct store_flagged {
	uint64_t modseq;         /* of the change; 0 if nothing changed */
	struct uid_set modified; /* failed the condition */
};
/* RC_DENY: no room for another keyword. */
MUST_CHECK enum rc store_flags(struct store_client *s, struct arena *a,
    const struct store_flags *in, struct deadline dl,
    struct store_flagged *out);

/* COPY and MOVE: from and to UIDs pairwise in order (RFC 4315). */
struct store_copied {
	uint32_t uidvalidity;
	struct uid_set from, to;
};
MUST_CHECK enum rc store_copy(struct store_client *s, struct arena *a,
    struct str account, uint64_t from, struct uid_set uids, uint64_t to,
    bool move, struct deadline dl, struct store_copied *out);
/* Removes those of the uids that carry \Deleted. */
MUST_CHECK enum rc store_expunge(struct store_client *s, struct str account,
    uint64_t mailbox, struct uid_set uids, struct deadline dl,
    uint64_t *out_modseq);
/*
 * Hand out \Recent: returns the first UID that is recent to the caller (all
 * from there to UIDNEXT are) and, unless peeking, takes them from others.
 */
MUST_CHECK enum rc store_take_recent(struct store_client *s, struct str account,
    uint64_t mailbox, bool peek, struct deadline dl, uint32_t *out_first);

/*
 * Hints that something changed, coalesced; NULL mailbox (0) and account ""
 * mean "anything may have".  Called on a thread of the client.
 */
struct store_sub;
struct store_sub *store_subscribe(struct store_client *s,
    void (*hint)(
	void *arg, struct str account, uint64_t mailbox, uint64_t modseq),
    void *arg);
void store_sub_free(struct store_sub **sub);

/* Named numbers for `gatepost status`, lines for `gatepost store check`. */
MUST_CHECK enum rc store_stats(struct store_client *s, struct arena *a,
    struct deadline dl, struct str *out_json);

/*
 * For the administrator (root, or the user of the store): how full the log
 * is, and the state of compaction, as JSON; the first takes a look at every
 * body.
 */
MUST_CHECK enum rc store_upkeep(struct store_client *s, struct arena *a,
    struct deadline dl, struct str *out_json);
/* Begin; store_upkeep tells how it goes. */
MUST_CHECK enum rc store_compact(struct store_client *s, struct deadline dl);

/*
 * While a lease runs no file of the log goes or is replaced, and the log can
 * be copied up to pos.  It ends a minute after it was renewed last.
 * RC_NOENT: it has ended (the store may have been started anew): begin again.
 */
struct store_lease {
	uint64_t token;
	uint64_t pos, last, seq, chain; /* as in the index: formats.md */
};
MUST_CHECK enum rc store_lease_begin(
    struct store_client *s, struct deadline dl, struct store_lease *out);
MUST_CHECK enum rc store_lease_renew(
    struct store_client *s, uint64_t token, struct deadline dl);
MUST_CHECK enum rc store_lease_end(
    struct store_client *s, uint64_t token, struct deadline dl);

#endif
