/*
 * ldap_search - a batch of queries over one connection.
 *
 * Searches are sent ahead of the answers (at most DIR_LDAP_WINDOW at a time,
 * because servers limit what may be pending), answers awaited by message id
 * with the deadline.
 *
 * Ownership  Answers are copied into the arena.
 * Threads    One user of a link at a time.
 * Errors     *fate says what became of the link; queries that have no answer
 *            then stay RC_TEMP with `q->filter` untouched.
 * Limits     DIR_LDAP_ARENA_MAX bytes of answers in one arena.
 */
#ifndef DIRECTORY_LDAP_SEARCH_H
#define DIRECTORY_LDAP_SEARCH_H

#include "directory/backend.h"
#include "directory/ldap_pool.h"

#define DIR_LDAP_WINDOW    32u
#define DIR_LDAP_PAGE      500
#define DIR_LDAP_ARENA_MAX (128u << 20)

void dir_ldap_search(const struct log *log, struct dir_link *l,
    const char *base, struct arena *a, struct dir_query *q, size_t n,
    struct deadline dl, enum dir_fate *fate);

#endif
