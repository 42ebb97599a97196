/* FETCH and SEARCH over a few messages with everything in them. */
#include <string.h>

#include "tests/unit/imap/dialog.h"

/* RFC 3501 section 8; its body is 3028 bytes in 92 lines. */
#define RFC_HEADER                                                             \
	"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"                      \
	"From: Terry Gray <gray@cac.washington.edu>\r\n"                       \
	"Subject: IMAP4rev1 WG mtg summary and minutes\r\n"                    \
	"To: imap@cac.washington.edu\r\n"                                      \
	"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"    \
	"Message-Id: <B27397-0100000@cac.washington.edu>\r\n"                  \
	"MIME-Version: 1.0\r\n"                                                \
	"Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n"                       \
	"\r\n"

#define INNER_HEADER                                                           \
	"Subject: inner\r\nFrom: in@example.org\r\n"                           \
	"Content-Type: multipart/alternative; boundary=b2\r\n\r\n"
#define INNER_BODY                                                             \
	"--b2\r\n\r\nalt one\r\n--b2\r\nContent-Type: text/html\r\n\r\n"       \
	"<p>alt</p>\r\n--b2--"
#define NESTED_TOP                                                             \
	"From: \"Ann \\\"A\\\" B\" <ann@example.org>\r\n"                      \
	"Sender:\r\n"                                                          \
	"To: group: x@example.org, y@example.org;, z@example.org\r\n"          \
	"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"                             \
	"Date: Mon, 1 Jan 2024 00:30:00 +0100\r\n"                             \
	"In-Reply-To:\r\n"                                                     \
	"X-Note: first\r\n"                                                    \
	"x-note: second\r\n"                                                   \
	" folded\r\n"                                                          \
	"Content-Type: multipart/mixed; boundary=\"b1\"\r\n"                   \
	"\r\n"
#define FILE_HEADER                                                            \
	"Content-Type: application/octet-stream; name=\"f.bin\"\r\n"           \
	"Content-Transfer-Encoding: base64\r\n"                                \
	"Content-ID: <id1>\r\n"                                                \
	"Content-Description: a \"file\"\r\n"                                  \
	"Content-MD5: Q2hlY2s=\r\n"                                            \
	"Content-Disposition: attachment; filename=\"f.bin\"\r\n"              \
	"Content-Language: de, en\r\n"                                         \
	"Content-Location: http://x/\r\n"                                      \
	"\r\n"
#define NESTED                                                                 \
	NESTED_TOP "preamble\r\n--b1\r\n"                                      \
		   "Content-Type: text/plain; charset=utf-8\r\n"               \
		   "Content-Transfer-Encoding: quoted-printable\r\n"           \
		   "\r\n"                                                      \
		   "Stra=C3=9Fe\r\n"                                           \
		   "--b1\r\n"                                                  \
		   "Content-Type: message/rfc822\r\n"                          \
		   "\r\n" INNER_HEADER INNER_BODY "\r\n--b1\r\n" FILE_HEADER   \
		   "AAECAw==\r\n"                                              \
		   "--b1--\r\n"

#define SELECT_3                                                               \
	{                                                                      \
		0, S("a SELECT INBOX\r\n"),                                    \
		    S("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen "        \
		      "\\Draft)\r\n* OK [PERMANENTFLAGS (\\Answered \\Flagged" \
		      " \\Deleted \\Seen \\Draft \\*)] Flags permitted\r\n"    \
		      "* 3 EXISTS\r\n* 3 RECENT\r\n"                           \
		      "* OK [UNSEEN 2] First unseen message\r\n"               \
		      "* OK [UIDVALIDITY 1001] UIDs valid\r\n"                 \
		      "* OK [UIDNEXT 4] Predicted next UID\r\n"                \
		      "a OK [READ-WRITE] Select completed\r\n")                \
	}

