/* A configuration that is taken can be dumped, loaded, and says the same. */
#include "conf/conf.h"
#include "tests/fuzz/fuzz.h"

#define DUMP_MAX (8u << 20)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF one, two;
	const struct conf *c = NULL, *again = NULL;
	struct conf_listen l;
	struct str why = STR_NULL;

	buf_init(&one, DUMP_MAX);
	buf_init(&two, DUMP_MAX);
	if (conf_listen_parse(str_n(data, size), &l) == RC_OK)
		PROMISE(l.host.n > 0 && l.host.n < size);
	if (conf_parse(&a, "fuzz", str_n(data, size), &c, &why) != RC_OK) {
		PROMISE(c == NULL && why.n > 0);
		return 0;
	}
	PROMISE(c->domains.n > 0 && c->workers > 0);
	PROMISE(c->tls_certificate.n == c->tls_key.n);
	PROMISE(conf_dump(c, &one) == RC_OK);
	PROMISE(conf_parse(&a, "dump", buf_str(&one), &again, &why) == RC_OK);
	PROMISE(conf_dump(again, &two) == RC_OK);
	PROMISE(str_eq(buf_str(&one), buf_str(&two)));
	conf_unref(&c);
	conf_unref(&again);
	return 0;
}
