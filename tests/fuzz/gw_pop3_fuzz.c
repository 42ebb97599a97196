/*
 * A whole dialogue of a hostile POP3 client before its login.  The first byte
 * picks TLS and the split; what is said, and what imap would get, must not
 * depend on the split.
 */
#include "gateway/gw_pop3.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/gateway/fake_imap.h"

static void
run(struct fake_imap *f, uint8_t how, struct str in, size_t step)
{
	fake_imap_init(f);
	f->ops = &gw_pop3_ops;
	f->tls = how & 1;
	f->conf.plaintext_login_on_loopback = how & 2;
	if (how & 2)
		f->ip = STR("::1");
	fake_imap_run(f, in, step);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, MIN(size, (size_t)131072));
	struct fake_imap whole, split;
	uint8_t how = fuzz_byte(&in);

	run(&whole, how, in, SIZE_MAX / 2);
	run(&split, how, in, (size_t)(how >> 2) + 1);
	/* Where clear text follows STLS, the two differ by design. */
	if (whole.end != NEXT_TLS) {
		PROMISE(str_eq(buf_str(&whole.out), buf_str(&split.out)));
		PROMISE(str_eq(buf_str(&whole.sent), buf_str(&split.sent)));
		PROMISE(whole.end == split.end);
		PROMISE(whole.logins == split.logins);
	}
	PROMISE(whole.logins == 0 || whole.tls || (how & 2));
	fake_imap_free(&whole);
	fake_imap_free(&split);
	return 0;
}
