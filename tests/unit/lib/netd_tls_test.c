/* netd with TLS, and the relay, clear and encrypted. */
#include "tests/unit/lib/netd_rig.h"
#include "tests/unit/lib/test.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS 200

static void
pause_ms(int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

static void
hello(struct client *c, struct rig *r, bool tls)
{
	client_open(c, r, tls);
	if (tls)
		assert_int_equal(client_tls(c, NULL), 0);
	client_expect(c, "hi");
}

static void
two_hundred_clients_at_once(void **state)
{
	static struct client c[CLIENTS];
	struct rig r;
	char line[64];

	(void)state;
	rig_init(&r);
	r.quick = true;
	rig_start(&r);
	for (int i = 0; i < CLIENTS; i++)
		client_open(&c[i], &r, 1);
	for (int i = 0; i < CLIENTS; i++) {
		assert_int_equal(client_tls(&c[i], NULL), 0);
		snprintf(line, sizeof(line), "ECHO %d\n%s", i,
		    i % 2 ? "SLEEP 1\n" : "");
		client_send(&c[i], str_c(line));
	}
	for (int i = 0; i < CLIENTS; i++) {
		client_expect(&c[i], "hi");
		snprintf(line, sizeof(line), "%d", i);
		client_expect(&c[i], line);
		if (i % 2)
			client_expect(&c[i], "slept");
		client_send(&c[i], STR("QUIT\n"));
	}
	for (int i = 0; i < CLIENTS; i++) {
		client_expect(&c[i], "bye");
		client_expect(&c[i], NULL);
		client_close(&c[i]);
	}
	rig_stop(&r, 5000);
	assert_int_equal(r.opened, CLIENTS);
}

static void
starttls_works_with_both_versions(void **state)
{
	static const struct {
		const char *priority, *info;
	} rows[] = {
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.2", "TLS1.2" },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.3", "TLS1.3" },
	};
	struct rig r;
	struct client c;
	char line[128];

	(void)state;
	rig_init(&r);
	rig_start(&r);
	for (size_t i = 0; i < COUNT(rows); i++) {
		hello(&c, &r, false);
		client_send(&c, STR("TLS\n"));
		client_expect(&c, "go");
		assert_int_equal(client_tls(&c, rows[i].priority), 0);
		client_send(&c, STR("INFO\nECHO split "));
		assert_true(client_line(&c, line, sizeof(line)));
		assert_non_null(strstr(line, "tls=1"));
		assert_non_null(strstr(line, rows[i].info));
		client_send(&c, STR("here\nQUIT\n"));
		client_expect(&c, "split here");
		client_expect(&c, "bye");
		client_close(&c);
	}
	rig_stop(&r, 5000);
}

/* What was said in clear behind STARTTLS must never be run. */
static void
injected_commands_close_the_connection(void **state)
{
	struct rig r;
	struct client c;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	hello(&c, &r, false);
	client_send(&c, STR("TLS\nECHO evil\n"));
	/* "go" may or may not arrive; nothing else does */
	for (;;) {
		char line[64];

		if (!client_line(&c, line, sizeof(line)))
			break;
		assert_string_equal(line, "go");
	}
	client_close(&c);
	rig_stop(&r, 5000);
}

static void
old_versions_and_noise_are_refused(void **state)
{
	struct rig r;
	struct client c;

	(void)state;
	rig_init(&r);
	r.conf.handshake_timeout_ms = 300;
	rig_start(&r);
	client_open(&c, &r, 1);
	assert_int_not_equal(
	    client_tls(&c, "NORMAL:-VERS-ALL:+VERS-TLS1.1"), 0);
	client_close(&c);
	client_open(&c, &r, 1);
	client_send(&c, STR("EHLO in clear\r\n"));
	/* an alert, then the end */
	while (client_recv(&c, (char[64]){ 0 }, 64) > 0)
		continue;
	client_close(&c);
	/* says nothing at all */
	client_open(&c, &r, 1);
	assert_int_equal(client_recv(&c, (char[1]){ 0 }, 1), 0);
	client_close(&c);
	rig_stop(&r, 5000);
	assert_int_equal(r.opened, 0);
}

static void
large_output_is_encrypted_in_pieces(void **state)
{
	const size_t size = 10u << 20;
	static char p[1u << 16];
	struct rig r;
	struct client c;
	size_t got = 0;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	hello(&c, &r, true);
	client_send(&c, STR("BIG 10485760\nECHO after\n"));
	pause_ms(50);
	while (got < size) {
		long n = client_recv(&c, p, MIN(sizeof(p), size - got));

		assert_true(n > 0);
		for (long i = 0; i < n; i++, got++)
			if (p[i] != (char)('a' + got % 23))
				fail_msg("wrong byte at %zu", got);
	}
	client_expect(&c, "after");
	client_close(&c);
	rig_stop(&r, 5000);
}

