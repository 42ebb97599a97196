/*
 * ad_value - how Active Directory writes things: GUIDs, SIDs, times, the
 * sub-codes of a refused bind.
 *
 * Threads  Pure functions.
 * Errors   RC_BAD: not of that form.
 */
#ifndef DIRECTORY_AD_VALUE_H
#define DIRECTORY_AD_VALUE_H

#include "directory/backend.h"

#define AD_UAC_DISABLED         0x2u
#define AD_UAC_LOCKOUT          0x10u     /* computed */
#define AD_UAC_PASSWORD_EXPIRED 0x800000u /* computed */

/*
 * objectGUID (16 bytes, the first three groups little endian, [MS-DTYP]
 * 2.3.4.2) to canonical lower case text and back.
 */
MUST_CHECK enum rc ad_guid_text(
    struct arena *a, struct str raw, struct str *out);
MUST_CHECK enum rc ad_guid_bytes(
    struct arena *a, struct str text, struct str *out);
/* "550e8400-e29b-41d4-a716-446655440000" in any case, to lower case. */
MUST_CHECK enum rc dir_uuid_canonical(
    struct arena *a, struct str text, struct str *out);
/* The last part of a SID ([MS-DTYP] 2.4.2.2). */
MUST_CHECK enum rc ad_sid_rid(struct str raw, uint32_t *out);
/* FILETIME in decimal to UNIX seconds; false: "never" (or no number). */
bool ad_time(struct str v, int64_t *out);
/* "YYYYMMDDHHMMSS[.f]Z" (RFC 4517 3.3.13) to UNIX seconds. */
MUST_CHECK enum rc dir_generalized_time(struct str v, int64_t *out);
/* From the text that comes with invalidCredentials: "... data 52e, v1db1". */
enum dir_bind_why ad_bind_why(struct str text);

#endif
