/* Names and values that people and directories write. */
#include "directory/ad_value.h"
#include "directory/dn.h"
#include "directory/entry.h"
#include "directory/guard.h"
#include "directory/ldap_url.h"
#include "directory/login_name.h"
#include "directory/password.h"
#include "directory/wire.h"
#include "tests/fuzz/fuzz.h"

static void
try_dn(struct arena *a, struct str in)
{
	struct str once, twice;

	if (dir_dn_norm(a, in, &once) != RC_OK)
		return;
	/* The normal form is one: it does not change any more. */
	if (once.n <= DIR_DN_MAX) {
		PROMISE(dir_dn_norm(a, once, &twice) == RC_OK);
		PROMISE(str_eq(once, twice));
	}
	PROMISE(dir_dn_below(once, STR("")));
	PROMISE(dir_dn_below(once, once));
}

static void
try_names(struct arena *a, struct str in)
{
	struct dir_login_name n;
	struct dir_url u;
	struct str out;
	bool primary;

	if (dir_login_name_parse(in, &n) == RC_OK) {
		PROMISE(n.account.n > 0 && str_eq(n.whole, in));
		PROMISE(n.form == DIR_LOGIN_ACCOUNT || n.domain.n > 0);
	}
	if (dir_address_value(in, &out, &primary))
		PROMISE(out.n > 0 && out.n <= in.n);
	if (dir_url_read(a, in, &u) == RC_OK)
		PROMISE(u.host.n > 0 && u.port > 0 && u.port < 65536);
	(void)dir_guard_net(a, in);
	(void)dir_password_match(in, STR("password"));
}

static void
try_values(struct arena *a, struct str in)
{
	struct str text, bytes, again;
	struct dir_rcpt *rcpts;
	uint32_t rid;
	int64_t t;
	size_t n;

	if (ad_guid_text(a, in, &text) == RC_OK) {
		PROMISE(ad_guid_bytes(a, text, &bytes) == RC_OK);
		PROMISE(str_eq(bytes, in));
	}
	if (dir_uuid_canonical(a, in, &text) == RC_OK) {
		PROMISE(dir_uuid_canonical(a, text, &again) == RC_OK);
		PROMISE(str_eq(text, again) && text.n == DIR_ID_LEN);
	}
	if (dir_generalized_time(in, &t) == RC_OK)
		PROMISE(t > -62200000000 && t < 253500000000);
	(void)ad_time(in, &t);
	(void)!ad_sid_rid(in, &rid);
	(void)ad_bind_why(in);
	if (dir_wire_unpack(a, in, &rcpts, &n) == RC_OK)
		PROMISE(n <= in.n / 27);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size);
	AUTO_ARENA a = { 0 };

	switch (fuzz_byte(&in) % 3) {
	case 0:
		try_dn(&a, in);
		break;
	case 1:
		try_names(&a, in);
		break;
	default:
		try_values(&a, in);
	}
	return 0;
}
