/*
 * netd_impl - the insides of netd, shared by the lib/netd*.c files and by
 * nobody else.
 *
 * Where a session is: `out` false means its reactor has it, true means a run
 * queue or a worker has it.  The reactor sets it when it hands the session
 * over and clears it when the session comes back through the reactor's return
 * list; both lists are locked, which orders all other accesses.  Fields under
 * "the reactor's" are touched by the reactor's thread alone, wherever the
 * session is; all others by whoever has the session.
 */
#ifndef LIB_NETD_IMPL_H
#define LIB_NETD_IMPL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include <gnutls/gnutls.h>

#include "lib/netd.h"

#define NETD_SCRATCH     (64u << 10) /* one read */
#define NETD_RECORD      (16u << 10) /* TLS: plain bytes in one record */
#define NETD_RAW_MAX     (64u << 10) /* TLS: encrypted ahead of the socket */
#define NETD_RELAY_MAX   (64u << 10) /* relay: waiting for one side */
#define NETD_STALL_MS    120000
#define NETD_GRACE_MS    30000
#define NETD_LINGER_MS   2000
#define NETD_HALF_MS     10000 /* relay: after one side has closed */
#define NETD_LEAVE_MS    2000  /* relay: after the stop */
#define NETD_UNITS       16    /* of one session before others get a turn */
#define NETD_IP_LEN      NET_TEXT_MAX
#define NETD_SID_LEN     10u
#define NETD_NEVER       INT64_MAX
#define NETD_ACCEPT_WAIT 200 /* ms without accept after EMFILE */

enum netd_phase {
	NP_PROXY, /* the balancer's header, then as without one */
	NP_HANDSHAKE,
	NP_SERVING,
	NP_RELAY,
	NP_CLOSING, /* the service is done; output, then linger */
	NP_DEAD,    /* descriptors closed; the service's close() may be due */
};

/* Low bits of an epoll event's data: whose descriptor it is. */
enum {
	NETD_TAG_CLIENT,
	NETD_TAG_RELAY,
	NETD_TAG_LISTENER,
	NETD_TAG_KICK,
	NETD_TAG_MASK = 3
};

enum netd_job { JOB_UNIT, JOB_HANDSHAKE, JOB_CLOSE };

/* What a descriptor is good for, as far as epoll has told. */
enum {
	EV_IN = 1,
	EV_EOF = 2,      /* a read has returned 0, or an error */
	EV_HUP = 4,      /* the peer has closed at least its side */
	EV_BLOCKED = 8,  /* a write would block; EPOLLOUT is armed */
	EV_POLL_OUT = 16 /* EPOLLOUT is in the set */
};

/* Sessions of one source address. */
struct netd_source {
	struct netd_source *next;
	struct net_addr key; /* net_source */
	unsigned n;
};

struct netd_local {
	char ip[NETD_IP_LEN];
	uint16_t port;
};

struct netd_waker {
	atomic_uint refs;
	pthread_mutex_t lock;
	struct netd_conn *c; /* NULL: the session is gone */
	bool queued;         /* in the reactor's list, which has a reference */
	struct netd_waker *next;
};

struct netd_conn {
	/* fixed */
	struct netd *d;
	struct netd_reactor *r;
	const struct netd_listener *l;
	struct netd_source *src;
	struct log log;
	char sid[NETD_SID_LEN + 2];
	char ip[NETD_IP_LEN];
	uint16_t port;
	uid_t uid; /* AF_UNIX: of the peer */
	int64_t opened_at;

	/* the reactor's */
	int fd, relay_fd;
	uint8_t ev, relay_ev;
	bool out;       /* at a worker */
	bool dead;      /* descriptors closed */
	bool woken;     /* UNIT_WAKE is due */
	bool stop_told; /* UNIT_STOP was given */
	bool again;     /* in the reactor's list of those who used up a turn */
	bool shut, relay_shut;
	uint32_t timer_at; /* place in the heap, 0 = none */
	int64_t timer_key; /* what the heap is ordered by */
	int64_t due;       /* when it is really due; >= timer_key */
	int64_t out_since, out_moved_at;
	uint64_t out_moved; /* bytes written since out_since */
	int64_t relay_moved_at;
	int64_t linger_until;
	struct netd_conn *prev, *next_conn;

