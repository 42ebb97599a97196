/*
 * rig - a store in a temporary directory, with helpers that assert.
 */
#ifndef TESTS_STORE_RIG_H
#define TESTS_STORE_RIG_H

#include "store/engine.h"
#include "store/maint.h"
#include "store/reader.h"

#define ANN STR("6a1f0e1c-0000-4000-8000-00000000a001")
#define BOB STR("6a1f0e1c-0000-4000-8000-00000000b002")

struct rig {
	struct log_sink *sink;
	struct log log;
	char dir[64];
	struct engine_conf conf;
	struct engine *e;
	struct store_reader *reader;
	struct arena a;
	size_t changes;
	int null_fd; /* rig_quiet */
};

struct rig_message {
	struct str op_id, edits, prefix, body, meta;
	uint64_t flags;
};

/* Is this the long run (GP_LONG)? */
bool rig_long(void);
int rig_setup(void **state);
int rig_teardown(void **state);
void rig_open(struct rig *r);
void rig_close(struct rig *r);
/* Close, check everything, open. */
void rig_reopen(struct rig *r);
/* maint_check of a closed store; keys: everything is opened. */
enum rc rig_check(struct rig *r, bool keys);
/* Close, throw the index away, open. */
void rig_rebuild(struct rig *r);
void rig_remove_tree(const char *dir);

/* Run compaction and wait for it. */
enum rc rig_compact(struct rig *r);
/* Segments there are, beside those made ahead. */
size_t rig_segments(struct rig *r);

/* While things are broken on purpose, the log goes nowhere. */
void rig_quiet(struct rig *r, bool on);

struct rig_message rig_message(struct rig *r, uint64_t seed, size_t n);
enum rc rig_submit(struct rig *r, struct str account, const char *mailbox,
    const struct rig_message *m, struct engine_result *out);
/* The body through a descriptor, into INBOX. */
enum rc rig_submit_fd(
    struct rig *r, struct str account, const struct rig_message *m, int fd);
uint32_t rig_deliver(struct rig *r, struct str account, const char *mailbox,
    const struct rig_message *m);
void rig_expect(struct rig *r, struct str account, const char *mailbox,
    uint32_t uid, const struct rig_message *m);
void rig_key(struct rig *r, struct str account, unsigned char key[32]);
void rig_mailboxes(
    struct rig *r, struct str account, struct store_mailbox **v, size_t *n);
bool rig_find(struct rig *r, struct str account, const char *name,
    struct store_mailbox *out);
uint32_t rig_count(struct rig *r, struct str account, const char *name);
uint64_t rig_id(struct rig *r, struct str account, const char *name);
enum rc rig_ensure(struct rig *r, struct str account);
enum rc rig_name_op(struct rig *r, enum engine_kind kind, struct str account,
    const char *name, const char *to, bool on);
enum rc rig_delete(struct rig *r, struct str account, const char *name);
enum rc rig_flags(struct rig *r, struct str account, const char *mailbox,
    uint32_t lo, uint32_t hi, enum store_flag_op op, uint64_t flags,
    const char *keyword, struct engine_result *out);
enum rc rig_copy(struct rig *r, struct str account, const char *from,
    uint32_t lo, uint32_t hi, const char *to, bool move,
    struct engine_result *out);
enum rc rig_expunge(struct rig *r, struct str account, const char *mailbox,
    uint32_t lo, uint32_t hi, struct engine_result *out);
size_t rig_rows(struct rig *r, uint64_t mailbox, struct store_row **out);

#endif
