/*
 * rem_service - calls of rem_client, as they come in.
 *
 * Threads    rem_handle on rpcd's workers; answers on the loop's thread.
 */
#ifndef DELIVERY_REM_SERVICE_H
#define DELIVERY_REM_SERVICE_H

#include "delivery/rem.h"
#include "lib/rpcd.h"

/* ctx is a struct rem. */
enum rpcd_next rem_handle(void *ctx, struct rpcd_req *r, enum rc *rc);

#endif
