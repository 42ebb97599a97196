/* Arguments of MAIL, RCPT, BDAT and EHLO; xtext there and back. */
#include "mail/smtp_syntax.h"
#include "tests/fuzz/fuzz.h"

static void
try_from(struct arena *a, struct str in, unsigned ext)
{
	struct mail_smtp_args args;
	struct mail_from_params p;
	struct str bad = STR_NULL;

	if (mail_smtp_from(a, in, &args) != RC_OK)
		return;
	PROMISE(args.nparam <= MAIL_PARAMS_MAX);
	if (mail_smtp_from_params(a, &args, ext, &p, &bad) != RC_OK)
		PROMISE(bad.n > 0);
	else
		PROMISE(args.nparam == 0 || ext != 0);
}

static void
try_to(struct arena *a, struct str in, unsigned ext)
{
	struct mail_smtp_args args;
	struct mail_to_params p;
	struct str bad = STR_NULL;

	if (mail_smtp_to(a, in, &args) != RC_OK)
		return;
	PROMISE(!args.path.null_path);
	if (mail_smtp_to_params(a, &args, ext, &p, &bad) != RC_OK)
		PROMISE(bad.n > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size), out;
	unsigned ext = fuzz_byte(&in) & 31;
	struct mail_bdat bdat;
	AUTO_ARENA a = { 0 };

	try_from(&a, in, ext);
	try_to(&a, in, ext);
	if (mail_bdat_parse(in, 1u << 20, &bdat) == RC_OK)
		PROMISE(bdat.size <= 1u << 20);
	if (mail_helo_ok(in))
		PROMISE(str_is_ascii(in) && in.n > 0);
	if (mail_xtext_decode(&a, in, &out) == RC_OK) {
		struct str again;
		enum rc rc =
		    mail_xtext_decode(&a, mail_xtext_encode(&a, out), &again);

		PROMISE(rc == RC_OK && str_eq(out, again));
	}
	return 0;
}
