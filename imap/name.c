/*
 * What a name may not be: empty levels (two names that look alike), control
 * characters (log lines, terminals), longer than the store takes.  Whether it
 * exists is the store's answer.
 */
#include "imap/name.h"

#include <string.h>

#include "imap/mutf7.h"
#include "store/store_client.h"

struct str
imap_name_fold_inbox(struct arena *a, struct str name)
{
	struct str rest = name;

	if (!str_cut_iprefix(&rest, STR("INBOX")))
		return name;
	if (rest.n == 0)
		return STR("INBOX");
	if (rest.p[0] != IMAP_SEPARATOR)
		return name;
	return str_cat(a, STR("INBOX"), rest);
}

static bool
is_sound(struct str name)
{
	size_t levels = 1;

	if (name.n == 0 || name.n > STORE_NAME_MAX)
		return false;
	if (name.p[0] == IMAP_SEPARATOR || name.p[name.n - 1] == IMAP_SEPARATOR)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (c < 0x20 || c == 0x7f)
			return false;
		/* U+0080 to U+009F: controls as well */
		if (c == 0xc2 && (unsigned char)name.p[i + 1] < 0xa0)
			return false;
		if (c != IMAP_SEPARATOR)
			continue;
		levels++;
		if (name.p[i + 1] == IMAP_SEPARATOR)
			return false;
	}
	return levels <= IMAP_LEVELS_MAX;
}

enum rc
imap_name_parse(struct arena *a, struct str wire, struct str *out)
{
	struct str name;

	/* a byte of a name is at most five on the wire (mutf7.c) */
	if (wire.n > STORE_NAME_MAX * 5 + 2 ||
	    imap_mutf7_decode(a, wire, &name) != RC_OK || !is_sound(name))
		return RC_BAD;
	*out = imap_name_fold_inbox(a, name);
	return RC_OK;
}

enum rc
imap_name_parse_new(struct arena *a, struct str wire, struct str *out)
{
	if (wire.n > 1 && wire.p[wire.n - 1] == IMAP_SEPARATOR)
		wire.n--;
	if (str_chr(wire, '*') < wire.n || str_chr(wire, '%') < wire.n)
		return RC_BAD;
	return imap_name_parse(a, wire, out);
}

struct str
imap_name_wire(struct arena *a, struct str name)
{
	struct str wire;

	return imap_mutf7_encode(a, name, &wire) == RC_OK ? wire : name;
}

bool
imap_name_is_child(struct str name, struct str parent)
{
	return name.n > parent.n && str_has_prefix(name, parent) &&
	       name.p[parent.n] == IMAP_SEPARATOR;
}

/*
 * Greedy with one remembered star of each kind: after a mismatch the last
 * '%' takes one byte more; when that would be a separator, the last '*'
 * does.  At most pattern times name steps.
 */
bool
imap_name_match(struct str pat, struct str name)
{
	size_t p = 0, n = 0;
	size_t star_p = SIZE_MAX, star_n = 0, pct_p = SIZE_MAX, pct_n = 0;

	for (;;) {
		if (p < pat.n && pat.p[p] == '*') {
			star_p = ++p;
			star_n = n;
			pct_p = SIZE_MAX;
			continue;
		}
		if (p < pat.n && pat.p[p] == '%') {
			pct_p = ++p;
			pct_n = n;
			continue;
		}
		if (n == name.n && p == pat.n)
			return true;
		if (n < name.n && p < pat.n && pat.p[p] == name.p[n]) {
			p++;
			n++;
			continue;
		}
		if (pct_p != SIZE_MAX && pct_n < name.n &&
		    name.p[pct_n] != IMAP_SEPARATOR) {
			n = ++pct_n;
			p = pct_p;
		} else if (star_p != SIZE_MAX && star_n < name.n) {
			n = ++star_n;
			p = star_p;
			pct_p = SIZE_MAX;
		} else {
			return false;
		}
	}
}
