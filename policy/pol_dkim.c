/*
 * What libopendkim does and we do not want is kept from it: its resolver (the
 * key callback answers from memory, and is the only place that knows whether a
 * key is missing or could not be had), its acceptance of rsa-sha1 and l=, its
 * lack of a limit on signatures (the prescreen callback).  Signatures are
 * processed after the body (DELAYSIGPROC), so that one bad key does not end the
 * others.
 */
#include <string.h>

#include "mail/header.h"
#include "policy/pol_dkim.h"
#include "policy/pol_tags.h"

/* Behind ours: it brings a MIN and a MAX of its own. */
#include <opendkim/dkim.h>

#define B_SHOWN       12u
#define NAME_MAX_DKIM 253u

struct pol_dkim {
	const struct log *log;
	DKIM_LIB *lib;
};

/* The message being verified, as the callbacks see it. */
struct job {
	const struct pol_dkim_in *in;
	size_t ignored;
};

static const struct str field_name = STR_INIT("DKIM-Signature");

static struct str
from_lib(const unsigned char *s)
{
	return s == NULL ? STR("") : str_c((const char *)s);
}

static const struct pol_dkim_key *
find_key(const struct pol_dkim_in *in, struct str domain, struct str selector)
{
	for (size_t i = 0; i < in->nkey; i++)
		if (str_ieq(in->key[i].domain, domain) &&
		    str_ieq(in->key[i].selector, selector))
			return &in->key[i];
	return NULL;
}

/* The one text of an answer that has a key in it; else NULL. */
static const struct dns_record *
key_text(const struct dns_answer *answer)
{
	const struct dns_record *found = NULL;
	struct str p;

	for (size_t i = 0; i < answer->n; i++) {
		if (!pol_tag_find(answer->v[i].text, STR("p"), &p))
			continue;
		if (found != NULL)
			return NULL; /* RFC 6376 section 3.6.2.2: undefined */
		found = &answer->v[i];
	}
	return found;
}

static DKIM_CBSTAT
on_key(DKIM *dkim, DKIM_SIGINFO *sig, u_char *buf, size_t len)
{
	const struct job *j = dkim_get_user_context(dkim);
	const struct pol_dkim_key *key =
	    find_key(j->in, from_lib(dkim_sig_getdomain(sig)),
		from_lib(dkim_sig_getselector(sig)));
	const struct dns_record *r;

	if (key == NULL || key->answer.rc == RC_TEMP)
		return DKIM_CBSTAT_ERROR;
	r = key->answer.rc == RC_OK ? key_text(&key->answer) : NULL;
	if (r == NULL || r->text.n >= len || str_chr(r->text, '\0') < r->text.n)
		return DKIM_CBSTAT_NOTFOUND;
	memcpy(buf, r->text.p, r->text.n);
	buf[r->text.n] = '\0';
	return DKIM_CBSTAT_CONTINUE;
}

static DKIM_CBSTAT
on_prescreen(DKIM *dkim, DKIM_SIGINFO **sigs, int nsigs)
{
	struct job *j = dkim_get_user_context(dkim);

	for (int i = (int)POL_DKIM_MAX; i < nsigs; i++) {
		dkim_sig_ignore(sigs[i]);
		j->ignored++;
	}
	return DKIM_CBSTAT_CONTINUE;
}

struct pol_dkim *
pol_dkim_new(const struct log *log)
{
	struct pol_dkim *d = xcalloc(1, sizeof(*d));
	unsigned flags = DKIM_LIBFLAGS_DELAYSIGPROC;
	unsigned bits = POL_DKIM_KEY_BITS;
	uint64_t drift = POL_DKIM_DRIFT_S;

	d->log = log;
	d->lib = dkim_init(NULL, NULL);
	if (d->lib == NULL ||
	    dkim_options(d->lib, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags,
		sizeof(flags)) != DKIM_STAT_OK ||
	    dkim_options(d->lib, DKIM_OP_SETOPT, DKIM_OPTS_MINKEYBITS, &bits,
		sizeof(bits)) != DKIM_STAT_OK ||
	    dkim_options(d->lib, DKIM_OP_SETOPT, DKIM_OPTS_CLOCKDRIFT, &drift,
		sizeof(drift)) != DKIM_STAT_OK ||
	    dkim_set_key_lookup(d->lib, on_key) != DKIM_STAT_OK ||
	    dkim_set_prescreen(d->lib, on_prescreen) != DKIM_STAT_OK)
		panic("libopendkim refuses its options");
	return d;
}

