/*
 * local - inside of the engine on the local disk.
 *
 * Threads    One committer thread plans, logs and applies; everything that is
 *            not marked otherwise is its own.
 */
#ifndef STORE_LOCAL_H
#define STORE_LOCAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <uthash.h>

#include "store/apply.h"
#include "store/content.h"
#include "store/engine.h"
#include "store/ix.h"
#include "store/keys.h"
#include "store/seglog.h"

#define LOCAL_BATCH_MAX   256u
#define LOCAL_BATCH_BYTES (32u << 20)

struct engine_body {
	unsigned char id[BODY_ID], key[SEAL_KEY];
	uint64_t content;
	uint32_t edits, meta_version;
	bool known;       /* it is in the store already */
	struct buf meta;  /* sealed */
	struct buf parts; /* places; the last one is 0, in the record */
	struct buf last;  /* that part */
	uint32_t number;  /* its */
	/* Parts went ahead: from this segment on they may stand. */
	uint32_t pin;
	struct engine_body *next; /* of those */
};

/* A part of a large body that goes ahead of its record. */
struct local_part {
	unsigned char body[BODY_ID];
	uint32_t number;
	struct str data;
	uint64_t pos; /* out: of the data */
	enum rc rc;
	bool finished;
	struct local_part *next;
};

struct local_op {
	char id[STORE_OPID_MAX];
	size_t n;
	uint64_t number;
	struct engine_result out; /* repeated, body, mailbox, uid only */
	UT_hash_handle hh;
};

struct local_recent {
	uint64_t mailbox;
	uint32_t first;
	bool saved;
	UT_hash_handle hh;
};

struct local_touched {
	uint64_t account, mailbox, modseq;
};

struct local {
	struct engine base;
	struct log log;
	struct engine_conf conf;
	char *dir;
	int lock_fd;
	struct keys *keys;
	struct ix ix;
	struct seglog *seglog;
	struct seglog_conf sconf;
	struct seglog_files *files; /* any thread */
	struct content_pool *pool;  /* any thread */
	/* The committer's. */
	struct ix_info info;
	struct local_touched *touched;
	size_t ntouched, touched_room;
	struct arena batch; /* for the time of a batch */
	int64_t space_at_ns;
	uint64_t keyless; /* accounts, when it was opened */
	/* Any thread. */
	atomic_bool read_only, below_floor;
	atomic_bool behind; /* the log knows more than the index */
	/* At most where the next record goes; every part put later is behind */
	_Atomic uint64_t tail_pos;
	struct compact *compact;
	atomic_uint_fast64_t commits, intents, index_commits, rolls;
	_Atomic uint64_t free_bytes, floor_bytes;
	_Atomic uint64_t ops_committed; /* ids below this one are durable */
	pthread_mutex_t op_lock;        /* guards ops */
	struct local_op *ops;
	pthread_mutex_t recent_lock; /* guards recent */
	struct local_recent *recent;
	/* The committer's queue. */
	pthread_t thread;
	bool threaded;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t work, part_done;
	struct engine_intent *head, **tail;
	struct local_part *parts, **parts_tail;
	size_t waiting, wanted; /* wake the committer at `wanted` */
	size_t moves;           /* waiting, too, and nobody's company */
	struct engine_body *ahead;
	bool asleep, stop;
};

/* An intent being planned. */
struct plan {
	struct local *l;
	struct engine_intent *in;
	struct apply ap;
	struct enc enc;
	struct arena *a;
	struct str part; /* data behind the first PLAN_PART bytes */
	bool begun;      /* something was put: no way back but abort */
	bool finished;   /* known from before: nothing to log */
};
#define PLAN_PART 28u /* the head of a part in a record */

/*
 * RC_NOENT... are definite answers if nothing was begun.  PLAN_ROLL: the
 * segment is full, plan again in the next one.
 */
enum { PLAN_ROLL = 100 };
int plan_intent(struct plan *p);
int plan_begin(struct plan *p, size_t bound);
/* Apply what the encoder has put since `at`. */
MUST_CHECK enum rc plan_apply(struct plan *p, size_t at);

int plan_submit(struct plan *p);
int plan_queue(struct plan *p);
int plan_flags(struct plan *p);
int plan_copy(struct plan *p);
int plan_expunge(struct plan *p);
int plan_mailbox(struct plan *p);
int plan_move(struct plan *p);
int plan_restored(struct plan *p);

/* local_mailbox.c */
struct plan_account {
	struct str id;
	struct ix_account acct;
	struct key key;
	bool missing;
};
/* RC_OK also when missing: see out->missing. */
MUST_CHECK enum rc plan_account_find(
    struct plan *p, struct str id, struct plan_account *out);
/* Make it with its folders, unless it is there. */
MUST_CHECK enum rc plan_account_make(struct plan *p, struct plan_account *pa);
MUST_CHECK enum rc plan_mailbox_find(struct plan *p,
    const struct plan_account *pa, struct str name, uint64_t *out,
    struct rec_mailbox *rec);
/* Make a mailbox and those above it that are missing. */
MUST_CHECK enum rc plan_mailbox_make(struct plan *p, struct plan_account *pa,
    struct str name, unsigned special, bool subscribed, uint64_t *out);
