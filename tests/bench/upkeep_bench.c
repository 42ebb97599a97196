/*
 * What compaction costs, and whom: a store is filled, three quarters of it
 * are expunged, and one sender at a time measures how long a commit takes
 * alone and while compaction runs at full speed (on demand; by itself it
 * rests four fifths of the time).  Then a full backup.
 *
 *	upkeep_bench DIR [messages [bytes]]
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "store/backup.h"
#include "store/engine.h"

#define ACCOUNT STR("6a1f0e1c-0000-4000-8000-000000000001")
#define SENDERS 16u
#define SAMPLES 20000u
#define ALONE_S 5

struct bench {
	struct engine *e;
	size_t messages, bytes;
	_Atomic size_t next;
	uint64_t inbox;
	atomic_bool stop;
	int64_t *took;
	size_t ntook;
};

/* Bytes that do not compress, others for each message. */
static char *
noise(size_t n, uint64_t x)
{
	char *p = xmalloc(n + 8);

	x = x * 0x9E3779B97F4A7C15u + 1;
	for (size_t i = 0; i < n; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(p + i, &x, 8);
	}
	return p;
}

static void
one(struct bench *b, size_t i, size_t bytes)
{
	AUTO_ARENA a = { 0 };
	char *text = noise(bytes, i), meta[700];
	struct engine_content c = { .edits = STR("X-Spam: no\r\n"),
		.data = { text, bytes },
		.fd = -1,
		.size = bytes,
		.meta = { meta, sizeof(meta) } };
	struct engine_delivery d = { .account = ACCOUNT,
		.name = STR("INBOX"),
		.prefix = STR("Return-Path: <sender@example.org>\r\n") };
	struct engine_intent in = { .kind = ENGINE_SUBMIT,
		.a = &a,
		.submit = { .received_at = 1, .to = &d, .nto = 1 } };

	memset(meta, 1, sizeof(meta));
	engine_body_id(c.id);
	if (b->e->ops->put_body(b->e, &c, &in.submit.body) != RC_OK ||
	    engine_run(b->e, &in) != RC_OK)
		panic("message %zu failed", i);
	b->inbox = in.out.mailbox;
	xfree(text);
}

static void *
fill(void *arg)
{
	struct bench *b = arg;
	size_t i;

	while ((i = b->next++) < b->messages)
		one(b, i, b->bytes);
	return NULL;
}

/* Every fourth message stays. */
static void
thin(struct bench *b)
{
	AUTO_ARENA a = { 0 };
	size_t n = b->messages / 4;
	struct uid_range *v = arena_calloc(&a, n, sizeof(*v));
	struct engine_intent in = { .kind = ENGINE_FLAGS,
		.account = ACCOUNT,
		.mailbox = b->inbox,
		.a = &a };

	for (size_t i = 0; i < n; i++)
		v[i] = (struct uid_range){ (uint32_t)(4 * i + 1),
			(uint32_t)(4 * i + 3) };
	in.flags = (struct store_flags){ .account = ACCOUNT,
		.mailbox = b->inbox,
		.uids = { v, n },
		.op = STORE_FLAGS_ADD,
		.flags = STORE_DELETED,
		.unchanged_since = UINT64_MAX };
	if (engine_run(b->e, &in) != RC_OK)
		panic("flags failed");
	in = (struct engine_intent){ .kind = ENGINE_EXPUNGE,
		.account = ACCOUNT,
		.mailbox = b->inbox,
		.expunge = { v, n },
		.a = &a };
	if (engine_run(b->e, &in) != RC_OK)
		panic("expunge failed");
}

static void *
measure(void *arg)
{
	struct bench *b = arg;

	b->ntook = 0;
	while (!b->stop && b->ntook < SAMPLES) {
		int64_t from = now_ns();

		one(b, b->next++, 4096);
		b->took[b->ntook++] = now_ns() - from;
	}
	return NULL;
}

