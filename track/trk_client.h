/*
 * trk_client - tell the track process what happened to messages.
 *
 * What `gatepost trace` and `gatepost report` show.  Telling never waits and
 * never fails: events are gathered and sent in batches by a thread of the
 * client; when track does not keep up, the oldest are dropped and counted.
 * Nothing that matters may depend on an event having arrived.
 *
 * Ownership  The event is copied before trk_tell returns.
 * Threads    Any.
 * Limits     TRK_WAITING_MAX events wait in a process; texts are cut to
 *            TRK_TEXT_MAX bytes; of one commit of a message at most
 *            TRK_RCPTS_MAX recipients are told one by one.
 */
#ifndef TRACK_TRK_CLIENT_H
#define TRACK_TRK_CLIENT_H

#include "lib/ipc.h"

#define TRK_WAITING_MAX 10000u
#define TRK_TEXT_MAX    512u
#define TRK_RCPTS_MAX   1000u

enum trk_kind {
	/*
	 * mx, access: a client that goes on to do something.  `host` is what
	 * it said in HELO, `from` who logged in, `text` its TLS.
	 */
	TRK_CONNECT = 1,
	TRK_REJECT,   /* a recipient or message refused for good (5xx) */
	TRK_DEFER_IN, /* refused for now (4xx) */
	/*
	 * 250 was said: links sid to qid.  A notice of ours has no client_ip,
	 * and the qid of the message that it is about for its sid.
	 */
	TRK_ACCEPT,
	TRK_POLICY, /* verdict: spf, dkim, dmarc in `text` */
	TRK_EXPAND, /* a group or map turned one recipient into others */
	/* Into the mailbox `text`; nrcpt > 1: so many that are not told. */
	TRK_DELIVER,
	TRK_QUEUE,  /* stays in the queue, and why */
	TRK_SEND,   /* another server took it; its reply in `text` */
	TRK_DEFER,  /* another try later; the reply in `text` */
	TRK_BOUNCE, /* given up; a notice goes back */
	TRK_HOLD,
	TRK_DELETE,  /* by an administrator */
	TRK_FORWARD, /* it goes to this address for the one in `text` */
};

struct trk_event {
	enum trk_kind kind;
	int64_t at_ms;         /* unix milliseconds; 0: now */
	struct str sid;        /* session id, "" none */
	struct str qid;        /* queue id, "" none */
	struct str message_id; /* Message-ID with brackets, "" not known */
	struct str client_ip, from;
	struct str rcpt; /* the one this is about, "" all or none */
	struct str host; /* other server: name [ip] */
	struct str code; /* "550 5.1.1", "" none */
	struct str text; /* reason or reply, one line */
	uint64_t size, nrcpt;
};

struct trk_client;
struct trk_client *trk_client_new(const struct log *log, const char *path);
/* Sends what waits, for a second at most. */
void trk_client_free(struct trk_client **t);
/* t may be NULL: nothing is tracked. */
void trk_tell(struct trk_client *t, const struct trk_event *e);

#endif
