/*
 * What is sealed per reader.  A letter is the message key and the recipient's
 * own trace fields under the account's key; it is bound to account and body,
 * so that it stays good when the message is copied to another folder.
 */
#include <string.h>

#include "store/local.h"

enum rc
letter_seal(const struct key *key, struct str account,
    const unsigned char body[BODY_ID], const struct letter *in, struct buf *out)
{
	struct seal_aad aad;
	AUTO_BUF b;
	enum rc rc;

	buf_init(&b, SEAL_KEY + in->prefix.n);
	if (buf_add(&b, str_n(in->key, SEAL_KEY)) != RC_OK ||
	    buf_add(&b, in->prefix) != RC_OK)
		return RC_TEMP;
	seal_aad(
	    &aad, SEAL_LETTER, account, be_get(body, 8), be_get(body + 8, 8));
	rc = seal_box(key->b, &aad, buf_str(&b), out);
	seal_wipe(b.p, b.n);
	return rc;
}

enum rc
letter_open(struct arena *a, const unsigned char *key, struct str account,
    const unsigned char body[BODY_ID], struct str box, struct letter *out)
{
	struct seal_aad aad;
	AUTO_BUF b;

	if (box.n < SEAL_BOX + SEAL_KEY)
		return RC_TEMP;
	buf_init(&b, box.n);
	if (buf_reserve(&b, box.n - SEAL_BOX) != RC_OK)
		return RC_TEMP;
	seal_aad(
	    &aad, SEAL_LETTER, account, be_get(body, 8), be_get(body + 8, 8));
	if (seal_open(key, &aad, box, b.p) != RC_OK)
		return RC_TEMP;
	memcpy(out->key, b.p, SEAL_KEY);
	seal_wipe(b.p, SEAL_KEY);
	out->prefix =
	    str_dup(a, str_n(b.p + SEAL_KEY, box.n - SEAL_BOX - SEAL_KEY));
	return RC_OK;
}

enum rc
envelope_seal(const struct key *key, const unsigned char body[BODY_ID],
    const struct envelope *in, struct buf *out)
{
	struct seal_aad aad;
	AUTO_BUF b;
	struct enc e = { &b, false };
	enum rc rc;

	buf_init(&b, SEAL_KEY + 8 + in->from.n + in->submitter.n);
	enc_bytes(&e, in->key, SEAL_KEY);
	enc_str(&e, in->from);
	enc_str(&e, in->submitter);
	if (e.bad)
		return RC_TEMP;
	seal_aad(&aad, SEAL_QUEUE, str_n(body, BODY_ID), 0, 0);
	rc = seal_box(key->b, &aad, buf_str(&b), out);
	seal_wipe(b.p, b.n);
	return rc;
}

enum rc
envelope_open(struct arena *a, const struct key *key,
    const unsigned char body[BODY_ID], struct str box, struct envelope *out)
{
	struct seal_aad aad;
	AUTO_BUF b;
	struct dec d;

	if (box.n < SEAL_BOX + SEAL_KEY)
		return RC_TEMP;
	buf_init(&b, box.n);
	if (buf_reserve(&b, box.n - SEAL_BOX) != RC_OK)
		return RC_TEMP;
	seal_aad(&aad, SEAL_QUEUE, str_n(body, BODY_ID), 0, 0);
	if (seal_open(key->b, &aad, box, b.p) != RC_OK)
		return RC_TEMP;
	d = dec_of(str_n(b.p, box.n - SEAL_BOX));
	dec_copy(&d, out->key, SEAL_KEY);
	out->from = str_dup(a, dec_str(&d));
	out->submitter = str_dup(a, dec_str(&d));
	seal_wipe(b.p, SEAL_KEY);
	return d.bad ? RC_TEMP : RC_OK;
}

enum rc
queued_seal(const struct key *key, const unsigned char body[BODY_ID],
    const struct store_queued *in, struct buf *out)
{
	struct seal_aad aad;
	AUTO_BUF b;
	struct enc e = { &b, false };

	buf_init(&b, 4u << 20);
	enc_str(&e, in->rcpt);
	enc_str(&e, in->dir_id);
	enc_u(&e, in->kind, 4);
	enc_u(&e, in->state, 4);
	enc_u(&e, in->attempts, 4);
	enc_u(&e, (uint64_t)in->next_at, 8);
	enc_u(&e, (uint64_t)in->expires_at, 8);
	enc_str(&e, in->reason);
	enc_str(&e, in->prefix);
	enc_str(&e, in->data);
	if (e.bad)
		return RC_BAD;
	seal_aad(&aad, SEAL_ENTRY, str_n(body, BODY_ID), in->id, 0);
	return seal_box(key->b, &aad, buf_str(&b), out);
}

enum rc
queued_open(struct arena *a, const struct key *key,
    const unsigned char body[BODY_ID], uint64_t id, struct str box,
    struct store_queued *out)
{
	struct seal_aad aad;
	struct str plain;
	struct dec d;

	seal_aad(&aad, SEAL_ENTRY, str_n(body, BODY_ID), id, 0);
	if (seal_open_str(a, key->b, &aad, box, &plain) != RC_OK)
		return RC_TEMP;
	d = dec_of(plain);
	out->id = id;
	out->rcpt = dec_str(&d);
	out->dir_id = dec_str(&d);
	out->kind = (uint32_t)dec_u(&d, 4);
	out->state = (uint32_t)dec_u(&d, 4);
	out->attempts = (uint32_t)dec_u(&d, 4);
	out->next_at = (int64_t)dec_u(&d, 8);
	out->expires_at = (int64_t)dec_u(&d, 8);
	out->reason = dec_str(&d);
	out->prefix = dec_str(&d);
	out->data = dec_str(&d);
	return d.bad ? RC_TEMP : RC_OK;
}

enum rc
queued_read(struct arena *a, struct keys *keys,
    const unsigned char body[BODY_ID], uint64_t id, struct str value,
    struct store_queued *out)
{
	struct key key;
	enum rc rc;

	if (value.n < 4 ||
	    keys_by_id(keys, (uint32_t)le_get(value.p, 4), &key) != RC_OK)
		return RC_TEMP;
	rc = queued_open(a, &key, body, id, str_from(value, 4), out);
	seal_wipe(&key, sizeof(key));
	return rc;
}

enum rc
mailbox_name_open(struct arena *a, const unsigned char *key,
    const struct rec_mailbox *r, struct str *out)
{
	struct seal_aad aad;

	seal_aad(&aad, SEAL_NAME, STR(""), r->account, r->id);
	return seal_open_str(a, key, &aad, r->name, out);
}
