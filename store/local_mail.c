/* Planning of what changes messages: flags, copy, move, expunge. */
#include <string.h>

#include "store/local.h"
#include "store/rows.h"

#define SYSTEM_FLAGS                                                           \
	(STORE_SEEN | STORE_ANSWERED | STORE_FLAGGED | STORE_DELETED |         \
	    STORE_DRAFT)
#define UID_LAST (UINT32_MAX - 1)

/* A growing UID set in the plan's arena. */
struct growing {
	struct arena *a;
	struct uid_set s;
	size_t room;
};

static void
grow(struct growing *g, uint32_t uid)
{
	struct uid_range *last = g->s.n > 0 ? &g->s.v[g->s.n - 1] : NULL;

	if (last != NULL && last->hi + 1 == uid) {
		last->hi = uid;
		return;
	}
	if (g->s.v == NULL || g->s.n == g->room) {
		size_t now = MAX(64, g->room * 2);
		struct uid_range *v = arena_calloc(g->a, now, sizeof(*v));

		if (g->s.v != NULL)
			memcpy(v, g->s.v, g->s.n * sizeof(*v));
		g->s.v = v;
		g->room = now;
	}
	g->s.v[g->s.n++] = (struct uid_range){ uid, uid };
}

struct looking {
	const struct store_flags *in;
	uint64_t clear, set;
	bool anyway;   /* a keyword is new: everybody changes */
	uint64_t with; /* only rows with one of these flags; 0: all */
	struct growing hit, modified;
	uint64_t flags; /* of all that were hit */
};

static enum rc
look(void *ctx, const struct store_row *row)
{
	struct looking *l = ctx;

	if (l->with != 0 && !(row->flags & l->with))
		return RC_OK;
	if (l->in != NULL) {
		uint64_t now = (row->flags & ~l->clear) | l->set;

		if (row->modseq > l->in->unchanged_since) {
			grow(&l->modified, row->uid);
			return RC_OK;
		}
		if (now == row->flags && !l->anyway)
			return RC_OK;
	}
	grow(&l->hit, row->uid);
	l->flags |= row->flags;
	return RC_OK;
}

static enum rc
look_at(struct plan *p, uint64_t mailbox, const struct uid_set *uids,
    struct looking *l)
{
	struct uid_set set;
	enum rc rc = uid_set_normal(p->a, uids, &set);

	if (rc != RC_OK)
		return rc;
	l->hit.a = l->modified.a = p->a;
	for (size_t i = 0; rc == RC_OK && i < set.n; i++)
		rc = rows_each(&p->l->ix, p->ap.txn, mailbox, set.v[i].lo,
		    set.v[i].hi, look, l);
	if (rc == RC_OK && l->hit.s.n > REC_RANGES_MAX)
		rc = RC_DENY;
	return rc == RC_BAD ? RC_TEMP : rc;
}

enum rc
plan_rows_all(struct plan *p, uint64_t mailbox, struct uid_set *out)
{
	struct uid_range all = { 1, UINT32_MAX };
	struct looking l = { 0 };
	enum rc rc = look_at(p, mailbox, &(struct uid_set){ &all, 1 }, &l);

	*out = l.hit.s;
	return rc;
}

/*
 * SET clears whatever is not named, so it needs no name for what it clears;
 * REMOVE needs no keyword made.
 */
static void
masks(const struct store_flags *in, const struct plan_keywords *kw,
    struct looking *l)
{
	uint64_t named = (in->flags & SYSTEM_FLAGS) | kw->bits;

	l->set = in->op == STORE_FLAGS_REMOVE ? 0 : named;
	l->clear = in->op == STORE_FLAGS_SET      ? UINT64_MAX
		   : in->op == STORE_FLAGS_REMOVE ? named
						  : 0;
	l->anyway = kw->nmissing > 0;
}

int
plan_flags(struct plan *p)
{
	const struct store_flags *in = &p->in->flags;
	struct looking l = { .in = in };
	struct plan_account pa;
	struct plan_keywords kw;
	struct rec_flags r = { .mailbox = in->mailbox };
	struct ix_mbox m;
	size_t at;
	enum rc rc = plan_own_mailbox(p, in->mailbox, &pa, &m);
	int e;

	if (rc != RC_OK)
		return rc;
	rc = plan_keywords_find(
	    p, in->mailbox, &pa.key, in->keywords, in->nkeywords, &kw);
	if (in->op == STORE_FLAGS_REMOVE && (rc == RC_OK || rc == RC_DENY)) {
		kw.nmissing = 0;
		rc = RC_OK;
	}
	if (rc != RC_OK)
		return rc;
	masks(in, &kw, &l);
	rc = look_at(p, in->mailbox, &in->uids, &l);
	if (rc != RC_OK)
		return rc;
	p->in->out.modified = l.modified.s;
	p->in->out.modseq = 0;
	if (l.hit.s.n == 0)
		return RC_OK;
	e = plan_begin(p, 64 + l.hit.s.n * 8 +
			      plan_keywords_bound(in->keywords, in->nkeywords));
	if (e != 0)
		return e;
	rc = plan_keywords_make(p, in->mailbox, &pa.key, &kw);
	if (rc != RC_OK)
		return rc;
	masks(in, &kw, &l);
	r.clear = l.clear;
	r.set = l.set;
	r.uids = l.hit.s;
	r.modseq = p->in->out.modseq = m.modseq + 1;
	at = p->enc.b->n;
	rec_put_flags(&p->enc, &r);
	return plan_apply(p, at);
}

