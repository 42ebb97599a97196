/*
 * dlv_client - hand a message to delivery; look after the queue.
 *
 * Ownership  Slices that come out live in `a`.
 * Threads    Blocking calls: any worker.  The start form calls back on the
 *            client's own thread, which must not block.
 * Errors     submit: RC_OK it is durable (in mailboxes or in the queue) and
 *            may be answered 250; RC_TEMP unknown or not now: 4xx, and the
 *            same id may be submitted again; RC_BAD malformed;
 *            RC_DENY refused for good (loop).
 */
#ifndef DLV_CLIENT_H
#define DLV_CLIENT_H

#include "delivery/rem_client.h"
#include "directory/dir_client.h"

#define DLV_COPIES_MAX 50u /* blind copies beside recipients_max */

/* States of a queue entry. */
enum dlv_state {
	DLV_READY = 1, /* to be tried at next_at */
	DLV_HELD,      /* waits for an administrator (or a later route) */
	DLV_POISON,    /* was in flight when a process died twice */
	DLV_DONE,      /* decided; the sender has yet to be told */
};

struct dlv_client;
struct dlv_client *dlv_client_new(
    const struct log *log, const char *path, unsigned max_conns);
void dlv_client_free(struct dlv_client **d);

struct dlv_rcpt {
	struct str address; /* as given, canonical */
	enum dir_kind kind; /* what the directory said at RCPT */
	struct str dir_id;  /* "" with DIR_ELSEWHERE: a foreign address */
	struct str route;   /* DIR_ELSEWHERE: what the directory said */
	unsigned notify;    /* enum rem_notify */
	struct str orcpt;   /* "rfc822;xtext" as given, "" none */
};

struct dlv_submit {
	struct str id;        /* 16 random bytes, one for each DATA */
	struct str from;      /* return path, "" is null */
	struct str submitter; /* account id, "" if unauthenticated */
	struct str sid;       /* session id, for logs */
	struct str client_ip;
	const struct dlv_rcpt *to;
	size_t nto;
	struct str trace; /* Received field(s) of this gateway */
	struct str edits; /* header fields added for all (Date, ...) */
	struct str inline_data;
	int fd; /* sealed memfd or spool file; -1: inline */
	uint64_t size;
	int64_t received_at;
	uint64_t asked_ms; /* since the directory was asked about `to` */
	bool junk;         /* copies go to the mailbox Junk */
	bool hold;         /* all stays in the queue for an administrator */
	struct str envid;  /* xtext as given, "" none */
	enum rem_ret ret;
};

struct dlv_submitted {
	struct str queue_id;
	uint64_t delivered, queued; /* recipients now and later */
};

MUST_CHECK enum rc dlv_submit(struct dlv_client *d, struct arena *a,
    const struct dlv_submit *in, struct deadline dl, struct dlv_submitted *out);
void dlv_submit_start(struct dlv_client *d, const struct dlv_submit *in,
    struct deadline dl,
    void (*done)(void *arg, enum rc rc, const struct dlv_submitted *out),
    void *arg);

/*
 * For `gatepost queue`: JSON texts.  A list is one page,
 * {"messages":[...],"next":ID}; without "next" it was the last one, else
 * continue after ID.
 */
MUST_CHECK enum rc dlv_queue_list(struct dlv_client *d, struct arena *a,
    struct deadline dl, struct str *out_json);
MUST_CHECK enum rc dlv_queue_list_after(struct dlv_client *d, struct arena *a,
    struct str after, struct deadline dl, struct str *out_json);
MUST_CHECK enum rc dlv_queue_show(struct dlv_client *d, struct arena *a,
    struct str queue_id, struct deadline dl, struct str *out_json);
/* "" or "all": every message. */
MUST_CHECK enum rc dlv_queue_retry(struct dlv_client *d, struct str queue_id,
    struct deadline dl, uint64_t *out_entries);
MUST_CHECK enum rc dlv_queue_delete(struct dlv_client *d, struct str queue_id,
    struct deadline dl, uint64_t *out_entries);
/* Held mail is not tried and does not expire until it is released. */
MUST_CHECK enum rc dlv_queue_hold(struct dlv_client *d, struct str queue_id,
    struct deadline dl, uint64_t *out_entries);
MUST_CHECK enum rc dlv_queue_release(struct dlv_client *d, struct str queue_id,
    struct deadline dl, uint64_t *out_entries);

/*
 * store_queued.data of an entry that an administrator holds: it does not
 * expire. Damaged data stays as it is, and says nothing about waiting either.
 */
struct str dlv_entry_held(struct arena *a, struct str data);

#endif
