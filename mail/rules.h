/*
 * rules - the site's rewriting: maps of addresses, blind copies, catch-all.
 *
 * Format     One rule a line; "#" and empty lines are skipped:
 *
 *   sender PATTERN NEW         recipient PATTERN NEW...
 *   envelope-sender PATTERN NEW
 *   envelope-recipient PATTERN NEW...
 *   bcc ADDRESS                bcc-from PATTERN ADDRESS
 *   bcc-to PATTERN ADDRESS     catch-all @DOMAIN ADDRESS
 *   capture ADDRESS            size-limit PATTERN SIZE
 *   send-limit GROUP SIZE      receive-limit GROUP SIZE
 *   header ...                 (policy/pol_headers.h)
 *
 *            PATTERN is user@domain, user@ or @domain; the first of them that
 *            has a rule counts.  NEW is an address, or @domain, which keeps
 *            what is in front of the "@".  SIZE is in bytes, with K, M or G.
 *            GROUP is an address, a DN (in quotes if it has blanks) or "*".
 *            A map without "envelope-" is for the fields of the header, too,
 *            if it gives one address.
 *            Case does not count in patterns, as it does not in directories.
 * Ownership  Rules are immutable and counted; results borrow from them or live
 *            in the arena given.
 * Threads    Reference counting is atomic; everything else is pure.
 * Errors     RC_BAD: *why says "NAME:LINE: what is wrong".
 * Limits     RULES_MAX rules, RULES_BYTES_MAX of text, RULES_TO_MAX addresses
 *            in one rule.  A map is applied once, its results are not looked
 *            up again, so that rules cannot go in circles.
 */
#ifndef MAIL_RULES_H
#define MAIL_RULES_H

#include "mail/addr.h"
#include "mail/size_limit.h"

#define RULES_MAX       100000u
#define RULES_BYTES_MAX (16u << 20)
#define RULES_LINE_MAX  16384u
#define RULES_TO_MAX    100u

struct mail_rules;

MUST_CHECK enum rc mail_rules_parse(struct arena *a, const char *name,
    struct str text, const struct mail_rules **out, struct str *why);
const struct mail_rules *mail_rules_ref(const struct mail_rules *r);
void mail_rules_unref(const struct mail_rules **r);

/* The address that stands for this one; RC_NOENT: none does. */
MUST_CHECK enum rc mail_rules_sender(const struct mail_rules *r,
    struct arena *a, const struct addr *from, struct str *out);
/* Those that stand for this one, canonical; RC_NOENT: no rule. */
MUST_CHECK enum rc mail_rules_recipient(const struct mail_rules *r,
    struct arena *a, const struct addr *to, struct str **out, size_t *out_n);
/* Is there a map for fields of the header? */
bool mail_rules_has_header_map(const struct mail_rules *r);
/*
 * What stands for this one in a header; RC_DENY: its rule is for the envelope
 * alone; RC_NOENT: it has none.
 */
MUST_CHECK enum rc mail_rules_header(const struct mail_rules *r,
    struct arena *a, bool sender, const struct addr *x, struct str *out);
/* "" when there is none. */
struct str mail_rules_catch_all(const struct mail_rules *r, struct str domain);
struct str mail_rules_capture(const struct mail_rules *r);
/* `most` or what the sender's rule says, if that is less. */
uint64_t mail_rules_size_limit(
    const struct mail_rules *r, const struct addr *from, uint64_t most);
/* Those by group; NULL: there are none. */
const struct mail_size_limits *mail_rules_send_limits(
    const struct mail_rules *r);
const struct mail_size_limits *mail_rules_receive_limits(
    const struct mail_rules *r);

/* Are there any rules about blind copies? */
bool mail_rules_has_bcc(const struct mail_rules *r);
typedef void mail_rules_each(void *ctx, struct str address);
/* Every mail's; those of a sender; those of a recipient. */
void mail_rules_bcc(
    const struct mail_rules *r, mail_rules_each *each, void *ctx);
void mail_rules_bcc_from(const struct mail_rules *r, const struct addr *from,
    mail_rules_each *each, void *ctx);
void mail_rules_bcc_to(const struct mail_rules *r, const struct addr *to,
    mail_rules_each *each, void *ctx);

/*
 * The header rules of a text, for pol_headers_parse: all other lines are
 * empty, so that line numbers stay.
 */
MUST_CHECK enum rc mail_rules_headers(struct str text, struct buf *out);

/*
 * user+detail@domain without its detail; RC_NOENT: there is none.  `sep` is
 * one character, or "".
 */
MUST_CHECK enum rc mail_subaddress(
    struct arena *a, const struct addr *x, const char *sep, struct addr *out);

#endif
