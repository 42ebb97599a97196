/*
 * Macros, RFC 7208 section 7.  Checking and expanding walk the same tokens, so
 * that what was accepted expands.
 *
 * A name that comes out too long loses labels on its left (section 7.3); one
 * that the DNS cannot hold (empty or long label) exists nowhere, which the RFC
 * leaves open.  A backslash is refused with them: the resolver's names are in
 * presentation form, where it starts an escape.
 */
#include <string.h>

#include "policy/pol_spf_impl.h"

#define LABEL_MAX 63u

static const char letters[] = "slodiphv", explain_letters[] = "crt";
static const char delimiters[] = ".-+,/_=";

struct token {
	struct str literal; /* unless a letter */
	char letter;        /* in lower case; 0: literal */
	bool upper, reverse;
	bool expand; /* a macro-expand, even if it stands for a literal */
	unsigned parts;
	struct str delims;
};

static bool
is_in(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* "%{" is cut already. */
static enum rc
macro_token(struct str *in, enum pol_spf_text kind, struct token *out)
{
	size_t i = 0;

	if (in->n == 0)
		return RC_BAD;
	out->letter = ascii_lower(in->p[i]);
	out->upper = out->letter != in->p[i];
	if (!is_in(out->letter, letters) &&
	    (kind != POL_SPF_EXPLAIN || !is_in(out->letter, explain_letters)))
		return RC_BAD;
	for (i = 1; i < in->n && ascii_is_digit(in->p[i]); i++)
		if (out->parts < POL_SPF_VALUE_MAX) /* more is all */
			out->parts =
			    out->parts * 10 + (unsigned)(in->p[i] - '0');
	if (i > 1 && out->parts == 0)
		return RC_BAD;
	if (i < in->n && ascii_lower(in->p[i]) == 'r') {
		out->reverse = true;
		i++;
	}
	out->delims = str_from(*in, i);
	while (i < in->n && is_in(in->p[i], delimiters))
		i++;
	out->delims.n -= in->n - i;
	if (i == in->n || in->p[i] != '}')
		return RC_BAD;
	*in = str_from(*in, i + 1);
	return RC_OK;
}

/* The next of *in, which is not empty. */
static enum rc
next_token(struct str *in, enum pol_spf_text kind, struct token *out)
{
	static const struct {
		struct str from, to;
	} escapes[] = {
		{ STR_INIT("%%"), STR_INIT("%") },
		{ STR_INIT("%_"), STR_INIT(" ") },
		{ STR_INIT("%-"), STR_INIT("%20") },
	};
	size_t i = 0;

	*out = (struct token){ 0 };
	while (i < in->n && in->p[i] != '%') {
		if (in->p[i] <= ' ' || in->p[i] > '~')
			if (in->p[i] != ' ' || kind != POL_SPF_EXPLAIN)
				return RC_BAD;
		i++;
	}
	if (i > 0) {
		out->literal = str_sub(*in, 0, i);
		*in = str_from(*in, i);
		return RC_OK;
	}
	out->expand = true;
	if (str_cut_prefix(in, STR("%{")))
		return macro_token(in, kind, out);
	for (size_t k = 0; k < COUNT(escapes); k++)
		if (str_cut_prefix(in, escapes[k].from)) {
			out->literal = escapes[k].to;
			return RC_OK;
		}
	return RC_BAD;
}

enum rc
pol_spf_macro_check(struct str text, enum pol_spf_text kind)
{
	struct token t;

	while (text.n > 0)
		if (next_token(&text, kind, &t) != RC_OK)
			return RC_BAD;
	return RC_OK;
}

bool
pol_spf_macro_has_p(struct str text)
{
	struct token t;

	while (text.n > 0 && next_token(&text, POL_SPF_EXPLAIN, &t) == RC_OK)
		if (t.letter == 'p')
			return true;
	return false;
}

/* Letters, digits and inner dashes, and not all digits. */
static bool
is_toplabel(struct str s)
{
	bool digits = true;

	if (s.n == 0 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
		digits = digits && ascii_is_digit(s.p[i]);
	}
	return !digits;
}

enum rc
pol_spf_domain_check(struct str spec)
{
	struct token t = { 0 };
	struct str tail;
	size_t dot;

	if (spec.n == 0)
		return RC_BAD;
	while (spec.n > 0)
		if (next_token(&spec, POL_SPF_TERM, &t) != RC_OK)
			return RC_BAD;
	if (t.expand)
		return RC_OK;
	tail = t.literal;
	if (tail.p[tail.n - 1] == '.')
		tail.n--;
	dot = str_rchr(tail, '.');
	if (dot == tail.n)
		return RC_BAD;
	return is_toplabel(str_from(tail, dot + 1)) ? RC_OK : RC_BAD;
}

static enum rc
add_escaped(struct buf *out, struct str s, bool escape)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		enum rc rc;

		if (!escape || ascii_is_alnum(c) || is_in(c, "-._~"))
			rc = buf_add_char(out, c);
		else
			rc = buf_fmt(out, "%%%02X", (unsigned char)c);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

/* Cut the value up, turn it round, keep the right-hand parts, join by dots. */
static enum rc
add_value(struct buf *out, struct str value, const struct token *t)
{
	struct str parts[POL_SPF_VALUE_MAX + 1];
	size_t n = 0, from = 0, keep;

	value = str_sub(value, 0, POL_SPF_VALUE_MAX);
	for (size_t i = 0; i <= value.n; i++) {
		bool cut = i == value.n;

		if (!cut && t->delims.n > 0)
			cut = str_chr(t->delims, value.p[i]) < t->delims.n;
		else if (!cut)
			cut = value.p[i] == '.';
		if (cut) {
			parts[n++] = str_sub(value, from, i - from);
			from = i + 1;
		}
	}
	keep = t->parts > 0 && t->parts < n ? t->parts : n;
	for (size_t i = n - keep; i < n; i++) {
		enum rc rc = RC_OK;

		if (i > n - keep)
			rc = buf_add_char(out, '.');
		if (rc == RC_OK)
			rc = add_escaped(
			    out, parts[t->reverse ? n - 1 - i : i], t->upper);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static enum rc
letter_value(char letter, const struct pol_spf_values *v, struct buf *now,
    struct str *out)
{
	enum rc rc = RC_OK;

	switch (letter) {
	case 's':
		*out = v->sender;
		break;
	case 'l':
		*out = v->local;
		break;
	case 'o':
		*out = v->origin;
		break;
	case 'd':
		*out = v->domain;
		break;
	case 'i':
		*out = v->dotted;
		break;
	case 'p':
		*out = v->validated;
		break;
	case 'h':
		*out = v->helo;
		break;
	case 'v':
		*out = v->version;
		break;
	case 'c':
		*out = v->readable;
		break;
	case 'r':
		*out = v->receiver;
		break;
	default:
		buf_clear(now);
		rc = buf_fmt(now, "%lld", (long long)v->now);
		*out = buf_str(now);
		break;
	}
	return rc;
}

enum rc
pol_spf_expand(struct str text, enum pol_spf_text kind,
    const struct pol_spf_values *v, struct buf *out)
{
	AUTO_BUF now;
	struct token t;
	struct str value;
	enum rc rc = RC_OK;

	buf_init(&now, 32);
	while (text.n > 0 && rc == RC_OK) {
		rc = next_token(&text, kind, &t);
		if (rc != RC_OK)
			break;
		if (t.letter == 0) {
			rc = buf_add(out, t.literal);
			continue;
		}
		if ((t.letter == 's' || t.letter == 'l') &&
		    !str_is_ascii(v->local))
			return RC_DENY;
		rc = letter_value(t.letter, v, &now, &value);
		if (rc == RC_OK)
			rc = add_value(out, value, &t);
	}
	return rc;
}

bool
pol_spf_name_ok(struct str name)
{
	struct str label;

	if (name.n == 0 || name.n > DNS_NAME_MAX)
		return false;
	while (str_split(&name, '.', &label)) {
		if (label.n == 0 || label.n > LABEL_MAX)
			return false;
		for (size_t i = 0; i < label.n; i++)
			if (label.p[i] < ' ' || label.p[i] > '~' ||
			    label.p[i] == '\\')
				return false;
	}
	return true;
}

enum rc
pol_spf_expand_domain(struct arena *a, struct str spec,
    const struct pol_spf_values *v, struct str *out)
{
	AUTO_BUF b;
	struct str name = spec;

	buf_init(&b, POL_SPF_EXPAND_MAX);
	if (str_chr(spec, '%') < spec.n) {
		enum rc rc = pol_spf_expand(spec, POL_SPF_TERM, v, &b);

		if (rc != RC_OK)
			return rc == RC_DENY ? RC_DENY : RC_NOENT;
		name = buf_str(&b);
	}
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	while (name.n > DNS_NAME_MAX) {
		size_t dot = str_chr(name, '.');

		if (dot == name.n)
			return RC_NOENT;
		name = str_from(name, dot + 1);
	}
	if (!pol_spf_name_ok(name))
		return RC_NOENT;
	*out = str_lower(a, name);
	return RC_OK;
}
