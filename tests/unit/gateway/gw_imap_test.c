/*
 * Dialogues of the IMAP login front.  A row is what the client sends and what
 * comes back after the greeting; every row is run whole, in pieces of three
 * bytes and byte by byte, and must say the same each time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/gw_guard.h"
#include "imap/preamble.h"
#include "tests/unit/gateway/fake_imap.h"

#define S       STR_INIT
#define AUTH_NO "NO [AUTHENTICATIONFAILED] Name or password is wrong\r\n"
#define TEMP    "NO [UNAVAILABLE] Cannot check logins now, try later\r\n"
#define PRIVATE "NO [PRIVACYREQUIRED] Encryption is required: STARTTLS\r\n"
#define CRLF    "* BYE Lines end in CRLF and nothing else\r\n"

struct row {
	struct str input;
	const char *out; /* behind the greeting */
	enum next end;
};

static void
check_rows(const struct row *rows, size_t n, const struct fake_imap *how)
{
	static const size_t steps[] = { SIZE_MAX / 2, 3, 1 };

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < COUNT(steps); k++) {
			struct fake_imap f;
			struct str out;

			fake_imap_init(&f);
			f.tls = how->tls;
			f.has_tls = how->has_tls;
			f.path = how->path;
			f.mechs_rc = how->mechs_rc;
			fake_imap_run(&f, rows[i].input, steps[k]);
			out = buf_str(&f.out);
			out = str_from(out, str_chr(out, '\n') + 1);
			if (!str_eq(out, str_c(rows[i].out)) ||
			    f.end != rows[i].end)
				fail_msg("%.*s(step %zu): got %d \"%.*s\", "
					 "want %d \"%s\"",
				    STRF(rows[i].input), k, f.end, STRF(out),
				    rows[i].end, rows[i].out);
			fake_imap_free(&f);
		}
}

static void
in_clear(void **state)
{
	static const struct row rows[] = {
		{ S("a NOOP\r\n"), "a OK Done\r\n", NEXT_INPUT },
		{ S("a capability\r\n"),
		    "* CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID STARTTLS "
		    "LOGINDISABLED\r\na OK Done\r\n",
		    NEXT_INPUT },
		{ S("a LOGIN ann {8+}\r\nsec\"r\\et\r\n"), "a " PRIVATE,
		    NEXT_INPUT },
		{ S("a AUTHENTICATE PLAIN\r\n"), "a " PRIVATE, NEXT_INPUT },
		{ S("a AUTHENTICATE GSSAPI\r\n"), "a " PRIVATE, NEXT_INPUT },
		{ S("a STARTTLS\r\n"), "a OK Begin TLS\r\n", NEXT_INPUT },
		{ S("a STARTTLS now\r\n"), "a BAD No arguments expected\r\n",
		    NEXT_INPUT },
		{ S("a LOGOUT\r\n"), "* BYE Logging out\r\na OK Bye\r\n",
		    NEXT_CLOSE },
		{ S("a ID NIL\r\nb ID (\"name\" \"x\" \"version\" NIL)\r\n"),
		    "* ID (\"name\" \"Gatepost\")\r\na OK Done\r\n"
		    "* ID (\"name\" \"Gatepost\")\r\nb OK Done\r\n",
		    NEXT_INPUT },
		{ S("a ID ()\r\nb ID (\"name\")\r\nc ID\r\n"),
		    "* ID (\"name\" \"Gatepost\")\r\na OK Done\r\n"
		    "b BAD Invalid arguments of ID\r\n"
		    "c BAD Invalid arguments of ID\r\n",
		    NEXT_INPUT },
		{ S("a SELECT inbox\r\n"),
		    "a BAD Unknown command, or log in first\r\n", NEXT_INPUT },
		{ S("\r\n+ NOOP\r\na\r\na \r\n"),
		    "* BAD Invalid tag\r\n* BAD Invalid tag\r\n"
		    "* BAD Invalid tag\r\na BAD Command expected\r\n",
		    NEXT_INPUT },
		{ S("a NOOP\nb NOOP\r\n"), CRLF, NEXT_CLOSE },
		{ S("a NO\rOP\r\n"), CRLF, NEXT_CLOSE },
		{ S("1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8\r\n9\r\n10\r\n11\r"
		    "\n"),
		    "* BAD Invalid tag\r\n* BAD Invalid tag\r\n"
		    "* BAD Invalid tag\r\n* BAD Invalid tag\r\n"
		    "* BAD Invalid tag\r\n* BAD Invalid tag\r\n"
		    "* BAD Invalid tag\r\n* BAD Invalid tag\r\n"
		    "* BAD Invalid tag\r\n* BAD Invalid tag\r\n"
		    "* BYE Too many errors\r\n",
		    NEXT_CLOSE },
		{ S("a NOOP {3}\r\nabc\r\n"),
		    "+ OK\r\na BAD No arguments expected\r\n", NEXT_INPUT },
	};
	const struct fake_imap how = { .has_tls = true };

	(void)state;
	check_rows(rows, COUNT(rows), &how);
}

