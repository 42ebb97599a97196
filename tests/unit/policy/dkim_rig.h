/*
 * dkim_rig - messages signed by libopendkim, and the keys to check them.
 *
 * Ownership  Everything lives in the arena that is passed.
 */
#ifndef TESTS_DKIM_RIG_H
#define TESTS_DKIM_RIG_H

#include "policy/pol_dkim.h"

enum dkim_rig_key {
	RIG_RSA, /* 2048 bits */
	RIG_ED25519,
	RIG_SHORT, /* 512 bits */
};

struct dkim_rig_sign {
	enum dkim_rig_key key;
	const char *domain, *selector;
	bool sha1;
	long length;    /* l=; -1 none */
	uint64_t at;    /* t=; 0: now */
	uint64_t valid; /* x= that much later; 0 none */
	bool simple;    /* canonicalization */
};

/* The signature field with its CRLF. */
struct str dkim_rig_field(
    struct arena *a, struct str message, const struct dkim_rig_sign *how);
/* The TXT record of the key. */
struct str dkim_rig_txt(struct arena *a, enum dkim_rig_key key);

#endif
