/*
 * The grammar of RFC 7208 section 12.  A record is checked as a whole before
 * any of it is evaluated (section 4.6): an error behind the term that would
 * have matched is an error all the same.
 *
 * A domain-spec may hold '/' and ':', so the prefix lengths are cut from the
 * end: no domain-spec ends in "/" and digits.
 */
#include <arpa/inet.h>

#include "policy/pol_spf_impl.h"

#define CIDR4_MAX 32u
#define CIDR6_MAX 128u

enum arg {
	ARG_NONE,
	ARG_DOMAIN_MAY,
	ARG_DOMAIN_MUST,
	ARG_IP4,
	ARG_IP6,
};

static const struct mechanism {
	struct str name;
	enum pol_spf_kind kind;
	enum arg arg;
	bool cidr; /* dual-cidr-length */
} mechanisms[] = {
	{ STR_INIT("all"), POL_SPF_ALL, ARG_NONE, false },
	{ STR_INIT("include"), POL_SPF_INCLUDE, ARG_DOMAIN_MUST, false },
	{ STR_INIT("a"), POL_SPF_A, ARG_DOMAIN_MAY, true },
	{ STR_INIT("mx"), POL_SPF_MX, ARG_DOMAIN_MAY, true },
	{ STR_INIT("ptr"), POL_SPF_PTR, ARG_DOMAIN_MAY, false },
	{ STR_INIT("ip4"), POL_SPF_IP4, ARG_IP4, false },
	{ STR_INIT("ip6"), POL_SPF_IP6, ARG_IP6, false },
	{ STR_INIT("exists"), POL_SPF_EXISTS, ARG_DOMAIN_MUST, false },
};

static const struct {
	char c;
	enum pol_spf_result result;
} qualifiers[] = {
	{ '+', POL_SPF_PASS },
	{ '-', POL_SPF_FAIL },
	{ '?', POL_SPF_NEUTRAL },
	{ '~', POL_SPF_SOFTFAIL },
};

bool
pol_spf_is_record(struct str txt)
{
	return str_cut_iprefix(&txt, STR("v=spf1")) &&
	       (txt.n == 0 || txt.p[0] == ' ');
}

/* Digits without leading zero, at most max. */
static enum rc
parse_length(struct str s, unsigned max, unsigned *out)
{
	uint64_t n;

	if (s.n == 0 || s.n > 3 || (s.p[0] == '0' && s.n > 1) ||
	    str_u64(s, max, &n) != RC_OK)
		return RC_BAD;
	*out = (unsigned)n;
	return RC_OK;
}

/* Cut "/" and digits off the end, if they are there. */
static bool
cut_length(struct str *s, struct str *digits)
{
	size_t i = s->n;

	while (i > 0 && ascii_is_digit(s->p[i - 1]))
		i--;
	if (i == 0 || s->p[i - 1] != '/')
		return false;
	*digits = str_from(*s, i);
	s->n = i - 1;
	return true;
}

static enum rc
parse_dual(struct str *arg, struct pol_spf_term *t)
{
	struct str digits;

	if (!cut_length(arg, &digits))
		return RC_OK;
	if (arg->n > 0 && arg->p[arg->n - 1] == '/') {
		arg->n--;
		if (parse_length(digits, CIDR6_MAX, &t->cidr6) != RC_OK)
			return RC_BAD;
		if (!cut_length(arg, &digits))
			return RC_OK;
	}
	return parse_length(digits, CIDR4_MAX, &t->cidr4);
}

static enum rc
parse_network(
    struct str arg, int family, unsigned max, unsigned char *ip, unsigned *cidr)
{
	char text[INET6_ADDRSTRLEN];
	size_t slash = str_chr(arg, '/');

	if (slash < arg.n &&
	    parse_length(str_from(arg, slash + 1), max, cidr) != RC_OK)
		return RC_BAD;
	if (slash >= sizeof(text))
		return RC_BAD;
	for (size_t i = 0; i < slash; i++) {
		if (arg.p[i] == '\0')
			return RC_BAD;
		text[i] = arg.p[i];
	}
	text[slash] = '\0';
	return inet_pton(family, text, ip) == 1 ? RC_OK : RC_BAD;
}

