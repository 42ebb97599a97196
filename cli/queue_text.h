/*
 * queue_text - the queue's JSON as text for people.
 *
 * Errors  RC_BAD: the JSON is not what delivery sends.
 */
#ifndef CLI_QUEUE_TEXT_H
#define CLI_QUEUE_TEXT_H

#include <jansson.h>
#include <stdio.h>

#include "lib/base.h"

/* One message with its entries, a few lines. */
MUST_CHECK enum rc queue_text_item(FILE *f, json_t *item, int64_t now);
/* The same with everything that is known. */
MUST_CHECK enum rc queue_text_show(FILE *f, json_t *item);

#endif
