/* Telling never waits; a fake track shows what arrives, and when it does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/rpcd.h"
#include "track/trk_wire.h"

struct rig {
	char dir[64], path[100];
	struct log log;
	int fd;
	struct rpcd *rpcd;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	enum rc answer;
	unsigned batches, events;
	uint64_t seq, dropped, first, last; /* sizes tell them apart */
	bool order;
};

static enum rpcd_next
handle(void *ctx, struct rpcd_req *req, enum rc *rc)
{
	struct rig *r = ctx;
	struct trk_batch b;
	struct trk_event e;

	assert_int_equal(req->op, TRK_OP_TELL);
	assert_int_equal(trk_get_batch(&req->in, &b), RC_OK);
	pthread_mutex_lock(&r->lock);
	r->batches++;
	*rc = r->answer;
	if (*rc == RC_OK) {
		r->order = r->order && b.seq == r->seq + 1;
		r->seq = b.seq;
		r->dropped += b.dropped;
		while (trk_record_get(&b.events, &e) == RC_OK) {
			if (r->events++ == 0)
				r->first = e.size;
			r->order = r->order && e.size > r->last;
			r->last = e.size;
		}
	}
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	return RPCD_REPLY;
}

static void
serve(struct rig *r)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct rpcd_conf conf = { .name = "track",
		.workers = 1,
		.max_conns = 8,
		.handle = handle,
		.ctx = r };

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", r->path);
	r->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(r->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(r->fd, 8), 0);
	conf.listen_fd = r->fd;
	r->rpcd = rpcd_start(&r->log, &conf);
	assert_non_null(r->rpcd);
}

static void
stop_serving(struct rig *r)
{
	rpcd_stop(&r->rpcd, deadline_in(5000));
	fd_close(&r->fd);
	unlink(r->path);
}

static int
set_up(void **state)
{
	struct rig *r = xcalloc(1, sizeof(*r));

	snprintf(r->dir, sizeof(r->dir), "/tmp/trk-test-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->path, sizeof(r->path), "%s/track.sock", r->dir);
	r->log.sink = log_sink_new(2, "client_test", LOG_ERROR);
	r->fd = -1;
	r->order = true;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	*state = r;
	return 0;
}

static int
tear_down(void **state)
{
	struct rig *r = *state;

	if (r->rpcd != NULL)
		stop_serving(r);
	assert_int_equal(rmdir(r->dir), 0);
	log_sink_free(&r->log.sink);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	xfree(r);
	return 0;
}

static void
tell(struct trk_client *t, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i <= to; i++) {
		const struct trk_event e = { .kind = TRK_QUEUE,
			.qid = STR_INIT("q"),
			.rcpt = STR_INIT("somebody@example.test"),
			.size = i };

		trk_tell(t, &e);
	}
}

/* Until that many events have arrived in all. */
static void
await(struct rig *r, unsigned events)
{
	pthread_mutex_lock(&r->lock);
	while (r->events < events)
		pthread_cond_wait(&r->changed, &r->lock);
	pthread_mutex_unlock(&r->lock);
}

static void
await_batches(struct rig *r, unsigned batches)
{
	pthread_mutex_lock(&r->lock);
	while (r->batches < batches)
		pthread_cond_wait(&r->changed, &r->lock);
	pthread_mutex_unlock(&r->lock);
}

static void
events_arrive_together_and_in_order(void **state)
{
	struct rig *r = *state;
	struct trk_client *t;

	serve(r);
	t = trk_client_new(&r->log, r->path);
	tell(t, 1, 300);
	await(r, 300);
	tell(t, 301, 5000);
	await(r, 5000);
	trk_client_free(&t);
	assert_null(t);
	assert_true(r->order);
	assert_int_equal(r->last, 5000);
	assert_int_equal(r->dropped, 0);
	assert_true(r->batches < 100);
}

static void
what_waits_at_the_end_is_sent(void **state)
{
	struct rig *r = *state;
	struct trk_client *t;

	serve(r);
	t = trk_client_new(&r->log, r->path);
	tell(t, 1, 3);
	trk_client_free(&t);
	assert_int_equal(r->events, 3);
}

static void
the_oldest_give_way_while_track_is_away(void **state)
{
	struct rig *r = *state;
	struct trk_client *t = trk_client_new(&r->log, r->path);
	unsigned all = 2 * TRK_WAITING_MAX;

	tell(t, 1, all);
	serve(r);
	pthread_mutex_lock(&r->lock);
	while (r->last < all)
		pthread_cond_wait(&r->changed, &r->lock);
	pthread_mutex_unlock(&r->lock);
	trk_client_free(&t);
	assert_true(r->order);
	assert_true(r->events <= TRK_WAITING_MAX);
	assert_true(r->events >= TRK_WAITING_MAX - TRK_BATCH_EVENTS);
	assert_int_equal(r->events + r->dropped, all);
}

static void
a_batch_without_answer_is_sent_again(void **state)
{
	struct rig *r = *state;
	struct trk_client *t;

	r->answer = RC_TEMP;
	serve(r);
	t = trk_client_new(&r->log, r->path);
	tell(t, 1, 5);
	await_batches(r, 2);
	pthread_mutex_lock(&r->lock);
	r->answer = RC_OK;
	pthread_mutex_unlock(&r->lock);
	await(r, 5);
	trk_client_free(&t);
	assert_int_equal(r->events, 5);
	assert_int_equal(r->seq, 1);
}

static void
a_batch_that_is_refused_is_not(void **state)
{
	struct rig *r = *state;
	struct trk_client *t;

	r->answer = RC_BAD;
	serve(r);
	t = trk_client_new(&r->log, r->path);
	tell(t, 1, 5);
	await_batches(r, 1);
	pthread_mutex_lock(&r->lock);
	r->answer = RC_OK;
	r->seq = 1;
	pthread_mutex_unlock(&r->lock);
	tell(t, 6, 6);
	await(r, 1);
	trk_client_free(&t);
	assert_int_equal(r->first, 6);
}

/* It listens and never reads: telling goes on, and the end comes. */
static void
a_silent_track_holds_up_nobody(void **state)
{
	struct rig *r = *state;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct trk_client *t;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", r->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 8), 0);
	t = trk_client_new(&r->log, r->path);
	tell(t, 1, 3 * TRK_WAITING_MAX);
	trk_client_free(&t);
	close(fd);
	unlink(r->path);
}

static void
nobody_to_tell(void **state)
{
	struct trk_client *none = NULL;

	(void)state;
	tell(none, 1, 3);
	trk_client_free(&none);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(events_arrive_together_and_in_order),
		T(what_waits_at_the_end_is_sent),
		T(the_oldest_give_way_while_track_is_away),
		T(a_batch_without_answer_is_sent_again),
		T(a_batch_that_is_refused_is_not),
		T(a_silent_track_holds_up_nobody),
		T(nobody_to_tell),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
