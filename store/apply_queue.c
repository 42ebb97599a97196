/* The queue: a message with its envelope, and an entry per recipient. */
#include <string.h>

#include "store/apply.h"

enum rc
apply_queue(struct apply *ap, const struct rec_queue *r)
{
	const struct ix *ix = ap->ix;
	struct ix_key k = ix_key_body(r->body), ref = ix_key_ref(r->body, 0, 0);
	unsigned char *p;
	enum rc rc = ix_room(
	    ix, ap->txn, ix->queue, ix_key_str(&k), 12 + r->letter.n, &p);

	if (rc != RC_OK)
		return rc;
	le_put(p, (uint64_t)r->received_at, 8);
	le_put(p + 8, r->key, 4);
	memcpy(p + 12, r->letter.p, r->letter.n);
	return ix_put(ix, ap->txn, ix->body, ix_key_str(&ref), STR(""));
}

enum rc
apply_entry(struct apply *ap, const struct rec_entry *r)
{
	const struct ix *ix = ap->ix;
	struct ix_key k = ix_key_entry(r->body, r->id);
	struct str old;
	unsigned char *p;
	enum rc rc = ix_get(ix, ap->txn, ix->queue, ix_key_str(&k), &old);

	if (rc == RC_NOENT)
		ap->info->queued++;
	else if (rc != RC_OK)
		return rc;
	ap->info->next_entry = MAX(ap->info->next_entry, r->id + 1);
	rc = ix_room(ix, ap->txn, ix->queue, ix_key_str(&k), 4 + r->box.n, &p);
	if (rc != RC_OK)
		return rc;
	le_put(p, r->key, 4);
	memcpy(p + 4, r->box.p, r->box.n);
	return RC_OK;
}

/* RC_NOENT: the message has no entry left. */
static enum rc
any_entry(struct apply *ap, const unsigned char body[BODY_ID])
{
	struct ix_key k = ix_key_body(body);
	AUTO_WALK w = { 0 };
	struct str key, value;
	enum rc rc = ix_walk_begin(
	    ap->ix, ap->txn, ap->ix->queue, ix_key_str(&k), ix_key_str(&k), &w);

	if (rc == RC_OK)
		rc = ix_walk_next(&w, &key, &value); /* the envelope */
	if (rc == RC_OK)
		rc = ix_walk_next(&w, &key, &value);
	return rc;
}

enum rc
apply_entry_del(struct apply *ap, const struct rec_entry *r)
{
	const struct ix *ix = ap->ix;
	struct ix_key k = ix_key_entry(r->body, r->id);
	struct str old;
	enum rc rc = ix_get(ix, ap->txn, ix->queue, ix_key_str(&k), &old);

	if (rc != RC_OK)
		return rc;
	ap->info->queued--;
	rc = ix_del(ix, ap->txn, ix->queue, ix_key_str(&k));
	if (rc == RC_OK)
		rc = any_entry(ap, r->body);
	if (rc != RC_NOENT)
		return rc;
	k = ix_key_body(r->body);
	rc = ix_del(ix, ap->txn, ix->queue, ix_key_str(&k));
	return rc == RC_OK ? apply_unref(ap, r->body, 0, 0) : rc;
}
