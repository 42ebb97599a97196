/*
 * seal - AES-256-GCM under the store's keys.
 *
 * A box is nonce (12 random bytes), ciphertext, tag (16).  The associated
 * data says what it is and whom it belongs to, so that a box moved to another
 * place does not open.
 *
 * Ownership  Results go to the caller's buffer or arena.  Keys are wiped by
 *            whoever holds them (seal_wipe).
 * Threads    Pure functions.
 * Errors     RC_TEMP: the box does not open (damage or another key), or the
 *            library failed.
 */
#ifndef STORE_SEAL_H
#define STORE_SEAL_H

#include "lib/base.h"

#define SEAL_KEY   32u
#define SEAL_NONCE 12u
#define SEAL_TAG   16u
#define SEAL_BOX   (SEAL_NONCE + SEAL_TAG) /* what a box adds */

/* What a box holds: the first byte of its associated data. */
enum seal_kind {
	SEAL_ACCOUNT_KEY = 1, /* bound to account id and key id */
	SEAL_NAME,            /* mailbox name; bound to account, mailbox */
	SEAL_KEYWORD,         /* bound to mailbox and bit */
	SEAL_LETTER,          /* message key + prefix; account, body */
	SEAL_QUEUE,           /* message key + envelope; body */
	SEAL_ENTRY,           /* queue entry; body, entry */
	SEAL_CHUNK,           /* of content; body, number, flags */
	SEAL_META,            /* body */
};

void seal_random(void *p, size_t n);
void seal_wipe(void *p, size_t n);

struct seal_aad {
	unsigned char b[128];
	size_t n;
};
void seal_aad(struct seal_aad *aad, enum seal_kind kind, struct str who,
    uint64_t a, uint64_t b);

/* Append a box to *out. */
MUST_CHECK enum rc seal_box(const unsigned char key[SEAL_KEY],
    const struct seal_aad *aad, struct str plain, struct buf *out);
/* Open into p, which has room for box.n - SEAL_BOX bytes. */
MUST_CHECK enum rc seal_open(const unsigned char key[SEAL_KEY],
    const struct seal_aad *aad, struct str box, void *p);
/* The same into an arena. */
MUST_CHECK enum rc seal_open_str(struct arena *a,
    const unsigned char key[SEAL_KEY], const struct seal_aad *aad,
    struct str box, struct str *out);

/* A key used for many boxes with nonces given by the caller. */
struct seal_ctx {
	void *h;
};
MUST_CHECK enum rc seal_begin(
    struct seal_ctx *c, const unsigned char key[SEAL_KEY]);
void seal_end(struct seal_ctx *c);
/* out has room for n + SEAL_TAG bytes. */
MUST_CHECK enum rc seal_put(struct seal_ctx *c,
    const unsigned char nonce[SEAL_NONCE], const struct seal_aad *aad,
    const void *p, size_t n, void *out);
/* n includes the tag; out has room for n - SEAL_TAG bytes. */
MUST_CHECK enum rc seal_get(struct seal_ctx *c,
    const unsigned char nonce[SEAL_NONCE], const struct seal_aad *aad,
    const void *p, size_t n, void *out);

/* HMAC-SHA-256 cut to 16 bytes: a name as a key that gives nothing away. */
MUST_CHECK enum rc seal_tag(
    const unsigned char key[SEAL_KEY], struct str name, unsigned char out[16]);

#endif
