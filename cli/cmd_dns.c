/*
 * gatepost dns DOMAIN: what an administrator has to publish, as a zone file
 * has it, and what is wrong with what is published now.
 *
 * Everything of a stage is asked at once: first the records, then what they
 * lead to (addresses of mail servers, names of our addresses), then, one by
 * one, what an SPF record includes.
 */
#include <jansson.h>

#include "cli/cli.h"
#include "cli/dns_records.h"
#include "cli/out.h"
#include "conf/conf_dns.h"
#include "policy/sgn_keys.h"

#define ASK_MS      10000
#define HOSTS_MAX   8u  /* mail servers of the domain that are looked at */
#define SPF_LOOKUPS 10u /* RFC 7208 section 4.6.4 */
#define COLUMN_MAX  40u

struct dns {
	struct cli *c;
	struct resolver *r;
	struct str domain;
	struct dns_items items;
	unsigned spf_lookups;
};

/* What the signer signs with, or will. */
static void
add_dkim(struct dns *d)
{
	struct cli *c = d->c;
	struct sgn_record *v = NULL;
	struct str why = STR("the signer's user does not exist");
	size_t n = 0;
	uid_t uid;
	gid_t gid;
	enum rc rc;

	if (c->conf->dkim_dir[0] == '\0')
		return;
	rc = cli_user_of(c, "signer", &uid, &gid) == RC_OK
		 ? dkim_records(
		       &c->a, c->conf->dkim_dir, d->domain, uid, &v, &n, &why)
		 : RC_TEMP;
	if (rc == RC_TEMP) {
		fputs("gatepost dns: no DKIM records: ", c->err);
		out_text(c->err, why);
		fputc('\n', c->err);
	}
	for (size_t i = 0; i < n; i++)
		if (v[i].state != SGN_RETIRED)
			(void)dns_items_add_txt(&c->a, &d->items, DNS_IS_DKIM,
			    v[i].name, v[i].text);
}

/* ---- asking ---- */

static void
ask(struct dns *d, struct dns_question *q, size_t n, struct dns_answer *out)
{
	resolver_ask_all(d->r, &d->c->a, q, n, deadline_in(ASK_MS), out);
}

/* Everything in the list; the answers in the same order. */
static struct dns_answer *
ask_items(struct dns *d)
{
	struct arena *a = &d->c->a;
	size_t n = d->items.n;
	struct dns_question *q = arena_calloc(a, n, sizeof(*q));
	struct dns_answer *x = arena_calloc(a, n, sizeof(*x));

	for (size_t i = 0; i < n; i++)
		q[i] = (struct dns_question){ d->items.v[i].name,
			d->items.v[i].type };
	ask(d, q, n, x);
	for (size_t i = 0; i < n; i++)
		dns_item_judge(a, &d->items.v[i], &x[i]);
	return x;
}

/* The name behind the address must be ours. */
static void
check_ptr(struct dns *d, enum dns_type type, const struct dns_record *r)
{
	struct arena *a = &d->c->a;
	struct dns_answer one = { .rc = RC_OK, .n = 1 }, x;
	struct dns_record copy = *r;
	struct dns_item i = { .kind = DNS_IS_PTR,
		.type = DNS_PTR,
		.host = str_c(d->c->conf->hostname),
		.want = str_fmt(a, "%s.", d->c->conf->hostname) };

	one.v = &copy;
	if (dns_reverse_name(a, dns_answer_text(a, type, &one), &i.name) !=
	    RC_OK)
		return;
	ask(d, &(struct dns_question){ i.name, DNS_PTR }, 1, &x);
	dns_item_judge(a, &i, &x);
	(void)dns_items_add(&d->items, &i);
}

