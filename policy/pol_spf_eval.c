/*
 * check_host() of RFC 7208 section 4, as straight code over a callback that
 * blocks.
 *
 * Budgets are counters of the whole check, so no record can hide behind an
 * include or a redirect, and recursion needs no limit of its own: each level
 * costs a lookup.  A void lookup is counted once for each term, as section
 * 4.6.4 says ("the number of terms").
 *
 * Time is what cold DNS costs.  So at the first term of a record that asks,
 * the questions of the terms behind it are asked with it, all at once, and
 * kept for the check; the hosts of an mx and the names of a client go out
 * together too.  Evaluation stays in order and sees the same answers.
 * `exists` and whatever needs %{p} wait for their turn: owners log the former.
 */
#include <string.h>

#include "policy/pol_spf_impl.h"

#define KEPT_MAX (2 * POL_SPF_LOOKUPS_MAX)

/* Of a term or a whole record, before it becomes a result. */
enum step {
	STEP_NEXT, /* does not match */
	STEP_MATCH,
	STEP_TEMP,
	STEP_PERM,
};

struct check {
	const struct pol_spf_conf *conf;
	struct arena *a;
	const struct pol_spf_client *client;
	struct deadline dl;
	struct pol_spf_values v;
	struct pol_spf_out *out;
	struct {
		struct dns_question q;
		struct dns_answer answer;
	} kept[KEPT_MAX];
	size_t nkept;
	size_t ahead;                        /* asked before their turn */
	bool void_counted;                   /* for the term at hand */
	bool explaining;                     /* nothing counts any more */
	bool names_known, names_void;        /* below; a lookup was void */
	struct str names[POL_SPF_NAMES_MAX]; /* validated, of the client */
	size_t nnames;
};

static enum pol_spf_result check_host(
    struct check *c, struct str domain, bool included);

static enum step
perm(struct check *c, struct str what, const char *why)
{
	c->out->problem = str_fmt(
	    c->a, "%.*s: %s", STRF(pol_spf_plain(c->a, what, 253)), why);
	return STEP_PERM;
}

static enum step
temp(struct check *c, struct str name)
{
	c->out->problem =
	    str_fmt(c->a, "%.*s: %s", STRF(pol_spf_plain(c->a, name, 253)),
		deadline_over(c->dl) ? "no time left" : "no answer from DNS");
	return STEP_TEMP;
}

static enum step
count_lookup(struct check *c)
{
	if (c->explaining || ++c->out->lookups <= POL_SPF_LOOKUPS_MAX)
		return STEP_NEXT;
	return perm(c, c->v.domain, "more than 10 terms that ask the DNS");
}

static enum step
count_void(struct check *c, bool is_void)
{
	if (!is_void || c->void_counted || c->explaining)
		return STEP_NEXT;
	c->void_counted = true;
	if (++c->out->voids <= POL_SPF_VOIDS_MAX)
		return STEP_NEXT;
	return perm(c, c->v.domain, "more than 2 lookups without an answer");
}

static enum dns_type
address_type(const struct check *c)
{
	return c->client->v6 ? DNS_AAAA : DNS_A;
}

static const struct dns_answer *
kept_find(const struct check *c, struct str name, enum dns_type type)
{
	for (size_t i = 0; i < c->nkept; i++)
		if (c->kept[i].q.type == type &&
		    str_ieq(c->kept[i].q.name, name))
			return &c->kept[i].answer;
	return NULL;
}

static void
keep(struct check *c, const struct dns_question *q,
    const struct dns_answer *answer)
{
	if (c->nkept == KEPT_MAX)
		return;
	c->kept[c->nkept].q = *q;
	c->kept[c->nkept++].answer = *answer;
}

/* Also behind the deadline: what is known already is answered then. */
static void
ask_all(struct check *c, const struct dns_question *q, size_t n,
    struct dns_answer *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (struct dns_answer){ .rc = RC_TEMP };
	c->conf->ask(c->conf->arg, c->a, q, n, c->dl, out);
}

static struct dns_answer
ask(struct check *c, struct str name, enum dns_type type)
{
	const struct dns_answer *kept = kept_find(c, name, type);
	struct dns_question q = { .name = name, .type = type };
	struct dns_answer answer;

	if (kept != NULL)
		return *kept;
	ask_all(c, &q, 1, &answer);
	keep(c, &q, &answer);
	return answer;
}

