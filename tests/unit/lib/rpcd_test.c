/* ipc_call, ipc_start, ipc_subscribe and rpcd against each other. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/lib/test.h"
#include "lib/ipc_impl.h"
#include "lib/rpcd.h"

enum op {
	OP_ECHO = 1,
	OP_SLOW,
	OP_LATER,
	OP_SUBSCRIBE,
	OP_DENY,
	OP_BIG,
	OP_MEET
};

struct world {
	char dir[32], path[48];
	struct log log;
	struct rpcd *d;
	int listen_fd;
	struct ipc_client *c;
	pthread_mutex_t lock;
	struct rpcd_conn *sub;
	atomic_int handled, gone, done_ok, done_temp, pushes, resets;
	struct rpcd_req *later[64];
	unsigned nlater;
};

static enum rpcd_next
handle(void *ctx, struct rpcd_req *r, enum rc *rc)
{
	struct world *w = ctx;
	char *big;

	if (r->op != OP_LATER)
		atomic_fetch_add(&w->handled, 1);
	*rc = RC_OK;
	switch (r->op) {
	case OP_ECHO:
		ipc_put_u64(&r->out, "n", ipc_u64_or(&r->in, "n", 0) + 1);
		return RPCD_REPLY;
	case OP_SLOW:
		usleep(200000);
		return RPCD_REPLY;
	case OP_LATER:
		pthread_mutex_lock(&w->lock);
		w->later[w->nlater++] = r;
		pthread_mutex_unlock(&w->lock);
		atomic_fetch_add(&w->handled, 1);
		return RPCD_LATER;
	case OP_SUBSCRIBE:
		pthread_mutex_lock(&w->lock);
		rpcd_conn_unref(&w->sub);
		w->sub = rpcd_conn_ref(r);
		pthread_mutex_unlock(&w->lock);
		return RPCD_REPLY;
	case OP_MEET:
		for (int i = 0; i < 10000 && atomic_load(&w->handled) < 3; i++)
			usleep(1000);
		*rc = atomic_load(&w->handled) == 3 ? RC_OK : RC_TEMP;
		return RPCD_REPLY;
	case OP_BIG:
		big = xcalloc(1, 4u << 20);
		ipc_put_str(&r->out, "big", str_n(big, 4u << 20));
		xfree(big);
		return RPCD_REPLY;
	default:
		*rc = RC_DENY;
		return RPCD_REPLY;
	}
}

static void
gone(void *ctx, struct rpcd_conn *conn)
{
	struct world *w = ctx;

	pthread_mutex_lock(&w->lock);
	if (w->sub == conn)
		rpcd_conn_unref(&w->sub);
	pthread_mutex_unlock(&w->lock);
	atomic_fetch_add(&w->gone, 1);
}

static void
serve(struct world *w)
{
	const struct rpcd_conf conf = { .name = "test",
		.listen_fd = w->listen_fd,
		.workers = 3,
		.max_conns = 8,
		.handle = handle,
		.gone = gone,
		.ctx = w };

	w->d = rpcd_start(&w->log, &conf);
}

static int
setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	snprintf(w->dir, sizeof(w->dir), "/tmp/gp-rpcd-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/s", w->dir);
	memcpy(sa.sun_path, w->path, strlen(w->path) + 1);
	w->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(w->listen_fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(w->listen_fd, 64), 0);
	pthread_mutex_init(&w->lock, NULL);
	serve(w);
	w->c = ipc_client_new(&w->log, "test", w->path, 4);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	ipc_client_free(&w->c);
	if (w->d != NULL)
		rpcd_stop(&w->d, deadline_in(10000));
	rpcd_conn_unref(&w->sub);
	close(w->listen_fd);
	unlink(w->path);
	rmdir(w->dir);
	pthread_mutex_destroy(&w->lock);
	xfree(w);
	return 0;
}

static enum rc
call(struct world *w, enum op op, uint64_t n, int ms, uint64_t *out)
{
	AUTO_MSG req, reply;
	struct ipc_in in;
	enum rc rc;

	ipc_msg_init(&req, (uint16_t)op);
	ipc_put_u64(&req, "n", n);
	rc = ipc_call(w->c, &req, deadline_in(ms), &reply);
	ipc_in_init(&in, &reply);
	if (out != NULL)
		*out = ipc_u64_or(&in, "n", 0);
	return rc;
}

static void
wait_for(atomic_int *v, int want)
{
	struct deadline dl = deadline_in(20000);

	while (atomic_load(v) < want && !deadline_over(dl))
		usleep(1000);
	assert_int_equal(atomic_load(v), want);
}

static void
a_call_is_answered(void **state)
{
	struct world *w = *state;
	uint64_t n = 0;

	for (uint64_t i = 0; i < 100; i++) {
		assert_rc(call(w, OP_ECHO, i, 20000, &n), RC_OK);
		assert_true(n == i + 1);
	}
	assert_rc(call(w, OP_DENY, 0, 20000, NULL), RC_DENY);
	assert_int_equal(w->c->nidle, 1);
}

static void
a_late_answer_is_temp_and_does_not_meet_the_next_call(void **state)
{
	struct world *w = *state;
	uint64_t n;

	assert_rc(call(w, OP_SLOW, 0, 30, NULL), RC_TEMP);
	assert_rc(call(w, OP_ECHO, 5, 20000, &n), RC_OK);
	assert_true(n == 6);
	assert_rc(call(w, OP_ECHO, 5, 0, &n), RC_TEMP);
}

static void
big_answers_wait_for_a_slow_reader(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 3; i++) {
		AUTO_MSG req, reply;
		struct ipc_in in;

		ipc_msg_init(&req, OP_BIG);
		assert_rc(
		    ipc_call(w->c, &req, deadline_in(30000), &reply), RC_OK);
		ipc_in_init(&in, &reply);
		assert_int_equal(ipc_str_or(&in, "big", STR_NULL).n, 4u << 20);
	}
}

static void
a_restarted_service_is_found_again(void **state)
{
	struct world *w = *state;
	uint64_t n;

	assert_rc(call(w, OP_ECHO, 1, 20000, &n), RC_OK);
	for (int i = 0; i < 3; i++) {
		rpcd_stop(&w->d, deadline_in(10000));
		serve(w);
		assert_rc(call(w, OP_ECHO, 1, 20000, &n), RC_OK);
		assert_int_equal(w->c->failures, 0);
	}
}

/* Handled, and then the process dies: the call is made once more. */
static void
a_call_that_was_lost_is_repeated_once(void **state)
{
	struct world *w = *state;
	AUTO_MSG req, reply;
	char junk[256];
	int fd, served = 0;
	pid_t pid;

	rpcd_stop(&w->d, deadline_in(10000));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* Two incarnations that die, having read the request. */
		for (int i = 0; i < 2; i++) {
			struct pollfd p = { w->listen_fd, POLLIN, 0 };

			poll(&p, 1, 20000);
			fd = accept(w->listen_fd, NULL, NULL);
			served += recv(fd, junk, sizeof(junk), 0) > 0;
			close(fd);
		}
		_exit(served);
	}
	ipc_msg_init(&req, OP_ECHO);
	assert_rc(ipc_call(w->c, &req, deadline_in(30000), &reply), RC_TEMP);
	assert_int_equal(waitpid(pid, &served, 0), pid);
	assert_int_equal(WEXITSTATUS(served), 2);
}