/* A mail server has an address and is no alias. */
static void
check_host(struct dns *d, struct str host)
{
	static const enum dns_type types[] = { DNS_CNAME, DNS_A, DNS_AAAA };
	struct dns_question q[COUNT(types)];
	struct dns_answer x[COUNT(types)];
	struct dns_item i = {
		.kind = DNS_IS_HOST, .type = DNS_A, .name = host
	};
	bool ours = str_ieq(host, str_c(d->c->conf->hostname));

	for (size_t k = 0; k < COUNT(types); k++)
		q[k] = (struct dns_question){ host, types[k] };
	ask(d, q, COUNT(types), x);
	if (x[1].rc == RC_NOENT && x[2].rc == RC_OK)
		i.type = DNS_AAAA;
	dns_item_judge(&d->c->a, &i, i.type == DNS_A ? &x[1] : &x[2]);
	if (i.state == DNS_MISSING && x[2].rc == RC_TEMP)
		i.state = DNS_UNASKED;
	if (x[0].rc == RC_OK) {
		i.type = DNS_CNAME;
		i.found = dns_answer_text(&d->c->a, DNS_CNAME, &x[0]);
		i.state = DNS_WRONG;
		i.why = STR("a mail server must not be an alias (RFC 5321 "
			    "section 5.1); some senders will not find it");
	}
	(void)dns_items_add(&d->items, &i);
	for (size_t k = 1; ours && k < COUNT(types); k++)
		for (size_t n = 0; n < x[k].n; n++)
			check_ptr(d, types[k], &x[k].v[n]);
}

static void
check_hosts(struct dns *d, const struct dns_answer *mx)
{
	struct str ours = str_c(d->c->conf->hostname);
	bool seen = false;

	for (size_t i = 0; i < mx->n && i < HOSTS_MAX; i++) {
		if (mx->v[i].name.n == 0)
			continue;
		seen |= str_ieq(mx->v[i].name, ours);
		check_host(d, mx->v[i].name);
	}
	if (!seen)
		check_host(d, ours);
}

/* Count as a receiver does, up to one more than it would. */
static void
count_spf(struct dns *d, struct str spf)
{
	struct str target, next = STR_NULL;

	str_word(&spf);
	while (d->spf_lookups <= SPF_LOOKUPS && dns_spf_lookup(&spf, &target)) {
		struct dns_answer x;

		d->spf_lookups++;
		/* Macros depend on the message. */
		if (target.n == 0 || str_chr(target, '%') < target.n)
			continue;
		ask(d, &(struct dns_question){ target, DNS_TXT }, 1, &x);
		if (dns_spf_find(&x, &next) == 1)
			count_spf(d, next);
	}
}

static void
check_spf(struct dns *d, struct dns_item *i, const struct dns_answer *x)
{
	struct str spf = STR_NULL;

	if (i->state != DNS_RIGHT || dns_spf_find(x, &spf) != 1)
		return;
	count_spf(d, spf);
	if (d->spf_lookups > SPF_LOOKUPS) {
		i->state = DNS_WRONG;
		i->why = STR("it costs more than 10 lookups, so that SPF fails "
			     "for all mail (RFC 7208 section 4.6.4)");
	}
}

static void
look(struct dns *d)
{
	struct dns_answer *x = ask_items(d);
	size_t n = d->items.n;

	for (size_t i = 0; i < n; i++) {
		if (d->items.v[i].kind == DNS_IS_SPF)
			check_spf(d, &d->items.v[i], &x[i]);
		if (d->items.v[i].kind == DNS_IS_MX)
			check_hosts(d, &x[i]);
	}
}

/* ---- saying ---- */

static const char *
state_name(enum dns_state state)
{
	static const char *const names[] = {
		[DNS_RIGHT] = "right",
		[DNS_MISSING] = "missing",
		[DNS_WRONG] = "WRONG",
		[DNS_UNASKED] = "not asked",
	};

	return names[state];
}

/* The zone of what is wanted, in columns. */
static void
print_zone(struct dns *d)
{
	FILE *f = d->c->out;
	size_t width = 0;

	for (size_t i = 0; i < d->items.n; i++)
		if (d->items.v[i].want.n > 0 &&
		    d->items.v[i].kind != DNS_IS_PTR)
			width = MAX(width, d->items.v[i].name.n + 1);
	width = MIN(width, COLUMN_MAX);
	for (size_t i = 0; i < d->items.n; i++) {
		const struct dns_item *x = &d->items.v[i];

		/* PTR records are in the zone of whoever has the network. */
		if (x->want.n == 0 || x->kind == DNS_IS_PTR)
			continue;
		fprintf(f, "%-*s IN %-4s %.*s\n", (int)width,
		    str_fmt(&d->c->a, "%.*s.", STRF(x->name)).p,
		    dns_type_name(x->type), STRF(x->want));
	}
}

