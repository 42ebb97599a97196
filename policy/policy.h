/*
 * policy - the policy process: what its parts share.
 *
 * Ownership  main.c makes and frees it; everything in it outlives the threads.
 * Threads    Any; the settings are taken by policy_conf.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <pthread.h>
#include <stdatomic.h>

#include "conf/conf.h"
#include "lib/inflight.h"
#include "lib/resolver.h"
#include "lib/rpcd.h"
#include "policy/pol_queue.h"
#include "policy/pol_rules.h"

struct policy_counts {
	_Atomic uint64_t checks;
	_Atomic uint64_t accepted, junked, held, rejected, deferred, discarded;
	_Atomic uint64_t failed;   /* malformed, or could not be read */
	_Atomic uint64_t poisoned; /* not tried a third time */
	_Atomic uint64_t busy;     /* no turn in time */
	_Atomic uint64_t spf_fail, dkim_fail, dmarc_fail, temperrors;
};

struct policy {
	const struct log *log;
	pthread_mutex_t conf_lock;
	const struct conf *conf;
	const struct pol_rules *rules; /* likewise; may be NULL */
	struct resolver *resolver;
	struct inflight *inflight;
	struct pol_queue *queue;
	pthread_t late; /* tells those whose turn does not come */
	int64_t started_ns;
	struct policy_counts counts;
};

/* The present settings; conf_unref when done. */
const struct conf *policy_conf(struct policy *p);
/* Takes over the reference. */
void policy_conf_set(struct policy *p, const struct conf *conf);
void policy_rules_set(struct policy *p, const struct pol_rules *rules);

/*
 * So many workers; one of them is always free to take what comes.  rpcd knows
 * no queue that could say no, so none may be left to it.
 */
void policy_queue_start(struct policy *p, unsigned workers);
/* Who waits asks again; call it before rpcd_stop. */
void policy_queue_stop(struct policy *p);
/* For rpcd; ctx is the struct policy. */
void *policy_worker_init(void *ctx);
void policy_worker_free(void *ctx, void *worker);
enum rpcd_next policy_handle(void *ctx, struct rpcd_req *r, enum rc *rc);
/* Log what the last life died with. */
void policy_report_deaths(struct policy *p);

#endif
