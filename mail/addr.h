/*
 * addr - mail addresses as SMTP writes them and as the house compares them.
 *
 * Formats    RFC 5321 section 4.1.2 (Path, Mailbox) and 4.1.3 (literals).
 *            A source route ("<@a,@b:x@y>") is accepted and dropped.
 *            Underscores pass in domains because real host names have them.
 *            Anything outside ASCII is refused (no SMTPUTF8 yet).
 * Canonical  `local` is the bare content, without quotes and backslashes,
 *            its case kept; `domain` is lower case without a trailing dot, or
 *            a whole literal with its brackets.  mail_addr_text() puts quotes
 *            back where RFC 5321 wants them, so text -> addr -> text is stable.
 * Ownership  Slices live in the arena given, or in static memory.
 * Threads    Pure functions.
 * Errors     RC_BAD for whatever is no address; *out is untouched then.
 * Limits     RFC 5321 section 4.5.3.1: local part 64, domain 255, path 256
 *            octets with its brackets; a label has at most 63.
 */
#ifndef MAIL_ADDR_H
#define MAIL_ADDR_H

#include "lib/base.h"

#define MAIL_LOCAL_MAX  64
#define MAIL_DOMAIN_MAX 255
#define MAIL_PATH_MAX   256
/* A canonical text: the local part may need quotes and backslashes. */
#define MAIL_ADDR_TEXT_MAX (2 + 2 * MAIL_LOCAL_MAX + 1 + MAIL_DOMAIN_MAX)

struct addr {
	struct str local;  /* without quotes */
	struct str domain; /* lower case; "[192.0.2.1]" for a literal */
};

struct mail_path {
	struct addr addr; /* both parts empty for the null path */
	bool null_path;   /* "<>" */
	bool no_domain;   /* "<postmaster>": addr.domain is empty */
};

/*
 * Cut one path in angle brackets off the front of *in.  "<postmaster>" in any
 * case is the only form without a domain.
 */
MUST_CHECK enum rc mail_path_parse(
    struct arena *a, struct str *in, struct mail_path *out);
/* A bare addr-spec, nothing around it, as directories hold them. */
MUST_CHECK enum rc mail_addr_parse(
    struct arena *a, struct str s, struct addr *out);
/* Canonical text "local@domain" (no '@' when the domain is empty). */
struct str mail_addr_text(struct arena *a, const struct addr *x);
/* Equal, ASCII case ignored in both parts, as directories compare them. */
bool mail_addr_eq(const struct addr *x, const struct addr *y);

/* A host or mail domain by RFC 5321 `Domain` (and underscores), no literal. */
bool mail_domain_ok(struct str s);
/* "[1.2.3.4]", "[IPv6:...]": the address inside is checked. */
bool mail_literal_ok(struct str s);

#endif