static void
print_item(struct dns *d, const struct dns_item *x)
{
	FILE *f = d->c->out;

	/* A service that is not offered and that nobody looks for. */
	if (x->want.n == 0 && x->found.n == 0 && x->state == DNS_RIGHT)
		return;
	fprintf(f, "%-9s %-5s ", state_name(x->state), dns_type_name(x->type));
	out_text(f, x->name);
	fputc('\n', f);
	if (x->found.n > 0) {
		fputs("          found ", f);
		out_text(f, x->found);
		fputc('\n', f);
	}
	if (x->want.n > 0 && x->state != DNS_RIGHT) {
		fputs("          want  ", f);
		out_text(f, x->want);
		fputc('\n', f);
	}
	if (x->why.n > 0)
		out_lines(f, "          -> ", x->why);
}

static void
print_text(struct dns *d)
{
	FILE *f = d->c->out;

	fprintf(f, "; to publish for %.*s\n", STRF(d->domain));
	print_zone(d);
	fputs("\n; what the DNS says\n", f);
	for (size_t i = 0; i < d->items.n; i++)
		print_item(d, &d->items.v[i]);
}

static json_t *
string(struct cli *c, struct str s)
{
	s = out_escape(&c->a, s);
	return json_stringn(s.p ? s.p : "", s.n);
}

static void
print_json(struct dns *d)
{
	static const char *const states[] = {
		[DNS_RIGHT] = "right",
		[DNS_MISSING] = "missing",
		[DNS_WRONG] = "wrong",
		[DNS_UNASKED] = "unasked",
	};
	json_t *all = json_object(), *v = json_array();
	struct cli *c = d->c;

	for (size_t i = 0; i < d->items.n; i++) {
		const struct dns_item *x = &d->items.v[i];
		json_t *o = json_object();

		json_object_set_new(o, "name", string(c, x->name));
		json_object_set_new(
		    o, "type", json_string(dns_type_name(x->type)));
		json_object_set_new(o, "state", json_string(states[x->state]));
		json_object_set_new(o, "want", string(c, x->want));
		json_object_set_new(o, "found", string(c, x->found));
		json_object_set_new(o, "why", string(c, x->why));
		json_array_append_new(v, o);
	}
	json_object_set_new(all, "domain", string(c, d->domain));
	json_object_set_new(all, "records", v);
	json_dumpf(all, c->out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	fputc('\n', c->out);
	json_decref(all);
}

static enum cli_exit
result(const struct dns *d)
{
	enum cli_exit status = CLI_GOOD;

	for (size_t i = 0; i < d->items.n; i++) {
		enum dns_state s = d->items.v[i].state;

		if (s == DNS_MISSING || s == DNS_WRONG)
			return CLI_WRONG;
		if (s == DNS_UNASKED)
			status = CLI_NO_ANSWER;
	}
	return status;
}

enum cli_exit
cmd_dns(struct cli *c)
{
	struct resolver_conf conf = conf_dns(c->conf);
	struct dns d = { .c = c };
	struct log log = c->log;

	if (c->argc != 1)
		return cli_bad_usage(c, "dns DOMAIN [--json]");
	if (dns_to_ascii(&c->a, str_c(c->argv[0]), &d.domain) != RC_OK ||
	    !conf_is_local_domain(c->conf, d.domain)) {
		fputs("gatepost dns: ", c->err);
		out_text(c->err, str_c(c->argv[0]));
		fputs(" is none of the domains of the configuration\n", c->err);
		return CLI_WRONG;
	}
	d.r = resolver_new(&log, &conf);
	if (d.r == NULL)
		return CLI_WRONG;
	dns_items_make(&c->a, c->conf, d.domain, &d.items);
	add_dkim(&d);
	look(&d);
	if (c->json)
		print_json(&d);
	else
		print_text(&d);
	resolver_free(&d.r);
	return result(&d);
}
