/*
 * Keywords are numbered per mailbox; their names say something about people
 * and are sealed, so looking one up opens the mailbox's few names.
 */
#include <string.h>

#include "store/local.h"
#include "store/name.h"

#define NAMES_MAX 256u /* in one request */

enum rc
keyword_names(struct arena *a, const struct ix *ix, MDB_txn *t,
    uint64_t mailbox, const unsigned char *key,
    struct str names[STORE_KEYWORDS_MAX])
{
	struct ix_key prefix = ix_key_kind(mailbox, IX_KEYWORD);
	AUTO_WALK w = { 0 };
	struct str k, v;
	enum rc rc;

	for (size_t i = 0; i < STORE_KEYWORDS_MAX; i++)
		names[i] = STR("");
	rc = ix_walk_begin(
	    ix, t, ix->mbox, ix_key_str(&prefix), ix_key_str(&prefix), &w);
	while (rc == RC_OK && (rc = ix_walk_next(&w, &k, &v)) == RC_OK) {
		uint64_t bit = be_get(k.p + 9, 8);
		struct seal_aad aad;

		if (k.n != 17 || bit < 8 || bit > 63)
			return RC_BAD;
		seal_aad(&aad, SEAL_KEYWORD, STR(""), mailbox, bit);
		rc = seal_open_str(a, key, &aad, v, &names[bit - 8]);
	}
	return rc == RC_NOENT ? RC_OK : rc;
}

size_t
plan_keywords_bound(const struct str *names, size_t n)
{
	size_t bound = 0;

	for (size_t i = 0; i < n; i++)
		bound += 32 + SEAL_BOX + names[i].n;
	return bound;
}

static void
look_up(struct plan_keywords *kw, const struct str names[STORE_KEYWORDS_MAX],
    struct str want)
{
	for (size_t i = 0; i < STORE_KEYWORDS_MAX; i++)
		if (names[i].n > 0 && str_ieq(names[i], want)) {
			kw->bits |= UINT64_C(1) << (i + 8);
			return;
		}
	for (size_t i = 0; i < MIN(kw->nmissing, STORE_KEYWORDS_MAX); i++)
		if (str_ieq(kw->missing[i], want))
			return;
	if (kw->nmissing < STORE_KEYWORDS_MAX)
		kw->missing[kw->nmissing] = want;
	kw->nmissing++;
}

enum rc
plan_keywords_find(struct plan *p, uint64_t mailbox, const struct key *key,
    const struct str *names, size_t n, struct plan_keywords *out)
{
	struct str have[STORE_KEYWORDS_MAX];
	size_t room = 0;
	enum rc rc = RC_OK;

	*out = (struct plan_keywords){ 0 };
	if (n == 0)
		return RC_OK;
	if (n > NAMES_MAX)
		return RC_BAD;
	for (size_t i = 0; rc == RC_OK && i < n; i++)
		rc = name_keyword_check(names[i]);
	if (rc == RC_OK)
		rc = keyword_names(
		    p->a, &p->l->ix, p->ap.txn, mailbox, key->b, have);
	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; i < STORE_KEYWORDS_MAX; i++) {
		if (have[i].n > 0)
			out->used |= UINT64_C(1) << (i + 8);
		else
			room++;
	}
	for (size_t i = 0; i < n; i++)
		look_up(out, have, names[i]);
	return out->nmissing <= room ? RC_OK : RC_DENY;
}

enum rc
plan_keywords_make(struct plan *p, uint64_t mailbox, const struct key *key,
    struct plan_keywords *kw)
{
	unsigned bit = 8;

	for (size_t i = 0; i < kw->nmissing; i++) {
		struct rec_keyword r = { .mailbox = mailbox };
		size_t at = p->enc.b->n;
		struct seal_aad aad;
		AUTO_BUF b;

		while (kw->used & UINT64_C(1) << bit)
			bit++;
		assert(bit < 64);
		buf_init(&b, 1024);
		seal_aad(&aad, SEAL_KEYWORD, STR(""), mailbox, bit);
		if (seal_box(key->b, &aad, kw->missing[i], &b) != RC_OK)
			return RC_TEMP;
		r.bit = (uint8_t)bit;
		r.name = buf_str(&b);
		rec_put_keyword(&p->enc, &r);
		if (plan_apply(p, at) != RC_OK)
			return RC_TEMP;
		kw->used |= UINT64_C(1) << bit;
		kw->bits |= UINT64_C(1) << bit;
	}
	kw->nmissing = 0;
	return RC_OK;
}
