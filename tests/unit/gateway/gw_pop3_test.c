/*
 * Dialogues of the POP3 login front.  A row is what the client sends and what
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
#include "gateway/gw_pop3.h"
#include "imap/preamble.h"
#include "tests/unit/gateway/fake_imap.h"

#define S       STR_INIT
#define AUTH_NO "-ERR [AUTH] Name or password is wrong\r\n"
#define TEMP    "-ERR [SYS/TEMP] Cannot check logins now, try later\r\n"
#define PRIVATE "-ERR Encryption is required: STLS first\r\n"
#define CRLF    "-ERR Lines end in CRLF and nothing else\r\n"
#define UNKNOWN "-ERR Unknown command, or log in first\r\n"
#define USER_OK "+OK Now the password\r\n"
#define CAPS                                                                   \
	"+OK Capabilities follow\r\nTOP\r\nUIDL\r\nRESP-CODES\r\n"             \
	"AUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\n"

struct row {
	struct str input;
	const char *out; /* behind the greeting */
	enum next end;
};

static void
check_rows(const struct row *rows, size_t n, bool tls)
{
	static const size_t steps[] = { SIZE_MAX / 2, 3, 1 };

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < COUNT(steps); k++) {
			struct fake_imap f;
			struct str out;

			fake_imap_init(&f);
			f.ops = &gw_pop3_ops;
			f.tls = tls;
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
nobody_logs_in_in_clear(void **state)
{
	static const struct row rows[] = {
		{ S("CAPA\r\n"),
		    CAPS "STLS\r\nIMPLEMENTATION Gatepost\r\n.\r\n",
		    NEXT_INPUT },
		{ S("USER ann\r\nPASS sec\"r\\et\r\n"), PRIVATE PRIVATE,
		    NEXT_INPUT },
		{ S("AUTH PLAIN AGFubgBzZWMiclxldA==\r\n"), PRIVATE,
		    NEXT_INPUT },
		{ S("AUTH GSSAPI\r\n"), PRIVATE, NEXT_INPUT },
		/* What follows STLS in clear is never read. */
		{ S("STLS\r\n"), "+OK Begin TLS\r\n", NEXT_INPUT },
		{ S("QUIT\r\n"), "+OK Bye\r\n", NEXT_CLOSE },
	};

	(void)state;
	check_rows(rows, COUNT(rows), false);
}

static void
a_dialogue_before_the_login(void **state)
{
	static const struct row rows[] = {
		{ S("CAPA\r\n"),
		    CAPS "USER\r\nSASL PLAIN GSSAPI\r\n"
			 "IMPLEMENTATION Gatepost\r\n.\r\n",
		    NEXT_INPUT },
		{ S("STLS\r\n"), "-ERR TLS is active already\r\n", NEXT_INPUT },
		{ S("STAT\r\nTOP 1 1\r\n\r\n"), UNKNOWN UNKNOWN UNKNOWN,
		    NEXT_INPUT },
		{ S("CAPA x\r\n"), "-ERR No argument expected\r\n",
		    NEXT_INPUT },
		{ S("USER\r\n"), "-ERR USER takes a name\r\n", NEXT_INPUT },
		{ S("PASS x\r\n"), "-ERR USER comes first\r\n", NEXT_INPUT },
		{ S("user ann\r\npass no\r\nPASS sec\"r\\et\r\n"),
		    USER_OK AUTH_NO "-ERR USER comes first\r\n", NEXT_INPUT },
		{ S("USER ann\r\nPASS\r\n"), USER_OK AUTH_NO, NEXT_INPUT },
		{ S("USER ann\r\nPASS broken\r\n"), USER_OK TEMP, NEXT_INPUT },
		{ S("USER x\r\nPASS 1\r\nUSER x\r\nPASS 2\r\nUSER x\r\n"
		    "PASS 3\r\nNOOP\r\n"),
		    USER_OK AUTH_NO USER_OK AUTH_NO USER_OK AUTH_NO,
		    NEXT_CLOSE },
		{ S("AUTH\r\n"), "-ERR AUTH takes a mechanism\r\n",
		    NEXT_INPUT },
		{ S("AUTH FROB\r\n"), "-ERR Mechanism is not available\r\n",
		    NEXT_INPUT },
		{ S("AUTH PLAIN\r\n*\r\nAUTH PLAIN !\r\n"),
		    "+ \r\n-ERR Cancelled\r\n"
		    "-ERR Cannot decode the response\r\n",
		    NEXT_INPUT },
		{ S("AUTH PLAIN AGFubgBubw==\r\n"), AUTH_NO, NEXT_INPUT },
		{ S("AUTH PLAIN =\r\n"), "-ERR Cannot decode the response\r\n",
		    NEXT_INPUT },
		{ S("AUTH GSSAPI\r\n!!\r\n"),
		    "+ bW9yZQ==\r\n-ERR Cannot decode the response\r\n",
		    NEXT_INPUT },
		{ S("AUTH GSSAPI\r\nc3RlcA==\r\nAAAA\r\n"),
		    "+ bW9yZQ==\r\n+ bGFzdA==\r\n"
		    "-ERR Cannot decode the response\r\n",
		    NEXT_INPUT },
		{ S("AUTH GSSAPI\r\nbm8=\r\n"), "+ bW9yZQ==\r\n" AUTH_NO,
		    NEXT_INPUT },
		{ S("AUTH GSSAPI YnJva2Vu\r\n"), TEMP, NEXT_INPUT },
		{ S("CAPA\nQUIT\r\n"), CRLF, NEXT_CLOSE },
		{ S("USER a\rb\r\n"), CRLF, NEXT_CLOSE },
		{ S("USER a\0b\r\n"), "-ERR NUL in command\r\n", NEXT_CLOSE },
		{ S("1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8\r\n9\r\n10\r\n11\r"
		    "\n"),
		    UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN
			UNKNOWN UNKNOWN UNKNOWN,
		    NEXT_CLOSE },
	};

	(void)state;
	check_rows(rows, COUNT(rows), true);
}

static int
listen_at(char *path, size_t size)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(path, size, "/tmp/gw_pop3_test.%ld", (long)getpid());
	unlink(path);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	assert_int_equal(bind(fd, (void *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

/* Every way in ends with a ticket and the rest of the client's bytes. */
static void
a_login_is_handed_over(void **state)
{
	static const struct str rows[] = {
		S("USER ann\r\nPASS sec\"r\\et\r\nSTAT\r\n"),
		S("AUTH PLAIN AGFubgBzZWMiclxldA==\r\nSTAT\r\n"),
		S("AUTH PLAIN\r\nAGFubgBzZWMiclxldA==\r\nSTAT\r\n"),
		S("AUTH GSSAPI\r\nc3RlcA==\r\n\r\nSTAT\r\n"),
		S("AUTH GSSAPI\r\nc3RlcA==\r\n=\r\nSTAT\r\n"),
	};
	char path[64];
	int fd = listen_at(path, sizeof(path));

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fake_imap f;
		struct preamble p;
		size_t n;

		fake_imap_init(&f);
		f.ops = &gw_pop3_ops;
		f.tls = true;
		f.path = path;
		fake_imap_run(&f, rows[i], SIZE_MAX / 2);
		assert_int_equal(f.end, NEXT_RELAY);
		n = preamble_frame(buf_str(&f.sent));
		assert_int_equal(
		    preamble_parse(str_sub(buf_str(&f.sent), 0, n), &p), RC_OK);
		assert_true(str_eq(p.service, STR("pop")));
		assert_true(str_eq(p.ticket, STR("0123456789abcdef")));
		assert_true(str_eq(p.client, STR("192.0.2.7")));
		assert_true(
		    str_eq(str_from(buf_str(&f.sent), n), STR("STAT\r\n")));
		fake_imap_free(&f);
	}
	close(fd);
	unlink(path);
}

static void
nobody_is_home(void **state)
{
	static const struct row rows[] = {
		{ S("USER ann\r\nPASS sec\"r\\et\r\nQUIT\r\n"),
		    USER_OK TEMP "+OK Bye\r\n", NEXT_CLOSE },
	};

	(void)state;
	check_rows(rows, COUNT(rows), true);
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
	f.ops = &gw_pop3_ops;
	f.tls = true;
	f.conf.user_sessions_max = 1;
	assert_true(gw_guard_enter(&f.gw, &f.conf, STR("id-ben"), &elsewhere));
	fake_imap_run(&f,
	    STR("USER ann\r\nPASS sec\"r\\et\r\nUSER ben\r\nPASS "
		"sec\"r\\et\r\n"),
	    SIZE_MAX / 2);
	out = buf_str(&f.out);
	out = str_from(out, str_chr(out, '\n') + 1);
	if (!str_eq(out, STR(USER_OK TEMP USER_OK
			     "-ERR [SYS/TEMP] Too many sessions of yours\r\n")))
		fail_msg("got \"%.*s\"", STRF(out));
	gw_guard_leave(&f.gw, &elsewhere);
	fake_imap_free(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_logs_in_in_clear),
		cmocka_unit_test(a_dialogue_before_the_login),
		cmocka_unit_test(a_login_is_handed_over),
		cmocka_unit_test(nobody_is_home),
		cmocka_unit_test(seats_are_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
