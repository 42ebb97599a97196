/*
 * The index against itself: rows against counts, details, references and
 * bodies, in both directions; and, with the keys, every message opened.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "store/local.h"
#include "store/maint_impl.h"
#include "store/rows.h"

#define SAY_MAX 20u /* lines of one kind, then a sum */
#define LOOKS   5   /* for a body that moves */

struct maint_key {
	struct key key;
	uint8_t kind;
};

struct maint_owner {
	uint32_t id;
	struct str account; /* empty: the queue */
};

/* Whose keys there are, without the master key; ids ascend. */
enum rc
maint_load_owners(struct check *c)
{
	AUTO_FD fd =
	    open(str_fmt(&c->a, "%s/keys", c->m->dir).p, O_RDONLY | O_CLOEXEC);
	unsigned char b[KEYS_RECORD];
	uint64_t off = KEYS_HEADER;
	size_t room = 0;

	if (fd < 0)
		return RC_TEMP;
	for (; fd_pread_all(fd, b, sizeof(b), off) == RC_OK;
	     off += KEYS_RECORD) {
		struct keys_record r;

		if (keys_record_get(b, off, &r) != RC_OK)
			continue;
		if (c->nowners == room) {
			room = MAX(64, room * 2);
			c->owners =
			    xrealloc(c->owners, room * sizeof(*c->owners));
		}
		c->owners[c->nowners++] =
		    (struct maint_owner){ r.id, str_dup(&c->a, r.account) };
	}
	return RC_OK;
}

/* The file is small; ids ascend. */
enum rc
maint_load_keys(struct check *c, bool again)
{
	AUTO_FD fd =
	    open(str_fmt(&c->a, "%s/keys", c->m->dir).p, O_RDONLY | O_CLOEXEC);
	unsigned char b[KEYS_RECORD];
	size_t room = 0, closed = 0;
	uint64_t off = KEYS_HEADER;

	if (fd < 0)
		return RC_TEMP;
	for (; fd_pread_all(fd, b, sizeof(b), off) == RC_OK;
	     off += KEYS_RECORD) {
		struct keys_record r;
		struct seal_aad aad;
		struct str who;

		if (keys_record_get(b, off, &r) != RC_OK)
			continue;
		if (c->nkeys == room) {
			room = MAX(64, room * 2);
			c->keys = xrealloc(c->keys, room * sizeof(*c->keys));
		}
		who = str_cat(
		    &c->scratch, str_n(c->sconf.store, STORE_ID), r.account);
		seal_aad(&aad, SEAL_ACCOUNT_KEY, who, r.id, 0);
		c->keys[c->nkeys].key.id = r.id;
		c->keys[c->nkeys].kind = r.kind;
		if (seal_open(c->m->master, &aad, r.box,
			c->keys[c->nkeys].key.b) == RC_OK)
			c->nkeys++;
		else
			closed++;
		arena_reset(&c->scratch);
	}
	if (closed == 0 || again)
		return RC_OK;
	maint_say(c, MAINT_BAD, "key file",
	    str_fmt(
		&c->a, "%zu keys do not open under this master key", closed));
	return c->nkeys == 0 ? RC_DENY : RC_OK;
}

void
maint_free_keys(struct check *c)
{
	if (c->keys != NULL)
		seal_wipe(c->keys, c->nkeys * sizeof(*c->keys));
	xfree(c->keys);
	xfree(c->owners);
	c->keys = NULL;
	c->owners = NULL;
	c->nkeys = c->nowners = 0;
}