static void
an_absent_service_is_temp_and_opens_the_breaker(void **state)
{
	struct world *w = *state;
	int64_t t;

	rpcd_stop(&w->d, deadline_in(10000));
	unlink(w->path);
	for (int i = 0; i < 3; i++)
		assert_rc(call(w, OP_ECHO, 1, 30, NULL), RC_TEMP);
	t = now_ns();
	assert_rc(call(w, OP_ECHO, 1, 30000, NULL), RC_TEMP);
	assert_true(now_ns() - t < 20 * INT64_C(1000000));
	/* It is tried again later. */
	usleep(210000);
	t = now_ns();
	assert_rc(call(w, OP_ECHO, 1, 50, NULL), RC_TEMP);
	assert_true(now_ns() - t >= 49 * INT64_C(1000000));
}

static void
on_done(void *arg, enum rc rc, struct ipc_msg *reply)
{
	struct world *w = arg;
	struct ipc_in in;

	ipc_in_init(&in, reply);
	if (rc == RC_OK)
		atomic_fetch_add(&w->done_ok, 1);
	else
		atomic_fetch_add(&w->done_temp, 1);
}

static void
begin(struct world *w, enum op op, int ms)
{
	AUTO_MSG req;

	ipc_msg_init(&req, (uint16_t)op);
	ipc_put_u64(&req, "n", 1);
	ipc_start(w->c, &req, deadline_in(ms), on_done, w);
}

