/*
 * A ticket is a random 256-bit number, so looking it up in a hash table tells
 * a guesser nothing.  A ticket shown to the wrong service is used up.
 */
#include <gnutls/crypto.h>
#include <pthread.h>
#include <string.h>
#include <uthash.h>

#include "directory/ticket.h"

#define RAW_LEN 32u

struct ticket {
	UT_hash_handle hh;
	int64_t until_ns;
	unsigned char raw[RAW_LEN];
	size_t nid, naddress, nlogin, nservice;
	char bytes[]; /* id, address, login, service */
};

struct dir_tickets {
	pthread_mutex_t lock;
	struct ticket *all; /* in order of issue, so of expiry */
};

struct dir_tickets *
dir_tickets_new(void)
{
	struct dir_tickets *t = xcalloc(1, sizeof(*t));

	pthread_mutex_init(&t->lock, NULL);
	return t;
}

static void
drop(struct dir_tickets *t, struct ticket *k)
{
	HASH_DELETE(hh, t->all, k);
	explicit_bzero(k->raw, sizeof(k->raw));
	xfree(k);
}

void
dir_tickets_free(struct dir_tickets **tp)
{
	struct dir_tickets *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	while (t->all)
		drop(t, t->all);
	pthread_mutex_destroy(&t->lock);
	xfree(t);
}

static char *
put(char *p, struct str s)
{
	if (s.n)
		memcpy(p, s.p, s.n);
	return p + s.n;
}

struct str
dir_ticket_issue(struct dir_tickets *t, struct arena *a,
    const struct dir_account *x, struct str service, int64_t now)
{
	struct ticket *k = xcalloc(
	    1, sizeof(*k) + x->id.n + x->address.n + x->login.n + service.n);

	if (gnutls_rnd(GNUTLS_RND_KEY, k->raw, RAW_LEN) < 0)
		panic("no random bytes");
	k->until_ns = now + DIR_TICKET_S * 1000000000ll;
	k->nid = x->id.n;
	k->naddress = x->address.n;
	k->nlogin = x->login.n;
	k->nservice = service.n;
	put(put(put(put(k->bytes, x->id), x->address), x->login), service);
	pthread_mutex_lock(&t->lock);
	while (t->all != NULL && (t->all->until_ns <= now ||
				     HASH_COUNT(t->all) >= DIR_TICKETS_MAX))
		drop(t, t->all);
	HASH_ADD(hh, t->all, raw, RAW_LEN, k);
	pthread_mutex_unlock(&t->lock);
	return str_hex(a, str_n(k->raw, RAW_LEN));
}

enum rc
dir_ticket_use(struct dir_tickets *t, struct arena *a, struct str ticket,
    struct str service, int64_t now, struct dir_account *out)
{
	struct ticket *k = NULL;
	struct str raw;
	const char *p;

	if (ticket.n != DIR_TICKET_LEN || str_unhex(a, ticket, &raw) != RC_OK)
		return RC_DENY;
	pthread_mutex_lock(&t->lock);
	HASH_FIND(hh, t->all, raw.p, RAW_LEN, k);
	if (k != NULL)
		HASH_DELETE(hh, t->all, k);
	pthread_mutex_unlock(&t->lock);
	if (k == NULL)
		return RC_DENY;
	p = k->bytes + k->nid + k->naddress + k->nlogin;
	if (k->until_ns <= now || !str_eq(str_n(p, k->nservice), service)) {
		xfree(k);
		return RC_DENY;
	}
	p = k->bytes;
	*out = (struct dir_account){ 0 };
	out->id = str_dup(a, str_n(p, k->nid));
	out->address = str_dup(a, str_n(p + k->nid, k->naddress));
	out->login = str_dup(a, str_n(p + k->nid + k->naddress, k->nlogin));
	xfree(k);
	return RC_OK;
}
