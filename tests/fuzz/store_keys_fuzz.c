/*
 * The key file and the segment header: records with right sums and wild
 * contents, so that the fuzzer gets behind the sum.
 */
#include <string.h>

#include "store/keys.h"
#include "store/seglog.h"
#include "store/sum.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char b[KEYS_RECORD] = { 0 }, h[SEG_HEADER] = { 0 },
		      again[SEG_HEADER], master[SEAL_KEY];
	struct seg_header head;
	struct keys_record r;

	if (size > 0)
		memcpy(b, data, MIN(size, sizeof(b)));
	PROMISE(size < sizeof(b) || keys_record_get(b, 0, &r) != RC_TEMP);
	le_put(b + 152, sum_of(64, b, 152), 8);
	if (keys_record_get(b, 64, &r) == RC_OK) {
		PROMISE(r.account.n <= ACCOUNT_ID_MAX && r.id > 0);
		PROMISE((r.account.n == 0) == (r.kind == 2));
		PROMISE(keys_record_get(b, 224, &r) == RC_BAD);
	}
	if (size > 0)
		memcpy(h, data, MIN(size, sizeof(h)));
	memcpy(h, SEGLOG_MAGIC, 8);
	le_put(h + 56, sum_of(le_get(h + 12, 4), h, 56), 8);
	if (seglog_header_get(h, &head) == RC_OK) {
		seglog_header_put(&head, again);
		PROMISE(memcmp(again, h, 48) == 0);
	}
	(void)!keys_master_parse(str_n(data, size), master);
	return 0;
}
