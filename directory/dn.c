/*
 * libldap parses the DN (it knows RFC 4514 and the older quoting); the normal
 * form is written here, because ldap_dn2str keeps letters as they are.
 */
#include <stdlib.h>
#include <ldap.h>

#include "directory/dn.h"

#define RDN_PARTS_MAX 16

static bool
harmless(char c)
{
	return ascii_is_alnum(c) || c == '@' || c == '.' || c == '-' ||
	       c == '_' || c == ':' || c == '/';
}

static void
put_escaped(struct buf *b, struct str v)
{
	static const char hex[] = "0123456789abcdef";
	bool space = true; /* leading ones go */
	size_t end;

	for (size_t i = 0; i < v.n; i++) {
		char c = ascii_lower(v.p[i]);
		char esc[3] = { '\\', hex[(unsigned char)c >> 4], hex[c & 15] };
		enum rc rc;

		if (c == ' ') {
			if (space)
				continue;
			space = true;
			rc = buf_add_char(b, ' ');
		} else {
			space = false;
			rc = harmless(c) ? buf_add_char(b, c)
					 : buf_add(b, str_n(esc, 3));
		}
		if (rc != RC_OK)
			panic("a DN grew past its bound");
	}
	for (end = b->n; end && b->p[end - 1] == ' '; end--)
		;
	b->n = end;
}

static int
by_text(const void *x, const void *y)
{
	const struct str *a = x, *b = y;

	return str_cmp(*a, *b);
}

static enum rc
put_rdn(struct arena *a, struct buf *out, LDAPRDN rdn)
{
	struct str part[RDN_PARTS_MAX];
	size_t n = 0;

	for (; rdn[n] != NULL; n++) {
		AUTO_BUF b = { 0 };

		if (n == RDN_PARTS_MAX)
			return RC_BAD;
		buf_init(&b, 4 * DIR_DN_MAX);
		put_escaped(
		    &b, str_n(rdn[n]->la_attr.bv_val, rdn[n]->la_attr.bv_len));
		if (buf_add_char(&b, '=') != RC_OK)
			return RC_BAD;
		put_escaped(&b,
		    str_n(rdn[n]->la_value.bv_val, rdn[n]->la_value.bv_len));
		part[n] = str_dup(a, buf_str(&b));
	}
	qsort(part, n, sizeof(part[0]), by_text);
	for (size_t i = 0; i < n; i++)
		if ((i && buf_add_char(out, '+') != RC_OK) ||
		    buf_add(out, part[i]) != RC_OK)
			return RC_BAD;
	return RC_OK;
}

enum rc
dir_dn_norm(struct arena *a, struct str dn, struct str *out)
{
	AUTO_BUF b = { 0 };
	enum rc rc = RC_OK;
	LDAPDN parsed = NULL;
	const char *text;

	if (dn.n > DIR_DN_MAX || str_cstr(a, dn, &text) != RC_OK)
		return RC_BAD;
	if (ldap_str2dn(text, &parsed, LDAP_DN_FORMAT_LDAP) != LDAP_SUCCESS)
		return RC_BAD;
	buf_init(&b, 4 * DIR_DN_MAX);
	for (size_t i = 0; parsed && parsed[i] && rc == RC_OK; i++) {
		if (i)
			rc = buf_add_char(&b, ',');
		if (rc == RC_OK)
			rc = put_rdn(a, &b, parsed[i]);
	}
	ldap_dnfree(parsed);
	if (rc == RC_OK)
		*out = str_dup(a, buf_str(&b));
	return rc;
}

bool
dir_dn_below(struct str dn, struct str base)
{
	if (base.n == 0 || str_eq(dn, base))
		return true;
	return dn.n > base.n + 1 && dn.p[dn.n - base.n - 1] == ',' &&
	       str_eq(str_from(dn, dn.n - base.n), base);
}

struct str
dir_filter_escape(struct arena *a, struct str value)
{
	static const char hex[] = "0123456789abcdef";
	char *p = arena_alloc(a, value.n * 3 + 1), *q = p;

	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (harmless(c)) {
			*q++ = c;
			continue;
		}
		*q++ = '\\';
		*q++ = hex[(unsigned char)c >> 4];
		*q++ = hex[c & 15];
	}
	*q = '\0';
	return str_n(p, (size_t)(q - p));
}
