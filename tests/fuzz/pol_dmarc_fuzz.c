/*
 * A DMARC record as anybody may publish it: parsed without harm, never stricter
 * than the strictest word in it, and the same again with blanks around.
 */
#include "policy/pol_dmarc.h"
#include "policy/pol_tags.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size), rest = in, name, value;
	struct str names[POL_DMARC_WALK_MAX];
	struct pol_dmarc_record r = { 0 }, again = { 0 };
	AUTO_ARENA a = { 0 };
	size_t n = pol_dmarc_names(in, names);

	PROMISE(n <= POL_DMARC_WALK_MAX);
	while (pol_tag_next(&rest, &name, &value))
		PROMISE(name.n > 0 && name.p >= in.p &&
			value.p + value.n <= in.p + in.n);
	if (pol_dmarc_parse(in, &r) != RC_OK)
		return 0;
	PROMISE(r.p >= POL_DMARC_P_NONE && r.p <= POL_DMARC_P_REJECT);
	PROMISE(r.sp <= POL_DMARC_P_REJECT && r.np <= POL_DMARC_P_REJECT);
	if (r.p == POL_DMARC_P_REJECT)
		PROMISE(str_ifind(in, STR("reject")) < in.n);
	PROMISE(pol_dmarc_parse(str_fmt(&a, " \t%.*s ;", STRF(in)), &again) ==
		RC_OK);
	if (str_chr(in, '\0') == in.n) {
		PROMISE(again.p == r.p && again.sp == r.sp);
		PROMISE(again.usable == r.usable && again.psd == r.psd);
	}
	return 0;
}
