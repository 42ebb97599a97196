/* Accounts and mailboxes: finding, making, and the operations on names. */
#include <string.h>

#include "store/local.h"
#include "store/name.h"

#define NAME_BOUND 192u /* a mailbox record without its name */

/* Each level may replace a name that was only subscribed to: two records. */
size_t
plan_mailbox_bound(struct str name)
{
	size_t levels = 1;

	for (size_t i = 0; i < name.n; i++)
		levels += name.p[i] == '/';
	return levels * 2 * (NAME_BOUND + name.n);
}

size_t
plan_account_bound(void)
{
	return 64 + ACCOUNT_ID_MAX + NAME_SPECIALS * (NAME_BOUND + 16);
}

enum rc
plan_account_find(struct plan *p, struct str id, struct plan_account *out)
{
	enum rc rc;

	*out = (struct plan_account){ .id = id };
	if (id.n == 0 || id.n > ACCOUNT_ID_MAX)
		return RC_BAD;
	rc = ix_account_get(&p->l->ix, p->ap.txn, id, &out->acct);
	if (rc == RC_NOENT) {
		out->missing = true;
		return RC_OK;
	}
	if (rc != RC_OK)
		return RC_TEMP;
	rc = keys_by_id(p->l->keys, out->acct.key, &out->key);
	if (rc != RC_OK)
		log_error(
		    &p->l->log, "keys.missing", KVU("key", out->acct.key));
	return rc == RC_OK ? RC_OK : RC_TEMP;
}

enum rc
plan_mailbox_find(struct plan *p, const struct plan_account *pa,
    struct str name, uint64_t *out, struct rec_mailbox *rec)
{
	unsigned char tag[16];
	enum rc rc = seal_tag(pa->key.b, name, tag);

	if (rc == RC_OK)
		rc = ix_byname(&p->l->ix, p->ap.txn, pa->acct.number, tag, out);
	if (rc == RC_OK)
		rc = ix_name_get(
		    &p->l->ix, p->ap.txn, pa->acct.number, *out, rec);
	return rc;
}

/* Seal the name into a record and put it. */
static enum rc
put_mailbox(struct plan *p, const struct plan_account *pa, struct str name,
    struct rec_mailbox *r)
{
	size_t at = p->enc.b->n;
	struct seal_aad aad;
	AUTO_BUF b;

	buf_init(&b, STORE_NAME_MAX + SEAL_BOX);
	seal_aad(&aad, SEAL_NAME, STR(""), r->account, r->id);
	if (seal_tag(pa->key.b, name, r->tag) != RC_OK ||
	    seal_box(pa->key.b, &aad, name, &b) != RC_OK)
		return RC_TEMP;
	r->name = buf_str(&b);
	rec_put_mailbox(&p->enc, r);
	return plan_apply(p, at);
}

static enum rc
make_one(struct plan *p, struct plan_account *pa, struct str name,
    unsigned special, unsigned flags, uint64_t *out)
{
	struct rec_mailbox r = { .account = pa->acct.number,
		.flags = flags,
		.special = (uint8_t)special };
	int64_t now = now_unix();

	r.id = p->ap.info->next_mailbox;
	if (flags & MBOX_EXISTS) {
		uint32_t least = pa->acct.uidvalidity + 1;

		r.uidvalidity = now > 0 && now < UINT32_MAX
				    ? MAX(least, (uint32_t)now)
				    : least;
		pa->acct.uidvalidity = r.uidvalidity;
		seal_random(r.object, OBJECT_ID);
	}
	if (flags & MBOX_INBOX)
		pa->acct.inbox = r.id;
	*out = r.id;
	return put_mailbox(p, pa, name, &r);
}

/* Replace a record's name and flags; 0 flags forget it. */
static enum rc
change(struct plan *p, const struct plan_account *pa, struct rec_mailbox r,
    struct str name, unsigned flags)
{
	r.flags = flags;
	return put_mailbox(p, pa, name, &r);
}

