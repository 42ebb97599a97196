/* netd over clear sockets: framing, order, time limits, back-pressure, end. */
#include "tests/unit/lib/netd_rig.h"
#include "tests/unit/lib/test.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void
pause_ms(int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

static void
hello(struct client *c, struct rig *r, unsigned listener)
{
	client_open(c, r, listener);
	client_expect(c, "hi");
}

static void
a_line_in_any_split(void **state)
{
	const char text[] = "ECHO one\nECHO two\nQUIT\n";
	struct rig r;
	struct client c;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	hello(&c, &r, 0);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		client_send(&c, str_n(text + i, 1));
		if (i % 4 == 0)
			pause_ms(1);
	}
	client_expect(&c, "one");
	client_expect(&c, "two");
	client_expect(&c, "bye");
	client_expect(&c, NULL);
	client_close(&c);
	rig_stop(&r, 5000);
	assert_int_equal(r.opened, 1);
}

/* More pipelined lines than one turn of a worker, and than one read. */
static void
pipelined_lines_keep_their_order(void **state)
{
	struct rig r;
	struct client c;
	char line[64];

	(void)state;
	for (int quick = 0; quick < 2; quick++) {
		AUTO_BUF all = { 0 };

		rig_init(&r);
		r.quick = quick;
		rig_start(&r);
		hello(&c, &r, quick ? 0 : 2);
		buf_init(&all, 1u << 20);
		for (int i = 0; i < 10000; i++)
			assert_rc(buf_fmt(&all, "ECHO %d\n", i), RC_OK);
		assert_rc(buf_add(&all, STR("QUIT\n")), RC_OK);
		client_send(&c, buf_str(&all));
		for (int i = 0; i < 10000; i++) {
			snprintf(line, sizeof(line), "%d", i);
			client_expect(&c, line);
		}
		client_expect(&c, "bye");
		client_close(&c);
		rig_stop(&r, 5000);
		if (quick)
			assert_int_equal(r.on_worker, 1);
		else
			assert_int_equal(r.on_reactor, 0);
	}
}

static void
commands_before_a_half_close_are_answered(void **state)
{
	struct rig r;
	struct client c;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	hello(&c, &r, 0);
	client_send(&c, STR("ECHO last\nSLEEP 20\nECHO words\nunfinished"));
	shutdown(c.fd, SHUT_WR);
	client_expect(&c, "last");
	client_expect(&c, "slept");
	client_expect(&c, "words");
	client_expect(&c, NULL);
	client_close(&c);
	rig_stop(&r, 5000);
}

static void
read_pattern(struct client *c, size_t size, bool slowly)
{
	AUTO_ARENA a = { 0 };
	char *p = arena_alloc(&a, 1u << 20);
	size_t got = 0;

	while (got < size) {
		long n = client_recv(c, p, MIN(size - got, 1u << 18));

		assert_true(n > 0);
		for (long i = 0; i < n; i++, got++)
			if (p[i] != (char)('a' + got % 23))
				fail_msg("wrong byte at %zu", got);
		if (slowly && got % 7 == 0)
			pause_ms(1);
	}
}

static void
large_output_reaches_a_slow_reader(void **state)
{
	const size_t size = 20u << 20;
	struct rig r;
	struct client c;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	for (unsigned listener = 0; listener < 3; listener += 2) {
		hello(&c, &r, listener);
		client_send(&c, STR("BIG 20971520\nECHO after\n"));
		pause_ms(50);
		read_pattern(&c, size, true);
		client_expect(&c, "after");
		client_close(&c);
	}
	rig_stop(&r, 5000);
}

static void
a_reader_that_stalls_is_cut(void **state)
{
	struct rig r;
	struct client c;
	int64_t t;

	(void)state;
	rig_init(&r);
	r.conf.stall_timeout_ms = 200;
	rig_start(&r);
	hello(&c, &r, 0);
	client_send(&c, STR("BIG 1000000000\n"));
	t = now_ns();
	while (r.closed == 0 && now_ns() - t < 10000000000)
		pause_ms(10);
	assert_int_equal(r.closed, 1);
	client_close(&c);
	rig_stop(&r, 5000);
}

/* Pipelining without reading must not grow our memory. */
static void
unread_replies_stop_the_input(void **state)
{
	AUTO_BUF all = { 0 };
	struct rig r;
	struct client c;
	struct pollfd p;
	size_t sent = 0;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	hello(&c, &r, 2);
	buf_init(&all, 1u << 20);
	for (int i = 0; i < 1000; i++)
		assert_rc(buf_fmt(&all, "ECHO %0500d\n", i), RC_OK);
	p = (struct pollfd){ .fd = c.fd, .events = POLLOUT };
	while (poll(&p, 1, 300) == 1 && sent < 100u << 20) {
		ssize_t n = send(c.fd, all.p + sent % all.n,
		    all.n - sent % all.n, MSG_DONTWAIT);

		assert_true(n > 0);
		sent += (size_t)n;
	}
	assert_true(sent < 10u << 20);
	client_close(&c);
	rig_stop(&r, 5000);
}

