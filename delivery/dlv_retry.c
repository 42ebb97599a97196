/*
 * The store is the truth: each step reads the item, plans, and commits the
 * deliveries together with the removal of their entries.  If the answer to
 * that commit is lost, the next step reads what really happened; a commit that
 * is still on its way is kept from happening twice by the operation id, which
 * names exactly what was tried, and by the store's refusal to remove an entry
 * that is gone.
 *
 * A group that is expanded late must skip those who already have the message.
 * Their ids are kept in `data` of one of the message's group entries, whichever
 * is left, and grow with every step.
 */
#include "delivery/dlv.h"
#include "delivery/dlv_retry.h"
#include "delivery/dlv_sched.h"
#include "mail/route.h"

#define UNTRIED_MAX_S 3600 /* longer than its time, for a first try */

/* An entry whose time is over. */
struct fate {
	bool over;
	bool down; /* its place was not reached, and why */
	struct dlv_why why;
};

struct retry {
	struct dlv_plan *p;
	struct dir_client *dir;
	const struct store_queue_item *item;
	struct fate *fate; /* of each entry */
	struct deadline dl;
	struct store_queued *set;
	size_t nset;
	uint64_t *remove;
	size_t nremove;
};

bool
dlv_retry_expires(const struct store_queued *q, const struct dlv_entry *e)
{
	return q->state == DLV_READY || (q->state == DLV_HELD && e->waits);
}

int64_t
dlv_retry_warn_at(const struct conf *conf, const struct store_queue_item *item,
    const struct store_queued *q, const struct dlv_entry *e, int64_t grace)
{
	int64_t at = item->received_at + (int64_t)conf->queue_warn_s;
	int64_t until = now_unix() + grace;
	int64_t began =
	    until - (int64_t)conf->queue_retry_min_s * DLV_GRACE_WAITS;

	if (q->state != DLV_READY || e->warned || item->from.n == 0 ||
	    (e->notify && !(e->notify & REM_NOTIFY_DELAY)))
		return INT64_MAX;
	return q->attempts == 0 && grace > 0 && at < began ? until : at;
}

bool
dlv_retry_is_here(const struct conf *conf, const struct store_queued *q)
{
	AUTO_ARENA a = { 0 };

	return q->kind != DIR_ELSEWHERE || dlv_plan_hop(&a, conf, q).n == 0;
}

void
dlv_retry_clock(const struct conf *conf, struct store_queue_item *item,
    int64_t now, int64_t grace)
{
	int64_t max = MAX(conf->queue_retry_min_s, conf->queue_retry_max_s);

	max += max / 8 + 1;
	for (size_t i = 0; i < item->nentries; i++) {
		struct store_queued *q = &item->entries[i];

		if (q->next_at > now + max)
			q->next_at = now;
		if (grace > 0 && q->state == DLV_READY)
			q->expires_at = MAX(q->expires_at, now + grace);
	}
}

/* To be tried here. */
static bool
due(const struct retry *t, const struct store_queued *q)
{
	return q->state == DLV_READY && q->next_at <= t->p->now &&
	       dlv_retry_is_here(t->p->conf, q);
}

static struct dlv_entry
entry_of(const struct store_queued *q)
{
	struct dlv_entry e;

	/* Damaged data is not worth losing the entry. */
	return dlv_entry_get(q->data, &e) == RC_OK ? e
						   : (struct dlv_entry){ 0 };
}

/*
 * While a place is down only one message at a time is tried there.  What waits
 * behind it is given up with the last error of the place; where none is known,
 * it gets its own try first.  One that cannot even be begun ends all the same.
 */
static void
judge(struct retry *t, size_t i)
{
	const struct store_queued *q = &t->item->entries[i];
	struct fate *f = &t->fate[i];
	struct dlv_entry e = entry_of(q);
	struct str hop;

	if (q->expires_at > t->p->now || !dlv_retry_expires(q, &e))
		return;
	f->over = true;
	hop = dlv_plan_hop(t->p->a, t->p->conf, q);
	if (hop.n == 0)
		return;
	f->down = t->p->places != NULL &&
		  dlv_queue_why(t->p->places, t->p->a, hop, &f->why) == RC_OK;
	if (!f->down && q->attempts == 0)
		f->over = t->p->now - q->expires_at > UNTRIED_MAX_S;
}

