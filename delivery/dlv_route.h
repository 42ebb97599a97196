/*
 * dlv_route - decide for every recipient of a new message, before its commit.
 *
 * Threads    A worker; blocks only for groups, in the directory, until `dl`.
 * Errors     RC_DENY: every recipient has had this message before (a loop), or
 *            it has made too many hops; RC_BAD: an id or address is malformed.
 *            The directory's silence is no error: the group is queued.
 */
#ifndef DLV_ROUTE_H
#define DLV_ROUTE_H

#include "delivery/dlv_plan.h"
#include "delivery/dlv_scan.h"

MUST_CHECK enum rc dlv_route(struct dlv_plan *p, struct dir_client *dir,
    const struct dlv_submit *m, const struct dlv_scan *scan,
    struct deadline dl);

#endif