static void
started_calls_share_a_connection(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 500; i++)
		begin(w, OP_ECHO, 30000);
	wait_for(&w->done_ok, 500);
	assert_int_equal(w->done_temp, 0);
	assert_int_equal(w->handled, 500);
}

static void
started_calls_are_answered_in_any_order(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 20; i++)
		begin(w, OP_LATER, 30000);
	begin(w, OP_ECHO, 30000);
	wait_for(&w->done_ok, 1);
	wait_for(&w->handled, 21);
	for (unsigned i = 20; i-- > 0;)
		rpcd_reply(w->later[i], RC_OK);
	wait_for(&w->done_ok, 21);
}

/* Three handlers that wait for each other, three workers. */
static void
blocking_handlers_spread_over_the_workers(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 3; i++)
		begin(w, OP_MEET, 30000);
	wait_for(&w->done_ok, 3);
}

/* Big answers to a client that reads late: queued, in order, none lost. */
static void
answers_queue_up_behind_a_full_socket(void **state)
{
	struct world *w = *state;
	AUTO_FD fd = ipc_connect(w->path);

	for (uint32_t i = 1; i <= 3; i++) {
		AUTO_MSG req;

		ipc_msg_init(&req, OP_BIG);
		req.id = i;
		req.extra = 5000;
		assert_rc(ipc_send(fd, &req, deadline_in(1000)), RC_OK);
		wait_for(&w->handled, (int)i);
	}
	for (uint32_t i = 0; i < 3; i++) {
		AUTO_MSG reply;
		struct ipc_in in;

		assert_rc(ipc_recv(fd, &reply, deadline_in(30000)), RC_OK);
		ipc_in_init(&in, &reply);
		assert_int_equal(ipc_str_or(&in, "big", STR_NULL).n, 4u << 20);
	}
}

static void
started_calls_end_at_their_deadline(void **state)
{
	struct world *w = *state;
	int64_t t = now_ns();

	begin(w, OP_LATER, 100);
	begin(w, OP_LATER, 30000);
	wait_for(&w->done_temp, 1);
	assert_true(now_ns() - t < INT64_C(1000000000));
	wait_for(&w->handled, 2);
	rpcd_reply(w->later[0], RC_OK);
	rpcd_reply(w->later[1], RC_OK);
	wait_for(&w->done_ok, 1);
	begin(w, OP_ECHO, 0);
	assert_int_equal(w->done_temp, 2);
}

static void
started_calls_are_temp_when_the_service_dies(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 5; i++)
		begin(w, OP_LATER, 30000);
	wait_for(&w->handled, 5);
	/* What is still unanswered at the deadline is cut off. */
	rpcd_stop(&w->d, deadline_in(50));
	wait_for(&w->done_temp, 5);
	for (unsigned i = 0; i < 5; i++)
		rpcd_reply(w->later[i], RC_OK);
	serve(w);
	begin(w, OP_ECHO, 30000);
	wait_for(&w->done_ok, 1);
}

static void
started_calls_are_temp_without_a_service(void **state)
{
	struct world *w = *state;

	rpcd_stop(&w->d, deadline_in(10000));
	unlink(w->path);
	begin(w, OP_ECHO, 30000);
	wait_for(&w->done_temp, 1);
}

static void
freeing_a_client_ends_its_started_calls(void **state)
{
	struct world *w = *state;

	begin(w, OP_LATER, 60000);
	wait_for(&w->handled, 1);
	ipc_client_free(&w->c);
	assert_int_equal(w->done_temp, 1);
	rpcd_reply(w->later[0], RC_OK);
}

static void
fill_sub(void *arg, struct ipc_msg *req)
{
	(void)arg;
	req->op = OP_SUBSCRIBE;
}

static void
on_push(void *arg, struct ipc_msg *m)
{
	struct world *w = arg;

	atomic_fetch_add(m != NULL ? &w->pushes : &w->resets, 1);
}

static enum rc
push(struct world *w, size_t n)
{
	AUTO_MSG m;
	char *p = xcalloc(1, n);
	enum rc rc = RC_NOENT;

	ipc_msg_init(&m, 1);
	ipc_put_str(&m, "p", str_n(p, n));
	pthread_mutex_lock(&w->lock);
	if (w->sub != NULL)
		rc = rpcd_push(w->sub, &m);
	pthread_mutex_unlock(&w->lock);
	xfree(p);
	return rc;
}

