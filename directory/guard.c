/*
 * Tries that are under way count as well once one has failed, or a client
 * with many connections could have all its guesses asked at once.  Before
 * that only a burst limit holds, because mail clients open several sessions
 * with the right password at the same moment.
 */
#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <pthread.h>
#include <string.h>
#include <uthash.h>

#include "directory/guard.h"

#define HASH_LEN 32u
#define S_NS     1000000000ll

/* One account from one network. */
struct source {
	UT_hash_handle hh;
	int64_t failed_ns[DIR_GUARD_TRIES]; /* newest first; 0: none */
	int64_t wait_ns;                    /* put off until then */
	unsigned pending;
	size_t nkey;
	char key[];
};

struct wrong {
	UT_hash_handle hh;
	int64_t until_ns;
	unsigned char hash[HASH_LEN];
};

struct dir_guard {
	pthread_mutex_t lock;
	unsigned char secret[HASH_LEN];
	struct source *sources;
	struct wrong *wrongs;
};

struct dir_guard *
dir_guard_new(void)
{
	struct dir_guard *g = xcalloc(1, sizeof(*g));

	pthread_mutex_init(&g->lock, NULL);
	if (gnutls_rnd(GNUTLS_RND_KEY, g->secret, sizeof(g->secret)) < 0)
		panic("no random bytes");
	return g;
}

static void
drop_source(struct dir_guard *g, struct source *s)
{
	HASH_DELETE(hh, g->sources, s);
	xfree(s);
}

static void
drop_wrong(struct dir_guard *g, struct wrong *w)
{
	HASH_DELETE(hh, g->wrongs, w);
	xfree(w);
}

void
dir_guard_free(struct dir_guard **gp)
{
	struct dir_guard *g = *gp;

	*gp = NULL;
	if (g == NULL)
		return;
	while (g->sources)
		drop_source(g, g->sources);
	while (g->wrongs)
		drop_wrong(g, g->wrongs);
	pthread_mutex_destroy(&g->lock);
	explicit_bzero(g->secret, sizeof(g->secret));
	xfree(g);
}

struct str
dir_guard_net(struct arena *a, struct str ip)
{
	struct in6_addr six;
	struct in_addr four;
	const char *text;

	if (str_cstr(a, ip, &text) != RC_OK)
		return STR("?");
	if (str_has_iprefix(ip, STR("::ffff:")) &&
	    inet_pton(AF_INET, text + 7, &four) == 1)
		return str_hex(a, str_n(&four, 3));
	if (inet_pton(AF_INET, text, &four) == 1)
		return str_hex(a, str_n(&four, 3));
	if (inet_pton(AF_INET6, text, &six) == 1)
		return str_hex(a, str_n(&six, 8));
	return str_c(text);
}

static struct str
source_key(struct arena *a, const struct dir_guard_try *t)
{
	struct str net = dir_guard_net(a, t->client_ip);

	return str_fmt(a, "%.*s %.*s", STRF(t->id), STRF(net));
}

/* Lengths go in too, so that no two triples give the same bytes. */
static void
hash_try(const struct dir_guard *g, const struct dir_guard_try *t,
    unsigned char out[HASH_LEN])
{
	const struct str part[] = { t->id, t->pw_changed, t->password };
	gnutls_hmac_hd_t h;

	if (gnutls_hmac_init(
		&h, GNUTLS_MAC_SHA256, g->secret, sizeof(g->secret)) < 0)
		panic("no HMAC");
	for (size_t i = 0; i < COUNT(part); i++) {
		uint64_t n = part[i].n;

		gnutls_hmac(h, &n, sizeof(n));
		gnutls_hmac(h, part[i].p ? part[i].p : "", part[i].n);
	}
	gnutls_hmac_deinit(h, out);
}

static bool
is_wrong(struct dir_guard *g, const unsigned char hash[HASH_LEN], int64_t now)
{
	struct wrong *w;

	HASH_FIND(hh, g->wrongs, hash, HASH_LEN, w);
	return w != NULL && w->until_ns > now;
}