static void
setup(struct fake_world *w)
{
	AUTO_BUF b = { 0 };

	buf_init(&b, 10000);
	assert_int_equal(buf_add(&b, STR(RFC_HEADER)), RC_OK);
	for (size_t i = 0; i < 91; i++)
		assert_int_equal(
		    buf_add(&b, STR("123456789012345678901234567890\r\n")),
		    RC_OK);
	for (size_t i = 0; i < 114; i++)
		assert_int_equal(buf_add_char(&b, 'x'), RC_OK);
	assert_int_equal(buf_add(&b, STR("\r\n")), RC_OK);
	fake_deliver(w, "INBOX", buf_str(&b), STORE_SEEN);
	fake_deliver(w, "INBOX", STR(NESTED), STORE_FLAGGED);
	fake_deliver(w, "INBOX", STR("no header at all"), STORE_DELETED);
	fake_box(w, "INBOX")->msgs[1].row.internal_date = 1704067199;
}

#define TERRY "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\"))"
#define ANN   "((\"Ann \\\"A\\\" B\" NIL \"ann\" \"example.org\"))"
#define IN    "((NIL NIL \"in\" \"example.org\"))"

static void
envelopes_and_structures(void **state)
{
	static const struct turn turns[] = {
		SELECT_3,
		{ 0, S("a FETCH 1 FULL\r\n"),
		    S("* 1 FETCH (FLAGS (\\Seen \\Recent) INTERNALDATE "
		      "\"17-Jul-1996 09:44:25 +0000\" RFC822.SIZE 3370 "
		      "ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" "
		      "\"IMAP4rev1 WG mtg summary and minutes\" " TERRY
		      " " TERRY " " TERRY " "
		      "((NIL NIL \"imap\" \"cac.washington.edu\")) "
		      "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")"
		      "(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) "
		      "NIL NIL \"<B27397-0100000@cac.washington.edu>\") "
		      "BODY (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") "
		      "NIL NIL \"7bit\" 3028 92))\r\n"
		      "a OK Fetch completed\r\n") },
		{ 0, S("a FETCH 1 BODYSTRUCTURE\r\n"),
		    S("* 1 FETCH (BODYSTRUCTURE (\"TEXT\" \"PLAIN\" "
		      "(\"CHARSET\" \"US-ASCII\") NIL NIL \"7bit\" 3028 92 "
		      "NIL NIL NIL NIL))\r\na OK Fetch completed\r\n") },
		{ 0, S("a FETCH 2 ENVELOPE\r\n"),
		    S("* 2 FETCH (ENVELOPE (\"Mon, 1 Jan 2024 00:30:00 "
		      "+0100\" \"=?utf-8?q?Gr=C3=BC=C3=9Fe?=\" " ANN " " ANN
		      " " ANN " ((NIL NIL \"group\" NIL)"
		      "(NIL NIL \"x\" \"example.org\")"
		      "(NIL NIL \"y\" \"example.org\")(NIL NIL NIL NIL)"
		      "(NIL NIL \"z\" \"example.org\")) NIL NIL \"\" NIL))"
		      "\r\na OK Fetch completed\r\n") },
		{ 0, S("a FETCH 2 BODYSTRUCTURE\r\n"),
		    S("* 2 FETCH (BODYSTRUCTURE ("
		      "(\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL "
		      "\"quoted-printable\" 11 0 NIL NIL NIL NIL)"
		      "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 158 "
		      "(NIL \"inner\" " IN " " IN " " IN
		      " NIL NIL NIL NIL NIL) "
		      "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL "
		      "NIL \"7bit\" 7 0 NIL NIL NIL NIL)"
		      "(\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL "
		      "\"7bit\" 10 0 NIL NIL NIL NIL) \"alternative\" "
		      "(\"boundary\" \"b2\") NIL NIL NIL) 11 "
		      "NIL NIL NIL NIL)"
		      "(\"application\" \"octet-stream\" (\"name\" \"f.bin\") "
		      "\"<id1>\" \"a \\\"file\\\"\" \"base64\" 8 \"Q2hlY2s=\" "
		      "(\"attachment\" (\"filename\" \"f.bin\")) "
		      "(\"de\" \"en\") \"http://x/\") "
		      "\"mixed\" (\"boundary\" \"b1\") NIL NIL NIL))\r\n"
		      "a OK Fetch completed\r\n") },
		{ 0, S("a FETCH 3 (ENVELOPE BODY)\r\n"),
		    S("* 3 FETCH (ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL "
		      "NIL NIL) BODY (\"text\" \"plain\" (\"charset\" "
		      "\"us-ascii\") NIL NIL \"7bit\" 0 0))\r\n"
		      "a OK Fetch completed\r\n") },
	};

	(void)state;
	RUN(setup, turns);
}

