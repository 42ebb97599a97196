/* Accounts and mailboxes. */
#include <string.h>

#include "store/apply.h"
#include "store/rows.h"

enum rc
apply_account(struct apply *ap, const struct rec_account *r)
{
	const struct ix *ix = ap->ix;
	struct ix_account acct = { .number = r->number, .key = r->key };
	struct ix_key k = ix_key_u64(r->number);
	enum rc rc;

	if (r->number < ap->info->next_account)
		return apply_contradiction(ap, "account");
	ap->info->next_account = r->number + 1;
	rc = ix_account_put(ix, ap->txn, r->id, &acct);
	if (rc == RC_OK)
		rc = ix_put(ix, ap->txn, ix->acctno, ix_key_str(&k), r->id);
	return rc;
}

/* The account learns what it has given out, and which one is its INBOX. */
static enum rc
note_in_account(struct apply *ap, const struct rec_mailbox *r)
{
	struct ix_account acct;
	struct str id;
	enum rc rc = ix_account_id(ap->ix, ap->txn, r->account, &id);

	if (rc != RC_OK)
		return rc;
	id = str_dup(ap->a, id);
	rc = ix_account_get(ap->ix, ap->txn, id, &acct);
	if (rc != RC_OK)
		return rc;
	acct.uidvalidity = MAX(acct.uidvalidity, r->uidvalidity);
	if (r->flags & MBOX_INBOX)
		acct.inbox = r->id;
	return ix_account_put(ap->ix, ap->txn, id, &acct);
}

static enum rc
forget_name(struct apply *ap, const struct rec_mailbox *r)
{
	const struct ix *ix = ap->ix;
	struct ix_key k = ix_key_pair(r->account, r->id);
	struct rec_mailbox old;
	struct ix_key tag;
	enum rc rc = ix_name_get(ix, ap->txn, r->account, r->id, &old);

	if (rc != RC_OK)
		return rc == RC_NOENT ? RC_OK : rc;
	tag = ix_key_tag(old.account, old.tag);
	rc = ix_del(ix, ap->txn, ix->byname, ix_key_str(&tag));
	if (rc == RC_OK)
		rc = ix_del(ix, ap->txn, ix->name, ix_key_str(&k));
	return rc;
}

static enum rc
put_name(struct apply *ap, const struct rec_mailbox *r)
{
	const struct ix *ix = ap->ix;
	struct ix_key k = ix_key_pair(r->account, r->id);
	struct ix_key tag = ix_key_tag(r->account, r->tag);
	unsigned char number[8];
	AUTO_BUF b;
	struct enc e = { &b, false };
	enum rc rc;

	buf_init(&b, STORE_NAME_MAX + 256);
	rec_enc_mailbox(&e, r);
	if (e.bad)
		return apply_contradiction(ap, "name");
	le_put(number, r->id, 8);
	rc = ix_put(ix, ap->txn, ix->name, ix_key_str(&k), buf_str(&b));
	if (rc == RC_OK)
		rc = ix_put(ix, ap->txn, ix->byname, ix_key_str(&tag),
		    str_n(number, 8));
	return rc;
}

enum rc
apply_mailbox(struct apply *ap, const struct rec_mailbox *r)
{
	struct ix_mbox m;
	enum rc rc = forget_name(ap, r);

	ap->info->next_mailbox = MAX(ap->info->next_mailbox, r->id + 1);
	apply_touched(ap, r->account, 0, 0);
	if (rc != RC_OK || (r->flags & (MBOX_EXISTS | MBOX_SUBSCRIBED)) == 0)
		return rc;
	rc = put_name(ap, r);
	if (rc != RC_OK || !(r->flags & MBOX_EXISTS))
		return rc;
	rc = ix_mbox_get(ap->ix, ap->txn, r->id, &m);
	if (rc != RC_NOENT)
		return rc; /* it was there: renamed or subscribed */
	m = (struct ix_mbox){ .account = r->account,
		.uidnext = 1,
		.first_recent = 1,
		.modseq = 1 };
	rc = ix_mbox_put(ap->ix, ap->txn, r->id, &m);
	return rc == RC_OK ? note_in_account(ap, r) : rc;
}

