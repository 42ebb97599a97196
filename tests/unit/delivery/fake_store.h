/*
 * A store in memory: keeps queue items, remembers what it was asked, answers
 * as the test says.
 */
#ifndef TESTS_UNIT_DELIVERY_FAKE_STORE_H
#define TESTS_UNIT_DELIVERY_FAKE_STORE_H

#include <pthread.h>

#include "store/store_client.h"

#define FAKE_ITEMS   8u
#define FAKE_ENTRIES 8u

struct store_client {
	pthread_mutex_t lock;
	struct arena a;
	enum rc answer;    /* to everything */
	size_t weight_max; /* of what an update leaves; 0: any */
	struct store_queue_item item[FAKE_ITEMS];
	size_t nitem;
	_Atomic unsigned updates, delivered; /* by updates */
	/* Somebody is faster: called once, before the next update. */
	void (*before)(struct store_client *s);
	/* Or before a page that was read arrives; without the lock. */
	void (*listed)(struct store_client *s);
	struct str last_account;

	struct str queued_body; /* of every queued message */
	_Atomic bool damaged;   /* it cannot be read */

	/* the last submit, copied */
	_Atomic unsigned submits;
	struct str op_id, meta, body, edits, prefix;
	size_t nto, nqueue;
	uint64_t first_entry;    /* what the answer says */
	struct str first_queued; /* address of the first entry */
	struct str first_to;     /* account of the first copy */
	bool has_fd;
	void (*done)(void *arg, enum rc rc, const struct store_submitted *out);
	void *arg;
};

void fake_store_init(struct store_client *s);
void fake_store_free(struct store_client *s);
/* A message with one entry; returns the entry to change. */
struct store_queued *fake_store_add(
    struct store_client *s, const char *message_id, const char *dir_id);
/* Answer the submit that waits. */
void fake_store_commit(struct store_client *s, enum rc rc);
/* Entries left in the queue. */
size_t fake_store_entries(struct store_client *s);

#endif
