#include "mail/size_limit.h"

enum rc
mail_size_limit_add(struct mail_size_limits *l, struct arena *a,
    struct str group, uint64_t size)
{
	assert(size > 0);
	if (str_eq(group, STR("*"))) {
		if (l->rest > 0)
			return RC_BAD;
		l->rest = size;
		return RC_OK;
	}
	for (size_t i = 0; i < l->n; i++)
		if (str_ieq(l->group[i], group))
			return RC_BAD;
	if (l->n == MAIL_SIZE_GROUPS_MAX)
		return RC_BAD;
	l->group[l->n] = str_dup(a, group);
	l->size[l->n++] = size;
	return RC_OK;
}

/* Of those who are in none of the groups. */
static uint64_t
rest(const struct mail_size_limits *l, uint64_t most)
{
	return l->rest > 0 ? MIN(l->rest, most) : most;
}

uint64_t
mail_size_limit_least(const struct mail_size_limits *l, uint64_t most)
{
	uint64_t least = rest(l, most);

	for (size_t i = 0; i < l->n; i++)
		least = MIN(least, l->size[i]);
	return least;
}

uint64_t
mail_size_limit_most(const struct mail_size_limits *l, uint64_t most)
{
	uint64_t out = rest(l, most);

	for (size_t i = 0; i < l->n; i++)
		out = MAX(out, MIN(l->size[i], most));
	return out;
}

enum rc
mail_size_limit_of(const struct mail_size_limits *l, const enum rc *is,
    uint64_t most, uint64_t *out)
{
	uint64_t known = 0, perhaps = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (is[i] == RC_OK)
			known = MAX(known, l->size[i]);
		else if (is[i] == RC_TEMP)
			perhaps = MAX(perhaps, l->size[i]);
	}
	/* In no group that we know of: "*" counts only if there is no other. */
	if (perhaps > known || (known == 0 && perhaps > 0))
		return RC_TEMP;
	*out = known > 0 ? MIN(known, most) : rest(l, most);
	return RC_OK;
}
