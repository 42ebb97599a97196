/*
 * People first, then groups, so that somebody named directly gets the copy
 * under that address.  A loop is told by our own Delivered-To (as Postfix
 * does) or by too many Received fields (RFC 5321 section 6.3).  When only some
 * recipients loop, theirs is held and the others get their mail: one reply
 * cannot say both.
 */
#include "delivery/dlv_route.h"
#include "mail/addr.h"

static enum rc
check_loops(const struct dlv_plan *p, const struct dlv_submit *m,
    const struct dlv_scan *scan)
{
	size_t looping = 0;

	if (scan->received > p->conf->hops_max ||
	    scan->delivered > DLV_SCAN_DELIVERED) {
		log_warn(p->log, "submit.hops", KVU("received", scan->received),
		    KVU("delivered_to", scan->delivered), KV("from", m->from),
		    KV("to", m->to[0].address));
		return RC_DENY;
	}
	for (size_t i = 0; i < m->nto; i++)
		looping += dlv_scan_loops(scan, m->to[i].address);
	if (looping < m->nto)
		return RC_OK;
	log_warn(p->log, "submit.loop", KV("from", m->from),
	    KV("to", m->to[0].address), KVU("rcpts", m->nto));
	return RC_DENY;
}

/* What the directory gave the gateway, and the gateway us. */
static enum rc
check_rcpts(const struct dlv_plan *p, const struct dlv_submit *m)
{
	struct addr addr;

	for (size_t i = 0; i < m->nto; i++) {
		if (mail_addr_parse(p->a, m->to[i].address, &addr) != RC_OK ||
		    (m->to[i].dir_id.n == 0 && m->to[i].kind != DIR_ELSEWHERE))
			return RC_BAD;
	}
	return RC_OK;
}

/*
 * Between RCPT and the end of the message people come and go.  The answer
 * given at RCPT is good as long as the directory's own cache would repeat it;
 * after that it is asked again, because a mailbox of somebody who has vanished
 * is read by nobody.
 */
#define ASKED_MAX_MS 1000u

static enum rc
send_to(struct dlv_plan *p, const struct dlv_rcpt *to, struct str route)
{
	struct dlv_rcpt as = *to;

	as.kind = DIR_ELSEWHERE;
	as.route = route;
	return dlv_plan_send(p, &as);
}

static enum rc
copy_to(struct dlv_plan *p, const struct dlv_rcpt *to)
{
	if (!dlv_people_has(&p->seen, to->dir_id, STR("")))
		dlv_plan_tell(p, to, DLV_DELIVERED);
	return dlv_plan_mailbox(p, to->dir_id, to->address);
}

static enum rc
route_again(struct dlv_plan *p, struct dir_client *dir,
    const struct dlv_rcpt *to, struct deadline dl)
{
	struct dir_rcpt is = { 0 };
	enum rc rc = dir_by_id(dir, p->a, to->dir_id, dl, &is);

	if (rc == RC_OK)
		rc = is.rc;
	switch (rc) {
	case RC_OK:
		return is.kind == DIR_USER ? copy_to(p, to)
					   : send_to(p, to, is.route);
	case RC_NOENT:
		return dlv_plan_queue(
		    p, to, DLV_HELD, STR("no longer in the directory"));
	case RC_TEMP:
		return dlv_plan_queue(
		    p, to, DLV_READY, STR("directory gave no answer"));
	default:
		return dlv_plan_queue(p, to, DLV_HELD, STR("may not receive"));
	}
}

static enum rc
route_person(struct dlv_plan *p, struct dir_client *dir,
    const struct dlv_submit *m, const struct dlv_rcpt *to,
    const struct dlv_scan *scan, struct deadline dl)
{
	if (dlv_scan_loops(scan, to->address))
		return dlv_plan_queue(p, to, DLV_HELD,
		    STR("mail loop: Delivered-To names this address"));
	if (to->kind == DIR_USER && m->asked_ms > ASKED_MAX_MS)
		return route_again(p, dir, to, dl);
	if (to->kind == DIR_USER)
		return copy_to(p, to);
	return dlv_plan_send(p, to);
}

/* The group stays in the queue; `soon`: its rest is only waiting its turn. */
static enum rc
queue_group(struct dlv_plan *p, const struct dlv_rcpt *to, enum dlv_state state,
    struct str reason, bool soon)
{
	size_t before = p->nqueue;
	enum rc rc = dlv_plan_queue(p, to, state, reason);

	if (rc == RC_OK && soon && p->nqueue > before)
		p->queue[before].next_at = p->now;
	return rc;
}

static enum rc
route_group(struct dlv_plan *p, struct dir_client *dir,
    const struct dlv_rcpt *to, struct deadline dl)
{
	struct dir_rcpt *member;
	enum dlv_members how;
	size_t n;
	enum rc rc;

	if (dlv_people_has(&p->seen, to->dir_id, STR("")))
		return RC_OK; /* another name of a group already queued */
	if (dlv_plan_full(p))
		return queue_group(
		    p, to, DLV_READY, STR("waits for its turn"), true);
	log_debug(p->log, "group.expand", KV("group", to->dir_id));
	rc = dir_expand(dir, p->a, to->dir_id, dl, &member, &n);
	if (rc == RC_TEMP)
		return queue_group(
		    p, to, DLV_READY, STR("directory gave no answer"), false);
	if (rc != RC_OK)
		return queue_group(p, to, DLV_HELD,
		    STR("group is no longer in the directory"), false);
	dlv_plan_expanded(p, to->address, n);
	rc = dlv_plan_members(p, to, member, n, &how);
	if (rc != RC_OK)
		return rc;
	if (how == DLV_MEMBERS_ALL) {
		dlv_plan_tell(p, to, DLV_EXPANDED);
		return RC_OK;
	}
	return queue_group(
	    p, to, DLV_READY, dlv_reason_members(how), how == DLV_MEMBERS_FULL);
}

/* A group that is expanded later must know who has the message. */
static void
remember_people(struct dlv_plan *p)
{
	for (size_t i = 0; i < p->nqueue; i++) {
		if (p->queue[i].kind != DIR_GROUP)
			continue;
		p->queue[i].data = dlv_with_people(p, p->queue[i].data);
		return;
	}
}

/* Policy wants an administrator to look at it first. */
static enum rc
hold_all(struct dlv_plan *p, const struct dlv_submit *m)
{
	enum rc rc = RC_OK;

	p->for_admin = true;
	for (size_t i = 0; i < m->nto && rc == RC_OK; i++)
		rc = dlv_plan_queue(
		    p, &m->to[i], DLV_HELD, STR("held by policy"));
	if (rc == RC_OK)
		remember_people(p);
	return rc;
}

enum rc
dlv_route(struct dlv_plan *p, struct dir_client *dir,
    const struct dlv_submit *m, const struct dlv_scan *scan, struct deadline dl)
{
	enum rc rc = check_rcpts(p, m);

	p->junk = m->junk;
	p->envid = m->envid;
	p->ret = m->ret;
	if (rc == RC_OK)
		rc = check_loops(p, m, scan);
	if (rc == RC_OK && m->hold)
		return hold_all(p, m);
	for (size_t i = 0; i < m->nto && rc == RC_OK; i++) {
		if (m->to[i].kind != DIR_GROUP)
			rc = route_person(p, dir, m, &m->to[i], scan, dl);
	}
	for (size_t i = 0; i < m->nto && rc == RC_OK; i++) {
		if (m->to[i].kind == DIR_GROUP)
			rc = route_group(p, dir, &m->to[i], dl);
	}
	if (rc == RC_OK)
		remember_people(p);
	return rc;
}
