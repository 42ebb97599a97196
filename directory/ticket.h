/*
 * ticket - proof for `imap` that somebody has just authenticated: 64 hex
 * digits, good once, for DIR_TICKET_S, for one service.
 *
 * Ownership  What redeem gives lives in the arena.
 * Threads    Locks inside, briefly.
 * Errors     redeem: RC_DENY for unknown, used, late or another service's.
 * Limits     DIR_TICKETS_MAX outstanding; the oldest go first.
 */
#ifndef DIRECTORY_TICKET_H
#define DIRECTORY_TICKET_H

#include "directory/dir_client.h"

#define DIR_TICKET_S    30
#define DIR_TICKET_LEN  64u
#define DIR_TICKETS_MAX 65536u

struct dir_tickets;

struct dir_tickets *dir_tickets_new(void);
void dir_tickets_free(struct dir_tickets **t);
struct str dir_ticket_issue(struct dir_tickets *t, struct arena *a,
    const struct dir_account *account, struct str service, int64_t now_ns);
MUST_CHECK enum rc dir_ticket_use(struct dir_tickets *t, struct arena *a,
    struct str ticket, struct str service, int64_t now_ns,
    struct dir_account *out);

#endif
