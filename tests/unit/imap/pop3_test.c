#include <sys/wait.h>
#include <unistd.h>

#include "imap/pop3_text.h"
#include "tests/unit/imap/dialog.h"

#define M1 "Subject: x\r\n\r\none\r\n"
#define M2 "Subject: y\r\n\r\n.\r\n..two\r\nend\r\n"
#define M3 "Subject: z\r\n\r\nno end"

static void
pop_messages(struct fake_world *w)
{
	fake_deliver(w, "INBOX", STR(M1), 0);
	fake_deliver(w, "INBOX", STR(M2), 0);
	fake_deliver(w, "INBOX", STR(M3), STORE_FLAGGED);
}

/* As run_dialog, for POP3. */
static void
run_pop(void (*setup)(struct fake_world *w), const struct turn *turns, size_t n)
{
	static const struct {
		size_t piece, room;
	} ways[] = { { SIZE_MAX, 128u << 10 }, { 1, 128u << 10 },
		{ SIZE_MAX, 7 } };

	for (size_t k = 0; k < COUNT(ways); k++) {
		struct fake_client cl[2];
		struct fake_world w;

		fake_world_init(&w);
		setup(&w);
		for (size_t i = 0; i < 2; i++) {
			fake_connect_pop(&w, &cl[i]);
			(void)fake_said(&cl[i]);
			fake_set_room(&cl[i], ways[k].room);
		}
		for (size_t i = 0; i < n; i++) {
			struct fake_client *c = &cl[turns[i].who];
			struct str got;

			fake_send(c, turns[i].send, ways[k].piece);
			got = fake_said(c);
			if (!str_eq(got, turns[i].want))
				fail_msg("way %zu turn %zu\nsent %.*s\n"
					 "got  %.*s\nwant %.*s",
				    k, i, STRF(turns[i].send), STRF(got),
				    STRF(turns[i].want));
		}
		fake_disconnect(&cl[0]);
		fake_disconnect(&cl[1]);
		fake_world_free(&w);
	}
}

