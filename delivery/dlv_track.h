/*
 * dlv_track - what track is told about a message on its way through delivery.
 *
 * Only what is durable is told, so a plan's events wait for the store's answer.
 *
 * Ownership  dlv_track_plan copies what it needs into the arena it is given.
 * Threads    Any.
 * Limits     TRK_RCPTS_MAX recipients of a commit one by one; the rest as a
 *            number.
 */
#ifndef DLV_TRACK_H
#define DLV_TRACK_H

#include "delivery/dlv.h"
#include "delivery/dlv_plan.h"
#include "delivery/dlv_send.h"

struct dlv_track;

/* NULL if nothing is tracked. */
struct dlv_track *dlv_track_plan(struct dlv *d, struct arena *a,
    const struct dlv_plan *p, const struct dlv_submit *m,
    struct str message_id);
/* The plan is committed under this queue id. */
void dlv_track_tell(
    struct dlv *d, const struct dlv_track *t, struct str queue_id);
/* A notice of ours: its sid is the queue id of what it is about. */
void dlv_track_notice(struct dlv *d, const struct dlv_plan *p,
    const struct dlv_submit *m, struct str message_id, struct str queue_id);
/* What remote said about the recipients of one try. */
void dlv_track_sent(const struct dlv_send *s);
/* The same for a step of the queue; p may be NULL. */
void dlv_track_update(struct dlv *d, const struct dlv_plan *p,
    const struct store_queue_update *up);
/* Something was done to n entries. */
void dlv_track_entries(struct dlv *d, enum trk_kind kind,
    const struct store_queue_item *item, size_t from, size_t n);

#endif