static const struct fate *
fate_of(const struct retry *t, const struct store_queued *q)
{
	return &t->fate[q - t->item->entries];
}

/* Something is to be done with it now. */
static bool
touched(const struct retry *t, const struct store_queued *q)
{
	return due(t, q) || fate_of(t, q)->over;
}

static void
take_out(struct retry *t, const struct store_queued *q)
{
	t->remove[t->nremove++] = q->id;
}

/* Another time, or when somebody says so. */
static struct store_queued *
keep(struct retry *t, const struct store_queued *q, enum dlv_state state,
    struct str reason)
{
	struct store_queued *set = &t->set[t->nset++];

	*set = *q;
	set->state = state;
	if (state == DLV_HELD) {
		struct dlv_entry e = entry_of(q);

		e.waits = true;
		set->data = dlv_entry_put(t->p->a, &e);
	}
	set->reason = reason;
	set->attempts = q->attempts + 1;
	set->next_at =
	    t->p->now + dlv_backoff(t->p->conf, set->attempts, t->p->jitter);
	log_info(t->p->log, "queue.keep", KV("to", q->rcpt),
	    KVC("state", state == DLV_HELD ? "held" : "ready"),
	    KVU("attempts", set->attempts), KVI("next_at", set->next_at),
	    KV("reason", reason));
	return set;
}

/* The set of people starts with everybody whom nothing is tried for now. */
static enum rc
load_people(struct retry *t)
{
	for (size_t i = 0; i < t->item->nentries; i++) {
		const struct store_queued *q = &t->item->entries[i];
		bool new;

		t->p->entry_bytes += dlv_entry_bytes(q);
		if (dlv_people_load(&t->p->seen, entry_of(q).people) != RC_OK)
			return RC_BAD;
		if (q->kind == DIR_GROUP || due(t, q))
			continue;
		if (dlv_people_add(&t->p->seen, q->dir_id, q->rcpt, &new) !=
		    RC_OK)
			return RC_BAD;
	}
	return RC_OK;
}

static enum rc
look_up(struct retry *t, const struct store_queued *q, struct dir_rcpt *out)
{
	enum rc rc;

	if (q->dir_id.n > 0)
		return dir_by_id(t->dir, t->p->a, q->dir_id, t->dl, out);
	rc = dir_rcpts(t->dir, t->p->a, &q->rcpt, 1, true, t->dl, out);
	return rc == RC_OK ? out->rc : rc;
}

struct str
dlv_why_text(struct arena *a, const char *what, const struct dlv_why *why)
{
	return str_fmt(a, "%s, the last error of %.*s: %.*s", what,
	    STRF(why->host), STRF(why->reply));
}

/* The last error of the place, if it is news. */
static void
blame_place(struct retry *t, const struct store_queued *q, struct dlv_entry *e)
{
	const struct fate *f = fate_of(t, q);

	if (!f->down && q->attempts == 0 && e->reply.n == 0)
		e->reply = STR("it could not be tried here; the log says why");
	if (!f->down || (q->attempts > 0 && f->why.at <= e->tried_at))
		return;
	e->reply = dlv_why_text(t->p->a,
	    q->attempts > 0 ? "not tried again" : "not tried", &f->why);
	e->status = f->why.status;
	/* No server has said this of this recipient. */
	e->code = 0;
	e->from_server = false;
}

/* It has been tried long enough: the sender is told, if that is wanted. */
static void
give_up(struct retry *t, const struct store_queued *q)
{
	struct dlv_entry e = entry_of(q);
	struct store_queued *set;

	blame_place(t, q, &e);
	log_warn(t->p->log, "queue.expired", KV("to", q->rcpt),
	    KVU("attempts", q->attempts), KV("reason", q->reason),
	    KV("reply", e.reply));
	if (e.notify != 0 && !(e.notify & REM_NOTIFY_FAILURE)) {
		take_out(t, q);
		return;
	}
	e.action = DLV_FAILED;
	e.expired = true;
	e.waits = false;
	e.people = STR("");
	set = &t->set[t->nset++];
	*set = *q;
	set->state = DLV_DONE;
	set->next_at = t->p->now;
	set->data = dlv_entry_put(t->p->a, &e);
}

