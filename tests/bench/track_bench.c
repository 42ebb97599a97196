/*
 * What telling costs the one who tells, and what writing costs track: CPU time
 * of one event.
 *
 *   track_bench FOLDER [EVENTS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "track/trk_db.h"

static double
cpu_us(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* Four events a message, as for one recipient. */
static struct trk_event
event(struct arena *a, unsigned i)
{
	static const enum trk_kind kinds[4] = { TRK_CONNECT, TRK_POLICY,
		TRK_DELIVER, TRK_ACCEPT };
	struct trk_event e = { .kind = kinds[i % 4], .nrcpt = 1, .size = 4096 };
	bool session = i % 4 != 2, mail = i % 4 >= 2;

	e.sid = str_fmt(a, "s%08xp4c62", i / 4 * 2654435761u);
	if (session)
		e.client_ip = STR("192.0.2.1");
	if (mail)
		e.qid = str_fmt(
		    a, "01a21edd8c046c3da42c15%010x", i / 4 * 2246822519u);
	if (e.kind == TRK_DELIVER) {
		e.message_id = str_fmt(a, "<%u.x@client.test>", i);
		e.text = STR("INBOX");
	}
	if (mail)
		e.rcpt = str_fmt(a, "person%u@example.test", i / 4 % 200);
	if (e.kind == TRK_ACCEPT)
		e.from = str_fmt(a, "s%u@client.test", i / 4 % 5000);
	return e;
}

static void
telling(struct log *log, const char *dir, const struct trk_event *v, unsigned n)
{
	AUTO_ARENA a = { 0 };
	struct trk_client *t =
	    trk_client_new(log, str_fmt(&a, "%s/none.sock", dir).p);
	double was = cpu_us(CLOCK_THREAD_CPUTIME_ID);

	for (unsigned i = 0; i < n; i++)
		trk_tell(t, &v[i]);
	printf("telling     %8.3f us an event\n",
	    (cpu_us(CLOCK_THREAD_CPUTIME_ID) - was) / n);
	trk_client_free(&t);
}

static void
writing(struct log *log, const char *dir, const struct trk_event *v, unsigned n)
{
	struct trk_db *db;
	char rec[TRK_RECORD_MAX];
	AUTO_BUF b = { 0 };
	double was;

	if (trk_db_open(log, dir, &db) != RC_OK)
		panic("cannot open");
	buf_init(&b, TRK_BATCH_BYTES);
	was = cpu_us(CLOCK_PROCESS_CPUTIME_ID);
	for (unsigned i = 0; i < n;) {
		struct trk_batch batch = { .client = STR("0123456789abcdef"),
			.seq = i + 1 };
		const struct trk_batch *one = &batch;
		uint64_t count;

		buf_clear(&b);
		for (; i < n && batch.n < TRK_BATCH_EVENTS; i++, batch.n++)
			if (buf_add(&b, str_n(rec, trk_record_put(
						       rec, &v[i]))) != RC_OK)
				panic("batch");
		batch.events = buf_str(&b);
		if (trk_db_write(db, &one, 1, &count) != RC_OK)
			panic("write");
	}
	printf("writing     %8.3f us an event\n",
	    (cpu_us(CLOCK_PROCESS_CPUTIME_ID) - was) / n);
	printf(
	    "kept        %8.1f bytes an event\n", (double)trk_db_bytes(db) / n);
	trk_db_close(&db);
}

int
main(int argc, char **argv)
{
	struct log log = { .sink = log_sink_new(2, "bench", LOG_ERROR) };
	unsigned n = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 200000;
	AUTO_ARENA a = { 0 };
	struct trk_event *v;

	if (argc < 2 || n == 0) {
		fputs("usage: track_bench FOLDER [EVENTS]\n", stderr);
		return 2;
	}
	v = arena_calloc(&a, n, sizeof(*v));
	for (unsigned i = 0; i < n; i++) {
		v[i] = event(&a, i);
		v[i].at_ms = now_unix_ms() + i;
	}
	telling(&log, argv[1], v, n);
	writing(&log, argv[1], v, n);
	log_sink_free(&log.sink);
	return 0;
}
