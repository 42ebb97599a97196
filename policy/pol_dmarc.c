/*
 * RFC 9989 section 4.10.  A walk's questions do not depend on each other's
 * answers, so they are asked all at once, and the rule "stop at psd=" is
 * applied to the answers.
 *
 * Relaxed alignment of an identifier X with the author domain F: same
 * organizational domain.  That of X is X itself or above it; so if X is not at
 * or below that of F, nothing needs to be asked, and if it is, only a record
 * between the two could say otherwise.
 *
 * A temporary error counts only where its answer could have made the message
 * pass or could have been the policy.
 */
#include "policy/pol_dmarc.h"

/* What a walk found at one name. */
struct step {
	struct str name;
	enum rc rc; /* RC_OK a record; RC_NOENT; RC_TEMP */
	struct pol_dmarc_record record;
};

struct walk {
	struct step v[POL_DMARC_WALK_MAX];
	size_t n; /* up to and with the one that ends it */
};

static size_t
labels(struct str domain)
{
	size_t n = domain.n > 0;

	for (size_t i = 0; i < domain.n; i++)
		n += domain.p[i] == '.';
	return n;
}

static struct str
parent(struct str domain)
{
	return str_from(domain, str_chr(domain, '.') + 1);
}

size_t
pol_dmarc_names(struct str domain, struct str out[POL_DMARC_WALK_MAX])
{
	size_t n = 0;

	if (domain.n == 0)
		return 0;
	out[n++] = domain;
	domain = parent(domain);
	while (labels(domain) > POL_DMARC_WALK_MAX - 1)
		domain = parent(domain);
	for (; domain.n > 0; domain = parent(domain))
		out[n++] = domain;
	return n;
}

struct dns_question
pol_dmarc_question(struct arena *a, struct str name)
{
	return (
	    struct dns_question){ str_cat(a, STR("_dmarc."), name), DNS_TXT };
}

/* Several records are as good as none (section 4.10 step 2). */
static void
read_answer(const struct dns_answer *answer, struct step *s)
{
	struct pol_dmarc_record r;
	size_t found = 0;

	s->rc = answer->rc == RC_TEMP ? RC_TEMP : RC_NOENT;
	if (answer->rc != RC_OK)
		return;
	for (size_t i = 0; i < answer->n; i++)
		if (pol_dmarc_parse(answer->v[i].text, &r) == RC_OK) {
			s->record = r;
			found++;
		}
	if (found == 1)
		s->rc = RC_OK;
}

static void
take_walk(struct pol_ask *k, struct str domain, struct walk *w)
{
	struct dns_question q[POL_DMARC_WALK_MAX];
	struct dns_answer answer[POL_DMARC_WALK_MAX];
	struct str names[POL_DMARC_WALK_MAX];
	size_t n = pol_dmarc_names(domain, names);

	*w = (struct walk){ 0 };
	for (size_t i = 0; i < n; i++)
		q[i] = pol_dmarc_question(k->a, names[i]);
	pol_ask_all(k, q, n, answer);
	while (w->n < n) {
		struct step *s = &w->v[w->n++];

		s->name = names[s - w->v];
		read_answer(&answer[s - w->v], s);
		if (s->rc == RC_OK && s->record.psd != POL_DMARC_PSD_U)
			break;
	}
}

/*
 * The organizational domain (section 4.10.2); RC_TEMP: an answer that could
 * have decided it is missing.
 */
static enum rc
organization(const struct walk *w, struct str *out)
{
	const struct step *last = NULL;

	*out = w->v[0].name;
	for (size_t i = 0; i < w->n; i++) {
		const struct step *s = &w->v[i];

		if (s->rc == RC_TEMP)
			return RC_TEMP;
		if (s->rc != RC_OK)
			continue;
		last = s;
		if (s->record.psd == POL_DMARC_PSD_Y && i > 0) {
			/* One label below: the walk may have jumped. */
			struct str below = w->v[0].name;

			while (labels(below) > labels(s->name) + 1)
				below = parent(below);
			*out = below;
			return RC_OK;
		}
	}
	if (last != NULL)
		*out = last->name;
	return RC_OK;
}

