/*
 * trk_service - the requests, and the thread that writes.
 *
 * Ownership  trk_service_start keeps what it is given; all of it outlives
 *            trk_service_stop.
 * Threads    Requests run on rpcd's workers; one thread writes and prunes.
 * Errors     A batch is answered when it is committed, or RC_OK and counted
 *            when the disk would not take it: a client must not keep what
 *            cannot be kept here.
 * Limits     PENDING_MAX batches wait, QUESTIONS_MAX questions run at a time.
 */
#ifndef TRACK_TRK_SERVICE_H
#define TRACK_TRK_SERVICE_H

#include "conf/conf.h"
#include "lib/rpcd.h"

struct trk_counts {
	uint64_t events, batches, dropped, lost, bytes, pruned_steps;
};

struct trk_service;
struct trk_service *trk_service_start(
    const struct log *log, const struct conf *conf, const char *dir);
void trk_service_conf(struct trk_service *s, const struct conf *conf);
/* For rpcd; ctx is the service. */
enum rpcd_next trk_service_handle(void *ctx, struct rpcd_req *r, enum rc *rc);
/* After rpcd has stopped. */
void trk_service_stop(struct trk_service **s);
void trk_service_counts(struct trk_service *s, struct trk_counts *out);
/* Writing works. */
bool trk_service_works(struct trk_service *s);

#endif
