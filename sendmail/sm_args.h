/*
 * sm_args - the command line of sendmail(1), as programs have used it for
 * decades and as Postfix understands it.
 *
 * Ownership  Borrows argv.
 * Threads    Pure, but for getopt(3): once in a process, or after
 *            sm_args_reset.
 * Errors     RC_BAD: *why says what is wrong.
 */
#ifndef SENDMAIL_SM_ARGS_H
#define SENDMAIL_SM_ARGS_H

#include "lib/base.h"

enum sm_mode {
	SM_SEND,    /* a message on standard input (-bm) */
	SM_SMTP,    /* SMTP on standard input and output (-bs) */
	SM_LIST,    /* show the queue (-bp, mailq) */
	SM_ALIASES, /* aliases have changed (-bi, newaliases) */
	SM_RETRY,   /* try the queue now (-q) */
	SM_NOTHING, /* -q30m: what a daemon would do here runs elsewhere */
};

struct sm_args {
	enum sm_mode mode;
	bool from_header; /* -t */
	bool dot_ends;    /* a line "." ends the message; off by -i */
	bool has_sender;  /* -f, -r */
	struct str sender;
	bool has_name; /* -F */
	struct str name;
	const char *conf;              /* -C; NULL is the usual one */
	struct str notify, envid, ret; /* as for SMTP, "" none */
	char *const *to;
	size_t nto;
};

MUST_CHECK enum rc sm_args_parse(
    int argc, char **argv, struct sm_args *out, const char **why);
/* For tests: begin anew. */
void sm_args_reset(void);

#endif