static void
sections(void **state)
{
	static const struct turn turns[] = {
		SELECT_3,
		{ 0, S("a FETCH 2 BODY.PEEK[HEADER]\r\n"),
		    S("* 2 FETCH (BODY[HEADER] {283}\r\n" NESTED_TOP
		      ")\r\na OK Fetch completed\r\n") },
		{ 0, S("a FETCH 2 RFC822.HEADER\r\n"),
		    S("* 2 FETCH (RFC822.HEADER {283}\r\n" NESTED_TOP
		      ")\r\na OK Fetch completed\r\n") },
		{ 0, S("a FETCH 2 BODY.PEEK[1]\r\n"),
		    S("* 2 FETCH (BODY[1] {11}\r\nStra=C3=9Fe)\r\n"
		      "a OK Fetch completed\r\n") },
		{ 0, S("a FETCH 2 BODY.PEEK[1.MIME]\r\n"),
		    S("* 2 FETCH (BODY[1.MIME] {88}\r\n"
		      "Content-Type: text/plain; charset=utf-8\r\n"
		      "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
		      ")\r\na OK Fetch completed\r\n") },
		{ 0, S("a FETCH 2 BODY.PEEK[2]\r\n"),
		    S("* 2 FETCH (BODY[2] {158}\r\n" INNER_HEADER INNER_BODY
		      ")\r\na OK Fetch completed\r\n") },
		{ 0, S("a FETCH 2 BODY.PEEK[2.HEADER]\r\n"),
		    S("* 2 FETCH (BODY[2.HEADER] {90}\r\n" INNER_HEADER
		      ")\r\na OK Fetch completed\r\n") },
		{ 0, S("a FETCH 2 BODY.PEEK[2.TEXT]\r\n"),
		    S("* 2 FETCH (BODY[2.TEXT] {68}\r\n" INNER_BODY
		      ")\r\na OK Fetch completed\r\n") },
		{ 0, S("a FETCH 2 BODY.PEEK[2.1]\r\n"),
		    S("* 2 FETCH (BODY[2.1] {7}\r\nalt one)\r\n"
		      "a OK Fetch completed\r\n") },
		{ 0, S("a FETCH 2 BODY.PEEK[2.2.MIME]\r\n"),
		    S("* 2 FETCH (BODY[2.2.MIME] {27}\r\n"
		      "Content-Type: text/html\r\n\r\n)\r\n"
		      "a OK Fetch completed\r\n") },
		{ 0, S("a FETCH 2 BODY.PEEK[2.HEADER.FIELDS (SUBJECT)]\r\n"),
		    S("* 2 FETCH (BODY[2.HEADER.FIELDS (SUBJECT)] {18}\r\n"
		      "Subject: inner\r\n\r\n)\r\n"
		      "a OK Fetch completed\r\n") },
		{ 0, S("a FETCH 2 BODY.PEEK[3]<2.4>\r\n"),
		    S("* 2 FETCH (BODY[3]<2> {4}\r\nECAw)\r\n"
		      "a OK Fetch completed\r\n") },
		{ 0, S("a FETCH 2 BODY.PEEK[3]<7.100>\r\n"),
		    S("* 2 FETCH (BODY[3]<7> {1}\r\n=)\r\n"
		      "a OK Fetch completed\r\n") },
		{ 0, S("a FETCH 2 BODY.PEEK[3]<8.1>\r\n"),
		    S("* 2 FETCH (BODY[3]<8> \"\")\r\n"
		      "a OK Fetch completed\r\n") },
		{ 0,
		    S("a FETCH 2 (BODY.PEEK[4] BODY.PEEK[1.1] "
		      "BODY.PEEK[1.HEADER] BODY.PEEK[3.TEXT])\r\n"),
		    S("* 2 FETCH (BODY[4] NIL BODY[1.1] NIL BODY[1.HEADER] "
		      "NIL BODY[3.TEXT] NIL)\r\na OK Fetch completed\r\n") },
		{ 0, S("a FETCH 2 BODY.PEEK[HEADER.FIELDS (x-NOTE date)]\r\n"),
		    S("* 2 FETCH (BODY[HEADER.FIELDS (x-NOTE date)] {80}\r\n"
		      "Date: Mon, 1 Jan 2024 00:30:00 +0100\r\n"
		      "X-Note: first\r\nx-note: second\r\n folded\r\n\r\n)"
		      "\r\na OK Fetch completed\r\n") },
		{ 0, S("a FETCH 2 BODY.PEEK[HEADER.FIELDS (X)]\r\n"),
		    S("* 2 FETCH (BODY[HEADER.FIELDS (X)] {2}\r\n\r\n)\r\n"
		      "a OK Fetch completed\r\n") },
		{ 0,
		    S("a FETCH 2 BODY.PEEK[HEADER.FIELDS.NOT (\"from\" to "
		      "subject date content-type x-note {6+}\r\nsender"
		      ")]<3.5>\r\n"),
		    S("* 2 FETCH (BODY[HEADER.FIELDS.NOT (from to subject "
		      "date content-type x-note sender)]<3> {5}\r\nReply)\r\n"
		      "a OK Fetch completed\r\n") },
		/* without an empty line there is none to be said */
		{ 0,
		    S("a FETCH 3 (BODY.PEEK[HEADER.FIELDS (X)] "
		      "BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[1])\r\n"),
		    S("* 3 FETCH (BODY[HEADER.FIELDS (X)] \"\" BODY[HEADER] "
		      "{16}\r\nno header at all BODY[TEXT] \"\" BODY[1] \"\")"
		      "\r\na OK Fetch completed\r\n") },
		/* a message that is one part is its part 1 */
		{ 0,
		    S("a FETCH 1 (BODY.PEEK[1]<0.6> BODY.PEEK[1.MIME]<0.4>)"
		      "\r\n"),
		    S("* 1 FETCH (BODY[1]<0> {6}\r\n123456 BODY[1.MIME]<0> "
		      "{4}\r\nDate)\r\na OK Fetch completed\r\n") },
		/* only now \Seen is set, and told */
		{ 0, S("a FETCH 2 RFC822.TEXT\r\n"),
		    S("* 2 FETCH (FLAGS (\\Flagged \\Seen \\Recent) "
		      "RFC822.TEXT {609}\r\n"
		      "preamble\r\n--b1\r\n"
		      "Content-Type: text/plain; charset=utf-8\r\n"
		      "Content-Transfer-Encoding: quoted-printable\r\n"
		      "\r\n"
		      "Stra=C3=9Fe\r\n"
		      "--b1\r\n"
		      "Content-Type: message/rfc822\r\n"
		      "\r\n" INNER_HEADER INNER_BODY "\r\n--b1\r\n" FILE_HEADER
		      "AAECAw==\r\n"
		      "--b1--\r\n)\r\na OK Fetch completed\r\n") },
		{ 0, S("a UID FETCH 2 BODY[]<0.4>\r\n"),
		    S("* 2 FETCH (UID 2 BODY[]<0> {4}\r\nFrom)\r\n"
		      "a OK Fetch completed\r\n") },
	};

	(void)state;
	RUN(setup, turns);
}

