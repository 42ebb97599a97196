/*
 * RFC 5321 section 5.1: from a domain to addresses.  The hosts are looked up
 * by groups of one preference, in parallel, when the ones before them have
 * failed: a lame name server of a backup costs nothing while the first host
 * takes mail.  A group in which we are ends the list (we and everything worse
 * are left out), so that mail never comes back to us.
 *
 * Within a group hosts are shuffled; a host's v4 addresses go before its v6
 * ones, because senders over v6 are judged more strictly (PTR, SPF) by the
 * large receivers, and nothing is won by it.
 *
 * What DNS says is a definite no only if it is an answer: RC_TEMP of any
 * lookup makes the verdict temporary.  A hop that an administrator wrote down
 * never fails for good because of DNS.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "delivery/rem_impl.h"

#define PER_HOST 4u /* addresses of one host that are tried */

static bool
is_self_name(const struct rem_job *j, struct str name)
{
	return str_ieq(name, j->conf->helo);
}

static bool
is_self(const struct rem_job *j, const struct rem_ip *ip)
{
	for (size_t i = 0; i < j->conf->nself; i++)
		if (rem_ip_eq(&j->conf->self[i], ip))
			return true;
	return false;
}

/* The addresses that DNS may lead to; the ones in settings lead anywhere. */
static bool
is_refused(const struct rem_job *j, const struct rem_ip *ip)
{
	return j->hop.kind == REM_HOP_MX && !j->conf->private_ok &&
	       rem_ip_is_private(ip);
}

static void
add_target(struct rem_job *j, struct str host, const struct rem_ip *ip)
{
	struct rem_route *r = &j->route;
	struct rem_target *t;
	union {
		struct sockaddr_storage *ss;
		struct sockaddr_in *in;
		struct sockaddr_in6 *in6;
	} sa;

	if (is_refused(j, ip)) {
		r->refused = true;
		return;
	}
	if (r->ntargets == COUNT(r->targets))
		return;
	t = &r->targets[r->ntargets++];
	*t = (struct rem_target){ .host = host, .port = j->hop.port };
	t->loopback = rem_ip_is_loopback(ip);
	rem_ip_text(ip, t->ip);
	sa.ss = &t->sa;
	if (ip->v6) {
		sa.in6->sin6_family = AF_INET6;
		sa.in6->sin6_port = htons(t->port);
		memcpy(&sa.in6->sin6_addr, ip->b, 16);
		t->sa_len = sizeof(*sa.in6);
	} else {
		sa.in->sin_family = AF_INET;
		sa.in->sin_port = htons(t->port);
		memcpy(&sa.in->sin_addr, ip->b, 4);
		t->sa_len = sizeof(*sa.in);
	}
}

static void
add_path(struct rem_job *j)
{
	struct rem_target *t = &j->route.targets[j->route.ntargets++];
	struct sockaddr_un *un = (struct sockaddr_un *)&t->sa;

	*t = (struct rem_target){ .host = j->hop.host, .loopback = true };
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, j->hop.host.p, j->hop.host.n);
	t->sa_len = sizeof(*un);
}

/* ---- questions */

struct lookup {
	struct rem_job *job;
	struct dns_answer *slot;
	struct dns_answer answer; /* in a, until the loop has it */
	struct arena a;
	void (*done)(struct rem_job *j);
};

static void
copy_answer(
    struct arena *a, const struct dns_answer *in, struct dns_answer *out)
{
	*out = *in;
	out->n = MIN(in->n, DNS_RECORDS_MAX);
	out->v = arena_calloc(a, out->n + 1, sizeof(*out->v));
	for (size_t i = 0; i < out->n; i++) {
		out->v[i] = in->v[i];
		out->v[i].name = str_dup(a, in->v[i].name);
		out->v[i].text = out->v[i].data = STR_NULL;
	}
}

/* The loop's thread. */
static void
on_looked_up(void *arg)
{
	struct lookup *l = arg;
	struct rem_job *j = l->job;
	void (*done)(struct rem_job *) = l->done;

	copy_answer(&j->a, &l->answer, l->slot);
	arena_free(&l->a);
	xfree(l);
	if (--j->route.lookups == 0)
		done(j);
}

