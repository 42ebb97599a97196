/*
 * smtp_syntax - the arguments of SMTP commands (what follows the verb).
 *
 * Formats    RFC 5321 section 4.1.2, parameters 4.1.1.11; xtext RFC 3461
 *            section 4; BDAT RFC 3030.  "FROM: <a@b>" with spaces behind the
 *            colon is tolerated, as Postfix does; brackets are required.
 * Ownership  Addresses live in the arena, parameters are slices of `arg`.
 * Threads    Pure functions.
 * Errors     RC_BAD for bad syntax (501), RC_DENY from the checked forms for a
 *            well-formed parameter that is not known (555): *out_bad says
 *            which one.
 * Limits     MAIL_PARAMS_MAX parameters; the line length is the caller's.
 */
#ifndef MAIL_SMTP_SYNTAX_H
#define MAIL_SMTP_SYNTAX_H

#include "mail/addr.h"

#define MAIL_PARAMS_MAX 12

struct mail_smtp_param {
	struct str key;
	struct str value; /* p is NULL when there is no '=' */
};

struct mail_smtp_args {
	struct mail_path path;
	struct mail_smtp_param param[MAIL_PARAMS_MAX]; /* each key once */
	size_t nparam;
};

/* "FROM:<path> [params]"; "<>" is accepted, "<postmaster>" is RC_BAD. */
MUST_CHECK enum rc mail_smtp_from(
    struct arena *a, struct str arg, struct mail_smtp_args *out);
/* "TO:<path> [params]"; "<>" is RC_BAD, "<postmaster>" is accepted. */
MUST_CHECK enum rc mail_smtp_to(
    struct arena *a, struct str arg, struct mail_smtp_args *out);
/* By keyword in any case, or NULL. */
const struct mail_smtp_param *mail_smtp_param(
    const struct mail_smtp_args *args, const char *key);

enum mail_body { MAIL_BODY_7BIT, MAIL_BODY_8BITMIME, MAIL_BODY_BINARYMIME };
enum mail_ret { MAIL_RET_NONE, MAIL_RET_FULL, MAIL_RET_HDRS };

/* Which parameters the server has announced. */
enum mail_smtp_ext {
	MAIL_EXT_SIZE = 1,
	MAIL_EXT_8BITMIME = 2,
	MAIL_EXT_BINARYMIME = 4,
	MAIL_EXT_AUTH = 8, /* AUTH= on MAIL */
	MAIL_EXT_DSN = 16, /* RET ENVID NOTIFY ORCPT */
};

struct mail_from_params {
	bool has_size;
	uint64_t size;
	enum mail_body body;
	enum mail_ret ret;
	struct str envid; /* xtext decoded; p NULL when absent */
	struct str auth;  /* xtext decoded; "<>" as it is; p NULL when absent */
};

#define MAIL_NOTIFY_NEVER   1u
#define MAIL_NOTIFY_SUCCESS 2u
#define MAIL_NOTIFY_FAILURE 4u
#define MAIL_NOTIFY_DELAY   8u

struct mail_to_params {
	unsigned notify;       /* 0 when absent */
	struct str orcpt_type; /* "rfc822"; p NULL when absent */
	struct str orcpt;      /* xtext decoded */
};

/*
 * Check and read the parameters.  RC_DENY names the first one that `ext` does
 * not cover; RC_BAD one whose value is wrong.
 */
MUST_CHECK enum rc mail_smtp_from_params(struct arena *a,
    const struct mail_smtp_args *args, unsigned ext,
    struct mail_from_params *out, struct str *out_bad);
MUST_CHECK enum rc mail_smtp_to_params(struct arena *a,
    const struct mail_smtp_args *args, unsigned ext, struct mail_to_params *out,
    struct str *out_bad);

/* The argument of EHLO or HELO: a domain or an address literal. */
bool mail_helo_ok(struct str arg);

struct mail_bdat {
	uint64_t size;
	bool last;
};
/* "size [LAST]"; a size above `max` is RC_BAD. */
MUST_CHECK enum rc mail_bdat_parse(
    struct str arg, uint64_t max, struct mail_bdat *out);

/* RFC 3461 section 4; only printable ASCII may come out. */
MUST_CHECK enum rc mail_xtext_decode(
    struct arena *a, struct str s, struct str *out);
struct str mail_xtext_encode(struct arena *a, struct str s);

#endif