int
plan_expunge(struct plan *p)
{
	struct looking l = { .with = STORE_DELETED };
	struct rec_expunge r = { .mailbox = p->in->mailbox };
	struct plan_account pa;
	struct ix_mbox m;
	size_t at;
	enum rc rc = plan_own_mailbox(p, p->in->mailbox, &pa, &m);
	int e;

	if (rc == RC_OK)
		rc = look_at(p, r.mailbox, &p->in->expunge, &l);
	if (rc != RC_OK)
		return rc;
	p->in->out.modseq = 0;
	if (l.hit.s.n == 0)
		return RC_OK;
	e = plan_begin(p, 64 + l.hit.s.n * 8);
	if (e != 0)
		return e;
	r.uids = l.hit.s;
	r.modseq = p->in->out.modseq = m.modseq + 1;
	at = p->enc.b->n;
	rec_put_expunge(&p->enc, &r);
	return plan_apply(p, at);
}

/*
 * Keywords travel by name.  What does not fit into the target any more stays
 * behind: a copy must not fail for a label.
 */
static enum rc
map_keywords(struct plan *p, const struct key *key, uint64_t flags,
    struct rec_copy *r, unsigned char bits[2 * STORE_KEYWORDS_MAX])
{
	struct str from[STORE_KEYWORDS_MAX];
	enum rc rc;

	r->bits = STR("");
	r->nbits = 0;
	if ((flags & ~UINT64_C(0xff)) == 0)
		return RC_OK;
	rc = keyword_names(p->a, &p->l->ix, p->ap.txn, r->from, key->b, from);
	for (size_t i = 0; rc == RC_OK && i < STORE_KEYWORDS_MAX; i++) {
		struct plan_keywords kw;

		if (!(flags & UINT64_C(1) << (i + 8)) || from[i].n == 0)
			continue;
		rc = plan_keywords_find(p, r->to, key, &from[i], 1, &kw);
		if (rc == RC_DENY) {
			rc = RC_OK;
			continue;
		}
		if (rc == RC_OK)
			rc = plan_keywords_make(p, r->to, key, &kw);
		if (rc != RC_OK)
			break;
		bits[2 * r->nbits] = (unsigned char)(i + 8);
		bits[2 * r->nbits + 1] =
		    (unsigned char)__builtin_ctzll(kw.bits);
		r->nbits++;
	}
	r->bits = str_n(bits, (size_t)r->nbits * 2);
	return rc;
}

static enum rc
put_copy(
    struct plan *p, const struct key *key, uint64_t flags, struct rec_copy *r)
{
	unsigned char bits[2 * STORE_KEYWORDS_MAX];
	enum rc rc = map_keywords(p, key, flags, r, bits);
	size_t at = p->enc.b->n;

	if (rc != RC_OK)
		return rc;
	rec_put_copy(&p->enc, r);
	return plan_apply(p, at);
}

static enum rc
put_expunge(struct plan *p, const struct rec_expunge *r)
{
	size_t at = p->enc.b->n;

	rec_put_expunge(&p->enc, r);
	return plan_apply(p, at);
}

enum rc
plan_move_all(struct plan *p, const struct key *key, struct rec_copy *copy,
    const struct rec_expunge *gone)
{
	enum rc rc = put_copy(p, key, UINT64_MAX, copy);

	return rc == RC_OK ? put_expunge(p, gone) : rc;
}

static void
say_copied(struct plan *p, const struct rec_copy *r, uint32_t uidvalidity)
{
	struct store_copied *out = &p->in->out.copied;
	uint64_t n = uid_set_count(&r->uids);

	out->uidvalidity = uidvalidity;
	out->from = r->uids;
	out->to.v = arena_calloc(p->a, 1, sizeof(*out->to.v));
	out->to.v[0] =
	    (struct uid_range){ r->first, (uint32_t)(r->first + n - 1) };
	out->to.n = 1;
	p->in->out.modseq = r->modseq;
}

int
plan_copy(struct plan *p)
{
	bool move = p->in->copy.move;
	struct looking l = { 0 };
	struct rec_copy r = { .from = p->in->mailbox,
		.to = p->in->copy.to,
		.save_date = now_unix() };
	struct rec_expunge gone = { .mailbox = r.from };
	struct plan_account pa;
	struct rec_mailbox name;
	struct ix_mbox from, to;
	uint64_t n;
	enum rc rc = plan_own_mailbox(p, r.from, &pa, &from);
	int e;

	if (rc == RC_OK)
		rc = plan_own_mailbox(p, r.to, &pa, &to);
	if (rc == RC_OK)
		rc = ix_name_get(
		    &p->l->ix, p->ap.txn, pa.acct.number, r.to, &name);
	if (rc == RC_OK)
		rc = look_at(p, r.from, &p->in->copy.uids, &l);
	if (rc != RC_OK)
		return rc;
	p->in->out.copied =
	    (struct store_copied){ .uidvalidity = name.uidvalidity };
	if (l.hit.s.n == 0)
		return RC_OK;
	r.uids = gone.uids = l.hit.s;
	n = uid_set_count(&r.uids);
	if (n > UID_LAST - to.uidnext)
		return RC_DENY;
	r.first = to.uidnext;
	r.modseq = to.modseq + 1;
	gone.modseq = (r.from == r.to ? r.modseq : from.modseq) + 1;
	e = plan_begin(
	    p, 512 + r.uids.n * 16 + STORE_KEYWORDS_MAX * (300 + SEAL_BOX));
	if (e != 0)
		return e;
	say_copied(p, &r, name.uidvalidity);
	rc = put_copy(p, &pa.key, l.flags, &r);
	return rc == RC_OK && move ? put_expunge(p, &gone) : rc;
}
