/* Whatever the file says, an expansion ends and gives addresses or names. */
#include "mail/aliases.h"
#include "tests/fuzz/fuzz.h"

static bool
local(void *ctx, struct str domain)
{
	(void)ctx;
	return str_ieq(domain, STR("localhost"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size), why = STR("");
	const struct mail_aliases *m = NULL;
	static const struct str names[] = { STR_INIT("root"), STR_INIT("a"),
		STR_INIT("b") };
	AUTO_ARENA a = { 0 };

	if (mail_aliases_parse(&a, "f", in, NULL, NULL, &m, &why) != RC_OK) {
		PROMISE(m == NULL && why.n > 0);
		return 0;
	}
	for (size_t i = 0; i < COUNT(names); i++) {
		struct mail_alias_to *to;
		struct addr x;
		bool cut;
		size_t n;

		if (mail_aliases_expand(
			m, &a, names[i], local, NULL, &to, &n, &cut) != RC_OK)
			continue;
		PROMISE(n <= ALIASES_TO_MAX);
		for (size_t k = 0; k < n; k++)
			PROMISE(to[k].address.n == 0
				    ? to[k].name.n > 0
				    : mail_addr_parse(&a, to[k].address, &x) ==
					  RC_OK);
	}
	mail_aliases_unref(&m);
	return 0;
}
