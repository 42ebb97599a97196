/*
 * Values of the index as structures.  One that does not have its shape is
 * damage (RC_BAD): the index is built anew from the log.
 */
#include <string.h>

#include "store/ix.h"

#define INFO    144u
#define ACCOUNT 24u
#define MBOX    44u

static enum rc
malformed(const struct ix *ix, const char *what)
{
	log_error(&ix->log, "index.damaged", KVC("what", what));
	return RC_BAD;
}

enum rc
ix_info_get(const struct ix *ix, MDB_txn *t, struct ix_info *out)
{
	struct str v;
	struct dec d;
	enum rc rc = ix_get(ix, t, ix->info, STR("state"), &v);

	if (rc != RC_OK)
		return rc;
	d = dec_of(v);
	*out = (struct ix_info){ .format = (uint32_t)dec_u(&d, 4) };
	if (!d.bad && out->format > IX_FORMAT)
		return RC_DENY;
	dec_copy(&d, out->store, STORE_ID);
	out->applied.pos = dec_u(&d, 8);
	out->applied.seq = dec_u(&d, 8);
	out->applied.chain = dec_u(&d, 8);
	out->applied.last = dec_u(&d, 8);
	out->next_account = dec_u(&d, 8);
	out->next_mailbox = dec_u(&d, 8);
	out->next_entry = dec_u(&d, 8);
	out->next_segment = (uint32_t)dec_u(&d, 4);
	out->messages = dec_u(&d, 8);
	out->bodies = dec_u(&d, 8);
	out->queued = dec_u(&d, 8);
	out->oldest_op = dec_u(&d, 8);
	out->next_op = dec_u(&d, 8);
	return d.bad ? malformed(ix, "info") : RC_OK;
}

enum rc
ix_info_put(const struct ix *ix, MDB_txn *t, const struct ix_info *in)
{
	AUTO_BUF b;
	struct enc e = { &b, false };

	buf_init(&b, INFO);
	enc_u(&e, in->format, 4);
	enc_bytes(&e, in->store, STORE_ID);
	enc_u(&e, in->applied.pos, 8);
	enc_u(&e, in->applied.seq, 8);
	enc_u(&e, in->applied.chain, 8);
	enc_u(&e, in->applied.last, 8);
	enc_u(&e, in->next_account, 8);
	enc_u(&e, in->next_mailbox, 8);
	enc_u(&e, in->next_entry, 8);
	enc_u(&e, in->next_segment, 4);
	enc_u(&e, in->messages, 8);
	enc_u(&e, in->bodies, 8);
	enc_u(&e, in->queued, 8);
	enc_u(&e, in->oldest_op, 8);
	enc_u(&e, in->next_op, 8);
	assert(!e.bad);
	return ix_put(ix, t, ix->info, STR("state"), buf_str(&b));
}

enum rc
ix_account_parse(const struct ix *ix, struct str value, struct ix_account *out)
{
	struct dec d = dec_of(value);

	out->number = dec_u(&d, 8);
	out->key = (uint32_t)dec_u(&d, 4);
	out->uidvalidity = (uint32_t)dec_u(&d, 4);
	out->inbox = dec_u(&d, 8);
	return d.bad ? malformed(ix, "account") : RC_OK;
}

enum rc
ix_account_get(
    const struct ix *ix, MDB_txn *t, struct str id, struct ix_account *out)
{
	struct str v;
	enum rc rc;

	if (id.n == 0 || id.n > ACCOUNT_ID_MAX)
		return RC_NOENT;
	rc = ix_get(ix, t, ix->account, id, &v);
	return rc == RC_OK ? ix_account_parse(ix, v, out) : rc;
}

enum rc
ix_account_put(
    const struct ix *ix, MDB_txn *t, struct str id, const struct ix_account *in)
{
	unsigned char *p;
	enum rc rc = ix_room(ix, t, ix->account, id, ACCOUNT, &p);

	if (rc != RC_OK)
		return rc;
	le_put(p, in->number, 8);
	le_put(p + 8, in->key, 4);
	le_put(p + 12, in->uidvalidity, 4);
	le_put(p + 16, in->inbox, 8);
	return RC_OK;
}

enum rc
ix_account_id(const struct ix *ix, MDB_txn *t, uint64_t number, struct str *out)
{
	struct ix_key k = ix_key_u64(number);

	return ix_get(ix, t, ix->acctno, ix_key_str(&k), out);
}

enum rc
ix_mbox_get(
    const struct ix *ix, MDB_txn *t, uint64_t mailbox, struct ix_mbox *out)
{
	struct ix_key k = ix_key_mbox(mailbox, IX_STATE, 0);
	struct str v;
	struct dec d;
	enum rc rc = ix_get(ix, t, ix->mbox, ix_key_str(&k), &v);

	if (rc != RC_OK)
		return rc;
	d = dec_of(v);
	out->account = dec_u(&d, 8);
	out->uidnext = (uint32_t)dec_u(&d, 4);
	out->first_recent = (uint32_t)dec_u(&d, 4);
	out->modseq = dec_u(&d, 8);
	out->messages = (uint32_t)dec_u(&d, 4);
	out->unseen = (uint32_t)dec_u(&d, 4);
	out->deleted = (uint32_t)dec_u(&d, 4);
	out->bytes = dec_u(&d, 8);
	return d.bad ? malformed(ix, "mailbox") : RC_OK;
}