void
pol_dkim_free(struct pol_dkim **d)
{
	if (*d == NULL)
		return;
	dkim_close((*d)->lib);
	xfree(*d);
	*d = NULL;
}

/* What a DNS name may hold; the library does not look. */
static bool
is_name(struct str s)
{
	if (s.n == 0 || s.n > NAME_MAX_DKIM)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '-' &&
		    s.p[i] != '_')
			return false;
	return true;
}

size_t
pol_dkim_keys(
    struct arena *a, struct str header, struct pol_dkim_key out[POL_DKIM_MAX])
{
	struct mail_header_iter it = { header };
	struct mail_field f;
	size_t n = 0, seen = 0;

	while (seen < POL_DKIM_MAX &&
	       mail_header_next_named(&it, field_name, &f)) {
		struct pol_dkim_key key = { 0 };
		size_t i = 0;

		seen++;
		if (!pol_tag_find(f.value, STR("d"), &key.domain) ||
		    !pol_tag_find(f.value, STR("s"), &key.selector) ||
		    !is_name(key.domain) || !is_name(key.selector))
			continue;
		while (i < n && !(str_ieq(out[i].domain, key.domain) &&
				    str_ieq(out[i].selector, key.selector)))
			i++;
		if (i < n)
			continue;
		key.domain = str_lower(a, key.domain);
		out[n++] = key;
	}
	return n;
}

struct dns_question
pol_dkim_question(struct arena *a, const struct pol_dkim_key *key)
{
	return (
	    struct dns_question){ str_fmt(a, "%.*s._domainkey.%.*s",
				      STRF(key->selector), STRF(key->domain)),
		DNS_TXT };
}

/* The library takes bytes that it does not change as if it did. */
static u_char *
bytes(struct str s)
{
	union {
		const char *in;
		u_char *out;
	} u = { .in = s.p };

	return u.out;
}

/* All header fields; *broken: signatures that it cannot even read. */
static void
feed_header(DKIM *dkim, struct str header, size_t *broken)
{
	struct mail_header_iter it = { header };
	struct mail_field f;

	while (mail_header_next(&it, &f)) {
		struct str s = f.whole;

		if (str_has_isuffix(s, STR("\r\n")))
			s.n -= 2;
		/* What is no field it refuses; nobody can have signed it. */
		if (f.name.n > 0 &&
		    dkim_header(dkim, bytes(s), s.n) != DKIM_STAT_OK &&
		    str_ieq(f.name, field_name))
			(*broken)++;
	}
}

static enum rc
feed_body(struct pol_dkim *d, DKIM *dkim, const struct pol_dkim_in *in,
    struct arena *a)
{
	char *room = in->body->fd >= 0 ? arena_alloc(a, POL_BODY_PIECE) : NULL;
	uint64_t at = in->header.n;
	struct str piece;

	for (;; at += piece.n) {
		enum rc rc = pol_body_read(d->log, in->body, at, room, &piece);

		if (rc != RC_OK || piece.n == 0)
			return rc;
		if (dkim_minbody(dkim) == 0)
			return RC_OK; /* every hash has what it wants */
		if (dkim_body(dkim, bytes(piece), piece.n) != DKIM_STAT_OK)
			return RC_OK; /* the signatures will say so */
	}
}

/* l= counts a part of the body only (libraries.md: it is honoured). */
static bool
has_length(DKIM_SIGINFO *sig)
{
	u_char name[] = "l";

	return dkim_sig_gettagvalue(sig, false, name) != NULL;
}