static void
add_wrong(struct dir_guard *g, const unsigned char hash[HASH_LEN], int64_t now)
{
	struct wrong *w;

	HASH_FIND(hh, g->wrongs, hash, HASH_LEN, w);
	if (w != NULL)
		drop_wrong(g, w);
	while (g->wrongs != NULL && (HASH_COUNT(g->wrongs) >= DIR_GUARD_MAX ||
					g->wrongs->until_ns <= now))
		drop_wrong(g, g->wrongs);
	w = xcalloc(1, sizeof(*w));
	memcpy(w->hash, hash, HASH_LEN);
	w->until_ns = now + DIR_GUARD_S * S_NS;
	HASH_ADD(hh, g->wrongs, hash, HASH_LEN, w);
}

/* Idle ones go; with none idle the table may grow past its bound by what is
   under way, which the workers bound. */
static void
make_room(struct dir_guard *g)
{
	struct source *s = g->sources, *next;

	for (; s != NULL && HASH_COUNT(g->sources) >= DIR_GUARD_MAX; s = next) {
		next = s->hh.next;
		if (s->pending == 0)
			drop_source(g, s);
	}
}

static struct source *
source_of(struct dir_guard *g, struct str key, bool make)
{
	struct source *s;

	HASH_FIND(hh, g->sources, key.p, key.n, s);
	if (s != NULL || !make)
		return s;
	make_room(g);
	s = xcalloc(1, sizeof(*s) + key.n);
	s->nkey = key.n;
	memcpy(s->key, key.p, key.n);
	HASH_ADD_KEYPTR(hh, g->sources, s->key, s->nkey, s);
	return s;
}

static unsigned
recent(const struct source *s, int64_t now)
{
	unsigned n = 0;

	for (size_t i = 0; i < DIR_GUARD_TRIES; i++)
		n += s->failed_ns[i] != 0 &&
		     now - s->failed_ns[i] < DIR_GUARD_S * S_NS;
	return n;
}

enum dir_guard_verdict
dir_guard_begin(struct dir_guard *g, const struct dir_guard_try *t, int64_t now)
{
	AUTO_ARENA a = { 0 };
	struct str key = source_key(&a, t);
	enum dir_guard_verdict v = DIR_GUARD_ASK;
	unsigned char hash[HASH_LEN];
	unsigned failed;
	struct source *s;

	hash_try(g, t, hash);
	pthread_mutex_lock(&g->lock);
	s = source_of(g, key, true);
	failed = recent(s, now);
	if (s->wait_ns > now)
		v = DIR_GUARD_WAIT;
	else if (is_wrong(g, hash, now))
		v = DIR_GUARD_WRONG;
	else if (failed ? failed + s->pending >= DIR_GUARD_TRIES
			: s->pending >= DIR_GUARD_BURST)
		v = DIR_GUARD_WAIT;
	if (v == DIR_GUARD_ASK)
		s->pending++;
	else if (s->pending == 0 && failed == 0 && s->wait_ns <= now)
		drop_source(g, s);
	pthread_mutex_unlock(&g->lock);
	return v;
}

static void
note_failure(struct source *s, int64_t now)
{
	memmove(&s->failed_ns[1], &s->failed_ns[0],
	    (DIR_GUARD_TRIES - 1) * sizeof(s->failed_ns[0]));
	s->failed_ns[0] = now;
	if (recent(s, now) == DIR_GUARD_TRIES)
		s->wait_ns = now + DIR_GUARD_S * S_NS;
}

void
dir_guard_end(struct dir_guard *g, const struct dir_guard_try *t,
    bool wrong_password, int64_t now)
{
	AUTO_ARENA a = { 0 };
	struct str key = source_key(&a, t);
	unsigned char hash[HASH_LEN];
	struct source *s;

	if (wrong_password)
		hash_try(g, t, hash);
	pthread_mutex_lock(&g->lock);
	s = source_of(g, key, wrong_password);
	if (s != NULL && s->pending)
		s->pending--;
	if (wrong_password) {
		assert(s != NULL); /* it was made if it was not there */
		note_failure(s, now);
		add_wrong(g, hash, now);
	} else if (s != NULL && s->pending == 0 && recent(s, now) == 0) {
		drop_source(g, s);
	}
	pthread_mutex_unlock(&g->lock);
}
