/*
 * dlv_plan - where the copies of one message go: mailboxes now, entries that
 * stay in the queue.
 *
 * Every copy goes through one set of people, so each person gets one, whether
 * addressed directly, by an alias, through several groups, or by an earlier
 * commit of the same message.
 *
 * Ownership  Everything lives in the arena given at init; the conf is
 *            borrowed.
 * Threads    One owner; does no I/O.
 * Errors     RC_BAD: an id or an address that no healthy peer sends.
 * Limits     DLV_BATCH_MAX copies and entries, and about DLV_BATCH_BYTES of
 *            prefixes, in one commit; a larger group goes on in the queue,
 *            batch by batch.  All entries of one message take about
 *            DLV_ENTRY_BYTES at most: the store reads them in one piece.
 */
#ifndef DLV_PLAN_H
#define DLV_PLAN_H

#include "conf/conf.h"
#include "delivery/dlv_client.h"
#include "delivery/dlv_entry.h"
#include "delivery/dlv_people.h"
#include "mail/route.h"
#include "store/store_client.h"

#define DLV_BATCH_MAX   3000u /* and DIR_RCPTS_MAX: below the store's 4096 */
#define DLV_BATCH_BYTES (3u << 20)
#define DLV_ENTRY_BYTES (3u << 20)

/* A group that was taken apart, or the address where somebody's mail goes. */
struct dlv_expanded {
	struct str address;
	size_t members;
	struct str whose; /* the latter; else empty */
};

struct dlv_queue;

struct dlv_plan {
	struct arena *a;
	const struct log *log;
	const struct conf *conf;
	int64_t now;              /* unix seconds */
	int64_t expires_at;       /* of new queue entries */
	uint32_t jitter;          /* random, for back-off */
	struct str from;          /* the envelope's, "" is null */
	struct str return_path;   /* the field */
	struct dlv_queue *places; /* knows which are down; may be NULL */
	bool for_admin;           /* what is held does not expire */
	struct str envid;
	enum rem_ret ret;
	struct str trace;       /* the gateway's fields */
	bool junk;              /* copies go to the mailbox Junk */
	struct dlv_people seen; /* who has a copy, or an entry */
	struct store_delivery *to;
	size_t nto, to_room;
	struct store_queued *queue;
	size_t nqueue, queue_room;
	struct dlv_expanded *expanded;
	size_t nexpanded, expanded_room;
	size_t bytes;       /* of all prefixes in this batch */
	size_t entry_bytes; /* of the message's entries, old and new */
};

/* from: canonical text or "". */
MUST_CHECK enum rc dlv_plan_init(struct dlv_plan *p, struct arena *a,
    const struct log *log, const struct conf *conf, struct str from,
    struct str trace, int64_t now, uint32_t jitter);
/* A batch is full: commit it before adding more. */
bool dlv_plan_full(const struct dlv_plan *p);
/*
 * A copy into somebody's INBOX, or Junk if the plan says so, unless they have
 * one; with a prefix made here or kept from an earlier time.
 */
MUST_CHECK enum rc dlv_plan_copy(
    struct dlv_plan *p, struct str id, struct str prefix);
MUST_CHECK enum rc dlv_plan_mailbox(
    struct dlv_plan *p, struct str id, struct str address);
/*
 * An entry of its own, unless the person has a copy or one already.  A group's
 * entry keeps only the trace; its members' prefixes are made when it expands.
 */
MUST_CHECK enum rc dlv_plan_queue(struct dlv_plan *p,
    const struct dlv_rcpt *rcpt, enum dlv_state state, struct str reason);
/*
 * To another system: an entry that is sent at once, or held when no route is
 * known.  rcpt->route: what the directory said.
 */
MUST_CHECK enum rc dlv_plan_send(
    struct dlv_plan *p, const struct dlv_rcpt *rcpt);
/* If the sender wants to know that it arrived: an entry that says so. */
void dlv_plan_tell(
    struct dlv_plan *p, const struct dlv_rcpt *rcpt, enum dlv_action action);
/*
 * What the directory said about one person; `rcpt` is how the message named
 * them.  RC_DENY: this person may not receive and nothing was planned.
 */
MUST_CHECK enum rc dlv_plan_person(
    struct dlv_plan *p, const struct dlv_rcpt *rcpt, const struct dir_rcpt *is);
/* How far a group's people are planned. */
enum dlv_members {
	DLV_MEMBERS_ALL,
	DLV_MEMBERS_FULL,    /* the batch is full: go on with the rest now */
	DLV_MEMBERS_UNKNOWN, /* the directory could not say who some are */
	DLV_MEMBERS_CROWDED, /* no more of them fit into the queue */
};
void dlv_plan_expanded(struct dlv_plan *p, struct str address, size_t members);
/* To be told, if the route changes the address. */
void dlv_plan_forwarded(
    struct dlv_plan *p, struct str whose, const struct mail_route *route);
MUST_CHECK enum rc dlv_plan_members(struct dlv_plan *p,
    const struct dlv_rcpt *group, const struct dir_rcpt *member, size_t n,
    enum dlv_members *out);

/* The hop of an entry, "" if it is none to send to another system now. */
struct str dlv_plan_hop(
    struct arena *a, const struct conf *conf, const struct store_queued *q);

/* Why a group stays in the queue after that. */
struct str dlv_reason_members(enum dlv_members how);
/* What an entry weighs. */
size_t dlv_entry_bytes(const struct store_queued *q);

/* Seconds until the next try: doubling, between min and max, +-12 %. */
int64_t dlv_backoff(const struct conf *conf, uint32_t attempts, uint32_t rnd);
/* The prefix of one recipient; Delivered-To only for an address of mail. */
MUST_CHECK enum rc dlv_prefix(
    const struct dlv_plan *p, struct str address, struct str *out);
/* Where it is sent now, and under which address if by another one. */
struct str dlv_reason_goes(
    struct arena *a, struct str address, const struct mail_route *route);
/* "elsewhere: ..." as text for people. */
struct str dlv_reason_elsewhere(struct arena *a, struct str route);
/* Carry the set of people in an entry. */
struct str dlv_with_people(struct dlv_plan *p, struct str data);

#endif
