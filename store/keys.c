/*
 * The key file is read once and kept in memory; it grows by a record when an
 * account appears, which is synced before the account can be named in the
 * log.
 *
 * A bad record is a torn one only at the very end; anywhere else it is damage
 * and stops the store, because what it held opens somebody's mail.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "store/keys.h"
#include "store/sum.h"

#define KIND_ACCOUNT 1
#define KIND_QUEUE   2
#define BOX          (SEAL_KEY + SEAL_BOX)
#define KEYS_MAX     4000000u

#define MAGIC "GPKEYS\r\n"

struct entry {
	char id[ACCOUNT_ID_MAX];
	size_t id_n;
	struct key key;
	UT_hash_handle by_account, by_number;
};

struct keys {
	struct log log;
	const struct io *io;
	char *path, *dir;
	int fd;
	unsigned char master[SEAL_KEY];
	unsigned char store[KEYS_STORE_ID];
	uint64_t end;
	bool failed; /* a sync failed: what is on disk is unknown */
	struct key queue;
	pthread_mutex_t lock; /* guards what follows */
	struct entry *accounts, *numbers;
	uint32_t last_id;
};

enum rc
keys_master_parse(struct str text, unsigned char out[SEAL_KEY])
{
	AUTO_ARENA a = { 0 };
	struct str raw = text;

	if (text.n != SEAL_KEY) {
		while (text.n > 0 && (text.p[text.n - 1] == '\n' ||
					 text.p[text.n - 1] == '\r'))
			text.n--;
		if (text.n != 2 * SEAL_KEY || str_unhex(&a, text, &raw))
			return RC_BAD;
	}
	memcpy(out, raw.p, SEAL_KEY);
	if (raw.p != text.p) {
		union {
			const char *in;
			void *out;
		} p = { .in = raw.p };

		seal_wipe(p.out, SEAL_KEY);
	}
	return RC_OK;
}

static void
key_aad(
    const struct keys *k, struct str account, uint32_t id, struct seal_aad *aad)
{
	char who[KEYS_STORE_ID + ACCOUNT_ID_MAX];

	memcpy(who, k->store, KEYS_STORE_ID);
	if (account.n > 0)
		memcpy(who + KEYS_STORE_ID, account.p, account.n);
	seal_aad(aad, SEAL_ACCOUNT_KEY, str_n(who, KEYS_STORE_ID + account.n),
	    id, 0);
}

static void
add_entry(struct keys *k, struct str account, const struct key *key)
{
	struct entry *e = xcalloc(1, sizeof(*e));

	memcpy(e->id, account.p, account.n);
	e->id_n = account.n;
	e->key = *key;
	HASH_ADD_KEYPTR(by_account, k->accounts, e->id, e->id_n, e);
	HASH_ADD(by_number, k->numbers, key.id, sizeof(uint32_t), e);
}

enum rc
keys_record_get(const unsigned char b[KEYS_RECORD], uint64_t offset,
    struct keys_record *out)
{
	size_t n = b[5];

	if (le_get(b + 152, 8) != sum_of(offset, b, 152) ||
	    n > ACCOUNT_ID_MAX || le_get(b, 4) == 0 ||
	    !((b[4] == KIND_ACCOUNT && n > 0) ||
		(b[4] == KIND_QUEUE && n == 0)))
		return RC_BAD;
	*out = (struct keys_record){ .id = (uint32_t)le_get(b, 4),
		.kind = b[4],
		.made_at = le_get(b + 8, 8),
		.account = str_n(b + 16, n),
		.box = str_n(b + 80, BOX) };
	return RC_OK;
}

static enum rc
take_record(struct keys *k, const unsigned char b[KEYS_RECORD], uint64_t off)
{
	struct keys_record r;
	struct seal_aad aad;
	struct key key;
	struct entry *e;

	if (keys_record_get(b, off, &r) != RC_OK || r.id <= k->last_id)
		return RC_BAD;
	key_aad(k, r.account, r.id, &aad);
	key.id = r.id;
	if (seal_open(k->master, &aad, r.box, key.b) != RC_OK) {
		log_error(&k->log, "keys.master",
		    KVC("why", "the master key does not open this key file"));
		return RC_DENY;
	}
	k->last_id = r.id;
	HASH_FIND(by_account, k->accounts, r.account.p, r.account.n, e);
	if (r.kind == KIND_QUEUE)
		k->queue = key;
	else if (e != NULL)
		return RC_BAD;
	else
		add_entry(k, r.account, &key);
	seal_wipe(&key, sizeof(key));
	return RC_OK;
}

static enum rc
damaged(struct keys *k, uint64_t off)
{
	log_error(
	    &k->log, "keys.damaged", KVC("path", k->path), KVU("offset", off));
	return RC_BAD;
}

/*
 * A torn record is at the end of the file and cut off here, before anything
 * is put behind it.
 */
