/*
 * Open addressing over the 16 bytes of a UUID.  Those bytes are random enough
 * to be their own hash, except that some directories hand out ids that count
 * up (version 1), so the words are mixed once.  An address without an id is
 * represented by 16 bytes of its SHA-256.
 */
#include <gnutls/crypto.h>
#include <string.h>

#include "delivery/dlv_people.h"

#define FIRST_SIZE 16u
#define SAVED_V1   1

static const unsigned char nobody[DLV_ID_BYTES];

static int
hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* 8-4-4-4-12 hexadecimal digits; the nil id names nobody. */
static enum rc
parse(struct str id, unsigned char out[DLV_ID_BYTES])
{
	size_t k = 0;

	if (id.n != DIR_ID_LEN)
		return RC_BAD;
	for (size_t i = 0; i < id.n;) {
		int hi, lo;

		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (id.p[i++] != '-')
				return RC_BAD;
			continue;
		}
		hi = hex_value(id.p[i]);
		lo = hex_value(id.p[i + 1]);
		if (hi < 0 || lo < 0)
			return RC_BAD;
		out[k++] = (unsigned char)(hi << 4 | lo);
		i += 2;
	}
	return memcmp(out, nobody, DLV_ID_BYTES) == 0 ? RC_BAD : RC_OK;
}

static enum rc
key_of(struct str id, struct str address, unsigned char out[DLV_ID_BYTES])
{
	unsigned char digest[32];
	AUTO_ARENA a = { 0 };

	if (id.n > 0)
		return parse(id, out);
	if (address.n == 0)
		return RC_BAD;
	address = str_lower(&a, address);
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, address.p, address.n, digest) !=
	    0)
		panic("no SHA-256");
	memcpy(out, digest, DLV_ID_BYTES);
	return RC_OK;
}

static size_t
slot_of(const struct dlv_people *p, const unsigned char id[DLV_ID_BYTES])
{
	uint64_t x, y;
	size_t i;

	memcpy(&x, id, sizeof(x));
	memcpy(&y, id + sizeof(x), sizeof(y));
	x = (x ^ (y << 1 | y >> 63)) * 0x9e3779b97f4a7c15u;
	i = (size_t)(x >> 32) & (p->size - 1);
	while (memcmp(p->slot[i], nobody, DLV_ID_BYTES) != 0 &&
	       memcmp(p->slot[i], id, DLV_ID_BYTES) != 0)
		i = (i + 1) & (p->size - 1);
	return i;
}

void
dlv_people_init(struct dlv_people *p, struct arena *a)
{
	*p = (struct dlv_people){ .a = a };
}

static void
grow(struct dlv_people *p)
{
	struct dlv_people old = *p;

	p->size = old.size ? old.size * 2 : FIRST_SIZE;
	p->slot = arena_calloc(p->a, p->size, sizeof(p->slot[0]));
	for (size_t i = 0; i < old.size; i++) {
		if (memcmp(old.slot[i], nobody, DLV_ID_BYTES) != 0)
			memcpy(p->slot[slot_of(p, old.slot[i])], old.slot[i],
			    DLV_ID_BYTES);
	}
}

static enum rc
add_bytes(struct dlv_people *p, const unsigned char id[DLV_ID_BYTES], bool *new)
{
	size_t i;

	if (p->n >= p->size / 2)
		grow(p);
	i = slot_of(p, id);
	*new = memcmp(p->slot[i], nobody, DLV_ID_BYTES) == 0;
	if (!*new)
		return RC_OK;
	if (p->n >= DLV_PEOPLE_MAX)
		return RC_DENY;
	memcpy(p->slot[i], id, DLV_ID_BYTES);
	p->n++;
	return RC_OK;
}

enum rc
dlv_people_add(
    struct dlv_people *p, struct str id, struct str address, bool *out_new)
{
	unsigned char key[DLV_ID_BYTES];

	*out_new = false;
	if (key_of(id, address, key) != RC_OK)
		return RC_BAD;
	return add_bytes(p, key, out_new);
}

bool
dlv_people_has(const struct dlv_people *p, struct str id, struct str address)
{
	unsigned char key[DLV_ID_BYTES];

	if (p->size == 0 || key_of(id, address, key) != RC_OK)
		return false;
	return memcmp(p->slot[slot_of(p, key)], nobody, DLV_ID_BYTES) != 0;
}

enum rc
dlv_people_load(struct dlv_people *p, struct str saved)
{
	if (saved.n == 0)
		return RC_OK;
	if (saved.p[0] != SAVED_V1 || (saved.n - 1) % DLV_ID_BYTES != 0)
		return RC_BAD;
	for (size_t i = 1; i < saved.n; i += DLV_ID_BYTES) {
		unsigned char id[DLV_ID_BYTES];
		bool new;
		enum rc rc;

		memcpy(id, saved.p + i, DLV_ID_BYTES);
		if (memcmp(id, nobody, DLV_ID_BYTES) == 0)
			return RC_BAD;
		rc = add_bytes(p, id, &new);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

struct str
dlv_people_save(const struct dlv_people *p, struct arena *a)
{
	char *out, *q;

	if (p->n == 0)
		return STR("");
	out = q = arena_alloc(a, 1 + p->n * DLV_ID_BYTES);
	*q++ = SAVED_V1;
	for (size_t i = 0; i < p->size; i++) {
		if (memcmp(p->slot[i], nobody, DLV_ID_BYTES) == 0)
			continue;
		memcpy(q, p->slot[i], DLV_ID_BYTES);
		q += DLV_ID_BYTES;
	}
	return str_n(out, (size_t)(q - out));
}
