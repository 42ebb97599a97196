/*
 * svc_upkeep - the store's requests of an administrator: figures, compaction,
 * and the lease under which a backup copies the log.
 *
 * A lease keeps the log's files where they are (engine.h, pin).  It ends when
 * it was not renewed for UPKEEP_LEASE_MS, so that a backup that died does not
 * hold up compaction for ever.
 *
 * Ownership  Borrows the engine.
 * Threads    Any.
 * Errors     RC_DENY: asked by another than root or our own user; RC_NOENT:
 *            no such lease (any more).
 * Limits     UPKEEP_LEASES at a time.
 */
#ifndef STORE_SVC_UPKEEP_H
#define STORE_SVC_UPKEEP_H

#include "lib/rpcd.h"
#include "store/engine.h"

#define UPKEEP_LEASES   4u
#define UPKEEP_LEASE_MS 60000

struct svc_upkeep;

struct svc_upkeep *svc_upkeep_new(const struct log *log, struct engine *e);
/* Leases that ran out. */
void svc_upkeep_tend(struct svc_upkeep *u);
void svc_upkeep_free(struct svc_upkeep **u);

/* One of STORE_OP_UPKEEP, COMPACT, LEASE. */
enum rpcd_next svc_upkeep_handle(
    struct svc_upkeep *u, struct rpcd_req *r, enum rc *rc);

#endif
