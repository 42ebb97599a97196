/*
 * Who is refused:
 *   DMARC fails under p=reject       Junk, or 550 5.7.1 by setting
 *   DMARC fails under p=quarantine   Junk
 *   SPF fails                        marked, or 550 5.7.23 by setting, unless
 *                                    DMARC passed (a forwarder breaks SPF)
 *   From names several domains       RFC 9989 exempts it from DMARC; if one of
 *                                    them would have failed, Junk: a person
 *                                    reads the name that suits the forger
 *   more From domains or header      Junk: no honest message looks like that
 *   than we look at, or a domain
 *   there that no DNS can have
 *   more forged results in our name  550 5.6.0
 *   than we cut
 *   the site's header checks         as they say: they come first, and what
 *                                    they decide in the sender's favour, a
 *                                    refusal by the others still overrides
 *   DMARC cannot be decided under    451 4.7.1: whoever sends chooses names
 *   p=quarantine or p=reject         that do not resolve, and would choose
 *                                    them below the name that they forge
 * No other temporary error refuses or moves anything; when the record is not
 * known, nobody knows what the owner wants.
 *
 * Who sends chooses which servers are asked, and how slow they are.  So the
 * time is dealt out: in the first third everything is asked at once, in the
 * second what SPF and DMARC still lack, and the rest is for the terms of SPF
 * and, last, for keys of the authors' own domains.  A key of somebody else has
 * the first third and nothing more: DMARC does not ask for it.
 */
#include "mail/ares.h"
#include "mail/header.h"
#include "policy/pol_author.h"
#include "policy/pol_check.h"
#include "policy/pol_dmarc.h"
#include "policy/pol_rules.h"

#define QUESTIONS_MAX (1 + POL_DKIM_MAX + POL_AUTHORS_MAX * POL_DMARC_WALK_MAX)

struct work {
	const struct pol_env *e;
	const struct pol_check *in;
	struct arena *a;
	struct pol_ask ask;
	struct pol_body body;
	struct str header;
	bool header_cut;
	struct pol_authors authors;
	struct pol_dkim_key key[POL_DKIM_MAX];
	size_t nkey;
	struct pol_spf_out spf;
	struct str received_spf;
	struct pol_dkim_out dkim;
	/* The author domain that fares worst. */
	struct pol_dmarc_out dmarc;
	struct str author;
	struct pol_hits hits; /* of the header checks */
};

static struct str
domain_of(struct str address)
{
	return str_from(address, str_rchr(address, '@') + 1);
}

/* Whose SPF record will be asked for. */
static struct str
spf_domain(const struct pol_check *in)
{
	return in->from.n > 0 ? domain_of(in->from) : in->helo;
}

/* What SPF asks first, and all that DMARC asks for the authors. */
static size_t
policy_questions(struct work *w, struct dns_question *q)
{
	struct str names[POL_DMARC_WALK_MAX], spf = spf_domain(w->in);
	size_t n = 0;

	if (spf.n > 0 && spf.n <= DNS_NAME_MAX && spf.p[0] != '[')
		q[n++] = (struct dns_question){ spf, DNS_TXT };
	for (size_t i = 0; i < w->authors.n; i++) {
		size_t k = pol_dmarc_names(w->authors.domain[i], names);

		for (size_t j = 0; j < k; j++)
			q[n++] = pol_dmarc_question(w->a, names[j]);
	}
	return n;
}

/* Everything at once; then once more for what must not be missing. */
static void
prefetch(struct work *w)
{
	struct dns_question q[QUESTIONS_MAX];
	struct dns_answer answer[QUESTIONS_MAX];
	size_t n = policy_questions(w, q), all = n;
	int third = deadline_left_ms(w->ask.dl) / 3;

	for (size_t i = 0; i < w->nkey; i++)
		q[all++] = pol_dkim_question(w->a, &w->key[i]);
	pol_ask_until(&w->ask, q, all, deadline_in(third), answer);
	pol_ask_until(&w->ask, q, n, deadline_in(third), answer);
}

/* Its last two labels. */
static struct str
top_of(struct str domain)
{
	size_t dot = str_rchr(domain, '.'),
	       before = str_rchr(str_sub(domain, 0, dot), '.');

	return before < dot ? str_from(domain, before + 1) : domain;
}

/* Could this key make DMARC pass? */
static bool
of_an_author(const struct work *w, struct str domain)
{
	for (size_t i = 0; i < w->authors.n; i++)
		if (str_ieq(top_of(domain), top_of(w->authors.domain[i])))
			return true;
	return false;
}

