/*
 * rpcd - the serving side of ipc for a handful of trusted peers.
 *
 * Workers wait on one epoll set; a readable connection is handed to exactly
 * one of them, which reads one frame, gives the connection back, and runs the
 * handler.  The kernel's ready list is the request queue, so a request costs
 * no hand-over between threads.
 *
 * Threads    Handlers run on workers, several at a time; a reply may be sent
 *            later from any thread.
 * Errors     A peer that is not allowed, or breaks the framing, is closed and
 *            logged.  A request whose deadline has passed is answered RC_TEMP
 *            without running the handler.
 * Limits     max_conns connections; 5 s for the rest of a begun frame.
 */
#ifndef LIB_RPCD_H
#define LIB_RPCD_H

#include <sys/types.h>

#include "lib/ipc.h"

struct rpcd;
struct rpcd_conn;

/* One request.  Freed by its reply. */
struct rpcd_req {
	uint16_t op;
	struct ipc_in in;   /* its fields */
	struct ipc_msg out; /* the answer's fields */
	struct arena a;     /* lives as long as the request */
	struct deadline dl;
	uid_t uid; /* who asks (SO_PEERCRED) */
	pid_t pid;
	void *worker; /* what worker_init returned */
	struct rpcd *rpcd;
	struct rpcd_conn *conn;
	struct ipc_msg msg;
	uint32_t id;
};

enum rpcd_next {
	RPCD_REPLY, /* send req->out with *rc now */
	RPCD_LATER, /* somebody calls rpcd_reply(req, rc) */
};

struct rpcd_conf {
	const char *name;
	int listen_fd; /* borrowed */
	unsigned workers;
	unsigned max_conns;
	const uid_t *uids; /* who may connect; our own uid always may */
	size_t nuids;
	/* Per-worker state; both may be NULL. */
	void *(*worker_init)(void *ctx);
	void (*worker_free)(void *ctx, void *worker);
	enum rpcd_next (*handle)(void *ctx, struct rpcd_req *r, enum rc *rc);
	/* A connection that had subscribed is gone; may be NULL. */
	void (*gone)(void *ctx, struct rpcd_conn *conn);
	void *ctx;
};

struct rpcd *rpcd_start(const struct log *log, const struct rpcd_conf *conf);
/* Stop taking requests, finish those that run (until dl), join. */
void rpcd_stop(struct rpcd **d, struct deadline dl);
void rpcd_reply(struct rpcd_req *r, enum rc rc);
/*
 * A connection kept for pushes: take a reference in the handler of the
 * subscribing request, push from any thread.  A push never blocks: a peer
 * whose socket is full is marked and told "overflow" by closing it, upon
 * which it subscribes again and reads everything anew.
 */
struct rpcd_conn *rpcd_conn_ref(struct rpcd_req *r);
void rpcd_conn_unref(struct rpcd_conn **conn);
MUST_CHECK enum rc rpcd_push(struct rpcd_conn *conn, struct ipc_msg *m);

#endif
