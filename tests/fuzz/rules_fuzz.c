/* Rules that are taken can be asked about anything. */
#include "mail/rules.h"
#include "tests/fuzz/fuzz.h"

static void
each(void *ctx, struct str address)
{
	struct addr x;

	PROMISE(mail_addr_parse(ctx, address, &x) == RC_OK);
}

static void
check_limits(const struct mail_size_limits *l)
{
	enum rc is[MAIL_SIZE_GROUPS_MAX];
	uint64_t size;

	if (l == NULL)
		return;
	PROMISE(l->n <= MAIL_SIZE_GROUPS_MAX);
	for (size_t i = 0; i < l->n; i++) {
		PROMISE(l->group[i].n > 0 && l->size[i] > 0);
		is[i] = l->size[i] % 2 ? RC_OK : RC_DENY;
	}
	PROMISE(mail_size_limit_of(l, is, 1000, &size) == RC_OK);
	PROMISE(size >= mail_size_limit_least(l, 1000));
	PROMISE(size <= mail_size_limit_most(l, 1000));
}

static void
ask(const struct mail_rules *r, struct arena *a, struct str local)
{
	struct addr x = { local, STR("example.org") }, base;
	struct str one, *to;
	size_t n;

	if (mail_rules_sender(r, a, &x, &one) == RC_OK)
		PROMISE(one.n > 0);
	if (mail_rules_recipient(r, a, &x, &to, &n) == RC_OK)
		PROMISE(n > 0 && n <= RULES_TO_MAX);
	for (int sender = 0; sender < 2; sender++)
		if (mail_rules_header(r, a, sender, &x, &one) == RC_OK)
			PROMISE(one.n > 0 && mail_rules_has_header_map(r));
	mail_rules_bcc(r, each, a);
	mail_rules_bcc_from(r, &x, each, a);
	mail_rules_bcc_to(r, &x, each, a);
	PROMISE(mail_rules_size_limit(r, &x, 10) <= 10);
	if (mail_subaddress(a, &x, "+", &base) == RC_OK)
		PROMISE(base.local.n > 0 && base.local.n < local.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size), why = STR("");
	const struct mail_rules *r = NULL;
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };

	buf_init(&b, size + 2);
	PROMISE(mail_rules_headers(in, &b) == RC_OK);
	if (mail_rules_parse(&a, "f", in, &r, &why) != RC_OK) {
		PROMISE(r == NULL && why.n > 0);
		return 0;
	}
	check_limits(mail_rules_send_limits(r));
	check_limits(mail_rules_receive_limits(r));
	ask(r, &a, STR("joe"));
	ask(r, &a, STR("joe+x"));
	ask(r, &a, str_sub(in, 0, MAIL_LOCAL_MAX));
	mail_rules_unref(&r);
	return 0;
}
