/* What only several settings together can say, and computed defaults. */
#include <string.h>

#include "conf/conf_table.h"
#include "lib/net.h"

struct check {
	struct arena *a;
	struct conf *c;
	const char *setting;
	struct str why;
};

static enum rc
bad(struct check *k, const char *setting, struct str why)
{
	k->setting = setting;
	k->why = why;
	return RC_BAD;
}

static bool
empty(const char *s)
{
	return s[0] == '\0';
}

static enum rc
check_identity(struct check *k)
{
	struct conf *c = k->c;
	struct str pm;

	if (empty(c->hostname))
		return bad(k, "hostname", STR("is required"));
	if (c->domains.n == 0)
		return bad(k, "domains", STR("needs at least one domain"));
	if (empty(c->postmaster))
		c->postmaster =
		    str_fmt(k->a, "postmaster@%s", c->domains.v[0]).p;
	pm = str_c(c->postmaster);
	if (str_rchr(pm, '@') == 0 ||
	    !conf_is_local_domain(c, str_from(pm, str_rchr(pm, '@') + 1)))
		return bad(k, "postmaster",
		    STR("must be an address in one of the domains"));
	return RC_OK;
}

static enum rc
check_places(struct check *k)
{
	struct conf *c = k->c;
	const struct {
		const char *name, *value;
	} dirs[] = {
		{ "data_dir", c->data_dir },
		{ "run_dir", c->run_dir },
		{ "master_key_file", c->master_key_file },
	};

	for (size_t i = 0; i < COUNT(dirs); i++)
		if (empty(dirs[i].value))
			return bad(k, dirs[i].name, STR("must not be empty"));
	/* Socket names have 107 bytes. */
	if (strlen(c->run_dir) > 80)
		return bad(k, "run_dir", STR("is longer than 80 bytes"));
	if (c->tls_certificate.n != c->tls_key.n)
		return bad(k, "tls_key",
		    str_fmt(k->a, "has %zu files for %zu certificates",
			c->tls_key.n, c->tls_certificate.n));
	return RC_OK;
}

/* Every list of listeners, one after the other; NULL is the end. */
static const struct conf_list *
listeners(const struct conf *c, size_t i, const char **setting)
{
	const struct {
		const char *name;
		const struct conf_list *list;
	} all[] = {
		{ "listen_smtp", &c->listen_smtp },
		{ "listen_submission", &c->listen_submission },
		{ "listen_submissions", &c->listen_submissions },
		{ "listen_imap", &c->listen_imap },
		{ "listen_imaps", &c->listen_imaps },
		{ "listen_pop3", &c->listen_pop3 },
		{ "listen_pop3s", &c->listen_pop3s },
		{ "listen_lmtp", &c->listen_lmtp },
	};

	if (i >= COUNT(all))
		return NULL;
	*setting = all[i].name;
	return all[i].list;
}

static bool
lists(const struct conf_list *list, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (str_ieq(str_c(list->v[i]), str_c(text)))
			return true;
	return false;
}

bool
conf_is_proxied(const struct conf *c, const char *listener)
{
	return lists(&c->proxy_listeners, c->proxy_listeners.n, listener);
}

/* Is it in one of the lists before list `at`, or before its n-th entry? */
static bool
is_listener(const struct conf *c, const char *text, size_t at, size_t n)
{
	const struct conf_list *list;
	const char *name;

	for (size_t i = 0; i <= at; i++) {
		list = listeners(c, i, &name);
		if (list == NULL)
			break;
		if (lists(list, i == at ? n : list->n, text))
			return true;
	}
	return false;
}

static enum rc
check_proxies(struct check *k)
{
	const struct conf *c = k->c;

	for (size_t i = 0; i < c->proxy_listeners.n; i++)
		if (!is_listener(c, c->proxy_listeners.v[i], SIZE_MAX - 1, 0))
			return bad(k, "proxy_listeners",
			    str_fmt(k->a, "%s is no listener",
				c->proxy_listeners.v[i]));
	if (c->proxy_listeners.n > 0 && c->proxy_networks.n == 0)
		return bad(k, "proxy_networks",
		    STR("is empty: nobody could use proxy_listeners"));
	return RC_OK;
}

static enum rc
check_listeners(struct check *k)
{
	const struct conf_list *list;
	const char *name;

	for (size_t i = 0; (list = listeners(k->c, i, &name)) != NULL; i++)
		for (size_t j = 0; j < list->n; j++) {
			struct str v = str_c(list->v[j]);

			if (str_eq(str_from(v, v.n - 2), STR(":0")))
				continue;
			if (is_listener(k->c, list->v[j], i, j))
				return bad(k, name,
				    str_fmt(
					k->a, "%.*s is taken twice", STRF(v)));
		}
	return check_proxies(k);
}

