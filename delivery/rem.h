/*
 * rem - the process remote: its loop, jobs, connections.
 *
 * One thread owns all sockets and everything else here; the others post
 * events.  A job is one call of rem_send: it goes through the hosts of its hop
 * until each recipient has a result.  A connection belongs to one job, or is
 * idle and waits for the next one of its hop.
 *
 * Ownership  A job keeps its results for REM_REMEMBER_S (bounded); the message
 *            is the caller's until `answer` was called.
 * Threads    rem_start, rem_submit, rem_probe, rem_configure, rem_counts,
 *            rem_stop: any.  All else: the loop's thread.
 * Errors     `answer` runs exactly once: RC_OK with an outcome, RC_BAD for a
 *            hop that is none, RC_TEMP when too much waits.
 * Limits     rem_conf.max_conns connections, REM_JOBS_MAX jobs at a time,
 *            REM_KEPT_BYTES of remembered results, and the times of
 *            struct rem_limits.
 */
#ifndef DELIVERY_REM_H
#define DELIVERY_REM_H

#include <sys/socket.h>

#include "delivery/rem_client.h"
#include "delivery/rem_hop.h"
#include "lib/resolver.h"
#include "mail/smtp_client.h"

#define REM_JOBS_MAX   4096u
#define REM_KEPT_BYTES (32u << 20)
#define REM_HOSTS_MAX  10u /* addresses tried for one job */
#define REM_CHUNK      65536u

/* All in milliseconds, unless it says otherwise. */
struct rem_limits {
	int connect, phase[MAIL_PHASE_QUIT + 1];
	int dns;        /* one round of questions */
	int idle;       /* a connection nobody needs */
	int age;        /* a connection is not reused after that */
	int margin;     /* an answer goes out so long before its deadline */
	int rate_grace; /* before min_rate counts */
	int min_rate;   /* bytes per second, of a message that goes out */
	unsigned per_connection; /* messages */
	unsigned idle_per_hop, idle_max;
};
extern const struct rem_limits rem_limits;

enum rem_smart_tls { REM_SMART_MAY, REM_SMART_ENCRYPT, REM_SMART_VERIFY };

struct rem_smart {
	struct str host;
	uint16_t port;
};

/* What remote goes by; immutable, counted. */
struct rem_conf {
	struct arena a; /* holds the rest */
	_Atomic unsigned refs;
	struct str helo; /* our name; a host of that name is us */
	const struct rem_ip *self;
	size_t nself;
	bool private_ok;
	unsigned max_conns;
	const struct rem_smart *smart;
	size_t nsmart;
	struct str user, password; /* for all smart hosts; "" none */
	enum rem_smart_tls smart_tls;
	struct str ca;           /* PEM, "": the system's */
	const struct str *paths; /* UNIX sockets that may be spoken to */
	size_t npaths;
	struct rem_limits limits;
};
struct rem_conf *rem_conf_ref(struct rem_conf *c);
void rem_conf_unref(struct rem_conf **c);

struct rem_counts {
	_Atomic uint64_t calls, repeated, connected, reused, tls, sent,
	    deferred, refused, unknown;
	_Atomic uint64_t jobs, conns, idle; /* now */
};

struct rem;

/* conf is taken over; the resolver is borrowed.  NULL is logged. */
struct rem *rem_start(
    const struct log *log, struct rem_conf *conf, struct resolver *dns);
typedef void rem_answer(void *arg, enum rc rc, const struct rem_outcome *out);
/* in, and all it points to, stay as they are until the answer. */
void rem_submit(struct rem *r, const struct rem_message *in, struct deadline dl,
    rem_answer *answer, void *arg);
/*
 * As if there were a message for that hop, up to the moment before it: RC_OK in
 * out->to[0] says that the server is ready for one, and as whom we logged in.
 */
void rem_probe(struct rem *r, const struct rem_message *in, struct deadline dl,
    rem_answer *answer, void *arg);
void rem_configure(struct rem *r, struct rem_conf *conf);
const struct rem_counts *rem_counts(const struct rem *r);
/*
 * What has not been sent is answered RC_TEMP, and so is all that comes later; a
 * final dot is waited for.  False: at dl the resolver still held questions of
 * ours; nothing may be freed.
 */
MUST_CHECK bool rem_stop(struct rem *r, struct deadline dl);
void rem_free(struct rem **r);

#endif
