/*
 * dkim_text - DKIM keys for people's terminals, zone files and programs.
 *
 * Threads    Pure but for the stream.
 */
#ifndef CLI_DKIM_TEXT_H
#define CLI_DKIM_TEXT_H

#include <jansson.h>
#include <stdio.h>

#include "policy/sgn_keys.h"

/*
 * A TXT record in zone-file syntax (RFC 1035 section 5.1), cut into strings
 * of at most 255 bytes.  `text` is printable ASCII.
 */
void dkim_zone_record(FILE *f, struct str name, struct str text);
/* One row of `list`. */
void dkim_list_row(
    FILE *f, struct arena *a, struct str domain, const struct sgn_key *k);
/* A domain with its keys. */
json_t *dkim_json(struct arena *a, const struct sgn_domain *d);

#endif