static bool
in_network(const struct check *c, const unsigned char *net,
    const struct pol_spf_term *t)
{
	unsigned bits = c->client->v6 ? t->cidr6 : t->cidr4;
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(net, c->client->ip, whole) != 0)
		return false;
	return rest == 0 ||
	       ((net[whole] ^ c->client->ip[whole]) >> (8 - rest)) == 0;
}

static bool
any_in_network(const struct check *c, const struct dns_answer *answer,
    const struct pol_spf_term *t)
{
	if (answer->rc != RC_OK)
		return false;
	for (size_t i = 0; i < answer->n; i++)
		if (in_network(c, answer->v[i].addr, t))
			return true;
	return false;
}

static enum step
term_a(struct check *c, const struct pol_spf_term *t, struct str name)
{
	struct dns_answer answer = ask(c, name, address_type(c));

	if (answer.rc == RC_TEMP)
		return temp(c, name);
	if (any_in_network(c, &answer, t))
		return STEP_MATCH;
	return count_void(c, answer.rc == RC_NOENT);
}

/* A match counts even if another host could not be looked up. */
static enum step
term_mx(struct check *c, const struct pol_spf_term *t, struct str name)
{
	struct dns_answer mx = ask(c, name, DNS_MX), hosts[POL_SPF_NAMES_MAX];
	struct dns_question q[POL_SPF_NAMES_MAX];
	enum step step = STEP_NEXT;
	size_t n = 0;

	if (mx.rc == RC_TEMP)
		return temp(c, name);
	if (mx.rc != RC_OK)
		return count_void(c, mx.rc == RC_NOENT);
	if (mx.n > POL_SPF_NAMES_MAX)
		return perm(c, name, "more than 10 MX records");
	for (size_t i = 0; i < mx.n; i++)
		if (pol_spf_name_ok(mx.v[i].name))
			q[n++] = (struct dns_question){ mx.v[i].name,
				address_type(c) };
	ask_all(c, q, n, hosts);
	for (size_t i = 0; i < n; i++)
		if (any_in_network(c, &hosts[i], t))
			return STEP_MATCH;
	for (size_t i = 0; i < n && step == STEP_NEXT; i++)
		step = hosts[i].rc == RC_TEMP
			   ? temp(c, q[i].name)
			   : count_void(c, hosts[i].rc == RC_NOENT);
	return step;
}

/*
 * The names of the client whose addresses hold the client: section 5.5.  An
 * error only leaves a name out.
 */
static void
find_names(struct check *c)
{
	static const struct pol_spf_term host = { .cidr4 = 32, .cidr6 = 128 };
	struct dns_answer ptr, addresses[POL_SPF_NAMES_MAX];
	struct dns_question q[POL_SPF_NAMES_MAX];
	struct str reverse;
	size_t n = 0;

	if (c->names_known)
		return;
	c->names_known = true;
	reverse = str_fmt(
	    c->a, "%.*s.%.*s.arpa", STRF(c->v.reversed), STRF(c->v.version));
	ptr = ask(c, reverse, DNS_PTR);
	c->names_void = ptr.rc == RC_NOENT;
	if (ptr.rc != RC_OK)
		return;
	for (size_t i = 0; i < ptr.n && i < POL_SPF_NAMES_MAX; i++)
		if (pol_spf_name_ok(ptr.v[i].name))
			q[n++] = (struct dns_question){ ptr.v[i].name,
				address_type(c) };
	ask_all(c, q, n, addresses);
	for (size_t i = 0; i < n; i++) {
		if (addresses[i].rc == RC_NOENT)
			c->names_void = true;
		if (any_in_network(c, &addresses[i], &host))
			c->names[c->nnames++] = q[i].name;
	}
}

static bool
is_below(struct str name, struct str domain)
{
	return name.n > domain.n && str_has_isuffix(name, domain) &&
	       name.p[name.n - domain.n - 1] == '.';
}

static enum step
term_ptr(struct check *c, struct str domain)
{
	find_names(c);
	for (size_t i = 0; i < c->nnames; i++)
		if (str_ieq(c->names[i], domain) ||
		    is_below(c->names[i], domain))
			return STEP_MATCH;
	return count_void(c, c->names_void);
}

