/*
 * A copy's address is in its Delivered-To, which is written for exactly one
 * recipient; the plan itself goes by directory ids.
 */
#include "delivery/dlv_track.h"
#include "mail/header.h"

struct copy {
	struct str rcpt, mailbox;
};

struct dlv_track {
	struct str sid, message_id;
	uint64_t size;
	const struct copy *to;
	size_t nto, more; /* `more` are told as a number */
	const struct store_queued *queue;
	size_t nqueue;
	const struct dlv_expanded *expanded;
	size_t nexpanded;
};

static struct str
who(struct arena *a, const struct store_delivery *to)
{
	struct mail_field f;

	if (mail_header_find(to->prefix, STR("Delivered-To"), &f))
		return str_dup(a, str_trim(f.value));
	return str_dup(a, to->account);
}

static const struct copy *
copies(struct arena *a, const struct store_delivery *to, size_t n)
{
	struct copy *v = arena_calloc(a, n + 1, sizeof(*v));

	/* The mailbox is a literal. */
	for (size_t i = 0; i < n; i++)
		v[i] = (struct copy){ who(a, &to[i]), to[i].mailbox };
	return v;
}

struct dlv_track *
dlv_track_plan(struct dlv *d, struct arena *a, const struct dlv_plan *p,
    const struct dlv_submit *m, struct str message_id)
{
	struct store_queued *queue;
	struct dlv_expanded *expanded;
	struct dlv_track *t;

	if (d->trk == NULL)
		return NULL;
	t = arena_calloc(a, 1, sizeof(*t));
	t->sid = m->sid;
	t->message_id = str_dup(a, str_sub(message_id, 0, TRK_TEXT_MAX));
	t->size = m->size;
	t->nto = MIN(p->nto, (size_t)TRK_RCPTS_MAX);
	t->more = p->nto - t->nto;
	t->to = copies(a, p->to, t->nto);
	t->nqueue = MIN(p->nqueue, (size_t)TRK_RCPTS_MAX);
	t->queue = queue = arena_calloc(a, t->nqueue + 1, sizeof(*queue));
	for (size_t i = 0; i < t->nqueue; i++) {
		queue[i].rcpt = str_dup(a, p->queue[i].rcpt);
		queue[i].reason = str_dup(a, p->queue[i].reason);
		queue[i].state = p->queue[i].state;
	}
	t->nexpanded = MIN(p->nexpanded, (size_t)TRK_RCPTS_MAX);
	t->expanded = expanded =
	    arena_calloc(a, t->nexpanded + 1, sizeof(*expanded));
	for (size_t i = 0; i < t->nexpanded; i++)
		expanded[i] =
		    (struct dlv_expanded){ str_dup(a, p->expanded[i].address),
			    p->expanded[i].members };
	return t;
}

/* What joins the message to its session is told once. */
static void
say(struct dlv *d, struct trk_event *e)
{
	trk_tell(d->trk, e);
	e->sid = e->message_id = STR("");
}

static void
tell(struct dlv *d, const struct dlv_track *t, struct trk_event e)
{
	e.at_ms = now_unix_ms();
	for (size_t i = 0; i < t->nexpanded; i++) {
		e.kind = TRK_EXPAND;
		e.rcpt = t->expanded[i].address;
		e.nrcpt = t->expanded[i].members;
		say(d, &e);
	}
	e.nrcpt = 1;
	for (size_t i = 0; i < t->nto; i++) {
		e.kind = TRK_DELIVER;
		e.rcpt = t->to[i].rcpt;
		e.text = t->to[i].mailbox;
		say(d, &e);
	}
	for (size_t i = 0; i < t->nqueue; i++) {
		e.kind = t->queue[i].state == DLV_READY ? TRK_QUEUE : TRK_HOLD;
		e.rcpt = t->queue[i].rcpt;
		e.text = t->queue[i].reason;
		say(d, &e);
	}
	if (t->more > 0) {
		e.kind = TRK_DELIVER;
		e.nrcpt = t->more;
		e.rcpt = STR("");
		e.text = STR("and more");
		say(d, &e);
	}
}

void
dlv_track_tell(struct dlv *d, const struct dlv_track *t, struct str queue_id)
{
	if (t != NULL)
		tell(d, t,
		    (struct trk_event){
			.sid = t->sid,
			.qid = queue_id,
			.message_id = t->message_id,
			.size = t->size,
		    });
}

void
dlv_track_update(struct dlv *d, const struct dlv_plan *p,
    const struct store_queue_update *up)
{
	AUTO_ARENA a = { 0 };
	struct dlv_track t = {
		.nto = MIN(up->nto, (size_t)TRK_RCPTS_MAX),
		.queue = up->set,
		.nqueue = MIN(up->nset, (size_t)TRK_RCPTS_MAX),
		.expanded = p->expanded,
		.nexpanded = p->nexpanded,
	};

	if (d->trk == NULL)
		return;
	t.more = up->nto - t.nto;
	t.to = copies(&a, up->to, t.nto);
	tell(d, &t, (struct trk_event){ .qid = up->message_id });
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
