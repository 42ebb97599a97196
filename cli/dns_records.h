/*
 * dns_records - the records that a mail domain of ours has to publish, and
 * what is wrong with those that are.
 *
 * Pure: who asks the DNS fills in what was found.
 *
 * Ownership  Texts live in the arena, or are constant.
 * Threads    Pure functions.
 * Limits     DNS_ITEMS_MAX records of one domain.
 */
#ifndef CLI_DNS_RECORDS_H
#define CLI_DNS_RECORDS_H

#include "conf/conf.h"
#include "lib/resolver.h"

#define DNS_ITEMS_MAX 64u

enum dns_state { DNS_RIGHT, DNS_MISSING, DNS_WRONG, DNS_UNASKED };

enum dns_kind {
	DNS_IS_MX,
	DNS_IS_HOST, /* an address of the host, or of an MX */
	DNS_IS_PTR,
	DNS_IS_SPF,
	DNS_IS_DKIM,
	DNS_IS_DMARC,
	DNS_IS_TLSRPT,
	DNS_IS_SRV,
};

/* One record to publish, and what is there. */
struct dns_item {
	enum dns_kind kind;
	enum dns_type type;
	struct str name; /* where, no last dot */
	struct str want; /* as RDATA of a zone file; "" is a matter of choice */
	struct str text; /* of a TXT record, without quotes */
	struct str host; /* MX, SRV, PTR: the name it should say; "" is "." */
	uint16_t port;   /* SRV */
	enum dns_state state;
	struct str found; /* as RDATA, several separated by ", " */
	struct str why;   /* what is wrong, and why it matters; or a remark */
};

struct dns_items {
	struct dns_item v[DNS_ITEMS_MAX];
	size_t n;
};

/* All but the DKIM keys, the addresses and their names. */
void dns_items_make(struct arena *a, const struct conf *c, struct str domain,
    struct dns_items *out);
/* One more; false: too many. */
bool dns_items_add(struct dns_items *x, const struct dns_item *item);
/* A TXT record, as those of DKIM keys are. */
bool dns_items_add_txt(struct arena *a, struct dns_items *x, enum dns_kind kind,
    struct str name, struct str text);

/*
 * Compare with what the DNS said about the name and type of the item: sets
 * state, found and why.
 */
void dns_item_judge(
    struct arena *a, struct dns_item *i, const struct dns_answer *x);

/* The SPF records among TXT records (RFC 7208 section 4.5). */
size_t dns_spf_find(const struct dns_answer *x, struct str *out);
/*
 * The next term of an SPF record that costs a lookup (section 4.6.4), cut off
 * *rest; *target is the domain whose SPF record counts too, or empty.  False
 * at the end.
 */
bool dns_spf_lookup(struct str *rest, struct str *target);

/* "a TXT" in quotes, cut into strings of at most 255 bytes. */
struct str dns_quote(struct arena *a, struct str text);
/* All records of an answer as RDATA, ", " between them. */
struct str dns_answer_text(
    struct arena *a, enum dns_type type, const struct dns_answer *x);
const char *dns_type_name(enum dns_type type);

#endif
