/*
 * pol_ask - the DNS as the check of one message sees it.
 *
 * What was asked once, or could not be found out once, is not asked again for
 * the same message, so that a dead server costs one wait and not one for SPF,
 * one for DKIM and one for DMARC.  The first call asks everything that is known
 * to be needed, at the same time.  Only what a shorter deadline has ended is
 * asked again by a call that has time left.  A deadline limits the network:
 * what is known already is answered whatever the time.
 *
 * Ownership  Answers live in the arena given at init.
 * Threads    One owner.
 * Limits     POL_ASK_MAX different questions a message; above it RC_TEMP.
 */
#ifndef POLICY_POL_ASK_H
#define POLICY_POL_ASK_H

#include "lib/resolver.h"

#define POL_ASK_MAX 256u

/* As resolver_ask_all, which answers out of its cache even behind dl. */
typedef void pol_ask_fn(void *arg, struct arena *a,
    const struct dns_question *q, size_t n, struct deadline dl,
    struct dns_answer *out);

struct pol_ask {
	struct arena *a;
	pol_ask_fn *fn;
	void *arg;
	struct deadline dl;
	struct {
		struct dns_question q; /* name in lower case */
		struct dns_answer answer;
		bool open; /* its deadline came before an answer */
	} * seen;
	size_t n, room;
};

void pol_ask_init(struct pol_ask *k, struct arena *a, pol_ask_fn *fn, void *arg,
    struct deadline dl);
/* All at once; out[i] answers q[i]. */
void pol_ask_all(struct pol_ask *k, const struct dns_question *q, size_t n,
    struct dns_answer *out);
/* The same, until dl or that of init, whichever comes first. */
void pol_ask_until(struct pol_ask *k, const struct dns_question *q, size_t n,
    struct deadline dl, struct dns_answer *out);
/* The same as a pol_ask_fn, for pol_spf_conf; arg is the struct pol_ask. */
void pol_ask_as_fn(void *arg, struct arena *a, const struct dns_question *q,
    size_t n, struct deadline dl, struct dns_answer *out);

#endif
