/* What the engine answers without changing anything; any thread. */
#include <string.h>

#include "store/local.h"

#define LIST_BYTES (4u << 20) /* so that an answer fits into a frame */

static enum rc
read_begin(struct local *l, MDB_txn **t)
{
	return ix_rc(&l->ix, mdb_txn_begin(l->ix.env, NULL, MDB_RDONLY, t),
		   "begin") == RC_OK
		   ? RC_OK
		   : RC_TEMP;
}

enum rc
local_attach(struct engine *e, struct str account, unsigned char key[SEAL_KEY])
{
	struct local *l = (struct local *)e;
	struct ix_account acct;
	struct key k;
	MDB_txn *t;
	enum rc rc = read_begin(l, &t);

	if (rc != RC_OK)
		return rc;
	rc = ix_account_get(&l->ix, t, account, &acct);
	mdb_txn_abort(t);
	if (rc == RC_OK && keys_by_id(l->keys, acct.key, &k) != RC_OK)
		rc = RC_TEMP;
	if (rc == RC_OK)
		memcpy(key, k.b, SEAL_KEY);
	seal_wipe(&k, sizeof(k));
	return rc;
}

void
local_queue_key(struct engine *e, unsigned char key[SEAL_KEY])
{
	struct local *l = (struct local *)e;
	struct key k;

	keys_queue(l->keys, &k);
	memcpy(key, k.b, SEAL_KEY);
	seal_wipe(&k, sizeof(k));
}

/*
 * \Recent is handed out from memory and saved with the next commit: to lose
 * it in a crash shows a message as recent once more, which RFC 3501 allows;
 * to sync for it would cost a flush for every SELECT.
 */
enum rc
local_take_recent(struct engine *e, struct str account, uint64_t mailbox,
    bool peek, uint32_t *out_first)
{
	struct local *l = (struct local *)e;
	struct local_recent *r;
	struct ix_account acct;
	struct ix_mbox m;
	MDB_txn *t;
	enum rc rc = read_begin(l, &t);

	if (rc != RC_OK)
		return rc;
	pthread_mutex_lock(&l->recent_lock);
	rc = ix_account_get(&l->ix, t, account, &acct);
	if (rc == RC_OK)
		rc = ix_mbox_get(&l->ix, t, mailbox, &m);
	if (rc == RC_OK && m.account != acct.number)
		rc = RC_NOENT;
	if (rc == RC_OK) {
		HASH_FIND(hh, l->recent, &mailbox, sizeof(mailbox), r);
		*out_first = m.first_recent;
		if (r != NULL)
			*out_first = MAX(*out_first, r->first);
		if (!peek && m.uidnext > *out_first) {
			if (r == NULL) {
				r = xcalloc(1, sizeof(*r));
				r->mailbox = mailbox;
				HASH_ADD(
				    hh, l->recent, mailbox, sizeof(mailbox), r);
			}
			r->first = m.uidnext;
			r->saved = false;
		}
	}
	pthread_mutex_unlock(&l->recent_lock);
	mdb_txn_abort(t);
	return rc == RC_BAD ? RC_TEMP : rc;
}

/* The header edits; looked up again if compaction has just moved them. */
static enum rc
read_edits(struct local *l, struct ix_body *body,
    const unsigned char key[SEAL_KEY], char *p, size_t *got)
{
	struct content_reader *r = NULL;
	struct ix_body now;
	MDB_txn *t = NULL;
	enum rc rc = content_open(l->pool, l->files, &body->body, key, &r);

	if (rc == RC_OK)
		rc = content_read(r, 0, p, body->body.edits, got);
	if (rc == RC_NOENT)
		rc = read_begin(l, &t);
	if (t != NULL) {
		rc = ix_body_get(&l->ix, t, body->body.id, &now);
		if (rc == RC_OK)
			rc = content_moved(r, &now.body);
		if (rc == RC_OK)
			rc = content_read(r, 0, p, body->body.edits, got);
		mdb_txn_abort(t);
	}
	content_close(&r);
	return rc == RC_OK ? rc : RC_TEMP;
}

