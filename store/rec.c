/* Operations to bytes and back; the layout is the order of the calls. */
#include <stdlib.h>

#include "store/rec.h"

#define HEAD 8u

size_t
rec_begin(struct enc *e, enum rec_type type)
{
	size_t at = e->b->n;

	enc_u(e, type, 2);
	enc_u(e, 0, 2);
	enc_u(e, 0, 4);
	return at;
}

void
rec_end(struct enc *e, size_t at)
{
	if (!e->bad)
		le_put(e->b->p + at + 4, e->b->n - at - HEAD, 4);
}

static void
enc_uids(struct enc *e, const struct uid_set *s)
{
	enc_u(e, s->n, 4);
	for (size_t i = 0; i < s->n; i++) {
		enc_u(e, s->v[i].lo, 4);
		enc_u(e, s->v[i].hi, 4);
	}
}

bool
uid_set_valid(const struct uid_set *s)
{
	uint64_t next = 1;

	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].lo < next || s->v[i].hi < s->v[i].lo)
			return false;
		next = (uint64_t)s->v[i].hi + 1;
	}
	return true;
}

static int
by_lo(const void *a, const void *b)
{
	const struct uid_range *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

enum rc
uid_set_normal(struct arena *a, const struct uid_set *in, struct uid_set *out)
{
	struct uid_range *v;
	size_t n = 0;

	if (uid_set_valid(in)) {
		*out = *in;
		return RC_OK;
	}
	for (size_t i = 0; i < in->n; i++)
		if (in->v[i].lo == 0 || in->v[i].hi < in->v[i].lo)
			return RC_BAD;
	v = arena_calloc(a, in->n, sizeof(*v));
	memcpy(v, in->v, in->n * sizeof(*v));
	qsort(v, in->n, sizeof(*v), by_lo);
	for (size_t i = 1; i < in->n; i++) {
		if (v[i].lo <= (uint64_t)v[n].hi + 1)
			v[n].hi = MAX(v[n].hi, v[i].hi);
		else
			v[++n] = v[i];
	}
	*out = (struct uid_set){ v, n + 1 };
	return RC_OK;
}

uint64_t
uid_set_count(const struct uid_set *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += (uint64_t)s->v[i].hi - s->v[i].lo + 1;
	return n;
}

static void
dec_uids(struct dec *d, struct arena *a, struct uid_set *out)
{
	size_t n = dec_u(d, 4);

	*out = (struct uid_set){ 0 };
	if (n > REC_RANGES_MAX || d->n < n * 8) {
		d->bad = true;
		return;
	}
	out->v = arena_calloc(a, MAX(n, 1), sizeof(*out->v));
	out->n = n;
	for (size_t i = 0; i < n; i++) {
		out->v[i].lo = (uint32_t)dec_u(d, 4);
		out->v[i].hi = (uint32_t)dec_u(d, 4);
	}
	if (!uid_set_valid(out))
		d->bad = true;
}

/*
 * The data itself is not copied: the caller gives it to the log beside the
 * rest.  Its length is part of the operation's.
 */
void
rec_put_part_head(struct enc *e, const struct rec_part *r)
{
	size_t at = rec_begin(e, REC_PART);

	enc_bytes(e, r->body, BODY_ID);
	enc_u(e, r->number, 4);
	if (!e->bad)
		le_put(e->b->p + at + 4, e->b->n - at - HEAD + r->data.n, 4);
}

static void
dec_part(struct dec *d, struct rec_part *r)
{
	dec_copy(d, r->body, BODY_ID);
	r->number = (uint32_t)dec_u(d, 4);
	r->data = dec_bytes(d, d->n);
}

static void
put_body(struct enc *e, enum rec_type type, const struct rec_body *r)
{
	size_t at = rec_begin(e, type);

	enc_bytes(e, r->id, BODY_ID);
	enc_u(e, r->content, 8);
	enc_u(e, r->edits, 4);
	enc_u(e, r->meta_version, 4);
	enc_u(e, r->nparts, 4);
	enc_bytes(e, r->parts.p, r->parts.n);
	enc_str(e, r->meta);
	rec_end(e, at);
}

void
rec_put_body(struct enc *e, const struct rec_body *r)
{
	put_body(e, REC_BODY, r);
}

void
rec_put_moved(struct enc *e, const struct rec_body *r)
{
	put_body(e, REC_MOVED, r);
}

static void
dec_body(struct dec *d, struct rec_body *r)
{
	dec_copy(d, r->id, BODY_ID);
	r->content = dec_u(d, 8);
	r->edits = (uint32_t)dec_u(d, 4);
	r->meta_version = (uint32_t)dec_u(d, 4);
	r->nparts = (uint32_t)dec_u(d, 4);
	if (r->nparts > REC_PARTS_MAX || r->edits > r->content)
		d->bad = true;
	r->parts = dec_bytes(d, (size_t)r->nparts * 12);
	r->meta = dec_str(d);
}

void
rec_put_account(struct enc *e, const struct rec_account *r)
{
	size_t at = rec_begin(e, REC_ACCOUNT);

	enc_u(e, r->number, 8);
	enc_u(e, r->key, 4);
	enc_str(e, r->id);
	rec_end(e, at);
}

static void
dec_account(struct dec *d, struct rec_account *r)
{
	r->number = dec_u(d, 8);
	r->key = (uint32_t)dec_u(d, 4);
	r->id = dec_str(d);
	if (r->id.n == 0 || r->id.n > ACCOUNT_ID_MAX)
		d->bad = true;
}

void
rec_enc_mailbox(struct enc *e, const struct rec_mailbox *r)
{
	enc_u(e, r->id, 8);
	enc_u(e, r->account, 8);
	enc_u(e, r->flags, 4);
	enc_u(e, r->uidvalidity, 4);
	enc_u(e, r->special, 1);
	enc_bytes(e, r->object, OBJECT_ID);
	enc_bytes(e, r->tag, sizeof(r->tag));
	enc_str(e, r->name);
}

void
rec_dec_mailbox(struct dec *d, struct rec_mailbox *r)
{
	r->id = dec_u(d, 8);
	r->account = dec_u(d, 8);
	r->flags = (uint32_t)dec_u(d, 4);
	r->uidvalidity = (uint32_t)dec_u(d, 4);
	r->special = (uint8_t)dec_u(d, 1);
	dec_copy(d, r->object, OBJECT_ID);
	dec_copy(d, r->tag, sizeof(r->tag));
	r->name = dec_str(d);
}

void
rec_put_mailbox(struct enc *e, const struct rec_mailbox *r)
{
	size_t at = rec_begin(e, REC_MAILBOX);

	rec_enc_mailbox(e, r);
	rec_end(e, at);
}

void
rec_put_mailbox_del(struct enc *e, uint64_t mailbox)
{
	size_t at = rec_begin(e, REC_MAILBOX_DEL);

	enc_u(e, mailbox, 8);
	rec_end(e, at);
}

void
rec_put_keyword(struct enc *e, const struct rec_keyword *r)
{
	size_t at = rec_begin(e, REC_KEYWORD);

	enc_u(e, r->mailbox, 8);
	enc_u(e, r->bit, 1);
	enc_str(e, r->name);
	rec_end(e, at);
}

static void
dec_keyword(struct dec *d, struct rec_keyword *r)
{
	r->mailbox = dec_u(d, 8);
	r->bit = (uint8_t)dec_u(d, 1);
	r->name = dec_str(d);
	if (r->bit < 8 || r->bit > 63)
		d->bad = true;
}

void
rec_put_deliver(struct enc *e, const struct rec_deliver *r)
{
	size_t at = rec_begin(e, REC_DELIVER);

	enc_u(e, r->mailbox, 8);
	enc_u(e, r->uid, 4);
	enc_u(e, r->key, 4);
	enc_u(e, r->modseq, 8);
	enc_u(e, r->flags, 8);
	enc_u(e, r->size, 8);
	enc_u(e, r->prefix_len, 4);
	enc_u(e, (uint64_t)r->internal_date, 8);
	enc_u(e, (uint64_t)r->save_date, 8);
	enc_bytes(e, r->body, BODY_ID);
	enc_bytes(e, r->thread, OBJECT_ID);
	enc_str(e, r->letter);
	rec_end(e, at);
}

static void
dec_deliver(struct dec *d, struct rec_deliver *r)
{
	r->mailbox = dec_u(d, 8);
	r->uid = (uint32_t)dec_u(d, 4);
	r->key = (uint32_t)dec_u(d, 4);
	r->modseq = dec_u(d, 8);
	r->flags = dec_u(d, 8);
	r->size = dec_u(d, 8);
	r->prefix_len = (uint32_t)dec_u(d, 4);
	r->internal_date = (int64_t)dec_u(d, 8);
	r->save_date = (int64_t)dec_u(d, 8);
	dec_copy(d, r->body, BODY_ID);
	dec_copy(d, r->thread, OBJECT_ID);
	r->letter = dec_str(d);
	if (r->uid == 0)
		d->bad = true;
}

void
rec_put_flags(struct enc *e, const struct rec_flags *r)
{
	size_t at = rec_begin(e, REC_FLAGS);

	enc_u(e, r->mailbox, 8);
	enc_u(e, r->modseq, 8);
	enc_u(e, r->clear, 8);
	enc_u(e, r->set, 8);
	enc_uids(e, &r->uids);
	rec_end(e, at);
}

static void
dec_flags(struct dec *d, struct arena *a, struct rec_flags *r)
{
	r->mailbox = dec_u(d, 8);
	r->modseq = dec_u(d, 8);
	r->clear = dec_u(d, 8);
	r->set = dec_u(d, 8);
	dec_uids(d, a, &r->uids);
}

void
rec_put_expunge(struct enc *e, const struct rec_expunge *r)
{
	size_t at = rec_begin(e, REC_EXPUNGE);

	enc_u(e, r->mailbox, 8);
	enc_u(e, r->modseq, 8);
	enc_uids(e, &r->uids);
	rec_end(e, at);
}

static void
dec_expunge(struct dec *d, struct arena *a, struct rec_expunge *r)
{
	r->mailbox = dec_u(d, 8);
	r->modseq = dec_u(d, 8);
	dec_uids(d, a, &r->uids);
}

void
rec_put_copy(struct enc *e, const struct rec_copy *r)
{
	size_t at = rec_begin(e, REC_COPY);

	enc_u(e, r->from, 8);
	enc_u(e, r->to, 8);
	enc_u(e, r->modseq, 8);
	enc_u(e, r->first, 4);
	enc_u(e, (uint64_t)r->save_date, 8);
	enc_u(e, r->nbits, 4);
	enc_bytes(e, r->bits.p, r->bits.n);
	enc_uids(e, &r->uids);
	rec_end(e, at);
}

static void
dec_bits(struct dec *d, struct rec_copy *r)
{
	r->nbits = (uint32_t)dec_u(d, 4);
	if (r->nbits > STORE_KEYWORDS_MAX)
		d->bad = true;
	r->bits = dec_bytes(d, (size_t)r->nbits * 2);
	for (size_t i = 0; i < r->bits.n; i++)
		if (r->bits.p[i] < 8 || r->bits.p[i] > 63)
			d->bad = true;
}

static void
dec_rec_copy(struct dec *d, struct arena *a, struct rec_copy *r)
{
	r->from = dec_u(d, 8);
	r->to = dec_u(d, 8);
	r->modseq = dec_u(d, 8);
	r->first = (uint32_t)dec_u(d, 4);
	r->save_date = (int64_t)dec_u(d, 8);
	dec_bits(d, r);
	dec_uids(d, a, &r->uids);
	if (r->first == 0)
		d->bad = true;
}

void
rec_put_recent(struct enc *e, const struct rec_recent *r)
{
	size_t at = rec_begin(e, REC_RECENT);

	enc_u(e, r->mailbox, 8);
	enc_u(e, r->first, 4);
	rec_end(e, at);
}

void
rec_put_queue(struct enc *e, const struct rec_queue *r)
{
	size_t at = rec_begin(e, REC_QUEUE);

	enc_bytes(e, r->body, BODY_ID);
	enc_u(e, (uint64_t)r->received_at, 8);
	enc_u(e, r->key, 4);
	enc_str(e, r->letter);
	rec_end(e, at);
}

static void
dec_queue(struct dec *d, struct rec_queue *r)
{
	dec_copy(d, r->body, BODY_ID);
	r->received_at = (int64_t)dec_u(d, 8);
	r->key = (uint32_t)dec_u(d, 4);
	r->letter = dec_str(d);
}

void
rec_put_entry(struct enc *e, const struct rec_entry *r)
{
	size_t at = rec_begin(e, REC_ENTRY);

	enc_bytes(e, r->body, BODY_ID);
	enc_u(e, r->id, 8);
	enc_u(e, r->key, 4);
	enc_str(e, r->box);
	rec_end(e, at);
}

void
rec_put_entry_del(struct enc *e, const unsigned char body[BODY_ID], uint64_t id)
{
	size_t at = rec_begin(e, REC_ENTRY_DEL);

	enc_bytes(e, body, BODY_ID);
	enc_u(e, id, 8);
	rec_end(e, at);
}

static void
dec_entry(struct dec *d, bool del, struct rec_entry *r)
{
	dec_copy(d, r->body, BODY_ID);
	r->id = dec_u(d, 8);
	if (del)
		return;
	r->key = (uint32_t)dec_u(d, 4);
	r->box = dec_str(d);
}

void
rec_put_opid(struct enc *e, const struct rec_opid *r)
{
	size_t at = rec_begin(e, REC_OPID);

	enc_u(e, (uint64_t)r->time, 8);
	enc_str(e, r->id);
	enc_str(e, r->result);
	rec_end(e, at);
}

static void
dec_opid(struct dec *d, struct rec_opid *r)
{
	r->time = (int64_t)dec_u(d, 8);
	r->id = dec_str(d);
	r->result = dec_str(d);
	if (r->id.n == 0 || r->id.n > STORE_OPID_MAX || r->result.n > 256)
		d->bad = true;
}

void
rec_put_restored(struct enc *e, const struct rec_restored *r)
{
	size_t at = rec_begin(e, REC_RESTORED);

	enc_u(e, (uint64_t)r->time, 8);
	enc_u(e, r->uidvalidity, 4);
	rec_end(e, at);
}

static enum rc
decode(struct arena *a, struct dec *d, struct rec_op *op)
{
	switch (op->type) {
	case REC_PART:
		dec_part(d, &op->part);
		break;
	case REC_BODY:
	case REC_MOVED:
		dec_body(d, &op->body);
		break;
	case REC_ACCOUNT:
		dec_account(d, &op->account);
		break;
	case REC_MAILBOX:
		rec_dec_mailbox(d, &op->mailbox);
		break;
	case REC_MAILBOX_DEL:
		op->mailbox_del = dec_u(d, 8);
		break;
	case REC_KEYWORD:
		dec_keyword(d, &op->keyword);
		break;
	case REC_DELIVER:
		dec_deliver(d, &op->deliver);
		break;
	case REC_FLAGS:
		dec_flags(d, a, &op->flags);
		break;
	case REC_EXPUNGE:
		dec_expunge(d, a, &op->expunge);
		break;
	case REC_COPY:
		dec_rec_copy(d, a, &op->copy);
		break;
	case REC_RECENT:
		op->recent.mailbox = dec_u(d, 8);
		op->recent.first = (uint32_t)dec_u(d, 4);
		break;
	case REC_QUEUE:
		dec_queue(d, &op->queue);
		break;
	case REC_ENTRY:
	case REC_ENTRY_DEL:
		dec_entry(d, op->type == REC_ENTRY_DEL, &op->entry);
		break;
	case REC_OPID:
		dec_opid(d, &op->opid);
		break;
	case REC_RESTORED:
		op->restored.time = (int64_t)dec_u(d, 8);
		op->restored.uidvalidity = (uint32_t)dec_u(d, 4);
		break;
	default:
		return RC_DENY;
	}
	return d->bad || d->n != 0 ? RC_BAD : RC_OK;
}

enum rc
rec_next(struct arena *a, struct str *ops, struct rec_op *out)
{
	struct dec d = dec_of(*ops), body;
	const char *base = ops->p;
	unsigned type, zero;
	struct str s;

	if (ops->n == 0)
		return RC_NOENT;
	type = (unsigned)dec_u(&d, 2);
	zero = (unsigned)dec_u(&d, 2);
	s = dec_str(&d);
	if (d.bad)
		return RC_BAD;
	if (zero != 0)
		return RC_DENY;
	*out = (struct rec_op){ .type = (enum rec_type)type };
	body = dec_of(s);
	*ops = str_n(d.p, d.n);
	if (type == REC_PART)
		out->at = (size_t)(s.p - base) + BODY_ID + 4;
	return decode(a, &body, out);
}
