/*
 * keys - the key file: one key per account, and the queue's, each wrapped
 * under the master key.
 *
 * It is a file of its own, with a backup of its own and a short retention,
 * so that a key erased here erases the mail that needs it everywhere.
 *
 * Format     DIR/keys.  Header of 64 bytes: "GPKEYS\r\n", u32 format, u32
 *            zero, 16 bytes store id, 16 zero, u64 zero, u64 sum.  Then
 *            records of 160 bytes: u32 key id (ascending), u8 kind (1 account,
 *            2 queue), u8 length of the account id, u16 zero, u64 unix time,
 *            64 bytes account id (zero-filled), 60 bytes box (the key sealed
 *            under the master key, bound to store, account id and key id), 12
 * zero, u64 sum seeded with the offset.  A torn last record is cut off.
 * Ownership  Keys are wiped when freed.
 * Threads    keys_add has one caller at a time; lookups from any thread.
 * Errors     RC_DENY: a later format, or the master key is not this file's;
 *            RC_BAD: damaged before its end; RC_TEMP: disk.
 */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "lib/log.h"
#include "store/io.h"
#include "store/rec.h"
#include "store/seal.h"

#define KEYS_FORMAT   1u
#define KEYS_HEADER   64u
#define KEYS_RECORD   160u
#define KEYS_STORE_ID 16u

struct keys;

struct key {
	uint32_t id;
	unsigned char b[SEAL_KEY];
};

/* 32 bytes, or 64 hexadecimal digits and a newline.  RC_BAD. */
MUST_CHECK enum rc keys_master_parse(
    struct str text, unsigned char out[SEAL_KEY]);

/*
 * Open, or make with a new store id and the queue's key.  *store says whose
 * it is.
 */
MUST_CHECK enum rc keys_open(const struct log *log, const struct io *io,
    const char *dir, const unsigned char master[SEAL_KEY],
    unsigned char store[KEYS_STORE_ID], struct keys **out);
void keys_free(struct keys **k);
/* RC_NOENT: there is none. */
MUST_CHECK enum rc keys_find(
    struct keys *k, struct str account, struct key *out);
MUST_CHECK enum rc keys_by_id(struct keys *k, uint32_t id, struct key *out);
void keys_queue(struct keys *k, struct key *out);
/*
 * Is this file as new as who names that account's key?  One that is missing
 * among the others was erased on purpose; an older file ends before it, or
 * was written on and gave its number to somebody else.
 */
bool keys_fits(struct keys *k, uint32_t id, struct str account);
/* The account's key, made if there is none: durable when this returns. */
MUST_CHECK enum rc keys_ensure(
    struct keys *k, struct str account, struct key *out);
size_t keys_count(struct keys *k);

/* One record; for the fuzzer and the check.  RC_BAD: damaged. */
struct keys_record {
	uint32_t id;
	uint8_t kind;
	uint64_t made_at;
	struct str account, box;
};
MUST_CHECK enum rc keys_record_get(const unsigned char b[KEYS_RECORD],
    uint64_t offset, struct keys_record *out);

#endif
