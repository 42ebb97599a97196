/*
 * How fast a queue is taken up at a start, and what a message costs in memory.
 *
 *   queue_bench FOLDER [MESSAGES [DOMAINS]]
 *
 * Makes a store in FOLDER with that many queued messages (once), then reads all
 * of it as delivery does: pages of the store's list, encoded and decoded as on
 * their way between the processes, into the schedule.
 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/conf.h"
#include "delivery/dlv_retry.h"
#include "delivery/dlv_sched.h"
#include "lib/ipc_impl.h"
#include "store/engine.h"
#include "store/wire.h"

#define PAGE 200u

static void
fill(struct engine *e, size_t n, size_t domains)
{
	for (size_t i = 0; i < n; i++) {
		AUTO_ARENA a = { 0 };
		const struct dlv_entry data = { .notify = 0 };
		struct store_queued q = {
			.rcpt = str_fmt(
			    &a, "person%zu@d%zu.example", i, i % domains),
			.kind = DIR_ELSEWHERE,
			.state = DLV_READY,
			.next_at = now_unix() + 3600,
			.expires_at = now_unix() + 432000,
			.reason = STR("mx.example: 451 4.3.0 Not now, please"),
			.prefix = STR("Received: from client.test by "
				      "mail.example.test; some date\r\n"),
			.data = dlv_entry_put(&a, &data),
		};
		struct engine_content c = {
			.data = STR("Subject: hello\r\n\r\nhello\r\n"),
			.fd = -1,
		};
		struct engine_intent in = { .kind = ENGINE_SUBMIT,
			.a = &a,
			.submit = { .received_at = now_unix(),
			    .from = STR("ann@example.test"),
			    .set = &q,
			    .nset = 1 } };

		c.size = c.data.n;
		engine_body_id(c.id);
		if (e->ops->put_body(e, &c, &in.submit.body) != RC_OK ||
		    engine_run(e, &in) != RC_OK)
			panic("cannot fill the queue");
	}
}

static void
note(struct dlv_sched *s, const struct conf *conf,
    const struct store_queue_item *item)
{
	struct dlv_message *m = dlv_sched_add(s, item->message_id);
	struct dlv_step step;
	AUTO_ARENA a = { 0 };

	dlv_retry_count(conf, item, 0, &step);
	dlv_sched_begin(s, m,
	    &(struct dlv_numbers){
		step.ready, step.held, step.poison, step.expires_at });
	dlv_sched_want(s, m, STR(""), step.next_at * 1000);
	for (size_t i = 0; i < item->nentries; i++)
		dlv_sched_want(s, m, dlv_plan_hop(&a, conf, &item->entries[i]),
		    item->entries[i].next_at * 1000);
	dlv_sched_end(s, m);
}

static size_t
load(struct engine *e, struct dlv_sched *s, const struct conf *conf)
{
	unsigned char last[BODY_ID];
	struct str after = STR("");
	size_t n, all = 0;

	do {
		AUTO_ARENA a = { 0 };
		AUTO_MSG m = { 0 };
		struct store_queue_item *item;
		struct ipc_in in;
		struct str id;

		if (e->ops->queue_list(e, &a, after, PAGE, &item, &n) != RC_OK)
			panic("cannot list");
		ipc_msg_init(&m, STORE_OP_QUEUE_LIST);
		for (size_t i = 0; i < n; i++)
			wire_put_item(&m, &item[i]);
		if (ipc_seal(&m) != RC_OK || ipc_open(&m) != RC_OK)
			panic("cannot encode");
		ipc_in_init(&in, &m);
		if (wire_get_items(&in, &a, &item, &n) != RC_OK)
			panic("cannot decode");
		for (size_t i = 0; i < n; i++)
			note(s, conf, &item[i]);
		if (n > 0 &&
		    str_unhex(&a, item[n - 1].message_id, &id) == RC_OK) {
			memcpy(last, id.p, BODY_ID);
			after = str_n(last, BODY_ID);
		}
		all += n;
	} while (n > 0);
	return all;
}

int
main(int argc, char **argv)
{
	const struct log log = { 0 };
	const struct conf conf = { .queue_warn_s = 14400 };
	struct engine_conf ec = { .io = &io_system,
		.segment_bytes = 64u << 20,
		.map_bytes = 4ull << 30,
		.floor_bytes = 1 << 20,
		.inline_prepare = true };
	uint64_t want = 100000, domains = 1000;
	struct engine_stats st;
	struct dlv_sched s;
	struct engine *e;
	int64_t at;
	size_t n, heap;

	if (argc < 2)
		return 64;
	if ((argc > 2 && str_u64(str_c(argv[2]), 10000000, &want) != RC_OK) ||
	    (argc > 3 && str_u64(str_c(argv[3]), 1000000, &domains) != RC_OK))
		return 64;
	ec.dir = argv[1];
	(void)mkdir(ec.dir, 0700);
	if (engine_local_open(&log, &ec, &e) != RC_OK)
		return 1;
	e->ops->stats(e, &st);
	if (st.queued < want)
		fill(e, want - st.queued, domains ? domains : 1);
	dlv_sched_init(&s);
	heap = mallinfo2().uordblks;
	at = now_ns();
	n = load(e, &s, &conf);
	printf("%zu messages in %.2f s, %.0f bytes each\n", n,
	    (double)(now_ns() - at) / 1e9,
	    n ? (double)(mallinfo2().uordblks - heap) / (double)n : 0);
	dlv_sched_free(&s);
	e->ops->close(&e);
	return 0;
}