static void
silence_ends_with_a_word(void **state)
{
	struct rig r;
	struct client c;

	(void)state;
	rig_init(&r);
	r.conf.first_timeout_ms = 100;
	rig_start(&r);
	hello(&c, &r, 0);
	client_expect(&c, "timeout");
	client_expect(&c, NULL);
	client_close(&c);
	rig_stop(&r, 5000);
}

static void
a_trickling_line_is_cut(void **state)
{
	struct rig r;
	struct client c;
	int64_t t = now_ns();

	(void)state;
	rig_init(&r);
	r.conf.trickle_grace_ms = 100;
	r.conf.min_rate = 1000;
	rig_start(&r);
	hello(&c, &r, 0);
	while (r.closed == 0 && now_ns() - t < 10000000000) {
		client_send(&c, STR("x"));
		pause_ms(10);
	}
	assert_int_equal(r.closed, 1);
	client_expect(&c, "timeout");
	client_close(&c);
	rig_stop(&r, 5000);
}

/* Every unit is whole and quick; all of them together are too slow. */
static void
a_trickling_body_is_cut(void **state)
{
	struct rig r;
	struct client c;
	int64_t t = now_ns();

	(void)state;
	rig_init(&r);
	r.conf.trickle_grace_ms = 200;
	r.conf.min_rate = 100000;
	rig_start(&r);
	hello(&c, &r, 0);
	for (int i = 0; i < 40; i++) {
		client_send(&c, STR("ECHO x\n"));
		client_expect(&c, "x");
		pause_ms(10);
	}
	client_send(&c, STR("RATE\n"));
	client_expect(&c, "ok");
	while (r.closed == 0 && now_ns() - t < 10000000000) {
		client_send(&c, STR("\n"));
		pause_ms(10);
	}
	assert_int_equal(r.closed, 1);
	client_close(&c);
	rig_stop(&r, 5000);
}

static void
a_line_past_the_limit_is_told(void **state)
{
	AUTO_BUF all = { 0 };
	struct rig r;
	struct client c;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	hello(&c, &r, 0);
	buf_init(&all, 1u << 20);
	while (all.n < 300000)
		assert_rc(buf_add(&all, STR("0123456789")), RC_OK);
	client_send(&c, buf_str(&all));
	client_expect(&c, "long");
	client_expect(&c, NULL);
	client_close(&c);
	rig_stop(&r, 5000);
}

/* What comes late of a line that was refused does not reset the connection. */
static void
a_refused_line_may_go_on(void **state)
{
	struct rig r;
	struct client c;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	hello(&c, &r, 0);
	client_send(&c, STR("CUT "));
	client_expect(&c, "cut");
	client_expect(&c, NULL);
	for (int i = 0; i < 5; i++) {
		pause_ms(5);
		assert_int_equal(send(c.fd, "x", 1, MSG_NOSIGNAL), 1);
	}
	client_close(&c);
	rig_stop(&r, 5000);
}

static void
wakes_wake(void **state)
{
	struct rig r;
	struct client c;
	struct netd_waker *w;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	hello(&c, &r, 0);
	/* WAIT leaves input unread */
	client_send(&c, STR("WAIT\nECHO later\n"));
	client_expect(&c, "waiting");
	w = rig_take_waker(&r);
	netd_wake(w);
	client_expect(&c, "woken");
	client_expect(&c, "later");
	netd_waker_unref(&w);
	/* IDLE takes both */
	client_send(&c, STR("IDLE\nECHO now\n"));
	client_expect(&c, "waiting");
	client_expect(&c, "now");
	client_send(&c, STR("IDLE\n"));
	client_expect(&c, "waiting");
	w = rig_take_waker(&r);
	netd_wake(w);
	netd_wake(w);
	client_expect(&c, "woken");
	/* a clock of its own */
	client_send(&c, STR("LATER 30\nECHO then\n"));
	client_expect(&c, "woken");
	client_expect(&c, "then");
	/* after the end */
	client_send(&c, STR("QUIT\n"));
	client_expect(&c, "bye");
	client_expect(&c, NULL);
	client_close(&c);
	netd_wake(w);
	while (r.closed == 0)
		pause_ms(1);
	netd_wake(w);
	rig_stop(&r, 5000);
	netd_wake(w);
	netd_waker_unref(&w);
}

