/*
 * Two readers for one grammar: the local part (dot-string or quoted-string) is
 * read here, the domain is checked as a slice.  The local part is stored
 * without its quotes so that "a"@b and a@b are one address everywhere; what
 * has to be quoted is decided again when it is written.
 */
#include <arpa/inet.h>
#include <string.h>

#include "mail/addr.h"

/* RFC 5321 atext. */
static bool
is_atext(char c)
{
	return ascii_is_alnum(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool
is_dot_string(struct str s)
{
	bool atom = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.') {
			if (!atom)
				return false;
			atom = false;
		} else if (is_atext(s.p[i])) {
			atom = true;
		} else {
			return false;
		}
	}
	return atom;
}

bool
mail_domain_ok(struct str s)
{
	size_t label = 0;
	char last = '.';

	if (s.n == 0 || s.n > MAIL_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '.') {
			if (last == '.' || last == '-')
				return false;
			label = 0;
		} else if (ascii_is_alnum(c) || c == '_' ||
			   (c == '-' && last != '.')) {
			if (++label > 63)
				return false;
		} else {
			return false;
		}
		last = c;
	}
	return last != '.' && last != '-';
}

bool
mail_literal_ok(struct str s)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char bin[16];
	int family = AF_INET;

	if (s.n < 3 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return false;
	s = str_sub(s, 1, s.n - 2);
	if (str_cut_iprefix(&s, STR("IPv6:")))
		family = AF_INET6;
	if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, 0, s.n) != NULL)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(family, text, bin) == 1;
}

/*
 * Cut a local part off *in and write its content to `out`, which has room for
 * MAIL_LOCAL_MAX bytes.
 */
static enum rc
cut_local(struct str *in, char *out, size_t *out_n)
{
	const char *p = in->p;
	size_t i = 0, n = 0;

	if (in->n == 0)
		return RC_BAD;
	if (p[0] != '"') {
		while (i < in->n && (is_atext(p[i]) || p[i] == '.'))
			i++;
		if (i > MAIL_LOCAL_MAX || !is_dot_string(str_sub(*in, 0, i)))
			return RC_BAD;
		memcpy(out, p, i);
		*out_n = i;
		*in = str_from(*in, i);
		return RC_OK;
	}
	for (i = 1; i < in->n && p[i] != '"'; i++) {
		if (p[i] == '\\' && ++i == in->n)
			return RC_BAD;
		if (p[i] < ' ' || p[i] > '~' || n == MAIL_LOCAL_MAX)
			return RC_BAD;
		out[n++] = p[i];
	}
	/* The limit counts the quotes and backslashes as well. */
	if (i >= in->n || i + 1 > MAIL_LOCAL_MAX || n == 0)
		return RC_BAD;
	*out_n = n;
	*in = str_from(*in, i + 1);
	return RC_OK;
}

/* `s` is all of the domain; gives it in lower case. */
static enum rc
read_domain(struct arena *a, struct str s, struct str *out)
{
	if (s.n > MAIL_DOMAIN_MAX || !(mail_domain_ok(s) || mail_literal_ok(s)))
		return RC_BAD;
	*out = str_lower(a, s);
	return RC_OK;
}

enum rc
mail_addr_parse(struct arena *a, struct str s, struct addr *out)
{
	char local[MAIL_LOCAL_MAX];
	struct str domain;
	size_t n;

	if (cut_local(&s, local, &n) != RC_OK ||
	    !str_cut_prefix(&s, STR("@")) ||
	    read_domain(a, s, &domain) != RC_OK)
		return RC_BAD;
	out->local = str_dup(a, str_n(local, n));
	out->domain = domain;
	return RC_OK;
}

/* "@a,@b:" in front of the mailbox (RFC 5321 appendix C): checked, dropped. */
static enum rc
cut_route(struct str *s)
{
	while (str_cut_prefix(s, STR("@"))) {
		size_t n = 0;

		while (n < s->n && s->p[n] != ',' && s->p[n] != ':')
			n++;
		if (n == s->n || !mail_domain_ok(str_sub(*s, 0, n)))
			return RC_BAD;
		if (s->p[n] == ':') {
			*s = str_from(*s, n + 1);
			return RC_OK;
		}
		*s = str_from(*s, n + 1);
		if (s->n == 0 || s->p[0] != '@')
			return RC_BAD;
	}
	return RC_OK;
}

/* The offset of the '>' that is not inside quotes, or s.n. */
static size_t
path_end(struct str s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == '>' && !quoted)
			return i;
	}
	return s.n;
}

enum rc
mail_path_parse(struct arena *a, struct str *in, struct mail_path *out)
{
	struct mail_path path = { { STR_NULL, STR_NULL }, false, false };
	struct str s = *in, rest;
	size_t end;

	if (!str_cut_prefix(&s, STR("<")))
		return RC_BAD;
	end = path_end(s);
	if (end == s.n || end + 2 > MAIL_PATH_MAX)
		return RC_BAD;
	rest = str_from(s, end + 1);
	s = str_sub(s, 0, end);

	if (s.n == 0) {
		path.addr = (struct addr){ STR(""), STR("") };
		path.null_path = true;
	} else if (str_ieq(s, STR("postmaster"))) {
		path.addr = (struct addr){ STR("postmaster"), STR("") };
		path.no_domain = true;
	} else if (cut_route(&s) != RC_OK ||
		   mail_addr_parse(a, s, &path.addr) != RC_OK) {
		return RC_BAD;
	}
	*out = path;
	*in = rest;
	return RC_OK;
}

struct str
mail_addr_text(struct arena *a, const struct addr *x)
{
	char *p = arena_alloc(a, 2 * x->local.n + x->domain.n + 3);
	bool plain = x->local.n == 0 || is_dot_string(x->local);
	size_t n = 0;

	if (!plain)
		p[n++] = '"';
	for (size_t i = 0; i < x->local.n; i++) {
		char c = x->local.p[i];

		if (!plain && (c == '"' || c == '\\'))
			p[n++] = '\\';
		p[n++] = c;
	}
	if (!plain)
		p[n++] = '"';
	if (x->domain.n > 0) {
		p[n++] = '@';
		memcpy(p + n, x->domain.p, x->domain.n);
		n += x->domain.n;
	}
	return str_n(p, n);
}

bool
mail_addr_eq(const struct addr *x, const struct addr *y)
{
	return str_ieq(x->local, y->local) && str_ieq(x->domain, y->domain);
}