static enum rc
load(struct keys *k, uint64_t size)
{
	unsigned char b[KEYS_RECORD];
	uint64_t off = KEYS_HEADER;

	for (; off + KEYS_RECORD <= size; off += KEYS_RECORD) {
		enum rc rc = fd_pread_all(k->fd, b, sizeof(b), off);

		if (rc != RC_OK)
			return RC_TEMP;
		rc = take_record(k, b, off);
		if (rc == RC_BAD && off + 2 * KEYS_RECORD > size)
			break;
		if (rc != RC_OK)
			return rc == RC_BAD ? damaged(k, off) : rc;
	}
	k->end = off;
	if (size == off)
		return RC_OK;
	log_warn(&k->log, "keys.torn", KVU("offset", off));
	if (io_ftruncate(k->io, k->fd, off) != RC_OK)
		return RC_TEMP;
	return RC_OK;
}

static enum rc
read_header(struct keys *k)
{
	unsigned char b[KEYS_HEADER];

	if (fd_pread_all(k->fd, b, sizeof(b), 0) != RC_OK)
		return RC_TEMP;
	if (memcmp(b, MAGIC, 8) != 0)
		return damaged(k, 0);
	if (le_get(b + 8, 4) > KEYS_FORMAT) {
		log_error(&k->log, "keys.format",
		    KVU("found", le_get(b + 8, 4)), KVU("known", KEYS_FORMAT));
		return RC_DENY;
	}
	if (le_get(b + 56, 8) != sum_of(0, b, 56))
		return damaged(k, 0);
	memcpy(k->store, b + 16, KEYS_STORE_ID);
	return RC_OK;
}

static enum rc
append(struct keys *k, struct str account, unsigned kind, struct key *out)
{
	unsigned char b[KEYS_RECORD] = { 0 };
	struct seal_aad aad;
	AUTO_BUF box;
	enum rc rc;

	buf_init(&box, BOX);
	if (k->failed || k->last_id >= KEYS_MAX)
		return RC_TEMP;
	out->id = k->last_id + 1;
	seal_random(out->b, SEAL_KEY);
	key_aad(k, account, out->id, &aad);
	if (seal_box(k->master, &aad, str_n(out->b, SEAL_KEY), &box) != RC_OK)
		return RC_TEMP;
	le_put(b, out->id, 4);
	b[4] = (unsigned char)kind;
	b[5] = (unsigned char)account.n;
	le_put(b + 8, (uint64_t)now_unix(), 8);
	if (account.n > 0)
		memcpy(b + 16, account.p, account.n);
	memcpy(b + 80, box.p, BOX);
	le_put(b + 152, sum_of(k->end, b, 152), 8);
	rc = io_pwrite(k->io, k->fd, b, sizeof(b), k->end);
	if (rc == RC_OK && io_fdatasync(k->io, k->fd) != RC_OK) {
		k->failed = true;
		rc = RC_TEMP;
	}
	if (rc != RC_OK) {
		log_error(
		    &k->log, "keys.write", KVC("path", k->path), KVE(errno));
		return rc;
	}
	k->end += KEYS_RECORD;
	k->last_id = out->id;
	return RC_OK;
}

/*
 * Made under another name and renamed when it is whole, so that there is
 * never half a key file.
 */
static enum rc
create(struct keys *k)
{
	unsigned char b[KEYS_HEADER] = { 0 };
	AUTO_ARENA a = { 0 };
	const char *tmp = str_fmt(&a, "%s.new", k->path).p;

	seal_random(k->store, KEYS_STORE_ID);
	memcpy(b, MAGIC, 8);
	le_put(b + 8, KEYS_FORMAT, 4);
	memcpy(b + 16, k->store, KEYS_STORE_ID);
	le_put(b + 56, sum_of(0, b, 56), 8);
	k->fd = io_open(k->io, tmp, O_RDWR | O_CREAT | O_TRUNC, 0600);
	k->end = KEYS_HEADER;
	if (k->fd < 0 || io_pwrite(k->io, k->fd, b, sizeof(b), 0) != RC_OK ||
	    append(k, STR(""), KIND_QUEUE, &k->queue) != RC_OK ||
	    io_rename(k->io, tmp, k->path) != RC_OK ||
	    io_syncdir(k->io, k->dir) != RC_OK) {
		log_error(&k->log, "keys.create", KVC("path", tmp), KVE(errno));
		return RC_TEMP;
	}
	return RC_OK;
}

/*
 * What was read may be in the page cache only (the process was killed
 * between write and sync): write the last record again and sync it.
 */
