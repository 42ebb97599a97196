/*
 * ldap_dial - a connected socket to a server, by a deadline.
 *
 * Addresses that worked are remembered, so that a DNS outage does not become
 * a directory outage.
 *
 * Threads  Locks inside; never over a blocking call.
 * Errors   -1 and *why (in the arena or static).
 * Limits   DIAL_ADDRESSES addresses of one name.
 */
#ifndef DIRECTORY_LDAP_DIAL_H
#define DIRECTORY_LDAP_DIAL_H

#include "directory/ldap_url.h"

struct dir_dial;

struct dir_dial *dir_dial_new(const struct dir_url *u);
void dir_dial_free(struct dir_dial **d);
int dir_dial_connect(
    struct dir_dial *d, struct arena *a, struct deadline dl, struct str *why);
/* A literal loopback address or "localhost". */
bool dir_dial_loopback(const struct dir_dial *d);

#endif
