/* RFC 9051 5.1, RFC 6154, RFC 3501 9 (flag-keyword is an atom). */
#include "store/name.h"

const struct name_folder name_folders[NAME_SPECIALS] = {
	{ STR_INIT(""), STR_INIT("") },
	{ STR_INIT("Drafts"), STR_INIT("\\Drafts") },
	{ STR_INIT("Sent"), STR_INIT("\\Sent") },
	{ STR_INIT("Junk"), STR_INIT("\\Junk") },
	{ STR_INIT("Trash"), STR_INIT("\\Trash") },
	{ STR_INIT("Archive"), STR_INIT("\\Archive") },
};

static bool
has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c == 0x7f)
			return true;
		/* C1, as UTF-8. */
		if (c == 0xc2 && i + 1 < s.n &&
		    (unsigned char)s.p[i + 1] < 0xa0)
			return true;
	}
	return false;
}

enum rc
name_normal(struct arena *a, struct str name, struct str *out)
{
	struct str rest = name, level;
	size_t depth = 0;

	if (name.n == 0 || name.n > STORE_NAME_MAX || !str_is_utf8(name) ||
	    has_control(name))
		return RC_BAD;
	while (str_split(&rest, '/', &level))
		if (level.n == 0 || ++depth > NAME_DEPTH_MAX)
			return RC_BAD;
	rest = name;
	(void)str_split(&rest, '/', &level);
	*out = name;
	if (str_ieq(level, STR("INBOX")))
		*out = str_cat(a, STR("INBOX"), str_from(name, 5));
	return RC_OK;
}

enum rc
name_keyword_check(struct str k)
{
	if (k.n == 0 || k.n > 255)
		return RC_BAD;
	for (size_t i = 0; i < k.n; i++) {
		unsigned char c = (unsigned char)k.p[i];

		if (c <= 0x20 || c >= 0x7f ||
		    str_chr(STR("(){%*\"\\]"), (char)c) < 8)
			return RC_BAD;
	}
	return RC_OK;
}

struct str
name_parent(struct str name)
{
	size_t at = str_rchr(name, '/');

	return at < name.n ? str_sub(name, 0, at) : STR("");
}
