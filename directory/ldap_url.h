/*
 * ldap_url - the servers as the settings name them.
 *
 * Errors  RC_BAD: not ldap://, ldaps:// or ldapi:// with a host (path).
 */
#ifndef DIRECTORY_LDAP_URL_H
#define DIRECTORY_LDAP_URL_H

#include "lib/base.h"

struct dir_url {
	enum { DIR_URL_LDAP, DIR_URL_LDAPS, DIR_URL_LDAPI } scheme;
	struct str host; /* ldapi: the socket's path, decoded */
	unsigned port;
};

MUST_CHECK enum rc dir_url_read(
    struct arena *a, struct str s, struct dir_url *out);

#endif
