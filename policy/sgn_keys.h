/*
 * sgn_keys - the DKIM keys on disk: what the signer reads and what
 * `gatepost dkim` writes.
 *
 * Format     Below `dkim_dir` one directory for each domain, in lower case.
 *            In it SELECTOR.pem, a private key (PKCS #8 or #1, RSA or
 *            Ed25519), and the file `selectors`, which says what each is for:
 *            a line "SELECTOR active|new|retired [UNIX TIME]", "#" begins a
 *            comment.  A key that this file does not name is not used.
 * Ownership  What is read lives in the arena, but for the private keys, which
 *            sgn_domain_wipe wipes and gives back.
 * Threads    Pure functions, and files.
 * Errors     RC_NOENT: no such domain.  RC_BAD: the text is malformed.
 *            RC_TEMP: it is there and cannot be used; `why` names the file.
 * Limits     The ones below.
 */
#ifndef POLICY_SGN_KEYS_H
#define POLICY_SGN_KEYS_H

#include <sys/types.h>

#include "lib/base.h"

#define SGN_DOMAIN_MAX    253u
#define SGN_SELECTOR_MAX  63u
#define SGN_SELECTORS_MAX 16u /* of a domain */
#define SGN_DOMAINS_MAX   4096u
#define SGN_STATE_MAX     (8u << 10)  /* bytes of `selectors` */
#define SGN_PEM_MAX       (16u << 10) /* bytes of a key file */
#define SGN_RSA_MIN       1024u       /* bits; RFC 8301 section 3.2 */
#define SGN_RSA_WEAK      2048u       /* below it verifiers may frown */

enum sgn_state {
	SGN_ACTIVE,  /* signs */
	SGN_NEW,     /* waits until its record is in the DNS */
	SGN_RETIRED, /* signs no more; its record may have to stay a while */
};

enum sgn_alg { SGN_RSA, SGN_ED25519 };

struct sgn_selector {
	struct str name;
	enum sgn_state state;
	int64_t since; /* Unix time; 0: not said */
};

/* The lines of `selectors`.  RC_BAD also when a name comes twice. */
MUST_CHECK enum rc sgn_state_parse(
    struct arena *a, struct str text, struct sgn_selector **out, size_t *out_n);
MUST_CHECK enum rc sgn_state_format(
    struct buf *out, const struct sgn_selector *v, size_t n);
const char *sgn_state_name(enum sgn_state state);
/* Lower-case labels that can neither leave a directory nor a DNS name. */
bool sgn_domain_ok(struct str s);
bool sgn_selector_ok(struct str s);

/* A private key as PEM: what it is, and the text of its DNS record. */
struct sgn_public {
	enum sgn_alg alg;
	unsigned bits;
	struct str record; /* "v=DKIM1; k=rsa; p=..." */
};
MUST_CHECK enum rc sgn_pem_public(
    struct arena *a, struct str pem, struct sgn_public *out);
/* A new key.  RC_TEMP: the library would not.  Wipe what *pem holds. */
MUST_CHECK enum rc sgn_pem_make(enum sgn_alg alg, struct buf *pem);
const char *sgn_alg_name(enum sgn_alg alg); /* "rsa", "ed25519" */

struct sgn_key {
	struct sgn_selector sel;
	struct sgn_public pub;
	char *pem; /* with a NUL behind it; NULL unless asked for */
	size_t pem_n;
};

struct sgn_domain {
	struct str name;
	struct sgn_key *v;
	size_t n;
	struct str why; /* RC_TEMP: which file, and what is wrong with it */
};

/*
 * The keys of one domain.  Files must be regular, belong to `owner` and be
 * nobody else's to read.
 */
MUST_CHECK enum rc sgn_domain_read(struct arena *a, const char *dir,
    struct str domain, uid_t owner, bool with_pem, struct sgn_domain *out);
/* Wipe and give back the private keys; the rest stays. */
void sgn_domain_wipe(struct sgn_domain *d);
/* Names of the domains, sorted.  RC_NOENT: the directory is not there. */
MUST_CHECK enum rc sgn_domains(
    struct arena *a, const char *dir, struct str **out, size_t *out_n);

/* A record to publish: name "SELECTOR._domainkey.DOMAIN" and its text. */
struct sgn_record {
	struct str name, text;
	enum sgn_state state;
	int64_t since;
};
/* Those of a domain, for `gatepost dns`; *why as in struct sgn_domain. */
MUST_CHECK enum rc dkim_records(struct arena *a, const char *dir,
    struct str domain, uid_t owner, struct sgn_record **out, size_t *out_n,
    struct str *why);

/*
 * Writing.  Each step is one rename, so that a crash leaves the old state or
 * the new one.  Files get `uid` and `gid` when we are root.
 */
struct sgn_writer {
	const char *dir;
	uid_t uid;
	gid_t gid;
	int64_t now;
};
/* RC_DENY: the domain has keys already.  `base` as in "gp2026a". */
MUST_CHECK enum rc sgn_domain_new(struct arena *a, const struct sgn_writer *w,
    struct str domain, struct str base, struct str *why);
/* A new pair beside those in use.  RC_DENY: there is a new one already. */
MUST_CHECK enum rc sgn_domain_add(struct arena *a, const struct sgn_writer *w,
    struct str domain, struct str base, struct str *why);
/* The new ones become active, the active ones retired.  RC_DENY: none new. */
MUST_CHECK enum rc sgn_domain_switch(struct arena *a,
    const struct sgn_writer *w, struct str domain, struct str *why);
/* The next base of the year that no selector of the domain begins with. */
struct str sgn_next_base(
    struct arena *a, const struct sgn_domain *d, int64_t now);

#endif