/* What is left of the time is for the keys that may count. */
static void
take_keys(struct work *w)
{
	struct dns_question q[POL_DKIM_MAX];
	struct dns_answer answer[POL_DKIM_MAX];
	size_t n = 0;

	for (size_t i = 0; i < w->nkey; i++)
		if (of_an_author(w, w->key[i].domain))
			q[n++] = pol_dkim_question(w->a, &w->key[i]);
	pol_ask_all(&w->ask, q, n, answer);
	for (size_t i = 0; i < w->nkey; i++)
		q[i] = pol_dkim_question(w->a, &w->key[i]);
	pol_ask_until(&w->ask, q, w->nkey, (struct deadline){ 0 }, answer);
	for (size_t i = 0; i < w->nkey; i++)
		w->key[i].answer = answer[i];
}

static void
check_spf(struct work *w)
{
	const struct pol_spf_conf conf = { .ask = pol_ask_as_fn,
		.arg = &w->ask,
		.engine = w->e->spf_engine,
		.receiver = w->e->hostname };
	const struct pol_spf_in in = { .identity = POL_SPF_MAILFROM,
		.client_ip = w->in->client_ip,
		.helo = w->in->helo,
		.from = w->in->from,
		.now = w->in->received_at };

	pol_spf_check(&conf, w->a, &in, w->ask.dl, &w->spf);
	w->received_spf = pol_spf_received(w->a, &conf, &in, &w->spf);
}

static enum rc
check_dkim(struct work *w)
{
	const struct pol_dkim_in in = { .header = w->header,
		.body = &w->body,
		.key = w->key,
		.nkey = w->nkey };

	if (w->header_cut)
		return RC_OK;
	return pol_dkim_verify(w->e->dkim, w->a, &in, &w->dkim);
}

/* The owner wants failures kept out, and this may be one. */
static bool
to_be_asked_later(const struct pol_dmarc_out *d)
{
	return d->result == POL_DMARC_TEMPERROR && d->undecided &&
	       d->policy > POL_DMARC_P_NONE;
}

/* How bad; the worst of several authors is the message's. */
static unsigned
rank(const struct pol_dmarc_out *d)
{
	switch (d->result) {
	case POL_DMARC_PASS:
		return 1;
	case POL_DMARC_NONE:
		return 2;
	case POL_DMARC_PERMERROR:
		return 3;
	case POL_DMARC_TEMPERROR:
		return to_be_asked_later(d) ? 6 : 4;
	default:
		return d->policy > POL_DMARC_P_NONE ? 5 + d->policy : 5;
	}
}

static void
check_dmarc(struct work *w)
{
	struct str pass[POL_DKIM_MAX], unsure[POL_DKIM_MAX];
	struct pol_dmarc_in in = { .dkim = pass, .dkim_unsure = unsure };

	for (size_t i = 0; i < w->dkim.n; i++) {
		const struct pol_dkim_sig *s = &w->dkim.sig[i];

		if (s->result == POL_DKIM_PASS)
			pass[in.ndkim++] = s->domain;
		else if (s->result == POL_DKIM_TEMPERROR)
			unsure[in.ndkim_unsure++] = s->domain;
	}
	if (w->spf.result == POL_SPF_PASS)
		in.spf = w->spf.domain;
	else if (w->spf.result == POL_SPF_TEMPERROR)
		in.spf_unsure = w->spf.domain;
	w->dmarc = (struct pol_dmarc_out){
		.result = POL_DMARC_NONE, .tag = "", .why = "no domain in From"
	};
	for (size_t i = 0; i < w->authors.n; i++) {
		struct pol_dmarc_out one;

		in.from = w->authors.domain[i];
		pol_dmarc_check(&w->ask, &in, &one);
		if (i > 0 && rank(&one) <= rank(&w->dmarc))
			continue;
		w->dmarc = one;
		w->author = in.from;
	}
}

static const char *
dkim_summary(const struct pol_dkim_out *d)
{
	enum pol_dkim_result r = d->n > 0 ? d->sig[0].result : POL_DKIM_NONE;

	for (size_t i = 0; i < d->n; i++) {
		if (d->sig[i].result == POL_DKIM_PASS)
			return "pass";
		if (d->sig[i].result == POL_DKIM_TEMPERROR)
			r = POL_DKIM_TEMPERROR;
	}
	return pol_dkim_name(r);
}

/*
 * Several authors or none that is clear: DMARC itself does not apply.  Odd
 * syntax alone exempts nobody, or a comma would.
 */
static bool
exempt(const struct work *w)
{
	return w->authors.n != 1 || w->authors.too_many || w->authors.lost;
}