static void
malformed_fetches(void **state)
{
	static const struct str items[] = { S(""), S("()"), S("BOD"),
		S("BODY.PEEK"), S("BODY["), S("BODY[0]"), S("BODY[1.]"),
		S("BODY[.1]"), S("BODY[MIME]"), S("BODY[1.MIM]"),
		S("BODY[HEADER.FIELDS]"), S("BODY[HEADER.FIELDS ()]"),
		S("BODY[HEADER.FIELDS (a]"), S("BODY[HEADER.FIELDS (a) b]"),
		S("BODY[HEADER.1]"), S("BODY[]<1>"), S("BODY[]<0.0>"),
		S("BODY[]<a.1>"), S("BODY[]<1.4294967296>"), S("BODY[] <0.1>"),
		S("(FLAGS"), S("FLAGS)"), S("(FLAGS  UID)"), S("(ALL)"),
		S("ALL UID"), S("FLAGS UID"), S("(FLAGS,UID)"), S("RFC822.X"),
		S("BODYSTRUCTURE[1]"), S("ENVELOPE ") };
	struct fake_world w;
	struct fake_client c;

	(void)state;
	fake_world_init(&w);
	setup(&w);
	fake_connect(&w, &c);
	fake_send(&c, STR("a SELECT INBOX\r\n"), SIZE_MAX);
	(void)fake_said(&c);
	for (size_t i = 0; i < COUNT(items); i++) {
		struct str got;

		fake_send(&c, STR("a FETCH 1 "), SIZE_MAX);
		fake_send(&c, items[i], SIZE_MAX);
		fake_send(&c, STR("\r\n"), SIZE_MAX);
		got = fake_said(&c);
		if (!str_eq(got, STR("a BAD Items to fetch expected\r\n")))
			fail_msg("%.*s: %.*s", STRF(items[i]), STRF(got));
		fake_send(&c, STR("a NOOP\r\n"), SIZE_MAX);
		(void)fake_said(&c);
	}
	fake_disconnect(&c);
	fake_world_free(&w);
}

