#include "directory/login_name.h"

enum rc
dir_login_name_parse(struct str s, struct dir_login_name *out)
{
	struct dir_login_name x = { .whole = s, .account = s };
	size_t slash = str_chr(s, '\\'), at = str_rchr(s, '@');

	if (s.n == 0 || s.n > DIR_LOGIN_MAX || !str_is_utf8(s))
		return RC_BAD;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return RC_BAD;
	if (slash < s.n) {
		x.form = DIR_LOGIN_DOMAIN;
		x.domain = str_sub(s, 0, slash);
		x.account = str_from(s, slash + 1);
		if (str_chr(x.account, '\\') < x.account.n)
			return RC_BAD;
	} else if (at < s.n) {
		x.form = DIR_LOGIN_AT;
		x.account = str_sub(s, 0, at);
		x.domain = str_from(s, at + 1);
	}
	if (x.account.n == 0 ||
	    (x.form != DIR_LOGIN_ACCOUNT && x.domain.n == 0))
		return RC_BAD;
	*out = x;
	return RC_OK;
}

const char *
dir_login_form_name(enum dir_login_form form)
{
	static const char *const names[] = {
		[DIR_LOGIN_ACCOUNT] = "account name",
		[DIR_LOGIN_DOMAIN] = "DOMAIN\\account",
		[DIR_LOGIN_AT] = "principal name or mail address",
	};

	return names[form];
}
