/*
 * dlv - the delivery process: what its parts share.
 *
 * Ownership  main.c makes and frees it; everything in it outlives the threads.
 * Threads    Any; the settings are taken by dlv_conf, the rules by dlv_rules.
 */
#ifndef DLV_H
#define DLV_H

#include <pthread.h>
#include <stdatomic.h>

#include "conf/conf.h"
#include "delivery/dlv_body.h"
#include "delivery/dlv_client.h"
#include "delivery/dlv_poison.h"
#include "delivery/dlv_queue.h"
#include "lib/rpcd.h"
#include "mail/rules.h"
#include "policy/sgn_client.h"
#include "store/store_client.h"
#include "track/trk_client.h"

struct dlv_counts {
	_Atomic uint64_t submits;   /* messages asked for */
	_Atomic uint64_t messages;  /* made durable */
	_Atomic uint64_t repeated;  /* answered from an earlier result */
	_Atomic uint64_t delivered; /* copies into mailboxes */
	_Atomic uint64_t queued;    /* entries made */
	_Atomic uint64_t refused;   /* malformed or looping */
	_Atomic uint64_t deferred;  /* answered 4xx */
	_Atomic uint64_t poisoned;  /* refused or set aside */
	_Atomic uint64_t retried;   /* queue entries tried again */
	_Atomic uint64_t retried_ok;
	_Atomic uint64_t notices; /* sent to senders */
};

struct dlv {
	const struct log *log;
	pthread_mutex_t conf_lock; /* guards conf and rules */
	const struct conf *conf;
	const struct mail_rules *rules; /* NULL: none */
	struct store_client *store;
	struct dir_client *dir;
	struct rem_client *remote;
	struct sgn_client *signer; /* of notices */
	struct store_reader *reader;
	pthread_mutex_t key_lock; /* guards key */
	struct store_attach key;  /* the queue's */
	bool has_key;
	const char *spool_dir;
	_Atomic uint64_t body_memory; /* of memfds in use */
	struct trk_client *trk;       /* NULL: nothing is tracked */
	_Atomic int64_t grace_ns;     /* dlv_queue_grace; until, monotonic */
	_Atomic uint64_t fresh_bytes; /* dlv_fresh.h */
	_Atomic unsigned fresh;
	struct dlv_queue *queue;
	struct inflight *inflight;
	int64_t started_ns;
	struct dlv_counts counts;
};

/* The present settings; conf_unref when done. */
const struct conf *dlv_conf(struct dlv *d);
/* Take over new settings. */
void dlv_conf_set(struct dlv *d, const struct conf *conf);

/* The site's rules, for the senders of notices; mail_rules_unref when done. */
const struct mail_rules *dlv_rules(struct dlv *d);
/* Those of the frame of a start or a reload; RC_BAD is logged. */
MUST_CHECK enum rc dlv_rules_load(const struct log *log,
    const struct conf *conf, struct ipc_in *in, const struct mail_rules **out);
/* Take them over. */
void dlv_rules_set(struct dlv *d, const struct mail_rules *rules);

/* Requests, for rpcd. */
enum rpcd_next dlv_handle(void *ctx, struct rpcd_req *r, enum rc *rc);
enum rpcd_next dlv_on_submit(struct dlv *d, struct rpcd_req *r, enum rc *rc);
enum rc dlv_on_list(struct dlv *d, struct rpcd_req *r);
enum rc dlv_on_show(struct dlv *d, struct rpcd_req *r);
enum rc dlv_on_retry(struct dlv *d, struct rpcd_req *r);
enum rc dlv_on_delete(struct dlv *d, struct rpcd_req *r);
enum rc dlv_on_hold(struct dlv *d, struct rpcd_req *r);
enum rc dlv_on_release(struct dlv *d, struct rpcd_req *r);

/*
 * Commit a message of our own (a notice); blocks.  m->id names it: the same
 * one again is the same message.
 */
MUST_CHECK enum rc dlv_submit_own(
    struct dlv *d, const struct log *log, const struct dlv_submit *m);

/* Random bits for back-off and ids. */
uint32_t dlv_random(void);

#endif
