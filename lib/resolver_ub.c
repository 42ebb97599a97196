/*
 * libunbound reads the trust anchor when the context is "finalized", which
 * nothing in its API does alone: ub_ctx_zone_remove does, on the way, and
 * starts no thread.  So files are read before the sandbox, and threads start
 * inside of it (landlock and seccomp belong to a thread and those it makes).
 *
 * Its built-in zones answer for names that a site may well have: the private
 * networks in in-addr.arpa, home.arpa, and .test in our tests.
 */
#include "lib/resolver_ub.h"

static const struct {
	const char *name, *value; /* the colon is required */
} options[] = {
	{ "do-not-query-localhost:", "no" },
	{ "unblock-lan-zones:", "yes" },
	{ "insecure-lan-zones:", "yes" },
	/* Of a library, the defaults are for one question at a time. */
	{ "outgoing-range:", "256" },
	{ "outgoing-num-tcp:", "16" },
	{ "num-queries-per-thread:", "4096" },
	/* A server that was down is tried again soon. */
	{ "infra-host-ttl:", "60" },
	{ "infra-keep-probing:", "yes" },
	/* The order matters to nobody, and tests like it stable. */
	{ "rrset-roundrobin:", "no" },
};

static const char *const unwanted[] = {
	"test",
	"home.arpa",
	"127.in-addr.arpa",
	("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"
	 ".ip6.arpa"),
};

static bool
good(const struct log *log, const char *what, const char *value, int err)
{
	if (err != 0)
		log_error(log, "dns.setup", KVC("what", what),
		    KVC("value", value), KVC("error", ub_strerror(err)));
	return err == 0;
}

static bool
set_options(const struct log *log, struct ub_ctx *ub)
{
	for (size_t i = 0; i < COUNT(options); i++)
		if (!good(log, options[i].name, options[i].value,
			ub_ctx_set_option(
			    ub, options[i].name, options[i].value)))
			return false;
	return true;
}

static bool
set_anchor(const struct log *log, struct ub_ctx *ub, const char *file)
{
	if (file != NULL && file[0] != '\0')
		return good(log, "dns_trust_anchor", file,
		    ub_ctx_add_ta_file(ub, file));
	return good(log, "module-config:", "iterator",
	    ub_ctx_set_option(ub, "module-config:", "iterator"));
}

static bool
set_servers(
    const struct log *log, struct ub_ctx *ub, const struct resolver_conf *conf)
{
	static const char file[] = "/etc/resolv.conf";
	int err;

	for (size_t i = 0; i < conf->nservers; i++)
		if (!good(log, "dns_servers", conf->servers[i],
			ub_ctx_set_fwd(ub, conf->servers[i])))
			return false;
	if (conf->nservers > 0)
		return true;
	/* Without it libunbound asks the root servers, which may do. */
	err = ub_ctx_resolvconf(ub, file);
	if (err != 0)
		log_warn(log, "dns.resolvconf", KVC("path", file),
		    KVC("error", ub_strerror(err)));
	return true;
}

static bool
set_up(
    const struct log *log, struct ub_ctx *ub, const struct resolver_conf *conf)
{
	/* Its own log goes nowhere: what it finds, we say. */
	if (!good(log, "debugout", "", ub_ctx_debugout(ub, NULL)) ||
	    !set_options(log, ub) || !set_anchor(log, ub, conf->trust_anchor) ||
	    !set_servers(log, ub, conf) ||
	    /* Without this it would fork. */
	    !good(log, "async", "thread", ub_ctx_async(ub, 1)))
		return false;
	for (size_t i = 0; i < COUNT(unwanted); i++)
		/* The first makes the context whole and reads the anchor. */
		if (!good(log, "dns_trust_anchor",
			conf->trust_anchor != NULL ? conf->trust_anchor : "",
			ub_ctx_zone_remove(ub, unwanted[i])))
			return false;
	return true;
}

struct ub_ctx *
resolver_ub_new(const struct log *log, const struct resolver_conf *conf)
{
	struct ub_ctx *ub = ub_ctx_create();

	if (ub == NULL) {
		log_error(log, "dns.setup", KVC("what", "context"));
		return NULL;
	}
	if (!set_up(log, ub, conf)) {
		ub_ctx_delete(ub);
		return NULL;
	}
	return ub;
}
