/*
 * A copy's address is in its Delivered-To, which is written for exactly one
 * recipient; the plan itself goes by directory ids.
 */
#include "delivery/dlv_entry.h"
#include "delivery/dlv_track.h"
#include "mail/header.h"

/* A recipient, and what became of them. */
struct step {
	enum trk_kind kind;
	struct str rcpt, text;
	uint64_t nrcpt;
};

struct dlv_track {
	struct str sid, message_id;
	uint64_t size;
	struct step *v;
	size_t n;
	uint64_t more; /* copies that are told as a number */
};

static struct str
who(const struct store_delivery *to)
{
	struct mail_field f;

	if (mail_header_find(to->prefix, STR("Delivered-To"), &f))
		return str_trim(f.value);
	return to->account;
}

/* 0: nothing that concerns an administrator. */
static enum trk_kind
kind_of(const struct store_queued *q)
{
	struct dlv_entry e;

	if (q->state == DLV_READY)
		return TRK_QUEUE;
	if (q->state != DLV_DONE)
		return TRK_HOLD;
	return dlv_entry_get(q->data, &e) == RC_OK && e.action == DLV_FAILED
		   ? TRK_BOUNCE
		   : (enum trk_kind)0;
}

static void
add(struct dlv_track *t, struct arena *a, enum trk_kind kind, struct str rcpt,
    struct str text, uint64_t nrcpt)
{
	if (kind != 0)
		t->v[t->n++] = (struct step){ kind, str_dup(a, rcpt),
			str_dup(a, str_sub(text, 0, TRK_TEXT_MAX)), nrcpt };
}

static void
collect(struct dlv_track *t, struct arena *a, const struct dlv_plan *p,
    const struct store_delivery *to, size_t nto, const struct store_queued *q,
    size_t nq)
{
	size_t ngroups =
	    p == NULL ? 0 : MIN(p->nexpanded, (size_t)TRK_RCPTS_MAX);
	size_t told = MIN(nto, (size_t)TRK_RCPTS_MAX);

	nq = MIN(nq, (size_t)TRK_RCPTS_MAX);
	t->v = arena_calloc(a, ngroups + told + nq + 1, sizeof(t->v[0]));
	for (size_t i = 0; i < ngroups; i++) {
		const struct dlv_expanded *e = &p->expanded[i];

		if (e->whose.n > 0)
			add(t, a, TRK_FORWARD, e->address,
			    str_fmt(a, "for %.*s", STRF(e->whose)), 1);
		else
			add(t, a, TRK_EXPAND, e->address, STR(""), e->members);
	}
	for (size_t i = 0; i < told; i++)
		add(t, a, TRK_DELIVER, who(&to[i]), to[i].mailbox, 1);
	for (size_t i = 0; i < nq; i++)
		add(t, a, kind_of(&q[i]), q[i].rcpt, q[i].reason, 1);
	t->more = nto - told;
}

struct dlv_track *
dlv_track_plan(struct dlv *d, struct arena *a, const struct dlv_plan *p,
    const struct dlv_submit *m, struct str message_id)
{
	struct dlv_track *t;

	if (d->trk == NULL)
		return NULL;
	t = arena_calloc(a, 1, sizeof(*t));
	t->sid = m->sid;
	t->message_id = str_dup(a, str_sub(message_id, 0, TRK_TEXT_MAX));
	t->size = m->size;
	collect(t, a, p, p->to, p->nto, p->queue, p->nqueue);
	return t;
}

/* What joins the message to its session is told once. */
static void
say(struct dlv *d, struct trk_event *e)
{
	trk_tell(d->trk, e);
	e->sid = e->message_id = STR("");
}

void
dlv_track_tell(struct dlv *d, const struct dlv_track *t, struct str queue_id)
{
	struct trk_event e = { .at_ms = now_unix_ms(), .qid = queue_id };

	if (t == NULL)
		return;
	e.sid = t->sid;
	e.message_id = t->message_id;
	e.size = t->size;
	for (size_t i = 0; i < t->n; i++) {
		e.kind = t->v[i].kind;
		e.rcpt = t->v[i].rcpt;
		e.text = t->v[i].text;
		e.nrcpt = t->v[i].nrcpt;
		say(d, &e);
	}
	if (t->more > 0) {
		e.kind = TRK_DELIVER;
		e.rcpt = STR("");
		e.text = STR("and more");
		e.nrcpt = t->more;
		say(d, &e);
	}
}

void
dlv_track_notice(struct dlv *d, const struct dlv_plan *p,
    const struct dlv_submit *m, struct str message_id, struct str queue_id)
{
	const struct trk_event e = {
		.kind = TRK_ACCEPT,
		.sid = m->sid,
		.qid = queue_id,
		.message_id = message_id,
		.rcpt = m->to[0].address,
		.size = m->size,
		.nrcpt = m->nto,
	};
	AUTO_ARENA a = { 0 };

	trk_tell(d->trk, &e);
	dlv_track_tell(d, dlv_track_plan(d, &a, p, m, STR("")), queue_id);
}

void
dlv_track_update(struct dlv *d, const struct dlv_plan *p,
    const struct store_queue_update *up)
{
	struct dlv_track t = { 0 };
	AUTO_ARENA a = { 0 };

	if (d->trk == NULL)
		return;
	collect(&t, &a, p, up->to, up->nto, up->set, up->nset);
	dlv_track_tell(d, &t, up->message_id);
}

void
dlv_track_sent(const struct dlv_send *s)
{
	struct trk_event e = { .at_ms = now_unix_ms(),
		.qid = s->item.message_id,
		.host = s->out.host.n > 0 ? s->out.host : s->hop,
		.nrcpt = 1 };
	AUTO_ARENA a = { 0 };

	if (s->d->trk == NULL)
		return;
	if (s->out.ip.n > 0)
		e.host = str_fmt(&a, "%.*s [%.*s]",
		    STRF(str_sub(e.host, 0, 255)), STRF(s->out.ip));
	for (size_t i = 0; i < s->n; i++) {
		const struct rem_result *r = &s->out.to[i];

		e.kind = r->rc == RC_OK     ? TRK_SEND
			 : r->rc == RC_DENY ? TRK_BOUNCE
					    : TRK_DEFER;
		e.rcpt = s->q[i]->rcpt;
		e.text = r->reply;
		e.code = r->code == 0 ? r->status
				      : str_fmt(&a, "%u %.*s", r->code,
					    STRF(str_sub(r->status, 0, 32)));
		trk_tell(s->d->trk, &e);
	}
}

void
dlv_track_entries(struct dlv *d, enum trk_kind kind,
    const struct store_queue_item *item, size_t from, size_t n)
{
	for (size_t i = 0; i < MIN(n, (size_t)TRK_RCPTS_MAX); i++) {
		const struct trk_event e = {
			.kind = kind,
			.qid = item->message_id,
			.rcpt = item->entries[from + i].rcpt,
			.text = item->entries[from + i].reason,
			.nrcpt = 1,
		};

		trk_tell(d->trk, &e);
	}
}
