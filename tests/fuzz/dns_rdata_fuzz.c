/*
 * The first byte chooses the type, the rest is RDATA: reading and checking
 * agree, and an answer made of it says what was read.
 */
#include "lib/resolver_cache.h"
#include "tests/fuzz/fuzz.h"

static const enum dns_type types[] = { DNS_A, DNS_NS, DNS_CNAME, DNS_SOA,
	DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA, DNS_SRV, DNS_TLSA };

static void
check_answer(struct arena *a, enum dns_type type, struct str rdata,
    const struct dns_record *r, bool good)
{
	struct dns_key key = { .type = (uint16_t)type };
	struct dns_raw raw = { .rdata = &rdata, .n = 1 };
	struct dns_entry *e;
	struct dns_answer x;

	PROMISE(dns_name_read(STR("x.test"), &key.name) == RC_OK);
	e = dns_entry_new(&key, &raw);
	dns_entry_answer(e, a, 0, &x);
	dns_entry_unref(&e);
	PROMISE(x.rc == (good ? RC_OK : RC_TEMP) && x.n == good);
	if (!good)
		return;
	PROMISE(str_eq(x.v[0].name, r->name) && str_eq(x.v[0].text, r->text));
	PROMISE(str_eq(x.v[0].data, rdata));
	PROMISE(x.v[0].preference == r->preference);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size);
	enum dns_type type = types[fuzz_byte(&in) % COUNT(types)];
	AUTO_ARENA a = { 0 };
	struct dns_record r;
	struct dns_name name;
	bool good;

	if (in.n > UINT16_MAX)
		return 0;
	good = dns_rdata_read(&a, type, in, &r) == RC_OK;
	PROMISE(good == (dns_rdata_check(type, in) == RC_OK));
	check_answer(&a, type, in, &r, good);
	if (!good)
		return 0;
	PROMISE(r.text.n < (in.n > 0 ? in.n : 1));
	if (r.name.n > 0)
		PROMISE(dns_name_read(r.name, &name) == RC_OK);
	return 0;
}
