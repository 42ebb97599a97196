/*
 * The plan is made of plain arrays in the shape of the store's commit, so
 * nothing is copied again afterwards.
 *
 * What the directory says of a person decides:
 *   a local mailbox            a copy, now
 *   elsewhere                  in the queue, to be sent there; held if no
 *                              route is known
 *   vanished                   held in the queue with the reason: an address
 *                              that was accepted is never dropped
 *   could not find out         ready in the queue
 *   may not receive            a group's member: left out and logged, since
 *                              the same address alone would have been refused;
 *                              a recipient of the message: held
 */
#include <string.h>

#include "delivery/dlv_plan.h"
#include "mail/route.h"
#include "mail/trace.h"

#define FIRST_ROOM  4u
#define ROUTE_MAX   512u
#define ENTRY_FIXED 160u /* in the store */

static void *
grown(struct arena *a, void *old, size_t n, size_t *room, size_t size)
{
	void *new;

	if (n < *room)
		return old;
	*room = *room ? *room * 2 : FIRST_ROOM;
	new = arena_calloc(a, *room, size);
	if (n > 0)
		memcpy(new, old, n * size);
	return new;
}

/* The null path is the empty text. */
static enum rc
return_path(struct arena *a, struct str from, struct str *out)
{
	AUTO_BUF b = { 0 };
	struct addr addr = { 0 };

	buf_init(&b, 2 * MAIL_ADDR_TEXT_MAX);
	if (from.n > 0 && mail_addr_parse(a, from, &addr) != RC_OK)
		return RC_BAD;
	if (mail_trace_return_path(&b, &addr) != RC_OK)
		return RC_BAD;
	*out = str_dup(a, buf_str(&b));
	return RC_OK;
}

enum rc
dlv_plan_init(struct dlv_plan *p, struct arena *a, const struct log *log,
    const struct conf *conf, struct str from, struct str trace, int64_t now,
    uint32_t jitter)
{
	*p = (struct dlv_plan){
		.a = a,
		.log = log,
		.conf = conf,
		.now = now,
		.expires_at = now + (int64_t)conf->queue_lifetime_s,
		.jitter = jitter,
		.trace = trace,
		.from = from,
	};
	dlv_people_init(&p->seen, a);
	return return_path(a, from, &p->return_path);
}

bool
dlv_plan_full(const struct dlv_plan *p)
{
	return p->nto + p->nqueue >= DLV_BATCH_MAX ||
	       p->bytes >= DLV_BATCH_BYTES;
}

enum rc
dlv_prefix(const struct dlv_plan *p, struct str address, struct str *out)
{
	AUTO_BUF b = { 0 };
	struct addr addr;
	enum rc rc;

	buf_init(&b, p->return_path.n + p->trace.n + 2 * MAIL_ADDR_TEXT_MAX);
	rc = buf_add(&b, p->return_path);
	if (rc == RC_OK && mail_addr_parse(p->a, address, &addr) == RC_OK)
		rc = mail_trace_delivered_to(&b, &addr);
	if (rc == RC_OK)
		rc = buf_add(&b, p->trace);
	if (rc == RC_OK)
		*out = str_dup(p->a, buf_str(&b));
	return rc;
}

enum rc
dlv_plan_copy(struct dlv_plan *p, struct str id, struct str prefix)
{
	bool new;

	if (dlv_people_add(&p->seen, id, STR(""), &new) != RC_OK)
		return RC_BAD;
	if (!new)
		return RC_OK;
	p->to = grown(p->a, p->to, p->nto, &p->to_room, sizeof(p->to[0]));
	p->to[p->nto++] = (struct store_delivery){
		.account = id,
		.mailbox = p->junk ? STR("Junk") : STR("INBOX"),
		.prefix = prefix,
	};
	p->bytes += prefix.n + id.n;
	return RC_OK;
}

enum rc
dlv_plan_mailbox(struct dlv_plan *p, struct str id, struct str address)
{
	struct str prefix;

	if (dlv_people_has(&p->seen, id, STR("")))
		return RC_OK;
	if (dlv_prefix(p, address, &prefix) != RC_OK)
		return RC_BAD;
	return dlv_plan_copy(p, id, prefix);
}

static struct store_queued *
add_entry(struct dlv_plan *p, const struct dlv_rcpt *rcpt, enum dlv_state state,
    const struct dlv_entry *e)
{
	struct store_queued *q;

	p->queue = grown(
	    p->a, p->queue, p->nqueue, &p->queue_room, sizeof(p->queue[0]));
	q = &p->queue[p->nqueue++];
	*q = (struct store_queued){
		.rcpt = rcpt->address,
		.dir_id = rcpt->dir_id,
		.kind = rcpt->kind,
		.state = state,
		.next_at = p->now,
		.expires_at = p->expires_at,
		.prefix = p->trace,
		.data = dlv_entry_put(p->a, e),
	};
	return q;
}

