/*
 * ldap_kerberos - our own ticket for GSSAPI binds, from the client keytab
 * into the process's memory cache (KRB5CCNAME), renewed in time.
 *
 * Threads  Locks inside, not over the talk with a KDC; that may block as long
 *          as the Kerberos library's time-outs allow, so only threads that
 *          nobody waits for come here.
 * Errors   False after logging why there is no valid ticket.
 */
#ifndef DIRECTORY_LDAP_KERBEROS_H
#define DIRECTORY_LDAP_KERBEROS_H

#include "conf/conf.h"

#define DIR_KERBEROS_CACHE "MEMORY:gatepost"

struct dir_kerberos;

struct dir_kerberos *dir_kerberos_new(
    const struct log *log, const struct conf *conf);
void dir_kerberos_free(struct dir_kerberos **k);
/* There is a valid ticket in the cache, or now there is one. */
bool dir_kerberos_ready(struct dir_kerberos *k);
/* A bind with it failed: fetch a new one before the next. */
void dir_kerberos_doubt(struct dir_kerberos *k);

#endif
