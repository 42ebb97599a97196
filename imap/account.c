/*
 * The store is asked without the lock, so two sessions of one account that
 * log in at the same moment both ask; whoever comes second finds the first
 * one's entry and wipes its own copy.
 */
#include "imap/account.h"

#include <pthread.h>
#include <string.h>
#include <utlist.h>

#define BUCKETS 1024u

struct entry {
	struct imap_account account; /* first: the handle is its address */
	unsigned refs;
	char id[64];
	struct entry *prev, *next;
};

struct imap_accounts {
	struct store_client *store;
	pthread_mutex_t lock; /* guards bucket and refs */
	struct entry *bucket[BUCKETS];
	unsigned n;
};

struct imap_accounts *
imap_accounts_new(struct store_client *store)
{
	struct imap_accounts *t = xcalloc(1, sizeof(*t));

	t->store = store;
	pthread_mutex_init(&t->lock, NULL);
	return t;
}

void
imap_accounts_free(struct imap_accounts **t)
{
	if (*t == NULL)
		return;
	assert((*t)->n == 0);
	pthread_mutex_destroy(&(*t)->lock);
	xfree(*t);
	*t = NULL;
}

static struct entry **
bucket_of(struct imap_accounts *t, struct str id)
{
	return &t->bucket[str_hash(id) % BUCKETS];
}

static struct entry *
find_ref(struct imap_accounts *t, struct str id)
{
	struct entry *e;

	DL_FOREACH(*bucket_of(t, id), e)
	{
		if (str_eq(e->account.id, id)) {
			e->refs++;
			return e;
		}
	}
	return NULL;
}

static enum rc
ask_store(struct imap_accounts *t, struct str id, struct deadline dl,
    struct store_attach *out)
{
	enum rc rc = store_attach(t->store, id, dl, out);

	if (rc != RC_NOENT)
		return rc;
	rc = store_account_ensure(t->store, id, dl);
	return rc != RC_OK ? rc : store_attach(t->store, id, dl, out);
}

enum rc
imap_account_get(struct imap_accounts *t, struct str id, struct deadline dl,
    const struct imap_account **out)
{
	struct store_attach got;
	struct entry *e;
	enum rc rc;

	if (id.n == 0 || id.n > sizeof(e->id))
		return RC_BAD;
	pthread_mutex_lock(&t->lock);
	e = find_ref(t, id);
	pthread_mutex_unlock(&t->lock);
	if (e != NULL) {
		*out = &e->account;
		return RC_OK;
	}
	rc = ask_store(t, id, dl, &got);
	if (rc != RC_OK)
		return rc;
	pthread_mutex_lock(&t->lock);
	e = find_ref(t, id);
	if (e == NULL) {
		e = xcalloc(1, sizeof(*e));
		e->refs = 1;
		memcpy(e->id, id.p, id.n);
		e->account.id = str_n(e->id, id.n);
		memcpy(e->account.key, got.key, sizeof(got.key));
		DL_PREPEND(*bucket_of(t, id), e);
		t->n++;
	}
	pthread_mutex_unlock(&t->lock);
	explicit_bzero(&got, sizeof(got));
	*out = &e->account;
	return RC_OK;
}

void
imap_account_put(struct imap_accounts *t, const struct imap_account **a)
{
	struct entry *e;

	if (*a == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	e = find_ref(t, (*a)->id);
	assert(e != NULL && &e->account == *a);
	e->refs -= 2; /* the one found with, and the caller's */
	if (e->refs == 0) {
		DL_DELETE(*bucket_of(t, e->account.id), e);
		t->n--;
	} else {
		e = NULL;
	}
	pthread_mutex_unlock(&t->lock);
	if (e != NULL) {
		explicit_bzero(e, sizeof(*e));
		xfree(e);
	}
	*a = NULL;
}