static bool
at_or_below(struct str domain, struct str top)
{
	if (str_eq(domain, top))
		return true;
	return domain.n > top.n && str_has_isuffix(domain, top) &&
	       domain.p[domain.n - top.n - 1] == '.';
}

struct align {
	struct pol_ask *k;
	const struct walk *author;
	struct str from;
	struct str org; /* "": not looked for yet */
	enum rc org_rc;
};

/* RC_OK aligned, RC_NOENT not, RC_TEMP not known. */
static enum rc
aligned(struct align *al, struct str x, bool strict)
{
	struct walk w;
	struct str org;

	if (x.n == 0)
		return RC_NOENT;
	if (str_ieq(x, al->from))
		return RC_OK;
	if (strict)
		return RC_NOENT;
	if (al->org.n == 0)
		al->org_rc = organization(al->author, &al->org);
	if (al->org_rc != RC_OK)
		return RC_TEMP;
	x = str_lower(al->k->a, x);
	if (!at_or_below(x, al->org))
		return RC_NOENT;
	take_walk(al->k, x, &w);
	if (organization(&w, &org) != RC_OK)
		return RC_TEMP;
	return str_eq(org, al->org) ? RC_OK : RC_NOENT;
}

/* Section 3.2.14: RC_NOENT no such name, or neither A, AAAA nor MX. */
static enum rc
exists(struct pol_ask *k, struct str domain)
{
	const struct dns_question q[] = { { domain, DNS_A },
		{ domain, DNS_AAAA }, { domain, DNS_MX } };
	struct dns_answer answer[COUNT(q)];
	enum rc rc = RC_NOENT;

	pol_ask_all(k, q, COUNT(q), answer);
	for (size_t i = 0; i < COUNT(q); i++) {
		if (answer[i].rc == RC_OK)
			return RC_OK;
		if (answer[i].rc == RC_TEMP)
			rc = RC_TEMP;
	}
	return rc;
}

/* The record that applies (section 4.10.1); its place in the walk. */
static enum rc
find_record(const struct walk *w, const struct step **out)
{
	const struct step *found = NULL, *psd = NULL;
	struct str org;

	if (w->v[0].rc != RC_NOENT) {
		*out = &w->v[0];
		return w->v[0].rc;
	}
	if (organization(w, &org) != RC_OK)
		return RC_TEMP;
	for (size_t i = 1; i < w->n; i++) {
		if (w->v[i].rc != RC_OK)
			continue;
		if (str_eq(w->v[i].name, org))
			found = &w->v[i];
		else if (w->v[i].record.psd == POL_DMARC_PSD_Y)
			psd = &w->v[i];
	}
	*out = found != NULL ? found : psd;
	return *out != NULL ? RC_OK : RC_NOENT;
}

/* Of a domain below the record's.  Not knowing chooses the milder. */
static enum pol_dmarc_policy
below_policy(struct pol_ask *k, struct str domain,
    const struct pol_dmarc_record *r, const char **out_tag)
{
	enum pol_dmarc_policy p = r->p;
	enum rc rc = RC_OK;

	if (r->sp != POL_DMARC_P_ABSENT) {
		p = r->sp;
		*out_tag = "sp";
	}
	if (r->np != POL_DMARC_P_ABSENT && r->np != p)
		rc = exists(k, domain);
	if (rc == RC_OK || (rc == RC_TEMP && p < r->np))
		return p;
	*out_tag = "np";
	return r->np;
}