enum rc
plan_mailbox_make(struct plan *p, struct plan_account *pa, struct str name,
    unsigned special, bool subscribed, uint64_t *out)
{
	struct str parent = name_parent(name);
	struct rec_mailbox r;
	uint64_t id;
	enum rc rc = RC_OK;

	if (parent.n > 0) {
		rc = plan_mailbox_find(p, pa, parent, &id, &r);
		if (rc == RC_NOENT || (rc == RC_OK && !(r.flags & MBOX_EXISTS)))
			rc = plan_mailbox_make(p, pa, parent, 0, false, &id);
	}
	if (rc != RC_OK)
		return rc;
	rc = plan_mailbox_find(p, pa, name, &id, &r);
	if (rc == RC_OK) { /* it is only subscribed to */
		subscribed = true;
		rc = change(p, pa, r, name, 0);
	} else if (rc == RC_NOENT) {
		rc = RC_OK;
	}
	if (rc != RC_OK)
		return rc;
	return make_one(p, pa, name, special,
	    MBOX_EXISTS | (subscribed ? MBOX_SUBSCRIBED : 0), out);
}

enum rc
plan_account_make(struct plan *p, struct plan_account *pa)
{
	struct rec_account r = { .number = p->ap.info->next_account,
		.id = pa->id };
	size_t at = p->enc.b->n;
	uint64_t id;
	enum rc rc;

	if (!pa->missing)
		return RC_OK;
	rc = keys_ensure(p->l->keys, pa->id, &pa->key);
	if (rc != RC_OK)
		return RC_TEMP;
	r.key = pa->key.id;
	pa->acct = (struct ix_account){ .number = r.number, .key = r.key };
	rec_put_account(&p->enc, &r);
	rc = plan_apply(p, at);
	if (rc == RC_OK)
		rc = make_one(p, pa, STR("INBOX"), 0,
		    MBOX_EXISTS | MBOX_SUBSCRIBED | MBOX_INBOX, &id);
	for (unsigned i = 1; rc == RC_OK && i < NAME_SPECIALS; i++)
		rc = make_one(p, pa, name_folders[i].name, i,
		    MBOX_EXISTS | MBOX_SUBSCRIBED, &id);
	pa->missing = false;
	return rc;
}

enum rc
plan_own_mailbox(struct plan *p, uint64_t mailbox, struct plan_account *pa,
    struct ix_mbox *m)
{
	enum rc rc = plan_account_find(p, p->in->account, pa);

	if (rc != RC_OK)
		return rc;
	if (pa->missing)
		return RC_NOENT;
	rc = ix_mbox_get(&p->l->ix, p->ap.txn, mailbox, m);
	if (rc != RC_OK)
		return rc == RC_NOENT ? rc : RC_TEMP;
	if (m->account != pa->acct.number)
		return RC_NOENT;
	if (mailbox == p->in->mailbox && p->in->expect_modseq != 0 &&
	    p->in->expect_modseq != m->modseq)
		return RC_DENY;
	return RC_OK;
}

static int
plan_create(struct plan *p, struct plan_account *pa, struct str name)
{
	struct rec_mailbox r;
	uint64_t id;
	enum rc rc = plan_mailbox_find(p, pa, name, &id, &r);
	size_t n = 0;
	int e;

	if (rc == RC_OK && (r.flags & MBOX_EXISTS))
		return RC_DENY;
	if (rc != RC_OK && rc != RC_NOENT)
		return rc;
	{ /* STORE_MAILBOXES_MAX, counted only here */
		struct ix_key k = ix_key_u64(pa->acct.number);
		AUTO_WALK w = { 0 };
		struct str key, v;

		rc = ix_walk_begin(&p->l->ix, p->ap.txn, p->l->ix.name,
		    ix_key_str(&k), ix_key_str(&k), &w);
		while (
		    rc == RC_OK && (rc = ix_walk_next(&w, &key, &v)) == RC_OK)
			n++;
	}
	if (n + NAME_DEPTH_MAX > STORE_MAILBOXES_MAX)
		return RC_DENY;
	e = plan_begin(p, plan_mailbox_bound(name));
	if (e != 0)
		return e;
	return plan_mailbox_make(p, pa, name, 0, false, &p->in->out.mailbox);
}

static int
plan_delete(struct plan *p, struct plan_account *pa, struct str name)
{
	struct rec_mailbox r;
	uint64_t id, ghost;
	size_t at;
	enum rc rc = plan_mailbox_find(p, pa, name, &id, &r);
	bool subscribed;
	int e;

	if (rc != RC_OK)
		return rc;
	if (!(r.flags & MBOX_EXISTS))
		return RC_NOENT;
	if (r.flags & MBOX_INBOX)
		return RC_DENY;
	subscribed = (r.flags & MBOX_SUBSCRIBED) != 0;
	e = plan_begin(p, 2 * (NAME_BOUND + name.n));
	if (e != 0)
		return e;
	at = p->enc.b->n;
	rec_put_mailbox_del(&p->enc, id);
	rc = plan_apply(p, at);
	/* RFC 9051 6.3.8: a subscription outlives its mailbox. */
	if (rc == RC_OK && subscribed)
		rc = make_one(p, pa, name, 0, MBOX_SUBSCRIBED, &ghost);
	return rc;
}

