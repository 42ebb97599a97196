/*
 * A message with signatures, through libopendkim: no input passes, since
 * nobody can have signed it, and no key that is asked for is a name that the
 * DNS could not hold.  The library is Debian's and not instrumented; what is
 * looked for here is what we do around it.
 */
#include "mail/header.h"
#include "policy/pol_author.h"
#include "policy/pol_dkim.h"
#include "tests/fuzz/fuzz.h"

bool
log_on(const struct log *l, enum log_level level)
{
	(void)l, (void)level;
	return false;
}

void
log_write(const struct log *l, enum log_level level, const char *event,
    const struct log_kv *kv, size_t nkv)
{
	(void)l, (void)level, (void)event, (void)kv, (void)nkv;
}

static struct dns_record key_text = {
	.text = STR_INIT("v=DKIM1; k=ed25519; "
			 "p=aAIEGCkMvOOQPRJD+tUaCiGlO3igYvXPgdl/Ql7p6s8=")
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct log quiet;
	struct str in = str_n(data, size);
	struct str header = str_sub(in, 0, mail_header_len(in));
	struct pol_body body = { in, -1, size };
	struct pol_dkim_key key[POL_DKIM_MAX];
	struct pol_authors who;
	struct pol_dkim_in ask = {
		.header = header, .body = &body, .key = key
	};
	struct pol_dkim_out out;
	AUTO_ARENA a = { 0 };
	struct pol_dkim *d = pol_dkim_new(&quiet);

	ask.nkey = pol_dkim_keys(&a, header, key);
	PROMISE(ask.nkey <= POL_DKIM_MAX);
	for (size_t i = 0; i < ask.nkey; i++) {
		PROMISE(key[i].domain.n > 0 && key[i].domain.n <= DNS_NAME_MAX);
		key[i].answer =
		    (struct dns_answer){ .rc = RC_OK, .v = &key_text, .n = 1 };
	}
	PROMISE(pol_dkim_verify(d, &a, &ask, &out) == RC_OK);
	PROMISE(out.n <= POL_DKIM_MAX);
	for (size_t i = 0; i < out.n; i++) {
		PROMISE(out.sig[i].result != POL_DKIM_PASS);
		PROMISE(out.sig[i].why != NULL);
	}
	pol_dkim_free(&d);
	pol_authors(&a, header, &who);
	PROMISE(who.n <= POL_AUTHORS_MAX);
	return 0;
}