static enum rc
settle(struct keys *k)
{
	unsigned char b[KEYS_RECORD];
	uint64_t off = k->end - KEYS_RECORD;

	if (fd_pread_all(k->fd, b, sizeof(b), off) != RC_OK ||
	    io_pwrite(k->io, k->fd, b, sizeof(b), off) != RC_OK ||
	    io_fdatasync(k->io, k->fd) != RC_OK) {
		log_error(
		    &k->log, "keys.settle", KVC("path", k->path), KVE(errno));
		return RC_TEMP;
	}
	return RC_OK;
}

static enum rc
open_or_create(struct keys *k)
{
	struct stat st;
	enum rc rc;

	k->fd = io_open(k->io, k->path, O_RDWR, 0);
	if (k->fd < 0 && errno == ENOENT)
		return create(k);
	if (k->fd < 0 || fstat(k->fd, &st) != 0) {
		log_error(
		    &k->log, "keys.open", KVC("path", k->path), KVE(errno));
		return RC_TEMP;
	}
	rc = read_header(k);
	if (rc == RC_OK)
		rc = load(k, (uint64_t)st.st_size);
	if (rc == RC_OK && k->queue.id == 0)
		rc = damaged(k, KEYS_HEADER);
	return rc == RC_OK ? settle(k) : rc;
}

enum rc
keys_open(const struct log *log, const struct io *io, const char *dir,
    const unsigned char master[SEAL_KEY], unsigned char store[KEYS_STORE_ID],
    struct keys **out)
{
	struct keys *k = xcalloc(1, sizeof(*k));
	size_t n = strlen(dir) + 1;
	enum rc rc;

	k->log = *log;
	k->io = io;
	k->fd = -1;
	memcpy(k->master, master, SEAL_KEY);
	k->dir = xmalloc(n);
	memcpy(k->dir, dir, n);
	k->path = xmalloc(n + 5);
	(void)snprintf(k->path, n + 5, "%s/keys", dir);
	pthread_mutex_init(&k->lock, NULL);
	rc = open_or_create(k);
	if (rc != RC_OK)
		keys_free(&k);
	else
		memcpy(store, k->store, KEYS_STORE_ID);
	*out = k;
	return rc;
}

void
keys_free(struct keys **kp)
{
	struct keys *k = *kp;
	struct entry *e, *next;

	if (k == NULL)
		return;
	HASH_CLEAR(by_number, k->numbers);
	HASH_ITER(by_account, k->accounts, e, next)
	{
		HASH_DELETE(by_account, k->accounts, e);
		seal_wipe(e, sizeof(*e));
		xfree(e);
	}
	fd_close(&k->fd);
	pthread_mutex_destroy(&k->lock);
	xfree(k->dir);
	xfree(k->path);
	seal_wipe(k, sizeof(*k));
	xfree(k);
	*kp = NULL;
}

enum rc
keys_find(struct keys *k, struct str account, struct key *out)
{
	struct entry *e = NULL;

	pthread_mutex_lock(&k->lock);
	HASH_FIND(by_account, k->accounts, account.p, account.n, e);
	if (e != NULL)
		*out = e->key;
	pthread_mutex_unlock(&k->lock);
	return e != NULL ? RC_OK : RC_NOENT;
}

enum rc
keys_by_id(struct keys *k, uint32_t id, struct key *out)
{
	struct entry *e = NULL;

	if (id == k->queue.id) {
		*out = k->queue;
		return RC_OK;
	}
	pthread_mutex_lock(&k->lock);
	HASH_FIND(by_number, k->numbers, &id, sizeof(id), e);
	if (e != NULL)
		*out = e->key;
	pthread_mutex_unlock(&k->lock);
	return e != NULL ? RC_OK : RC_NOENT;
}

bool
keys_fits(struct keys *k, uint32_t id, struct str account)
{
	struct entry *e = NULL;
	bool fits;

	pthread_mutex_lock(&k->lock);
	HASH_FIND(by_number, k->numbers, &id, sizeof(id), e);
	fits = e != NULL ? str_eq(str_n(e->id, e->id_n), account)
			 : id <= k->last_id && id != k->queue.id;
	pthread_mutex_unlock(&k->lock);
	return fits;
}

void
keys_queue(struct keys *k, struct key *out)
{
	*out = k->queue;
}

enum rc
keys_ensure(struct keys *k, struct str account, struct key *out)
{
	enum rc rc = keys_find(k, account, out);

	if (rc != RC_NOENT)
		return rc;
	if (account.n == 0 || account.n > ACCOUNT_ID_MAX)
		return RC_BAD;
	rc = append(k, account, KIND_ACCOUNT, out);
	if (rc != RC_OK)
		return rc;
	pthread_mutex_lock(&k->lock);
	add_entry(k, account, out);
	pthread_mutex_unlock(&k->lock);
	return RC_OK;
}

size_t
keys_count(struct keys *k)
{
	size_t n;

	pthread_mutex_lock(&k->lock);
	n = HASH_CNT(by_account, k->accounts);
	pthread_mutex_unlock(&k->lock);
	return n;
}
