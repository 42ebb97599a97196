/* A path or address that is taken has a canonical text that is stable. */
#include "mail/addr.h"
#include "tests/fuzz/fuzz.h"

static void
check(struct arena *a, const struct addr *x)
{
	struct addr again;
	struct str text = mail_addr_text(a, x);

	PROMISE(x->local.n > 0 && x->local.n <= MAIL_LOCAL_MAX);
	PROMISE(x->domain.n > 0 && x->domain.n <= MAIL_DOMAIN_MAX);
	PROMISE(text.n <= MAIL_ADDR_TEXT_MAX && str_is_ascii(text));
	/* Quotes and backslashes count in the limit of 64. */
	if (mail_addr_parse(a, text, &again) != RC_OK) {
		PROMISE(text.n - x->domain.n - 1 > MAIL_LOCAL_MAX);
		return;
	}
	PROMISE(mail_addr_eq(x, &again));
	PROMISE(str_eq(mail_addr_text(a, &again), text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size), rest = in;
	AUTO_ARENA a = { 0 };
	struct mail_path path;
	struct addr x;

	if (mail_addr_parse(&a, in, &x) == RC_OK)
		check(&a, &x);
	if (mail_path_parse(&a, &rest, &path) == RC_OK) {
		PROMISE(rest.p + rest.n == in.p + in.n && rest.n < in.n);
		PROMISE(!path.null_path ||
			(path.addr.local.n == 0 && path.addr.domain.n == 0));
		if (!path.null_path && !path.no_domain)
			check(&a, &path.addr);
	}
	return 0;
}
