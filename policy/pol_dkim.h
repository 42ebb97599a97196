/*
 * pol_dkim - DKIM signatures of a message checked with libopendkim (RFC 6376,
 * 8301, 8463).
 *
 * The library asks no DNS: which keys a message needs is read by
 * pol_dkim_keys, somebody asks for them, and the library gets the answers from
 * memory.
 *
 * Never a pass, whatever the library says: rsa-sha1, RSA keys under 1024 bits,
 * a signature with l= (text may be added behind it), a header with a NUL.
 *
 * Ownership  Slices live in the arena or borrow the header.
 * Threads    A struct pol_dkim belongs to one worker: the library's handle is
 *            not safe to share.
 * Errors     verify: RC_TEMP or RC_BAD when the body cannot be read; else each
 *            signature has its own result.
 * Limits     POL_DKIM_MAX signatures, the first in the header; more are
 *            ignored and counted.
 */
#ifndef POLICY_POL_DKIM_H
#define POLICY_POL_DKIM_H

#include "lib/resolver.h"
#include "policy/pol_body.h"

#define POL_DKIM_MAX      10u
#define POL_DKIM_KEY_BITS 1024u
#define POL_DKIM_DRIFT_S  300 /* how far in the future t= may be */

enum pol_dkim_result { /* RFC 8601 section 2.7.1 */
	POL_DKIM_NONE = 1,
	POL_DKIM_PASS,
	POL_DKIM_FAIL,
	POL_DKIM_POLICY,
	POL_DKIM_NEUTRAL,
	POL_DKIM_TEMPERROR,
	POL_DKIM_PERMERROR,
};

struct pol_dkim_key {
	struct str domain, selector;
	struct dns_answer answer; /* filled by whoever asks */
};

/* The keys that the signatures of a header name, each once; how many. */
size_t pol_dkim_keys(
    struct arena *a, struct str header, struct pol_dkim_key out[POL_DKIM_MAX]);
struct dns_question pol_dkim_question(
    struct arena *a, const struct pol_dkim_key *key);

struct pol_dkim_sig {
	enum pol_dkim_result result;
	struct str domain, selector; /* "" when it cannot be read */
	struct str b;                /* the first bytes of the signature */
	const char *why;             /* "" for a plain pass */
	bool test_key;               /* t=y */
	bool ed25519;
};

struct pol_dkim_in {
	struct str header; /* whole, with its empty line */
	const struct pol_body *body;
	const struct pol_dkim_key *key;
	size_t nkey;
};

struct pol_dkim_out {
	struct pol_dkim_sig sig[POL_DKIM_MAX];
	size_t n;
	size_t ignored;
};

struct pol_dkim;
struct pol_dkim *pol_dkim_new(const struct log *log);
void pol_dkim_free(struct pol_dkim **d);
MUST_CHECK enum rc pol_dkim_verify(struct pol_dkim *d, struct arena *a,
    const struct pol_dkim_in *in, struct pol_dkim_out *out);

const char *pol_dkim_name(enum pol_dkim_result r);

#endif