static void
searches(void **state)
{
	static const struct {
		struct str key, found; /* " 1 3", or "BAD" */
	} rows[] = {
		{ S("ALL"), S(" 1 2 3") },
		{ S("SEEN"), S(" 1") },
		{ S("UNSEEN"), S(" 2 3") },
		{ S("FLAGGED"), S(" 2") },
		{ S("UNFLAGGED"), S(" 1 3") },
		{ S("DELETED"), S(" 3") },
		{ S("UNDELETED"), S(" 1 2") },
		{ S("ANSWERED"), S("") },
		{ S("UNANSWERED"), S(" 1 2 3") },
		{ S("DRAFT"), S("") },
		{ S("UNDRAFT"), S(" 1 2 3") },
		{ S("RECENT"), S(" 1 2 3") },
		{ S("OLD"), S("") },
		{ S("NEW"), S(" 2 3") },
		{ S("NOT NEW"), S(" 1") },
		{ S("KEYWORD $X"), S("") },
		{ S("UNKEYWORD $X"), S(" 1 2 3") },
		{ S("LARGER 16"), S(" 1 2") },
		{ S("LARGER 15"), S(" 1 2 3") },
		{ S("SMALLER 17"), S(" 3") },
		{ S("SMALLER 16"), S("") },
		{ S("ON 17-Jul-1996"), S(" 1 3") },
		{ S("SINCE 31-Dec-2023"), S(" 2") },
		{ S("SINCE 1-Jan-2024"), S("") },
		{ S("BEFORE 31-Dec-2023"), S(" 1 3") },
		{ S("BEFORE \"1-Jan-2024\""), S(" 1 2 3") },
		/* the day that the Date field shows, in its own zone */
		{ S("SENTON 1-Jan-2024"), S(" 2") },
		{ S("SENTON 31-Dec-2023"), S("") },
		{ S("SENTSINCE 17-Jul-1996"), S(" 1 2") },
		{ S("SENTBEFORE 18-Jul-1996"), S(" 1") },
		{ S("2"), S(" 2") },
		{ S("*"), S(" 3") },
		{ S("2:* NOT 3"), S(" 2") },
		{ S("5:9"), S("") },
		{ S("UID 1,3"), S(" 1 3") },
		{ S("UID 3:*"), S(" 3") },
		{ S("SUBJECT minutes"), S(" 1") },
		{ S("SUBJECT gr\xc3\xbc\xc3\x9f"), S("BAD") },
		{ S("SUBJECT \"gr\xc3\xbc\xc3\x9f\""), S(" 2") },
		{ S("SUBJECT {6+}\r\nGR\xc3\x9c\xc3\x9f"), S(" 2") },
		{ S("CHARSET UTF-8 SUBJECT {6+}\r\nGR\xc3\x9c\xc3\x9f"),
		    S(" 2") },
		{ S("CHARSET us-ascii SUBJECT IMAP"), S(" 1") },
		{ S("SUBJECT {1+}\r\n\xff"), S("BAD") },
		{ S("FROM terry"), S(" 1") },
		{ S("FROM ANN@example"), S(" 2") },
		{ S("TO y@example.org"), S(" 2") },
		{ S("CC klensin"), S(" 1") },
		{ S("BCC x"), S("") },
		{ S("HEADER x-note second"), S(" 2") },
		{ S("HEADER X-Note third"), S("") },
		{ S("HEADER X-Note \"\""), S(" 2") },
		{ S("HEADER Subject \"\""), S(" 1 2") },
		{ S("HEADER \"\" x"), S("") },
		{ S("HEADER Message-ID B27397"), S(" 1") },
		{ S("HEADER Content-Type plain"), S(" 1") },
		{ S("BODY 1234567890"), S(" 1") },
		{ S("BODY \"stra\xc3\x9f\""), S(" 2") },
		{ S("BODY \"alt one\""), S(" 2") },
		{ S("BODY inner"), S(" 2") },
		{ S("BODY Terry"), S("") },
		{ S("BODY AAECAw"), S("") },
		{ S("BODY \"\""), S(" 1 2 3") },
		{ S("TEXT Terry"), S(" 1") },
		{ S("TEXT \"no header\""), S(" 3") },
		{ S("TEXT x-note"), S(" 2") },
		{ S("TEXT f.bin"), S(" 2") },
		{ S("BODY f.bin"), S("") },
		{ S("OR SEEN DELETED"), S(" 1 3") },
		{ S("OR (SEEN BODY 1234) OR FLAGGED 3"), S(" 1 2 3") },
		{ S("NOT (OR SEEN DELETED)"), S(" 2") },
		{ S("NOT NOT SEEN"), S(" 1") },
		{ S("TEXT e FLAGGED"), S(" 2") },
		{ S("(1:2 UNSEEN)"), S(" 2") },
		{ S(""), S("BAD") },
		{ S("()"), S("BAD") },
		{ S("(SEEN"), S("BAD") },
		{ S("SEEN)"), S("BAD") },
		{ S("OR SEEN"), S("BAD") },
		{ S("NOT"), S("BAD") },
		{ S("XYZZY"), S("BAD") },
		{ S("FROM"), S("BAD") },
		{ S("HEADER X"), S("BAD") },
		{ S("ON 32-Jan-2024"), S("BAD") },
		{ S("ON 2024-01-01"), S("BAD") },
		{ S("LARGER x"), S("BAD") },
		{ S("LARGER 99999999999"), S("BAD") },
		{ S("UID 0"), S("BAD") },
		{ S("KEYWORD \\Seen"), S("BAD") },
		{ S("SEEN  UNSEEN"), S("BAD") },
		{ S("CHARSET UTF-8"), S("BAD") },
	};
	struct fake_world w;
	struct fake_client c;

	(void)state;
	fake_world_init(&w);
	setup(&w);
	fake_connect(&w, &c);
	fake_send(&c, STR("a SELECT INBOX\r\n"), SIZE_MAX);
	(void)fake_said(&c);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str got, want;

		fake_send(&c, STR("a SEARCH "), SIZE_MAX);
		fake_send(&c, rows[i].key, SIZE_MAX);
		fake_send(&c, STR("\r\n"), SIZE_MAX);
		got = fake_said(&c);
		want = str_eq(rows[i].found, STR("BAD"))
			   ? STR("a BAD Search program expected\r\n")
			   : str_fmt(&w.mem,
				 "* SEARCH%.*s\r\na OK Search completed\r\n",
				 STRF(rows[i].found));
		if (!str_eq(got, want))
			fail_msg("%.*s: %.*s", STRF(rows[i].key), STRF(got));
	}
	fake_send(&c, STR("a SEARCH CHARSET UTF-7 ALL\r\n"), SIZE_MAX);
	assert_true(str_eq(fake_said(&c),
	    STR("a NO [BADCHARSET (US-ASCII UTF-8)] Charset\r\n")));
	/* searching sets no flag */
	assert_int_equal(fake_box(&w, "INBOX")->mb.unseen, 2);
	fake_disconnect(&c);
	fake_world_free(&w);
}

