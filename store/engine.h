/*
 * engine - what keeps mail: the contract behind which another store than the
 * local disk can stand.
 *
 * Three things are enough.  A body is put, idempotent by its id; it is not
 * mail yet.  A mailbox gets a guarded update: it happens if its MODSEQ is the
 * expected one and the operation id is new.  Whatever is wider (a message for
 * several mailboxes and the queue, a move) is one intent: durable together
 * with the body, carried out idempotently, answered once.  Nothing here knows
 * of files; an engine that cannot commit across mailboxes keeps the intent
 * until all of it is done.
 *
 * Ownership  An intent belongs to its maker and must live, with all it points
 *            to, until `done` was called; results lie in in->a.
 * Threads    Any; put_body may block on the disk.  `done` and `changed` are
 *            called on the engine's thread, must not block, and may free the
 *            intent.
 * Errors     As store_client.h.  RC_OK is said when it is durable and can be
 *            read.
 * Limits     ENGINE_DELIVERIES_MAX mailboxes and ENGINE_ENTRIES_MAX queue
 *            entries in an intent; a queued message's entries together at
 *            most ENGINE_QUEUE_BYTES.
 */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include "lib/log.h"
#include "store/io.h"
#include "store/rec.h"
#include "store/seal.h"

#define ENGINE_DELIVERIES_MAX 4096u
#define ENGINE_ENTRIES_MAX    4096u
#define ENGINE_QUEUE_BYTES    (6u << 20)

struct engine;

/* A body on its way in. */
struct engine_content {
	unsigned char id[BODY_ID]; /* from engine_body_id */
	struct str edits;
	struct str data; /* inline, or */
	int fd;          /* >= 0 */
	uint64_t size;
	struct str meta;
};
struct engine_body; /* put, and not yet part of anything */

enum engine_kind {
	ENGINE_SUBMIT = 1, /* body into mailboxes and the queue */
	ENGINE_QUEUE,      /* change a queued message's entries */
	ENGINE_FLAGS,
	ENGINE_COPY, /* and MOVE */
	ENGINE_EXPUNGE,
	ENGINE_ENSURE,
	ENGINE_CREATE,
	ENGINE_DELETE,
	ENGINE_RENAME,
	ENGINE_SUBSCRIBE,
	ENGINE_RESTORED, /* a backup was put back: new UIDVALIDITYs */
	ENGINE_MOVE,     /* the engine's own: compaction */
};

struct engine_delivery {
	struct str account;
	struct str name;  /* the mailbox by name, made if missing, or */
	uint64_t mailbox; /* != 0: by number */
	struct str prefix;
	uint64_t flags;
	const struct str *keywords;
	size_t nkeywords;
};

struct engine_submit {             /* SUBMIT and QUEUE */
	struct engine_body *body;  /* SUBMIT; dropped by the engine */
	unsigned char id[BODY_ID]; /* QUEUE: which message */
	struct str from, submitter;
	int64_t received_at;
	const struct engine_delivery *to;
	size_t nto;
	const struct store_queued *set;
	size_t nset;
	const uint64_t *remove;
	size_t nremove;
	const struct store_expect *expect; /* QUEUE */
	size_t nexpect;
};

struct engine_mailbox { /* mailbox operations */
	struct str name, to;
	bool on;
};

struct engine_result {
	bool repeated;
	unsigned char body[BODY_ID];
	uint64_t mailbox; /* CREATE; SUBMIT: of the first delivery */
	uint32_t uid;     /* of the first delivery */
	uint64_t entry;   /* SUBMIT: the first queue entry */
	uint64_t modseq;
	struct uid_set modified; /* FLAGS */
	struct store_copied copied;
};

struct engine_intent {
	enum engine_kind kind;
	struct str op_id;       /* empty: none */
	uint64_t expect_modseq; /* of `mailbox`; 0: any */
	struct str account;
	uint64_t mailbox;
	union {
		struct engine_submit submit;
		struct store_flags flags;
		struct {
			struct uid_set uids;
			uint64_t to;
			bool move;
		} copy;
		struct uid_set expunge;
		struct engine_mailbox name;
	};
	struct arena *a;
	struct engine_result out;
	void (*done)(struct engine_intent *in, enum rc rc);
	void *arg;
	/* The engine's own. */
	struct engine_intent *next;
	struct buf rec;
	enum rc rc;
	int64_t at_ns;
};