static struct str
shown_b(struct arena *a, DKIM_SIGINFO *sig)
{
	u_char name[] = "b";
	struct str v = from_lib(dkim_sig_gettagvalue(sig, false, name));
	char b[B_SHOWN];
	size_t n = 0;

	for (size_t i = 0; i < v.n && n < sizeof(b); i++)
		if (ascii_is_alnum(v.p[i]) || v.p[i] == '+' || v.p[i] == '/')
			b[n++] = v.p[i];
	return str_dup(a, str_n(b, n));
}

static void
say(struct pol_dkim_sig *s, enum pol_dkim_result r, const char *why)
{
	s->result = r;
	s->why = why;
}

static void
judge_error(struct pol_dkim_sig *s, DKIM_SIGERROR e)
{
	switch (e) {
	case DKIM_SIGERROR_EXPIRED:
		say(s, POL_DKIM_POLICY, "signature expired");
		return;
	case DKIM_SIGERROR_FUTURE:
		say(s, POL_DKIM_POLICY, "signed in the future");
		return;
	case DKIM_SIGERROR_BADSIG:
		say(s, POL_DKIM_FAIL, "signature did not verify");
		return;
	case DKIM_SIGERROR_KEYTOOSMALL:
		say(s, POL_DKIM_PERMERROR, "key under 1024 bits");
		return;
	case DKIM_SIGERROR_KEYREVOKED:
		say(s, POL_DKIM_PERMERROR, "key revoked");
		return;
	case DKIM_SIGERROR_NOKEY:
		say(s, POL_DKIM_PERMERROR, "no key");
		return;
	default:
		say(s, POL_DKIM_PERMERROR, dkim_sig_geterrorstr(e));
		if (s->why == NULL)
			s->why = "cannot be evaluated";
		return;
	}
}

/* The library's own opinion about a signature whose key was to be had. */
static void
judge(struct pol_dkim_sig *s, DKIM_SIGINFO *sig)
{
	unsigned flags = dkim_sig_getflags(sig);
	int e = dkim_sig_geterror(sig);

	if (!(flags & DKIM_SIGFLAG_PASSED)) {
		if (e == DKIM_SIGERROR_OK &&
		    dkim_sig_getbh(sig) == DKIM_SIGBH_MISMATCH)
			say(s, POL_DKIM_FAIL, "body hash did not verify");
		else
			judge_error(s, e);
		return;
	}
	switch (dkim_sig_getbh(sig)) {
	case DKIM_SIGBH_MATCH:
		say(s, POL_DKIM_PASS, "");
		return;
	case DKIM_SIGBH_MISMATCH:
		say(s, POL_DKIM_FAIL, "body hash did not verify");
		return;
	default:
		say(s, POL_DKIM_PERMERROR, "body was not hashed");
		return;
	}
}

/*
 * The algorithm as the signature names it: what the library says is not set
 * until it has looked at the key.
 */
static bool
is_algorithm(DKIM_SIGINFO *sig, struct str want)
{
	u_char name[] = "a";

	return str_ieq(from_lib(dkim_sig_gettagvalue(sig, false, name)), want);
}

/* And ours: what never counts. */
static void
overrule(struct pol_dkim_sig *s, DKIM_SIGINFO *sig, const struct job *j)
{
	unsigned bits = 0;

	s->ed25519 = is_algorithm(sig, STR("ed25519-sha256"));
	if (str_chr(j->in->header, '\0') < j->in->header.n)
		say(s, POL_DKIM_PERMERROR, "NUL in the header");
	else if (is_algorithm(sig, STR("rsa-sha1"))) /* RFC 8301 section 3.1 */
		say(s, POL_DKIM_PERMERROR, "rsa-sha1 is not accepted");
	else if (s->result != POL_DKIM_PASS)
		return;
	else if (!s->ed25519 && !is_algorithm(sig, STR("rsa-sha256")))
		say(s, POL_DKIM_PERMERROR, "unknown algorithm");
	else if (has_length(sig))
		say(s, POL_DKIM_POLICY, "l= is not accepted");
	else if (!s->ed25519 && /* section 3.2 */
		 (dkim_sig_getkeysize(sig, &bits) != DKIM_STAT_OK ||
		     bits < POL_DKIM_KEY_BITS))
		say(s, POL_DKIM_PERMERROR, "key under 1024 bits");
}