static void
limits_of_sessions(void **state)
{
	struct rig r;
	struct client c[4];
	uint64_t now, accepted, refused;

	(void)state;
	for (int by_source = 0; by_source < 2; by_source++) {
		rig_init(&r);
		if (by_source)
			r.conf.max_per_source = 2;
		else
			r.conf.max_sessions = 2;
		rig_start(&r);
		hello(&c[0], &r, 0);
		hello(&c[1], &r, 0);
		client_open(&c[2], &r, 0);
		client_expect(&c[2], "busy");
		if (!by_source) { /* a UNIX socket has no source */
			client_open(&c[3], &r, 2);
			client_expect(&c[3], "busy here");
			client_close(&c[3]);
		}
		client_expect(&c[2], NULL);
		netd_stats(r.netd, &now, &accepted, &refused);
		assert_int_equal(now, 2);
		assert_int_equal(accepted, 2);
		assert_int_equal(refused, by_source ? 1 : 2);
		client_close(&c[0]);
		do {
			pause_ms(1);
			netd_stats(r.netd, &now, &accepted, &refused);
		} while (now == 2);
		hello(&c[3], &r, 0);
		for (int i = 1; i < 4; i++)
			client_close(&c[i]);
		rig_stop(&r, 5000);
	}
}

static void
who_is_it(void **state)
{
	struct rig r;
	struct client c;
	char want[128];

	(void)state;
	for (int mapped = 0; mapped < 2; mapped++) {
		rig_init(&r);
		r.mapped = mapped;
		rig_start(&r);
		hello(&c, &r, 0);
		client_send(&c, STR("INFO\n"));
		snprintf(want, sizeof(want),
		    "ip=127.0.0.1 local=127.0.0.1:%u tls=0  0 sid=10",
		    r.port[0]);
		client_expect(&c, want);
		client_close(&c);
		hello(&c, &r, 2);
		client_send(&c, STR("INFO\n"));
		client_expect(&c, "ip= local=:0 tls=0  0 sid=10");
		client_close(&c);
		rig_stop(&r, 5000);
	}
}

/* Strangers that hold workers leave one to those who have logged in. */
static void
strangers_do_not_starve_people(void **state)
{
	struct rig r;
	struct client person, stranger[8];
	int64_t t;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	hello(&person, &r, 0);
	client_send(&person, STR("LOGIN\n"));
	client_expect(&person, "ok");
	for (int i = 0; i < 8; i++) {
		hello(&stranger[i], &r, 0);
		client_send(&stranger[i], STR("SLEEP 1000\n"));
	}
	pause_ms(50);
	t = now_ns();
	client_send(&person, STR("ECHO me\n"));
	client_expect(&person, "me");
	assert_true(now_ns() - t < 800000000);
	for (int i = 0; i < 8; i++) {
		client_expect(&stranger[i], "slept");
		client_close(&stranger[i]);
	}
	client_close(&person);
	rig_stop(&r, 5000);
}

static void
stop_tells_everybody(void **state)
{
	struct rig r;
	struct client idle, busy, waiting, mute;
	struct netd_waker *w, *never;
	int64_t t = now_ns();

	(void)state;
	rig_init(&r);
	rig_start(&r);
	hello(&idle, &r, 0);
	hello(&busy, &r, 0);
	hello(&waiting, &r, 0);
	hello(&mute, &r, 0);
	client_send(&busy, STR("SLEEP 200\n"));
	client_send(&waiting, STR("WAIT\n"));
	client_expect(&waiting, "waiting");
	w = rig_take_waker(&r);
	client_send(&mute, STR("WAIT\n"));
	client_expect(&mute, "waiting");
	never = rig_take_waker(&r);
	/* four openings, two that wait, one that sleeps */
	while (r.on_reactor + r.on_worker < 7)
		pause_ms(1);
	netd_wake(w);
	netd_waker_unref(&w);
	rig_stop(&r, 1500);
	netd_waker_unref(&never);
	assert_true(now_ns() - t < 6000000000);
	client_expect(&idle, "stop");
	client_expect(&idle, NULL);
	client_expect(&busy, "slept");
	client_expect(&busy, "stop");
	client_expect(&waiting, "woken");
	client_expect(&waiting, "stop");
	client_expect(&mute, NULL);
	client_close(&idle);
	client_close(&busy);
	client_close(&waiting);
	client_close(&mute);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_in_any_split),
		cmocka_unit_test(pipelined_lines_keep_their_order),
		cmocka_unit_test(commands_before_a_half_close_are_answered),
		cmocka_unit_test(large_output_reaches_a_slow_reader),
		cmocka_unit_test(a_reader_that_stalls_is_cut),
		cmocka_unit_test(unread_replies_stop_the_input),
		cmocka_unit_test(silence_ends_with_a_word),
		cmocka_unit_test(a_trickling_line_is_cut),
		cmocka_unit_test(a_trickling_body_is_cut),
		cmocka_unit_test(a_line_past_the_limit_is_told),
		cmocka_unit_test(a_refused_line_may_go_on),
		cmocka_unit_test(wakes_wake),
		cmocka_unit_test(limits_of_sessions),
		cmocka_unit_test(who_is_it),
		cmocka_unit_test(strangers_do_not_starve_people),
		cmocka_unit_test(stop_tells_everybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
