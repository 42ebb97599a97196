/*
 * dlv_json - queue entries as JSON, for `gatepost queue`.
 *
 * Ownership  Texts live in `a`; json_t are the caller's.
 * Threads    Pure functions.
 * Limits     What is no UTF-8 (addresses and reasons come from outside) has
 *            its odd bytes replaced by '?'.
 */
#ifndef DLV_JSON_H
#define DLV_JSON_H

#include <jansson.h>

#include "store/store_client.h"

/* One message with its entries; `now` decides what is expired. */
json_t *dlv_json_item(const struct store_queue_item *item, int64_t now);
struct str dlv_json_text(struct arena *a, json_t *root);

#endif