static const struct key *
key_of(const struct check *c, uint32_t id)
{
	for (size_t lo = 0, hi = c->nkeys; lo < hi;) {
		size_t mid = (lo + hi) / 2;

		if (c->keys[mid].key.id == id)
			return &c->keys[mid].key;
		if (c->keys[mid].key.id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* One mailbox while it is looked at. */
struct looking {
	struct check *c;
	uint64_t id;
	struct str account;
	struct ix_mbox m, counted;
	uint32_t last;
	unsigned said;
};

static void
complain(struct looking *l, uint32_t uid, const char *what)
{
	if (l->said++ == SAY_MAX)
		what = "more of this, not listed";
	else if (l->said > SAY_MAX)
		what = NULL;
	l->c->bad = true;
	if (what != NULL)
		maint_say(l->c, MAINT_BAD, "mailbox",
		    str_fmt(&l->c->a, "%llu, UID %u: %s",
			(unsigned long long)l->id, (unsigned)uid, what));
}

static enum rc
read_all(struct check *c, const struct ix_body *b, const struct letter *letter,
    uint64_t *out_n)
{
	struct content_reader *r = NULL;
	char p[4096];
	size_t n = 1;
	enum rc rc = content_open(c->pool, c->files, &b->body, letter->key, &r);

	for (*out_n = 0; rc == RC_OK && n > 0; *out_n += n)
		rc = content_read(r, *out_n, p, sizeof(p), &n);
	content_close(&r);
	return rc;
}

/*
 * The store may be at work: what is not where our view of the index has it was
 * moved by a compaction, or is gone.
 */
static enum rc
read_moved(struct check *c, const struct store_row *row,
    const struct letter *letter, struct ix_body *b, uint64_t *out_n)
{
	enum rc rc = RC_NOENT;

	for (int i = 0; rc == RC_NOENT && i < LOOKS; i++) {
		MDB_txn *now = NULL;
		bool there;

		if (mdb_txn_begin(c->ix.env, NULL, MDB_RDONLY, &now) != 0)
			return RC_TEMP;
		rc = ix_body_get(&c->ix, now, row->body, b);
		there = rc != RC_NOENT;
		if (rc == RC_OK)
			rc = read_all(c, b, letter, out_n);
		mdb_txn_abort(now);
		if (!there) {
			*out_n = b->body.content;
			return RC_OK;
		}
	}
	return rc;
}

/* Read all of a message; what does not open is damage or a lost key. */
static void
open_message(struct looking *l, const struct store_row *row,
    const struct ix_detail *d, const struct ix_body *b)
{
	struct check *c = l->c;
	const struct key *key = key_of(c, d->key);
	struct ix_body at = *b;
	struct letter letter;
	uint64_t n = 0;
	enum rc rc;

	if (key == NULL) {
		complain(l, row->uid, "its key is not there");
		return;
	}
	rc = letter_open(
	    &c->scratch, key->b, l->account, row->body, d->letter, &letter);
	if (rc == RC_OK)
		rc = read_all(c, &at, &letter, &n);
	if (rc == RC_NOENT)
		rc = read_moved(c, row, &letter, &at, &n);
	if (rc != RC_OK || n != b->body.content)
		complain(l, row->uid, "it does not open");
	seal_wipe(&letter, sizeof(letter));
	c->opened++;
}

static enum rc
check_row(void *ctx, const struct store_row *row)
{
	struct looking *l = ctx;
	struct check *c = l->c;
	struct ix_key ref = ix_key_ref(row->body, l->id, row->uid);
	struct ix_detail d;
	struct ix_body b;
	struct str v;

	if (row->uid <= l->last || row->uid >= l->m.uidnext)
		complain(l, row->uid, "UID out of order");
	if (row->modseq > l->m.modseq)
		complain(l, row->uid, "MODSEQ above the mailbox's");
	l->last = row->uid;
	l->counted.messages++;
	l->counted.unseen += !(row->flags & STORE_SEEN);
	l->counted.deleted += (row->flags & STORE_DELETED) != 0;
	l->counted.bytes += row->size;
	if (ix_get(&c->ix, c->t, c->ix.body, ix_key_str(&ref), &v) != RC_OK)
		complain(l, row->uid, "no reference to its body");
	if (ix_detail_get(&c->ix, c->t, l->id, row->uid, &d) != RC_OK)
		complain(l, row->uid, "no detail");
	else if (ix_body_get(&c->ix, c->t, row->body, &b) != RC_OK)
		complain(l, row->uid, "no body");
	else if (row->size != b.body.content + row->prefix_len)
		complain(l, row->uid, "its size is not its parts' sum");
	else if (c->m->deep && c->m->master != NULL)
		open_message(l, row, &d, &b);
	arena_reset(&c->scratch);
	c->messages++;
	return RC_OK;
}

static enum rc
check_mailbox(struct check *c, uint64_t id)
{
	struct looking l = { .c = c, .id = id };
	struct rec_mailbox r;
	enum rc rc = ix_mbox_get(&c->ix, c->t, id, &l.m);

	if (rc == RC_OK)
		rc = ix_account_id(&c->ix, c->t, l.m.account, &l.account);
	if (rc != RC_OK) {
		complain(&l, 0, "it has no account");
		return rc == RC_TEMP ? rc : RC_OK;
	}
	if (ix_name_get(&c->ix, c->t, l.m.account, id, &r) != RC_OK ||
	    !(r.flags & MBOX_EXISTS))
		complain(&l, 0, "it has no name");
	rc = rows_each(&c->ix, c->t, id, 1, UINT32_MAX, check_row, &l);
	if (rc == RC_BAD)
		complain(&l, 0, "a page of rows is damaged");
	if (l.counted.messages != l.m.messages ||
	    l.counted.unseen != l.m.unseen ||
	    l.counted.deleted != l.m.deleted || l.counted.bytes != l.m.bytes)
		complain(&l, 0, "its counts are not those of its messages");
	c->mailboxes++;
	return rc == RC_TEMP ? rc : RC_OK;
}

static enum rc
check_mailboxes(struct check *c)
{
	uint64_t next = 0;

	for (;;) {
		struct ix_key from = ix_key_u64(next);
		AUTO_WALK w = { 0 };
		struct str k, v;
		enum rc rc = ix_walk_begin(
		    &c->ix, c->t, c->ix.mbox, STR(""), ix_key_str(&from), &w);

		if (rc == RC_OK)
			rc = ix_walk_next(&w, &k, &v);
		if (rc != RC_OK)
			return rc == RC_NOENT ? RC_OK : rc;
		next = be_get(k.p, 8) + 1;
		rc = check_mailbox(c, next - 1);
		if (rc != RC_OK)
			return rc;
	}
}

/* A reference whose row or queue entry is not there keeps a body for ever. */
static bool
ref_holds(struct check *c, struct str k)
{
	const unsigned char *body = (const unsigned char *)k.p;
	uint64_t mailbox = be_get(k.p + BODY_ID, 8);
	struct ix_key q = ix_key_body(body);
	struct store_row row;
	struct str v;

	if (mailbox == 0)
		return ix_get(&c->ix, c->t, c->ix.queue, ix_key_str(&q), &v) ==
		       RC_OK;
	return rows_get(&c->ix, c->t, mailbox,
		   (uint32_t)be_get(k.p + BODY_ID + 8, 4), &row) == RC_OK &&
	       memcmp(row.body, body, BODY_ID) == 0;
}

static enum rc
check_bodies(struct check *c)
{
	AUTO_WALK w = { 0 };
	struct str k, v;
	size_t loose = 0, unheld = 0, refs = 1;
	enum rc rc =
	    ix_walk_begin(&c->ix, c->t, c->ix.body, STR(""), STR(""), &w);

	while (rc == RC_OK && (rc = ix_walk_next(&w, &k, &v)) == RC_OK) {
		if (k.n == BODY_ID) {
			unheld += refs == 0;
			refs = 0;
			c->bodies++;
		} else if (k.n == BODY_ID + 12) {
			refs++;
			loose += !ref_holds(c, k);
		} else {
			loose++;
		}
	}
	unheld += refs == 0;
	if (loose > 0)
		maint_say(c, MAINT_BAD, "bodies",
		    str_fmt(&c->a, "%zu references lead nowhere", loose));
	if (unheld > 0)
		maint_say(c, MAINT_BAD, "bodies",
		    str_fmt(&c->a, "%zu that nobody refers to", unheld));
	return rc == RC_NOENT ? RC_OK : rc;
}

/* As keys_fits says, which needs the master key. */
static bool
key_fits(const struct check *c, uint32_t id, struct str account)
{
	size_t lo = 0;

	for (size_t hi = c->nowners; lo < hi;) {
		size_t mid = (lo + hi) / 2;

		if (c->owners[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->nowners && (c->owners[lo].id != id ||
				      str_eq(c->owners[lo].account, account));
}

static enum rc
check_accounts(struct check *c)
{
	AUTO_WALK w = { 0 };
	struct str id, v;
	size_t keyless = 0;
	enum rc rc =
	    ix_walk_begin(&c->ix, c->t, c->ix.account, STR(""), STR(""), &w);

	while (rc == RC_OK && (rc = ix_walk_next(&w, &id, &v)) == RC_OK) {
		struct ix_account acct;

		rc = ix_account_parse(&c->ix, v, &acct);
		if (rc == RC_OK && !key_fits(c, acct.key, id))
			keyless++;
	}
	if (keyless > 0)
		maint_say(c, MAINT_BAD, "key file",
		    str_fmt(&c->a,
			"it is older than the mail: %zu accounts have no key "
			"in it",
			keyless));
	return rc == RC_NOENT ? RC_OK : rc;
}

enum rc
maint_check_index(struct check *c)
{
	enum rc rc = check_accounts(c);

	if (rc == RC_OK)
		rc = check_mailboxes(c);
	if (rc == RC_OK)
		rc = check_bodies(c);
	if (rc != RC_OK) {
		maint_say(c, MAINT_BAD, "index",
		    STR("cannot be read: gatepost store rebuild"));
		return rc == RC_TEMP ? rc : RC_BAD;
	}
	if (c->messages != c->info.messages || c->bodies != c->info.bodies)
		maint_say(c, MAINT_BAD, "index",
		    STR("its sums are not those of its contents"));
	maint_say(c, MAINT_GOOD, "index",
	    str_fmt(&c->a,
		"%llu mailboxes, %llu messages, %llu bodies, %llu opened",
		(unsigned long long)c->mailboxes,
		(unsigned long long)c->messages, (unsigned long long)c->bodies,
		(unsigned long long)c->opened));
	return RC_OK;
}
