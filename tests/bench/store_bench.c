/*
 * What a delivery costs in the store: n senders in a circle, each giving the
 * engine a message for a mailbox and waiting until it is durable.
 *
 *	store_bench DIR [senders [messages [bytes [mailboxes]]]]
 *
 * Prints messages per second, CPU per message (the senders' part included)
 * and flushes per message.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "store/engine.h"

struct bench {
	struct engine *e;
	size_t messages, bytes, mailboxes;
	_Atomic size_t next;
	char *text;
};

static void
one(struct bench *b, size_t i)
{
	AUTO_ARENA a = { 0 };
	char meta[700];
	struct engine_content c = { .edits = STR("X-Spam: no\r\n"),
		.data = { b->text, b->bytes },
		.fd = -1,
		.size = b->bytes,
		.meta = { meta, sizeof(meta) } };
	struct engine_delivery d = { .account = str_fmt(&a,
					 "6a1f0e1c-0000-4000-8000-%012zu",
					 i % b->mailboxes),
		.name = STR("INBOX"),
		.prefix = STR("Return-Path: <sender@example.org>\r\n"
			      "Delivered-To: recipient@example.org\r\n") };
	struct engine_intent in = { .kind = ENGINE_SUBMIT,
		.op_id = str_fmt(&a, "bench-%zu-%d", i, 1),
		.a = &a,
		.submit = { .received_at = now_unix(), .to = &d, .nto = 1 } };

	memset(meta, 1, sizeof(meta));
	engine_body_id(c.id);
	if (b->e->ops->put_body(b->e, &c, &in.submit.body) != RC_OK ||
	    engine_run(b->e, &in) != RC_OK)
		panic("message %zu failed", i);
}

static void *
sender(void *arg)
{
	struct bench *b = arg;
	size_t i;

	while ((i = b->next++) < b->messages)
		one(b, i);
	return NULL;
}

static double
cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
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
	size_t senders = number(argc, argv, 2, 20);
	struct bench b = { .messages = number(argc, argv, 3, 20000),
		.bytes = number(argc, argv, 4, 4096),
		.mailboxes = number(argc, argv, 5, 1000) };
	struct engine_conf conf = { .dir = argv[1],
		.segment_bytes = 64 << 20,
		.map_bytes = (uint64_t)16 << 30,
		.gather_us = 2000,
		.io = &io_system };
	struct engine_stats s0, s1;
	pthread_t t[256];
	double c0, wall;
	size_t n;

	if (argc < 2 || senders > COUNT(t))
		return 2;
	memset(conf.master, 1, sizeof(conf.master));
	if (engine_local_open(&log, &conf, &b.e) != RC_OK)
		return 1;
	b.text = xmalloc(b.bytes + 1);
	for (size_t i = 0; i < b.bytes; i++)
		b.text[i] = (char)('a' + (i * i + i / 7) % 26);
	n = b.messages;
	b.messages = b.mailboxes; /* the accounts first */
	while (b.next < b.mailboxes) {
		for (size_t i = 0; i < 64; i++)
			pthread_create(&t[i], NULL, sender, &b);
		for (size_t i = 0; i < 64; i++)
			pthread_join(t[i], NULL);
	}
	b.next = b.mailboxes;
	b.messages = n + b.mailboxes;
	b.e->ops->stats(b.e, &s0);
	c0 = cpu();
	wall = (double)now_ns() / 1e9;
	for (size_t i = 0; i < senders; i++)
		pthread_create(&t[i], NULL, sender, &b);
	for (size_t i = 0; i < senders; i++)
		pthread_join(t[i], NULL);
	wall = (double)now_ns() / 1e9 - wall;
	c0 = cpu() - c0;
	b.e->ops->stats(b.e, &s1);
	printf("senders=%zu messages/s=%.0f cpu_us/message=%.1f "
	       "flushes/message=%.3f log_bytes/message=%.0f\n",
	    senders, (double)n / wall, c0 * 1e6 / (double)n,
	    (double)(s1.log_syncs + s1.index_commits - s0.log_syncs -
		     s0.index_commits) /
		(double)n,
	    (double)(s1.log_bytes - s0.log_bytes) / (double)n);
	b.e->ops->close(&b.e);
	xfree(b.text);
	log_sink_free(&sink);
	return 0;
}
