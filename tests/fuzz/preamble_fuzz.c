/*
 * What imap reads first.  A preamble that is accepted is written back the
 * same by preamble_put, and no shorter input was complete.
 */
#include "imap/preamble.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, MIN(size, (size_t)4096));
	AUTO_BUF b = { 0 };
	struct preamble p;
	size_t n = preamble_frame(in);

	PROMISE(n <= in.n);
	if (n == 0) {
		PROMISE(in.n < PREAMBLE_MAX);
		return 0;
	}
	if (preamble_parse(str_sub(in, 0, n), &p) != RC_OK)
		return 0;
	for (size_t i = 0; i < n; i++)
		PROMISE(preamble_frame(str_sub(in, 0, i)) == 0);
	buf_init(&b, PREAMBLE_MAX);
	PROMISE(preamble_put(&b, &p) == RC_OK);
	PROMISE(preamble_parse(buf_str(&b), &p) == RC_OK);
	return 0;
}
