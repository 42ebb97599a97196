/*
 * netd - many clients, few threads.
 *
 * Reactors (one per core) own sockets, TLS records, framing, time-outs and
 * output; a bounded pool of workers runs handlers.  A session is in exactly
 * one place: a reactor, a run queue, or a worker.  A handler gets one unit,
 * may block on a back-end (with a deadline), writes replies into the
 * session's output buffer, and returns what the session wants next.
 *
 * Ownership  netd owns the connection; the service owns what open() made and
 *            frees it in close().  Unit data is valid during the call only.
 * Threads    All callbacks of one session run one at a time: frame(), quick()
 *            and, for clear listeners, open() on a reactor (they must not
 *            block), or on the worker that has the session; unit() on a worker
 *            (on the reactor if quick() said so); close() on a worker.
 *            netd_wake may be called from any thread.
 * Errors     A handler cannot fail: it replies and returns NEXT_CLOSE.
 * Limits     All in struct netd_conf; a session past one is closed, with the
 *            service's own words if it has any (UNIT_TIMEOUT, UNIT_TOO_LONG).
 */
#ifndef LIB_NETD_H
#define LIB_NETD_H

#include <sys/types.h>

#include "lib/log.h"
#include "lib/net.h"
#include "lib/tls.h"

struct netd;
struct netd_conn;

enum netd_unit_kind {
	UNIT_OPEN,     /* just accepted (after the handshake if implicit TLS) */
	UNIT_DATA,     /* what frame() cut off: a line, lines, or a chunk */
	UNIT_WAKE,     /* netd_wake was called */
	UNIT_DRAINED,  /* output fell below the low-water mark */
	UNIT_TLS,      /* the handshake after NEXT_TLS is complete */
	UNIT_TIMEOUT,  /* nothing came in time; say so and NEXT_CLOSE */
	UNIT_TOO_LONG, /* frame() found no unit in a full input buffer */
	UNIT_STOP,     /* the daemon stops: say goodbye and NEXT_CLOSE */
};

struct netd_unit {
	enum netd_unit_kind kind;
	struct str data; /* UNIT_DATA; mutable memory of the reactor */
};

enum next {
	NEXT_INPUT, /* wait for the next unit of input */
	NEXT_WAIT,  /* nothing until netd_wake (input stays unread); a wake
		       that came earlier counts */
	NEXT_IDLE,  /* input or netd_wake, whatever comes first (IMAP IDLE) */
	NEXT_DRAIN, /* call me when there is room in the output again */
	NEXT_TLS,   /* flush, then handshake; buffered clear text is an error:
		       netd closes the connection if there is any */
	NEXT_RELAY, /* from now on shovel bytes to and from the relay fd */
	NEXT_CLOSE, /* flush, then close */
	NEXT_ABORT, /* close at once */
};

struct netd_ops {
	/* Make a session for c; NULL refuses (closed at once). */
	void *(*open)(void *ctx, struct netd_conn *c);
	/*
	 * How many of these buffered bytes are the next unit?  0: more is
	 * needed.  Never blocks; called again with the same start when more
	 * arrived.
	 */
	size_t (*frame)(void *session, struct str in);
	enum next (*unit)(
	    void *session, struct netd_conn *c, const struct netd_unit *u);
	void (*close)(void *session);
	/*
	 * May be NULL.  True: this unit cannot block (no back-end, no disk, no
	 * lock that is held for long), so the reactor runs it itself and saves
	 * two hand-overs.
	 */
	bool (*quick)(void *session, const struct netd_unit *u);
};

struct netd_listener {
	int fd; /* borrowed until netd_stop has returned */
	bool implicit_tls;
	const struct netd_ops *ops;
	void *ctx;       /* for open() */
	unsigned tag;    /* netd_tag(c): which listener it was */
	struct str busy; /* instead of the one for all, if not empty */
	bool any_uid;    /* AF_UNIX: whoever can open it may connect */
	bool proxy;      /* clients come through a balancer: PROXY v2 */
};