struct engine_change {
	struct str account;
	uint64_t mailbox; /* 0: the list of mailboxes */
	uint64_t modseq;
};

struct engine_stats {
	uint64_t messages, bodies, queued, accounts, mailboxes;
	uint64_t commits, intents, log_bytes, log_syncs, index_commits;
	uint64_t key_syncs, rolls;
	uint64_t free_bytes;
	uint64_t keyless; /* accounts, if opened for restoring */
	bool read_only, below_floor;
};

/* A state that is durable, and what the log says about it. */
struct engine_position {
	uint64_t pos, last, seq, chain;
};

/* Looking after the space. */
struct engine_upkeep {
	uint64_t segments; /* sealed ones */
	uint64_t sealed_bytes, live_bytes;
	uint64_t checkpoint_bytes;
	/* A run of compaction: bytes to move, moved, given back. */
	uint64_t total, done, freed;
	uint64_t runs; /* ended */
	bool running, failed;
	bool waits;    /* for a pin */
	bool removing; /* the engine's own */
};

struct engine_ops {
	const char *name;
	/* RC_BAD: the content is not what it says.  RC_TEMP below the floor. */
	enum rc (*put_body)(struct engine *e, const struct engine_content *in,
	    struct engine_body **out);
	void (*drop_body)(struct engine *e, struct engine_body **body);
	void (*start)(struct engine *e, struct engine_intent *in);
	/* RC_OK: this operation id was done, *out is its result. */
	enum rc (*find_op)(
	    struct engine *e, struct str op_id, struct engine_result *out);
	enum rc (*attach)(
	    struct engine *e, struct str account, unsigned char key[SEAL_KEY]);
	void (*queue_key)(struct engine *e, unsigned char key[SEAL_KEY]);
	enum rc (*take_recent)(struct engine *e, struct str account,
	    uint64_t mailbox, bool peek, uint32_t *out_first);
	/* Messages behind `after` (16 bytes or empty), some MiB at most. */
	enum rc (*queue_list)(struct engine *e, struct arena *a,
	    struct str after, size_t max, struct store_queue_item **out,
	    size_t *out_n);
	enum rc (*queue_get)(struct engine *e, struct arena *a,
	    const unsigned char id[BODY_ID], struct store_queue_item *out);
	void (*stats)(struct engine *e, struct engine_stats *out);
	/* Give space back; RC_TEMP: not done, or not all of it. */
	enum rc (*compact)(struct engine *e, bool wait);
	enum rc (*upkeep)(struct engine *e, struct engine_upkeep *out);
	/*
	 * From on to off no file of the log goes or is replaced, so that it
	 * can be copied up to the position given at its beginning.  Counted.
	 */
	enum rc (*pin)(struct engine *e, bool on, struct engine_position *out);
	/* Free space below which no new mail is taken, from now on. */
	void (*set_floor)(struct engine *e, uint64_t bytes);
	/* Now and then, and after a reader died. */
	void (*tend)(struct engine *e);
	void (*close)(struct engine **e);
};

struct engine {
	const struct engine_ops *ops;
};

/* Time-ordered, so that new ones go to the end of every index. */
void engine_body_id(unsigned char out[BODY_ID]);

struct engine_conf {
	const char *dir;
	unsigned char master[SEAL_KEY];
	uint64_t segment_bytes, map_bytes, floor_bytes;
	unsigned gather_us;
	const struct io *io;
	bool inline_prepare; /* no helper thread (tests) */
	bool restoring;      /* open what is marked as not ready */
	bool compact_auto;   /* compact when there is enough garbage: */
	unsigned compact_percent;
	void (*changed)(
	    void *ctx, const struct engine_change *changes, size_t n);
	void *ctx;
};

/*
 * The engine on the local disk: engine_local.c.  RC_DENY: made by a later
 * version, with another master key, or the keys are older than the mail (not
 * if `restoring`: the statistics tell).  RC_BAD: the log is damaged (said in
 * the log); nothing is served until somebody has looked.
 */
MUST_CHECK enum rc engine_local_open(
    const struct log *log, const struct engine_conf *conf, struct engine **out);

/* Start and wait; for tests, tools and start-up. */
MUST_CHECK enum rc engine_run(struct engine *e, struct engine_intent *in);

#endif