static void
login_follows_the_ticket(void **state)
{
	static const struct {
		enum rc ticket;
		bool down;
		struct str want;
	} rows[] = {
		{ RC_OK, false, S("+OK Logged in, 3 messages\r\n") },
		{ RC_TEMP, false, S("-ERR [SYS/TEMP] Try again later\r\n") },
		{ RC_DENY, false, S("-ERR [AUTH] Log in again\r\n") },
		{ RC_OK, true, S("-ERR [SYS/TEMP] Try again later\r\n") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fake_client c;
		struct fake_world w;

		fake_world_init(&w);
		pop_messages(&w);
		w.ticket = rows[i].ticket;
		w.down = rows[i].down;
		fake_connect_pop(&w, &c);
		CHECK_SAID(&c, rows[i].want);
		assert_int_equal(fake_is_closed(&c), i > 0);
		fake_disconnect(&c);
		fake_world_free(&w);
	}
}

static void
a_maildrop_is_listed(void **state)
{
	static const struct turn turns[] = {
		{ 0, S("STAT\r\n"), S("+OK 3 68\r\n") },
		{ 0, S("LIST\r\n"),
		    S("+OK 3 messages (68 octets)\r\n"
		      "1 19\r\n2 29\r\n3 20\r\n.\r\n") },
		{ 0, S("list 2\r\n"), S("+OK 2 29\r\n") },
		{ 0, S("UIDL\r\n"),
		    S("+OK 3 messages (68 octets)\r\n"
		      "1 1001.1\r\n2 1001.2\r\n3 1001.3\r\n.\r\n") },
		{ 0, S("UIDL 3\r\n"), S("+OK 3 1001.3\r\n") },
		{ 0, S("LIST 4\r\nLIST 0\r\n"),
		    S("-ERR No such message\r\n-ERR No such message\r\n") },
		{ 0, S("NOOP\r\n"), S("+OK Done\r\n") },
		{ 0, S("CAPA\r\n"),
		    S("+OK Capabilities follow\r\nTOP\r\nUIDL\r\nRESP-CODES\r\n"
		      "AUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\n"
		      "USER\r\nSASL PLAIN GSSAPI\r\n"
		      "IMPLEMENTATION Gatepost\r\n.\r\n") },
	};

	(void)state;
	run_pop(pop_messages, turns, COUNT(turns));
}

/* A directory that does not answer is not waited for by each CAPA. */
static void
mechanisms_are_remembered(void **state)
{
	static const struct {
		enum rc rc;
		const char *want;
	} rows[] = { { RC_OK, "SASL PLAIN GSSAPI\r\n" },
		{ RC_TEMP, "SASL PLAIN\r\n" } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str want = str_c(rows[i].want);
		struct fake_client cl[2];
		struct fake_world w;
		struct str got;

		fake_world_init(&w);
		w.mechs = rows[i].rc;
		for (size_t k = 0; k < 2; k++) {
			fake_connect_pop(&w, &cl[k]);
			(void)fake_said(&cl[k]);
			fake_send(&cl[k], STR("CAPA\r\n"), SIZE_MAX);
			got = fake_said(&cl[k]);
			assert_true(str_find(got, want) < got.n);
			fake_send(&cl[k], STR("CAPA\r\n"), SIZE_MAX);
			got = fake_said(&cl[k]);
			assert_true(str_find(got, want) < got.n);
		}
		assert_int_equal(w.asked_mechs, 1);
		/* when it is time, again; and what was known stays */
		w.mechs = RC_TEMP;
		w.d.mechs.until = 0;
		fake_send(&cl[0], STR("CAPA\r\n"), SIZE_MAX);
		got = fake_said(&cl[0]);
		assert_true(str_find(got, want) < got.n);
		assert_int_equal(w.asked_mechs, 2);
		fake_disconnect(&cl[0]);
		fake_disconnect(&cl[1]);
		fake_world_free(&w);
	}
}

static void
messages_are_sent_with_their_dots(void **state)
{
	static const struct turn turns[] = {
		{ 0, S("RETR 1\r\n"), S("+OK 19 octets\r\n" M1 ".\r\n") },
		{ 0, S("RETR 2\r\nRETR 3\r\n"),
		    S("+OK 29 octets\r\nSubject: y\r\n\r\n..\r\n...two\r\n"
		      "end\r\n.\r\n+OK 20 octets\r\n" M3 "\r\n.\r\n") },
		{ 0, S("TOP 2 0\r\n"),
		    S("+OK Top of message follows\r\n"
		      "Subject: y\r\n\r\n.\r\n") },
		{ 0, S("TOP 2 2\r\n"),
		    S("+OK Top of message follows\r\n"
		      "Subject: y\r\n\r\n..\r\n...two\r\n.\r\n") },
		{ 0, S("TOP 3 9\r\n"),
		    S("+OK Top of message follows\r\n" M3 "\r\n.\r\n") },
		{ 0, S("RETR 4\r\n"), S("-ERR No such message\r\n") },
	};

	(void)state;
	run_pop(pop_messages, turns, COUNT(turns));
}

static void
what_is_deleted_goes_at_quit(void **state)
{
	static const struct turn turns[] = {
		{ 0, S("DELE 1\r\nDELE 1\r\nRETR 1\r\nTOP 1 0\r\nLIST 1\r\n"),
		    S("+OK Deleted\r\n-ERR Message is deleted\r\n"
		      "-ERR Message is deleted\r\n-ERR Message is deleted\r\n"
		      "-ERR Message is deleted\r\n") },
		{ 0, S("STAT\r\n"), S("+OK 2 49\r\n") },
		{ 0, S("UIDL\r\n"),
		    S("+OK 2 messages (49 octets)\r\n"
		      "2 1001.2\r\n3 1001.3\r\n.\r\n") },
		{ 0, S("RSET\r\nSTAT\r\n"),
		    S("+OK Nothing is deleted\r\n+OK 3 68\r\n") },
		{ 0, S("DELE 2\r\nDELE 3\r\nQUIT\r\n"),
		    S("+OK Deleted\r\n+OK Deleted\r\n+OK Bye\r\n") },
		/* The other one has its snapshot, and is told. */
		{ 1, S("STAT\r\n"), S("+OK 3 68\r\n") },
		{ 1, S("RETR 2\r\n"),
		    S("-ERR Message was removed by another session\r\n") },
		{ 1, S("DELE 2\r\nRETR 1\r\n"),
		    S("+OK Deleted\r\n+OK 19 octets\r\n" M1 ".\r\n") },
		{ 1, S("QUIT\r\n"), S("+OK Bye\r\n") },
	};

	(void)state;
	run_pop(pop_messages, turns, COUNT(turns));
}

static uint64_t
flags_of(struct fake_world *w, size_t i, bool *there)
{
	const struct fake_msg *m = &fake_box(w, "INBOX")->msgs[i];

	*there = m->gone == 0;
	return m->row.flags;
}

/* Only what was retrieved is seen, only what was deleted is gone. */
static void
quit_changes_what_was_said_and_nothing_else(void **state)
{
	static const struct {
		struct str send;
		unsigned there, seen; /* a bit each */
	} rows[] = {
		{ S("RETR 1\r\nTOP 2 5\r\nQUIT\r\n"), 7, 1 },
		{ S("RETR 1\r\nRETR 2\r\nDELE 2\r\nQUIT\r\n"), 5, 1 },
		{ S("RETR 3\r\nDELE 1\r\nRSET\r\nQUIT\r\n"), 7, 4 },
		{ S("RETR 1\r\nDELE 1\r\nDELE 2\r\n"), 7, 0 },
		{ S("DELE 1\r\nDELE 2\r\nDELE 3\r\nQUIT\r\n"), 0, 0 },
		{ S("QUIT\r\n"), 7, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned there = 0, seen = 0;
		struct fake_client c;
		struct fake_world w;

		fake_world_init(&w);
		pop_messages(&w);
		/* Somebody else's deletion is not ours to finish. */
		fake_box(&w, "INBOX")->msgs[2].row.flags |= STORE_DELETED;
		fake_connect_pop(&w, &c);
		w.writes = 0;
		fake_send(&c, rows[i].send, SIZE_MAX);
		fake_disconnect(&c);
		for (size_t k = 0; k < 3; k++) {
			bool here;
			uint64_t flags = flags_of(&w, k, &here);

			there |= here ? 1u << k : 0;
			seen |= here && (flags & STORE_SEEN) ? 1u << k : 0;
		}
		assert_int_equal(there, rows[i].there);
		assert_int_equal(seen, rows[i].seen);
		if (there == 7 && seen == 0)
			assert_int_equal(w.writes, 0);
		fake_world_free(&w);
	}
}

static void
a_store_that_is_down_is_no_definite_no(void **state)
{
	struct fake_client c;
	struct fake_world w;

	(void)state;
	fake_world_init(&w);
	pop_messages(&w);
	fake_connect_pop(&w, &c);
	(void)fake_said(&c);
	fake_send(&c, STR("DELE 1\r\n"), SIZE_MAX);
	(void)fake_said(&c);
	w.down = true;
	fake_send(&c, STR("RETR 2\r\n"), SIZE_MAX);
	CHECK_SAID(&c, STR("-ERR [SYS/TEMP] Cannot read the message now\r\n"));
	fake_send(&c, STR("QUIT\r\n"), SIZE_MAX);
	CHECK_SAID(&c,
	    STR("-ERR [SYS/TEMP] Some deleted messages are not removed\r\n"));
	assert_true(fake_is_closed(&c));
	fake_disconnect(&c);
	fake_world_free(&w);
}

/* Half a message cannot be taken back: the session ends. */
static void
what_cannot_be_read_on_is_cut(void **state)
{
	struct fake_client c;
	struct fake_world w;

	(void)state;
	fake_world_init(&w);
	pop_messages(&w);
	fake_connect_pop(&w, &c);
	w.unreadable = true;
	fake_send(&c, STR("RETR 2\r\nNOOP\r\n"), SIZE_MAX);
	assert_true(fake_is_closed(&c));
	fake_disconnect(&c);
	fake_world_free(&w);
}

static void
a_large_maildrop_takes_little(void **state)
{
	const size_t many = 20000;
	struct fake_client c;
	struct fake_world w;
	struct str said;

	(void)state;
	fake_world_init_small(&w, many);
	for (size_t i = 0; i < many; i++)
		fake_deliver(&w, "INBOX", STR(M1), 0);
	fake_connect_pop(&w, &c);
	CHECK_SAID(&c, STR("+OK Logged in, 20000 messages\r\n"));
	fake_send(&c, STR("UIDL\r\n"), SIZE_MAX);
	said = fake_said(&c);
	assert_true(
	    str_has_isuffix(said, STR("\r\n20000 1001.20000\r\n.\r\n")));
	fake_send(&c, STR("DELE 5000\r\nDELE 19999\r\nQUIT\r\n"), SIZE_MAX);
	CHECK_SAID(&c, STR("+OK Deleted\r\n+OK Deleted\r\n+OK Bye\r\n"));
	assert_int_equal(fake_box(&w, "INBOX")->mb.messages, many - 2);
	fake_disconnect(&c);
	fake_world_free(&w);
}

/* More runs than one call to the store takes. */
static void
every_second_message_goes(void **state)
{
	AUTO_BUF b = { 0 };
	struct fake_client c;
	struct fake_world w;

	(void)state;
	buf_init(&b, 1u << 20);
	fake_world_init(&w);
	for (size_t i = 0; i < 2500; i++)
		fake_deliver(&w, "INBOX", STR(M1), 0);
	for (unsigned i = 1; i <= 2500; i += 2)
		if (buf_fmt(&b, "DELE %u\r\n", i) != RC_OK)
			fail();
	if (buf_add(&b, STR("QUIT\r\n")) != RC_OK)
		fail();
	fake_connect_pop(&w, &c);
	fake_send(&c, buf_str(&b), SIZE_MAX);
	assert_true(str_has_isuffix(fake_said(&c), STR("+OK Bye\r\n")));
	assert_int_equal(fake_box(&w, "INBOX")->mb.messages, 1250);
	for (size_t i = 0; i < 2500; i++)
		assert_int_equal(
		    fake_box(&w, "INBOX")->msgs[i].gone != 0, i % 2 == 0);
	fake_disconnect(&c);
	fake_world_free(&w);
}

static void
a_session_ends_without_update(void **state)
{
	static const enum netd_unit_kind kinds[] = { UNIT_TIMEOUT, UNIT_STOP };

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct fake_client c;
		struct fake_world w;

		fake_world_init(&w);
		pop_messages(&w);
		fake_connect_pop(&w, &c);
		fake_send(&c, STR("DELE 1\r\n"), SIZE_MAX);
		(void)fake_said(&c);
		fake_event(&c, kinds[i]);
		CHECK_SAID(&c, i == 0
				   ? STR("")
				   : STR("-ERR [SYS/TEMP] Shutting down\r\n"));
		assert_true(fake_is_closed(&c));
		assert_int_equal(fake_box(&w, "INBOX")->mb.messages, 3);
		fake_disconnect(&c);
		fake_world_free(&w);
	}
}

/* A message that two lives died of is not read in the third. */
static void
a_poisoned_message_is_refused(void **state)
{
	int fd = inflight_make(), status;

	(void)state;
	for (int life = 0; life < 3; life++) {
		pid_t child = fork();

		if (child == 0) {
			struct fake_world w;
			struct fake_client c;

			fake_world_init(&w);
			inflight_close(&w.d.inflight);
			w.d.inflight = inflight_open(fd);
			pop_messages(&w);
			w.deadly = true;
			fake_connect_pop(&w, &c);
			(void)fake_said(&c);
			fake_send(&c, STR("RETR 2\r\n"), SIZE_MAX);
			_exit(str_eq(fake_said(&c),
				  STR("-ERR [SYS/PERM] This message made us "
				      "fail\r\n"))
				  ? 0
				  : 1);
		}
		assert_true(child > 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), life < 2 ? 77 : 0);
	}
	close(fd);
}

