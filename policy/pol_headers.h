/*
 * pol_headers - the site's checks on header fields, by regular expression.
 *
 * Format  One rule a line; "#" and empty lines are skipped:
 *
 *   header NAME /REGEX/FLAGS ACTION [TEXT]
 *
 *         NAME is a field name in any case, or "*".  REGEX (PCRE2) looks at
 *         the unfolded value without the space behind the colon; "/" in it is
 *         "\/".  FLAGS: i (any case), x (spaces do not count).  ACTION:
 *           reject TEXT, defer TEXT    answer 5xx or 4xx, one line of ASCII
 *           hold, junk, discard        for the whole message
 *           ignore                     cut this field
 *           warn [TEXT]                log it
 *           prepend NAME: VALUE        put this field before the message
 *         The first of reject, defer, discard, hold, junk that matches ends
 *          the run; the others add up, and behind ignore no other rule looks
 *         at that field.
 *
 * Ownership  Rules live in `a`, and pol_headers_free releases the rest of
 *            them; slices of a hit belong to the rules.
 * Threads    Rules are immutable: any number of runs at a time.
 * Errors     RC_BAD: *why says line and cause.  A run has no errors: a regex
 *            that uses up its budget does not match, and `gave_up` counts it;
 *            a message that uses up its own is `cut_short`.
 * Limits     Below; for a message POL_HEADERS_STEPS_MAX steps of matching.
 */
#ifndef POLICY_POL_HEADERS_H
#define POLICY_POL_HEADERS_H

#include "lib/base.h"

#define POL_HEADERS_RULES_MAX 1000u
#define POL_HEADERS_LINE_MAX  2048u
#define POL_HEADERS_VALUE_MAX                                                  \
	65536u                       /* of a field; the rest is not looked at  \
				      */
#define POL_HEADERS_FIELDS_MAX 1000u /* of a message; likewise */
#define POL_HEADERS_HITS_MAX   64u
#define POL_HEADERS_STEPS_MAX  20000000u /* of a message: some 0.3 s */
#define POL_HEADERS_MATCH_MAX  200000u   /* of one match */

enum pol_headers_action {
	POL_HEADERS_REJECT = 1,
	POL_HEADERS_DEFER,
	POL_HEADERS_DISCARD,
	POL_HEADERS_HOLD,
	POL_HEADERS_JUNK,
	POL_HEADERS_IGNORE,
	POL_HEADERS_WARN,
	POL_HEADERS_PREPEND,
};

struct pol_headers;

/* No rules at all is fine; then a run costs nothing. */
MUST_CHECK enum rc pol_headers_parse(struct arena *a, struct str text,
    struct pol_headers **out, struct str *why);
void pol_headers_free(struct pol_headers **h);

struct pol_headers_hit {
	enum pol_headers_action action;
	unsigned line;   /* of the rule */
	struct str text; /* its TEXT; prepend: the field without CRLF */
	size_t off, len; /* the field that matched, CRLF included */
};

struct pol_headers_result {
	struct pol_headers_hit hit[POL_HEADERS_HITS_MAX]; /* in order */
	size_t n;
	unsigned gave_up; /* matches that ran out of budget */
	bool cut_short; /* fields, hits, steps past the limits: not all done */
};

/* `header` is the header section, with or without the empty line. */
void pol_headers_run(const struct pol_headers *h, struct arena *a,
    struct str header, struct pol_headers_result *out);

const char *pol_headers_action_name(enum pol_headers_action action);

#endif
