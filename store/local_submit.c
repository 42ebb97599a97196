/* Planning of messages: into mailboxes, into the queue, out of it. */
#include <string.h>

#include "store/local.h"
#include "store/name.h"

#define DELIVER_BOUND 192u
#define ENTRY_BOUND   160u

/* What all deliveries of an intent share. */
struct message {
	unsigned char id[BODY_ID], key[SEAL_KEY];
	uint64_t content;
	int64_t received_at;
};

/* Where a delivery goes; found before anything is put. */
struct target {
	struct plan_account pa;
	struct str name; /* normal */
	uint64_t mailbox;
	size_t same; /* an earlier delivery makes account or mailbox */
};

static enum rc
find_target(struct plan *p, const struct engine_delivery *d, struct target *t)
{
	struct rec_mailbox r;
	struct ix_mbox m;
	enum rc rc = plan_account_find(p, d->account, &t->pa);

	if (rc != RC_OK)
		return rc;
	if (d->mailbox != 0) {
		t->mailbox = d->mailbox;
		rc = t->pa.missing
			 ? RC_NOENT
			 : ix_mbox_get(&p->l->ix, p->ap.txn, d->mailbox, &m);
		if (rc == RC_OK && m.account != t->pa.acct.number)
			rc = RC_NOENT;
		return rc == RC_BAD ? RC_TEMP : rc;
	}
	rc = name_normal(p->a, d->name, &t->name);
	if (rc != RC_OK || t->pa.missing)
		return rc;
	if (str_eq(t->name, STR("INBOX"))) {
		t->mailbox = t->pa.acct.inbox;
		return RC_OK;
	}
	rc = plan_mailbox_find(p, &t->pa, t->name, &t->mailbox, &r);
	if (rc == RC_NOENT || (rc == RC_OK && !(r.flags & MBOX_EXISTS))) {
		t->mailbox = 0;
		return RC_OK;
	}
	return rc == RC_OK ? rc : RC_TEMP;
}

static enum rc
check_delivery(const struct engine_delivery *d)
{
	for (size_t i = 0; i < d->nkeywords; i++)
		if (name_keyword_check(d->keywords[i]) != RC_OK)
			return RC_BAD;
	return d->nkeywords <= STORE_KEYWORDS_MAX ? RC_OK : RC_BAD;
}

static size_t
delivery_bound(const struct engine_delivery *d)
{
	return DELIVER_BOUND + SEAL_BOX + SEAL_KEY + d->prefix.n +
	       plan_keywords_bound(d->keywords, d->nkeywords) +
	       plan_account_bound() + plan_mailbox_bound(d->name);
}

/*
 * The account and mailbox may have been made by an earlier delivery of the
 * same intent, so both are looked up again.
 */
static enum rc
make_target(struct plan *p, const struct engine_delivery *d, struct target *t)
{
	enum rc rc = RC_OK;

	if (t->mailbox != 0)
		return RC_OK;
	rc = find_target(p, d, t);
	if (rc == RC_OK && t->pa.missing) {
		rc = plan_account_make(p, &t->pa);
		if (rc == RC_OK)
			rc = find_target(p, d, t);
	}
	if (rc == RC_OK && t->mailbox == 0)
		rc =
		    plan_mailbox_make(p, &t->pa, t->name, 0, true, &t->mailbox);
	return rc;
}

static enum rc
put_delivery(struct plan *p, const struct message *msg,
    const struct engine_delivery *d, const struct target *t, uint32_t *uid)
{
	struct rec_deliver r = { .mailbox = t->mailbox,
		.key = t->pa.key.id,
		.size = d->prefix.n + msg->content,
		.prefix_len = (uint32_t)d->prefix.n,
		.internal_date = msg->received_at,
		.save_date = now_unix() };
	struct letter letter = { .prefix = d->prefix };
	struct plan_keywords kw;
	struct ix_mbox m;
	AUTO_BUF b;
	size_t at;
	enum rc rc;

	buf_init(&b, SEAL_BOX + SEAL_KEY + d->prefix.n);
	rc = plan_keywords_find(
	    p, t->mailbox, &t->pa.key, d->keywords, d->nkeywords, &kw);
	/* Mail is not refused because its labels find no room. */
	if (rc == RC_DENY) {
		kw.nmissing = 0;
		rc = RC_OK;
	}
	if (rc == RC_OK)
		rc = plan_keywords_make(p, t->mailbox, &t->pa.key, &kw);
	memcpy(letter.key, msg->key, SEAL_KEY);
	if (rc == RC_OK)
		rc = letter_seal(&t->pa.key, d->account, msg->id, &letter, &b);
	seal_wipe(letter.key, SEAL_KEY);
	if (rc == RC_OK)
		rc = ix_mbox_get(&p->l->ix, p->ap.txn, t->mailbox, &m);
	if (rc != RC_OK)
		return RC_TEMP;
	if (m.uidnext >= UINT32_MAX - 1)
		return RC_TEMP;
	memcpy(r.body, msg->id, BODY_ID);
	r.uid = *uid = m.uidnext;
	r.modseq = m.modseq + 1;
	r.flags = (d->flags & 0x1f) | kw.bits;
	r.letter = buf_str(&b);
	at = p->enc.b->n;
	rec_put_deliver(&p->enc, &r);
	return plan_apply(p, at);
}

