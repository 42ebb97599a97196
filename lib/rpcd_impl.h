/*
 * rpcd_impl - what rpcd's parts share: the daemon with its workers
 * (rpcd.c), its requests (rpcd_req.c), and the output of its connections
 * (rpcd_conn.c).
 *
 * Ownership  A connection is counted: one for the table, one for each request
 *            in work, one for each reference that a handler took.  Its
 *            descriptor is closed with the last, so that a late answer cannot
 *            meet another peer.
 */
#ifndef LIB_RPCD_IMPL_H
#define LIB_RPCD_IMPL_H

#include <stdatomic.h>

#include "lib/ipc_impl.h"
#include "lib/rpcd.h"

#define RPCD_CHUNK       32768u
#define RPCD_PARTIAL_NS  5000000000 /* for the rest of a begun frame */
#define RPCD_OUT_MAX     (2u * IPC_FRAME_MAX) /* unread answers, bytes */
#define RPCD_KEPT_MAX    64u /* requests kept for the next use */
#define RPCD_KEPT_BYTES  65536u
#define RPCD_GATHER      16 /* frames in one sendmsg */
#define RPCD_EVENTS      8
#define RPCD_SLOT_LISTEN UINT32_MAX
#define RPCD_SLOT_WORK   (UINT32_MAX - 1)

/* An answer that did not fit into the socket. */
struct rpcd_out {
	struct ipc_msg m;
	size_t off;
	struct rpcd_out *next;
};

struct rpcd_conn {
	struct rpcd *d;
	atomic_uint refs;
	int fd;
	uint32_t slot;
	uid_t uid;
	pid_t pid;
	/* Reading; the one that set `busy` owns the reader. */
	struct ipc_reader r;
	bool busy, again;              /* under d->lock */
	_Atomic int64_t partial_since; /* 0: no frame begun */
	atomic_bool subscribed;
	/* Writing. */
	pthread_mutex_t out_lock;
	struct rpcd_out *out, **out_tail;
	size_t out_bytes;
	bool sending; /* one thread is */
	bool armed;   /* the socket was full: a worker goes on */
	bool dead;    /* nothing more can be sent */
};

struct rpcd_slot {
	struct rpcd_conn *conn;
	uint32_t generation;
};

/* A request with its links; `r` comes first. */
struct rpcd_item {
	struct rpcd_req r;
	struct rpcd_item *next;
};

struct rpcd {
	struct log log;
	struct rpcd_conf conf;
	char name[32];
	uid_t *uids;
	int epoll_fd;
	int work_fd; /* written: there is work in the queue, or stop */
	pthread_t *threads;
	atomic_uint refs;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t idle;
	struct rpcd_slot *slots;
	unsigned nconns;
	struct rpcd_item *queue, **queue_tail;
	struct rpcd_item *kept;
	unsigned nkept;
	unsigned live;    /* requests not yet answered */
	unsigned running; /* workers */
	atomic_bool stop;
	atomic_uint partials;
};

void rpcd_release(struct rpcd *d);

/* rpcd_req.c */
struct rpcd_item *rpcd_item_new(struct rpcd *d);
/* `live`: it had been handed out as a request. */
void rpcd_item_free(struct rpcd *d, struct rpcd_item *item, bool live);
/* Run the handler, and answer if it is done. */
void rpcd_run(struct rpcd *d, struct rpcd_item *item, void *worker);
void rpcd_wake_one(struct rpcd *d);
/* *more: there is work for another worker. */
struct rpcd_item *rpcd_queue_pop(struct rpcd *d, bool *more);
/* Until nothing is left: quick requests never wait for another thread. */
void rpcd_run_queue(struct rpcd *d, void *worker);
/* What had been read and nobody had begun: the client asks again. */
void rpcd_drop_queue(struct rpcd *d);

/* rpcd_conn.c */
void rpcd_conn_get(struct rpcd_conn *c);
void rpcd_conn_put(struct rpcd_conn *c);
/* Send or queue; false: the connection is of no more use. */
bool rpcd_conn_send(struct rpcd_conn *c, struct ipc_msg *m);
void rpcd_conn_flush(struct rpcd_conn *c);
uint64_t rpcd_event_key(const struct rpcd_conn *c);

#endif
