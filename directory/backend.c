#include "directory/backend.h"

static const struct {
	const char *name;
	enum rc rc;
	const char *ad; /* sub-code of invalidCredentials */
} whys[] = {
	[DIR_BIND_OK] = { "ok", RC_OK, "" },
	[DIR_BIND_WRONG_PASSWORD] = { "wrong_password", RC_DENY, "52e" },
	[DIR_BIND_NO_ACCOUNT] = { "no_account", RC_DENY, "525" },
	[DIR_BIND_HOURS] = { "logon_hours", RC_DENY, "530" },
	[DIR_BIND_WORKSTATION] = { "workstation_not_allowed", RC_DENY, "531" },
	[DIR_BIND_PW_EXPIRED] = { "password_expired", RC_DENY, "532" },
	[DIR_BIND_DISABLED] = { "account_disabled", RC_DENY, "533" },
	[DIR_BIND_EXPIRED] = { "account_expired", RC_DENY, "701" },
	[DIR_BIND_MUST_CHANGE] = { "password_must_change", RC_DENY, "773" },
	[DIR_BIND_LOCKED] = { "account_locked", RC_DENY, "775" },
	[DIR_BIND_REFUSED] = { "refused", RC_DENY, "" },
	[DIR_BIND_NO_TLS] = { "no_tls", RC_TEMP, "" },
	[DIR_BIND_UNAVAILABLE] = { "unavailable", RC_TEMP, "" },
};

const char *
dir_bind_name(enum dir_bind_why why)
{
	return whys[why].name;
}

const char *
dir_bind_code(const char *name)
{
	for (size_t i = 0; i < COUNT(whys); i++)
		if (str_eq(str_c(whys[i].name), str_c(name)))
			return whys[i].ad;
	return "";
}

enum rc
dir_bind_rc(enum dir_bind_why why)
{
	return whys[why].rc;
}

const struct dir_attr *
dir_raw_attr(const struct dir_raw *e, struct str name)
{
	for (size_t i = 0; i < e->nattr; i++)
		if (str_ieq(e->attr[i].name, name))
			return &e->attr[i];
	return NULL;
}
