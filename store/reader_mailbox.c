/* Mailboxes and rows, copied out of the index. */
#include <string.h>

#include "store/local.h"
#include "store/name.h"
#include "store/reader_impl.h"
#include "store/rows.h"

static enum rc
fill(struct store_view *v, struct arena *a, const unsigned char *key,
    const struct rec_mailbox *r, struct store_mailbox *out)
{
	struct ix_mbox m;
	enum rc rc;

	*out = (struct store_mailbox){ .id = r->id,
		.subscribed = (r->flags & MBOX_SUBSCRIBED) != 0,
		.exists = (r->flags & MBOX_EXISTS) != 0,
		.uidvalidity = r->uidvalidity,
		.special_use = r->special < NAME_SPECIALS
				   ? name_folders[r->special].special_use
				   : STR("") };
	for (size_t i = 0; i < STORE_KEYWORDS_MAX; i++)
		out->keywords[i] = STR("");
	rc = mailbox_name_open(a, key, r, &out->name);
	if (rc != RC_OK)
		return rc;
	out->object_id = str_hex(a, str_n(r->object, OBJECT_ID));
	if (!out->exists)
		return RC_OK;
	rc = ix_mbox_get(&v->x->ix, v->t, r->id, &m);
	if (rc != RC_OK)
		return RC_TEMP;
	out->uidnext = m.uidnext;
	out->highest_modseq = m.modseq;
	out->messages = m.messages;
	out->unseen = m.unseen;
	out->deleted = m.deleted;
	out->bytes = m.bytes;
	return keyword_names(a, &v->x->ix, v->t, r->id, key, out->keywords);
}

enum rc
store_mailboxes(struct store_view *v, struct arena *a, struct str account,
    const unsigned char *key, struct store_mailbox **out, size_t *out_n)
{
	struct ix_account acct;
	struct ix_key prefix;
	AUTO_WALK w = { 0 };
	struct str k, val;
	size_t n = 0, room = 0;
	struct store_mailbox *list = NULL;
	enum rc rc = ix_account_get(&v->x->ix, v->t, account, &acct);

	if (rc != RC_OK)
		return reader_rc(rc);
	if (key == NULL)
		return RC_DENY;
	prefix = ix_key_u64(acct.number);
	rc = ix_walk_begin(&v->x->ix, v->t, v->x->ix.name, ix_key_str(&prefix),
	    ix_key_str(&prefix), &w);
	while (rc == RC_OK && (rc = ix_walk_next(&w, &k, &val)) == RC_OK) {
		struct dec d = dec_of(val);
		struct rec_mailbox r;

		rec_dec_mailbox(&d, &r);
		if (d.bad)
			return RC_TEMP;
		if (n == room) {
			size_t now = MAX(8, room * 2);
			struct store_mailbox *more =
			    arena_calloc(a, now, sizeof(*more));

			if (n > 0)
				memcpy(more, list, n * sizeof(*more));
			list = more;
			room = now;
		}
		rc = fill(v, a, key, &r, &list[n++]);
	}
	if (rc != RC_NOENT)
		return reader_rc(rc);
	*out = list;
	*out_n = n;
	return RC_OK;
}

enum rc
store_mailbox_get(struct store_view *v, struct arena *a, struct str account,
    const unsigned char *key, uint64_t mailbox, struct store_mailbox *out)
{
	struct ix_account acct;
	struct rec_mailbox r;
	enum rc rc = ix_account_get(&v->x->ix, v->t, account, &acct);

	if (rc == RC_OK)
		rc = ix_name_get(&v->x->ix, v->t, acct.number, mailbox, &r);
	if (rc == RC_OK && key == NULL)
		rc = RC_DENY;
	if (rc == RC_OK)
		rc = fill(v, a, key, &r, out);
	return reader_rc(rc);
}

enum rc
store_mailbox_find(struct store_view *v, struct arena *a, struct str account,
    const unsigned char *key, struct str name, struct store_mailbox *out)
{
	struct ix_account acct;
	struct rec_mailbox r;
	unsigned char tag[16];
	struct str normal;
	uint64_t id;
	enum rc rc;

	if (key == NULL)
		return RC_DENY;
	if (name_normal(a, name, &normal) != RC_OK)
		return RC_NOENT;
	rc = ix_account_get(&v->x->ix, v->t, account, &acct);
	if (rc == RC_OK)
		rc = seal_tag(key, normal, tag);
	if (rc == RC_OK)
		rc = ix_byname(&v->x->ix, v->t, acct.number, tag, &id);
	if (rc == RC_OK)
		rc = ix_name_get(&v->x->ix, v->t, acct.number, id, &r);
	if (rc == RC_OK)
		rc = fill(v, a, key, &r, out);
	return reader_rc(rc);
}

struct taking {
	struct store_row *rows;
	size_t n, max;
	uint64_t since;
};

static enum rc
take_row(void *ctx, const struct store_row *row)
{
	struct taking *t = ctx;

	if (row->modseq <= t->since)
		return RC_OK;
	if (t->n == t->max)
		return RC_NOENT;
	t->rows[t->n++] = *row;
	return RC_OK;
}

enum rc
store_rows_since(struct store_view *v, uint64_t mailbox, uint64_t since,
    uint32_t lo, uint32_t hi, struct store_row *rows, size_t max, size_t *out_n)
{
	struct taking t = { .rows = rows, .max = max, .since = since };
	enum rc rc = rows_each(&v->x->ix, v->t, mailbox, lo, hi, take_row, &t);

	*out_n = t.n;
	return reader_rc(rc == RC_NOENT ? RC_OK : rc);
}

enum rc
store_rows(struct store_view *v, uint64_t mailbox, uint32_t lo, uint32_t hi,
    struct store_row *rows, size_t max, size_t *out_n)
{
	return store_rows_since(v, mailbox, 0, lo, hi, rows, max, out_n);
}

enum rc
store_expunged(struct store_view *v, struct arena *a, uint64_t mailbox,
    uint64_t since, struct uid_set *out)
{
	struct ix_key prefix = ix_key_kind(mailbox, IX_EXPUNGED);
	struct ix_key from = ix_key_mbox(
	    mailbox, IX_EXPUNGED, since < UINT64_MAX ? since + 1 : since);
	AUTO_WALK w = { 0 };
	struct str k, val;
	size_t room = 0;
	enum rc rc = ix_walk_begin(&v->x->ix, v->t, v->x->ix.mbox,
	    ix_key_str(&prefix), ix_key_str(&from), &w);

	*out = (struct uid_set){ 0 };
	while (rc == RC_OK && (rc = ix_walk_next(&w, &k, &val)) == RC_OK) {
		size_t n = val.n / 8;

		if (out->n + n > room) {
			size_t now = MAX(64, (out->n + n) * 2);
			struct uid_range *more =
			    arena_calloc(a, now, sizeof(*more));

			if (out->n > 0)
				memcpy(more, out->v, out->n * sizeof(*more));
			out->v = more;
			room = now;
		}
		for (size_t i = 0; i < n; i++) {
			out->v[out->n].lo = (uint32_t)le_get(val.p + i * 8, 4);
			out->v[out->n++].hi =
			    (uint32_t)le_get(val.p + i * 8 + 4, 4);
		}
	}
	/* The histories of several expunges: one ascending set. */
	if (rc == RC_NOENT)
		rc =
		    uid_set_normal(a, &(struct uid_set){ out->v, out->n }, out);
	return reader_rc(rc);
}