static enum rc
put_entries(struct plan *p, const unsigned char id[BODY_ID],
    const struct store_queued *set, size_t n)
{
	struct key key;
	enum rc rc = RC_OK;

	keys_queue(p->l->keys, &key);
	for (size_t i = 0; rc == RC_OK && i < n; i++) {
		struct store_queued q = set[i];
		struct rec_entry r = { .key = key.id };
		size_t at = p->enc.b->n;
		AUTO_BUF b;

		if (q.id == 0)
			q.id = p->ap.info->next_entry;
		buf_init(&b, ENGINE_QUEUE_BYTES);
		rc = queued_seal(&key, id, &q, &b);
		if (rc != RC_OK)
			return rc;
		memcpy(r.body, id, BODY_ID);
		r.id = q.id;
		r.box = buf_str(&b);
		rec_put_entry(&p->enc, &r);
		rc = plan_apply(p, at);
	}
	return rc;
}

static enum rc
put_envelope(
    struct plan *p, const struct engine_submit *s, const struct message *msg)
{
	struct envelope env = { .from = s->from, .submitter = s->submitter };
	struct rec_queue r = { .received_at = s->received_at };
	size_t at = p->enc.b->n;
	struct key key;
	AUTO_BUF b;
	enum rc rc;

	keys_queue(p->l->keys, &key);
	buf_init(&b, SEAL_BOX + SEAL_KEY + 8 + s->from.n + s->submitter.n);
	memcpy(env.key, msg->key, SEAL_KEY);
	rc = envelope_seal(&key, msg->id, &env, &b);
	seal_wipe(env.key, SEAL_KEY);
	if (rc != RC_OK)
		return rc;
	memcpy(r.body, msg->id, BODY_ID);
	r.key = key.id;
	r.letter = buf_str(&b);
	rec_put_queue(&p->enc, &r);
	return plan_apply(p, at);
}

static enum rc
put_body(struct plan *p, const struct engine_body *b)
{
	struct rec_body r = { .content = b->content,
		.edits = b->edits,
		.meta_version = b->meta_version,
		.meta = buf_str(&b->meta),
		.nparts = (uint32_t)(b->parts.n / 12),
		.parts = buf_str(&b->parts) };
	size_t at = p->enc.b->n;

	memcpy(r.id, b->id, BODY_ID);
	rec_put_body(&p->enc, &r);
	return plan_apply(p, at);
}

static size_t
entries_bound(const struct store_queued *set, size_t n)
{
	size_t bound = 0;

	for (size_t i = 0; i < n; i++)
		bound += ENTRY_BOUND + SEAL_BOX + set[i].rcpt.n +
			 set[i].dir_id.n + set[i].reason.n + set[i].prefix.n +
			 set[i].data.n;
	return bound;
}

static enum rc
check_limits(const struct engine_submit *s)
{
	if (s->nto > ENGINE_DELIVERIES_MAX || s->nset > ENGINE_ENTRIES_MAX ||
	    s->nremove > ENGINE_ENTRIES_MAX ||
	    s->nexpect > 2 * ENGINE_ENTRIES_MAX ||
	    entries_bound(s->set, s->nset) > ENGINE_QUEUE_BYTES)
		return RC_BAD;
	for (size_t i = 0; i < s->nset; i++)
		if (s->set[i].data.n > STORE_QUEUED_DATA_MAX)
			return RC_BAD;
	for (size_t i = 0; i < s->nto; i++)
		if (check_delivery(&s->to[i]) != RC_OK)
			return RC_BAD;
	return RC_OK;
}

/* Where everything goes, and how much room it may need. */
static enum rc
find_targets(struct plan *p, const struct engine_submit *s, struct target **out,
    size_t *bound)
{
	struct target *t = arena_calloc(p->a, MAX(s->nto, 1), sizeof(*t));
	enum rc rc = RC_OK;

	for (size_t i = 0; rc == RC_OK && i < s->nto; i++) {
		rc = find_target(p, &s->to[i], &t[i]);
		*bound += delivery_bound(&s->to[i]);
	}
	*bound +=
	    entries_bound(s->set, s->nset) + s->nremove * (BODY_ID + 16) + 256;
	*out = t;
	return rc;
}

