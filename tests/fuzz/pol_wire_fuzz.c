/*
 * Frames of the policy process, as either side could send them in foreign
 * hands: what is taken keeps the promises of the wire.  The first byte says
 * which it is.
 */
#include "lib/ipc_impl.h"
#include "mail/header.h"
#include "policy/pol_wire.h"
#include "tests/fuzz/fuzz.h"

#define SIZE 1000u

static void
check_verdict(struct ipc_in *in, struct arena *a)
{
	struct pol_verdict v;
	uint64_t end = 0;

	if (pol_get_verdict(in, a, SIZE, &v) != RC_OK)
		return;
	PROMISE(v.action >= POL_ACCEPT && v.action <= POL_DISCARD);
	PROMISE(v.edits.n <= POL_EDITS_MAX && v.ncut <= POL_CUTS_MAX);
	PROMISE(v.edits.n == 0 || str_has_isuffix(v.edits, STR("\r\n")));
	PROMISE(str_chr(v.text, '\n') == v.text.n);
	if (v.action == POL_REJECT)
		PROMISE(str_has_prefix(v.status, STR("5.")));
	if (v.action == POL_DEFER)
		PROMISE(str_has_prefix(v.status, STR("4.")));
	for (size_t i = 0; i < v.ncut; i++) {
		PROMISE(v.cut[i].off >= end);
		end = v.cut[i].off + v.cut[i].len;
		PROMISE(end <= SIZE);
	}
}

static void
check_check(struct ipc_in *in, struct arena *a)
{
	struct pol_check c;

	if (pol_get_check(in, a, &c) != RC_OK)
		return;
	PROMISE(c.nrcpt <= POL_RCPTS_MAX);
	PROMISE(c.fd >= 0 || c.inline_data.n == c.size);
	fd_close(&c.fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size);
	bool verdict = fuzz_byte(&in) & 1;
	AUTO_ARENA a = { 0 };
	AUTO_MSG m = { 0 };
	struct ipc_in r;

	ipc_msg_init(&m, POL_OP_CHECK);
	if (in.n > 0 && buf_add(&m.b, in) != RC_OK)
		return 0;
	ipc_in_init(&r, &m);
	if (verdict)
		check_verdict(&r, &a);
	else
		check_check(&r, &a);
	return 0;
}