enum rc
ix_mbox_put(
    const struct ix *ix, MDB_txn *t, uint64_t mailbox, const struct ix_mbox *in)
{
	struct ix_key k = ix_key_mbox(mailbox, IX_STATE, 0);
	unsigned char *p;
	enum rc rc = ix_room(ix, t, ix->mbox, ix_key_str(&k), MBOX, &p);

	if (rc != RC_OK)
		return rc;
	le_put(p, in->account, 8);
	le_put(p + 8, in->uidnext, 4);
	le_put(p + 12, in->first_recent, 4);
	le_put(p + 16, in->modseq, 8);
	le_put(p + 24, in->messages, 4);
	le_put(p + 28, in->unseen, 4);
	le_put(p + 32, in->deleted, 4);
	le_put(p + 36, in->bytes, 8);
	return RC_OK;
}

enum rc
ix_name_get(const struct ix *ix, MDB_txn *t, uint64_t account, uint64_t mailbox,
    struct rec_mailbox *out)
{
	struct ix_key k = ix_key_pair(account, mailbox);
	struct str v;
	struct dec d;
	enum rc rc = ix_get(ix, t, ix->name, ix_key_str(&k), &v);

	if (rc != RC_OK)
		return rc;
	d = dec_of(v);
	rec_dec_mailbox(&d, out);
	return d.bad ? malformed(ix, "name") : RC_OK;
}

enum rc
ix_byname(const struct ix *ix, MDB_txn *t, uint64_t account,
    const unsigned char tag[16], uint64_t *out)
{
	struct ix_key k = ix_key_tag(account, tag);
	struct str v;
	enum rc rc = ix_get(ix, t, ix->byname, ix_key_str(&k), &v);

	if (rc != RC_OK)
		return rc;
	if (v.n != 8)
		return malformed(ix, "byname");
	*out = le_get(v.p, 8);
	return RC_OK;
}

enum rc
ix_body_get(const struct ix *ix, MDB_txn *t, const unsigned char id[BODY_ID],
    struct ix_body *out)
{
	struct ix_key k = ix_key_body(id);
	struct rec_body *b = &out->body;
	struct str v;
	struct dec d;
	enum rc rc = ix_get(ix, t, ix->body, ix_key_str(&k), &v);

	if (rc != RC_OK)
		return rc;
	d = dec_of(v);
	*out = (struct ix_body){ 0 };
	memcpy(b->id, id, BODY_ID);
	b->content = dec_u(&d, 8);
	b->edits = (uint32_t)dec_u(&d, 4);
	b->meta_version = (uint32_t)dec_u(&d, 4);
	out->meta_pos = dec_u(&d, 8);
	out->meta_len = (uint32_t)dec_u(&d, 4);
	b->nparts = (uint32_t)dec_u(&d, 4);
	b->parts = dec_bytes(&d, d.n);
	if (d.bad || b->parts.n != (size_t)b->nparts * 12)
		return malformed(ix, "body");
	return RC_OK;
}

enum rc
ix_detail_get(const struct ix *ix, MDB_txn *t, uint64_t mailbox, uint32_t uid,
    struct ix_detail *out)
{
	struct ix_key k = ix_key_mbox(mailbox, IX_DETAIL, uid);
	struct str v;
	struct dec d;
	enum rc rc = ix_get(ix, t, ix->mbox, ix_key_str(&k), &v);

	if (rc != RC_OK)
		return rc;
	d = dec_of(v);
	out->key = (uint32_t)dec_u(&d, 4);
	dec_copy(&d, out->thread, OBJECT_ID);
	out->letter = dec_str(&d);
	out->meta = dec_bytes(&d, d.n);
	return d.bad ? malformed(ix, "detail") : RC_OK;
}

enum rc
ix_detail_put(const struct ix *ix, MDB_txn *t, uint64_t mailbox, uint32_t uid,
    const struct ix_detail *in)
{
	struct ix_key k = ix_key_mbox(mailbox, IX_DETAIL, uid);
	size_t n = 4 + OBJECT_ID + 4 + in->letter.n + in->meta.n;
	unsigned char *p;
	enum rc rc = ix_room(ix, t, ix->mbox, ix_key_str(&k), n, &p);

	if (rc != RC_OK)
		return rc;
	le_put(p, in->key, 4);
	memcpy(p + 4, in->thread, OBJECT_ID);
	le_put(p + 20, in->letter.n, 4);
	memcpy(p + 24, in->letter.p, in->letter.n);
	if (in->meta.n > 0)
		memcpy(p + 24 + in->letter.n, in->meta.p, in->meta.n);
	return RC_OK;
}
