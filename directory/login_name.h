/*
 * login_name - the forms in which people write their login name:
 * "account", "DOMAIN\account", "something@domain".
 *
 * Threads  Pure functions.
 * Errors   RC_BAD: none of them.
 * Limits   DIR_LOGIN_MAX bytes of UTF-8 without control characters.
 */
#ifndef DIRECTORY_LOGIN_NAME_H
#define DIRECTORY_LOGIN_NAME_H

#include "lib/base.h"

#define DIR_LOGIN_MAX 320u

enum dir_login_form {
	DIR_LOGIN_ACCOUNT,
	DIR_LOGIN_DOMAIN, /* DOMAIN\account */
	DIR_LOGIN_AT,     /* UPN or mail address */
};

struct dir_login_name {
	enum dir_login_form form;
	struct str whole;
	struct str account; /* before the '@', behind the '\' */
	struct str domain;  /* empty for DIR_LOGIN_ACCOUNT */
};

MUST_CHECK enum rc dir_login_name_parse(
    struct str s, struct dir_login_name *out);
const char *dir_login_form_name(enum dir_login_form form);

#endif