static struct dlv_entry
entry_of(const struct dlv_plan *p, const struct dlv_rcpt *rcpt)
{
	return (struct dlv_entry){
		.notify = rcpt->notify,
		.orcpt = rcpt->orcpt,
		.route = rcpt->kind == DIR_ELSEWHERE ? rcpt->route : STR(""),
		.envid = p->envid,
		.ret = p->ret,
		.junk = p->junk,
	};
}

enum rc
dlv_plan_queue(struct dlv_plan *p, const struct dlv_rcpt *rcpt,
    enum dlv_state state, struct str reason)
{
	struct dlv_entry e = entry_of(p, rcpt);
	struct str prefix = p->trace;
	struct store_queued *q;
	bool new;

	if (dlv_people_add(&p->seen, rcpt->dir_id, rcpt->address, &new) !=
	    RC_OK)
		return RC_BAD;
	if (!new)
		return RC_OK;
	if (rcpt->kind == DIR_USER &&
	    dlv_prefix(p, rcpt->address, &prefix) != RC_OK)
		return RC_BAD;
	/* Policy's is for an administrator, as if he had held it himself. */
	e.waits = state == DLV_HELD && !p->for_admin;
	q = add_entry(p, rcpt, state, &e);
	q->attempts = 1;
	q->next_at = p->now + dlv_backoff(p->conf, 1, p->jitter);
	q->reason = reason;
	q->prefix = prefix;
	p->bytes += prefix.n;
	p->entry_bytes += dlv_entry_bytes(q);
	return RC_OK;
}

enum rc
dlv_plan_send(struct dlv_plan *p, const struct dlv_rcpt *rcpt)
{
	struct dlv_entry e = entry_of(p, rcpt);
	struct mail_route route;
	struct store_queued *q;
	bool new;

	if (mail_route(p->a, p->conf, rcpt->address, rcpt->route, &route) !=
	    RC_OK)
		return dlv_plan_queue(
		    p, rcpt, DLV_HELD, dlv_reason_elsewhere(p->a, rcpt->route));
	if (dlv_people_add(&p->seen, rcpt->dir_id, rcpt->address, &new) !=
	    RC_OK)
		return RC_BAD;
	if (!new)
		return RC_OK;
	q = add_entry(p, rcpt, DLV_READY, &e);
	q->kind = DIR_ELSEWHERE;
	q->reason = dlv_reason_goes(p->a, rcpt->address, &route);
	dlv_plan_forwarded(p, rcpt->address, &route);
	p->bytes += q->prefix.n;
	p->entry_bytes += dlv_entry_bytes(q);
	return RC_OK;
}

void
dlv_plan_tell(
    struct dlv_plan *p, const struct dlv_rcpt *rcpt, enum dlv_action action)
{
	struct dlv_entry e = entry_of(p, rcpt);
	struct store_queued *q;

	if (!(rcpt->notify & REM_NOTIFY_SUCCESS) || p->from.n == 0)
		return;
	e.action = action;
	e.tried_at = p->now;
	q = add_entry(p, rcpt, DLV_DONE, &e);
	q->prefix = STR("");
	q->reason = STR("the sender wants to know that it arrived");
	p->entry_bytes += dlv_entry_bytes(q);
}

struct str
dlv_with_people(struct dlv_plan *p, struct str data)
{
	struct dlv_entry e;

	if (dlv_entry_get(data, &e) != RC_OK)
		return data;
	e.people = dlv_people_save(&p->seen, p->a);
	return dlv_entry_put(p->a, &e);
}

size_t
dlv_entry_bytes(const struct store_queued *q)
{
	/* A group's people have room of their own. */
	return ENTRY_FIXED + q->rcpt.n + q->dir_id.n + q->reason.n +
	       q->prefix.n + (q->kind == DIR_GROUP ? 0 : q->data.n);
}

struct str
dlv_reason_goes(
    struct arena *a, struct str address, const struct mail_route *route)
{
	if (str_eq(address, route->address))
		return str_fmt(a, "goes to %.*s", STRF(route->hop));
	return str_fmt(
	    a, "goes to %.*s by %.*s", STRF(route->address), STRF(route->hop));
}

struct str
dlv_reason_elsewhere(struct arena *a, struct str route)
{
	return str_fmt(a, "mailbox is on another system, no route: %.*s",
	    STRF(str_sub(route, 0, ROUTE_MAX)));
}

enum rc
dlv_plan_person(
    struct dlv_plan *p, const struct dlv_rcpt *rcpt, const struct dir_rcpt *is)
{
	struct dlv_rcpt as = *rcpt;

	switch (is->rc) {
	case RC_OK:
		break;
	case RC_DENY:
		return RC_DENY;
	case RC_TEMP:
		return dlv_plan_queue(
		    p, &as, DLV_READY, STR("directory gave no answer"));
	default:
		return dlv_plan_queue(
		    p, &as, DLV_HELD, STR("no longer in the directory"));
	}
	as.kind = is->kind;
	as.dir_id = is->id;
	switch (is->kind) {
	case DIR_USER:
		if (!dlv_people_has(&p->seen, is->id, STR("")))
			dlv_plan_tell(p, &as, DLV_DELIVERED);
		return dlv_plan_mailbox(p, is->id, rcpt->address);
	case DIR_ELSEWHERE:
		as.route = is->route;
		return dlv_plan_send(p, &as);
	default:
		return dlv_plan_queue(
		    p, &as, DLV_READY, STR("a group inside a group"));
	}
}

