/*
 * sgn_sign - DKIM signatures (RFC 6376, 8301, 8463), relaxed/relaxed.
 *
 * Ownership  Results live in the arena; keys are borrowed.
 * Threads    Any; a private key may sign for several threads at once.
 * Errors     RC_BAD: the message is malformed.  RC_TEMP: its body cannot be
 *            read, or the library failed (logged).
 * Limits     SGN_HEADER_MAX bytes of header, SGN_SIGNED_MAX fields signed.
 *            The body is read in pieces.
 */
#ifndef POLICY_SGN_SIGN_H
#define POLICY_SGN_SIGN_H

#include "lib/log.h"
#include "policy/sgn_client.h"
#include "policy/sgn_keys.h"

#define SGN_HEADER_MAX (512u << 10)
#define SGN_SIGNED_MAX 256u

/* A private key, ready for use. */
struct sgn_private;
/* NULL: not a key. */
struct sgn_private *sgn_private_new(struct str pem);
void sgn_private_free(struct sgn_private **k);

struct sgn_signer {
	struct str selector;
	enum sgn_alg alg;
	struct sgn_private *key;
};

/*
 * A DKIM-Signature field for each of the keys.  The body is what `m` says; its
 * descriptor is borrowed.
 */
MUST_CHECK enum rc sgn_sign_message(const struct log *log, struct arena *a,
    const struct sgn_signer *keys, size_t n, const struct sgn_message *m,
    int64_t now, struct str *out);
/* Does a signature cover this field (when it is there)? */
bool sgn_covers(struct str field_name);

/*
 * sgn_try.c: what libopendkim, as somebody else's verifier, says of a message
 * signed with that key: "good", or what is wrong with the record.
 */
MUST_CHECK enum rc sgn_try_key(const struct log *log, struct arena *a,
    const struct sgn_signer *key, struct str domain, struct str record,
    struct str *out);

#endif
