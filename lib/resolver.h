/*
 * resolver - DNS for everybody who asks about mail: libunbound in thread mode
 * behind an answer cache of our own.
 *
 * Names are presentation form without the last dot, any case, any byte (a dot
 * or a backslash inside a label has a backslash in front, "\DDD" is a byte);
 * answers give names in lower case, with escapes where they need some.  CNAMEs
 * are followed.  Nobody else in the house asks the DNS, and nobody calls
 * getaddrinfo on the way of a message.
 *
 * Ownership  Answers live in the arena that is passed.
 * Threads    Any.  The blocking forms are for workers; the start form calls
 *            back on the resolver's own thread, which must not block, or on
 *            the caller's before it returns (cache, bad name).
 * Errors     In struct dns_answer: RC_OK at least one record; RC_NOENT the
 *            name or the type does not exist (nxdomain says which); RC_BAD
 *            not a name that DNS can hold; RC_TEMP no answer before dl,
 *            SERVFAIL, a lame or lying server, or DNSSEC says bogus.
 * Limits     DNS_RECORDS_MAX records of an answer are given (`cut` says that
 *            there were more); RESOLVER_WAITING_MAX questions at a time, above
 *            that RC_TEMP; cached times are clamped to RESOLVER_TTL_MAX, and
 *            RC_TEMP is remembered for RESOLVER_TEMP_TTL (a server's failure
 *            or DNSSEC's; not that somebody's deadline was too short).
 *            The cache keeps 512 bytes per answer on average.
 */
#ifndef LIB_RESOLVER_H
#define LIB_RESOLVER_H

#include "lib/base.h"
#include "lib/log.h"

#define DNS_NAME_MAX         253u
#define DNS_RECORDS_MAX      100u
#define RESOLVER_WAITING_MAX 4096u
#define RESOLVER_TTL_MAX     86400u /* seconds */
#define RESOLVER_TEMP_TTL    5u     /* seconds */

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_TLSA = 52,
};

struct dns_record {
	unsigned char addr[16]; /* A: the first 4 bytes; AAAA */
	uint16_t preference;    /* MX; SRV: priority */
	uint16_t weight, port;  /* SRV */
	/* MX, PTR, NS, CNAME, SRV: host, "" is the root (null MX). */
	struct str name;
	struct str text; /* TXT: the strings joined (RFC 7208 section 3.3) */
	struct str data; /* the RDATA as it came */
};

struct dns_answer {
	enum rc rc;
	bool nxdomain;
	bool secure; /* DNSSEC proved it, the absence included */
	bool bogus;  /* RC_TEMP because DNSSEC proved it false */
	bool cut;    /* more than DNS_RECORDS_MAX */
	uint32_t ttl;
	struct dns_record *v; /* MX and SRV: sorted by preference */
	size_t n;
};

struct dns_question {
	struct str name;
	enum dns_type type;
};

struct resolver;

struct resolver_conf {
	/* "192.0.2.53", "192.0.2.53@5353", "2001:db8::53"; none: those of
	 * /etc/resolv.conf. */
	const char *const *servers;
	size_t nservers;
	const char *trust_anchor; /* file; "" or NULL: no DNSSEC */
	size_t cache_max;         /* answers kept, at least 16 */
};

/*
 * Before the sandbox is entered (it reads its files now), after the last fork;
 * NULL is logged.  Its threads start with the first question, inside of it.
 * When it is freed nobody may be waiting; start forms that are on their way
 * get RC_TEMP.
 */
struct resolver *resolver_new(
    const struct log *log, const struct resolver_conf *conf);
void resolver_free(struct resolver **r);

/* out->rc, which is also returned. */
MUST_CHECK enum rc resolver_ask(struct resolver *r, struct arena *a,
    struct str name, enum dns_type type, struct deadline dl,
    struct dns_answer *out);
/* All at the same time; each out[i] has its own rc. */
void resolver_ask_all(struct resolver *r, struct arena *a,
    const struct dns_question *q, size_t n, struct deadline dl,
    struct dns_answer *out);
/* `done` runs exactly once; *out is valid during the call. */
void resolver_start(struct resolver *r, struct str name, enum dns_type type,
    struct deadline dl, void (*done)(void *arg, const struct dns_answer *out),
    void *arg);

struct resolver_stats {
	uint64_t asked, cached, timeouts, failed, waiting;
};
void resolver_stats(struct resolver *r, struct resolver_stats *out);

/* "4.3.2.1.in-addr.arpa" or the nibbles below ip6.arpa; RC_BAD: no address. */
MUST_CHECK enum rc dns_reverse_name(
    struct arena *a, struct str ip, struct str *out);
/*
 * A domain as typed by people: U-labels to A-labels (IDNA 2008, libidn2),
 * lower case, no last dot.  RC_BAD: not a domain.
 */
MUST_CHECK enum rc dns_to_ascii(
    struct arena *a, struct str domain, struct str *out);

#endif