static const char *
summary_dmarc(const struct work *w)
{
	if (w->authors.n == 1 && !w->authors.too_many && !w->authors.lost)
		return pol_dmarc_name(w->dmarc.result);
	return w->authors.n == 0 && w->authors.odd ? "permerror" : "none";
}

static void
add_spf(const struct work *w, struct mail_ares_result *r)
{
	*r = (struct mail_ares_result){ .method = "spf",
		.result = pol_spf_name(w->spf.result),
		.reason = w->spf.problem };
	r->prop[r->nprop].name =
	    w->spf.identity == POL_SPF_HELO ? "smtp.helo" : "smtp.mailfrom";
	r->prop[r->nprop++].value =
	    w->spf.identity == POL_SPF_HELO ? w->spf.domain : w->in->from;
}

static void
add_dkim(const struct pol_dkim_sig *s, struct mail_ares_result *r)
{
	*r = (struct mail_ares_result){ .method = "dkim",
		.result = pol_dkim_name(s->result),
		.reason = s->why[0] != '\0' ? str_c(s->why)
			  : s->test_key     ? STR("test key")
					    : STR(""),
		.prop = { { "header.d", s->domain },
		    { "header.s", s->selector }, { "header.b", s->b } },
		.nprop = 3 };
}

static void
add_dmarc(const struct work *w, bool junk, struct mail_ares_result *r)
{
	const struct pol_dmarc_out *d = &w->dmarc;
	struct str said = STR("");

	if (d->published != POL_DMARC_P_ABSENT)
		said = str_fmt(w->a, "%s=%s%s dis=%s", d->tag,
		    pol_dmarc_policy_name(d->published),
		    d->policy != d->published ? " t=y" : "",
		    junk ? "junk" : "none");
	*r = (struct mail_ares_result){ .method = "dmarc",
		.result = pol_dmarc_name(d->result),
		.reason = said,
		.prop = { { "header.from", w->author } },
		.nprop = 1 };
	if (w->authors.n == 1 && !w->authors.too_many && !w->authors.lost)
		return;
	r->result = summary_dmarc(w);
	r->reason = w->authors.n == 0 ? STR("From cannot be read")
				      : STR("several domains in From");
}

static void
write_edits(struct work *w, struct pol_verdict *out)
{
	struct mail_ares_result r[2 + POL_DKIM_MAX];
	size_t n = 0;

	add_spf(w, &r[n++]);
	for (size_t i = 0; i < w->dkim.n; i++)
		add_dkim(&w->dkim.sig[i], &r[n++]);
	if (w->dkim.n == 0)
		r[n++] = (struct mail_ares_result){ .method = "dkim",
			.result = w->header_cut ? "permerror" : "none" };
	if (w->authors.n > 0 || w->authors.odd)
		add_dmarc(w, out->action == POL_JUNK, &r[n++]);
	out->edits = str_cat(
	    w->a, mail_ares_field(w->a, w->e->hostname, r, n), w->received_spf);
}

static void
refuse(struct pol_verdict *out, const char *status, struct str text)
{
	out->action = POL_REJECT;
	out->status = str_c(status);
	out->text = text;
}

static void
apply_dmarc(const struct work *w, struct pol_verdict *out)
{
	const struct pol_dmarc_out *d = &w->dmarc;

	if (to_be_asked_later(d) && out->action != POL_JUNK) {
		out->why = str_fmt(w->a, "dmarc: %s=%s of %.*s, and %s", d->tag,
		    pol_dmarc_policy_name(d->policy), STRF(w->author), d->why);
		refuse(out, "4.7.1",
		    str_fmt(w->a,
			"The DMARC policy of %.*s cannot be checked now",
			STRF(w->author)));
		out->action = POL_DEFER;
	}
	if (d->result != POL_DMARC_FAIL || d->policy <= POL_DMARC_P_NONE)
		return;
	out->why = str_fmt(w->a, "dmarc: %s=%s of %.*s%s", d->tag,
	    pol_dmarc_policy_name(d->policy), STRF(w->author),
	    exempt(w) ? ", not the only author" : "");
	if (d->policy == POL_DMARC_P_REJECT && w->e->dmarc_reject && !exempt(w))
		refuse(out, "5.7.1",
		    str_fmt(w->a, "Not authenticated, as %.*s demands (DMARC)",
			STRF(w->author)));
	else
		out->action = POL_JUNK;
}

static void
apply_spf(const struct work *w, struct pol_verdict *out)
{
	if (w->spf.result != POL_SPF_FAIL || !w->e->spf_reject ||
	    (w->dmarc.result == POL_DMARC_PASS && !w->authors.lost))
		return;
	out->why = str_fmt(w->a, "spf: fail of %.*s", STRF(w->spf.domain));
	refuse(out, "5.7.23",
	    str_fmt(w->a, "%.*s may not send for %.*s (SPF)",
		STRF(w->in->client_ip), STRF(w->spf.domain)));
}

