/*
 * backend_ldap - a directory behind LDAP servers.
 *
 * Two pools of connections: one bound as ourselves for searches, one for the
 * passwords of others (a bind changes who a connection is).
 *
 * Ownership  Takes a reference to the configuration.
 * Threads    Any; a connection has one user at a time.
 * Errors     NULL after logging what is wrong in the settings.
 */
#ifndef DIRECTORY_BACKEND_LDAP_H
#define DIRECTORY_BACKEND_LDAP_H

#include "conf/conf.h"
#include "directory/backend.h"

struct dir_backend *dir_ldap_open(
    const struct log *log, const struct conf *conf);

#endif