static void
commands_are_parsed(void **state)
{
	static const struct {
		struct str line;
		enum rc rc;
		enum pop3_verb verb;
		uint32_t msg, lines;
	} rows[] = {
		{ S("STAT"), RC_OK, POP3_STAT, 0, 0 },
		{ S("stat "), RC_OK, POP3_STAT, 0, 0 },
		{ S("LIST"), RC_OK, POP3_LIST, 0, 0 },
		{ S("LIST 7"), RC_OK, POP3_LIST, 7, 0 },
		{ S("TOP 1 10"), RC_OK, POP3_TOP, 1, 10 },
		{ S("RETR 4294967295"), RC_OK, POP3_RETR, UINT32_MAX, 0 },
		{ S("RETR 4294967296"), RC_BAD, 0, 0, 0 },
		{ S("RETR +1"), RC_BAD, 0, 0, 0 },
		{ S("RETR 1\0"), RC_BAD, 0, 0, 0 },
		{ S("RETR"), RC_BAD, 0, 0, 0 },
		{ S("RETR 1 2"), RC_BAD, 0, 0, 0 },
		{ S("TOP 1"), RC_BAD, 0, 0, 0 },
		{ S("TOP 1 2 3"), RC_BAD, 0, 0, 0 },
		{ S("QUIT now"), RC_BAD, 0, 0, 0 },
		{ S("STAT\t1"), RC_NOENT, 0, 0, 0 },
		{ S("STATS"), RC_NOENT, 0, 0, 0 },
		{ S(""), RC_NOENT, 0, 0, 0 },
		{ S("\0"), RC_NOENT, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pop3_command c = { 0 };

		if (pop3_parse(rows[i].line, &c) != rows[i].rc)
			fail_msg("row %zu", i);
		if (rows[i].rc != RC_OK)
			continue;
		assert_int_equal(c.verb, rows[i].verb);
		assert_int_equal(c.msg, rows[i].msg);
		assert_int_equal(c.lines, rows[i].lines);
	}
}

/* In every split: what is sent, and what of it is the top. */
static void
dots_and_tops_in_any_split(void **state)
{
	static const struct {
		struct str in;
		uint32_t lines;
		struct str all, top;
	} rows[] = {
		{ S(M2), 1, S("Subject: y\r\n\r\n..\r\n...two\r\nend\r\n.\r\n"),
		    S("Subject: y\r\n\r\n..\r\n.\r\n") },
		{ S(M3), 3, S(M3 "\r\n.\r\n"), S(M3 "\r\n.\r\n") },
		{ S(""), 3, S("\r\n.\r\n"), S("\r\n.\r\n") },
		{ S("."), 0, S("..\r\n.\r\n"), S("..\r\n.\r\n") },
		{ S("a\n.\r\nb\r"), 0, S("a\n..\r\nb\r\r\n.\r\n"),
		    S("a\n..\r\nb\r\r\n.\r\n") },
		{ S("\r\n.\n.x\r\n"), 1, S("\r\n..\n..x\r\n.\r\n"),
		    S("\r\n..\n\r\n.\r\n") },
		{ S("h\r\n\n1\n2\n"), 1, S("h\r\n\n1\n2\n\r\n.\r\n"),
		    S("h\r\n\n1\n\r\n.\r\n") },
		{ S("h\r\n\r\r\n\r\n1\r\n"), 0, S("h\r\n\r\r\n\r\n1\r\n.\r\n"),
		    S("h\r\n\r\r\n\r\n.\r\n") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t piece = 1; piece <= rows[i].in.n + 1; piece++)
			for (int top = 0; top < 2; top++) {
				struct pop3_top t = { .left = rows[i].lines };
				struct str in = rows[i].in;
				struct pop3_dots d = { 0 };
				struct imap_out o;

				imap_out_init(&o);
				while (in.n > 0) {
					struct str part = str_sub(in, 0, piece);

					in = str_from(in, part.n);
					if (top)
						part.n = pop3_top_cut(&t, part);
					pop3_dots_put(&d, part, &o);
				}
				pop3_dots_end(&d, &o);
				if (!str_eq(buf_str(&o.b),
					top ? rows[i].top : rows[i].all))
					fail_msg("row %zu by %zu, top %d: %.*s",
					    i, piece, top, STRF(buf_str(&o.b)));
				imap_out_free(&o);
			}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(login_follows_the_ticket),
		cmocka_unit_test(a_maildrop_is_listed),
		cmocka_unit_test(mechanisms_are_remembered),
		cmocka_unit_test(messages_are_sent_with_their_dots),
		cmocka_unit_test(what_is_deleted_goes_at_quit),
		cmocka_unit_test(quit_changes_what_was_said_and_nothing_else),
		cmocka_unit_test(a_store_that_is_down_is_no_definite_no),
		cmocka_unit_test(what_cannot_be_read_on_is_cut),
		cmocka_unit_test(a_large_maildrop_takes_little),
		cmocka_unit_test(every_second_message_goes),
		cmocka_unit_test(a_session_ends_without_update),
		cmocka_unit_test(a_poisoned_message_is_refused),
		cmocka_unit_test(commands_are_parsed),
		cmocka_unit_test(dots_and_tops_in_any_split),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
