#include "directory/ldap_url.h"

/* "%2Frun%2Fldapi" (RFC 3986 section 2.1). */
static enum rc
decode(struct arena *a, struct str s, struct str *out)
{
	char *p = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		struct str byte;

		if (s.p[i] != '%') {
			p[n++] = s.p[i];
			continue;
		}
		if (s.n - i < 3 ||
		    str_unhex(a, str_sub(s, i + 1, 2), &byte) != RC_OK ||
		    byte.p[0] == '\0')
			return RC_BAD;
		p[n++] = byte.p[0];
		i += 2;
	}
	p[n] = '\0';
	*out = str_n(p, n);
	return n ? RC_OK : RC_BAD;
}

enum rc
dir_url_read(struct arena *a, struct str s, struct dir_url *out)
{
	struct dir_url u = { .port = 389 };
	size_t colon;
	uint64_t port;

	if (str_cut_iprefix(&s, STR("ldaps://"))) {
		u.scheme = DIR_URL_LDAPS;
		u.port = 636;
	} else if (str_cut_iprefix(&s, STR("ldapi://"))) {
		u.scheme = DIR_URL_LDAPI;
	} else if (!str_cut_iprefix(&s, STR("ldap://"))) {
		return RC_BAD;
	}
	s = str_sub(s, 0, str_chr(s, '/'));
	if (u.scheme == DIR_URL_LDAPI) {
		if (decode(a, s, &u.host) != RC_OK)
			return RC_BAD;
		*out = u;
		return RC_OK;
	}
	colon = str_rchr(s, ':');
	/* "[::1]" has colons inside its brackets. */
	if (colon < s.n &&
	    str_chr(str_from(s, colon), ']') == str_from(s, colon).n) {
		if (str_u64(str_from(s, colon + 1), 65535, &port) != RC_OK ||
		    port == 0)
			return RC_BAD;
		u.port = (unsigned)port;
		s = str_sub(s, 0, colon);
	}
	if (s.n == 0 || s.n > 255)
		return RC_BAD;
	u.host = str_dup(a, s);
	*out = u;
	return RC_OK;
}
