/*
 * What is published, against what should be.  A record that differs from ours
 * is wrong only if mail suffers by it: an SPF record that also names another
 * service, a DMARC record with another policy, are right.
 */
#include "cli/dns_records.h"

static void
set(struct dns_item *i, enum dns_state state, struct str why)
{
	i->state = state;
	i->why = why;
}

/* ---- MX, SRV, PTR: names ---- */

static bool
names_host(const struct dns_answer *x, struct str host)
{
	for (size_t i = 0; i < x->n; i++)
		if (str_ieq(x->v[i].name, host))
			return true;
	return false;
}

static void
judge_mx(struct arena *a, struct dns_item *i, const struct dns_answer *x)
{
	if (names_host(x, i->host)) {
		i->state = DNS_RIGHT;
		if (x->n > 1 && !str_ieq(x->v[0].name, i->host))
			i->why = str_fmt(a, "mail is tried at %.*s first",
			    STRF(x->v[0].name));
		return;
	}
	if (x->n == 1 && x->v[0].name.n == 0)
		set(i, DNS_WRONG,
		    STR("this says that the domain takes no mail at all "
			"(RFC 7505)"));
	else
		set(i, DNS_WRONG,
		    STR("mail for the domain goes there, not to this server; "
			"that is right only when it passes it on to us"));
}

static void
judge_srv(struct arena *a, struct dns_item *i, const struct dns_answer *x)
{
	if (i->host.n == 0 && !names_host(x, STR(""))) {
		set(i, DNS_WRONG,
		    STR("clients are sent there, but by the settings this "
			"service is not offered"));
		return;
	}
	for (size_t k = 0; k < x->n; k++) {
		if (!str_ieq(x->v[k].name, i->host))
			continue;
		if (i->host.n > 0 && x->v[k].port != i->port)
			set(i, DNS_WRONG,
			    str_fmt(a, "the port is %u; clients find nobody",
				i->port));
		else
			i->state = DNS_RIGHT;
		return;
	}
	set(i, DNS_WRONG,
	    STR("clients that set themselves up are sent elsewhere"));
}

static void
judge_ptr(struct dns_item *i, const struct dns_answer *x)
{
	if (names_host(x, i->host))
		i->state = DNS_RIGHT;
	else
		set(i, DNS_WRONG,
		    STR("the address has another name than the one we greet "
			"with; many servers refuse or mark such mail. Whoever "
			"gave you the address can change it"));
}

/* ---- SPF ---- */

size_t
dns_spf_find(const struct dns_answer *x, struct str *out)
{
	size_t n = 0;

	for (size_t i = 0; i < x->n; i++) {
		struct str t = x->v[i].text;

		if (str_cut_iprefix(&t, STR("v=spf1")) &&
		    (t.n == 0 || t.p[0] == ' ') && n++ == 0)
			*out = x->v[i].text;
	}
	return n;
}

/* A term without its qualifier. */
static struct str
unqualified(struct str term)
{
	if (term.n > 0 && (term.p[0] == '+' || term.p[0] == '-' ||
			      term.p[0] == '?' || term.p[0] == '~'))
		return str_from(term, 1);
	return term;
}

/* "a", "a:x", "a/24". */
static bool
is_mechanism(struct str term, struct str name)
{
	return str_cut_iprefix(&term, name) &&
	       (term.n == 0 || term.p[0] == ':' || term.p[0] == '/');
}

bool
dns_spf_lookup(struct str *rest, struct str *target)
{
	static const struct str costly[] = { STR_INIT("a"), STR_INIT("mx"),
		STR_INIT("ptr"), STR_INIT("exists") };

	while (rest->n > 0) {
		struct str t = unqualified(str_word(rest));

		*target = t;
		if (str_cut_iprefix(target, STR("include:")) ||
		    str_cut_iprefix(target, STR("redirect=")))
			return true;
		*target = STR_NULL;
		for (size_t i = 0; i < COUNT(costly); i++)
			if (is_mechanism(t, costly[i]))
				return true;
	}
	return false;
}

struct spf_look {
	bool names_us; /* perhaps: by an address or through others */
	bool ends;     /* with all, or with another record */
	bool open;     /* everybody may */
};

static void
look_at_term(struct str term, struct spf_look *l)
{
	static const struct str ours[] = { STR_INIT("a"), STR_INIT("mx"),
		STR_INIT("exists"), STR_INIT("ptr"), STR_INIT("include"),
		STR_INIT("ip4"), STR_INIT("ip6") };
	struct str t = unqualified(term);
	bool plus = term.p == t.p || term.p[0] == '+';

	if (str_ieq(t, STR("all"))) {
		l->ends = true;
		l->open = plus;
	}
	if (str_has_iprefix(t, STR("redirect=")))
		l->ends = l->names_us = true;
	for (size_t i = 0; i < COUNT(ours); i++)
		if (plus && is_mechanism(t, ours[i]))
			l->names_us = true;
}

