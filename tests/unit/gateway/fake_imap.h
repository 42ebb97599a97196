/*
 * fake_imap - netd and the directory for the tests of the login fronts,
 * in one thread; imap itself is a real UNIX socket that the test listens on.
 *
 * People: "ann" and "ben" with the password sec"r\et; by GSSAPI whoever says
 * "step" and then nothing.  The password "broken" makes the directory fail.
 */
#ifndef FAKE_IMAP_H
#define FAKE_IMAP_H

#include "gateway/gw_imap.h"

struct fake_imap {
	/* what the test sets */
	const struct netd_ops *ops; /* gw_imap_ops, or gw_pop3_ops */
	bool has_tls, tls;
	struct str ip;
	enum rc mechs_rc;
	struct conf conf;
	const char *path; /* of imap's socket; NULL: nobody is there */
	/* what the test reads */
	struct buf out;
	enum next end;   /* the last word of the session */
	int delay;       /* longest time a reply was held back, ms */
	struct buf sent; /* to imap: preamble and what follows */
	unsigned logins, cancelled, asked_mechs;
	/* inside */
	struct gw gw;
	int relay_fd;
};

void fake_imap_init(struct fake_imap *f);
void fake_imap_free(struct fake_imap *f);
/* The whole dialogue in pieces of `step` bytes. */
void fake_imap_run(struct fake_imap *f, struct str input, size_t step);

#endif