static int
plan_subscribe(struct plan *p, struct plan_account *pa, struct str name)
{
	bool on = p->in->name.on;
	struct rec_mailbox r;
	uint64_t id;
	enum rc rc = plan_mailbox_find(p, pa, name, &id, &r);
	unsigned flags;
	int e;

	if (rc != RC_OK && rc != RC_NOENT)
		return rc;
	if (rc == RC_NOENT && !on)
		return RC_OK;
	if (rc == RC_OK && ((r.flags & MBOX_SUBSCRIBED) != 0) == on)
		return RC_OK;
	e = plan_begin(p, 2 * (NAME_BOUND + name.n));
	if (e != 0)
		return e;
	if (rc == RC_NOENT)
		return make_one(p, pa, name, 0, MBOX_SUBSCRIBED, &id);
	flags = r.flags ^ MBOX_SUBSCRIBED;
	return change(p, pa, r, name, flags);
}

struct renaming {
	struct rec_mailbox *v;
	struct str *names;
	size_t n;
};

/* The mailbox and everything below it, with names. */
static enum rc
collect_tree(struct plan *p, struct plan_account *pa, struct str from,
    struct renaming *out)
{
	struct ix_key k = ix_key_u64(pa->acct.number);
	struct str below = str_cat(p->a, from, STR("/")), key, v;
	AUTO_WALK w = { 0 };
	size_t room = 0;
	enum rc rc = ix_walk_begin(&p->l->ix, p->ap.txn, p->l->ix.name,
	    ix_key_str(&k), ix_key_str(&k), &w);

	while (rc == RC_OK && (rc = ix_walk_next(&w, &key, &v)) == RC_OK) {
		struct dec d = dec_of(str_dup(p->a, v));
		struct rec_mailbox r;
		struct str name;

		rec_dec_mailbox(&d, &r);
		if (d.bad)
			return RC_BAD;
		if (!(r.flags & MBOX_EXISTS))
			continue;
		rc = mailbox_name_open(p->a, pa->key.b, &r, &name);
		if (rc != RC_OK)
			return rc;
		if (!str_eq(name, from) && !str_has_prefix(name, below))
			continue;
		if (out->n == room) {
			size_t now = MAX(16, room * 2);
			struct rec_mailbox *rv =
			    arena_calloc(p->a, now, sizeof(*rv));
			struct str *nv = arena_calloc(p->a, now, sizeof(*nv));

			if (room > 0) {
				memcpy(rv, out->v, room * sizeof(*rv));
				memcpy(nv, out->names, room * sizeof(*nv));
			}
			out->v = rv;
			out->names = nv;
			room = now;
		}
		out->v[out->n] = r;
		out->names[out->n++] = name;
	}
	return rc == RC_NOENT ? RC_OK : rc;
}

/* RC_DENY: one of the new names is taken.  *bound grows. */
static enum rc
check_targets(struct plan *p, struct plan_account *pa, struct renaming *t,
    struct str from, struct str to, size_t *bound)
{
	for (size_t i = 0; i < t->n; i++) {
		struct rec_mailbox r;
		uint64_t id;
		enum rc rc;

		t->names[i] = str_cat(p->a, to, str_from(t->names[i], from.n));
		if (t->names[i].n > STORE_NAME_MAX)
			return RC_BAD;
		*bound += 2 * (NAME_BOUND + t->names[i].n);
		rc = plan_mailbox_find(p, pa, t->names[i], &id, &r);
		if (rc == RC_OK && (r.flags & MBOX_EXISTS))
			return RC_DENY;
		if (rc != RC_OK && rc != RC_NOENT)
			return rc;
	}
	return RC_OK;
}

/* A name only subscribed to gives way to a mailbox that gets it. */
static enum rc
rename_one(struct plan *p, struct plan_account *pa, const struct rec_mailbox *r,
    struct str to)
{
	struct rec_mailbox ghost;
	uint64_t id;
	enum rc rc = plan_mailbox_find(p, pa, to, &id, &ghost);

	if (rc == RC_OK)
		rc = change(p, pa, ghost, to, 0);
	else if (rc == RC_NOENT)
		rc = RC_OK;
	return rc == RC_OK ? change(p, pa, *r, to, r->flags) : rc;
}