	/* the owner's */
	enum netd_phase phase;
	enum netd_job job;
	enum netd_unit_kind kind;
	size_t unit_n;
	enum next next;
	void *session;
	struct netd_conn *qnext; /* run queue, return list, dead list */
	struct buf in;           /* received; relay: waiting for the far side */
	size_t in_off;
	size_t in_seen;   /* frame() has seen this much and wants more */
	struct buf out_b; /* to be sent, plain */
	size_t out_off;
	struct buf raw; /* TLS: encrypted, to be written */
	size_t raw_off;
	struct buf rin;     /* TLS: read and not yet decrypted */
	struct buf first_b; /* relay: goes before the input */
	gnutls_session_t tls;
	struct str pull; /* what the TLS library may read now */
	struct netd_waker *waker;
	struct netd_local *local; /* asked on demand */
	int timeout_ms;
	int64_t wait_from, wake_at, unit_from;
	int64_t rate_from; /* netd_expect_rate; 0 = off */
	uint64_t rate_n;   /* bytes of units since then */
	bool authenticated;
	bool first;   /* no UNIT_DATA yet */
	bool secured; /* the handshake is complete */
	bool restart; /* the wait for input begins anew */
	bool amid;    /* the last UNIT_DATA was no whole line */
	atomic_bool gone;
};

struct netd_reactor {
	struct netd *d;
	pthread_t thread;
	unsigned index;
	int epfd, evfd;
	/* From other threads: newest first, taken all at once. */
	_Atomic(struct netd_conn *) back;
	_Atomic(struct netd_waker *) wakes;
	atomic_bool asleep; /* whoever brings something has to kick */
	/* the thread's own */
	struct netd_conn *conns;
	struct netd_conn *turn; /* run again before the next sleep */
	struct netd_conn *dead; /* freed at the end of the round */
	struct netd_conn **heap;
	uint32_t nheap, heap_size; /* heap[1..nheap] */
	int64_t now;               /* ms, read once per round */
	int64_t accept_at;         /* listeners are out of the set until then */
	bool listening;
	bool stopping;
	char *scratch;    /* NETD_SCRATCH */
	char *plain;      /* relay: decrypted, 2 * NETD_SCRATCH */
	struct buf spare; /* lent to whoever encrypts */
};

struct netd_worker {
	struct netd *d;
	pthread_t thread;
	sem_t work;
	struct netd_worker *next; /* in the pool's idle stack */
};

struct netd_pool {
	pthread_mutex_t lock;
	struct netd_conn *head[2], **tail[2]; /* strangers, authenticated */
	unsigned strangers;                   /* workers busy with strangers */
	struct netd_worker *idle; /* asleep; the one that slept last first */
	bool waking;              /* one was woken and is not here yet */
	bool quit;
};

struct netd {
	const struct log *log;
	struct netd_conf conf;
	struct netd_listener *listeners;
	uid_t *uids;
	struct netd_reactor *reactors;
	struct netd_worker *workers;
	unsigned nthreads; /* workers started */
	struct netd_pool pool;
	pthread_mutex_t tls_lock;
	struct tls_ctx *tls;
	pthread_mutex_t src_lock;
	struct netd_source **src;
	struct net *proxy_from;
	size_t src_mask;
	atomic_uint sessions, authenticated;
	_Atomic uint64_t accepted, refused, sid;
	_Atomic int64_t refused_said; /* ms: last time it was logged */
	_Atomic int64_t stop_due;     /* ms; NETD_NEVER = not stopping */
};

int64_t netd_now(void); /* CLOCK_MONOTONIC in ms */

