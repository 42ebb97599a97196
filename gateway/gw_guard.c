#include <string.h>
#include <time.h>

#include "gateway/gw_guard.h"

#define MINUTE   60u
#define HOUR     3600u
#define ROWS_MAX 100u /* shown */
#define BUSY_MIN 50u  /* percent, below which nobody is worth a line */

static int64_t
now_ms(void)
{
	return now_ns() / 1000000;
}

bool
gw_guard_exempt(const struct conf *conf, struct str ip)
{
	return ip.n == 0 ||
	       net_match(ip, conf->limit_exempt.v, conf->limit_exempt.n);
}

bool
gw_guard_admit(void *ctx, const struct net_addr *client)
{
	struct gw *gw = ctx;
	const struct conf *conf = gw_conf(gw);
	struct gw_limit_key k = gw_limit_client(client);
	struct gw_rate rate = { conf->client_rate_max, MINUTE };
	char buf[NET_TEXT_MAX];
	bool ok = true;

	if (!gw_guard_exempt(conf, net_text(client, buf)))
		ok = !gw_limit_banned(gw->limit, &k, now_ms()) &&
		     gw_limit_take(gw->limit, &k, GW_LIMIT_CONNECTIONS, 1, rate,
			 now_ms());
	conf_unref(&conf);
	return ok;
}

static bool
key_of(struct netd_conn *c, struct gw_limit_key *k)
{
	struct net_addr a;

	if (net_addr_parse(netd_peer_ip(c), &a) != RC_OK)
		return false;
	*k = gw_limit_client(&a);
	return true;
}

static struct str
time_text(struct arena *a, int64_t at)
{
	time_t t = (time_t)at;
	char text[32];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return str_dup(a, str_c(text));
}

void
gw_guard_failed(struct gw *gw, const struct conf *conf, struct netd_conn *c)
{
	struct gw_rate rate = { conf->auth_failures_max, conf->ban_s };
	int64_t now = now_ms(), ban = (int64_t)conf->ban_s * 1000;
	struct gw_limit_key k;
	AUTO_ARENA a = { 0 };

	if (gw_guard_exempt(conf, netd_peer_ip(c)) || !key_of(c, &k) ||
	    gw_limit_take(gw->limit, &k, GW_LIMIT_FAILURES, 1, rate, now) ||
	    !gw_limit_ban(gw->limit, &k, now + ban, now))
		return;
	log_warn(&gw->log, "ban", KV("client", netd_peer_ip(c)),
	    KVC("reason", "auth_failures"),
	    KV("until", time_text(&a, now_unix() + conf->ban_s)));
}

bool
gw_guard_enter(struct gw *gw, const struct conf *conf, struct str account,
    struct gw_guard_seat *seat)
{
	assert(!seat->taken);
	seat->key = gw_limit_user(account);
	seat->taken = gw_limit_enter(
	    gw->limit, &seat->key, conf->user_sessions_max, now_ms());
	if (!seat->taken)
		log_warn(&gw->log, "limit", KV("account", account),
		    KVC("reason", "sessions"),
		    KVU("max", conf->user_sessions_max));
	return seat->taken;
}

void
gw_guard_leave(struct gw *gw, struct gw_guard_seat *seat)
{
	if (seat->taken)
		gw_limit_leave(gw->limit, &seat->key);
	seat->taken = false;
}

bool
gw_guard_mail(struct gw *gw, const struct conf *conf, struct netd_conn *c,
    struct str account, enum gw_limit_what what, uint32_t n)
{
	bool user = account.n > 0, messages = what == GW_LIMIT_MESSAGES;
	struct gw_rate rate = { .per_s = HOUR };
	struct gw_limit_key k;

	if (user) {
		k = gw_limit_user(account);
		rate.n = messages ? conf->user_messages_max
				  : conf->user_recipients_max;
	} else {
		if (gw_guard_exempt(conf, netd_peer_ip(c)) || !key_of(c, &k))
			return true;
		rate.n = messages ? conf->client_messages_max
				  : conf->client_recipients_max;
	}
	if (gw_limit_take(gw->limit, &k, what, n, rate, now_ms()))
		return true;
	log_warn(netd_log(c), "limit", KV("client", netd_peer_ip(c)),
	    KV("account", account),
	    KVC("reason", messages ? "messages" : "recipients"),
	    KVU("max", rate.n));
	return false;
}

static void
put_busy(struct ipc_msg *out, struct str name, const struct gw_limit_row *r)
{
	static const char *const whats[] = { "connections", "messages",
		"recipients", "login failures" };

	for (unsigned i = 0; i < COUNT(whats); i++) {
		size_t at;

		if (r->percent[i] < BUSY_MIN)
			continue;
		at = ipc_begin(out, "busy");
		ipc_put_str(out, "who", name);
		ipc_put_str(out, "what", str_c(whats[i]));
		ipc_put_u64(out, "percent", r->percent[i]);
		ipc_end(out, at);
	}
}

void
gw_guard_status(struct gw *gw, struct ipc_msg *out)
{
	struct gw_limit_row *rows = xcalloc(ROWS_MAX, sizeof(*rows));
	size_t bans, n, at;
	AUTO_ARENA a = { 0 };

	n = gw_limit_list(gw->limit, now_ms(), rows, ROWS_MAX, &bans);
	ipc_put_u64(out, "bans", bans);
	for (size_t i = 0; i < n; i++) {
		struct str name = gw_limit_name(&a, &rows[i].key);

		if (rows[i].banned_ms == 0) {
			put_busy(out, name, &rows[i]);
			continue;
		}
		at = ipc_begin(out, "ban");
		ipc_put_str(out, "who", name);
		ipc_put_u64(
		    out, "left_s", ((uint64_t)rows[i].banned_ms + 999) / 1000);
		ipc_end(out, at);
	}
	xfree(rows);
}

bool
gw_guard_lift(struct gw *gw, struct str address)
{
	struct gw_limit_key k;
	struct net_addr a;

	/* "2001:db8::/64", as it was shown. */
	address = str_sub(address, 0, str_chr(address, '/'));
	if (net_addr_parse(address, &a) != RC_OK)
		return false;
	k = gw_limit_client(&a);
	if (!gw_limit_lift(gw->limit, &k, now_ms()))
		return false;
	log_info(&gw->log, "ban.lift", KV("client", address));
	return true;
}