struct dropping {
	struct apply *ap;
	uint64_t mailbox;
};

static enum rc
drop_ref(void *ctx, const struct store_row *row)
{
	struct dropping *d = ctx;

	d->ap->info->messages--;
	return apply_unref(d->ap, row->body, d->mailbox, row->uid);
}

enum rc
apply_mailbox_del(struct apply *ap, uint64_t mailbox)
{
	const struct ix *ix = ap->ix;
	struct dropping d = { ap, mailbox };
	struct rec_mailbox r = { .id = mailbox };
	struct ix_key all = ix_key_mbox_all(mailbox);
	struct str k, v;
	struct ix_mbox m;
	enum rc rc = ix_mbox_get(ix, ap->txn, mailbox, &m);

	if (rc != RC_OK)
		return rc;
	/* References are in another tree: rows stay as they are. */
	rc = rows_each(ix, ap->txn, mailbox, 1, UINT32_MAX, drop_ref, &d);
	if (rc == RC_OK) {
		AUTO_WALK w = { 0 };

		rc = ix_walk_begin(ix, ap->txn, ix->mbox, ix_key_str(&all),
		    ix_key_str(&all), &w);
		while (rc == RC_OK && (rc = ix_walk_next(&w, &k, &v)) == RC_OK)
			rc = ix_walk_del(&w);
	}
	if (rc != RC_NOENT)
		return rc;
	r.account = m.account;
	apply_touched(ap, m.account, mailbox, 0);
	return forget_name(ap, &r);
}

enum rc
apply_keyword(struct apply *ap, const struct rec_keyword *r)
{
	struct ix_key k = ix_key_mbox(r->mailbox, IX_KEYWORD, r->bit);

	return ix_put(ap->ix, ap->txn, ap->ix->mbox, ix_key_str(&k), r->name);
}

enum rc
apply_recent(struct apply *ap, const struct rec_recent *r)
{
	struct ix_mbox m;
	enum rc rc = ix_mbox_get(ap->ix, ap->txn, r->mailbox, &m);

	if (rc != RC_OK)
		return rc;
	m.first_recent = MAX(m.first_recent, r->first);
	return ix_mbox_put(ap->ix, ap->txn, r->mailbox, &m);
}

/*
 * UIDs of the time after the backup may be given out again: every mailbox
 * gets a UIDVALIDITY above all that its account has given out.
 */
enum rc
apply_restored(struct apply *ap, const struct rec_restored *r)
{
	const struct ix *ix = ap->ix;
	struct ix_key last = { .n = 0 };
	enum rc rc = RC_OK;

	while (rc == RC_OK) {
		AUTO_WALK w = { 0 };
		AUTO_ARENA a = { 0 };
		struct rec_mailbox m;
		struct ix_account acct;
		struct str k, v, id;
		struct dec d;

		rc = ix_walk_begin(
		    ix, ap->txn, ix->name, STR(""), ix_key_str(&last), &w);
		if (rc == RC_OK)
			rc = ix_walk_next(&w, &k, &v);
		if (rc != RC_OK)
			break;
		last = ix_key_pair(be_get(k.p, 8), be_get(k.p + 8, 8) + 1);
		d = dec_of(str_dup(&a, v));
		rec_dec_mailbox(&d, &m);
		if (d.bad)
			return apply_contradiction(ap, "restored");
		if (!(m.flags & MBOX_EXISTS))
			continue;
		rc = ix_account_id(ix, ap->txn, m.account, &id);
		if (rc != RC_OK)
			break;
		id = str_dup(&a, id);
		rc = ix_account_get(ix, ap->txn, id, &acct);
		if (rc != RC_OK)
			break;
		m.uidvalidity = MAX(r->uidvalidity, acct.uidvalidity + 1);
		rc = put_name(ap, &m);
		if (rc == RC_OK)
			rc = note_in_account(ap, &m);
		apply_touched(ap, m.account, 0, 0);
	}
	return rc == RC_NOENT ? RC_OK : rc;
}