size_t plan_account_bound(void);
size_t plan_mailbox_bound(struct str name);
/* The mailbox of in->mailbox, checked against in->account and the guard. */
MUST_CHECK enum rc plan_own_mailbox(struct plan *p, uint64_t mailbox,
    struct plan_account *pa, struct ix_mbox *m);

/* local_mail.c */
MUST_CHECK enum rc plan_rows_all(
    struct plan *p, uint64_t mailbox, struct uid_set *out);
/* Keywords mapped, copied, expunged: copy->to and the modseqs are set. */
MUST_CHECK enum rc plan_move_all(struct plan *p, const struct key *key,
    struct rec_copy *copy, const struct rec_expunge *gone);

/* local_keyword.c: names to bits; new ones are made by the second. */
struct plan_keywords {
	uint64_t bits; /* those that exist */
	uint64_t used; /* bits taken in the mailbox */
	struct str missing[STORE_KEYWORDS_MAX];
	size_t nmissing;
};
/* RC_DENY: no room.  RC_BAD: not a keyword. */
MUST_CHECK enum rc plan_keywords_find(struct plan *p, uint64_t mailbox,
    const struct key *key, const struct str *names, size_t n,
    struct plan_keywords *out);
MUST_CHECK enum rc plan_keywords_make(struct plan *p, uint64_t mailbox,
    const struct key *key, struct plan_keywords *kw);
size_t plan_keywords_bound(const struct str *names, size_t n);
MUST_CHECK enum rc keyword_names(struct arena *a, const struct ix *ix,
    MDB_txn *t, uint64_t mailbox, const unsigned char *key,
    struct str names[STORE_KEYWORDS_MAX]);

/* local_letter.c: what is sealed for one reader. */
struct letter {
	unsigned char key[SEAL_KEY];
	struct str prefix;
};
MUST_CHECK enum rc letter_seal(const struct key *key, struct str account,
    const unsigned char body[BODY_ID], const struct letter *in,
    struct buf *out);
MUST_CHECK enum rc letter_open(struct arena *a, const unsigned char *key,
    struct str account, const unsigned char body[BODY_ID], struct str box,
    struct letter *out);
struct envelope {
	unsigned char key[SEAL_KEY];
	struct str from, submitter;
};
MUST_CHECK enum rc envelope_seal(const struct key *key,
    const unsigned char body[BODY_ID], const struct envelope *in,
    struct buf *out);
MUST_CHECK enum rc envelope_open(struct arena *a, const struct key *key,
    const unsigned char body[BODY_ID], struct str box, struct envelope *out);
MUST_CHECK enum rc queued_seal(const struct key *key,
    const unsigned char body[BODY_ID], const struct store_queued *in,
    struct buf *out);
MUST_CHECK enum rc queued_open(struct arena *a, const struct key *key,
    const unsigned char body[BODY_ID], uint64_t id, struct str box,
    struct store_queued *out);
/* Of the value in the index: with the key that it names. */
MUST_CHECK enum rc queued_read(struct arena *a, struct keys *keys,
    const unsigned char body[BODY_ID], uint64_t id, struct str value,
    struct store_queued *out);
MUST_CHECK enum rc mailbox_name_open(struct arena *a, const unsigned char *key,
    const struct rec_mailbox *r, struct str *out);

/* local_body.c */
enum rc local_put_body(struct engine *e, const struct engine_content *in,
    struct engine_body **out);
void local_drop_body(struct engine *e, struct engine_body **body);

/* local_commit.c */
void local_start(struct engine *e, struct engine_intent *in);
enum rc local_put_part(struct local *l, struct local_part *part);
MUST_CHECK enum rc local_commit_start(struct local *l);
void local_commit_stop(struct local *l);

/* local_compact.c */
MUST_CHECK enum rc local_compact_start(struct local *l);
void local_compact_stop(struct local *l);
enum rc local_compact(struct engine *e, bool wait);
enum rc local_upkeep(struct engine *e, struct engine_upkeep *out);
enum rc local_pin(struct engine *e, bool on, struct engine_position *out);

/* local_replay.c */
MUST_CHECK enum rc local_replay(struct local *l);
MUST_CHECK enum rc local_load_ops(struct local *l);
void local_free_ops(struct local *l);
void local_op_added(void *ctx, uint64_t number, const struct rec_opid *op);
void local_op_dropped(void *ctx, uint64_t number, struct str id);
/* The second says only what is durable already. */
enum rc local_op_known(
    struct local *l, struct str op_id, struct engine_result *out);
enum rc local_find_op(
    struct engine *e, struct str op_id, struct engine_result *out);
struct str local_op_result(struct arena *a, const struct engine_result *out);
const struct apply_hooks *local_hooks(struct local *l, struct apply_hooks *h);

/* local_read.c */
void local_queue_key(struct engine *e, unsigned char key[SEAL_KEY]);
enum rc local_attach(
    struct engine *e, struct str account, unsigned char key[SEAL_KEY]);
enum rc local_take_recent(struct engine *e, struct str account,
    uint64_t mailbox, bool peek, uint32_t *out_first);
enum rc local_queue_list(struct engine *e, struct arena *a, struct str after,
    size_t max, struct store_queue_item **out, size_t *out_n);
enum rc local_queue_get(struct engine *e, struct arena *a,
    const unsigned char id[BODY_ID], struct store_queue_item *out);

#endif
