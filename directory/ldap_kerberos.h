/*
 * ldap_kerberos - our own credentials for GSSAPI binds, from the client
 * keytab into the process's memory cache.
 *
 * Threads  Any; may block as long as the KDCs' time-outs allow.
 */
#ifndef DIRECTORY_LDAP_KERBEROS_H
#define DIRECTORY_LDAP_KERBEROS_H

#include "conf/conf.h"

/* False after logging why there are none. */
bool dir_kerberos_ready(const struct log *log, const struct conf *conf);

#endif
