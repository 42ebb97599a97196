/*
 * pol_spf - may this client send for this domain?  RFC 7208.
 *
 * Asks the DNS only through `ask`, so the process passes the resolver's
 * answers and a test those of a zone in memory.  No client is special: one on
 * 127.0.0.1 is judged by the records like any other.
 *
 * Ownership  Every slice of *out lives in `a`, or is a part of *in.
 * Threads    Any; a check holds no state but its own and blocks in `ask`.
 * Errors     There is always a result: what cannot be found out is
 *            POL_SPF_TEMPERROR, and that never becomes a permanent answer.
 * Limits     Section 4.6.4: 10 terms that ask the DNS, 2 void lookups, 10
 *            names of an mx, the first 10 names of a ptr, and dl or
 *            POL_SPF_TIME_MS, whichever comes first.  Those first 10 terms may
 *            be asked before their turn and all at once, so at most twice as
 *            many questions go out.  A record is at most POL_SPF_RECORD_MAX
 *            long.
 */
#ifndef POLICY_POL_SPF_H
#define POLICY_POL_SPF_H

#include "lib/resolver.h"

#define POL_SPF_LOOKUPS_MAX 10u
#define POL_SPF_VOIDS_MAX   2u
#define POL_SPF_NAMES_MAX   10u /* of one mx, of the client's PTR */
#define POL_SPF_TIME_MS     20000
#define POL_SPF_RECORD_MAX  16384u
#define POL_SPF_EXPLAIN_MAX 400u /* bytes of explanation */

enum pol_spf_result {
	POL_SPF_NONE = 1,
	POL_SPF_NEUTRAL,
	POL_SPF_PASS,
	POL_SPF_FAIL,
	POL_SPF_SOFTFAIL,
	POL_SPF_TEMPERROR,
	POL_SPF_PERMERROR,
};

enum pol_spf_identity {
	POL_SPF_MAILFROM = 1, /* a null return path is postmaster@helo */
	POL_SPF_HELO,
};

/* As libraries differ and ours is the default: setting spf_engine. */
enum pol_spf_engine {
	POL_SPF_OWN,
	POL_SPF_LIBSPF2, /* only when built --with-libspf2 */
};

struct pol_spf_conf {
	/* Like resolver_ask_all: all questions at the same time, one answer
	 * each; what an answer holds lives in `a`.  Called behind dl too, for
	 * what is known already; it must not wait then. */
	void (*ask)(void *arg, struct arena *a, const struct dns_question *q,
	    size_t n, struct deadline dl, struct dns_answer *out);
	void *arg;
	enum pol_spf_engine engine;
	struct str receiver; /* our host name, for %{r} and receiver= */
};

struct pol_spf_in {
	enum pol_spf_identity identity;
	struct str client_ip; /* "::ffff:192.0.2.1" is 192.0.2.1 */
	struct str helo;      /* as given by the client */
	struct str from;      /* return path, domain in A-labels; "" is null */
	int64_t now;          /* unix seconds, for %{t} */
};

struct pol_spf_out {
	enum pol_spf_result result;
	/* HELO too when the return path is null, for smtp.helo=. */
	enum pol_spf_identity identity;
	struct str domain; /* that was evaluated, lower case, printable ASCII */
	struct str sender; /* local@domain that was evaluated */
	/* The term that decided, as in the record ("ip4:192.0.2.0/24"), or
	 * "default"; "" for none, temperror and permerror. */
	struct str mechanism;
	struct str problem; /* what is wrong: temperror, permerror, none */
	/* The domain owner's words on a fail, or "": one line of printable
	 * ASCII, at most POL_SPF_EXPLAIN_MAX bytes. */
	struct str explanation;
	unsigned lookups; /* terms that asked */
	unsigned voids;
};

void pol_spf_check(const struct pol_spf_conf *conf, struct arena *a,
    const struct pol_spf_in *in, struct deadline dl, struct pol_spf_out *out);

/* "pass", "softfail": for headers and logs. */
const char *pol_spf_name(enum pol_spf_result result);
/* True when the engine is built in. */
bool pol_spf_engine_built(enum pol_spf_engine engine);
/*
 * The Received-SPF field of section 9.1, escaped, folded, with CRLF at the
 * end.
 */
struct str pol_spf_received(struct arena *a, const struct pol_spf_conf *conf,
    const struct pol_spf_in *in, const struct pol_spf_out *out);

#endif
