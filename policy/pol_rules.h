/*
 * pol_rules - the site's header checks in the policy process.
 *
 * Ownership  Immutable and counted: a check keeps the rules it began with.
 * Threads    Reference counting is atomic.
 * Errors     RC_BAD is logged; the supervisor has checked the same bytes.
 */
#ifndef POLICY_POL_RULES_H
#define POLICY_POL_RULES_H

#include "lib/ipc.h"
#include "policy/pol_client.h"
#include "policy/pol_headers.h"

struct pol_rules;

/* From the memfd "rules" of a start or reload; without one there are none. */
MUST_CHECK enum rc pol_rules_load(
    const struct log *log, struct ipc_in *in, const struct pol_rules **out);
const struct pol_rules *pol_rules_ref(const struct pol_rules *r);
void pol_rules_unref(const struct pol_rules **r);
const struct pol_headers *pol_rules_headers(const struct pol_rules *r);

/* What the header checks say about one message. */
struct pol_hits {
	enum pol_headers_action action; /* the one that decides, or 0 */
	struct str text;                /* of reject and defer */
	unsigned line;                  /* of its rule */
	struct str edits;               /* fields to put before the message */
	struct pol_cut *cut;            /* fields to leave out, in order */
	size_t ncut;
	bool cut_short; /* too many fields, hits or steps: not all done */
};

/* h may be NULL.  *out lives in a. */
void pol_rules_run(const struct log *log, const struct pol_headers *h,
    struct arena *a, struct str header, struct pol_hits *out);
/*
 * Add the hits' cuts to a verdict's, in order, without overlaps.  RC_BAD: more
 * than can be cut.
 */
MUST_CHECK enum rc pol_rules_cut(
    struct arena *a, const struct pol_hits *hits, struct pol_verdict *v);

#endif