static bool
on_loopback(struct str url)
{
	return str_has_iprefix(url, STR("ldapi://")) ||
	       str_has_iprefix(url, STR("ldap://127.")) ||
	       str_has_iprefix(url, STR("ldap://[::1]"));
}

static enum rc
check_ldap(struct check *k)
{
	const struct conf *c = k->c;

	if (c->ldap_servers.n == 0)
		return bad(k, "ldap_servers", STR("needs at least one URL"));
	if (empty(c->ldap_base))
		return bad(k, "ldap_base", STR("is required"));
	if (c->ldap_bind == CONF_BIND_GSSAPI) {
		if (empty(c->ldap_keytab) && empty(c->keytab))
			return bad(k, "ldap_keytab",
			    STR("ldap_bind gssapi needs it, or keytab"));
		return RC_OK;
	}
	if (empty(c->ldap_bind_dn))
		return bad(k, "ldap_bind_dn", STR("ldap_bind simple needs it"));
	if (empty(c->ldap_password_file))
		return bad(
		    k, "ldap_password_file", STR("ldap_bind simple needs it"));
	for (size_t i = 0; i < c->ldap_servers.n; i++) {
		struct str url = str_c(c->ldap_servers.v[i]);

		if (c->ldap_tls == CONF_TLS_NONE && !on_loopback(url) &&
		    !str_has_iprefix(url, STR("ldaps://")))
			return bad(k, "ldap_tls",
			    str_fmt(k->a,
				"none would send the password in clear to "
				"%.*s",
				STRF(url)));
	}
	return RC_OK;
}

static enum rc
check_smart_hosts(struct check *k)
{
	const struct conf *c = k->c;

	if (!empty(c->smart_host_user) && empty(c->smart_host_password_file))
		return bad(k, "smart_host_password_file",
		    STR("smart_host_user needs it"));
	return RC_OK;
}

/*
 * All of the Internet is nobody's own network: that is an open relay, or a
 * door without a policy.
 */
static enum rc
check_own(struct check *k, const char *name, const struct conf_list *l)
{
	struct net net;

	for (size_t i = 0; i < l->n; i++)
		if (net_parse(str_c(l->v[i]), &net) != RC_OK ||
		    net.bits < (net_is_v4(&net.addr) ? 96u + 8u : 16u))
			return bad(
			    k, name, str_fmt(k->a, "%s is too wide", l->v[i]));
	return RC_OK;
}

static enum rc
check_relay(struct check *k)
{
	const struct conf *c = k->c;
	enum rc rc = check_own(k, "relay_networks", &c->relay_networks);

	if (rc == RC_OK)
		rc = check_own(k, "front_networks", &c->front_networks);
	return rc;
}

static enum rc
check_limits(struct check *k)
{
	const struct conf *c = k->c;

	if (c->queue_retry_min_s > c->queue_retry_max_s)
		return bad(k, "queue_retry_min_s",
		    STR("is larger than queue_retry_max_s"));
	if (c->imap_processes > c->imap_sessions_max)
		return bad(k, "imap_processes",
		    STR("is larger than imap_sessions_max"));
	if (c->directory == CONF_LDIF)
		return empty(c->ldif_file)
			   ? bad(k, "ldif_file", STR("directory ldif needs it"))
			   : RC_OK;
	return check_ldap(k);
}

static enum rc
check_policy(struct check *k)
{
#ifndef HAVE_LIBSPF2
	if (k->c->spf_engine == CONF_SPF_LIBSPF2)
		return bad(k, "spf_engine",
		    STR("libspf2 is not part of this Gatepost: build it "
			"--with-libspf2, or say own"));
#endif
	(void)k;
	return RC_OK;
}

/* What may stand in a local part, and is not the start of a domain. */
static enum rc
check_rules(struct check *k)
{
	const char *sep = k->c->subaddress;

	if (sep[0] == '\0' ||
	    (sep[1] == '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", sep[0]) != NULL))
		return RC_OK;
	return bad(k, "subaddress",
	    STR("must be one character of a local part, like +, or empty"));
}

enum rc
conf_check(
    struct arena *a, struct conf *c, const char **setting, struct str *why)
{
	static enum rc (*const checks[])(struct check *) = { check_identity,
		check_places, check_listeners, check_limits, check_policy,
		check_smart_hosts, check_relay, check_rules };
	struct check k = { .a = a, .c = c };

	for (size_t i = 0; i < COUNT(checks); i++)
		if (checks[i](&k) != RC_OK) {
			*setting = k.setting;
			*why = k.why;
			return RC_BAD;
		}
	return RC_OK;
}
