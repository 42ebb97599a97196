/*
 * The header of a balancer: the answer does not depend on how it arrives, and
 * a longer input never takes back what a shorter one said.
 */
#include "lib/proxy2.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, MIN(size, (size_t)2 * PROXY2_MAX));
	enum rc last = RC_TEMP;
	struct proxy2 p;
	size_t n = 0, whole = 0;

	for (size_t i = 0; i <= in.n; i++) {
		enum rc rc = proxy2_parse(str_sub(in, 0, i), &p, &n);

		PROMISE(rc == RC_OK || rc == RC_TEMP || rc == RC_BAD);
		PROMISE(last == RC_TEMP || rc == last);
		if (rc == RC_OK) {
			PROMISE(n <= i && n <= PROXY2_MAX);
			PROMISE(whole == 0 || whole == n);
			whole = n;
		}
		PROMISE(rc != RC_TEMP || i < PROXY2_MAX);
		last = rc;
	}
	return 0;
}
