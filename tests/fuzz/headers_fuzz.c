/* Rules up to the first NUL, then a header: hits are whole fields of it. */
#include "policy/pol_headers.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size), text, header, why = STR_NULL;
	AUTO_ARENA a = { 0 };
	struct pol_headers *h = NULL;
	struct pol_headers_result r;

	if (size > 8192)
		return 0;
	text = str_sub(in, 0, str_chr(in, '\0'));
	header = str_from(in, text.n + 1);
	if (pol_headers_parse(&a, text, &h, &why) != RC_OK) {
		PROMISE(str_has_prefix(why, STR("line ")));
		return 0;
	}
	pol_headers_run(h, &a, header, &r);
	PROMISE(r.n <= POL_HEADERS_HITS_MAX);
	for (size_t i = 0; i < r.n; i++) {
		PROMISE(r.hit[i].off <= header.n);
		PROMISE(r.hit[i].len <= header.n - r.hit[i].off);
		PROMISE(r.hit[i].len > 0);
	}
	pol_headers_free(&h);
	return 0;
}