static void
decide(const struct work *w, struct pol_verdict *out)
{
	out->action = POL_ACCEPT;
	if (w->header_cut || w->authors.too_many || w->authors.lost) {
		out->action = POL_JUNK;
		out->why = w->header_cut ? STR("header too long to be checked")
			   : w->authors.lost ? STR("an odd domain in From")
					     : STR("too many domains in From");
	}
	apply_dmarc(w, out);
	if (out->action != POL_REJECT && out->action != POL_DEFER)
		apply_spf(w, out);
}

static enum rc
find_forged(struct work *w, struct pol_verdict *out)
{
	struct mail_range r[POL_CUTS_MAX];
	size_t n;

	if (mail_ares_cuts(w->header, w->e->hostname, true, r, COUNT(r), &n) ==
	    RC_OK) {
		out->cut = arena_calloc(w->a, n, sizeof(*out->cut));
		out->ncut = n;
		for (size_t i = 0; i < n; i++)
			out->cut[i] = (struct pol_cut){ r[i].off, r[i].len };
		return RC_OK;
	}
	out->why = STR("too many forged results");
	refuse(out, "5.6.0",
	    STR("Too many results in our name or " MAIL_JUNK_FIELD));
	return RC_DENY;
}

/* True: the header checks refuse it, and nobody else has to be asked. */
static bool
check_headers(struct work *w, struct pol_verdict *out)
{
	struct pol_hits *h = &w->hits;

	pol_rules_run(w->e->log, w->e->headers, w->a, w->header, h);
	if (h->action != 0)
		out->why = str_fmt(w->a, "header check, line %u", h->line);
	if (h->action == POL_HEADERS_REJECT) {
		refuse(out, "5.7.1", h->text);
		return true;
	}
	if (h->action == POL_HEADERS_DEFER) {
		refuse(out, "4.7.1", h->text);
		out->action = POL_DEFER;
		return true;
	}
	/* Nobody may hide behind our limits from what a site refuses. */
	if (h->cut_short && h->action == 0) {
		out->why = STR("header checks: too much to check");
		refuse(out, "5.6.0", STR("Too much header to be checked"));
		return true;
	}
	return false;
}

/* What they say about a message that comes in. */
static void
apply_headers(const struct work *w, struct pol_verdict *out)
{
	const struct pol_hits *h = &w->hits;

	if (pol_rules_cut(w->a, h, out) != RC_OK) {
		out->why = STR("header checks: too many fields to remove");
		refuse(out, "5.6.0", STR("Too many fields to remove"));
		return;
	}
	out->edits = str_cat(w->a, h->edits, out->edits);
	if (out->action == POL_REJECT || out->action == POL_DEFER)
		return;
	if (h->action == POL_HEADERS_DISCARD)
		out->action = POL_DISCARD;
	else if (h->action == POL_HEADERS_HOLD)
		out->action = POL_HOLD;
	else if (h->action == POL_HEADERS_JUNK)
		out->action = POL_JUNK;
}

enum rc
pol_check_run(const struct pol_env *e, struct arena *a,
    const struct pol_check *in, struct deadline dl, struct pol_verdict *out)
{
	struct work w = { .e = e,
		.in = in,
		.a = a,
		.body = { in->inline_data, in->fd, in->size } };
	enum rc rc = pol_body_check(e->log, &w.body);

	*out = (struct pol_verdict){ .action = POL_ACCEPT };
	if (rc == RC_OK)
		rc = pol_body_header(
		    e->log, &w.body, a, &w.header, &w.header_cut);
	if (rc != RC_OK)
		return rc;
	if (find_forged(&w, out) != RC_OK)
		return RC_OK;
	if (check_headers(&w, out))
		return RC_OK;
	pol_ask_init(&w.ask, a, e->ask, e->ask_arg, dl);
	pol_authors(a, w.header, &w.authors);
	w.nkey = pol_dkim_keys(a, w.header, w.key);
	prefetch(&w);
	check_spf(&w);
	take_keys(&w);
	rc = check_dkim(&w);
	if (rc != RC_OK)
		return rc;
	check_dmarc(&w);
	decide(&w, out);
	write_edits(&w, out);
	apply_headers(&w, out);
	out->spf = str_c(pol_spf_name(w.spf.result));
	out->dkim = str_c(dkim_summary(&w.dkim));
	out->dmarc = str_c(summary_dmarc(&w));
	return RC_OK;
}
