/*
 * A whole SMTP dialogue from a hostile client.  The first byte picks the
 * listener and the split; what the engine says must not depend on the split,
 * and what delivery gets must not either.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/gateway/fake_netd.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake whole, split;
	unsigned tag;

	if (size < 1 || size > 65536)
		return 0;
	tag = data[0] & 1 ? GW_SUBMISSION : GW_MX;
	fake_init(&whole, tag);
	fake_init(&split, tag);
	whole.tls = split.tls = data[0] & 2;
	fake_run(&whole, str_n(data + 1, size - 1), size);
	fake_run(&split, str_n(data + 1, size - 1), (data[0] >> 2) % 16 + 1);
	PROMISE(str_eq(buf_str(&whole.out), buf_str(&split.out)));
	PROMISE(str_eq(buf_str(&whole.body), buf_str(&split.body)));
	PROMISE(str_eq(buf_str(&whole.rcpts), buf_str(&split.rcpts)));
	PROMISE(whole.submits == split.submits);
	fake_free(&whole);
	fake_free(&split);
	return 0;
}