static enum rc
put_deliveries(struct plan *p, const struct engine_submit *s,
    const struct message *msg, struct target *t)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; rc == RC_OK && i < s->nto; i++) {
		uint32_t uid = 0;

		rc = make_target(p, &s->to[i], &t[i]);
		if (rc == RC_OK)
			rc = put_delivery(p, msg, &s->to[i], &t[i], &uid);
		if (i == 0) {
			p->in->out.mailbox = t[i].mailbox;
			p->in->out.uid = uid;
		}
	}
	return rc;
}

/* The message key of a body that somebody holds already. */
static enum rc
find_message(struct plan *p, const unsigned char id[BODY_ID],
    struct message *out, struct str *queue_letter)
{
	struct ix_key k = ix_key_body(id);
	struct envelope env;
	struct ix_body body;
	struct key key;
	struct str v;
	enum rc rc = ix_body_get(&p->l->ix, p->ap.txn, id, &body);

	if (rc == RC_OK)
		rc = ix_get(
		    &p->l->ix, p->ap.txn, p->l->ix.queue, ix_key_str(&k), &v);
	if (rc != RC_OK)
		return rc == RC_NOENT ? rc : RC_TEMP;
	if (v.n < 12)
		return RC_TEMP;
	out->received_at = (int64_t)le_get(v.p, 8);
	rc = keys_by_id(p->l->keys, (uint32_t)le_get(v.p + 8, 4), &key);
	if (rc == RC_OK)
		rc = envelope_open(p->a, &key, id, str_from(v, 12), &env);
	if (rc != RC_OK)
		return RC_TEMP;
	memcpy(out->id, id, BODY_ID);
	memcpy(out->key, env.key, SEAL_KEY);
	seal_wipe(env.key, SEAL_KEY);
	out->content = body.body.content;
	*queue_letter = v;
	return RC_OK;
}

int
plan_submit(struct plan *p)
{
	const struct engine_submit *s = &p->in->submit;
	const struct engine_body *b = s->body;
	struct message msg = { .content = b->content,
		.received_at = s->received_at };
	size_t bound = PLAN_PART + b->last.n + b->meta.n + b->parts.n + 64 +
		       SEAL_BOX + SEAL_KEY + s->from.n + s->submitter.n;
	struct target *t;
	enum rc rc = check_limits(s);
	int e;

	if (rc != RC_OK || s->nto + s->nset == 0 || s->nremove > 0)
		return RC_BAD;
	for (size_t i = 0; i < s->nset; i++)
		if (s->set[i].id != 0)
			return RC_BAD;
	memcpy(p->in->out.body, b->id, BODY_ID);
	/* A body is only ever there through the intent that brought it. */
	p->in->out.repeated = b->known;
	if (b->known)
		return RC_OK;
	rc = find_targets(p, s, &t, &bound);
	if (rc != RC_OK)
		return rc;
	memcpy(msg.id, b->id, BODY_ID);
	memcpy(msg.key, b->key, SEAL_KEY);
	p->part = buf_str(&b->last);
	e = plan_begin(p, bound);
	if (e != 0)
		return e;
	rc = put_body(p, b);
	if (rc == RC_OK && s->nset > 0)
		rc = put_envelope(p, s, &msg);
	if (rc == RC_OK)
		rc = put_deliveries(p, s, &msg, t);
	if (rc == RC_OK && s->nset > 0)
		p->in->out.entry = p->ap.info->next_entry;
	if (rc == RC_OK)
		rc = put_entries(p, b->id, s->set, s->nset);
	seal_wipe(msg.key, SEAL_KEY);
	return rc;
}

/* RC_NOENT: one of the entries named is not there. */
static enum rc
check_entries(struct plan *p, const struct engine_submit *s)
{
	struct str v;
	enum rc rc = RC_OK;

	for (size_t i = 0; rc == RC_OK && i < s->nset; i++) {
		struct ix_key k = ix_key_entry(s->id, s->set[i].id);

		if (s->set[i].id != 0)
			rc = ix_get(&p->l->ix, p->ap.txn, p->l->ix.queue,
			    ix_key_str(&k), &v);
	}
	for (size_t i = 0; rc == RC_OK && i < s->nremove; i++) {
		struct ix_key k = ix_key_entry(s->id, s->remove[i]);

		for (size_t j = 0; j < i; j++)
			if (s->remove[j] == s->remove[i])
				return RC_BAD;
		rc = ix_get(
		    &p->l->ix, p->ap.txn, p->l->ix.queue, ix_key_str(&k), &v);
	}
	return rc;
}