static void
a_ticket_resumes(void **state)
{
	struct rig r;
	struct client c;
	gnutls_datum_t data = { 0 };

	(void)state;
	rig_init(&r);
	rig_start(&r);
	for (int round = 0; round < 2; round++) {
		client_open(&c, &r, 1);
		if (round == 0) {
			assert_int_equal(client_tls(&c, NULL), 0);
			client_expect(&c, "hi");
			assert_int_equal(
			    gnutls_session_get_data2(c.tls, &data), 0);
		} else {
			assert_int_equal(gnutls_init(&c.tls, GNUTLS_CLIENT), 0);
			gnutls_certificate_allocate_credentials(&c.cred);
			gnutls_set_default_priority(c.tls);
			gnutls_credentials_set(
			    c.tls, GNUTLS_CRD_CERTIFICATE, c.cred);
			gnutls_session_set_data(c.tls, data.data, data.size);
			gnutls_transport_set_int(c.tls, c.fd);
			assert_int_equal(gnutls_handshake(c.tls), 0);
			client_expect(&c, "hi");
			assert_true(gnutls_session_is_resumed(c.tls));
		}
		client_close(&c);
	}
	gnutls_free(data.data);
	rig_stop(&r, 5000);
}

/* New certificates serve new sessions; old sessions live on. */
static void
a_reload_drops_nobody(void **state)
{
	AUTO_ARENA a = { 0 };
	const char key[64] = "another";
	struct tls_ctx *fresh;
	struct tls_pair pair;
	struct rig r;
	struct client before, after;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	hello(&before, &r, true);
	rig_pair(&a, &pair);
	assert_rc(tls_ctx_new(&r.log, &pair, 1, str_n(key, 64), &fresh), RC_OK);
	netd_set_tls(r.netd, fresh);
	tls_ctx_unref(&fresh);
	tls_ctx_unref(&r.tls);
	hello(&after, &r, true);
	client_send(&before, STR("ECHO old\n"));
	client_expect(&before, "old");
	client_send(&after, STR("ECHO new\n"));
	client_expect(&after, "new");
	client_close(&before);
	client_close(&after);
	rig_stop(&r, 5000);
}

/* The back-end of a relay: sends back what it gets, in capitals. */
struct back_end {
	int fd;
	size_t got;
};

static void *
back_end_main(void *arg)
{
	struct back_end *b = arg;
	static _Thread_local char p[100000];
	ssize_t n;

	while ((n = recv(b->fd, p, sizeof(p), 0)) > 0) {
		b->got += (size_t)n;
		for (ssize_t i = 0; i < n; i++)
			p[i] = ascii_upper(p[i]);
		for (ssize_t done = 0; done < n;) {
			ssize_t k = send(
			    b->fd, p + done, (size_t)(n - done), MSG_NOSIGNAL);

			if (k <= 0)
				return NULL;
			done += k;
		}
	}
	close(b->fd);
	return NULL;
}

static void *
pump(void *arg)
{
	struct client *c = arg;
	AUTO_BUF b = { 0 };

	buf_init(&b, 1u << 20);
	for (int i = 0; i < 50000; i++)
		if (buf_fmt(&b, "line %d\n", i) != RC_OK)
			panic("too long");
	client_send(c, buf_str(&b));
	shutdown(c->fd, SHUT_WR);
	return NULL;
}

static void
relay_carries_both_ways(void **state)
{
	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		struct back_end b = { 0 };
		pthread_t t, up;
		struct rig r;
		struct client c;
		int pair[2];
		char line[64];
		int64_t t0;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		b.fd = pair[1];
		rig_init(&r);
		r.relay_fd = pair[0];
		rig_start(&r);
		pthread_create(&t, NULL, back_end_main, &b);
		hello(&c, &r, tls);
		/* bytes behind the command belong to the relay */
		client_send(&c, STR("RELAY\nsame packet\n"));
		client_expect(&c, "HELLO");
		client_expect(&c, "SAME PACKET");
		client_send(&c, STR("next\n"));
		client_expect(&c, "NEXT");
		/* both directions full at once, then a half-close */
		pthread_create(&up, NULL, pump, &c);
		pause_ms(100);
		for (int i = 0; i < 50000; i++) {
			snprintf(line, sizeof(line), "LINE %d", i);
			client_expect(&c, line);
		}
		/* the back-end closes after us, and then it is over at once */
		t0 = now_ns();
		client_expect(&c, NULL);
		while (r.closed == 0)
			pause_ms(1);
		assert_true(now_ns() - t0 < 8000000000);
		pthread_join(up, NULL);
		pthread_join(t, NULL);
		client_close(&c);
		rig_stop(&r, 5000);
	}
}

