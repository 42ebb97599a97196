/*
 * pol_dmarc - DMARC by RFC 9989: the record, the DNS tree walk, alignment, and
 * what the domain owner wants done.
 *
 * Ownership  Slices live in the arena of the pol_ask, or are a part of *in.
 * Threads    Any; blocks in the pol_ask.
 * Errors     There is always a result.  What could not be found out is
 *            POL_DMARC_TEMPERROR and never leads to a permanent disposition.
 * Limits     8 questions for a walk (section 4.10), all at the same time.
 */
#ifndef POLICY_POL_DMARC_H
#define POLICY_POL_DMARC_H

#include "policy/pol_ask.h"

#define POL_DMARC_WALK_MAX 8u

enum pol_dmarc_result {
	POL_DMARC_NONE = 1, /* no record: DMARC does not apply */
	POL_DMARC_PASS,
	POL_DMARC_FAIL,
	POL_DMARC_TEMPERROR,
	POL_DMARC_PERMERROR, /* a record that says nothing usable */
};

enum pol_dmarc_policy { /* in order of severity */
	POL_DMARC_P_ABSENT = 0,
	POL_DMARC_P_NONE,
	POL_DMARC_P_QUARANTINE,
	POL_DMARC_P_REJECT,
};

enum pol_dmarc_psd { POL_DMARC_PSD_U, POL_DMARC_PSD_Y, POL_DMARC_PSD_N };

struct pol_dmarc_record {
	enum pol_dmarc_policy p, sp, np; /* sp, np: as given or ABSENT */
	bool usable; /* false: p is not valid and nobody wants reports */
	bool strict_dkim, strict_spf;
	bool test; /* t=y */
	enum pol_dmarc_psd psd;
};

/* RC_NOENT: the text is no DMARC record. */
MUST_CHECK enum rc pol_dmarc_parse(
    struct str text, struct pol_dmarc_record *out);

/* The names of a walk, longest first, without "_dmarc."; how many. */
size_t pol_dmarc_names(struct str domain, struct str out[POL_DMARC_WALK_MAX]);
/* The question that a name of a walk needs; in `a`. */
struct dns_question pol_dmarc_question(struct arena *a, struct str name);

struct pol_dmarc_in {
	struct str from;        /* author domain, lower case A-labels */
	struct str spf;         /* MAIL FROM domain; "" unless SPF passed */
	struct str spf_unsure;  /* the same if SPF had a temperror */
	const struct str *dkim; /* d= of signatures that passed */
	size_t ndkim;
	const struct str *dkim_unsure; /* whose keys were not to be had */
	size_t ndkim_unsure;
};

struct pol_dmarc_out {
	enum pol_dmarc_result result;
	/* What the owner wants for a failure, t= applied; ABSENT: no record. */
	enum pol_dmarc_policy policy;
	enum pol_dmarc_policy published; /* without t= */
	const char *tag;                 /* "p", "sp", "np" */
	struct str record_at;            /* domain of the record */
	struct str org; /* organizational domain, "" not needed */
	bool aligned_spf, aligned_dkim;
	/* TEMPERROR, the record is known, and only what SPF or DKIM would have
	 * said is not: asked later, it will be. */
	bool undecided;
	const char *why;
};

void pol_dmarc_check(struct pol_ask *k, const struct pol_dmarc_in *in,
    struct pol_dmarc_out *out);

const char *pol_dmarc_name(enum pol_dmarc_result r);
const char *pol_dmarc_policy_name(enum pol_dmarc_policy p);

#endif
