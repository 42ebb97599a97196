/*
 * The file `selectors` and the names in it.  Strict: a line that is not
 * understood makes the whole file RC_BAD, because signing with the wrong set
 * of keys is worse than waiting for somebody to look.
 */
#include <string.h>

#include "policy/sgn_keys.h"

static const char *const states[] = {
	[SGN_ACTIVE] = "active",
	[SGN_NEW] = "new",
	[SGN_RETIRED] = "retired",
};

const char *
sgn_state_name(enum sgn_state state)
{
	return states[state];
}

const char *
sgn_alg_name(enum sgn_alg alg)
{
	return alg == SGN_RSA ? "rsa" : "ed25519";
}

/* RFC 6376 section 3.1: sub-domains of letters, digits and inner hyphens. */
static bool
label_ok(struct str s)
{
	if (s.n == 0 || s.n > 63 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!ascii_is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-')
			return false;
	}
	return true;
}

static bool
labels_ok(struct str s, size_t max)
{
	struct str one;

	if (s.n == 0 || s.n > max)
		return false;
	while (str_split(&s, '.', &one))
		if (!label_ok(one))
			return false;
	return true;
}

bool
sgn_domain_ok(struct str s)
{
	return labels_ok(s, SGN_DOMAIN_MAX);
}

bool
sgn_selector_ok(struct str s)
{
	return labels_ok(s, SGN_SELECTOR_MAX);
}

static enum rc
parse_line(struct str line, struct sgn_selector *out)
{
	struct str state;
	uint64_t since = 0;

	out->name = str_word(&line);
	state = str_word(&line);
	if (!sgn_selector_ok(out->name))
		return RC_BAD;
	if (line.n > 0 && str_u64(line, INT64_MAX, &since) != RC_OK)
		return RC_BAD;
	out->since = (int64_t)since;
	for (size_t i = 0; i < COUNT(states); i++) {
		if (!str_eq(state, str_c(states[i])))
			continue;
		out->state = (enum sgn_state)i;
		return RC_OK;
	}
	return RC_BAD;
}

static bool
is_named(const struct sgn_selector *v, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].name, name))
			return true;
	return false;
}

enum rc
sgn_state_parse(
    struct arena *a, struct str text, struct sgn_selector **out, size_t *out_n)
{
	struct sgn_selector *v = arena_calloc(a, SGN_SELECTORS_MAX, sizeof(*v));
	struct str line;
	size_t n = 0;

	if (text.n > SGN_STATE_MAX)
		return RC_BAD;
	while (str_split(&text, '\n', &line)) {
		line = str_trim(str_sub(line, 0, str_chr(line, '#')));
		if (line.n == 0)
			continue;
		if (n == SGN_SELECTORS_MAX || parse_line(line, &v[n]) ||
		    is_named(v, n, v[n].name))
			return RC_BAD;
		v[n].name = str_dup(a, v[n].name);
		n++;
	}
	*out = v;
	*out_n = n;
	return RC_OK;
}

enum rc
sgn_state_format(struct buf *out, const struct sgn_selector *v, size_t n)
{
	enum rc rc =
	    buf_add(out, STR("# SELECTOR active|new|retired SINCE; written by "
			     "gatepost dkim\n"));

	for (size_t i = 0; rc == RC_OK && i < n; i++)
		rc = buf_fmt(out, "%.*s %s %lld\n", STRF(v[i].name),
		    states[v[i].state], (long long)v[i].since);
	return rc;
}

static bool
is_base(const struct sgn_domain *d, struct str base)
{
	for (size_t i = 0; i < d->n; i++)
		if (str_has_prefix(d->v[i].sel.name, base))
			return true;
	return false;
}

struct str
sgn_next_base(struct arena *a, const struct sgn_domain *d, int64_t now)
{
	/* Average years: the name only has to be new and tell its age. */
	int year = (int)(1970 + now / 31556952);
	struct str base = STR("");

	for (int c = 'a'; c <= 'z'; c++) {
		base = str_fmt(a, "gp%d%c", year, c);
		if (!is_base(d, base))
			break;
	}
	return base;
}
