/* A filter on one entry; and any value, escaped, means just itself. */
#include "directory/dn.h"
#include "directory/filter.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size), value, filter, text;
	struct dir_attr attr[2] = { { STR_INIT("mail"), NULL, 1 },
		{ STR_INIT("uid"), NULL, 1 } };
	struct dir_raw e = { STR_INIT("cn=x"), attr, 2 };
	AUTO_ARENA a = { 0 };
	struct dir_filter *f;

	value = str_sub(in, 0, str_chr(in, '\n'));
	filter = str_from(in, value.n + 1);
	attr[0].v = attr[1].v = &value;
	if (dir_filter_parse(&a, filter, &f) == RC_OK)
		(void)dir_filter_match(f, &e);
	if (value.n > 4096)
		return 0;
	text = str_fmt(&a, "(mail=%.*s)", STRF(dir_filter_escape(&a, value)));
	PROMISE(dir_filter_parse(&a, text, &f) == RC_OK);
	PROMISE(f->op == DIR_F_EQ && str_eq(f->value, value));
	PROMISE(dir_filter_match(f, &e));
	return 0;
}
