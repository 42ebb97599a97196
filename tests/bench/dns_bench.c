/*
 * dns_bench: what a question costs, answered from the cache, alone and by
 * several threads, and not from the cache, one after the other and many at a
 * time, with a server on loopback that answers at once.
 *
 *   dns_bench [ROUNDS]
 */
#include <stdio.h>
#include <sys/resource.h>

#include "tests/unit/lib/dns_peer.h"

#define S       STR_INIT
#define THREADS 4u
#define BATCH   64u

static const struct peer_row rows[] = {
	{ S("\1a\4test\0"), DNS_TXT, PEER_ANSWER,
	    { { 16, S("\13v=spf1 -all") } } },
};

struct load {
	pthread_t thread;
	struct resolver *r;
	size_t rounds;
};

static double
cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void *
ask_cached(void *arg)
{
	struct load *l = arg;
	AUTO_ARENA a = { 0 };
	struct dns_answer x;

	for (size_t i = 0; i < l->rounds; i++) {
		if (resolver_ask(l->r, &a, STR("a.test"), DNS_TXT,
			deadline_in(5000), &x) != RC_OK)
			panic("no answer");
		arena_reset(&a);
	}
	return NULL;
}

static void
ask_by_threads(struct load *l)
{
	struct load t[THREADS];

	for (size_t i = 0; i < THREADS; i++) {
		t[i] =
		    (struct load){ .r = l->r, .rounds = l->rounds / THREADS };
		if (pthread_create(&t[i].thread, NULL, ask_cached, &t[i]) != 0)
			panic("no thread");
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(t[i].thread, NULL);
}

/* Names that nobody asked before, `batch` of them at a time. */
static void
ask_new(struct load *l, size_t batch, const char *series)
{
	struct dns_question q[BATCH];
	struct dns_answer x[BATCH];
	AUTO_ARENA a = { 0 };

	for (size_t i = 0; i < l->rounds; i += batch) {
		for (size_t j = 0; j < batch; j++)
			q[j] = (struct dns_question){
				str_fmt(&a, "%s%zu.test", series, i + j), DNS_A
			};
		resolver_ask_all(l->r, &a, q, batch, deadline_in(5000), x);
		for (size_t j = 0; j < batch; j++)
			if (x[j].rc != RC_NOENT)
				panic("no answer");
		arena_reset(&a);
	}
}

static void
ask_one(struct load *l)
{
	ask_new(l, 1, "one");
}

static void
ask_many(struct load *l)
{
	ask_new(l, BATCH, "many");
}

static void
ask_here(struct load *l)
{
	(void)ask_cached(l);
}

static void
measure(const char *what, void (*run)(struct load *), struct load *l)
{
	double cpu = cpu_s();
	int64_t start = now_ns();

	run(l);
	printf("%-36s %8.2f us wall %8.2f us cpu\n", what,
	    (double)(now_ns() - start) / 1e3 / (double)l->rounds,
	    (cpu_s() - cpu) * 1e6 / (double)l->rounds);
}

int
main(int argc, char **argv)
{
	struct peer peer = { .rows = rows, .nrows = COUNT(rows), .ttl = 3600 };
	struct log_sink *sink = log_sink_new(2, "bench", LOG_WARN);
	const struct log log = { .sink = sink };
	const char *servers[1];
	uint64_t rounds = 12800;
	struct load l;

	if (argc > 1 && str_u64(str_c(argv[1]), 10000000, &rounds) != RC_OK)
		return 2;
	rounds = MAX(rounds / BATCH, 1) * BATCH;
	peer_start(&peer);
	servers[0] = peer.server;
	l.r = resolver_new(
	    &log, &(struct resolver_conf){
		      .servers = servers, .nservers = 1, .cache_max = 10000 });
	if (l.r == NULL)
		return 1;
	l.rounds = (size_t)rounds * 50;
	measure("cached, one thread", ask_here, &l);
	measure("cached, four threads", ask_by_threads, &l);
	l.rounds = (size_t)rounds;
	measure("uncached, one at a time", ask_one, &l);
	measure("uncached, 64 at a time", ask_many, &l);
	resolver_free(&l.r);
	peer_stop(&peer);
	log_sink_free(&sink);
	return 0;
}