static int
by_time(const void *x, const void *y)
{
	const int64_t *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

static double
ms_at(const struct bench *b, size_t percent)
{
	size_t at = b->ntook > 0 ? (b->ntook - 1) * percent / 100 : 0;

	return b->ntook > 0 ? (double)b->took[at] / 1e6 : 0;
}

static void
say(struct bench *b, const char *what)
{
	qsort(b->took, b->ntook, sizeof(*b->took), by_time);
	printf("%s: commits=%zu p50_ms=%.2f p90_ms=%.2f p99_ms=%.2f\n", what,
	    b->ntook, ms_at(b, 50), ms_at(b, 90), ms_at(b, 99));
}

static double
cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
compact(struct bench *b, const char *what, bool sending)
{
	struct engine_upkeep k;
	struct engine_stats s0, s1;
	double c0 = cpu(), s;
	int64_t from = now_ns();
	pthread_t t;

	b->stop = false;
	b->e->ops->stats(b->e, &s0);
	if (sending)
		pthread_create(&t, NULL, measure, b);
	if (b->e->ops->compact(b->e, true) != RC_OK)
		panic("compaction failed");
	s = (double)(now_ns() - from) / 1e9;
	c0 = cpu() - c0;
	b->stop = true;
	if (sending)
		pthread_join(t, NULL);
	b->e->ops->stats(b->e, &s1);
	if (b->e->ops->upkeep(b->e, &k) != RC_OK)
		panic("upkeep failed");
	printf("%s: seconds=%.2f freed_MiB=%.0f written_MiB=%.0f "
	       "freed_MiB/s=%.0f written_MiB/s=%.0f cpu_s=%.2f\n",
	    what, s, (double)k.freed / (1 << 20),
	    (double)(s1.log_bytes - s0.log_bytes) / (1 << 20),
	    (double)k.freed / (1 << 20) / s,
	    (double)(s1.log_bytes - s0.log_bytes) / (1 << 20) / s, c0);
	if (sending)
		say(b, "  meanwhile");
}

static void
refill(struct bench *b, size_t messages)
{
	pthread_t t[SENDERS];

	b->next = 0;
	b->messages = messages;
	for (size_t i = 0; i < SENDERS; i++)
		pthread_create(&t[i], NULL, fill, b);
	for (size_t i = 0; i < SENDERS; i++)
		pthread_join(t[i], NULL);
}

static enum rc
go_on(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx, (void)done, (void)total;
	return RC_OK;
}

static void
back_up(struct bench *b, const struct log *log, const char *dir)
{
	AUTO_ARENA a = { 0 };
	struct backup x = { .log = *log,
		.io = &io_system,
		.data_dir = dir,
		.dir = str_fmt(&a, "%s.backup", dir).p,
		.go_on = go_on };
	struct backup_done d;
	struct str why = STR("");
	double c0 = cpu(), s = (double)now_ns() / 1e9;

	x.keys_dir = x.dir;
	if (b->e->ops->pin(b->e, true, &x.at) != RC_OK ||
	    backup_run(&a, &x, &d, &why) != RC_OK)
		panic("backup failed: %.*s", STRF(why));
	s = (double)now_ns() / 1e9 - s;
	c0 = cpu() - c0;
	if (b->e->ops->pin(b->e, false, NULL) != RC_OK)
		panic("unpin failed");
	printf("backup: MiB=%.0f MiB/s=%.0f cpu_s=%.2f\n",
	    (double)d.bytes / (1 << 20), (double)d.bytes / (1 << 20) / s, c0);
}

static size_t
number(int argc, char **argv, int i, size_t other)
{
	uint64_t v;

	return i < argc && str_u64(str_c(argv[i]), 1 << 30, &v) == RC_OK
		   ? (size_t)v
		   : other;
}

int
main(int argc, char **argv)
{
	struct log_sink *sink = log_sink_new(2, "bench", LOG_WARN);
	struct log log = { .sink = sink };
	size_t messages = number(argc, argv, 2, 20000);
	struct bench b = { .bytes = number(argc, argv, 3, 20000) };
	struct engine_conf conf = { .dir = argv[1],
		.segment_bytes = 64 << 20,
		.map_bytes = (uint64_t)16 << 30,
		.gather_us = 2000,
		.io = &io_system };
	pthread_t t;

	if (argc < 2)
		return 2;
	memset(conf.master, 1, sizeof(conf.master));
	if (engine_local_open(&log, &conf, &b.e) != RC_OK)
		return 1;
	b.took = xcalloc(SAMPLES, sizeof(*b.took));
	refill(&b, messages);
	thin(&b);
	pthread_create(&t, NULL, measure, &b);
	nanosleep(&(struct timespec){ .tv_sec = ALONE_S }, NULL);
	b.stop = true;
	pthread_join(t, NULL);
	say(&b, "alone");
	compact(&b, "compaction with a sender", true);
	back_up(&b, &log, argv[1]);
	b.e->ops->close(&b.e);
	xfree(b.took);
	log_sink_free(&sink);
	return 0;
}
