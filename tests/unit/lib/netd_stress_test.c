/*
 * Many clients that do anything in any order, for a second (NETD_STRESS: more
 * seconds), and every answer is checked; certificates are swapped and
 * sessions are woken at random meanwhile, and netd is stopped under load.
 */
#include "tests/unit/lib/netd_rig.h"
#include "tests/unit/lib/test.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS 24

struct user {
	struct rig *rig;
	pthread_t thread;
	uint32_t seed;
	uint64_t answers;
	char fault[256]; /* the first wrong answer */
};

static atomic_bool over;

static uint32_t
dice(struct user *u, uint32_t sides)
{
	u->seed = u->seed * 1664525u + 1013904223u;
	return (u->seed >> 8) % sides;
}

/* The next line, or false when the session is gone. */
static bool
want(struct user *u, struct client *c, const char *line)
{
	char got[512];

	if (!client_line(c, got, sizeof(got)))
		return false;
	if (strcmp(got, "stop") == 0)
		return false;
	if (strcmp(got, line) != 0 && u->fault[0] == '\0')
		snprintf(u->fault, sizeof(u->fault),
		    "got \"%.100s\", "
		    "want \"%.100s\"",
		    got, line);
	u->answers++;
	return strcmp(got, line) == 0;
}

/* A line whose length depends on its number. */
static void
line_of(char line[300], unsigned i)
{
	snprintf(line, 300, "%u %0*u", i, (int)(1 + i * 7 % 250), i);
}

static bool
echoes(struct user *u, struct client *c)
{
	unsigned n = 1 + dice(u, 40);
	AUTO_BUF b = { 0 };
	char line[300];
	size_t cut;

	buf_init(&b, 1u << 16);
	for (unsigned i = 0; i < n; i++) {
		line_of(line, i);
		if (buf_fmt(&b, "ECHO %s\n", line) != RC_OK)
			return false;
	}
	/* in two parts, cut anywhere */
	cut = dice(u, (uint32_t)b.n);
	client_send(c, str_sub(buf_str(&b), 0, cut));
	if (dice(u, 4) == 0)
		sched_yield();
	client_send(c, str_from(buf_str(&b), cut));
	for (unsigned i = 0; i < n; i++) {
		line_of(line, i);
		if (!want(u, c, line))
			return false;
	}
	return true;
}

static bool
big(struct user *u, struct client *c)
{
	static const size_t size = 300000;
	char p[8192];
	size_t got = 0, stop = dice(u, 3) ? size : dice(u, 300000);

	client_send(c, STR("BIG 300000\nECHO end\n"));
	while (got < stop) {
		long n = client_recv(c, p, MIN(sizeof(p), stop - got));

		if (n <= 0 || (got == 0 && over && p[0] == 's'))
			return false; /* "stop" may come first */
		for (long i = 0; i < n; i++, got++)
			if (p[i] != (char)('a' + got % 23) && !u->fault[0])
				snprintf(u->fault, sizeof(u->fault),
				    "wrong byte at %zu", got);
	}
	return stop == size && want(u, c, "end");
}

static bool
later(struct user *u, struct client *c)
{
	client_send(c, STR("LATER 3\nECHO then\n"));
	return want(u, c, "woken") && want(u, c, "then");
}

static bool
start_tls(struct user *u, struct client *c)
{
	if (c->tls != NULL)
		return echoes(u, c);
	client_send(c, STR("TLS\n"));
	return want(u, c, "go") && client_tls(c, NULL) == 0;
}

static bool
slow(struct user *u, struct client *c)
{
	client_send(c, STR("SLEEP 2\nLOGIN\n"));
	return want(u, c, "slept") && want(u, c, "ok");
}

/* From here on it is the back-end's echo; pieces of any size, then the end. */
static bool
relay(struct user *u, struct client *c)
{
	char out[20000], in[20000];
	unsigned rounds = dice(u, 20);

	client_send(c, STR("RELAY\n"));
	for (unsigned i = 0; i < rounds && !over; i++) {
		size_t n = 1 + dice(u, i % 4 ? 100 : sizeof(out)), got = 0;

		for (size_t k = 0; k < n; k++)
			out[k] = (char)('a' + dice(u, 26));
		client_send(c, str_n(out, n));
		while (got < n) {
			long k = client_recv(c, in + got, n - got);

			if (k <= 0)
				return false;
			got += (size_t)k;
		}
		u->answers++;
		if (memcmp(in, out, n) != 0 && !u->fault[0])
			snprintf(u->fault, sizeof(u->fault), "bad echo");
	}
	if (c->tls == NULL && dice(u, 2)) {
		shutdown(c->fd, SHUT_WR);
		while (client_recv(c, in, sizeof(in)) > 0)
			continue;
	}
	return false; /* a relay ends with its session */
}

static void
session(struct user *u)
{
	static bool (*const acts[])(struct user *, struct client *) = { echoes,
		echoes, big, later, start_tls, slow, relay };
	unsigned listener = dice(u, 3), n = dice(u, 12);
	bool go = true;
	struct client c;

	client_open(&c, u->rig, listener);
	if (listener == 1)
		go = client_tls(&c, NULL) == 0;
	go = go && want(u, &c, "hi");
	for (unsigned i = 0; go && i < n && !over; i++)
		go = acts[dice(u, COUNT(acts))](u, &c);
	if (go && dice(u, 2)) {
		client_send(&c, STR("QUIT\n"));
		want(u, &c, "bye");
	} else if (dice(u, 2)) {
		client_send(&c, STR("ECHO cut off in the mid"));
	}
	client_close(&c);
}

static void *
user_main(void *arg)
{
	struct user *u = arg;

	while (!over)
		session(u);
	return NULL;
}

static void
anything_in_any_order(void **state)
{
	const char *more = getenv("NETD_STRESS");
	int64_t until =
	    now_ns() +
	    (more ? (int64_t)strtoul(more, NULL, 10) : 1) * 1000000000;
	static struct user users[CLIENTS];
	AUTO_ARENA a = { 0 };
	const char key[64] = "a key";
	struct tls_pair pair;
	uint64_t answers = 0;
	struct rig r;

	(void)state;
	rig_init(&r);
	r.quick = true;
	r.relay_echo = true;
	rig_start(&r);
	rig_pair(&a, &pair);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		users[i] = (struct user){ .rig = &r, .seed = i * 77 };
		pthread_create(&users[i].thread, NULL, user_main, &users[i]);
	}
	while (now_ns() < until) {
		struct tls_ctx *ctx;
		struct timespec t = { 0, 20000000 };

		assert_rc(
		    tls_ctx_new(&r.log, &pair, 1, str_n(key, 64), &ctx), RC_OK);
		netd_set_tls(r.netd, ctx);
		tls_ctx_unref(&ctx);
		nanosleep(&t, NULL);
	}
	over = true;
	rig_stop(&r, 3000);
	for (unsigned i = 0; i < CLIENTS; i++) {
		pthread_join(users[i].thread, NULL);
		assert_string_equal(users[i].fault, "");
		answers += users[i].answers;
	}
	printf("%llu answers in %u sessions\n", (unsigned long long)answers,
	    r.opened);
	assert_true(answers > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anything_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
