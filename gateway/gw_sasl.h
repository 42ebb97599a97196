/*
 * gw_sasl - the parts of a SASL exchange that every login protocol of the
 * gateway decodes itself (PLAIN RFC 4616, LOGIN as Microsoft speaks it).
 *
 * Ownership  Slices live in the arena; gw_sasl_wipe clears what held secrets.
 * Threads    Pure functions.
 * Errors     RC_BAD: not base64, not the form of the mechanism, too long.
 * Limits     GW_SASL_MAX bytes of base64 in one response (RFC 4954 4): a
 *            Kerberos ticket of Active Directory may have 48,000 bytes.
 */
#ifndef GW_SASL_H
#define GW_SASL_H

#include "lib/base.h"

#define GW_SASL_MAX 65536u

struct gw_plain {
	struct str authzid, authcid, password;
};

/* base64 text, "=" for the empty string (RFC 4954 section 4). */
MUST_CHECK enum rc gw_sasl_decode(
    struct arena *a, struct str text, struct str *out);
/* [authzid] NUL authcid NUL password, already decoded. */
MUST_CHECK enum rc gw_plain_parse(struct str msg, struct gw_plain *out);
/* Overwrite bytes that held a secret. */
void gw_sasl_wipe(struct str s);

#endif
