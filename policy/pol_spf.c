/*
 * The entrance: who is judged, by which engine.
 *
 * Section 4.3: a domain that cannot exist has no policy, so nothing is asked
 * for it.  What only is unusual (an underscore, a single quote) is asked for;
 * the DNS knows best.
 */
#include <arpa/inet.h>
#include <string.h>

#include "policy/pol_spf_impl.h"

static const char *const names[] = {
	[POL_SPF_NONE] = "none",
	[POL_SPF_NEUTRAL] = "neutral",
	[POL_SPF_PASS] = "pass",
	[POL_SPF_FAIL] = "fail",
	[POL_SPF_SOFTFAIL] = "softfail",
	[POL_SPF_TEMPERROR] = "temperror",
	[POL_SPF_PERMERROR] = "permerror",
};

const char *
pol_spf_name(enum pol_spf_result result)
{
	if ((size_t)result >= COUNT(names) || names[result] == NULL)
		panic("spf: result %d", (int)result);
	return names[result];
}

bool
pol_spf_engine_built(enum pol_spf_engine engine)
{
#ifdef HAVE_LIBSPF2
	return engine == POL_SPF_OWN || engine == POL_SPF_LIBSPF2;
#else
	return engine == POL_SPF_OWN;
#endif
}

struct str
pol_spf_plain(struct arena *a, struct str s, size_t max)
{
	char *p;

	s = str_sub(s, 0, max);
	p = arena_alloc(a, s.n + 1);
	for (size_t i = 0; i < s.n; i++)
		p[i] = s.p[i] < ' ' || s.p[i] > '~' ? '?' : s.p[i];
	return str_n(p, s.n);
}

bool
pol_spf_client_parse(struct str ip, struct pol_spf_client *out)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[INET6_ADDRSTRLEN];

	*out = (struct pol_spf_client){ 0 };
	if (ip.n == 0 || ip.n >= sizeof(text) || str_chr(ip, '\0') < ip.n)
		return false;
	memcpy(text, ip.p, ip.n);
	text[ip.n] = '\0';
	if (inet_pton(AF_INET, text, out->ip) == 1)
		return true;
	if (inet_pton(AF_INET6, text, out->ip) != 1)
		return false;
	out->v6 = memcmp(out->ip, mapped, sizeof(mapped)) != 0;
	if (!out->v6)
		memmove(out->ip, out->ip + sizeof(mapped), 4);
	return true;
}

struct str
pol_spf_client_text(struct arena *a, const struct pol_spf_client *c)
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(c->v6 ? AF_INET6 : AF_INET, c->ip, text, sizeof(text)) ==
	    NULL)
		panic("spf: inet_ntop");
	return str_dup(a, str_c(text));
}

void
pol_spf_subject(const struct pol_spf_in *in, struct pol_spf_subject *out)
{
	size_t at = str_rchr(in->from, '@');

	out->identity = in->identity;
	out->local = STR_NULL;
	if (in->identity == POL_SPF_HELO || in->from.n == 0) {
		out->identity = POL_SPF_HELO;
		out->domain = in->helo;
	} else if (at == in->from.n) {
		out->domain = in->from;
	} else {
		out->local = str_sub(in->from, 0, at);
		out->domain = str_from(in->from, at + 1);
	}
	if (out->local.n == 0)
		out->local = STR("postmaster");
	if (out->domain.n > 0 && out->domain.p[out->domain.n - 1] == '.')
		out->domain.n--;
}

/* More than one label, each possible, and none out of "[192.0.2.1]". */
static bool
may_have_policy(struct str domain)
{
	return pol_spf_name_ok(domain) && domain.p[0] != '[' &&
	       str_chr(domain, '.') < domain.n;
}

void
pol_spf_check(const struct pol_spf_conf *conf, struct arena *a,
    const struct pol_spf_in *in, struct deadline dl, struct pol_spf_out *out)
{
	struct pol_spf_subject who;
	struct pol_spf_client client;

	pol_spf_subject(in, &who);
	*out = (struct pol_spf_out){ .result = POL_SPF_NONE,
		.identity = who.identity,
		.domain = pol_spf_plain(a,
		    str_lower(a, str_sub(who.domain, 0, DNS_NAME_MAX)),
		    DNS_NAME_MAX),
		.sender = str_fmt(
		    a, "%.*s@%.*s", STRF(who.local), STRF(who.domain)) };
	if (!pol_spf_client_parse(in->client_ip, &client)) {
		out->problem = STR("the client has no IP address");
		return;
	}
	if (!may_have_policy(who.domain) || out->sender.n > POL_SPF_VALUE_MAX) {
		out->problem = STR("not a domain that may have a policy");
		return;
	}
	dl = deadline_min(dl, deadline_in(POL_SPF_TIME_MS));
#ifdef HAVE_LIBSPF2
	if (conf->engine == POL_SPF_LIBSPF2) {
		pol_spf_libspf2(conf, a, in, &who, &client, dl, out);
		return;
	}
#endif
	pol_spf_own(conf, a, in, &who, &client, dl, out);
	if (out->result == POL_SPF_NONE && out->problem.n == 0)
		out->problem = STR("no SPF record");
}