static void
choose_policy(struct pol_ask *k, const struct pol_dmarc_in *in,
    const struct step *s, struct pol_dmarc_out *out)
{
	const struct pol_dmarc_record *r = &s->record;
	enum pol_dmarc_policy p = r->p;

	out->tag = "p";
	if (!str_eq(s->name, in->from))
		p = below_policy(k, in->from, r, &out->tag);
	out->published = p;
	/* t=y: one step lower. */
	if (r->test && p > POL_DMARC_P_NONE)
		p--;
	out->policy = p;
	out->record_at = s->name;
}

/* Is one of them aligned?  RC_TEMP only if none is and one could be. */
static enum rc
any_aligned(struct align *al, const struct str *v, size_t n, bool strict)
{
	enum rc rc = RC_NOENT;

	for (size_t i = 0; i < n; i++) {
		enum rc one = aligned(al, v[i], strict);

		if (one == RC_OK)
			return RC_OK;
		if (one == RC_TEMP)
			rc = RC_TEMP;
	}
	return rc;
}

static void
judge(struct align *al, const struct pol_dmarc_in *in,
    const struct pol_dmarc_record *r, struct pol_dmarc_out *out)
{
	enum rc dkim = any_aligned(al, in->dkim, in->ndkim, r->strict_dkim);
	enum rc spf = any_aligned(al, &in->spf, 1, r->strict_spf);

	out->aligned_dkim = dkim == RC_OK;
	out->aligned_spf = spf == RC_OK;
	if (dkim == RC_OK || spf == RC_OK) {
		out->result = POL_DMARC_PASS;
		return;
	}
	if (dkim == RC_TEMP || spf == RC_TEMP) {
		out->result = POL_DMARC_TEMPERROR;
		out->undecided = true;
		out->why = "the DNS did not say who belongs together";
		return;
	}
	if (any_aligned(al, in->dkim_unsure, in->ndkim_unsure,
		r->strict_dkim) != RC_NOENT ||
	    any_aligned(al, &in->spf_unsure, 1, r->strict_spf) != RC_NOENT) {
		out->result = POL_DMARC_TEMPERROR;
		out->undecided = true;
		out->why = "SPF or a DKIM key could not be looked up";
		return;
	}
	out->result = POL_DMARC_FAIL;
	out->why = "neither SPF nor DKIM passed for this domain";
}

void
pol_dmarc_check(
    struct pol_ask *k, const struct pol_dmarc_in *in, struct pol_dmarc_out *out)
{
	const struct step *s;
	struct walk w;
	struct align al = { .k = k, .author = &w, .from = in->from };

	*out = (struct pol_dmarc_out){ .result = POL_DMARC_NONE, .tag = "" };
	if (in->from.n == 0)
		return;
	take_walk(k, in->from, &w);
	switch (find_record(&w, &s)) {
	case RC_OK:
		break;
	case RC_TEMP:
		out->result = POL_DMARC_TEMPERROR;
		out->why = "the record could not be looked up";
		return;
	default:
		out->why = "no record";
		return;
	}
	if (!s->record.usable) {
		out->result = POL_DMARC_PERMERROR;
		out->record_at = s->name;
		out->why = "the record has no valid policy";
		return;
	}
	judge(&al, in, &s->record, out);
	choose_policy(k, in, s, out);
	out->org = al.org;
}

const char *
pol_dmarc_name(enum pol_dmarc_result r)
{
	static const char *const names[] = { [POL_DMARC_NONE] = "none",
		[POL_DMARC_PASS] = "pass",
		[POL_DMARC_FAIL] = "fail",
		[POL_DMARC_TEMPERROR] = "temperror",
		[POL_DMARC_PERMERROR] = "permerror" };

	return names[r];
}

const char *
pol_dmarc_policy_name(enum pol_dmarc_policy p)
{
	static const char *const names[] = { [POL_DMARC_P_ABSENT] = "",
		[POL_DMARC_P_NONE] = "none",
		[POL_DMARC_P_QUARANTINE] = "quarantine",
		[POL_DMARC_P_REJECT] = "reject" };

	return names[p];
}
