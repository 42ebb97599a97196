/*
 * account - whose mail a session reads, with the key to it.
 *
 * The store is asked for a key once per process; the sessions of one account
 * share it, and the last one to go wipes it.
 *
 * Ownership  imap_account_get .. imap_account_put.
 * Threads    The table locks inside and asks the store without the lock; a
 *            struct imap_account does not change while it is held.
 * Errors     RC_TEMP: the store did not answer.
 * Limits     As many entries as there are sessions.
 */
#ifndef IMAP_ACCOUNT_H
#define IMAP_ACCOUNT_H

#include "store/store_client.h"

struct imap_accounts;

struct imap_account {
	struct str id; /* directory id */
	unsigned char key[32];
};

struct imap_accounts *imap_accounts_new(struct store_client *store);
void imap_accounts_free(struct imap_accounts **t);

/* Makes mailbox and default folders at the first login ever. */
MUST_CHECK enum rc imap_account_get(struct imap_accounts *t, struct str id,
    struct deadline dl, const struct imap_account **out);
void imap_account_put(struct imap_accounts *t, const struct imap_account **a);

#endif