static void
literals_have_limits(void **state)
{
	static const struct row rows[] = {
		{ S("a LOGIN {99999}\r\nb NOOP\r\n"),
		    "a BAD [TOOBIG] Command is too large\r\nb OK Done\r\n",
		    NEXT_INPUT },
		{ S("a LOGIN {18446744073709551615}\r\nb NOOP\r\n"),
		    "a BAD [TOOBIG] Command is too large\r\nb OK Done\r\n",
		    NEXT_INPUT },
		{ S("a LOGIN {99999+}\r\n"),
		    "* BYE [TOOBIG] Literal is too large\r\n", NEXT_CLOSE },
		{ S("a LOGIN {99999999999999999999+}\r\n"),
		    "a BAD LOGIN takes name and password\r\n", NEXT_INPUT },
		{ S("a LOGIN {0}\r\n {0+}\r\n\r\n"), "+ OK\r\na " AUTH_NO,
		    NEXT_INPUT },
		{ S("a LOGIN {-1}\r\n"),
		    "a BAD LOGIN takes name and password\r\n", NEXT_INPUT },
		{ S("a LOGIN ann {3}\r\na\0b\r\n"),
		    "+ OK\r\na BAD LOGIN takes name and password\r\n",
		    NEXT_INPUT },
	};
	const struct fake_imap how = { .tls = true };
	AUTO_BUF b = { 0 };
	struct fake_imap f;

	(void)state;
	check_rows(rows, COUNT(rows), &how);
	/* 20,000 bytes are on their way already: they are skipped */
	buf_init(&b, 1u << 16);
	assert_int_equal(buf_add(&b, STR("a LOGIN {20000+}\r\n")), RC_OK);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(buf_add(&b, STR("0123456789")), RC_OK);
	assert_int_equal(buf_add(&b, STR("b NOOP\r\n")), RC_OK);
	fake_imap_init(&f);
	fake_imap_run(&f, buf_str(&b), 999);
	assert_true(str_has_isuffix(buf_str(&f.out),
	    STR("\na BAD [TOOBIG] Command is too large\r\nb OK Done\r\n")));
	fake_imap_free(&f);
	/* a line without an end */
	buf_clear(&b);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(buf_add(&b, STR("0123456789")), RC_OK);
	fake_imap_init(&f);
	fake_imap_run(&f, buf_str(&b), 999);
	assert_true(str_has_isuffix(
	    buf_str(&f.out), STR("* BYE Command line is too long\r\n")));
	assert_int_equal(f.end, NEXT_CLOSE);
	fake_imap_free(&f);
}

static void
refused_logins(void **state)
{
	static const struct row rows[] = {
		{ S("a LOGIN ann wrong\r\nb NOOP\r\n"),
		    "a " AUTH_NO "b OK Done\r\n", NEXT_INPUT },
		{ S("a LOGIN ann \"\"\r\n"), "a " AUTH_NO, NEXT_INPUT },
		{ S("a LOGIN ann broken\r\n"), "a " TEMP, NEXT_INPUT },
		{ S("a LOGIN ann\r\nb LOGIN ann x y\r\nc LOGIN ann \"x\r\n"),
		    "a BAD LOGIN takes name and password\r\n"
		    "b BAD LOGIN takes name and password\r\n"
		    "c BAD LOGIN takes name and password\r\n",
		    NEXT_INPUT },
		{ S("a LOGIN ann 1\r\nb LOGIN ann 2\r\nc LOGIN ann 3\r\n"
		    "d LOGIN ann 4\r\n"),
		    "a " AUTH_NO "b " AUTH_NO "c " AUTH_NO
		    "* BYE Too many failed logins\r\n",
		    NEXT_CLOSE },
		/* right, but nobody is behind us */
		{ S("a LOGIN ann \"sec\\\"r\\\\et\"\r\n"), "a " TEMP,
		    NEXT_INPUT },
		{ S("a AUTHENTICATE PLAIN\r\n*\r\n"),
		    "+ \r\na BAD Cancelled\r\n", NEXT_INPUT },
		{ S("a AUTHENTICATE PLAIN !!!!\r\n"),
		    "a BAD Cannot decode the response\r\n", NEXT_INPUT },
		{ S("a AUTHENTICATE PLAIN =\r\n"),
		    "a BAD Cannot decode the response\r\n", NEXT_INPUT },
		{ S("a AUTHENTICATE PLAIN AGFubgB3cm9uZw==\r\n"), "a " AUTH_NO,
		    NEXT_INPUT },
		{ S("a AUTHENTICATE PLAIN\r\nAGFubgBicm9rZW4=\r\n"),
		    "+ \r\na " TEMP, NEXT_INPUT },
		{ S("a AUTHENTICATE LOGIN\r\nYW5u\r\nd3Jvbmc=\r\n"),
		    "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\na " AUTH_NO,
		    NEXT_INPUT },
		{ S("a AUTHENTICATE GSSAPI\r\nZXZpbA==\r\n"),
		    "+ bW9yZQ==\r\na " AUTH_NO, NEXT_INPUT },
		{ S("a AUTHENTICATE GSSAPI YnJva2Vu\r\n"), "a " TEMP,
		    NEXT_INPUT },
		{ S("a AUTHENTICATE CRAM-MD5\r\nb AUTHENTICATE\r\n"),
		    "a NO Mechanism is not available\r\n"
		    "b BAD AUTHENTICATE takes a mechanism\r\n",
		    NEXT_INPUT },
		{ S("a STARTTLS\r\n"), "a BAD TLS is active already\r\n",
		    NEXT_INPUT },
	};
	const struct fake_imap how = { .tls = true };

	(void)state;
	check_rows(rows, COUNT(rows), &how);
}

