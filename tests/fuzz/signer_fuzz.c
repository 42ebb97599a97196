/*
 * The first byte chooses: the file `selectors`, which goes round; a request as
 * a gateway in foreign hands could send it; a body, whose canonical form does
 * not depend on how it was cut.
 */
#include "lib/ipc_impl.h"
#include "policy/sgn_canon.h"
#include "policy/sgn_keys.h"
#include "policy/sgn_wire.h"
#include "tests/fuzz/fuzz.h"

static void
state_file(struct arena *a, struct str text)
{
	struct sgn_selector *v, *w;
	AUTO_BUF b = { 0 };
	size_t n, m;

	if (sgn_state_parse(a, text, &v, &n) != RC_OK)
		return;
	PROMISE(n <= SGN_SELECTORS_MAX);
	buf_init(&b, SGN_STATE_MAX);
	PROMISE(sgn_state_format(&b, v, n) == RC_OK);
	PROMISE(sgn_state_parse(a, buf_str(&b), &w, &m) == RC_OK && m == n);
	for (size_t i = 0; i < n; i++) {
		PROMISE(sgn_selector_ok(v[i].name));
		PROMISE(str_eq(v[i].name, w[i].name));
		PROMISE(v[i].state == w[i].state && v[i].since == w[i].since);
	}
}

static void
request(struct str text)
{
	AUTO_MSG m = { 0 };
	struct sgn_message got;
	struct sgn_trial trial;
	struct ipc_in in;

	ipc_msg_init(&m, SGN_OP_SIGN);
	if (buf_add(&m.b, text) != RC_OK || ipc_seal(&m) != RC_OK ||
	    ipc_open(&m) != RC_OK)
		return;
	ipc_in_init(&in, &m);
	if (sgn_get_message(&in, &got) == RC_OK) {
		PROMISE(got.fd < 0 && got.inline_data.n == got.size);
		PROMISE(got.domain.n <= SGN_NAME_MAX);
	}
	ipc_in_init(&in, &m);
	if (sgn_get_trial(&in, &trial) == RC_OK)
		PROMISE(trial.record.n <= SGN_RECORD_MAX);
}

static void
collect(void *arg, struct str piece)
{
	PROMISE(buf_add(arg, piece) == RC_OK);
}

static void
canonical(struct str text, bool pieces, struct buf *out)
{
	uint32_t seed = (uint32_t)text.n;
	struct sgn_body b;

	buf_init(out, text.n + 2);
	sgn_body_init(&b, collect, out);
	while (text.n > 0) {
		size_t n = pieces ? fuzz_piece(&seed) : text.n;

		sgn_body_add(&b, str_sub(text, 0, n));
		text = str_from(text, n);
	}
	sgn_body_end(&b);
}

static void
body(struct str text)
{
	AUTO_BUF whole = { 0 }, cut = { 0 }, again = { 0 };

	canonical(text, false, &whole);
	canonical(text, true, &cut);
	PROMISE(str_eq(buf_str(&whole), buf_str(&cut)));
	canonical(buf_str(&whole), true, &again);
	PROMISE(str_eq(buf_str(&whole), buf_str(&again)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size);
	AUTO_ARENA a = { 0 };

	switch (fuzz_byte(&in) % 3) {
	case 0:
		state_file(&a, in);
		break;
	case 1:
		request(in);
		break;
	default:
		body(in);
	}
	return 0;
}