static void
relay_holds_back_a_fast_side(void **state)
{
	static char p[1u << 16];
	struct rig r;
	struct client c;
	struct pollfd poll_out;
	int pair[2];
	size_t sent = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	rig_init(&r);
	r.relay_fd = pair[0];
	r.conf.stall_timeout_ms = 1000;
	rig_start(&r);
	hello(&c, &r, false);
	client_send(&c, STR("RELAY\n"));
	poll_out = (struct pollfd){ .fd = c.fd, .events = POLLOUT };
	while (poll(&poll_out, 1, 300) == 1 && sent < 100u << 20) {
		ssize_t n = send(c.fd, p, sizeof(p), MSG_DONTWAIT);

		if (n < 0)
			break;
		sent += (size_t)n;
	}
	assert_true(sent < 20u << 20);
	/* a back-end that never reads is given up */
	while (r.closed == 0)
		pause_ms(10);
	client_close(&c);
	close(pair[1]);
	rig_stop(&r, 5000);
}

static void
relay_ends_when_either_side_does(void **state)
{
	struct rig r;
	struct client c;
	int pair[2];
	char p[64];

	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		for (int who = 0; who < 2; who++) {
			assert_int_equal(
			    socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
			rig_init(&r);
			r.relay_fd = pair[0];
			rig_start(&r);
			hello(&c, &r, tls);
			client_send(&c, STR("RELAY\n"));
			assert_int_equal(recv(pair[1], p, sizeof(p), 0), 6);
			if (who == 0) {
				send(pair[1], "last\n", 5, 0);
				close(pair[1]);
				client_expect(&c, "last");
				client_expect(&c, NULL);
				client_close(&c);
			} else {
				client_close(&c);
				assert_int_equal(
				    recv(pair[1], p, sizeof(p), 0), 0);
				close(pair[1]);
			}
			while (r.closed == 0)
				pause_ms(1);
			rig_stop(&r, 5000);
		}
	}
}

static void *
says_goodbye(void *arg)
{
	int fd = *(int *)arg;

	pause_ms(200);
	send(fd, "goodbye\n", 8, 0);
	close(fd);
	return NULL;
}

/* A stop waits for what the far end still says, and not for ever. */
static void
relay_ends_with_the_last_word(void **state)
{
	struct rig r;
	struct client c;
	pthread_t t;
	int pair[2];
	char p[64];

	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		for (int says = 0; says < 2; says++) {
			assert_int_equal(
			    socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
			rig_init(&r);
			r.relay_fd = pair[0];
			rig_start(&r);
			hello(&c, &r, tls);
			client_send(&c, STR("RELAY\n"));
			assert_int_equal(recv(pair[1], p, sizeof(p), 0), 6);
			if (says)
				assert_int_equal(pthread_create(&t, NULL,
						     says_goodbye, &pair[1]),
				    0);
			rig_stop(&r, 20000);
			if (says) {
				pthread_join(t, NULL);
				client_expect(&c, "goodbye");
			} else {
				close(pair[1]);
			}
			client_expect(&c, NULL);
			client_close(&c);
		}
	}
}

static void
bad_pairs_are_refused(void **state)
{
	AUTO_ARENA a = { 0 };
	struct log_sink *sink = log_sink_new(2, "test", LOG_ERROR);
	struct log log = { .sink = sink };
	const char key[64] = "key";
	struct tls_pair p, q, mixed;
	struct tls_ctx *ctx = NULL;

	(void)state;
	log_sink_set(sink, 2, LOG_ERROR);
	rig_pair(&a, &p);
	rig_pair(&a, &q);
	mixed = (struct tls_pair){ p.cert, q.key };
	assert_rc(tls_ctx_new(&log, &mixed, 1, str_n(key, 64), &ctx), RC_BAD);
	mixed.key = STR("no key");
	assert_rc(tls_ctx_new(&log, &mixed, 1, str_n(key, 64), &ctx), RC_BAD);
	assert_rc(tls_ctx_new(&log, &p, 1, str_n(key, 63), &ctx), RC_BAD);
	assert_rc(tls_ctx_new(&log, &p, 0, str_n(key, 64), &ctx), RC_BAD);
	assert_null(ctx);
	assert_rc(tls_ctx_new(&log, &p, 1, str_n(key, 64), &ctx), RC_OK);
	tls_ctx_unref(&ctx);
	log_sink_free(&sink);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_pairs_are_refused),
		cmocka_unit_test(two_hundred_clients_at_once),
		cmocka_unit_test(starttls_works_with_both_versions),
		cmocka_unit_test(injected_commands_close_the_connection),
		cmocka_unit_test(old_versions_and_noise_are_refused),
		cmocka_unit_test(large_output_is_encrypted_in_pieces),
		cmocka_unit_test(a_ticket_resumes),
		cmocka_unit_test(a_reload_drops_nobody),
		cmocka_unit_test(relay_carries_both_ways),
		cmocka_unit_test(relay_holds_back_a_fast_side),
		cmocka_unit_test(relay_ends_when_either_side_does),
		cmocka_unit_test(relay_ends_with_the_last_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