/* The resolver's thread, or ours. */
static void
on_answer(void *arg, const struct dns_answer *out)
{
	struct lookup *l = arg;

	copy_answer(&l->a, out, &l->answer);
	rem_post(l->job->rem, on_looked_up, l);
}

static void
ask(struct rem_job *j, struct str name, enum dns_type type,
    struct dns_answer *slot, void (*done)(struct rem_job *j))
{
	struct lookup *l = xcalloc(1, sizeof(*l));
	struct deadline dl =
	    deadline_min(j->dl, deadline_in(j->conf->limits.dns));

	l->job = j;
	l->slot = slot;
	l->done = done;
	j->route.lookups++;
	resolver_start(j->rem->dns, name, type, dl, on_answer, l);
}

/* ---- answers */

static void
dead_end(struct rem_job *j, enum rc rc, unsigned code, const char *status,
    struct str text)
{
	struct mail_client_result why = rem_result(rc, status, text);

	why.code = code;
	rem_job_failed(j, why);
}

/* Addresses of one host of the group, from its two answers. */
static void
take_host(struct rem_job *j, size_t i)
{
	struct rem_route *r = &j->route;

	for (size_t k = 0; k < 2; k++) {
		const struct dns_answer *d = &r->answers[2 * i + k];
		struct rem_ip ip = { .v6 = k == 1 };

		r->temp |= d->rc == RC_TEMP;
		for (size_t n = 0; d->rc == RC_OK && n < d->n && n < PER_HOST;
		     n++) {
			memcpy(ip.b, d->v[n].addr, ip.v6 ? 16 : 4);
			add_target(j, r->mx[r->group + i].name, &ip);
		}
	}
}

static bool
group_is_self(struct rem_job *j, size_t n)
{
	struct rem_route *r = &j->route;
	struct rem_ip ip;

	if (j->hop.kind != REM_HOP_MX)
		return false;
	for (size_t i = 0; i < 2 * n; i++) {
		const struct dns_answer *d = &r->answers[i];

		ip = (struct rem_ip){ .v6 = i % 2 == 1 };
		for (size_t k = 0; d->rc == RC_OK && k < d->n; k++) {
			memcpy(ip.b, d->v[k].addr, ip.v6 ? 16 : 4);
			if (is_self(j, &ip))
				return true;
		}
	}
	return false;
}

static void
on_group(struct rem_job *j)
{
	struct rem_route *r = &j->route;
	size_t n = r->next_mx - r->group;

	if (group_is_self(j, n)) {
		r->self = true;
		r->nmx = r->next_mx = r->group;
	} else {
		for (size_t i = 0; i < n; i++)
			take_host(j, i);
	}
	rem_job_next(j);
}

static void
shuffle(struct rem_mx *v, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t k = arc4random_uniform((uint32_t)i);
		struct rem_mx x = v[i - 1];

		v[i - 1] = v[k];
		v[k] = x;
	}
}

/* All hosts of the next preference. */
static void
ask_group(struct rem_job *j)
{
	struct rem_route *r = &j->route;
	size_t from = r->next_mx, to = from + 1, n;
	struct rem_ip ip;

	while (to < r->nmx && r->mx[to].preference == r->mx[from].preference)
		to++;
	n = to - from;
	shuffle(r->mx + from, n);
	r->group = from;
	r->next_mx = to;
	r->answers = arena_calloc(&j->a, 2 * n, sizeof(*r->answers));
	for (size_t i = 0; i < n; i++) {
		struct str name = r->mx[from + i].name;

		/* An MX that names an address is wrong, and common. */
		if (rem_ip_parse(name, &ip) == RC_OK) {
			r->answers[2 * i].rc = r->answers[2 * i + 1].rc =
			    RC_NOENT;
			continue;
		}
		ask(j, name, DNS_A, &r->answers[2 * i], on_group);
		ask(j, name, DNS_AAAA, &r->answers[2 * i + 1], on_group);
	}
}

/* The hosts up to the preference that is ours. */
static void
take_mx(struct rem_job *j, const struct dns_answer *d)
{
	struct rem_route *r = &j->route;
	size_t n = d->n;

	for (size_t i = 0; i < n; i++) {
		if (!is_self_name(j, d->v[i].name))
			continue;
		r->self = true;
		while (i > 0 && d->v[i - 1].preference == d->v[i].preference)
			i--;
		n = i;
	}
	for (size_t i = 0; i < n && r->nmx < COUNT(r->mx); i++)
		if (d->v[i].name.n > 0)
			r->mx[r->nmx++] =
			    (struct rem_mx){ d->v[i].name, d->v[i].preference };
}

