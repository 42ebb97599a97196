/*
 * gw_limit - who asks how much, and who is shut out for a while.
 *
 * A table of clients (an IPv4 address, an IPv6 /64) and of users, each with a
 * leaky bucket for everything that is counted: it fills by what is done and
 * drains evenly, so that `n` in `per_s` seconds may also come at once.  What
 * would overflow is refused and does not count.
 *
 * Each process has a table of its own, and a restart forgets it: a limit is
 * for the process that is asked too much.
 *
 * Ownership  gw_limit_new .. gw_limit_free; everything else is values.
 * Threads    Any; locks inside (a shard each), for a few instructions.  The
 *            time is the caller's: CLOCK_MONOTONIC in ms, never 0.
 * Errors     None.
 * Limits     `max` entries.  When a shard is full, whoever was quiet for the
 *            longest is forgotten, those who are banned last.
 */
#ifndef GW_LIMIT_H
#define GW_LIMIT_H

#include "lib/net.h"

struct gw_limit;

enum gw_limit_what {
	GW_LIMIT_CONNECTIONS,
	GW_LIMIT_MESSAGES,
	GW_LIMIT_RECIPIENTS,
	GW_LIMIT_FAILURES, /* of logins */
	GW_LIMIT_WHATS,
};

struct gw_limit_key {
	unsigned char b[17]; /* kind, then an address or an id */
};

struct gw_rate {
	uint32_t n;     /* at least 1 */
	uint32_t per_s; /* at least 1 */
};

/* What there is to see. */
struct gw_limit_row {
	struct gw_limit_key key;
	int64_t banned_ms;                /* still, 0: not banned */
	unsigned percent[GW_LIMIT_WHATS]; /* of each bucket, as last asked */
	unsigned sessions;
};

struct gw_limit *gw_limit_new(size_t max);
void gw_limit_free(struct gw_limit **l);

struct gw_limit_key gw_limit_client(const struct net_addr *client);
/* id: a UUID as text (directory/dir_client.h), or any text. */
struct gw_limit_key gw_limit_user(struct str id);
/* "192.0.2.7", "2001:db8::/64", "user ID". */
struct str gw_limit_name(struct arena *a, const struct gw_limit_key *k);

/* Count `amount`; false: it would be too much, and nothing is counted. */
MUST_CHECK bool gw_limit_take(struct gw_limit *l, const struct gw_limit_key *k,
    enum gw_limit_what what, uint32_t amount, struct gw_rate rate,
    int64_t now_ms);
/* Sessions at a time; enter false: there are `max`.  What entered leaves. */
MUST_CHECK bool gw_limit_enter(struct gw_limit *l, const struct gw_limit_key *k,
    unsigned max, int64_t now_ms);
void gw_limit_leave(struct gw_limit *l, const struct gw_limit_key *k);

/* True when it was not banned before. */
bool gw_limit_ban(struct gw_limit *l, const struct gw_limit_key *k,
    int64_t until_ms, int64_t now_ms);
bool gw_limit_banned(
    struct gw_limit *l, const struct gw_limit_key *k, int64_t now_ms);
/* False: there was no ban.  The buckets are emptied, too. */
bool gw_limit_lift(
    struct gw_limit *l, const struct gw_limit_key *k, int64_t now_ms);

/*
 * Up to max rows, those who are banned first, then those with the fullest
 * buckets; returns how many.  *bans: all there are.
 */
size_t gw_limit_list(struct gw_limit *l, int64_t now_ms,
    struct gw_limit_row *rows, size_t max, size_t *bans);

#endif