static void
greeting_says_what_is_on_offer(void **state)
{
	static const struct {
		bool tls, has_tls, loopback;
		enum rc mechs_rc;
		const char *caps;
	} rows[] = {
		{ true, true, false, RC_OK,
		    "AUTH=PLAIN AUTH=LOGIN AUTH=GSSAPI" },
		{ true, true, false, RC_TEMP, "AUTH=PLAIN AUTH=LOGIN" },
		{ false, true, false, RC_OK, "STARTTLS LOGINDISABLED" },
		{ false, false, false, RC_OK, "LOGINDISABLED" },
		{ false, true, true, RC_OK,
		    "STARTTLS AUTH=PLAIN AUTH=LOGIN AUTH=GSSAPI" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct fake_imap f;

		fake_imap_init(&f);
		f.tls = rows[i].tls;
		f.has_tls = rows[i].has_tls;
		f.mechs_rc = rows[i].mechs_rc;
		f.conf.plaintext_login_on_loopback = true;
		if (rows[i].loopback)
			f.ip = STR("127.0.0.1");
		fake_imap_run(&f, STR(""), 1);
		assert_string_equal(str_dup(&a, buf_str(&f.out)).p,
		    str_fmt(&a,
			"* OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID %s] "
			"Gatepost ready\r\n",
			rows[i].caps)
			.p);
		fake_imap_free(&f);
	}
}

static void
refusals_are_held_back_longer_each_time(void **state)
{
	struct fake_imap f;

	(void)state;
	fake_imap_init(&f);
	f.tls = true;
	fake_imap_run(&f, STR("a LOGIN ann no\r\n"), 100);
	assert_int_equal(f.delay, GW_IMAP_DELAY_MS);
	fake_imap_free(&f);
	fake_imap_init(&f);
	f.tls = true;
	fake_imap_run(&f, STR("a LOGIN ann no\r\nb LOGIN ann no\r\n"), 100);
	assert_int_equal(f.delay, 2 * GW_IMAP_DELAY_MS);
	assert_int_equal(f.logins, 2);
	fake_imap_free(&f);
}

/* The command behind STARTTLS is never looked at. */
static void
nothing_said_in_clear_survives(void **state)
{
	struct fake_imap f;

	(void)state;
	fake_imap_init(&f);
	fake_imap_run(&f, STR("a STARTTLS\r\nb LOGOUT\r\n"), 1000);
	assert_int_equal(f.end, NEXT_TLS);
	assert_true(str_has_isuffix(
	    buf_str(&f.out), STR("ready\r\na OK Begin TLS\r\n")));
	fake_imap_free(&f);
}

static void
an_exchange_that_is_left_is_cancelled(void **state)
{
	struct fake_imap f;

	(void)state;
	fake_imap_init(&f);
	f.tls = true;
	fake_imap_run(&f, STR("a AUTHENTICATE GSSAPI\r\n"), 100);
	assert_int_equal(f.cancelled, 1);
	fake_imap_free(&f);
}

/* Somebody in a thousand groups has a ticket of tens of kilobytes. */
static void
a_large_ticket_fits(void **state)
{
	AUTO_BUF b = { 0 };
	struct fake_imap f;

	(void)state;
	buf_init(&b, 1u << 17);
	assert_int_equal(buf_add(&b, STR("a AUTHENTICATE GSSAPI ")), RC_OK);
	while (b.n < 64000)
		assert_int_equal(buf_add(&b, STR("QUJD")), RC_OK);
	assert_int_equal(buf_add(&b, STR("\r\n")), RC_OK);
	for (int tls = 0; tls < 2; tls++) {
		fake_imap_init(&f);
		f.tls = tls;
		fake_imap_run(&f, buf_str(&b), 4096);
		assert_true(str_has_isuffix(buf_str(&f.out),
		    tls ? STR("\n+ bW9yZQ==\r\n")
			: STR("\n* BYE Command line is too long\r\n")));
		fake_imap_free(&f);
	}
}

static void
mechanisms_are_remembered(void **state)
{
	struct fake_imap f;

	(void)state;
	fake_imap_init(&f);
	f.tls = true;
	fake_imap_run(&f, STR("a CAPABILITY\r\nb CAPABILITY\r\n"), 100);
	assert_int_equal(f.asked_mechs, 1);
	fake_imap_free(&f);
	/* but not that the directory could not be asked */
	fake_imap_init(&f);
	f.tls = true;
	f.mechs_rc = RC_TEMP;
	fake_imap_run(&f, STR("a CAPABILITY\r\n"), 100);
	assert_int_equal(f.asked_mechs, 2);
	fake_imap_free(&f);
}

static void
a_login_is_handed_over(void **state)
{
	static const struct str inputs[] = {
		S("t1 LOGIN ann \"sec\\\"r\\\\et\"\r\nt2 SELECT x\r\n"),
		S("t1 LOGIN {3}\r\nann {8+}\r\nsec\"r\\et\r\nt2 SELECT x\r\n"),
		S("t1 AUTHENTICATE PLAIN AGFubgBzZWMiclxldA==\r\n"
		  "t2 SELECT x\r\n"),
		S("t1 authenticate login\r\nYW5u\r\nc2VjInJcZXQ=\r\n"
		  "t2 SELECT x\r\n"),
		S("t1 AUTHENTICATE GSSAPI\r\nc3RlcA==\r\n\r\nt2 SELECT x\r\n"),
	};
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct preamble p;
	size_t n;

	(void)state;
	snprintf(un.sun_path, sizeof(un.sun_path), "/tmp/gw_imap_test.%ld",
	    (long)getpid());
	unlink(un.sun_path);
	assert_int_equal(bind(fd, (void *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 64), 0);
	for (size_t i = 0; i < COUNT(inputs); i++)
		for (size_t step = 1; step < 200; step += 99) {
			struct fake_imap f;

			fake_imap_init(&f);
			f.tls = true;
			f.path = un.sun_path;
			fake_imap_run(&f, inputs[i], step);
			assert_int_equal(f.end, NEXT_RELAY);
			assert_true(f.relay_fd >= 0);
			n = preamble_frame(buf_str(&f.sent));
			assert_int_equal(
			    preamble_parse(str_sub(buf_str(&f.sent), 0, n), &p),
			    RC_OK);
			assert_true(str_eq(p.tag, STR("t1")));
			assert_true(str_eq(p.ticket, STR("0123456789abcdef")));
			assert_true(str_eq(p.client, STR("192.0.2.7")));
			assert_true(p.tls && p.port == 4711);
			assert_true(str_eq(str_from(buf_str(&f.sent), n),
			    STR("t2 SELECT x\r\n")));
			fake_imap_free(&f);
		}
	close(fd);
	unlink(un.sun_path);
}

/* A login that leads nowhere takes no seat: ben's sessions are ben's. */
static void
seats_are_left(void **state)
{
	struct gw_guard_seat elsewhere = { 0 };
	struct fake_imap f;
	struct str out;

	(void)state;
	fake_imap_init(&f);
	f.tls = true;
	f.conf.user_sessions_max = 1;
	assert_true(gw_guard_enter(&f.gw, &f.conf, STR("id-ben"), &elsewhere));
	fake_imap_run(&f,
	    STR("a AUTHENTICATE PLAIN AGFubgBzZWMiclxldA==\r\n"
		"b AUTHENTICATE PLAIN AGJlbgBzZWMiclxldA==\r\n"),
	    SIZE_MAX / 2);
	out = buf_str(&f.out);
	out = str_from(out, str_chr(out, '\n') + 1);
	if (!str_eq(out,
		STR("a " TEMP "b NO [LIMIT] Too many sessions of yours\r\n")))
		fail_msg("got \"%.*s\"", STRF(out));
	gw_guard_leave(&f.gw, &elsewhere);
	fake_imap_free(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_clear),
		cmocka_unit_test(literals_have_limits),
		cmocka_unit_test(refused_logins),
		cmocka_unit_test(greeting_says_what_is_on_offer),
		cmocka_unit_test(refusals_are_held_back_longer_each_time),
		cmocka_unit_test(nothing_said_in_clear_survives),
		cmocka_unit_test(an_exchange_that_is_left_is_cancelled),
		cmocka_unit_test(a_large_ticket_fits),
		cmocka_unit_test(mechanisms_are_remembered),
		cmocka_unit_test(a_login_is_handed_over),
		cmocka_unit_test(seats_are_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
