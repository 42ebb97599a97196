/*
 * ldap_bind - one password, one bind.
 *
 * Threads  One user of a link at a time.
 * Errors   *fate says what became of the link.
 */
#ifndef DIRECTORY_LDAP_BIND_H
#define DIRECTORY_LDAP_BIND_H

#include "directory/backend.h"
#include "directory/ldap_pool.h"

enum dir_bind_why dir_ldap_bind(const struct log *log, struct dir_link *l,
    struct str dn, struct str password, struct deadline dl,
    enum dir_fate *fate);

#endif
