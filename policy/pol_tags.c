/*
 * Names are letters, digits and '_', and begin with a letter; a value may hold
 * anything but a semicolon.
 */
#include "policy/pol_tags.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct str
trim(struct str s)
{
	while (s.n > 0 && is_space(s.p[0]))
		s = str_from(s, 1);
	while (s.n > 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

static bool
is_name(struct str s)
{
	if (s.n == 0 || !ascii_is_alpha(s.p[0]))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '_')
			return false;
	return true;
}

bool
pol_tag_next(struct str *in, struct str *name, struct str *value)
{
	struct str part;

	while (in->n > 0) {
		size_t end = str_chr(*in, ';'), eq;

		part = str_sub(*in, 0, end);
		*in = str_from(*in, end + 1);
		eq = str_chr(part, '=');
		if (eq == part.n)
			continue;
		*name = trim(str_sub(part, 0, eq));
		*value = trim(str_from(part, eq + 1));
		if (is_name(*name))
			return true;
	}
	return false;
}

bool
pol_tag_find(struct str list, struct str name, struct str *value)
{
	struct str n, v;

	while (pol_tag_next(&list, &n, &v))
		if (str_eq(n, name)) {
			*value = v;
			return true;
		}
	return false;
}
