/*
 * The records by our resolver, the signature by the running signer, which lets
 * libopendkim verify it with the published record: what a receiver would do.
 */
#include <jansson.h>

#include "cli/dkim_dns.h"
#include "cli/out.h"
#include "conf/conf_dns.h"
#include "policy/sgn_client.h"

#define LOOK_MS 10000
#define SIGN_MS 5000

const char *
dkim_seen_text(enum dkim_seen seen)
{
	static const char *const texts[] = {
		[DKIM_MATCH] = "published",
		[DKIM_MISSING] = "not published",
		[DKIM_DIFFERS] = "published with another key",
		[DKIM_SEVERAL] = "published several times",
		[DKIM_UNKNOWN] = "no answer from the DNS",
	};

	return texts[seen];
}

/*
 * The next byte of a tag's value that counts; -1 at its end.  Base64 may hold
 * white space anywhere (RFC 6376 section 3.6.1).
 */
static int
next_byte(struct str *s)
{
	while (s->n > 0 && (s->p[0] == ' ' || s->p[0] == '\t'))
		*s = str_from(*s, 1);
	if (s->n == 0)
		return -1;
	*s = str_from(*s, 1);
	return (unsigned char)s->p[-1];
}

static struct str
tag(struct str record, struct str name, struct str other)
{
	struct str one;

	while (str_split(&record, ';', &one)) {
		size_t eq = str_chr(one, '=');

		if (eq < one.n && str_eq(str_trim(str_sub(one, 0, eq)), name))
			return str_trim(str_from(one, eq + 1));
	}
	return other;
}

bool
dkim_same_key(struct str ours, struct str published)
{
	struct str a = tag(ours, STR("p"), STR(""));
	struct str b = tag(published, STR("p"), STR(""));
	int x, y;

	if (!str_eq(tag(ours, STR("k"), STR("rsa")),
		tag(published, STR("k"), STR("rsa"))))
		return false;
	do {
		x = next_byte(&a);
		y = next_byte(&b);
	} while (x == y && x >= 0);
	return x == y;
}

static void
judge(struct arena *a, const struct sgn_key *k, const struct dns_answer *in,
    struct dkim_sight *out)
{
	*out = (struct dkim_sight){ .seen = DKIM_UNKNOWN };
	if (in->rc == RC_NOENT)
		out->seen = DKIM_MISSING;
	if (in->rc != RC_OK)
		return;
	out->record = str_dup(a, in->v[0].text);
	if (in->n > 1)
		out->seen = DKIM_SEVERAL;
	else if (dkim_same_key(k->pub.record, out->record))
		out->seen = DKIM_MATCH;
	else
		out->seen = DKIM_DIFFERS;
}

enum rc
dkim_look(struct cli *c, const struct sgn_domain *d, struct dkim_sight *out)
{
	const struct resolver_conf rc = conf_dns(c->conf);
	struct dns_question *q = arena_calloc(&c->a, d->n, sizeof(*q));
	struct dns_answer *v = arena_calloc(&c->a, d->n, sizeof(*v));
	struct resolver *r = resolver_new(&c->log, &rc);

	if (r == NULL)
		return RC_TEMP;
	for (size_t i = 0; i < d->n; i++)
		q[i] = (struct dns_question){
			.name = str_fmt(&c->a, "%.*s._domainkey.%.*s",
			    STRF(d->v[i].sel.name), STRF(d->name)),
			.type = DNS_TXT,
		};
	resolver_ask_all(r, &c->a, q, d->n, deadline_in(LOOK_MS), v);
	for (size_t i = 0; i < d->n; i++)
		judge(&c->a, &d->v[i], &v[i], &out[i]);
	resolver_free(&r);
	return RC_OK;
}

/* One key of a test. */
struct tried {
	const struct sgn_key *key;
	struct dkim_sight sight;
	struct str signature; /* "good", or what went wrong; "" not tried */
	bool no_answer;       /* of the DNS or the signer */
};

static void
no_signer(struct tried *t)
{
	t->signature = STR("the signer does not answer");
	t->no_answer = true;
}

/* False: the signer does not answer. */
static bool
try_signature(
    struct cli *c, struct sgn_client *sgn, struct str domain, struct tried *t)
{
	const struct sgn_trial trial = {
		.domain = domain,
		.selector = t->key->sel.name,
		.record = t->sight.record,
	};

