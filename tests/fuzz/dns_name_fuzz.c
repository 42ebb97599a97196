/*
 * What people type: a domain that is taken is plain ASCII that stays as it
 * is; a name that is read says the same when it is written and read again; an
 * address has a reverse name that DNS can hold.
 */
#include "lib/dns_wire.h"
#include "tests/fuzz/fuzz.h"

static void
check_domain(struct arena *a, struct str in)
{
	struct str ascii, again;
	struct dns_name name;

	if (dns_to_ascii(a, in, &ascii) != RC_OK)
		return;
	PROMISE(ascii.n > 0 && ascii.n <= DNS_NAME_MAX);
	PROMISE(str_is_ascii(ascii));
	PROMISE(dns_to_ascii(a, ascii, &again) == RC_OK);
	PROMISE(str_eq(ascii, again));
	PROMISE(dns_name_read(ascii, &name) == RC_OK);
	PROMISE(name.n == ascii.n + 2);
}

static void
check_name(struct arena *a, struct str in)
{
	struct dns_name name, again;
	char plain[DNS_PLAIN_MAX];
	struct str wire, text;

	if (dns_name_read(in, &name) != RC_OK)
		return;
	PROMISE(name.n >= 3 && name.n <= DNS_WIRE_MAX);
	dns_name_plain(&name, plain);
	PROMISE(dns_name_read(str_c(plain), &again) == RC_OK);
	PROMISE(str_eq(str_n(name.v, name.n), str_n(again.v, again.n)));
	wire = str_n(name.v, name.n);
	PROMISE(dns_name_cut(a, &wire, &text) == RC_OK && wire.n == 0);
	PROMISE(dns_name_read(text, &again) == RC_OK);
	PROMISE(str_eq(str_n(name.v, name.n), str_n(again.v, again.n)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size), reverse;
	AUTO_ARENA a = { 0 };
	struct dns_name name;

	check_domain(&a, in);
	check_name(&a, in);
	if (dns_reverse_name(&a, in, &reverse) == RC_OK)
		PROMISE(dns_name_read(reverse, &name) == RC_OK);
	return 0;
}