static void
deep_programs_are_refused(void **state)
{
	struct fake_world w;
	struct fake_client c;

	(void)state;
	fake_world_init(&w);
	fake_connect(&w, &c);
	fake_send(&c, STR("a SELECT INBOX\r\na SEARCH "), SIZE_MAX);
	for (size_t i = 0; i < 10000; i++)
		fake_send(&c, STR("NOT "), SIZE_MAX);
	fake_send(&c, STR("ALL\r\na SEARCH ALL"), SIZE_MAX);
	for (size_t i = 0; i < 10000; i++)
		fake_send(&c, STR(" ALL"), SIZE_MAX);
	(void)fake_said(&c);
	fake_send(&c, STR("\r\n"), SIZE_MAX);
	assert_true(
	    str_eq(fake_said(&c), STR("a BAD Search program expected\r\n")));
	fake_disconnect(&c);
	fake_world_free(&w);
}

/* What cannot stand in a quoted string, and what cannot be said at all. */
static void
strange_bytes(void **state)
{
	static const char msg[] = "Subject: caf\xe9\r\n"
				  "From: \"a\\\\b\" <x@y>\r\n"
				  "\r\n"
				  "nul \0 here\r\n";
	struct fake_world w;
	struct fake_client c;

	(void)state;
	fake_world_init(&w);
	fake_deliver(&w, "INBOX", str_n(msg, sizeof(msg) - 1), 0);
	fake_connect(&w, &c);
	fake_send(&c, STR("a EXAMINE INBOX\r\n"), SIZE_MAX);
	(void)fake_said(&c);
	fake_send(&c, STR("a FETCH 1 (ENVELOPE BODY[TEXT])\r\n"), SIZE_MAX);
	CHECK_SAID(&c,
	    STR("* 1 FETCH (ENVELOPE (NIL {4}\r\ncaf\xe9 "
		"((\"a\\\\b\" NIL \"x\" \"y\")) ((\"a\\\\b\" NIL \"x\" "
		"\"y\")) ((\"a\\\\b\" NIL \"x\" \"y\")) NIL NIL NIL NIL NIL)"
		" BODY[TEXT] {12}\r\nnul \x80 here\r\n)\r\n"
		"a OK Fetch completed\r\n"));
	fake_disconnect(&c);
	fake_world_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(envelopes_and_structures),
		cmocka_unit_test(sections),
		cmocka_unit_test(malformed_fetches),
		cmocka_unit_test(searches),
		cmocka_unit_test(deep_programs_are_refused),
		cmocka_unit_test(strange_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
