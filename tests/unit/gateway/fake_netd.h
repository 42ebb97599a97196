/*
 * fake_netd - netd, directory, delivery, policy and settings for the SMTP
 * engine's tests: everything a session reaches for, in one process and one
 * thread.
 *
 * fake_run feeds bytes to a session in pieces of `step` bytes and collects
 * what it says, so that every dialogue can be run whole and byte by byte.
 */
#ifndef FAKE_NETD_H
#define FAKE_NETD_H

#include "gateway/gw_smtp.h"

struct fake {
	/* what the test sets */
	unsigned tag; /* enum gw_port */
	uid_t uid;    /* GW_LOCAL */
	bool has_tls, tls;
	struct str ip;
	enum rc dir_rc;       /* of every directory call */
	enum rc submit_rc[2]; /* of the first and second submit */
	enum rc sign_rc;      /* of the signer, if gw.sgn is set */
	struct conf conf;
	/* Policy's answers to the first and second question; both RC_TEMP as
	 * long as nothing is said. */
	enum rc check_rc[2];
	struct pol_verdict verdict;
	/* what the test reads */
	unsigned checks;
	bool junk, hold;
	struct buf out;
	bool closed;
	unsigned wakes; /* that were asked for by the clock */
	unsigned submits, dir_calls, member_calls;
	struct buf body, trace, edits, from, rcpts;
	char first_id[16];
	bool same_id;
	/* inside */
	struct gw gw;
	bool woken;
	int wakers;
};

void fake_init(struct fake *f, unsigned tag);
void fake_free(struct fake *f);
/* The whole dialogue; the session is closed at the end. */
void fake_run(struct fake *f, struct str input, size_t step);

#endif