	switch (
	    sgn_try(sgn, &c->a, &trial, deadline_in(SIGN_MS), &t->signature)) {
	case RC_OK:
		return true;
	case RC_NOENT:
		t->signature = STR("the signer does not hold this key yet; "
				   "try: gatepost reload");
		return true;
	case RC_DENY:
	case RC_BAD:
	case RC_TEMP:
	default:
		no_signer(t);
		return false;
	}
}

static bool
good(const struct tried *t)
{
	return t->sight.seen == DKIM_MATCH && str_eq(t->signature, STR("good"));
}

static void
print(struct cli *c, const struct tried *t)
{
	fprintf(c->out, "%-9s %.*s (%s, %s): %s",
	    good(t)                           ? "good"
	    : t->key->sel.state == SGN_ACTIVE ? "FAILED"
					      : "waits",
	    STRF(t->key->sel.name), sgn_alg_name(t->key->pub.alg),
	    sgn_state_name(t->key->sel.state), dkim_seen_text(t->sight.seen));
	if (t->signature.n > 0) {
		fputs("; a signature with it: ", c->out);
		out_text(c->out, t->signature);
	}
	fputc('\n', c->out);
	if (t->sight.seen != DKIM_DIFFERS)
		return;
	fputs("          -> the DNS has: ", c->out);
	out_text(c->out, t->sight.record);
	fputc('\n', c->out);
}

static void
add_json(struct cli *c, json_t *all, const struct tried *t)
{
	json_t *o = json_object();
	struct str record = out_escape(&c->a, t->sight.record);

	json_object_set_new(o, "selector",
	    json_stringn(t->key->sel.name.p, t->key->sel.name.n));
	json_object_set_new(
	    o, "state", json_string(sgn_state_name(t->key->sel.state)));
	json_object_set_new(
	    o, "dns", json_string(dkim_seen_text(t->sight.seen)));
	json_object_set_new(
	    o, "record", json_stringn(record.p ? record.p : "", record.n));
	json_object_set_new(o, "signature",
	    json_stringn(t->signature.p ? t->signature.p : "", t->signature.n));
	json_object_set_new(o, "good", json_boolean(good(t)));
	json_array_append_new(all, o);
}

static enum cli_exit
verdict(const struct tried *v, size_t n)
{
	enum cli_exit status = CLI_GOOD;

	for (size_t i = 0; i < n; i++) {
		if (v[i].key->sel.state != SGN_ACTIVE || good(&v[i]))
			continue;
		if (!v[i].no_answer)
			return CLI_WRONG;
		status = CLI_NO_ANSWER;
	}
	return status;
}

/* Says what may be done next. */
static void
advise(struct cli *c, struct str domain, const struct tried *v, size_t n)
{
	size_t new = 0, ready = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i].key->sel.state != SGN_NEW)
			continue;
		new ++;
		ready += v[i].sight.seen == DKIM_MATCH;
	}
	if (new > 0 && ready == new)
		fprintf(c->out,
		    "\nThe records of the new keys are out.  Next: gatepost "
		    "dkim rotate --finish %.*s\n",
		    STRF(domain));
}

enum cli_exit
dkim_test(struct cli *c, const struct sgn_domain *d)
{
	struct dkim_sight *sights = arena_calloc(&c->a, d->n, sizeof(*sights));
	struct tried *v = arena_calloc(&c->a, d->n, sizeof(*v));
	json_t *all = c->json ? json_array() : NULL;
	struct sgn_client *sgn;
	bool down = false; /* the signer */
	size_t n = 0;

	if (dkim_look(c, d, sights) != RC_OK)
		return CLI_NO_ANSWER;
	sgn = sgn_client_new(&c->log, cli_socket(c, "signer"), 1);
	for (size_t i = 0; i < d->n; i++) {
		struct tried *t = &v[n];

		if (d->v[i].sel.state == SGN_RETIRED)
			continue;
		*t = (struct tried){ &d->v[i], sights[i], STR(""), false };
		t->no_answer = t->sight.seen == DKIM_UNKNOWN;
		if (t->sight.seen == DKIM_MATCH && down)
			no_signer(t);
		else if (t->sight.seen == DKIM_MATCH)
			down = !try_signature(c, sgn, d->name, t);
		n++;
		if (all != NULL)
			add_json(c, all, t);
		else
			print(c, t);
	}
	sgn_client_free(&sgn);
	if (all != NULL) {
		json_dumpf(all, c->out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		fputc('\n', c->out);
		json_decref(all);
	} else {
		advise(c, d->name, v, n);
	}
	return verdict(v, n);
}
