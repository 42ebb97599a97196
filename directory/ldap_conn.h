/*
 * ldap_conn - one connection to one directory server, made by a deadline.
 *
 * libldap's own connect holds a process-wide lock around name resolution, so
 * names are resolved and sockets connected here, and libldap is given the
 * socket (ldap_init_fd) with the server's real name in the URL.
 *
 * A target is a server as a pool wants it: for the service (bound as
 * ourselves) or for logins (TLS, not bound).  A GSSAPI service connection on
 * ldap:// seals itself and uses no TLS, because AD refuses a layer inside TLS;
 * a password never travels without TLS.
 *
 * Ownership  A link belongs to its borrower; dir_conn_close frees it.
 * Threads    A link has one user at a time; targets lock inside.
 * Errors     RC_TEMP after logging the cause.
 * Limits     Name resolution has the resolver's own time limits: only threads
 *            that nobody waits for call dir_conn_open.
 */
#ifndef DIRECTORY_LDAP_CONN_H
#define DIRECTORY_LDAP_CONN_H

#include <ldap.h>

#include "conf/conf.h"

enum dir_secure { DIR_PLAIN, DIR_STARTTLS, DIR_LDAPS, DIR_LOCAL };

struct dir_kerberos;
struct dir_target;

struct dir_link {
	LDAP *ld;
	int fd; /* libldap's; for polling only */
	bool tls;
	size_t server;
};

/*
 * For logins NULL is given when the password could only go in clear.
 * `kerberos` is borrowed.
 */
struct dir_target *dir_target_new(const struct log *log,
    const struct conf *conf, struct dir_kerberos *kerberos, const char *url,
    bool login);
void dir_target_free(struct dir_target **t);
/* "ldaps://dc1.example.org:636 (TLS)", for logs and check. */
const char *dir_target_name(const struct dir_target *t);
/* *why (static or in a) says what failed. */
MUST_CHECK enum rc dir_conn_open(struct dir_target *t, struct arena *a,
    struct deadline dl, struct dir_link **out, struct str *why);
/* Still the connection that was made, TLS and all? */
bool dir_conn_intact(const struct dir_link *l);
void dir_conn_close(struct dir_link **l);

#endif
