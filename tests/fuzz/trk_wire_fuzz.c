/* Frames to track: what a gateway in foreign hands may send. */
#include <string.h>

#include "lib/ipc_impl.h"
#include "tests/fuzz/fuzz.h"
#include "track/trk_wire.h"

static void
records(struct str in)
{
	char p[TRK_RECORD_MAX];
	struct trk_event e, again;
	size_t n, count = 0;

	if (trk_records_check(in, &n) != RC_OK)
		return;
	while (trk_record_get(&in, &e) == RC_OK) {
		struct str copy = str_n(p, trk_record_put(p, &e));

		count++;
		PROMISE(copy.n <= sizeof(p));
		PROMISE(trk_record_get(&copy, &again) == RC_OK);
		PROMISE(copy.n == 0 && again.at_ms == e.at_ms &&
			str_eq(again.text, e.text) && str_eq(again.sid, e.sid));
	}
	PROMISE(count == n);
}

static void
frame(struct str in)
{
	AUTO_MSG m = { 0 };
	struct ipc_in cursor, one;
	struct trk_batch batch;
	struct trk_find find;
	struct trk_row row;
	size_t pos = 0;

	ipc_msg_init(&m, 0);
	if (buf_add(&m.b, in) != RC_OK || ipc_open(&m) != RC_OK)
		return;
	ipc_in_init(&cursor, &m);
	if (trk_get_batch(&cursor, &batch) == RC_OK)
		PROMISE(batch.n <= TRK_BATCH_EVENTS &&
			batch.client.n == TRK_CLIENT_ID);
	ipc_in_init(&cursor, &m);
	if (trk_get_find(&cursor, &find) == RC_OK)
		PROMISE(find.limit >= 1 && find.limit <= TRK_PAGE);
	ipc_in_init(&cursor, &m);
	while (ipc_next_group(&cursor, "row", &pos, &one) == RC_OK)
		if (trk_get_row(&one, &row) == RC_OK)
			PROMISE(row.table >= TRK_BY_KIND &&
				row.table <= TRK_BY_RCPT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size);

	if (fuzz_byte(&in) & 1)
		frame(in);
	else
		records(in);
	return 0;
}
