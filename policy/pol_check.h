/*
 * pol_check - one message: SPF, DKIM and DMARC, and what follows from them.
 *
 * Everything that is known to be needed is asked of the DNS first and at the
 * same time; after that SPF asks what its records lead to.
 *
 * Ownership  *out lives in `a`; everything else is borrowed.
 * Threads    Any worker; a struct pol_env is one worker's.
 * Errors     RC_BAD the body is not what was announced; RC_TEMP it cannot be
 *            read.  A DNS that does not answer is a result in *out, and
 *            never a reason to refuse for good.
 * Limits     dl for the DNS; those of pol_spf, pol_dkim, pol_dmarc, pol_ares.
 */
#ifndef POLICY_POL_CHECK_H
#define POLICY_POL_CHECK_H

#include "policy/pol_ask.h"
#include "policy/pol_client.h"
#include "policy/pol_dkim.h"
#include "policy/pol_headers.h"
#include "policy/pol_spf.h"

struct pol_env {
	const struct log *log;
	struct pol_dkim *dkim;
	pol_ask_fn *ask;
	void *ask_arg;
	struct str hostname;               /* authserv-id */
	const struct pol_headers *headers; /* the site's; may be NULL */
	enum pol_spf_engine spf_engine;
	bool spf_reject;   /* else a failure is only marked */
	bool dmarc_reject; /* else a failure under p=reject goes to Junk */
};

MUST_CHECK enum rc pol_check_run(const struct pol_env *e, struct arena *a,
    const struct pol_check *in, struct deadline dl, struct pol_verdict *out);

#endif