static void
expanded(struct dlv_plan *p, struct dlv_expanded e)
{
	p->expanded = grown(p->a, p->expanded, p->nexpanded, &p->expanded_room,
	    sizeof(p->expanded[0]));
	p->expanded[p->nexpanded++] = e;
}

void
dlv_plan_expanded(struct dlv_plan *p, struct str address, size_t members)
{
	expanded(p, (struct dlv_expanded){ address, members, STR("") });
}

void
dlv_plan_forwarded(
    struct dlv_plan *p, struct str whose, const struct mail_route *route)
{
	if (!str_eq(whose, route->address))
		expanded(p, (struct dlv_expanded){ route->address, 1, whose });
}

/* Members are known by their own address, not by the group's. */
static enum rc
plan_member(
    struct dlv_plan *p, const struct dlv_rcpt *to, const struct dir_rcpt *m)
{
	/* RFC 3461 section 5.2.7.1: success is told of the group as a whole. */
	struct dlv_rcpt as = {
		.address = m->address,
		.kind = DIR_USER,
		.dir_id = m->id,
		.notify = to->notify == REM_NOTIFY_SUCCESS
			      ? REM_NOTIFY_NEVER
			      : to->notify & ~(unsigned)REM_NOTIFY_SUCCESS,
		.orcpt = to->orcpt,
	};
	struct str group = to->dir_id;
	enum rc rc;

	/* Somebody elsewhere may have no address of ours. */
	if (as.address.n == 0)
		as.address =
		    str_sub(m->route.n ? m->route : m->id, 0, ROUTE_MAX);
	if (as.address.n == 0 || m->rc == RC_DENY) {
		log_info(p->log, "group.leave_out", KV("group", group),
		    KV("id", m->id), KV("member", m->address),
		    KVC("rc", rc_name(m->rc)), KV("why", m->why));
		return RC_OK;
	}
	rc = dlv_plan_person(p, &as, m);
	if (rc != RC_BAD)
		return rc;
	/* One odd member must not keep the others from their mail. */
	log_error(p->log, "group.member", KV("group", group), KV("id", m->id),
	    KV("member", m->address));
	return RC_OK;
}

/* Needs an entry of its own. */
static bool
waits(const struct dir_rcpt *m)
{
	return m->rc == RC_OK ? m->kind != DIR_USER : m->rc != RC_DENY;
}

enum rc
dlv_plan_members(struct dlv_plan *p, const struct dlv_rcpt *group,
    const struct dir_rcpt *member, size_t n, enum dlv_members *out)
{
	enum dlv_members how = DLV_MEMBERS_ALL;

	for (size_t i = 0; i < n; i++) {
		enum rc rc;

		if (dlv_people_has(&p->seen, member[i].id, member[i].address))
			continue;
		if (dlv_plan_full(p)) {
			how = DLV_MEMBERS_FULL;
			break;
		}
		/* Without name and number there is nothing to queue by. */
		if (member[i].rc == RC_TEMP && member[i].address.n == 0 &&
		    member[i].id.n == 0) {
			how = DLV_MEMBERS_UNKNOWN;
			continue;
		}
		if (p->entry_bytes >= DLV_ENTRY_BYTES && waits(&member[i])) {
			how = DLV_MEMBERS_CROWDED;
			continue;
		}
		rc = plan_member(p, group, &member[i]);
		if (rc != RC_OK)
			return rc;
	}
	*out = how;
	return RC_OK;
}

struct str
dlv_plan_hop(
    struct arena *a, const struct conf *conf, const struct store_queued *q)
{
	struct mail_route route;
	struct dlv_entry e;

	if (q->state != DLV_READY || q->kind != DIR_ELSEWHERE ||
	    dlv_entry_get(q->data, &e) != RC_OK ||
	    mail_route(a, conf, q->rcpt, e.route, &route) != RC_OK)
		return STR("");
	return route.hop;
}

struct str
dlv_reason_members(enum dlv_members how)
{
	switch (how) {
	case DLV_MEMBERS_FULL:
		return STR("large group: the rest");
	case DLV_MEMBERS_CROWDED:
		return STR("too many of its members wait in the queue");
	default:
		return STR("directory could not say who some members are");
	}
}

int64_t
dlv_backoff(const struct conf *conf, uint32_t attempts, uint32_t rnd)
{
	uint64_t s = MAX(conf->queue_retry_min_s, 1u);
	uint64_t max = MAX((uint64_t)conf->queue_retry_max_s, s);

	for (uint32_t i = 1; i < attempts && s < max; i++)
		s *= 2;
	s = MIN(s, max);
	return (int64_t)(s - s / 8 + rnd % (s / 4 + 1));
}
