/* What goes wrong: the store, the mailbox, the client. */
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/imap/dialog.h"

/* A command that the process died with twice is not tried a third time. */
static void
poison_is_refused(void **state)
{
	int fd = inflight_make();

	(void)state;
	assert_true(fd >= 0);
	for (unsigned life = 0; life < 3; life++) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			struct fake_world w;
			struct fake_client c;

			fake_world_init(&w);
			inflight_close(&w.d.inflight);
			w.d.inflight = inflight_open(fd);
			three_messages(&w);
			w.deadly = true;
			fake_connect(&w, &c);
			fake_send(&c, STR("a SELECT INBOX\r\n"), SIZE_MAX);
			fake_send(&c, STR("a FETCH 1:2 FLAGS\r\n"), SIZE_MAX);
			(void)fake_said(&c);
			fake_send(&c, STR("x FETCH 2 BODY[]\r\n"), SIZE_MAX);
			_exit(str_eq(fake_said(&c),
				  STR("x NO [SERVERBUG] This command made "
				      "us fail\r\n"))
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
deleted_under_a_session(void **state)
{
	static const struct turn turns[] = {
		{ 0, S("a SELECT Sent\r\n"),
		    S("* FLAGS (" NOFLAGS ")\r\n"
		      "* OK [PERMANENTFLAGS (" NOFLAGS
		      " \\*)] Flags permitted\r\n"
		      "* 0 EXISTS\r\n* 0 RECENT\r\n"
		      "* OK [UIDVALIDITY 1003] UIDs valid\r\n"
		      "* OK [UIDNEXT 1] Predicted next UID\r\n"
		      "a OK [READ-WRITE] Select completed\r\n") },
		{ 1, S("b EXAMINE Trash\r\nb DELETE Sent\r\n"),
		    S("* FLAGS (" NOFLAGS ")\r\n"
		      "* OK [PERMANENTFLAGS ()] Read-only mailbox\r\n"
		      "* 0 EXISTS\r\n* 0 RECENT\r\n"
		      "* OK [UIDVALIDITY 1004] UIDs valid\r\n"
		      "* OK [UIDNEXT 1] Predicted next UID\r\n"
		      "b OK [READ-ONLY] Examine completed\r\n"
		      "b OK Delete completed\r\n") },
		{ 0, S("a NOOP\r\n"),
		    S("* BYE The selected mailbox was deleted\r\n"
		      "a OK Completed\r\n") },
		/* one's own: simply not selected any more */
		{ 1, S("b DELETE Trash\r\nb CHECK\r\n"),
		    S("b OK Delete completed\r\n"
		      "b BAD No mailbox is selected\r\n") },
	};

	(void)state;
	RUN(NULL, turns);
}

/* RC_TEMP is never a definite no. */
static void
store_trouble_is_unavailable(void **state)
{
	static const struct {
		struct str send;
	} rows[] = {
		{ S("a SELECT INBOX\r\n") },
		{ S("a STATUS INBOX (MESSAGES)\r\n") },
		{ S("a LIST \"\" *\r\n") },
		{ S("a CREATE x\r\n") },
		{ S("a DELETE Sent\r\n") },
		{ S("a RENAME Sent x\r\n") },
		{ S("a SUBSCRIBE Sent\r\n") },
		{ S("a UNSUBSCRIBE Sent\r\n") },
		{ S("a APPEND INBOX {3}\r\n") },
		{ S("a FETCH 1 FLAGS\r\n") },
		{ S("a SEARCH ALL\r\n") },
		{ S("a STORE 1 +FLAGS \\Seen\r\n") },
		{ S("a COPY 1 Sent\r\n") },
		{ S("a MOVE 1 Sent\r\n") },
		{ S("a EXPUNGE\r\n") },
		{ S("a CLOSE\r\n") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fake_world w;
		struct fake_client c;
		struct str got;

		fake_world_init(&w);
		three_messages(&w);
		fake_connect(&w, &c);
		fake_send(&c, STR("a SELECT INBOX\r\n"), SIZE_MAX);
		(void)fake_said(&c);
		w.down = true;
		fake_send(&c, rows[i].send, SIZE_MAX);
		got = fake_said(&c);
		if (!str_eq(
			got, STR("a NO [UNAVAILABLE] Temporary failure, try "
				 "again\r\n")))
			fail_msg("%.*s: %.*s", STRF(rows[i].send), STRF(got));
		assert_false(fake_is_closed(&c));
		fake_disconnect(&c);
		fake_world_free(&w);
	}
}

static void
unreadable_messages(void **state)
{
	struct fake_world w;
	struct fake_client c;

	(void)state;
	fake_world_init(&w);
	three_messages(&w);
	fake_connect(&w, &c);
	fake_send(&c, STR("a EXAMINE INBOX\r\n"), SIZE_MAX);
	(void)fake_said(&c);
	w.unreadable = true;
	fake_send(&c, STR("a FETCH 1 (UID BODY[] FLAGS)\r\n"), SIZE_MAX);
	assert_true(str_eq(fake_said(&c),
	    STR("* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent))\r\n"
		"a NO [UNAVAILABLE] Some data cannot be read now\r\n")));
	fake_send(&c, STR("a FETCH 1 BODY[]\r\n"), SIZE_MAX);
	assert_true(str_eq(fake_said(&c),
	    STR("a NO [UNAVAILABLE] Some data cannot be read now\r\n")));
	fake_send(&c, STR("a SEARCH BODY x\r\n"), SIZE_MAX);
	assert_true(str_eq(fake_said(&c),
	    STR("a NO [UNAVAILABLE] Temporary failure, try again\r\n")));
	fake_disconnect(&c);
	fake_world_free(&w);
}

static void
too_many_errors(void **state)
{
	struct fake_world w;
	struct fake_client c;

	(void)state;
	fake_world_init(&w);
	fake_connect(&w, &c);
	for (unsigned i = 0; i < IMAP_ERRORS_MAX; i++) {
		assert_false(fake_is_closed(&c));
		fake_send(&c, STR("a XYZZY\r\n"), SIZE_MAX);
	}
	assert_true(fake_is_closed(&c));
	fake_disconnect(&c);
	fake_world_free(&w);
}

/* 2,000 messages: every cursor goes through several batches. */
static void
large_mailbox(void **state)
{
	struct fake_world w;
	struct fake_client c;
	struct str said;
	size_t lines = 0;

	(void)state;
	fake_world_init(&w);
	for (size_t i = 0; i < 2000; i++)
		fake_deliver(&w, "INBOX", STR("Subject: x\r\n\r\nbody\r\n"), 0);
	fake_connect(&w, &c);
	fake_set_room(&c, 1000);
	fake_send(&c, STR("a SELECT INBOX\r\n"), SIZE_MAX);
	said = fake_said(&c);
	assert_true(
	    str_find(said, STR("* 2000 EXISTS\r\n* 2000 RECENT")) < said.n);
	fake_send(&c, STR("a STORE 1:* +FLAGS.SILENT \\Flagged\r\n"), SIZE_MAX);
	assert_true(str_eq(fake_said(&c), STR("a OK Store completed\r\n")));
	fake_send(&c, STR("a FETCH 1:* (FLAGS BODY[TEXT])\r\n"), SIZE_MAX);
	said = fake_said(&c);
	assert_true(
	    str_find(said,
		STR("* 2000 FETCH (FLAGS (\\Flagged \\Seen \\Recent) "
		    "BODY[TEXT] "
		    "{6}\r\nbody\r\n)\r\na OK Fetch completed\r\n")) < said.n);
	for (size_t at; (at = str_find(said, STR(" FETCH ("))) < said.n;
	     lines++)
		said = str_from(said, at + 1);
	assert_int_equal(lines, 2000);
	/* \Seen was told with the bytes, not once more */
	fake_send(&c, STR("a NOOP\r\n"), SIZE_MAX);
	assert_true(str_eq(fake_said(&c), STR("a OK Completed\r\n")));
	fake_send(&c, STR("a UID SEARCH SEEN FLAGGED\r\n"), SIZE_MAX);
	said = fake_said(&c);
	assert_true(str_has_prefix(said, STR("* SEARCH 1 2 3 4 ")));
	assert_true(
	    str_find(said, STR(" 2000\r\na OK Search completed\r\n")) < said.n);
	/* when nothing can be read it does not try 2,000 times */
	w.unreadable = true;
	w.reads = 0;
	fake_send(&c, STR("a FETCH 1:* BODY.PEEK[]\r\n"), SIZE_MAX);
	assert_true(str_eq(fake_said(&c),
	    STR("a NO [UNAVAILABLE] Some data cannot be read now\r\n")));
	assert_in_range(w.reads, 1, 100);
	w.unreadable = false;
	fake_send(&c, STR("a STORE 1:* +FLAGS.SILENT \\Deleted\r\na CLOSE\r\n"),
	    SIZE_MAX);
	(void)fake_said(&c);
	assert_int_equal(fake_box(&w, "INBOX")->mb.messages, 0);
	fake_disconnect(&c);
	fake_world_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(poison_is_refused),
		cmocka_unit_test(deleted_under_a_session),
		cmocka_unit_test(store_trouble_is_unavailable),
		cmocka_unit_test(unreadable_messages),
		cmocka_unit_test(too_many_errors),
		cmocka_unit_test(large_mailbox),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
