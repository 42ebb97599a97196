/*
 * maint_impl - what the files of maint share.
 *
 * Threads  One.
 */
#ifndef STORE_MAINT_IMPL_H
#define STORE_MAINT_IMPL_H

#include "store/content.h"
#include "store/ix.h"
#include "store/keys.h"
#include "store/maint.h"

struct maint_key;
struct maint_owner; /* of a key: known without the master key */

struct check {
	const struct maint *m;
	struct seglog_conf sconf;
	struct seglog_files *files;
	struct content_pool *pool;
	struct ix ix;
	MDB_txn *t;
	struct ix_info info;
	struct seglog_pos end;
	struct maint_key *keys;
	size_t nkeys;
	struct maint_owner *owners;
	size_t nowners;
	uint64_t ops, log_bytes;
	uint64_t mailboxes, messages, bodies, opened;
	struct arena a;       /* texts */
	struct arena scratch; /* for the time of one thing */
	bool bad;
};

void maint_say(struct check *c, enum maint_grade grade, const char *what,
    struct str found);
enum rc maint_load_owners(struct check *c);
/* again: what is wrong with them has been said. */
enum rc maint_load_keys(struct check *c, bool again);
void maint_free_keys(struct check *c);
enum rc maint_check_index(struct check *c);

#endif
