/*
 * spf_zone - a DNS in memory for everybody who tests the SPF check.
 *
 * Ownership  Records are borrowed; the zone is plain memory.
 * Limits     ZONE_MAX records; more are left out.
 */
#ifndef TESTS_SPF_ZONE_H
#define TESTS_SPF_ZONE_H

#include "policy/pol_spf.h"

#define ZONE_MAX 512

struct zone_rr {
	struct str name;
	/* "A", "AAAA", "MX", "PTR", "TXT", "CNAME"; "TIMEOUT": nobody answers
	 * for whatever type the name does not have. */
	struct str type;
	struct str value; /* as in a zone file; TXT: the bytes */
};

struct zone {
	struct zone_rr v[ZONE_MAX];
	size_t n;
	unsigned questions; /* asked so far */
	unsigned batches;
};

void zone_add(struct zone *z, struct zone_rr rr);
/* For struct pol_spf_conf; arg is the zone. */
void zone_ask(void *arg, struct arena *a, const struct dns_question *q,
    size_t n, struct deadline dl, struct dns_answer *out);

#endif
