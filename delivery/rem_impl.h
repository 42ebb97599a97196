/*
 * rem_impl - what the parts of remote's loop know of each other.  Included by
 * delivery/rem_*.c and their tests only.  All of it is the loop thread's.
 */
#ifndef DELIVERY_REM_IMPL_H
#define DELIVERY_REM_IMPL_H

#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/un.h>

#define uthash_malloc(n)  xmalloc(n)
#define uthash_free(p, n) xfree(p)
#include <uthash.h>

#include "delivery/rem.h"
#include "delivery/rem_tls.h"

struct rem_event {
	struct rem_event *next;
	void (*run)(void *arg);
	void *arg;
};

/* One address to connect to. */
struct rem_target {
	struct str host; /* for texts, SNI and certificates */
	char ip[REM_IP_TEXT];
	struct sockaddr_storage sa;
	socklen_t sa_len;
	uint16_t port;
	bool loopback;
};

struct rem_mx {
	struct str name;
	uint16_t preference;
};

/* rem_route.c: from a hop to targets. */
struct rem_route {
	bool begun, ended;
	struct rem_mx mx[REM_HOSTS_MAX];
	size_t nmx, next_mx;
	struct rem_target targets[REM_HOSTS_MAX];
	size_t ntargets, next;
	unsigned lookups; /* that have not come back */
	/* The group that is asked about: mx[group] up to mx[next_mx]. */
	size_t group;
	struct dns_answer *answers; /* two for each host: A, AAAA */
	/* What was met on the way, for the verdict at the end. */
	bool temp, refused, self;
};

struct rem_waiter {
	struct rem_waiter *next;
	rem_answer *answer;
	void *arg;
};

struct rem_job {
	UT_hash_handle hh;
	struct rem_job *prev, *next; /* waiting */
	struct rem *rem;
	struct arena a;
	struct str id;
	struct rem_conf *conf;
	const struct rem_message *msg;
	struct rem_waiter *waiters;
	struct log log;
	struct deadline dl; /* ours: before the caller's */
	int64_t began;
	struct rem_hop hop;
	const struct rem_smart *smart;
	struct rem_route route;
	struct rem_target *target; /* the one in use */
	bool no_tls;               /* TLS failed there */
	struct rem_conn *conn;
	bool waiting, pool_tried, reached, unknown;
	bool probe; /* no message is sent */
	/* The part of the message's recipients that is on its way. */
	struct mail_client_rcpt rcpts[REM_RCPTS_MAX];
	size_t map[REM_RCPTS_MAX];
	struct mail_client_tx tx;
	struct mail_client_result last; /* why hosts failed */
	bool *set;                      /* has its result */
	struct rem_outcome out;
};

/* What became of a job, in one piece of memory. */
struct rem_kept {
	UT_hash_handle hh;
	struct rem_kept *prev, *next;
	int64_t at;
	size_t bytes;
	struct rem_outcome out;
	struct str id;
};

enum rem_conn_state { REM_CONNECTING, REM_HANDSHAKE, REM_TALKING };

struct rem_conn {
	struct rem_conn *prev, *next;             /* all */
	struct rem_conn *again_prev, *again_next; /* those with work left */
	bool again;
	struct rem *rem;
	struct rem_conf *conf;
	enum rem_conn_state state;
	int fd;
	bool readable, writable;
	bool ended;  /* the peer has closed, or the connection broke */
	bool dead;   /* not worth a QUIT */
	bool closed; /* to be freed at the end of this turn */
	gnutls_session_t tls;
	size_t tls_again; /* bytes of a record that is to be sent again */
	char tls_text[64];
	struct mail_client c;
	struct mail_client_conf cconf;
	char key[REM_HOP_MAX + 1], host[DNS_NAME_MAX + 1];
	char ip[REM_IP_TEXT];
	struct rem_job *job; /* NULL: idle */
	int64_t born, due, setup_due;
	/* What the time-out was set for. */
	enum mail_client_phase at_phase;
	unsigned at_pending;
	uint64_t at_sent;
	/* The body. */
	size_t prefix_at;
	uint64_t body_at;
	int64_t body_began; /* 0: not yet */
	uint64_t body_sent_from;
};

struct rem {
	struct log log;
	struct resolver *dns;
	struct rem_conf *conf;
	struct rem_tls *tls;
	struct rem_counts counts;
	int epoll_fd, wake_fd;
	pthread_t thread;
	pthread_mutex_t lock; /* guards the inbox, and */
	bool ended;           /* the loop has left */
	struct rem_event *inbox, **inbox_tail;
	bool stopping;
	struct deadline stop_dl;
	struct rem_job *jobs;          /* by id */
	struct rem_kept *known, *kept; /* by id; in order */
	struct rem_job *waiting;
	unsigned njobs;
	size_t kept_bytes;
	struct rem_conn *conns, *again, *closed;
	unsigned nconns, nidle;
	int64_t next_scan;
	char scratch[REM_CHUNK];
};

/* rem_loop.c */
void rem_post(struct rem *r, void (*run)(void *arg), void *arg);
void rem_wake_at(struct rem *r, int64_t at);

/* rem_job.c */
void rem_job_submit(struct rem *r, const struct rem_message *in, bool probe,
    struct deadline dl, rem_answer *answer, void *arg);
/* The server is ready for a message, and that is all we wanted to know. */
void rem_job_probed(struct rem_job *j, struct rem_conn *c);
/* Go on: the next host, or the end. */
void rem_job_next(struct rem_job *j);
/* This is why a host (or all) cannot be used. */
void rem_job_failed(struct rem_job *j, struct mail_client_result why);
/* The connection's message is over; its results are in c.to. */
void rem_job_collect(struct rem_job *j, struct rem_conn *c);
void rem_job_tick(struct rem *r, int64_t now);
void rem_jobs_stop(struct rem *r, bool all);
void rem_jobs_free(struct rem *r);
void rem_job_slot(struct rem *r); /* a connection is free */
struct mail_client_result rem_result(
    enum rc rc, const char *status, struct str text);

/* rem_route.c */
enum rem_routed { REM_ROUTE_TARGET, REM_ROUTE_WAIT, REM_ROUTE_END };
enum rem_routed rem_route_next(struct rem_job *j, struct rem_target **out);

/* rem_conn.c */
void rem_conn_open(struct rem_job *j, struct rem_target *t);
void rem_conn_event(struct rem_conn *c, uint32_t events);
void rem_conn_run(struct rem_conn *c);
void rem_conn_timeout(struct rem_conn *c);
void rem_conn_close(struct rem_conn *c);
/* Free those that were closed: nobody holds them any more. */
void rem_conns_bury(struct rem *r);
/* Give the job's message to a connection that is ready. */
void rem_conn_use(struct rem_conn *c, struct rem_job *j);
/* The job gives up. */
void rem_conn_abort(struct rem_conn *c, const char *status, struct str text);

/* rem_pool.c */
struct rem_conn *rem_pool_take(struct rem_job *j);
/* True: it is kept; false: the caller closes it. */
bool rem_pool_keep(struct rem_conn *c);
bool rem_pool_evict(struct rem *r); /* close one; false: there is none */
void rem_pool_clear(struct rem *r);

#endif