static void
a_subscription_hears_pushes_and_of_gaps(void **state)
{
	struct world *w = *state;
	struct ipc_sub *sub = ipc_subscribe(w->c, fill_sub, on_push, w);

	wait_for(&w->resets, 1);
	for (int i = 0; i < 10; i++)
		assert_rc(push(w, 10), RC_OK);
	wait_for(&w->pushes, 10);
	/* More than the socket holds: cut, and told to read anew. */
	assert_rc(push(w, 4u << 20), RC_TEMP);
	wait_for(&w->gone, 1);
	wait_for(&w->resets, 2);
	assert_rc(push(w, 10), RC_OK);
	wait_for(&w->pushes, 11);
	ipc_sub_free(&sub);
	wait_for(&w->gone, 2);
}

static void
a_connection_beyond_the_limit_is_closed(void **state)
{
	struct world *w = *state;
	struct deadline dl = deadline_in(10000);
	int fds[12], open = 0;
	char c;

	for (size_t i = 0; i < COUNT(fds); i++) {
		fds[i] = ipc_connect(w->path);
		assert_true(fds[i] >= 0);
	}
	/* Those beyond are hung up on; the others stay silent. */
	while (open != 8 && !deadline_over(dl)) {
		open = 0;
		for (size_t i = 0; i < COUNT(fds); i++)
			open += recv(fds[i], &c, 1, MSG_DONTWAIT) < 0;
		usleep(1000);
	}
	for (size_t i = 0; i < COUNT(fds); i++)
		close(fds[i]);
	assert_int_equal(open, 8);
}

static void
broken_framing_ends_the_connection(void **state)
{
	struct world *w = *state;
	AUTO_FD fd = ipc_connect(w->path);
	char c;

	assert_rc(fd_write_all(fd, STR("GET / HTTP/1.1\r\n\r\n")), RC_OK);
	assert_rc(fd_wait(fd, POLLIN, deadline_in(10000)), RC_OK);
	assert_true(recv(fd, &c, 1, MSG_DONTWAIT) <= 0);
	assert_int_equal(w->handled, 0);
}

struct many {
	struct world *w;
	atomic_int good;
};

static void *
many_calls(void *arg)
{
	struct many *m = arg;

	for (uint64_t i = 0; i < 300; i++) {
		uint64_t n = 0;

		if (call(m->w, OP_ECHO, i, 30000, &n) == RC_OK && n == i + 1)
			atomic_fetch_add(&m->good, 1);
	}
	return NULL;
}

/* More threads than permits, with started calls in between. */
static void
calls_from_many_threads_all_get_their_own_answer(void **state)
{
	struct many m = { .w = *state };
	pthread_t t[8];

	for (size_t i = 0; i < COUNT(t); i++)
		assert_int_equal(
		    pthread_create(&t[i], NULL, many_calls, &m), 0);
	for (int i = 0; i < 300; i++)
		begin(m.w, OP_ECHO, 30000);
	for (size_t i = 0; i < COUNT(t); i++)
		pthread_join(t[i], NULL);
	assert_int_equal(m.good, 8 * 300);
	wait_for(&m.w->done_ok, 300);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_call_is_answered),
		T(a_late_answer_is_temp_and_does_not_meet_the_next_call),
		T(big_answers_wait_for_a_slow_reader),
		T(a_restarted_service_is_found_again),
		T(a_call_that_was_lost_is_repeated_once),
		T(an_absent_service_is_temp_and_opens_the_breaker),
		T(started_calls_share_a_connection),
		T(started_calls_are_answered_in_any_order),
		T(blocking_handlers_spread_over_the_workers),
		T(answers_queue_up_behind_a_full_socket),
		T(started_calls_end_at_their_deadline),
		T(started_calls_are_temp_when_the_service_dies),
		T(started_calls_are_temp_without_a_service),
		T(freeing_a_client_ends_its_started_calls),
		T(a_subscription_hears_pushes_and_of_gaps),
		T(a_connection_beyond_the_limit_is_closed),
		T(broken_framing_ends_the_connection),
		T(calls_from_many_threads_all_get_their_own_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