/* RC_NOENT: somebody has changed one of them since it was read. */
static enum rc
check_expected(struct plan *p, const struct engine_submit *s)
{
	AUTO_ARENA a = { 0 };
	enum rc rc = RC_OK;

	for (size_t i = 0; rc == RC_OK && i < s->nexpect; i++) {
		const struct store_expect *e = &s->expect[i];
		struct ix_key k = ix_key_entry(s->id, e->id);
		struct store_queued q;
		struct str v;

		rc = ix_get(
		    &p->l->ix, p->ap.txn, p->l->ix.queue, ix_key_str(&k), &v);
		if (rc == RC_OK)
			rc = queued_read(&a, p->l->keys, s->id, e->id, v, &q);
		if (rc == RC_OK &&
		    (q.state != e->state || q.attempts != e->attempts))
			rc = RC_NOENT;
		arena_reset(&a);
	}
	return rc;
}

/* What the message's entries will weigh: a reader gets them in one frame. */
static enum rc
check_weight(struct plan *p, const struct engine_submit *s)
{
	struct ix_key k = ix_key_body(s->id);
	size_t weight = entries_bound(s->set, s->nset);
	AUTO_WALK w = { 0 };
	struct str key, v;
	enum rc rc;

	if (s->nset == 0)
		return RC_OK;
	rc = ix_walk_begin(&p->l->ix, p->ap.txn, p->l->ix.queue, ix_key_str(&k),
	    ix_key_str(&k), &w);
	while (rc == RC_OK && (rc = ix_walk_next(&w, &key, &v)) == RC_OK) {
		bool replaced = false;

		for (size_t i = 0; i < s->nset && key.n > BODY_ID; i++)
			replaced = replaced ||
				   s->set[i].id == be_get(key.p + BODY_ID, 8);
		weight += replaced ? 0 : v.n;
	}
	if (rc != RC_NOENT)
		return RC_TEMP;
	return weight <= ENGINE_QUEUE_BYTES ? RC_OK : RC_DENY;
}

int
plan_queue(struct plan *p)
{
	const struct engine_submit *s = &p->in->submit;
	struct message msg;
	struct target *t;
	struct str letter;
	size_t bound = 0;
	enum rc rc = check_limits(s);
	int e;

	if (rc == RC_OK)
		rc = find_message(p, s->id, &msg, &letter);
	if (rc == RC_OK)
		rc = check_entries(p, s);
	if (rc == RC_OK)
		rc = check_expected(p, s);
	if (rc == RC_OK)
		rc = check_weight(p, s);
	if (rc == RC_OK)
		rc = find_targets(p, s, &t, &bound);
	if (rc != RC_OK)
		return rc;
	if (s->nto + s->nset + s->nremove == 0)
		return RC_OK;
	e = plan_begin(p, bound);
	if (e != 0)
		return e;
	rc = put_deliveries(p, s, &msg, t);
	if (rc == RC_OK)
		rc = put_entries(p, s->id, s->set, s->nset);
	for (size_t i = 0; rc == RC_OK && i < s->nremove; i++) {
		size_t at = p->enc.b->n;

		rec_put_entry_del(&p->enc, s->id, s->remove[i]);
		rc = plan_apply(p, at);
	}
	seal_wipe(msg.key, SEAL_KEY);
	return rc;
}

/* RC_NOENT: the body went meanwhile, and nothing is to be moved. */
int
plan_move(struct plan *p)
{
	const struct engine_body *b = p->in->submit.body;
	struct rec_body r = { .content = b->content,
		.edits = b->edits,
		.meta_version = b->meta_version,
		.meta = buf_str(&b->meta),
		.nparts = (uint32_t)(b->parts.n / 12),
		.parts = buf_str(&b->parts) };
	struct ix_body known;
	size_t at;
	enum rc rc = ix_body_get(&p->l->ix, p->ap.txn, b->id, &known);
	int e;

	if (rc != RC_OK)
		return rc == RC_NOENT ? rc : RC_TEMP;
	if (b->last.n > 0)
		p->part = buf_str(&b->last);
	e = plan_begin(p, PLAN_PART + b->last.n + b->meta.n + b->parts.n + 64);
	if (e != 0)
		return e;
	memcpy(r.id, b->id, BODY_ID);
	at = p->enc.b->n;
	rec_put_moved(&p->enc, &r);
	return plan_apply(p, at);
}