static void
read_signature(
    DKIM *dkim, DKIM_SIGINFO *sig, struct arena *a, struct pol_dkim_sig *s)
{
	const struct job *j = dkim_get_user_context(dkim);
	const struct pol_dkim_key *key;

	*s = (struct pol_dkim_sig){
		.domain = str_lower(a, from_lib(dkim_sig_getdomain(sig))),
		.selector = str_dup(a, from_lib(dkim_sig_getselector(sig))),
		.b = shown_b(a, sig),
	};
	key = find_key(j->in, s->domain, s->selector);
	if (key != NULL && key->answer.rc == RC_TEMP) {
		say(s, POL_DKIM_TEMPERROR, "key could not be looked up");
		return;
	}
	judge(s, sig);
	s->test_key = (dkim_sig_getflags(sig) & DKIM_SIGFLAG_TESTKEY) != 0;
	overrule(s, sig, j);
}

static void
read_signatures(
    DKIM *dkim, struct arena *a, size_t broken, struct pol_dkim_out *out)
{
	DKIM_SIGINFO **sigs = NULL;
	int n = 0;

	if (dkim_getsiglist(dkim, &sigs, &n) != DKIM_STAT_OK)
		n = 0;
	for (int i = 0; i < n && out->n < POL_DKIM_MAX; i++) {
		if (dkim_sig_getflags(sigs[i]) & DKIM_SIGFLAG_IGNORE)
			continue;
		/* Those behind one that ended dkim_eom. */
		if (!(dkim_sig_getflags(sigs[i]) & DKIM_SIGFLAG_PROCESSED))
			(void)dkim_sig_process(dkim, sigs[i]);
		read_signature(dkim, sigs[i], a, &out->sig[out->n++]);
	}
	for (; broken > 0 && out->n < POL_DKIM_MAX; broken--)
		out->sig[out->n++] =
		    (struct pol_dkim_sig){ .result = POL_DKIM_PERMERROR,
			    .why = "malformed" };
}

enum rc
pol_dkim_verify(struct pol_dkim *d, struct arena *a,
    const struct pol_dkim_in *in, struct pol_dkim_out *out)
{
	struct job j = { .in = in };
	struct mail_field f;
	DKIM_STAT st;
	DKIM *dkim;
	size_t broken = 0;
	enum rc rc = RC_OK;

	*out = (struct pol_dkim_out){ 0 };
	if (!mail_header_find(in->header, field_name, &f))
		return RC_OK;
	dkim = dkim_verify(d->lib, bytes(STR("check")), NULL, &st);
	if (dkim == NULL)
		panic("libopendkim gives no handle: %d", st);
	(void)dkim_set_user_context(dkim, &j);
	feed_header(dkim, in->header, &broken);
	st = dkim_eoh(dkim);
	if (st == DKIM_STAT_OK) {
		rc = feed_body(d, dkim, in, a);
		if (rc == RC_OK)
			(void)dkim_eom(dkim, NULL);
	}
	if (rc == RC_OK)
		read_signatures(dkim, a, broken, out);
	out->ignored = j.ignored;
	(void)dkim_free(dkim);
	return rc;
}

const char *
pol_dkim_name(enum pol_dkim_result r)
{
	static const char *const names[] = { [POL_DKIM_NONE] = "none",
		[POL_DKIM_PASS] = "pass",
		[POL_DKIM_FAIL] = "fail",
		[POL_DKIM_POLICY] = "policy",
		[POL_DKIM_NEUTRAL] = "neutral",
		[POL_DKIM_TEMPERROR] = "temperror",
		[POL_DKIM_PERMERROR] = "permerror" };

	return names[r];
}
