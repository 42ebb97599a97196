/*
 * auth - is this really them?  One name, one person, one bind.
 *
 * A login name is resolved to exactly one account first (none or two: refused
 * without a bind), then the password is checked once, by that entry's DN.
 *
 * Ownership  Answers live in the arena; the password is never copied there.
 * Threads    Any worker; blocks until `dl` at most.
 * Errors     RC_DENY: wrong name or password, or it may not log in (the log
 *            says which); RC_TEMP.
 * Limits     DIR_PASSWORD_MAX bytes, no NUL.
 */
#ifndef DIRECTORY_AUTH_H
#define DIRECTORY_AUTH_H

#include "directory/lookup.h"
#include "directory/ticket.h"

#define DIR_PASSWORD_MAX 1024u

/* The one account that a typed name means; RC_DENY none, two, or barred. */
MUST_CHECK enum rc dir_resolve_login(struct dir *d, struct arena *a,
    struct str name, struct deadline dl, struct dir_trace *t,
    struct dir_account *out, struct str *dn, struct str *pw_changed);
/* The one account of a Kerberos principal "name@REALM". */
MUST_CHECK enum rc dir_resolve_principal(struct dir *d, struct arena *a,
    struct str principal, struct deadline dl, struct dir_account *out);
/* An authorisation identity must be empty or mean the same account. */
MUST_CHECK enum rc dir_same_account(struct dir *d, struct arena *a,
    struct str authzid, struct str id, struct deadline dl);
MUST_CHECK enum rc dir_auth_password(struct dir *d, struct arena *a,
    const struct dir_login *in, struct deadline dl, struct dir_account *out);

#endif
