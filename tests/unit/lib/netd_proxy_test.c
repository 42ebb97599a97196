/* netd behind a balancer that speaks the PROXY protocol, version 2. */
#include "tests/unit/lib/netd_rig.h"
#include "tests/unit/lib/test.h"

#include <sys/socket.h>

#define HEAD(command) "\r\n\r\n\0\r\nQUIT\n" command
#define FROM(last)                                                             \
	HEAD("\x21\x11\0\x0c")                                                 \
	"\xc0\0\x02" last "\xcb\0\x71\x09\xc0\x01\0\x19"

/* INFO, up to the TLS version. */
static void
expect_info(struct client *c, const char *want)
{
	char got[512];

	client_send(c, STR("INFO\n"));
	assert_true(client_line(c, got, sizeof(got)));
	assert_int_equal(strncmp(got, want, strlen(want)), 0);
}

static void
begin(struct rig *r, struct net *loopback)
{
	assert_rc(net_parse(STR("127.0.0.0/8"), loopback), RC_OK);
	rig_init(r);
	r->proxy = true;
	r->conf.proxy_from = (struct net_list){ loopback, 1 };
}

static void
the_client_is_the_one_of_the_header(void **state)
{
	struct str head = STR(FROM("\x07"));
	struct net from;
	struct client c;
	struct rig r;

	(void)state;
	begin(&r, &from);
	rig_start(&r);
	for (unsigned split = 0; split < 3; split++) {
		client_open(&c, &r, 0);
		if (split == 0)
			for (size_t i = 0; i < head.n; i++)
				client_send(&c, str_sub(head, i, 1));
		else if (split == 1)
			client_send(&c, head);
		else
			client_send(&c, STR(FROM("\x07") "ECHO early\nECHO b"));
		client_expect(&c, "hi");
		if (split == 2) {
			client_send(&c, STR("oth\n"));
			client_expect(&c, "early");
			client_expect(&c, "both");
		}
		expect_info(&c, "ip=192.0.2.7 local=203.0.113.9:25 tls=0");
		client_close(&c);
	}
	rig_stop(&r, 5000);
}

/* The header and the first TLS record in one packet, and apart. */
static void
the_header_comes_before_tls(void **state)
{
	struct str head = STR(FROM("\x08"));
	struct net from;
	struct client c;
	struct rig r;

	(void)state;
	begin(&r, &from);
	rig_start(&r);
	for (int more = 0; more < 2; more++) {
		client_open(&c, &r, 1);
		assert_int_equal(
		    send(c.fd, head.p, head.n, more ? MSG_MORE : 0), head.n);
		assert_int_equal(client_tls(&c, NULL), 0);
		client_expect(&c, "hi");
		expect_info(&c, "ip=192.0.2.8 local=203.0.113.9:25 tls=1");
		client_close(&c);
	}
	rig_stop(&r, 5000);
}

static void
a_health_check_is_the_balancer_itself(void **state)
{
	struct net from;
	struct client c;
	struct rig r;

	(void)state;
	begin(&r, &from);
	rig_start(&r);
	client_open(&c, &r, 0);
	client_send(&c, STR(HEAD("\x20\0\0\0")));
	client_expect(&c, "hi");
	expect_info(&c, "ip=127.0.0.1 local=127.0.0.1:");
	client_close(&c);
	rig_stop(&r, 5000);
}

static void
who_has_no_header_is_closed(void **state)
{
	static const struct str rows[] = {
		STR_INIT("ECHO one\n"),
		STR_INIT("PROXY TCP4 192.0.2.7 203.0.113.9 1 2\r\n"),
		STR_INIT(HEAD("\x21\0\0\0") "ECHO one\n"),
		STR_INIT(HEAD("\x21\x11\xff\xff")),
		STR_INIT("\x16\x03\x01\x02\0"),
	};
	struct net from;
	struct client c;
	struct rig r;
	char byte;

	(void)state;
	begin(&r, &from);
	rig_start(&r);
	for (size_t i = 0; i < COUNT(rows); i++)
		for (unsigned listener = 0; listener < 2; listener++) {
			client_open(&c, &r, listener);
			client_send(&c, rows[i]);
			assert_true(client_recv(&c, &byte, 1) <= 0);
			client_close(&c);
		}
	rig_stop(&r, 5000);
	assert_int_equal(r.opened, 0);
}

static void
a_header_has_its_time(void **state)
{
	struct net from;
	struct client c;
	struct rig r;

	(void)state;
	begin(&r, &from);
	r.conf.handshake_timeout_ms = 50;
	rig_start(&r);
	client_open(&c, &r, 0);
	client_send(&c, STR("\r\n\r\n"));
	client_expect(&c, NULL);
	client_close(&c);
	rig_stop(&r, 5000);
	assert_int_equal(r.opened, 0);
}

static void
only_a_balancer_may_say_so(void **state)
{
	struct net from;
	struct client c;
	struct rig r;
	char byte;

	(void)state;
	begin(&r, &from);
	assert_rc(net_parse(STR("192.0.2.0/24"), &from), RC_OK);
	rig_start(&r);
	client_open(&c, &r, 0);
	client_send(&c, STR(FROM("\x07") "ECHO one\n"));
	while (client_recv(&c, &byte, 1) == 1)
		assert_ptr_not_equal(strchr("busy\n", byte), NULL);
	client_close(&c);
	rig_stop(&r, 5000);
	assert_int_equal(r.opened, 0);
}

static void
sessions_count_by_the_true_client(void **state)
{
	struct client a, b, c;
	struct net from;
	struct rig r;

	(void)state;
	begin(&r, &from);
	r.conf.max_per_source = 1;
	rig_start(&r);
	client_open(&a, &r, 0);
	client_send(&a, STR(FROM("\x07")));
	client_expect(&a, "hi");
	client_open(&b, &r, 0);
	client_send(&b, STR(FROM("\x08")));
	client_expect(&b, "hi");
	client_open(&c, &r, 0);
	client_send(&c, STR(FROM("\x07")));
	client_expect(&c, "busy");
	client_expect(&c, NULL);
	client_close(&a);
	client_close(&b);
	client_close(&c);
	rig_stop(&r, 5000);
}

static void
a_stop_does_not_wait_for_a_header(void **state)
{
	struct net from;
	struct client c;
	struct rig r;

	(void)state;
	begin(&r, &from);
	rig_start(&r);
	client_open(&c, &r, 0);
	rig_stop(&r, 60000);
	client_expect(&c, NULL);
	client_close(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_client_is_the_one_of_the_header),
		cmocka_unit_test(the_header_comes_before_tls),
		cmocka_unit_test(a_health_check_is_the_balancer_itself),
		cmocka_unit_test(who_has_no_header_is_closed),
		cmocka_unit_test(a_header_has_its_time),
		cmocka_unit_test(only_a_balancer_may_say_so),
		cmocka_unit_test(sessions_count_by_the_true_client),
		cmocka_unit_test(a_stop_does_not_wait_for_a_header),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
