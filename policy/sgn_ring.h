/*
 * sgn_ring - the keys as the signer holds them between two reloads.
 *
 * Ownership  Reference-counted; the last one wipes the keys.
 * Threads    Immutable but for the count.
 * Errors     A domain whose keys cannot be used is in the ring and says so:
 *            RC_TEMP, never "no key", because mail that leaves unsigned is
 *            refused elsewhere for good.
 */
#ifndef POLICY_SGN_RING_H
#define POLICY_SGN_RING_H

#include "lib/log.h"
#include "policy/sgn_sign.h"

struct sgn_ring_domain {
	struct sgn_domain d;
	struct sgn_signer *signers; /* in d's order */
	enum rc rc;                 /* RC_OK or RC_TEMP, and d.why */
};

struct sgn_ring {
	_Atomic int refs;
	struct arena a;
	const char *dir;
	enum rc rc; /* RC_TEMP: the directory itself cannot be read */
	struct sgn_ring_domain *v;
	size_t n;
};

/* Always a ring; what is wrong is logged.  dir "": no keys. */
struct sgn_ring *sgn_ring_load(
    const struct log *log, const char *dir, uid_t owner);
struct sgn_ring *sgn_ring_ref(struct sgn_ring *r);
void sgn_ring_unref(struct sgn_ring **r);
/* RC_NOENT: no keys of that domain.  The domain in any case of letters. */
MUST_CHECK enum rc sgn_ring_find(const struct sgn_ring *r, struct str domain,
    const struct sgn_ring_domain **out);
size_t sgn_ring_keys(const struct sgn_ring *r, enum sgn_state state);

#endif
