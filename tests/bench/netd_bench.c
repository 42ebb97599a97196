/*
 * netd_bench - what netd costs: CPU per request, system calls (under strace),
 * memory of idle sessions.
 *
 *   netd_bench serve [quick]         a line service; prints its ports and, at
 *                                    the end of its standard input, what it
 *                                    has used
 *   netd_bench ask PORT tls|clear CLIENTS SECONDS
 *                                    CLIENTS threads, one request at a time
 *   netd_bench idle PORT tls|clear|relay CLIENTS SECONDS
 *                                    connect, say one thing, stay
 *
 * "RELAY" is answered by a thread that keeps its end open, so that an idle
 * relay's memory is measured as well.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/lib/netd_rig.h"

struct asker {
	struct rig *rig;
	pthread_t thread;
	bool tls;
	int64_t until;
	uint64_t asked;
};

/* A number of a line of /proc, in kB. */
static unsigned long
proc_kb(const char *path, const char *key)
{
	FILE *f = fopen(path, "r");
	unsigned long kb = 0;
	char line[256];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			kb = strtoul(line + strlen(key), NULL, 10);
	if (f != NULL)
		fclose(f);
	return kb;
}

static double
cpu_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static void
report(struct rig *r, const char *when)
{
	uint64_t now, accepted, refused;

	netd_stats(r->netd, &now, &accepted, &refused);
	printf("%s: sessions %llu accepted %llu cpu_ms %.1f units %u "
	       "anonymous_kb %lu slab_kb %lu\n",
	    when, (unsigned long long)now, (unsigned long long)accepted,
	    cpu_ms(), r->on_reactor + r->on_worker,
	    proc_kb("/proc/self/smaps_rollup", "Anonymous:"),
	    proc_kb("/proc/meminfo", "SUnreclaim:"));
	fflush(stdout);
}

static int
serve(bool quick)
{
	struct rig r;
	char line[64];

	rig_init(&r);
	r.quick = quick;
	r.conf.max_sessions = r.conf.max_per_source = 20000;
	r.relay_pairs = true;
	rig_start(&r);
	printf("%u %u\n", r.port[0], r.port[1]);
	report(&r, "start");
	/* each line on standard input asks for a report */
	while (fgets(line, sizeof(line), stdin) != NULL)
		report(&r, "now");
	report(&r, "end");
	rig_stop(&r, 1000);
	return 0;
}

static void *
ask(void *arg)
{
	struct asker *a = arg;
	struct client c;

	client_open(&c, a->rig, a->tls);
	if (a->tls && client_tls(&c, NULL) != 0)
		panic("handshake");
	client_expect(&c, "hi");
	while (now_ns() < a->until) {
		client_send(&c, STR("ECHO a line of some forty characters\n"));
		client_expect(&c, "a line of some forty characters");
		a->asked++;
	}
	client_close(&c);
	return NULL;
}

static int
run_askers(struct rig *r, bool tls, unsigned clients, unsigned seconds)
{
	struct asker *all = xcalloc(clients, sizeof(*all));
	uint64_t sum = 0;

	for (unsigned i = 0; i < clients; i++) {
		all[i] = (struct asker){ .rig = r,
			.tls = tls,
			.until = now_ns() + (int64_t)seconds * 1000000000 };
		pthread_create(&all[i].thread, NULL, ask, &all[i]);
	}
	for (unsigned i = 0; i < clients; i++) {
		pthread_join(all[i].thread, NULL);
		sum += all[i].asked;
	}
	printf("requests %llu, %.0f/s\n", (unsigned long long)sum,
	    (double)sum / seconds);
	xfree(all);
	return 0;
}

static int
run_idle(struct rig *r, const char *how, unsigned clients, unsigned seconds)
{
	struct client *all = xcalloc(clients, sizeof(*all));
	bool tls = strcmp(how, "clear") != 0;

	for (unsigned i = 0; i < clients; i++) {
		client_open(&all[i], r, tls);
		if (tls && client_tls(&all[i], NULL) != 0)
			panic("handshake");
		client_expect(&all[i], "hi");
		client_send(&all[i], STR("ECHO x\n"));
		client_expect(&all[i], "x");
		if (strcmp(how, "relay") == 0)
			client_send(&all[i], STR("RELAY\n"));
	}
	printf("idle\n");
	fflush(stdout);
	sleep(seconds);
	for (unsigned i = 0; i < clients; i++)
		client_close(&all[i]);
	xfree(all);
	return 0;
}

int
main(int argc, char **argv)
{
	struct rig r = { 0 };

	if (argc >= 2 && strcmp(argv[1], "serve") == 0)
		return serve(argc > 2 && strcmp(argv[2], "quick") == 0);
	if (argc != 6) {
		fprintf(stderr, "usage: see the source\n");
		return 2;
	}
	r.port[0] = r.port[1] = (uint16_t)strtoul(argv[2], NULL, 10);
	if (strcmp(argv[1], "ask") == 0)
		return run_askers(&r, strcmp(argv[3], "tls") == 0,
		    (unsigned)strtoul(argv[4], NULL, 10),
		    (unsigned)strtoul(argv[5], NULL, 10));
	return run_idle(&r, argv[3], (unsigned)strtoul(argv[4], NULL, 10),
	    (unsigned)strtoul(argv[5], NULL, 10));
}