/* %{p}: the domain itself, else a name below it, else any, else "unknown". */
static enum step
find_validated(struct check *c)
{
	struct str domain = c->v.domain, found = STR("unknown");
	enum step step = STEP_NEXT;
	int best = 0;

	if (!c->names_known) {
		step = count_lookup(c);
		if (step == STEP_NEXT) {
			find_names(c);
			step = count_void(c, c->names_void);
		}
	}
	for (size_t i = 0; i < c->nnames; i++) {
		int rank = str_ieq(c->names[i], domain)    ? 3
			   : is_below(c->names[i], domain) ? 2
							   : 1;

		if (rank > best) {
			best = rank;
			found = c->names[i];
		}
	}
	c->v.validated = found;
	return step;
}

static enum step
term_exists(struct check *c, struct str name)
{
	struct dns_answer answer = ask(c, name, DNS_A);

	if (answer.rc == RC_TEMP)
		return temp(c, name);
	return answer.rc == RC_OK ? STEP_MATCH
				  : count_void(c, answer.rc == RC_NOENT);
}

static enum step
term_include(struct check *c, struct str name)
{
	struct str outer = c->v.domain;
	enum pol_spf_result result = check_host(c, name, true);

	c->v.domain = outer;
	switch (result) {
	case POL_SPF_PASS:
		return STEP_MATCH;
	case POL_SPF_TEMPERROR:
		return STEP_TEMP;
	case POL_SPF_PERMERROR:
		return STEP_PERM;
	case POL_SPF_NONE:
		return perm(c, name, "included, has no SPF record");
	default:
		return STEP_NEXT;
	}
}

/* Sets *out; STEP_MATCH means go on. */
static enum step
target(struct check *c, const struct pol_spf_term *t, struct str *out)
{
	enum step step;

	*out = c->v.domain;
	if (t->domain.n == 0)
		return STEP_MATCH;
	if (pol_spf_macro_has_p(t->domain)) {
		step = find_validated(c);
		if (step != STEP_NEXT)
			return step;
	}
	switch (pol_spf_expand_domain(c->a, t->domain, &c->v, out)) {
	case RC_OK:
		return STEP_MATCH;
	case RC_DENY:
		return STEP_NEXT;
	default: /* exists nowhere, and an include must */
		if (t->kind == POL_SPF_INCLUDE)
			return perm(c, t->text, "not a domain name");
		return STEP_NEXT;
	}
}

static bool
asks(const struct pol_spf_term *t)
{
	return t->kind != POL_SPF_ALL && t->kind != POL_SPF_IP4 &&
	       t->kind != POL_SPF_IP6;
}

static enum step
run_term(struct check *c, const struct pol_spf_term *t)
{
	struct str name;
	enum step step;

	switch (t->kind) {
	case POL_SPF_ALL:
		return STEP_MATCH;
	case POL_SPF_IP4:
	case POL_SPF_IP6:
		return c->client->v6 == (t->kind == POL_SPF_IP6) &&
			       in_network(c, t->ip, t)
			   ? STEP_MATCH
			   : STEP_NEXT;
	default:
		break;
	}
	c->void_counted = false;
	step = count_lookup(c);
	if (step != STEP_NEXT)
		return step;
	step = target(c, t, &name);
	if (step != STEP_MATCH)
		return step;
	switch (t->kind) {
	case POL_SPF_A:
		return term_a(c, t, name);
	case POL_SPF_MX:
		return term_mx(c, t, name);
	case POL_SPF_PTR:
		return term_ptr(c, name);
	case POL_SPF_EXISTS:
		return term_exists(c, name);
	default:
		return term_include(c, name);
	}
}

static bool
question_of(struct check *c, enum pol_spf_kind kind, struct str spec,
    struct dns_question *q)
{
	switch (kind) {
	case POL_SPF_A:
		q->type = address_type(c);
		break;
	case POL_SPF_MX:
		q->type = DNS_MX;
		break;
	case POL_SPF_INCLUDE:
		q->type = DNS_TXT;
		break;
	default:
		return false;
	}
	q->name = c->v.domain;
	return (spec.n == 0 || (!pol_spf_macro_has_p(spec) &&
				   pol_spf_expand_domain(c->a, spec, &c->v,
				       &q->name) == RC_OK)) &&
	       kept_find(c, q->name, q->type) == NULL;
}

