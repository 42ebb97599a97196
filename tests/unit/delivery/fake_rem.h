/*
 * Remote as a table: says of each address what its local part says, keeps what
 * it was asked, answers at once or when told to.
 *
 *   ok@, ok+...@    taken           no@   550
 *   later@          451             down@ nobody can be reached
 *   dsn@            taken by a server with DSN
 *   wordy...@       450 and a thousand bytes
 */
#ifndef TESTS_UNIT_DELIVERY_FAKE_REM_H
#define TESTS_UNIT_DELIVERY_FAKE_REM_H

#include <pthread.h>

#include "delivery/rem_client.h"
#include "policy/sgn_client.h"

#define FAKE_SENDS 64u

struct fake_sent {
	struct str id, hop, from, prefix, body, address, orcpt, envid;
	unsigned notify;
	size_t nto;
	int64_t ms; /* how long it may take */
	void (*done)(void *arg, enum rc rc, const struct rem_outcome *out);
	void *arg;
	struct rem_message m;
	bool answered;
};

struct rem_client {
	pthread_mutex_t lock;
	struct arena a;
	bool silent;   /* answers come when fake_rem_answer is called */
	unsigned mute; /* so many are answered RC_TEMP first */
	struct fake_sent sent[FAKE_SENDS];
	size_t nsent;
};

/* A signer that has the key of one domain, or none. */
struct sgn_client {
	enum rc rc;
	const char *domain;
	_Atomic unsigned asked;
};

void fake_rem_init(struct rem_client *r);
void fake_rem_free(struct rem_client *r);
/* Answer the i-th message. */
void fake_rem_answer(struct rem_client *r, size_t i, enum rc rc);
size_t fake_rem_count(struct rem_client *r);

#endif