struct netd_conf {
	const char *name;
	unsigned reactors; /* 0 is not allowed */
	unsigned workers;
	unsigned max_sessions;    /* above: `busy` is sent and it closes */
	struct str busy;          /* "421 4.3.2 ...\r\n"; may be empty */
	size_t in_max;            /* input buffer: longest unit, bytes */
	size_t out_high, out_low; /* output water marks, bytes */
	int first_timeout_ms;     /* until the first unit */
	int handshake_timeout_ms;
	int min_rate; /* bytes/s when a unit trickles in */
	const struct netd_listener *listeners;
	size_t nlisteners;
	struct tls_ctx *tls; /* referenced; may be NULL */
	/* 0 in these chooses the default named behind them. */
	unsigned max_per_source; /* sessions of one address (IPv6: one /64);
				    max_sessions / 4 */
	int stall_timeout_ms;    /* output makes no headway; 120 s */
	int trickle_grace_ms;    /* before min_rate counts; 30 s */
	/* AF_UNIX listeners: who may connect beside our own uid. */
	const uid_t *peer_uids;
	size_t npeer_uids;
	/*
	 * Who may connect to a listener with `proxy`; anybody else, and who
	 * does not begin with a PROXY v2 header, is closed.  The addresses of
	 * the header are then the session's, and it is counted by them.
	 */
	struct net_list proxy_from;
	/*
	 * May be NULL.  Asked on the reactor, before TLS and with the true
	 * address: false is answered with `busy` and closed.
	 */
	bool (*admit)(void *ctx, const struct net_addr *client);
	void *admit_ctx;
};

/* Copies what conf points to; NULL when a socket or thread cannot be had. */
struct netd *netd_start(const struct log *log, const struct netd_conf *conf);
/* Reload: sessions that begin TLS from now on use this one (referenced). */
void netd_set_tls(struct netd *d, struct tls_ctx *tls);
/*
 * UNIT_STOP to all, wait until dl, cut the rest, join.  Sessions in NEXT_WAIT
 * and NEXT_DRAIN are told when they come to rest; relays have a moment, in
 * which their far end may say goodbye.
 */
void netd_stop(struct netd **d, struct deadline dl);
/* Sessions now, accepted ever, refused ever. */
void netd_stats(
    struct netd *d, uint64_t *now, uint64_t *accepted, uint64_t *refused);

/*
 * For the session's owner (inside unit or open).
 */
/* Append to the output; RC_TEMP once the peer is gone, RC_BAD past the cap
 * (8 times out_high): big output goes by NEXT_DRAIN. */
MUST_CHECK enum rc netd_write(struct netd_conn *c, struct str s);
size_t netd_out_pending(struct netd_conn *c);
size_t netd_out_room(struct netd_conn *c); /* until out_high */
/* Bytes received and not yet framed; borrowed until the unit ends. */
struct str netd_buffered(struct netd_conn *c);
/*
 * How long a wait for input may last, then UNIT_TIMEOUT; in NEXT_WAIT the
 * same time bounds the wait.  A wake does not begin it anew.
 */
void netd_set_timeout(struct netd_conn *c, int ms);
/*
 * A body comes in: from now on the input as a whole, not only each unit, has
 * to keep min_rate, until this is said with false.
 */
void netd_expect_rate(struct netd_conn *c, bool on);
/* Once: UNIT_WAKE after ms, if NEXT_WAIT or NEXT_IDLE is returned now. */
void netd_wake_in(struct netd_conn *c, int ms);
/*
 * Authenticated sessions have a run queue of their own, and a quarter of the
 * workers to themselves while there are any.
 */
void netd_set_class(struct netd_conn *c, bool authenticated);
/* For NEXT_RELAY: the other end (owned by netd from now on) and bytes to
 * send to it first; what netd_buffered shows follows them by itself. */
void netd_set_relay(struct netd_conn *c, int fd, struct str first);
const struct log *netd_log(struct netd_conn *c); /* with sid=... */
struct str netd_sid(struct netd_conn *c);
struct str netd_peer_ip(struct netd_conn *c); /* "192.0.2.1", "2001:..." */
uint16_t netd_peer_port(struct netd_conn *c);
/* AF_UNIX: the uid that connected; elsewhere (uid_t)-1, which nobody has. */
uid_t netd_peer_uid(struct netd_conn *c);
struct str netd_local_ip(struct netd_conn *c);
uint16_t netd_local_port(struct netd_conn *c);
unsigned netd_tag(struct netd_conn *c);
bool netd_is_tls(struct netd_conn *c);
struct tls_info netd_tls_info(struct netd_conn *c);
bool netd_has_tls(struct netd_conn *c); /* STARTTLS can be offered */
/*
 * A handle by which any thread wakes the session with UNIT_WAKE; it stays
 * valid (and harmless) after the session is gone.  Wakes coalesce.
 */
struct netd_waker;
struct netd_waker *netd_waker(struct netd_conn *c);
void netd_waker_unref(struct netd_waker **w);
void netd_wake(struct netd_waker *w);

#endif