static void
add_question(const struct dns_question *q, struct dns_question *v, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		if (v[i].type == q->type && str_ieq(v[i].name, q->name))
			return;
	v[(*n)++] = *q;
}

/*
 * What the terms from `from` on will ask, in one go, as far as the limits let
 * them come to their turn.
 */
static void
ask_ahead(struct check *c, const struct pol_spf_record *rec, size_t from)
{
	struct dns_question q[POL_SPF_LOOKUPS_MAX], one;
	struct dns_answer answers[POL_SPF_LOOKUPS_MAX];
	size_t max = POL_SPF_LOOKUPS_MAX - c->ahead, n = 0, i;
	unsigned turns = c->out->lookups;

	for (i = from; i < rec->n && rec->v[i].kind != POL_SPF_ALL; i++) {
		if (!asks(&rec->v[i]))
			continue;
		if (turns++ >= POL_SPF_LOOKUPS_MAX || n >= max)
			break;
		if (question_of(c, rec->v[i].kind, rec->v[i].domain, &one))
			add_question(&one, q, &n);
	}
	if (i == rec->n && rec->redirect.n > 0 && n < max &&
	    turns < POL_SPF_LOOKUPS_MAX &&
	    question_of(c, POL_SPF_INCLUDE, rec->redirect, &one))
		add_question(&one, q, &n);
	if (n < 2)
		return;
	c->ahead += n;
	ask_all(c, q, n, answers);
	for (i = 0; i < n; i++)
		keep(c, &q[i], &answers[i]);
}

static enum step
load(struct check *c, struct str domain, struct pol_spf_record *out,
    enum pol_spf_result *result)
{
	struct dns_answer answer = { .rc = RC_NOENT };
	const struct str *txt = NULL;

	*result = POL_SPF_NONE;
	answer = ask(c, domain, DNS_TXT);
	if (answer.rc == RC_TEMP) {
		*result = POL_SPF_TEMPERROR;
		return temp(c, domain);
	}
	for (size_t i = 0; answer.rc == RC_OK && i < answer.n; i++) {
		if (!pol_spf_is_record(answer.v[i].text))
			continue;
		if (txt != NULL) {
			*result = POL_SPF_PERMERROR;
			return perm(c, domain, "more than one SPF record");
		}
		txt = &answer.v[i].text;
	}
	if (txt == NULL)
		return STEP_NEXT;
	*result = POL_SPF_PERMERROR;
	return pol_spf_parse(c->a, *txt, out, &c->out->problem) == RC_OK
		   ? STEP_MATCH
		   : STEP_PERM;
}

/* Section 6.2: any trouble, and there is no explanation. */
static void
explain(struct check *c, struct str spec)
{
	AUTO_BUF b;
	struct dns_answer answer;
	struct str name, text;

	buf_init(&b, POL_SPF_EXPAND_MAX);
	if (spec.n == 0)
		return;
	c->explaining = true;
	if (pol_spf_macro_has_p(spec))
		(void)find_validated(c);
	if (pol_spf_expand_domain(c->a, spec, &c->v, &name) != RC_OK)
		return;
	answer = ask(c, name, DNS_TXT);
	if (answer.rc != RC_OK || answer.n != 1)
		return;
	text = answer.v[0].text;
	if (pol_spf_macro_check(text, POL_SPF_EXPLAIN) != RC_OK)
		return;
	if (pol_spf_macro_has_p(text))
		(void)find_validated(c);
	if (pol_spf_expand(text, POL_SPF_EXPLAIN, &c->v, &b) != RC_OK)
		return;
	c->out->explanation =
	    pol_spf_plain(c->a, str_trim(buf_str(&b)), POL_SPF_EXPLAIN_MAX);
}