static void
judge_spf(struct arena *a, struct dns_item *i, const struct dns_answer *x)
{
	struct spf_look l = { 0 };
	struct str spf = STR_NULL;
	size_t n = dns_spf_find(x, &spf);

	if (n == 0) {
		set(i, DNS_MISSING,
		    STR("others cannot tell our mail from forged mail"));
		i->found = STR_NULL;
		return;
	}
	if (n > 1) {
		set(i, DNS_WRONG,
		    str_fmt(a,
			"there are %zu SPF records; with more than one, SPF "
			"fails for all mail (RFC 7208 section 4.5)",
			n));
		return;
	}
	i->found = dns_quote(a, spf);
	for (str_word(&spf); spf.n > 0;) {
		struct str term = str_word(&spf);

		if (term.n > 0)
			look_at_term(term, &l);
	}
	if (l.open)
		set(i, DNS_WRONG,
		    STR("\"all\" without '-' or '~' lets everybody send as "
			"this domain"));
	else if (!l.names_us)
		set(i, DNS_WRONG,
		    STR("it names nobody who may send, so that our own mail "
			"fails"));
	else if (!l.ends)
		set(i, DNS_WRONG,
		    STR("without \"-all\" or \"~all\" at the end it forbids "
			"nobody anything"));
	else
		i->state = DNS_RIGHT;
}

/* ---- records of tags ---- */

/* The next "name = value" of a list that ';' separates; false at the end. */
static bool
next_tag(struct str *rest, struct str *name, struct str *value)
{
	struct str part;
	size_t eq;

	do {
		if (!str_split(rest, ';', &part))
			return false;
		part = str_trim(part);
	} while (part.n == 0);
	eq = str_chr(part, '=');
	*name = str_trim(str_sub(part, 0, eq));
	*value = str_trim(str_from(part, eq + 1));
	return true;
}

/* Those that begin with the version; the text of the first. */
static size_t
find_version(const struct dns_answer *x, struct str version, struct str *out)
{
	size_t n = 0;

	for (size_t i = 0; i < x->n; i++) {
		struct str t = x->v[i].text, name, value;

		if (next_tag(&t, &name, &value) && str_ieq(name, STR("v")) &&
		    str_ieq(value, version) && n++ == 0)
			*out = x->v[i].text;
	}
	return n;
}

static bool
is_word(struct str s, const struct str *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_ieq(s, words[i]))
			return true;
	return false;
}

static bool
is_uri_list(struct str list)
{
	struct str uri;

	while (str_split(&list, ',', &uri)) {
		uri = str_trim(uri);
		if (!str_cut_iprefix(&uri, STR("mailto:")) &&
		    !str_cut_iprefix(&uri, STR("https:")))
			return false;
		if (uri.n == 0)
			return false;
	}
	return true;
}

/* One tag of RFC 9989; empty: nothing is wrong with it. */
static struct str
check_dmarc_tag(struct arena *a, struct str name, struct str value)
{
	static const struct str policies[] = { STR_INIT("none"),
		STR_INIT("quarantine"), STR_INIT("reject") };
	static const struct str modes[] = { STR_INIT("r"), STR_INIT("s") };
	bool policy = str_ieq(name, STR("p")) || str_ieq(name, STR("sp")) ||
		      str_ieq(name, STR("np"));
	bool mode = str_ieq(name, STR("adkim")) || str_ieq(name, STR("aspf"));
	bool uris = str_ieq(name, STR("rua")) || str_ieq(name, STR("ruf"));

	if (policy && !is_word(value, policies, COUNT(policies)))
		return str_fmt(
		    a, "%.*s must be none, quarantine or reject", STRF(name));
	if (mode && !is_word(value, modes, COUNT(modes)))
		return str_fmt(a, "%.*s must be r or s", STRF(name));
	if (uris && !is_uri_list(value))
		return str_fmt(a,
		    "%.*s must be a list of URIs like mailto:dmarc@example.org",
		    STRF(name));
	return STR_NULL;
}

static void
judge_dmarc(struct arena *a, struct dns_item *i, const struct dns_answer *x)
{
	struct str rest = STR_NULL, name, value, policy = STR_NULL;
	size_t n = find_version(x, STR("DMARC1"), &rest);

	if (n == 0) {
		set(i, x->n > 0 ? DNS_WRONG : DNS_MISSING,
		    STR("others do not know what to do with forged mail; it "
			"must begin with v=DMARC1"));
		return;
	}
	if (n > 1) {
		set(i, DNS_WRONG,
		    STR("with more than one record none of them counts"));
		return;
	}
	i->state = DNS_RIGHT;
	while (i->state == DNS_RIGHT && next_tag(&rest, &name, &value)) {
		struct str why = check_dmarc_tag(a, name, value);

		if (str_ieq(name, STR("p")))
			policy = value;
		if (why.n > 0)
			set(i, DNS_WRONG, why);
	}
	if (i->state != DNS_RIGHT)
		return;
	if (policy.n == 0)
		set(i, DNS_WRONG,
		    STR("it has no p=, so that it asks for nothing"));
	else if (str_ieq(policy, STR("none")))
		i->why = STR("p=none only asks for reports; forged mail "
			     "goes through");
}