/* netd_timer.c: a heap per reactor. */
void netd_timer_set(struct netd_conn *c, int64_t due);
void netd_timer_drop(struct netd_conn *c);
/* Somebody whose time has come, or NULL. */
struct netd_conn *netd_timer_pop(struct netd_reactor *r);
/* Milliseconds until the next one, -1 if there is none. */
int netd_timer_wait(const struct netd_reactor *r);

/* netd_pool.c */
bool netd_pool_start(struct netd *d);
void netd_pool_stop(struct netd *d);
void netd_pool_submit(struct netd_conn *c, enum netd_job job);
/* Run one unit; the caller has the session. */
enum next netd_call(struct netd_conn *c, enum netd_unit_kind kind, size_t n);
/* The next unit in the input, 0 if there is none yet. */
size_t netd_frame(struct netd_conn *c);

/* netd_reactor.c */
bool netd_reactor_init(struct netd_reactor *r, struct netd *d);
void netd_reactor_free(struct netd_reactor *r);
void *netd_reactor_main(void *arg);
void netd_reactor_kick(struct netd_reactor *r);
void netd_reactor_return(struct netd_conn *c);
void netd_reactor_wake(struct netd_reactor *r, struct netd_waker *w);
/* Run again in this round, after the others. */
void netd_reactor_again(struct netd_conn *c);

/* netd_accept.c */
bool netd_listen(struct netd_reactor *r, bool on);
void netd_accept(struct netd_reactor *r, const struct netd_listener *l);
void netd_source_put(struct netd_conn *c);
/* The connection has its true addresses: count it and begin. */
void netd_admit(struct netd_conn *c, const struct net_addr *client);
/* Not to be served after all: logged (not too often), closed. */
void netd_refuse(struct netd_conn *c, const char *why);

/* netd_proxy.c */
void netd_proxy_run(struct netd_conn *c);

/* netd_serve.c: what a session does while its reactor has it. */
void netd_run(struct netd_conn *c);
void netd_greet(struct netd_conn *c); /* UNIT_OPEN */
void netd_timed_out(struct netd_conn *c);
/* Close the descriptors now, let the service close, then free. */
void netd_drop(struct netd_conn *c);
void netd_finish(struct netd_conn *c); /* flush, then close */
void netd_park(struct netd_conn *c);
void netd_conn_free(struct netd_conn *c);
void netd_waker_detach(struct netd_conn *c);

/* netd_io.c */
enum fill { FILL_GOT, FILL_NONE, FILL_EOF, FILL_ERROR };
/* Read once and append to the input. */
enum fill netd_fill(struct netd_conn *c);
/* Relay: read once; *out is in scratch memory of the reactor. */
enum fill netd_fill_scratch(struct netd_conn *c, struct str *out);
/* Write what the socket takes; false when the connection is broken. */
bool netd_flush(struct netd_conn *c);
bool netd_flushed(const struct netd_conn *c);
/* send(2): bytes written, 0 when it blocks, -1 when broken. */
ssize_t netd_send(int fd, uint8_t *ev, struct str s);
void netd_arm_out(struct netd_conn *c, bool relay);
enum fill netd_read(int fd, uint8_t *ev, char *p, size_t size, size_t *n);
bool netd_watch(struct netd_conn *c, bool relay);
/* Encrypt s into c->raw; false: broken. */
bool netd_encrypt(struct netd_conn *c, struct str s);

/* netd_tls.c */
void netd_tls_free(struct netd_conn *c);
/* Worker: go on with the handshake: RC_OK done, RC_TEMP more input, RC_BAD. */
enum rc netd_tls_step(struct netd_conn *c);
void netd_tls_bye(struct netd_conn *c);

/* netd_relay.c */
void netd_relay_begin(struct netd_conn *c);
void netd_relay_run(struct netd_conn *c);

static inline struct str
netd_in(const struct netd_conn *c)
{
	return (struct str){ c->in.p ? c->in.p + c->in_off : NULL,
		c->in.n - c->in_off };
}

static inline size_t
netd_out(const struct netd_conn *c)
{
	return c->out_b.n - c->out_off;
}

#endif
