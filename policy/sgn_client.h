/*
 * sgn_client - have the signer put our DKIM signatures on a message.
 *
 * The signer holds the keys and does nothing else.  It signs the message as it
 * will leave: edits, then body.
 *
 * Ownership  *out lives in `a`.
 * Threads    Any worker; blocks until dl.
 * Errors     RC_OK *out holds one DKIM-Signature field for each key of the
 *            domain in use, CRLF each, to be put before the edits.  RC_NOENT:
 *            no key for this domain.  RC_BAD: malformed.  RC_TEMP: no answer,
 *            or a key that cannot be read.
 */
#ifndef POLICY_SGN_CLIENT_H
#define POLICY_SGN_CLIENT_H

#include "lib/ipc.h"

struct sgn_client;
struct sgn_client *sgn_client_new(
    const struct log *log, const char *path, unsigned max_conns);
void sgn_client_free(struct sgn_client **s);

struct sgn_message {
	struct str domain;      /* of the author (header From) */
	struct str edits;       /* fields put before the body */
	struct str inline_data; /* the body, or */
	int fd;                 /* sealed memfd or spool file; -1: inline */
	uint64_t size;
};

MUST_CHECK enum rc sgn_sign(struct sgn_client *s, struct arena *a,
    const struct sgn_message *in, struct deadline dl, struct str *out);

/* Does a signature of the running signer verify with a published record? */
struct sgn_trial {
	struct str domain, selector;
	struct str record; /* as the DNS has it, strings joined */
};
/*
 * RC_OK: the verifier's answer is in *out, "good" or what is wrong.
 * RC_NOENT: the signer holds no such key.
 */
MUST_CHECK enum rc sgn_try(struct sgn_client *s, struct arena *a,
    const struct sgn_trial *in, struct deadline dl, struct str *out);

#endif
