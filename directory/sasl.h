/*
 * sasl - exchanges that the directory process runs itself: GSSAPI, with our
 * keytab, for people who have a Kerberos ticket.
 *
 * dir_sasl_setup must be the first thing in main: Cyrus SASL takes mutexes
 * only before its first use, and its defaults do nothing.
 *
 * Ownership  An exchange belongs to the table between its steps.
 * Threads    Any worker; one exchange is with one worker at a time.
 * Errors     RC_DENY the exchange failed (the log says why); RC_TEMP our
 *            keytab is not readable; RC_BAD no such mechanism or exchange.
 * Limits     DIR_SASL_MAX exchanges of at most DIR_SASL_S; 64 KiB a message.
 */
#ifndef DIRECTORY_SASL_H
#define DIRECTORY_SASL_H

#include "conf/conf.h"
#include "directory/dir_client.h"

#define DIR_SASL_MAX     1024u
#define DIR_SASL_S       60
#define DIR_SASL_MSG_MAX 65536u

/* Process-wide, once, before threads: mutexes, environment, plug-ins. */
void dir_sasl_setup(const struct log *log, const struct conf *conf);

struct dir_sasls;

struct dir_sasls *dir_sasls_new(const struct log *log, const struct conf *conf);
void dir_sasls_free(struct dir_sasls **s);
/* "GSSAPI", or "" without a keytab or plug-in. */
struct str dir_sasls_mechs(const struct dir_sasls *s);

/* What a step gives. */
struct dir_sasl_out {
	bool done;
	struct str handle;    /* unless done */
	struct str challenge; /* for the client */
	struct str principal; /* done: name@REALM */
	struct str authzid;   /* done: "" or what was asked for */
	/* as given at the start */
	struct str service;
	struct str client_ip;
	bool ticket;
};

MUST_CHECK enum rc dir_sasls_start(struct dir_sasls *s, struct arena *a,
    struct str mech, const struct dir_login *in, bool has_initial,
    struct str initial, struct dir_sasl_out *out);
MUST_CHECK enum rc dir_sasls_step(struct dir_sasls *s, struct arena *a,
    struct str handle, struct str response, struct dir_sasl_out *out);
void dir_sasls_cancel(struct dir_sasls *s, struct str handle);

#endif