/* The mailbox is on another system now, or always was. */
static void
send_away(struct retry *t, const struct store_queued *q, struct str where)
{
	struct dlv_entry e = entry_of(q);
	struct mail_route route;
	struct store_queued *set;

	if (mail_route(t->p->a, t->p->conf, q->rcpt, where, &route) != RC_OK) {
		keep(t, q, DLV_HELD, dlv_reason_elsewhere(t->p->a, where));
		return;
	}
	set = keep(t, q, DLV_READY, dlv_reason_goes(t->p->a, q->rcpt, &route));
	dlv_plan_forwarded(t->p, q->rcpt, &route);
	e.route = where;
	/* An earlier try was elsewhere, and not of this way. */
	e.hop = e.host = e.status = e.reply = STR("");
	e.code = e.from_server = 0;
	e.tried_at = 0;
	set->kind = DIR_ELSEWHERE;
	set->attempts = 0;
	set->next_at = t->p->now;
	set->data = dlv_entry_put(t->p->a, &e);
}

static void
tell_delivered(struct retry *t, const struct store_queued *q)
{
	struct dlv_entry e = entry_of(q);
	struct store_queued *set;

	if (!(e.notify & REM_NOTIFY_SUCCESS) || t->item->from.n == 0) {
		take_out(t, q);
		return;
	}
	e.action = q->kind == DIR_GROUP ? DLV_EXPANDED : DLV_DELIVERED;
	e.tried_at = t->p->now;
	set = &t->set[t->nset++];
	*set = *q;
	set->state = DLV_DONE;
	set->next_at = t->p->now;
	set->data = dlv_entry_put(t->p->a, &e);
}

/* What was to be sent has no Return-Path yet. */
static enum rc
copy_here(struct retry *t, const struct store_queued *q, struct str id)
{
	struct str prefix = q->prefix;

	t->p->junk = entry_of(q).junk;
	if (!str_has_iprefix(prefix, STR("Return-Path:"))) {
		enum rc rc;

		t->p->trace = q->prefix;
		rc = dlv_prefix(t->p, q->rcpt, &prefix);
		if (rc != RC_OK)
			return rc;
	}
	return dlv_plan_copy(t->p, id, prefix);
}

static enum rc
try_person(struct retry *t, const struct store_queued *q)
{
	struct dir_rcpt is = { 0 };
	enum rc rc = look_up(t, q, &is);

	if (rc == RC_OK)
		rc = is.rc;
	if (rc == RC_OK && is.kind == DIR_USER) {
		tell_delivered(t, q);
		log_info(t->p->log, "queue.deliver", KV("to", q->rcpt),
		    KV("id", is.id), KVU("attempts", q->attempts));
		return copy_here(t, q, is.id);
	}
	if (rc == RC_TEMP)
		keep(t, q, DLV_READY, STR("directory gave no answer"));
	else if (rc == RC_OK)
		send_away(t, q, is.route);
	else if (rc == RC_DENY)
		keep(t, q, DLV_HELD, STR("may not receive"));
	else if (rc == RC_BAD)
		send_away(t, q, STR(""));
	else
		keep(t, q, DLV_HELD, STR("no longer in the directory"));
	return RC_OK;
}

static enum rc
try_group(struct retry *t, const struct store_queued *q)
{
	struct store_queued *left;
	struct dir_rcpt *member;
	struct dlv_entry e;
	struct dlv_rcpt as;
	enum dlv_members how;
	size_t n;
	enum rc rc;

	log_debug(t->p->log, "group.expand", KV("group", q->dir_id));
	rc = dir_expand(t->dir, t->p->a, q->dir_id, t->dl, &member, &n);
	if (rc == RC_TEMP) {
		keep(t, q, DLV_READY, STR("directory gave no answer"));
		return RC_OK;
	}
	if (rc != RC_OK) {
		keep(
		    t, q, DLV_HELD, STR("group is no longer in the directory"));
		return RC_OK;
	}
	t->p->trace = q->prefix;
	t->p->expires_at = q->expires_at;
	dlv_plan_expanded(t->p, q->rcpt, n);
	e = entry_of(q);
	as = (struct dlv_rcpt){
		.address = q->rcpt,
		.kind = DIR_GROUP,
		.dir_id = q->dir_id,
		.notify = (unsigned)e.notify,
		.orcpt = e.orcpt,
	};
	t->p->junk = e.junk;
	t->p->envid = e.envid;
	t->p->ret = (enum rem_ret)e.ret;
	rc = dlv_plan_members(t->p, &as, member, n, &how);
	if (rc != RC_OK)
		return rc;
	if (how == DLV_MEMBERS_ALL) {
		tell_delivered(t, q);
		return RC_OK;
	}
	left = keep(t, q, DLV_READY, dlv_reason_members(how));
	if (how == DLV_MEMBERS_FULL)
		left->next_at = t->p->now;
	return RC_OK;
}