static void
judge_tlsrpt(struct dns_item *i, const struct dns_answer *x)
{
	struct str rest = STR_NULL, name, value;
	size_t n = find_version(x, STR("TLSRPTv1"), &rest);
	bool rua = false;

	if (n == 1)
		while (next_tag(&rest, &name, &value))
			rua |= str_ieq(name, STR("rua")) && is_uri_list(value);
	if (rua)
		i->state = DNS_RIGHT;
	else if (n == 0)
		set(i, x->n > 0 ? DNS_WRONG : DNS_MISSING,
		    STR("nobody tells us when TLS to this server fails "
			"(RFC 8460)"));
	else
		set(i, DNS_WRONG,
		    STR("it must be one record with rua=mailto:... or "
			"rua=https:... (RFC 8460 section 3)"));
}

/* The value of p= without the white space in it. */
static struct str
public_key(struct arena *a, struct str text)
{
	struct str name, value, key = STR_NULL, word;

	while (next_tag(&text, &name, &value))
		if (str_ieq(name, STR("p")))
			while (value.n > 0) {
				word = str_word(&value);
				key = str_cat(a, key, word);
			}
	return key;
}

static void
judge_dkim(struct arena *a, struct dns_item *i, const struct dns_answer *x)
{
	struct str want = public_key(a, i->text);

	for (size_t k = 0; k < x->n; k++)
		if (str_eq(public_key(a, x->v[k].text), want)) {
			i->state = DNS_RIGHT;
			if (x->n > 1)
				set(i, DNS_WRONG,
				    STR("with more than one record the result "
					"is undefined (RFC 6376 section "
					"3.6.2.2)"));
			return;
		}
	set(i, DNS_WRONG,
	    STR("it is not the key that signs; the signatures fail"));
}

/* ---- all ---- */

static void
judge_missing(struct dns_item *i)
{
	static const struct str why[] = {
		[DNS_IS_MX] = STR_INIT("mail goes to the address of the domain "
				       "itself, or nowhere"),
		[DNS_IS_HOST] = STR_INIT("nobody finds the server"),
		[DNS_IS_PTR] = STR_INIT(
		    "the address has no name; many servers refuse mail from "
		    "it. Whoever gave you the address can set one"),
		[DNS_IS_SPF] =
		    STR_INIT("others cannot tell our mail from forged mail"),
		[DNS_IS_DKIM] = STR_INIT("the signatures of this key fail"),
		[DNS_IS_DMARC] =
		    STR_INIT("others do not know what to do with forged mail"),
		[DNS_IS_TLSRPT] = STR_INIT("nobody tells us when TLS to this "
					   "server fails (RFC 8460)"),
		[DNS_IS_SRV] = STR_INIT(
		    "clients have to be set up by hand (RFC 6186, 8314)"),
	};

	/* Not offered and not there. */
	if (i->kind == DNS_IS_SRV && i->host.n == 0)
		set(i, DNS_RIGHT, STR_NULL);
	else
		set(i, DNS_MISSING, why[i->kind]);
}

void
dns_item_judge(struct arena *a, struct dns_item *i, const struct dns_answer *x)
{
	i->found = dns_answer_text(a, i->type, x);
	i->why = STR_NULL;
	if (x->rc == RC_NOENT) {
		judge_missing(i);
		return;
	}
	if (x->rc != RC_OK) {
		set(i, DNS_UNASKED,
		    x->bogus ? STR("DNSSEC says that the answer is forged")
			     : STR("the DNS gave no answer"));
		return;
	}
	switch (i->kind) {
	case DNS_IS_MX:
		judge_mx(a, i, x);
		break;
	case DNS_IS_HOST:
		i->state = DNS_RIGHT;
		break;
	case DNS_IS_PTR:
		judge_ptr(i, x);
		break;
	case DNS_IS_SPF:
		judge_spf(a, i, x);
		break;
	case DNS_IS_DKIM:
		judge_dkim(a, i, x);
		break;
	case DNS_IS_DMARC:
		judge_dmarc(a, i, x);
		break;
	case DNS_IS_TLSRPT:
		judge_tlsrpt(i, x);
		break;
	case DNS_IS_SRV:
		judge_srv(a, i, x);
		break;
	}
}
