/*
 * pol_spf_impl - between the files of the SPF check: what a record says, what
 * macros stand for.
 *
 * Ownership  Slices are parts of what was parsed, or live in the arena passed.
 */
#ifndef POLICY_POL_SPF_IMPL_H
#define POLICY_POL_SPF_IMPL_H

#include "policy/pol_spf.h"

#define POL_SPF_VALUE_MAX  512u        /* bytes that one macro stands for */
#define POL_SPF_EXPAND_MAX (64u << 10) /* bytes of one expansion */

enum pol_spf_kind {
	POL_SPF_ALL,
	POL_SPF_INCLUDE,
	POL_SPF_A,
	POL_SPF_MX,
	POL_SPF_PTR,
	POL_SPF_IP4,
	POL_SPF_IP6,
	POL_SPF_EXISTS,
};

struct pol_spf_term {
	enum pol_spf_kind kind;
	enum pol_spf_result result; /* of the qualifier */
	struct str text;            /* as written, without qualifier */
	struct str domain;          /* domain-spec; "" is the current one */
	unsigned char ip[16];       /* ip4 (4 bytes), ip6 */
	unsigned cidr4, cidr6;
};

struct pol_spf_record {
	struct pol_spf_term *v;
	size_t n;
	struct str redirect, exp; /* domain-spec, "" is none */
};

/* True when a TXT record is meant for us (section 4.5). */
bool pol_spf_is_record(struct str txt);
/*
 * The whole record; RC_BAD with the bad term and what is wrong with it in
 * *problem.
 */
MUST_CHECK enum rc pol_spf_parse(struct arena *a, struct str txt,
    struct pol_spf_record *out, struct str *problem);

/* What the letters of section 7.2 stand for. */
struct pol_spf_values {
	struct str sender, local, origin; /* s l o */
	struct str domain;                /* d: changes with include */
	struct str dotted;                /* i */
	struct str reversed;              /* ir, of the PTR lookup */
	struct str version;               /* v */
	struct str helo;                  /* h */
	struct str validated;             /* p */
	struct str readable, receiver;    /* c r: explanations only */
	int64_t now;                      /* t */
};

enum pol_spf_text {
	POL_SPF_TERM, /* within a record: no spaces, no c r t */
	POL_SPF_EXPLAIN,
};

/* RC_BAD on any syntax error of a macro-string or explain-string. */
MUST_CHECK enum rc pol_spf_macro_check(struct str text, enum pol_spf_text kind);
/* The same, and that it ends like a domain-spec. */
MUST_CHECK enum rc pol_spf_domain_check(struct str spec);
/* True when `text` needs the client's validated name. */
bool pol_spf_macro_has_p(struct str text);
/*
 * Expand checked text.  RC_DENY: it needs the local part, which is not ASCII,
 * so the term can never match (RFC 8616 section 4).  RC_BAD: too long.
 */
MUST_CHECK enum rc pol_spf_expand(struct str text, enum pol_spf_text kind,
    const struct pol_spf_values *v, struct buf *out);
/*
 * Expand a domain-spec into a name to ask for, in lower case.  RC_NOENT: it
 * is no name that the DNS can hold.  RC_DENY as above.
 */
MUST_CHECK enum rc pol_spf_expand_domain(struct arena *a, struct str spec,
    const struct pol_spf_values *v, struct str *out);
/* Labels of 1 to 63 bytes, DNS_NAME_MAX in all, no byte that hurts. */
bool pol_spf_name_ok(struct str name);

/* A client's address; false when it is none. */
struct pol_spf_client {
	bool v6;
	unsigned char ip[16]; /* the first 4 unless v6 */
};
bool pol_spf_client_parse(struct str ip, struct pol_spf_client *out);
struct str pol_spf_client_text(struct arena *a, const struct pol_spf_client *c);
/* One line of printable ASCII, at most `max` bytes. */
struct str pol_spf_plain(struct arena *a, struct str s, size_t max);

/*
 * Who is judged: local part and domain out of helo and return path.
 */
struct pol_spf_subject {
	enum pol_spf_identity identity;
	struct str local, domain;
};
void pol_spf_subject(const struct pol_spf_in *in, struct pol_spf_subject *out);

/* The engines. */
void pol_spf_own(const struct pol_spf_conf *conf, struct arena *a,
    const struct pol_spf_in *in, const struct pol_spf_subject *who,
    const struct pol_spf_client *client, struct deadline dl,
    struct pol_spf_out *out);
#ifdef HAVE_LIBSPF2
void pol_spf_libspf2(const struct pol_spf_conf *conf, struct arena *a,
    const struct pol_spf_in *in, const struct pol_spf_subject *who,
    const struct pol_spf_client *client, struct deadline dl,
    struct pol_spf_out *out);
#endif

#endif