static void
on_mx(struct rem_job *j)
{
	struct rem_route *r = &j->route;
	const struct dns_answer *d = r->answers;

	if (d->rc == RC_OK && d->n == 1 && d->v[0].name.n == 0) {
		r->ended = true;
		dead_end(j, RC_DENY, 556, "5.1.10",
		    str_fmt(&j->a, "%.*s does not accept mail (null MX)",
			STRF(j->hop.host)));
	} else if (d->rc == RC_OK) {
		take_mx(j, d);
	} else if (d->rc == RC_NOENT && !d->nxdomain) {
		r->self = is_self_name(j, j->hop.host);
		if (!r->self)
			r->mx[r->nmx++] =
			    (struct rem_mx){ .name = j->hop.host };
	} else if (d->rc == RC_NOENT || d->rc == RC_BAD) {
		r->ended = true;
		dead_end(j, RC_DENY, 0, "5.1.2",
		    str_fmt(&j->a, "the domain %.*s does not exist",
			STRF(j->hop.host)));
	} else {
		r->ended = true;
		dead_end(j, RC_TEMP, 0, "4.4.3",
		    str_fmt(&j->a, "no answer from the DNS about %.*s%s",
			STRF(j->hop.host), d->bogus ? " (bogus)" : ""));
	}
	rem_job_next(j);
}

static enum rem_routed
begin(struct rem_job *j)
{
	struct rem_route *r = &j->route;

	r->begun = true;
	if (j->hop.kind == REM_HOP_PATH) {
		add_path(j);
	} else if (j->hop.literal) {
		if (j->hop.kind == REM_HOP_MX && is_self(j, &j->hop.ip))
			r->self = true;
		else
			add_target(j, j->hop.host, &j->hop.ip);
	} else if (j->hop.kind == REM_HOP_MX) {
		r->answers = arena_calloc(&j->a, 1, sizeof(*r->answers));
		ask(j, j->hop.host, DNS_MX, r->answers, on_mx);
		return REM_ROUTE_WAIT;
	} else {
		r->mx[r->nmx++] = (struct rem_mx){ .name = j->hop.host };
	}
	return REM_ROUTE_END;
}

/* No host is left: the verdict, if none was spoken. */
static void
verdict(struct rem_job *j)
{
	struct rem_route *r = &j->route;
	bool by_admin = j->hop.kind != REM_HOP_MX;

	if (r->ended)
		return;
	r->ended = true;
	if (r->temp)
		dead_end(j, RC_TEMP, 0, "4.4.3",
		    str_fmt(&j->a,
			"no answer from the DNS about the hosts of %.*s",
			STRF(j->hop.host)));
	else if (r->ntargets > 0)
		return; /* they were tried, and said why */
	else if (r->self)
		dead_end(j, RC_DENY, 0, "5.4.6",
		    str_fmt(&j->a, "the mail for %.*s comes back to us",
			STRF(j->hop.host)));
	else if (r->refused)
		dead_end(j, RC_DENY, 0, "5.4.4",
		    str_fmt(&j->a, "%.*s has no public address",
			STRF(j->hop.host)));
	else
		dead_end(j, by_admin ? RC_TEMP : RC_DENY, 0,
		    by_admin ? "4.4.4" : "5.4.4",
		    str_fmt(&j->a, "no host of %.*s has an address",
			STRF(j->hop.host)));
}

enum rem_routed
rem_route_next(struct rem_job *j, struct rem_target **out)
{
	struct rem_route *r = &j->route;

	if (!r->begun && begin(j) == REM_ROUTE_WAIT)
		return REM_ROUTE_WAIT;
	while (!r->ended && r->next == r->ntargets && r->next_mx < r->nmx &&
	       r->ntargets < COUNT(r->targets)) {
		ask_group(j);
		if (r->lookups > 0)
			return REM_ROUTE_WAIT;
	}
	if (r->next < r->ntargets) {
		*out = &r->targets[r->next++];
		return REM_ROUTE_TARGET;
	}
	verdict(j);
	return REM_ROUTE_END;
}
