/* An LDIF text that parses becomes a table in which its entries are found. */
#include "directory/dn.h"
#include "directory/ldif.h"
#include "directory/ldif_table.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX 65536

static void
find_all(const struct ldif_table *t, struct arena *a, const struct dir_raw *e,
    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct dir_raw **found;
		struct dir_filter *f;
		struct str norm, text;

		PROMISE(dir_dn_norm(a, e[i].dn, &norm) == RC_OK);
		PROMISE(ldif_table_dn(t, norm) != NULL);
		if (e[i].nattr == 0)
			continue;
		text = str_fmt(a, "(%.*s=%.*s)", STRF(e[i].attr[0].name),
		    STRF(dir_filter_escape(a, e[i].attr[0].v[0])));
		/* LDIF takes attribute names that filters do not. */
		if (dir_filter_parse(a, text, &f) != RC_OK)
			continue;
		PROMISE(ldif_table_find(t, a, f, STR(""), n, &found) > 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size), why;
	struct ldif_table *t = NULL;
	AUTO_ARENA a = { 0 };
	struct dir_raw *e;
	size_t n;

	if (size > INPUT_MAX)
		return 0;
	if (dir_ldif_parse(&a, in, &e, &n, &why) != RC_OK) {
		PROMISE(why.n > 0);
		return 0;
	}
	if (ldif_table_new(&a, in, &t, &why) != RC_OK) {
		PROMISE(why.n > 0);
		return 0;
	}
	PROMISE(ldif_table_count(t) == n);
	find_all(t, &a, e, MIN(n, 50));
	ldif_table_unref(&t);
	return 0;
}
