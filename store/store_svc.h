/*
 * store_svc - the store's requests (store/wire.h) in front of an engine.
 *
 * Ownership  Borrows the engine until store_svc_stop has returned.
 * Threads    Requests run on rpcd's workers; what has to become durable is
 *            answered from the engine's thread.  A body is put by the worker
 *            that got it, because that may block on the disk.
 * Limits     SVC_SUBSCRIBERS listeners to hints.
 */
#ifndef STORE_STORE_SVC_H
#define STORE_STORE_SVC_H

#include <sys/types.h>

#include "lib/rpcd.h"
#include "store/engine.h"

#define SVC_SUBSCRIBERS 64u

struct store_svc;

struct store_svc_conf {
	int listen_fd;
	unsigned workers;
	const uid_t *uids;
	size_t nuids;
	uid_t key_uid;       /* who may attach, beside root: imap's user */
	uid_t queue_key_uid; /* who gets the queue's key: delivery's user */
};

/* Made before the engine, so that it can be told of changes from the start. */
struct store_svc *store_svc_new(const struct log *log);
/* engine_conf's `changed`; ctx is the service. */
void store_svc_changed(
    void *ctx, const struct engine_change *changes, size_t n);
void store_svc_start(
    struct store_svc *s, struct engine *e, const struct store_svc_conf *conf);
/* Finish what runs, until dl. */
void store_svc_stop(struct store_svc *s, struct deadline dl);
void store_svc_free(struct store_svc **s);

#endif