static enum rc
read_envelope(struct local *l, MDB_txn *t, struct arena *a,
    const unsigned char id[BODY_ID], struct str v, struct store_queue_item *out)
{
	struct envelope env;
	struct ix_body body;
	struct key key;
	size_t got = 0;
	char *p;
	enum rc rc = ix_body_get(&l->ix, t, id, &body);

	if (rc != RC_OK || v.n < 12)
		return RC_TEMP;
	rc = keys_by_id(l->keys, (uint32_t)le_get(v.p + 8, 4), &key);
	if (rc == RC_OK)
		rc = envelope_open(a, &key, id, str_from(v, 12), &env);
	if (rc != RC_OK)
		return RC_TEMP;
	*out = (struct store_queue_item){ .message_id =
					      str_hex(a, str_n(id, BODY_ID)),
		.from = env.from,
		.submitter = env.submitter,
		.received_at = (int64_t)le_get(v.p, 8),
		.size = body.body.content - body.body.edits };
	p = arena_alloc(a, MAX(body.body.edits, 1));
	if (body.body.edits > 0)
		rc = read_edits(l, &body, env.key, p, &got);
	seal_wipe(env.key, SEAL_KEY);
	out->edits = str_n(p, got);
	return rc == RC_OK && got == body.body.edits ? RC_OK : RC_TEMP;
}

static enum rc
read_entry(struct local *l, struct arena *a, const unsigned char id[BODY_ID],
    uint64_t number, struct str v, struct store_queue_item *item, size_t *room)
{
	if (item->nentries == *room) {
		size_t now = MAX(4, *room * 2);
		struct store_queued *n = arena_calloc(a, now, sizeof(*n));

		if (item->nentries > 0)
			memcpy(n, item->entries, item->nentries * sizeof(*n));
		item->entries = n;
		*room = now;
	}
	return queued_read(
	    a, l->keys, id, number, v, &item->entries[item->nentries++]);
}

struct listing {
	struct local *l;
	MDB_txn *t;
	struct arena *a;
	struct store_queue_item *items;
	size_t n, max, bytes, room;
};

/* One key of the queue; RC_NOENT: enough. */
static enum rc
list_one(struct listing *s, struct str k, struct str v)
{
	const unsigned char *id = (const unsigned char *)k.p;
	enum rc rc;

	if (k.n == BODY_ID) {
		if (s->n == s->max || s->bytes > LIST_BYTES)
			return RC_NOENT;
		rc = read_envelope(s->l, s->t, s->a, id, v, &s->items[s->n]);
		s->bytes += v.n + s->items[s->n].edits.n + 256;
		s->n++;
		s->room = 0;
		return rc;
	}
	if (k.n != BODY_ID + 8 || s->n == 0)
		return RC_TEMP;
	s->bytes += v.n + 256;
	return read_entry(s->l, s->a, id, be_get(k.p + BODY_ID, 8), v,
	    &s->items[s->n - 1], &s->room);
}

static enum rc
list(struct listing *s, struct str prefix, struct str from)
{
	AUTO_WALK w = { 0 };
	struct str k, v;
	enum rc rc =
	    ix_walk_begin(&s->l->ix, s->t, s->l->ix.queue, prefix, from, &w);

	while (rc == RC_OK && (rc = ix_walk_next(&w, &k, &v)) == RC_OK) {
		enum rc rc1 = list_one(s, k, v);

		if (rc1 != RC_OK)
			return rc1 == RC_NOENT ? RC_OK : RC_TEMP;
	}
	return rc == RC_NOENT ? RC_OK : rc;
}

enum rc
local_queue_list(struct engine *e, struct arena *a, struct str after,
    size_t max, struct store_queue_item **out, size_t *out_n)
{
	struct local *l = (struct local *)e;
	struct listing s = { .l = l, .a = a, .max = MIN(max, 1000) };
	/* Behind every entry of `after`. */
	struct str from =
	    after.n == BODY_ID
		? str_cat(a, after, STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
		: STR("");
	enum rc rc;

	if (after.n != 0 && after.n != BODY_ID)
		return RC_BAD;
	rc = read_begin(l, &s.t);
	if (rc != RC_OK)
		return rc;
	s.items = arena_calloc(a, MAX(s.max, 1), sizeof(*s.items));
	rc = list(&s, STR(""), from);
	mdb_txn_abort(s.t);
	*out = s.items;
	*out_n = s.n;
	return rc;
}

enum rc
local_queue_get(struct engine *e, struct arena *a,
    const unsigned char id[BODY_ID], struct store_queue_item *out)
{
	struct local *l = (struct local *)e;
	struct listing s = { .l = l, .a = a, .items = out, .max = 1 };
	struct ix_key k = ix_key_body(id);
	enum rc rc = read_begin(l, &s.t);

	if (rc != RC_OK)
		return rc;
	rc = list(&s, ix_key_str(&k), ix_key_str(&k));
	mdb_txn_abort(s.t);
	if (rc == RC_OK && s.n == 0)
		rc = RC_NOENT;
	return rc;
}