static enum pol_spf_result
run_record(struct check *c, const struct pol_spf_record *rec, bool included)
{
	bool first = true;

	for (size_t i = 0; i < rec->n; i++) {
		const struct pol_spf_term *t = &rec->v[i];

		if (first && asks(t)) {
			ask_ahead(c, rec, i);
			first = false;
		}
		switch (run_term(c, t)) {
		case STEP_NEXT:
			break;
		case STEP_MATCH:
			if (!included)
				c->out->mechanism = t->text;
			return t->result;
		case STEP_TEMP:
			return POL_SPF_TEMPERROR;
		case STEP_PERM:
			return POL_SPF_PERMERROR;
		}
	}
	return POL_SPF_NONE;
}

/* Where the redirect modifier leads; POL_SPF_NONE when it leads there. */
static enum pol_spf_result
redirect(struct check *c, struct str spec, struct str *domain)
{
	struct pol_spf_term t = {
		.kind = POL_SPF_INCLUDE, .text = spec, .domain = spec
	};

	c->void_counted = false;
	if (count_lookup(c) != STEP_NEXT)
		return POL_SPF_PERMERROR;
	switch (target(c, &t, domain)) {
	case STEP_MATCH:
		return POL_SPF_NONE;
	case STEP_TEMP:
		return POL_SPF_TEMPERROR;
	case STEP_NEXT:
		(void)perm(c, spec, "redirect needs an ASCII local part");
		return POL_SPF_PERMERROR;
	default:
		return POL_SPF_PERMERROR;
	}
}

static enum pol_spf_result
check_host(struct check *c, struct str domain, bool included)
{
	struct pol_spf_record rec;
	enum pol_spf_result result;
	bool redirected = false;

	for (;;) {
		c->v.domain = domain;
		if (load(c, domain, &rec, &result) != STEP_MATCH) {
			if (!redirected || result != POL_SPF_NONE)
				return result;
			(void)perm(c, domain,
			    "target of a redirect, has no SPF record");
			return POL_SPF_PERMERROR;
		}
		result = run_record(c, &rec, included);
		if (result == POL_SPF_FAIL && !included)
			explain(c, rec.exp);
		if (result != POL_SPF_NONE)
			return result;
		if (rec.redirect.n == 0)
			break;
		result = redirect(c, rec.redirect, &domain);
		if (result != POL_SPF_NONE)
			return result;
		redirected = true;
	}
	if (!included)
		c->out->mechanism = STR("default");
	return POL_SPF_NEUTRAL;
}

/* Nibbles in upper case, as the suite of openspf.org spells %{i}. */
static void
set_address(struct check *c)
{
	const unsigned char *ip = c->client->ip;
	size_t n = c->client->v6 ? 32 : 4;
	char forward[64], back[64];
	size_t nf = 0, nb = 0;

	if (!c->client->v6) {
		c->v.dotted =
		    str_fmt(c->a, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
		c->v.reversed =
		    str_fmt(c->a, "%u.%u.%u.%u", ip[3], ip[2], ip[1], ip[0]);
		c->v.version = STR("in-addr");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		size_t k = n - 1 - i;

		if (i > 0) {
			forward[nf++] = '.';
			back[nb++] = '.';
		}
		forward[nf++] =
		    "0123456789ABCDEF"[i % 2 ? ip[i / 2] & 15 : ip[i / 2] >> 4];
		back[nb++] =
		    "0123456789ABCDEF"[k % 2 ? ip[k / 2] & 15 : ip[k / 2] >> 4];
	}
	c->v.dotted = str_dup(c->a, str_n(forward, nf));
	c->v.reversed = str_dup(c->a, str_n(back, nb));
	c->v.version = STR("ip6");
}

void
pol_spf_own(const struct pol_spf_conf *conf, struct arena *a,
    const struct pol_spf_in *in, const struct pol_spf_subject *who,
    const struct pol_spf_client *client, struct deadline dl,
    struct pol_spf_out *out)
{
	struct check c = {
		.conf = conf,
		.a = a,
		.client = client,
		.dl = dl,
		.out = out,
		.v = {
			.sender = out->sender,
			.local = who->local,
			.origin = who->domain,
			.helo = in->helo,
			.readable = pol_spf_client_text(a, client),
			.receiver = conf->receiver.n > 0 ? conf->receiver
							 : STR("unknown"),
			.validated = STR("unknown"),
			.now = in->now,
		},
	};

	set_address(&c);
	out->result = check_host(&c, str_lower(a, who->domain), false);
}