/* Behind the name: "", ":domain/24//64", "/24". */
static const char *
parse_arg(const struct mechanism *m, struct str rest, struct pol_spf_term *t)
{
	bool colon;

	if (m->arg == ARG_NONE)
		return rest.n == 0 ? NULL : "takes no argument";
	if (m->cidr && parse_dual(&rest, t) != RC_OK)
		return "bad prefix length";
	colon = str_cut_prefix(&rest, STR(":"));
	if (!colon && rest.n > 0)
		return "bad argument";
	if (!colon && m->arg != ARG_DOMAIN_MAY)
		return "argument is missing";
	if (m->arg == ARG_IP4)
		return parse_network(
			   rest, AF_INET, CIDR4_MAX, t->ip, &t->cidr4) == RC_OK
			   ? NULL
			   : "not an IPv4 network";
	if (m->arg == ARG_IP6)
		return parse_network(
			   rest, AF_INET6, CIDR6_MAX, t->ip, &t->cidr6) == RC_OK
			   ? NULL
			   : "not an IPv6 network";
	if (colon && pol_spf_domain_check(rest) != RC_OK)
		return "not a domain";
	t->domain = rest;
	return NULL;
}

static const char *
parse_directive(struct str word, struct pol_spf_record *rec)
{
	struct pol_spf_term *t = &rec->v[rec->n];
	struct str name;
	size_t i = 0;

	*t = (struct pol_spf_term){
		.result = POL_SPF_PASS, .cidr4 = CIDR4_MAX, .cidr6 = CIDR6_MAX
	};
	for (size_t k = 0; k < COUNT(qualifiers); k++)
		if (word.p[0] == qualifiers[k].c) {
			t->result = qualifiers[k].result;
			word = str_from(word, 1);
			break;
		}
	while (i < word.n && word.p[i] != ':' && word.p[i] != '/')
		i++;
	name = str_sub(word, 0, i);
	t->text = word;
	for (size_t k = 0; k < COUNT(mechanisms); k++)
		if (str_ieq(name, mechanisms[k].name)) {
			t->kind = mechanisms[k].kind;
			rec->n++;
			return parse_arg(&mechanisms[k], str_from(word, i), t);
		}
	return "unknown mechanism";
}

/* name "=" ...; RC_NOENT: it is no modifier. */
static enum rc
parse_modifier(struct str word, struct pol_spf_record *rec, const char **why)
{
	struct str name, value, *known = NULL;
	size_t i = 0;

	while (
	    i < word.n && (ascii_is_alnum(word.p[i]) ||
			      (i > 0 && (word.p[i] == '-' || word.p[i] == '_' ||
					    word.p[i] == '.'))))
		i++;
	if (i == 0 || i == word.n || word.p[i] != '=' ||
	    !ascii_is_alpha(word.p[0]))
		return RC_NOENT;
	name = str_sub(word, 0, i);
	value = str_from(word, i + 1);
	if (str_ieq(name, STR("redirect")))
		known = &rec->redirect;
	else if (str_ieq(name, STR("exp")))
		known = &rec->exp;
	if (known == NULL) {
		*why = "bad macro";
		return pol_spf_macro_check(value, POL_SPF_TERM);
	}
	*why = "given twice";
	if (known->n > 0)
		return RC_BAD;
	*why = "not a domain";
	*known = value;
	return pol_spf_domain_check(value);
}

static enum rc
complain(struct arena *a, struct str word, const char *why, struct str *problem)
{
	*problem =
	    str_fmt(a, "%.*s: %s", STRF(pol_spf_plain(a, word, 80)), why);
	return RC_BAD;
}

enum rc
pol_spf_parse(struct arena *a, struct str txt, struct pol_spf_record *out,
    struct str *problem)
{
	struct str rest = str_from(txt, sizeof("v=spf1") - 1), word;
	size_t spaces = 1;

	*out = (struct pol_spf_record){ 0 };
	if (txt.n > POL_SPF_RECORD_MAX)
		return complain(a, STR("record"), "too long", problem);
	for (size_t i = 0; i < rest.n; i++)
		spaces += rest.p[i] == ' ';
	out->v = arena_calloc(a, spaces, sizeof(*out->v));
	while (str_split(&rest, ' ', &word)) {
		const char *why = NULL;

		if (word.n == 0)
			continue;
		switch (parse_modifier(word, out, &why)) {
		case RC_OK:
			break;
		case RC_NOENT:
			why = parse_directive(word, out);
			if (why == NULL)
				break;
			/* fall through */
		default:
			return complain(a, word, why, problem);
		}
	}
	return RC_OK;
}