/* RFC 9051 6.3.6: INBOX stays and gives its messages to the new one. */
static int
rename_inbox(struct plan *p, struct plan_account *pa, struct str to)
{
	struct rec_copy copy = { .from = pa->acct.inbox,
		.save_date = now_unix() };
	struct rec_expunge gone = { .mailbox = pa->acct.inbox };
	size_t bound = plan_mailbox_bound(to);
	struct ix_mbox m;
	uint64_t id;
	enum rc rc;
	int e;

	rc = ix_mbox_get(&p->l->ix, p->ap.txn, pa->acct.inbox, &m);
	if (rc != RC_OK)
		return RC_TEMP;
	rc = plan_rows_all(p, pa->acct.inbox, &copy.uids);
	if (rc != RC_OK)
		return rc;
	gone.uids = copy.uids;
	bound +=
	    1024 + copy.uids.n * 16 + STORE_KEYWORDS_MAX * (300 + SEAL_BOX);
	e = plan_begin(p, bound);
	if (e != 0)
		return e;
	rc = plan_mailbox_make(p, pa, to, 0, false, &id);
	if (rc != RC_OK || copy.uids.n == 0)
		return rc;
	copy.to = id;
	copy.first = 1;
	copy.modseq = 2;
	gone.modseq = m.modseq + 1;
	return plan_move_all(p, &pa->key, &copy, &gone);
}

static int
plan_rename(struct plan *p, struct plan_account *pa, struct str from)
{
	struct renaming t = { 0 };
	struct rec_mailbox r;
	struct str to, parent;
	size_t bound;
	uint64_t id;
	enum rc rc = name_normal(p->a, p->in->name.to, &to);
	int e;

	if (rc != RC_OK)
		return rc;
	if (str_has_prefix(to, str_cat(p->a, from, STR("/"))))
		return RC_BAD;
	rc = plan_mailbox_find(p, pa, to, &id, &r);
	if (rc == RC_OK && (r.flags & MBOX_EXISTS))
		return RC_DENY;
	rc = plan_mailbox_find(p, pa, from, &id, &r);
	if (rc != RC_OK)
		return rc;
	if (r.flags & MBOX_INBOX)
		return rename_inbox(p, pa, to);
	rc = collect_tree(p, pa, from, &t);
	if (rc != RC_OK)
		return rc;
	if (t.n == 0)
		return RC_NOENT;
	bound = plan_mailbox_bound(to);
	rc = check_targets(p, pa, &t, from, to, &bound);
	if (rc != RC_OK)
		return rc;
	e = plan_begin(p, bound);
	if (e != 0)
		return e;
	parent = name_parent(to);
	if (parent.n > 0) {
		rc = plan_mailbox_find(p, pa, parent, &id, &r);
		if (rc == RC_NOENT || (rc == RC_OK && !(r.flags & MBOX_EXISTS)))
			rc = plan_mailbox_make(p, pa, parent, 0, false, &id);
	}
	for (size_t i = 0; rc == RC_OK && i < t.n; i++)
		rc = rename_one(p, pa, &t.v[i], t.names[i]);
	return rc;
}

int
plan_mailbox(struct plan *p)
{
	struct plan_account pa;
	struct str name;
	enum rc rc = plan_account_find(p, p->in->account, &pa);
	int e;

	if (rc != RC_OK)
		return rc;
	if (p->in->kind == ENGINE_ENSURE) {
		if (!pa.missing)
			return RC_OK;
		e = plan_begin(p, plan_account_bound());
		return e != 0 ? e : (int)plan_account_make(p, &pa);
	}
	if (pa.missing)
		return RC_NOENT;
	rc = name_normal(p->a, p->in->name.name, &name);
	if (rc != RC_OK)
		return rc;
	switch (p->in->kind) {
	case ENGINE_CREATE:
		return plan_create(p, &pa, name);
	case ENGINE_DELETE:
		return plan_delete(p, &pa, name);
	case ENGINE_RENAME:
		return plan_rename(p, &pa, name);
	default:
		return plan_subscribe(p, &pa, name);
	}
}

int
plan_restored(struct plan *p)
{
	int64_t now = now_unix();
	struct rec_restored r = { .time = now,
		.uidvalidity = (uint32_t)MIN(MAX(now, 1), UINT32_MAX / 2) };
	int e = plan_begin(p, 64);

	if (e != 0)
		return e;
	rec_put_restored(&p->enc, &r);
	return plan_apply(p, 0);
}