static bool
taken_out(const struct retry *t, uint64_t id)
{
	for (size_t i = 0; i < t->nremove; i++) {
		if (t->remove[i] == id)
			return true;
	}
	return false;
}

/* One group entry that stays carries the set of people. */
static void
remember_people(struct retry *t)
{
	const struct store_queued *carrier = NULL;

	for (size_t i = 0; i < t->item->nentries && carrier == NULL; i++) {
		const struct store_queued *q = &t->item->entries[i];

		if (q->kind == DIR_GROUP && !taken_out(t, q->id) &&
		    q->state != DLV_DONE && !fate_of(t, q)->over)
			carrier = q;
	}
	if (carrier == NULL)
		return;
	for (size_t i = 0; i < t->nset; i++) {
		if (t->set[i].id != carrier->id)
			continue;
		t->set[i].data = dlv_with_people(t->p, t->set[i].data);
		return;
	}
	/* Nobody new has it: what it carries is still right. */
	if (t->nset + t->nremove == 0)
		return;
	t->set[t->nset] = *carrier;
	t->set[t->nset++].data = dlv_with_people(t->p, carrier->data);
}

/* Names what is tried: entry, attempt and how far a group has come. */
static struct str
operation_id(const struct retry *t)
{
	struct arena *a = t->p->a;
	uint64_t h = 0;

	for (size_t i = 0; i < t->item->nentries; i++) {
		const struct store_queued *q = &t->item->entries[i];
		uint64_t v[4] = { h, q->id, q->attempts, q->data.n };

		if (touched(t, q))
			h = str_hash(str_n(v, sizeof(v)));
	}
	return str_fmt(a, "%.*s.%016llx",
	    STRF(str_sub(t->item->message_id, 0, 40)), (unsigned long long)h);
}

static bool
full(const struct retry *t)
{
	return dlv_plan_full(t->p) || t->nset + t->nremove >= DLV_BATCH_MAX;
}

static enum rc
try_all(struct retry *t, bool groups)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < t->item->nentries && rc == RC_OK; i++) {
		const struct store_queued *q = &t->item->entries[i];

		if (!touched(t, q) || (q->kind == DIR_GROUP) != groups ||
		    full(t))
			continue;
		if (fate_of(t, q)->over)
			give_up(t, q);
		else
			rc = groups ? try_group(t, q) : try_person(t, q);
	}
	return rc;
}

enum rc
dlv_retry_plan(struct dlv_plan *p, struct dir_client *dir,
    const struct store_queue_item *item, struct deadline dl,
    struct store_queue_update *out)
{
	size_t room = item->nentries + 1;
	struct retry t = {
		.p = p,
		.dir = dir,
		.item = item,
		.dl = dl,
		.fate = arena_calloc(p->a, room, sizeof(t.fate[0])),
		.set = arena_calloc(p->a, room, sizeof(t.set[0])),
		.remove = arena_calloc(p->a, room, sizeof(t.remove[0])),
	};
	enum rc rc;

	for (size_t i = 0; i < item->nentries; i++)
		judge(&t, i);
	rc = load_people(&t);
	if (rc == RC_OK)
		rc = try_all(&t, false);
	if (rc == RC_OK)
		rc = try_all(&t, true);
	if (rc != RC_OK)
		return rc;
	remember_people(&t);
	if (p->nqueue > 0) {
		struct store_queued *all =
		    arena_calloc(p->a, t.nset + p->nqueue, sizeof(*all));

		for (size_t i = 0; i < t.nset; i++)
			all[i] = t.set[i];
		for (size_t i = 0; i < p->nqueue; i++)
			all[t.nset + i] = p->queue[i];
		t.set = all;
		t.nset += p->nqueue;
	}
	*out = (struct store_queue_update){
		.op_id = operation_id(&t),
		.message_id = item->message_id,
		.set = t.set,
		.nset = t.nset,
		.remove = t.remove,
		.nremove = t.nremove,
		.to = p->to,
		.nto = p->nto,
	};
	dlv_entry_expect(p->a, item, out);
	return RC_OK;
}
