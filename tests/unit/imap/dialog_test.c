#include "tests/unit/imap/dialog.h"

static void
login_follows_the_ticket(void **state)
{
	static const struct {
		enum rc ticket;
		struct str want;
		bool closed;
	} rows[] = {
		{ RC_OK, S("a0 OK [CAPABILITY " CAPS "] Logged in\r\n"),
		    false },
		{ RC_TEMP,
		    S("a0 NO [UNAVAILABLE] Try again later\r\n"
		      "* BYE Not logged in\r\n"),
		    true },
		{ RC_DENY,
		    S("a0 NO [AUTHENTICATIONFAILED] Log in again\r\n"
		      "* BYE Not logged in\r\n"),
		    true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fake_world w;
		struct fake_client c;
		struct str got;

		fake_world_init(&w);
		w.ticket = rows[i].ticket;
		fake_connect_raw(&w, &c);
		got = fake_said(&c);
		if (!str_eq(got, rows[i].want))
			fail_msg("%zu: %.*s", i, STRF(got));
		assert_int_equal(fake_is_closed(&c), rows[i].closed);
		fake_disconnect(&c);
		fake_world_free(&w);
	}
}

static void
any_state_commands(void **state)
{
	static const struct turn turns[] = {
		{ 0, S("a CAPABILITY\r\n"),
		    S("* CAPABILITY " CAPS
		      "\r\na OK Capability completed\r\n") },
		{ 0, S("a noop\r\n"), S("a OK Completed\r\n") },
		{ 0, S("a NOOP x\r\n"), S("a BAD No arguments expected\r\n") },
		{ 0, S("a NAMESPACE\r\n"),
		    S("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n"
		      "a OK Namespace completed\r\n") },
		{ 0, S("a ID NIL\r\n"),
		    S("* ID (\"name\" \"Gatepost\")\r\na OK ID "
		      "completed\r\n") },
		{ 0, S("a ID (\"name\" \"x\" \"os\" NIL)\r\n"),
		    S("* ID (\"name\" \"Gatepost\")\r\na OK ID "
		      "completed\r\n") },
		{ 0, S("a ID (\"name\")\r\n"),
		    S("a BAD ID takes NIL or a list of strings\r\n") },
		{ 0, S("a ID\r\n"),
		    S("a BAD ID takes NIL or a list of strings\r\n") },
		{ 0, S("a LOGIN x y\r\n"),
		    S("a BAD Already authenticated\r\n") },
		{ 0, S("a STARTTLS\r\n"),
		    S("a BAD Already authenticated\r\n") },
		{ 0, S("a FETCH 1 FLAGS\r\n"),
		    S("a BAD No mailbox is selected\r\n") },
		{ 0, S("a XYZZY\r\n"), S("a BAD Unknown command\r\n") },
		{ 0, S("a UID NOOP\r\n"), S("a BAD Unknown command\r\n") },
		{ 0, S("a UID\r\n"), S("a BAD Command expected\r\n") },
		{ 0, S("+ NOOP\r\n"), S("* BAD Invalid tag\r\n") },
		{ 0, S("\r\n"), S("* BAD Invalid tag\r\n") },
		{ 0, S("a\r\n"), S("a BAD Command expected\r\n") },
		{ 0, S("a NOOP\0\r\n"), S("a BAD NUL in command\r\n") },
		{ 0, S("a NO\nOP\r\n"), S("a BAD Unknown command\r\n") },
		{ 0, S("a STATUS INBOX (MESSAGES)\r b\r\n"),
		    S("a BAD List of status items expected\r\n") },
		/* pipelined */
		{ 0, S("a NOOP\r\nb NOOP\r\nc LOGOUT\r\nd NOOP\r\n"),
		    S("a OK Completed\r\nb OK Completed\r\n"
		      "* BYE Logging out\r\nc OK Logout completed\r\n") },
	};

	(void)state;
	RUN(NULL, turns);
}

static void
literals(void **state)
{
	static const struct turn turns[] = {
		{ 0, S("a STATUS {5}\r\n"), S("+ OK\r\n") },
		{ 0, S("INBOX (MESSAGES)\r\n"),
		    S("* STATUS INBOX (MESSAGES 3)\r\n"
		      "a OK Status completed\r\n") },
		{ 0, S("a STATUS {5+}\r\nINBOX (MESSAGES)\r\n"),
		    S("* STATUS INBOX (MESSAGES 3)\r\n"
		      "a OK Status completed\r\n") },
		{ 0, S("a STATUS {0+}\r\n (MESSAGES)\r\n"),
		    S("a NO [CANNOT] Not a mailbox name\r\n") },
		/* no "+" for what is refused */
		{ 0, S("a XYZZY {5}\r\n"), S("a BAD Unknown command\r\n") },
		{ 0, S("a XYZZY {6+}\r\na NOOP {1+}\r\nx\r\nb NOOP\r\n"),
		    S("a BAD Unknown command\r\nb OK Completed\r\n") },
		{ 0, S("a STATUS {33000}\r\n"),
		    S("a BAD [TOOBIG] Literal is too large\r\n") },
		{ 0, S("a STATUS {5+}\r\nIN\0OX (MESSAGES)\r\n"),
		    S("a BAD NUL in command\r\n") },
		{ 0, S("a XYZZY {3+}\r\nabc {3}\r\nb NOOP\r\n"),
		    S("a BAD Unknown command\r\nb OK Completed\r\n") },
		{ 0, S("a XYZZY {9999999999+}\r\n"),
		    S("* BYE [TOOBIG] Literal is too large\r\n") },
	};

	(void)state;
	RUN(three_messages, turns);
}

static void
select_and_examine(void **state)
{
	static const struct turn turns[] = {
		{ 0, S("a EXAMINE inbox\r\n"),
		    S("* FLAGS (" NOFLAGS ")\r\n"
		      "* OK [PERMANENTFLAGS ()] Read-only mailbox\r\n"
		      "* 3 EXISTS\r\n* 3 RECENT\r\n" UNSEEN(
			  "2") "* OK [UIDVALIDITY 1001] UIDs valid\r\n"
			       "* OK [UIDNEXT 4] Predicted next UID\r\n"
			       "a OK [READ-ONLY] Examine completed\r\n") },
		/* EXAMINE did not take \Recent away */
		{ 1, S("b STATUS INBOX (RECENT UNSEEN)\r\n"),
		    S("* STATUS INBOX (RECENT 3 UNSEEN 2)\r\n"
		      "b OK Status completed\r\n") },
		{ 0, S("a STORE 1 FLAGS (\\Deleted)\r\n"),
		    S("a NO [READ-ONLY] Mailbox was opened with EXAMINE\r\n") },
		{ 0, S("a FETCH 2 (BODY[TEXT] FLAGS)\r\n"),
		    S("* 2 FETCH (BODY[TEXT] {6}\r\nbody\r\n "
		      "FLAGS (\\Recent))\r\na OK Fetch completed\r\n") },
		{ 1, S("b SELECT INBOX\r\n"),
		    S(SELECTED("3", "3", UNSEEN("2"),
			"4") "b OK [READ-WRITE] Select completed\r\n") },
		{ 0, S("a SELECT INBOX\r\n"),
		    S(SELECTED("3", "0", UNSEEN("2"),
			"4") "a OK [READ-WRITE] Select completed\r\n") },
		{ 0, S("a SELECT nosuch\r\n"),
		    S("a NO [NONEXISTENT] No such mailbox\r\n") },
		{ 0, S("a FETCH 1 FLAGS\r\n"),
		    S("a BAD No mailbox is selected\r\n") },
		{ 0, S("a SELECT\r\n"), S("a BAD Mailbox name expected\r\n") },
		{ 1, S("b STORE 1:2 +FLAGS.SILENT (\\Deleted)\r\n"),
		    S("b OK Store completed\r\n") },
		{ 1, S("b UNSELECT\r\n"), S("b OK Unselect completed\r\n") },
		{ 1, S("b SELECT INBOX\r\n"),
		    S(SELECTED("3", "0", UNSEEN("2"),
			"4") "b OK [READ-WRITE] Select completed\r\n") },
		{ 1, S("b CLOSE\r\n"), S("b OK Close completed\r\n") },
		{ 1, S("b SELECT INBOX\r\n"),
		    S(SELECTED("1", "0", UNSEEN("1"),
			"4") "b OK [READ-WRITE] Select completed\r\n") },
	};

	(void)state;
	RUN(three_messages, turns);
}

static void
store_and_flags(void **state)
{
	static const struct turn turns[] = {
		{ 0, S("a SELECT INBOX\r\n"),
		    S(SELECTED("3", "3", UNSEEN("2"),
			"4") "a OK [READ-WRITE] Select completed\r\n") },
		{ 1, S("b SELECT INBOX\r\n"),
		    S(SELECTED("3", "0", UNSEEN("2"),
			"4") "b OK [READ-WRITE] Select completed\r\n") },
		{ 0, S("a STORE 1:2 +FLAGS (\\Answered)\r\n"),
		    S("* 1 FETCH (FLAGS (\\Answered \\Seen \\Recent))\r\n"
		      "* 2 FETCH (FLAGS (\\Answered \\Recent))\r\n"
		      "a OK Store completed\r\n") },
		/* told once, and to the other session */
		{ 0, S("a NOOP\r\n"), S("a OK Completed\r\n") },
		{ 1, S("b NOOP\r\n"),
		    S("* 1 FETCH (FLAGS (\\Answered \\Seen))\r\n"
		      "* 2 FETCH (FLAGS (\\Answered))\r\n"
		      "b OK Completed\r\n") },
		/* no change, still told as a FETCH would */
		{ 0, S("a UID STORE 3 +FLAGS \\Flagged\r\n"),
		    S("* 3 FETCH (UID 3 FLAGS (\\Flagged \\Recent))\r\n"
		      "a OK Store completed\r\n") },
		{ 0, S("a STORE 3 FLAGS.SILENT (\\Seen \\Draft)\r\n"),
		    S("a OK Store completed\r\n") },
		{ 0, S("a STORE 3 -FLAGS.SILENT \\Draft \\Flagged\r\n"),
		    S("a OK Store completed\r\n") },
		{ 0, S("a FETCH 3 FLAGS\r\n"),
		    S("* 3 FETCH (FLAGS (\\Seen \\Recent))\r\n"
		      "a OK Fetch completed\r\n") },
		/* a new keyword is announced */
		{ 0, S("a STORE 3 +FLAGS ($Forwarded)\r\n"),
		    S("* FLAGS (" NOFLAGS " $Forwarded)\r\n"
		      "* OK [PERMANENTFLAGS (" NOFLAGS
		      " $Forwarded \\*)] Flags permitted\r\n"
		      "* 3 FETCH (FLAGS (\\Seen \\Recent $Forwarded))\r\n"
		      "a OK Store completed\r\n") },
		{ 1, S("b UID FETCH 3 FLAGS\r\n"),
		    S("* FLAGS (" NOFLAGS " $Forwarded)\r\n"
		      "* OK [PERMANENTFLAGS (" NOFLAGS
		      " $Forwarded \\*)] Flags permitted\r\n"
		      "* 3 FETCH (UID 3 FLAGS (\\Seen $Forwarded))\r\n"
		      "* 3 FETCH (UID 3 FLAGS (\\Seen $Forwarded))\r\n"
		      "b OK Fetch completed\r\n") },
		/* what a FETCH of all flags has told is told once */
		{ 0, S("a STORE 2 +FLAGS.SILENT \\Draft\r\n"),
		    S("a OK Store completed\r\n") },
		{ 1, S("b FETCH 1:* FLAGS\r\n"),
		    S("* 1 FETCH (FLAGS (\\Answered \\Seen))\r\n"
		      "* 2 FETCH (FLAGS (\\Answered \\Draft))\r\n"
		      "* 3 FETCH (FLAGS (\\Seen $Forwarded))\r\n"
		      "b OK Fetch completed\r\n") },
		/* .SILENT hides our change, not another's */
		{ 1, S("b STORE 1 +FLAGS.SILENT (\\Flagged)\r\n"),
		    S("b OK Store completed\r\n") },
		{ 0, S("a STORE 1 +FLAGS.SILENT (\\Draft)\r\n"),
		    S("* 1 FETCH (FLAGS (\\Answered \\Flagged \\Seen "
		      "\\Recent))\r\na OK Store completed\r\n") },
		{ 0, S("a STORE 4 +FLAGS (\\Seen)\r\n"),
		    S("a BAD No such message number\r\n") },
		{ 0, S("a UID STORE 4:9 +FLAGS (\\Seen)\r\n"),
		    S("a OK No such message\r\n") },
		{ 0, S("a STORE 1 +FLAGS (\\Recent)\r\n"),
		    S("a BAD Flags expected\r\n") },
		{ 0, S("a STORE 1 FLAGS\r\n"), S("a BAD Flags expected\r\n") },
		{ 0, S("a STORE 0 FLAGS ()\r\n"),
		    S("a BAD Sequence set expected\r\n") },
		{ 0, S("a STORE 2 FLAGS ()\r\n"),
		    S("* 2 FETCH (FLAGS (\\Recent))\r\n"
		      "a OK Store completed\r\n") },
	};

	(void)state;
	RUN(three_messages, turns);
}

/* RFC 3501 section 7.4.1. */
static void
expunges_wait_for_their_moment(void **state)
{
	static const struct turn turns[] = {
		{ 0, S("a SELECT INBOX\r\n"),
		    S(SELECTED("3", "3", UNSEEN("2"),
			"4") "a OK [READ-WRITE] Select completed\r\n") },
		{ 1, S("b SELECT INBOX\r\n"),
		    S(SELECTED("3", "0", UNSEEN("2"),
			"4") "b OK [READ-WRITE] Select completed\r\n") },
		{ 0, S("a STORE 1:2 +FLAGS.SILENT \\Deleted\r\n"),
		    S("a OK Store completed\r\n") },
		{ 0, S("a EXPUNGE\r\n"),
		    S("* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n"
		      "a OK Expunge completed\r\n") },
		{ 0, S("a APPEND INBOX {4+}\r\nx: y\r\n"),
		    S("* 2 EXISTS\r\n* 2 RECENT\r\n"
		      "a OK [APPENDUID 1001 4] Append completed\r\n") },
		/* the number is still the old one; the message is not there */
		{ 1, S("b FETCH 1:3 UID\r\n"),
		    S("* 3 FETCH (UID 3)\r\n* 4 EXISTS\r\n* 0 RECENT\r\n"
		      "b NO [EXPUNGEISSUED] Some messages are gone\r\n") },
		{ 1, S("b SEARCH ALL\r\n"),
		    S("* SEARCH 3 4\r\nb OK Search completed\r\n") },
		{ 1, S("b STORE 1 +FLAGS \\Seen\r\n"),
		    S("b OK Store completed\r\n") },
		{ 1, S("b UID SEARCH ALL\r\n"),
		    S("* SEARCH 3 4\r\n* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n"
		      "b OK Search completed\r\n") },
		{ 1, S("b SEARCH ALL\r\n"),
		    S("* SEARCH 1 2\r\nb OK Search completed\r\n") },
		/* UID EXPUNGE takes what it names */
		{ 1, S("b STORE 1:2 +FLAGS.SILENT \\Deleted\r\n"),
		    S("b OK Store completed\r\n") },
		{ 1, S("b UID EXPUNGE 4:9\r\n"),
		    S("* 2 EXPUNGE\r\nb OK Expunge completed\r\n") },
		{ 1, S("b EXPUNGE 1\r\n"),
		    S("b BAD Unexpected arguments\r\n") },
		{ 0, S("a NOOP\r\n"),
		    S("* 2 EXPUNGE\r\n* 1 FETCH (FLAGS (\\Flagged "
		      "\\Deleted \\Recent))\r\na OK Completed\r\n") },
	};

	(void)state;
	RUN(three_messages, turns);
}

static void
copy_and_move(void **state)
{
	static const struct turn turns[] = {
		{ 0, S("a SELECT INBOX\r\n"),
		    S(SELECTED("3", "3", UNSEEN("2"),
			"4") "a OK [READ-WRITE] Select completed\r\n") },
		{ 0, S("a COPY 1,3 Sent\r\n"),
		    S("a OK [COPYUID 1003 1,3 1:2] Copy completed\r\n") },
		{ 0, S("a COPY 1 nosuch\r\n"),
		    S("a NO [TRYCREATE] No such mailbox\r\n") },
		{ 0, S("a UID COPY 77 Sent\r\n"), S("a OK Nothing to do\r\n") },
		{ 0, S("a COPY 4 Sent\r\n"),
		    S("a BAD No such message number\r\n") },
		{ 0, S("a COPY 1\r\n"), S("a BAD Mailbox name expected\r\n") },
		{ 0, S("a MOVE 1:2 Trash\r\n"),
		    S("* OK [COPYUID 1004 1:2 1:2] Moved\r\n"
		      "* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n"
		      "a OK Move completed\r\n") },
		{ 0, S("a UID MOVE 3 Trash\r\n"),
		    S("* OK [COPYUID 1004 3 3] Moved\r\n* 1 EXPUNGE\r\n"
		      "a OK Move completed\r\n") },
		{ 0, S("a FETCH 1:* FLAGS\r\n"),
		    S("a BAD No such message number\r\n") },
		{ 0, S("a UID FETCH 1:* FLAGS\r\n"),
		    S("a OK Fetch completed\r\n") },
		{ 0, S("a STATUS Trash (MESSAGES UIDNEXT UIDVALIDITY)\r\n"),
		    S("* STATUS Trash (MESSAGES 3 UIDNEXT 4 UIDVALIDITY "
		      "1004)\r\na OK Status completed\r\n") },
	};

	(void)state;
	RUN(three_messages, turns);
}

static void
append(void **state)
{
	static const struct turn turns[] = {
		{ 0,
		    S("a APPEND Drafts (\\Draft $Later) "
		      "\"17-Jul-1996 02:44:25 -0700\" {17}\r\n"),
		    S("+ OK\r\n") },
		{ 0, S("Subject: q\r\n\r\nhi\n\r\n"),
		    S("a OK [APPENDUID 1002 1] Append completed\r\n") },
		{ 0,
		    S("a APPEND {6+}\r\nDrafts {17+}\r\n"
		      "Subject: q\r\n\r\nhi\n\r\n"),
		    S("a OK [APPENDUID 1002 2] Append completed\r\n") },
		{ 0, S("a APPEND nosuch {17}\r\n"),
		    S("a NO [TRYCREATE] No such mailbox\r\n") },
		{ 0, S("a APPEND nosuch {3+}\r\nabc\r\n"),
		    S("a NO [TRYCREATE] No such mailbox\r\n") },
		{ 0, S("a APPEND Drafts {4000000}\r\n"),
		    S("a NO [TOOBIG] Message is too large\r\n") },
		{ 0, S("a APPEND Drafts {0+}\r\n\r\n"),
		    S("a NO [CANNOT] Message is empty\r\n") },
		{ 0, S("a APPEND Drafts (\\Bad) {3}\r\n"),
		    S("a BAD Mailbox, flags, date and message expected\r\n") },
		{ 0, S("a APPEND Drafts \"17-Jul-1996\" {3+}\r\nabc\r\n"),
		    S("a BAD Mailbox, flags, date and message expected\r\n") },
		{ 0, S("a APPEND Drafts\r\n"),
		    S("a BAD Mailbox and one message expected\r\n") },
		{ 0, S("a APPEND Drafts {3+}\r\na\0c\r\n"),
		    S("a BAD A message may not hold NUL\r\n") },
		{ 0, S("a APPEND Drafts {3+}\r\nabc {3+}\r\nabc\r\n"),
		    S("a BAD One message at a time\r\n") },
		{ 0, S("a APPEND Drafts {3+}\r\nabc x\r\n"),
		    S("a BAD Mailbox and one message expected\r\n") },
		{ 0, S("a APPEND Drafts {3+}\r\nabc\0\r\na NOOP\r\n"),
		    S("a BAD NUL in command\r\na OK Completed\r\n") },
		{ 0, S("a EXAMINE Drafts\r\n"),
		    S("* FLAGS (" NOFLAGS " $Later)\r\n"
		      "* OK [PERMANENTFLAGS ()] Read-only mailbox\r\n"
		      "* 2 EXISTS\r\n* 2 RECENT\r\n" UNSEEN(
			  "1") "* OK [UIDVALIDITY 1002] UIDs valid\r\n"
			       "* OK [UIDNEXT 3] Predicted next UID\r\n"
			       "a OK [READ-ONLY] Examine completed\r\n") },
		{ 0, S("a FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE BODY[])\r\n"),
		    S("* 1 FETCH (FLAGS (\\Draft \\Recent $Later) "
		      "INTERNALDATE \"17-Jul-1996 09:44:25 +0000\" "
		      "RFC822.SIZE 17 BODY[] {17}\r\nSubject: q\r\n\r\nhi\n)"
		      "\r\na OK Fetch completed\r\n") },
	};

	(void)state;
	RUN(NULL, turns);
}

static void
idle_pushes(void **state)
{
	struct fake_world w;
	struct fake_client a, b;
	size_t awake;

	(void)state;
	fake_world_init(&w);
	three_messages(&w);
	fake_connect(&w, &a);
	fake_connect(&w, &b);
	fake_send(&a, STR("a SELECT INBOX\r\na IDLE\r\n"), SIZE_MAX);
	(void)fake_said(&a);
	awake = fake_idle_bytes(&a);
	if (awake > 2048)
		fail_msg("an idle session holds %zu bytes", awake);
	fake_deliver(&w, "INBOX", STR("x: y\r\n\r\n"), 0);
	assert_true(str_eq(fake_said(&a), STR("* 4 EXISTS\r\n* 4 RECENT\r\n")));
	fake_send(&b, STR("b SELECT INBOX\r\n"), SIZE_MAX);
	fake_send(&b, STR("b STORE 1 +FLAGS (\\Deleted)\r\n"), SIZE_MAX);
	assert_true(str_eq(fake_said(&a),
	    STR("* 1 FETCH (FLAGS (\\Deleted \\Seen \\Recent))\r\n")));
	fake_send(&b, STR("b EXPUNGE\r\n"), SIZE_MAX);
	assert_true(str_eq(fake_said(&a), STR("* 1 EXPUNGE\r\n")));
	/* of another mailbox, or an empty hint: nothing */
	fake_deliver(&w, "Sent", STR("x: y\r\n\r\n"), 0);
	imap_watch_hint(w.d.watches, 0);
	assert_int_equal(fake_said(&a).n, 0);
	fake_send(&a, STR("done\r\n"), 1);
	assert_true(str_eq(fake_said(&a), STR("a OK Idle completed\r\n")));
	/* not idle: nothing is said until asked */
	fake_deliver(&w, "INBOX", STR("x: y\r\n\r\n"), 0);
	assert_int_equal(fake_said(&a).n, 0);
	fake_send(&a, STR("a IDLE\r\nXX\r\n"), SIZE_MAX);
	assert_true(
	    str_eq(fake_said(&a), STR("+ idling\r\n* 4 EXISTS\r\n* 4 RECENT\r\n"
				      "a BAD DONE expected\r\n")));
	fake_send(&a, STR("a IDLE\r\n"), SIZE_MAX);
	(void)fake_said(&a);
	fake_event(&a, UNIT_STOP);
	assert_true(str_eq(
	    fake_said(&a), STR("* BYE Server is stopping, try again\r\n")));
	assert_true(fake_is_closed(&a));
	fake_disconnect(&a);
	fake_disconnect(&b);
	fake_world_free(&w);
}

static void
mailboxes(void **state)
{
	static const struct turn turns[] = {
		{ 0, S("a LIST \"\" \"\"\r\n"),
		    S("* LIST (\\Noselect) \"/\" \"\"\r\n"
		      "a OK List completed\r\n") },
		{ 0, S("a LIST \"\" *\r\n"),
		    S("* LIST (\\HasNoChildren \\Drafts) \"/\" Drafts\r\n"
		      "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
		      "* LIST (\\HasNoChildren \\Sent) \"/\" Sent\r\n"
		      "* LIST (\\HasNoChildren \\Trash) \"/\" Trash\r\n"
		      "a OK List completed\r\n") },
		{ 0, S("a CREATE a/b/c\r\n"), S("a OK Create completed\r\n") },
		{ 0, S("a CREATE a/b/\r\n"), S("a OK Create completed\r\n") },
		{ 0, S("a CREATE a/b\r\n"),
		    S("a NO [ALREADYEXISTS] Mailbox exists already\r\n") },
		{ 0, S("a CREATE inbox\r\n"),
		    S("a NO [ALREADYEXISTS] Mailbox exists already\r\n") },
		{ 0, S("a CREATE a//b\r\n"),
		    S("a NO [CANNOT] Not a mailbox name\r\n") },
		{ 0, S("a CREATE \"a*\"\r\n"),
		    S("a NO [CANNOT] Not a mailbox name\r\n") },
		{ 0, S("a CREATE \"Entw&APw-rfe\"\r\n"),
		    S("a OK Create completed\r\n") },
		{ 0, S("a CREATE Entw&APx-rfe\r\n"),
		    S("a NO [CANNOT] Not a mailbox name\r\n") },
		{ 0, S("a LIST \"\" \"a%\"\r\n"),
		    S("* LIST (\\Noselect \\HasChildren) \"/\" a\r\n"
		      "a OK List completed\r\n") },
		{ 0, S("a LIST a/ *\r\n"),
		    S("* LIST (\\HasChildren) \"/\" a/b\r\n"
		      "* LIST (\\HasNoChildren) \"/\" a/b/c\r\n"
		      "a OK List completed\r\n") },
		{ 0, S("a LIST \"\" e*\r\n"), S("a OK List completed\r\n") },
		{ 0, S("a LIST \"\" E%\r\n"),
		    S("* LIST (\\HasNoChildren) \"/\" Entw&APw-rfe\r\n"
		      "a OK List completed\r\n") },
		{ 0, S("a LIST \"\" inB%\r\n"),
		    S("* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
		      "a OK List completed\r\n") },
		{ 0, S("a DELETE a\r\n"),
		    S("a NO [CANNOT] A name with mailboxes below it\r\n") },
		{ 0, S("a DELETE a/b\r\n"), S("a OK Delete completed\r\n") },
		{ 0, S("a LIST a/ %\r\n"),
		    S("* LIST (\\Noselect \\HasChildren) \"/\" a/b\r\n"
		      "a OK List completed\r\n") },
		{ 0, S("a DELETE a/b\r\n"),
		    S("a NO [CANNOT] A name with mailboxes below it\r\n") },
		{ 0, S("a DELETE nosuch\r\n"),
		    S("a NO [NONEXISTENT] No such mailbox\r\n") },
		{ 0, S("a DELETE inbox\r\n"),
		    S("a NO [CANNOT] INBOX cannot be deleted\r\n") },
		{ 0, S("a RENAME Sent Gone\r\n"),
		    S("a OK Rename completed\r\n") },
		{ 0, S("a RENAME Gone Trash\r\n"),
		    S("a NO [ALREADYEXISTS] Mailbox exists already\r\n") },
		{ 0, S("a RENAME Gone Gone/x\r\n"),
		    S("a NO [CANNOT] Cannot move below itself\r\n") },
		{ 0, S("a RENAME nosuch x\r\n"),
		    S("a NO [NONEXISTENT] No such mailbox\r\n") },
		{ 0, S("a SUBSCRIBE a/b/c\r\n"), S("a OK Completed\r\n") },
		{ 0, S("a SUBSCRIBE nosuch\r\n"),
		    S("a NO [NONEXISTENT] No such mailbox\r\n") },
		{ 0, S("a UNSUBSCRIBE Trash\r\n"), S("a OK Completed\r\n") },
		{ 0, S("a UNSUBSCRIBE nosuch\r\n"), S("a OK Completed\r\n") },
		{ 0, S("a LSUB \"\" *\r\n"),
		    S("* LSUB () \"/\" Drafts\r\n* LSUB () \"/\" Gone\r\n"
		      "* LSUB () \"/\" INBOX\r\n* LSUB () \"/\" a/b/c\r\n"
		      "a OK Lsub completed\r\n") },
		{ 0, S("a LSUB \"\" a%\r\n"),
		    S("* LSUB (\\Noselect) \"/\" a\r\n"
		      "a OK Lsub completed\r\n") },
		/* a subscription outlives its mailbox (section 6.3.9) */
		{ 0, S("a DELETE a/b/c\r\n"), S("a OK Delete completed\r\n") },
		{ 0, S("a LSUB \"\" a/*\r\n"),
		    S("* LSUB () \"/\" a/b/c\r\na OK Lsub completed\r\n") },
		{ 0, S("a LIST \"\" a*\r\n"), S("a OK List completed\r\n") },
		{ 0, S("a STATUS a/b/c (MESSAGES)\r\n"),
		    S("a NO [NONEXISTENT] No such mailbox\r\n") },
		{ 0, S("a STATUS INBOX ()\r\n"),
		    S("a BAD List of status items expected\r\n") },
		{ 0, S("a STATUS INBOX (SIZES)\r\n"),
		    S("a BAD List of status items expected\r\n") },
	};

	(void)state;
	RUN(NULL, turns);
}

/* RFC 5258, RFC 6154. */
static void
extended_list(void **state)
{
	static const struct turn turns[] = {
		{ 0, S("a CREATE p/q/r\r\n"), S("a OK Create completed\r\n") },
		{ 0, S("a SUBSCRIBE p/q/r\r\n"), S("a OK Completed\r\n") },
		{ 0, S("a LIST (SPECIAL-USE) \"\" *\r\n"),
		    S("* LIST (\\HasNoChildren \\Drafts) \"/\" Drafts\r\n"
		      "* LIST (\\HasNoChildren \\Sent) \"/\" Sent\r\n"
		      "* LIST (\\HasNoChildren \\Trash) \"/\" Trash\r\n"
		      "a OK List completed\r\n") },
		{ 0, S("a LIST \"\" (Sen% p%) RETURN (SUBSCRIBED)\r\n"),
		    S("* LIST (\\Subscribed \\HasNoChildren \\Sent) \"/\" "
		      "Sent\r\n* LIST (\\NonExistent \\HasChildren) \"/\" "
		      "p\r\na OK List completed\r\n") },
		{ 0, S("a LIST (SUBSCRIBED) \"\" p*\r\n"),
		    S("* LIST (\\Subscribed \\HasNoChildren) \"/\" p/q/r\r\n"
		      "a OK List completed\r\n") },
		{ 0, S("a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" p%\r\n"),
		    S("* LIST (\\NonExistent \\HasChildren) \"/\" p "
		      "(\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
		      "a OK List completed\r\n") },
		{ 0, S("a DELETE p/q/r\r\n"), S("a OK Delete completed\r\n") },
		{ 0, S("a LIST (SUBSCRIBED) \"\" p*\r\n"),
		    S("* LIST (\\NonExistent \\Subscribed \\HasNoChildren) "
		      "\"/\" p/q/r\r\na OK List completed\r\n") },
		{ 0, S("a LIST () \"\" \"\"\r\n"),
		    S("a OK List completed\r\n") },
		{ 0, S("a LIST (RECURSIVEMATCH) \"\" *\r\n"),
		    S("a BAD Reference and pattern expected\r\n") },
		{ 0, S("a LIST (XYZZY) \"\" *\r\n"),
		    S("a BAD Reference and pattern expected\r\n") },
		{ 0, S("a LIST \"\" * RETURN (XYZZY)\r\n"),
		    S("a BAD Reference and pattern expected\r\n") },
		{ 0, S("a LIST \"\" * RETURN\r\n"),
		    S("a BAD Reference and pattern expected\r\n") },
		{ 0, S("a LIST \"\" ()\r\n"),
		    S("a BAD Reference and pattern expected\r\n") },
		{ 0, S("a LSUB \"\" (a b)\r\n"),
		    S("a BAD Reference and pattern expected\r\n") },
		{ 0, S("a LIST \"\"\r\n"),
		    S("a BAD Reference and pattern expected\r\n") },
	};

	(void)state;
	RUN(NULL, turns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(login_follows_the_ticket),
		cmocka_unit_test(any_state_commands),
		cmocka_unit_test(literals),
		cmocka_unit_test(select_and_examine),
		cmocka_unit_test(store_and_flags),
		cmocka_unit_test(expunges_wait_for_their_moment),
		cmocka_unit_test(copy_and_move),
		cmocka_unit_test(append),
		cmocka_unit_test(idle_pushes),
		cmocka_unit_test(mailboxes),
		cmocka_unit_test(extended_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
