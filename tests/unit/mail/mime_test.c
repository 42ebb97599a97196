#include "tests/unit/mail/test.h"
#include <string.h>
#include "mail/mime.h"
#include "tests/unit/mail/tree.h"

/* Offsets are counted in the comments of the rows that need it. */
static const struct row {
	const char *rule;
	struct str msg, tree;
} rows[] = {
	{ "an empty message is an empty text", S(""),
	    S("text/plain 0+0 0+0 0\n") },
	{ "a message without a header", S("\r\nhi\r\n"),
	    S("text/plain 0+2 2+4 1\n") },
	{ "a header without a body", S("A: b\r\n"),
	    S("text/plain 0+6 6+0 0\n") },
	{ "a last line without CRLF is not counted", S("A: b\r\n\r\nx\r\ny"),
	    S("text/plain 0+8 8+4 1\n") },
	{ "a bare LF ends nothing", S("A: b\n\nx\r\n\r\nb\nc\rd\r\n"),
	    S("text/plain 0+11 11+7 1\n") },
	{ "the CRLF before a boundary belongs to it",
	    S("Content-Type: multipart/mixed; boundary=b\r\n\r\n" /* 45 */
	      "--b\r\n\r\none\r\n--b\r\n\r\n\r\n--b--\r\n"),
	    S("multipart/mixed 0+45 45+28 7\n"
	      "  text/plain 50+2 52+3 0\n"
	      "  text/plain 62+2 64+0 0\n") },
	{ "preamble, epilogue, white space behind the boundary",
	    S("Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n" /* 47 */
	      "pre\r\n--b \t\r\n\r\none\r\n--b-- \r\nepi\r\n--b\r\nx"),
	    S("multipart/mixed 0+47 47+38 7\n"
	      "  text/plain 59+2 61+3 0\n") },
	{ "a missing end boundary is no error",
	    S("Content-Type: multipart/x; boundary=b\r\n\r\n" /* 41 */
	      "--b\r\n\r\none\r\ntwo\r\n"),
	    S("multipart/x 0+41 41+17 4\n"
	      "  text/plain 46+2 48+10 2\n") },
	{ "a message that ends with the boundary",
	    S("Content-Type: multipart/x; boundary=b\r\n\r\n" /* 41 */
	      "--b\r\n\r\none\r\n--b--"),
	    S("multipart/x 0+41 41+17 3\n"
	      "  text/plain 46+2 48+3 0\n") },
	{ "an outer boundary ends the inner ones",
	    S("Content-Type: multipart/x; boundary=o\r\n\r\n" /* 41 */
	      "--o\r\n"                                       /* 46 */
	      "Content-Type: multipart/y; boundary=i\r\n\r\n" /* 87 */
	      "--i\r\n\r\na\r\n"                              /* 97 */
	      "--o\r\n\r\nb\r\n"                              /* 107 */
	      "--i\r\n"                                       /* 112 */
	      "--o--\r\n"),
	    S("multipart/x 0+41 41+78 11\n"
	      "  multipart/y 46+41 87+8 2\n"
	      "    text/plain 92+2 94+1 0\n"
	      "  text/plain 102+2 104+6 1\n") },
	{ "the longest boundary wins, also over the inner one",
	    S("Content-Type: multipart/x; boundary=bb\r\n\r\n" /* 42 */
	      "--bb\r\n"                                       /* 48 */
	      "Content-Type: multipart/y; boundary=b\r\n\r\n"  /* 89 */
	      "--b\r\n\r\na\r\n"                               /* 99 */
	      "--bb--\r\n"),
	    S("multipart/x 0+42 42+65 7\n"
	      "  multipart/y 48+41 89+8 2\n"
	      "    text/plain 94+2 96+1 0\n") },
	{ "a boundary line in a part's header ends it",
	    S("Content-Type: multipart/x; boundary=b\r\n\r\n" /* 41 */
	      "--b\r\nContent-Type: image/png\r\n--b\r\n--b--\r\n"),
	    S("multipart/x 0+41 41+42 4\n"
	      "  image/png 46+23 69+0 0\n"
	      "  text/plain 76+0 76+0 0\n") },
	{ "a boundary line in the main header is header",
	    S("Content-Type: multipart/x; boundary=b\r\n--b\r\n\r\nx"),
	    S("multipart/x 0+46 46+1 0\n") },
	{ "no boundary parameter, no parts",
	    S("Content-Type: multipart/mixed\r\n\r\n--\r\n----\r\n"),
	    S("multipart/mixed 0+33 33+10 2\n") },
	{ "an inner message",
	    S("Content-Type: message/rfc822\r\n\r\n" /* 32 */
	      "Subject: in\r\n\r\nbody\r\n"),
	    S("message/rfc822 0+32 32+21 3\n"
	      "  text/plain 32+15 47+6 1\n") },
	{ "an inner message cut off by a boundary within its header",
	    S("Content-Type: multipart/x; boundary=b\r\n\r\n" /* 41 */
	      "--b\r\n"
	      "Content-Type: message/rfc822\r\n\r\n" /* 46+32 */
	      "Subject: in\r\n--b--\r\n"),
	    S("multipart/x 0+41 41+57 5\n"
	      "  message/rfc822 46+32 78+11 0\n"
	      "    text/plain 78+11 89+0 0\n") },
	{ "a message/rfc822 header without a body, then a boundary",
	    S("Content-Type: multipart/x; boundary=b\r\n\r\n" /* 41 */
	      "--b\r\n"
	      "Content-Type: message/rfc822\r\n" /* 46+28 */
	      "--b--\r\n"),
	    S("multipart/x 0+41 41+42 3\n"
	      "  message/rfc822 46+28 74+0 0\n"
	      "    text/plain 74+0 74+0 0\n") },
	{ "parts of a digest are messages",
	    S("Content-Type: multipart/digest; boundary=b\r\n\r\n" /* 46 */
	      "--b\r\n\r\nFrom: a@b\r\n\r\nx\r\n"
	      "--b\r\nContent-Type: text/html\r\n\r\ny\r\n--b--\r\n"),
	    S("multipart/digest 0+46 46+65 10\n"
	      "  message/rfc822 51+2 53+14 2\n"
	      "    text/plain 53+13 66+1 0\n"
	      "  text/html 74+27 101+1 0\n") },
	{ "an encoded type token and an unreadable one",
	    S("Content-Type: (c) Text (d) / HTML (e); x=y\r\n\r\n"),
	    S("Text/HTML 0+46 46+0 0\n") },
	{ "an unreadable type is text/plain",
	    S("Content-Type: text\r\nContent-Type: a/b\r\n\r\n"),
	    S("text/plain 0+41 41+0 0\n") },
};

static void
feed_split(
    struct arena *a, struct str msg, size_t c, size_t d, struct mail_meta *out)
{
	struct mail_mime *m = mail_mime_new(a);

	mail_mime_feed(m, str_sub(msg, 0, c));
	mail_mime_feed(m, str_sub(msg, c, d - c));
	mail_mime_feed(m, str_from(msg, d));
	mail_mime_end(m, out);
	mail_mime_free(&m);
}

static void
every_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct mail_meta meta;
		struct str got;

		mail_mime_parse(&a, rows[i].msg, &meta);
		got = tree_text(&a, &meta, false);
		if (!str_eq(got, rows[i].tree))
			fail_msg("%s:\n%.*s\nwanted:\n%.*s", rows[i].rule,
			    STRF(got), STRF(rows[i].tree));
		assert_int_equal(meta.size, rows[i].msg.n);
	}
}

static void
splits_change_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct mail_meta meta;
		struct str msg = rows[i].msg, want;

		mail_mime_parse(&a, msg, &meta);
		want = tree_text(&a, &meta, true);
		for (size_t c = 0; c <= msg.n; c++)
			for (size_t d = c; d <= MIN(c + 3, msg.n); d++) {
				AUTO_ARENA b = { 0 };

				feed_split(&b, msg, c, d, &meta);
				CHECK_STR(tree_text(&b, &meta, true), want);
			}
	}
}

static const struct str rich =
    S("Date: Sun, 22 Nov 2026 05:22:52 +0000\r\n"
      "Subject:  a\r\n\tfolded =?utf-8?q?x?=\r\n"
      "From: a@b\r\nTo: c@d\r\nTo: e@f\r\nCc:\r\n g@h\r\n"
      "Message-ID: <1@x>\r\nReferences: <0@x>\r\n <2@x>\r\n"
      "Subject: second\r\n"
      "MIME-Version: 1.0\r\n"
      "Content-Type: APPLICATION/x-y; name=\"a \\\"b\\\\;\r\n c\";\r\n"
      "\tfilename*0*=utf-8''%41; filename*1=\"B\"; flag ; k = v w (c); "
      "e=\"\";\r\n"
      "\tu=\"open\r\n"
      "Content-Transfer-Encoding: Base64 (really)\r\n"
      "Content-Disposition: attachment; filename=a b.txt\r\n"
      "Content-ID: <cid@x>\r\nContent-Description: d  e\r\n"
      "Content-MD5: abc==\r\nContent-Language: de, en-GB (c),, fr\r\n"
      "Content-Location: http://x/\r\n"
      "\r\n\0\xff\r\n");

static void
every_field(void **state)
{
	AUTO_ARENA a = { 0 };
	struct mail_meta meta;

	(void)state;
	mail_mime_parse(&a, rich, &meta);
	CHECK_STR(tree_text(&a, &meta, true),
	    STR("564 26 110 1\n"
		"APPLICATION/x-y 0+560 560+4 1; name=a \"b\\; c;"
		" filename*0*=utf-8''%41; filename*1=B; k=v w; e=; u=open"
		" id=<cid@x> desc=d  e enc=Base64 md5=abc=="
		" disp=attachment; filename=a b.txt lang=de lang=en-GB lang=fr"
		" loc=http://x/ date=Sun, 22 Nov 2026 05:22:52 +0000"
		" subject=a\tfolded =?utf-8?q?x?= from=a@b to=c@d, e@f"
		" cc=g@h mid=<1@x> refs=<0@x> <2@x> when=1,1795324972,0\n"));
	CHECK_STR(
	    mail_param_find(meta.root->param, meta.root->nparam, STR("NAME")),
	    STR("a \"b\\; c"));
	assert_null(
	    mail_param_find(meta.root->param, meta.root->nparam, STR("flag"))
		.p);
}

static void
add(struct buf *b, struct str s)
{
	assert_int_equal(buf_add(b, s), RC_OK);
}

static void
depth_is_bounded(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	struct mail_meta meta;
	size_t depth = 0;

	(void)state;
	buf_init(&b, 1u << 20);
	for (int i = 0; i < 300; i++)
		assert_int_equal(
		    buf_fmt(&b,
			"Content-Type: multipart/x; boundary=b%d\r\n\r\n"
			"--b%d\r\n",
			i, i),
		    RC_OK);
	mail_mime_parse(&a, buf_str(&b), &meta);
	assert_true(meta.limited);
	for (const struct mail_part *p = meta.root; p; p = p->child)
		depth++;
	assert_int_equal(depth, MAIL_MIME_DEPTH_MAX + 1);

	buf_clear(&b);
	for (int i = 0; i < 300; i++)
		add(&b, STR("Content-Type: message/rfc822\r\n\r\n"));
	mail_mime_parse(&a, buf_str(&b), &meta);
	assert_true(meta.limited);
	for (const struct mail_part *p = meta.root; p; p = p->child)
		assert_true(p->kind != MAIL_PART_MESSAGE || p->child != NULL);
}

static void
parts_are_bounded(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	struct mail_meta meta;

	(void)state;
	buf_init(&b, 4u << 20);
	add(&b, STR("Content-Type: multipart/x; boundary=b\r\n\r\n"));
	for (int i = 0; i < 20000; i++)
		add(&b, STR("--b\r\n\r\n\r\n"));
	mail_mime_parse(&a, buf_str(&b), &meta);
	assert_true(meta.limited);
	assert_int_equal(meta.nparts, MAIL_MIME_PARTS_MAX);
	assert_int_equal(meta.root->body_len, 20000 * 9);
}

static void
kept_bytes_are_bounded(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	struct mail_meta meta;

	(void)state;
	buf_init(&b, 32u << 20);
	add(&b, STR("Content-Type: multipart/x; boundary=b\r\n\r\n"));
	for (int i = 0; i < 300; i++) {
		add(&b, STR("--b\r\nContent-Type: a/b;\r\n"));
		for (int k = 0; k < 800; k++)
			add(&b, STR(" name=\"\\a\\b\\c\r\n\";"));
		add(&b, STR("\r\nContent-Description:"));
		for (int k = 0; k < 8000; k++)
			add(&b, STR(" \r\n"));
		add(&b, STR("\r\n\r\n"));
	}
	for (int k = 0; k < 9000; k++)
		add(&b, STR("To: aaaaaaaaaaaaaaaaaaaa\r\n"));
	mail_mime_parse(&a, buf_str(&b), &meta);
	assert_true(meta.limited);
	assert_true(a.used < 8 * MAIL_MIME_KEEP_MAX);

	/* Many To fields are joined; that must not be quadratic either. */
	buf_clear(&b);
	for (int k = 0; k < 9000; k++)
		add(&b, STR("To: aaaaaaaaaaaaaaaaaaaa\r\n"));
	mail_mime_parse(&a, buf_str(&b), &meta);
	assert_true(meta.limited);
	assert_true(a.used < 16 * MAIL_MIME_KEEP_MAX);
}

static void
a_long_header_is_cut_not_lost(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	struct mail_meta meta, split;

	(void)state;
	buf_init(&b, 4u << 20);
	add(&b, STR("Subject: s\r\nX:"));
	for (int k = 0; k < 100000; k++)
		add(&b, STR(" abcd\r\n"));
	add(&b, STR("Content-Type: text/html\r\n\r\nbody\r\n"));
	mail_mime_parse(&a, buf_str(&b), &meta);
	assert_true(meta.limited);
	CHECK_STR(meta.root->envelope->subject, STR("s"));
	CHECK_STR(meta.root->subtype, STR("plain"));
	assert_int_equal(meta.root->body_len, 6);
	feed_split(&a, buf_str(&b), 10, 300000, &split);
	CHECK_STR(tree_text(&a, &split, true), tree_text(&a, &meta, true));
}

static void
section_numbers(void **state)
{
	static const struct {
		uint32_t v[4];
		size_t n;
		const char *want;
	} table[] = {
		{ { 0 }, 0, "mixed" },
		{ { 1 }, 1, "plain" },
		{ { 2 }, 1, "rfc822" },
		{ { 2, 1 }, 2, "html" },
		{ { 3 }, 1, "rfc822" },
		{ { 3, 1 }, 2, "png" },
		{ { 3, 2 }, 2, NULL },
		{ { 3, 1, 1 }, 3, NULL },
		{ { 4 }, 1, NULL },
		{ { 0 }, 1, NULL },
		{ { 1, 1 }, 2, NULL },
		{ { 2, 1, 1 }, 3, NULL },
	};
	static const struct str msg =
	    S("Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\n"
	      "x\r\n--a\r\nContent-Type: message/rfc822\r\n\r\n"
	      "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
	      "--b\r\nContent-Type: text/html\r\n\r\n--b--\r\n"
	      "--a\r\nContent-Type: message/rfc822\r\n\r\n"
	      "Content-Type: image/png\r\n\r\n--a--\r\n");
	AUTO_ARENA a = { 0 };
	struct mail_meta meta;

	(void)state;
	mail_mime_parse(&a, msg, &meta);
	for (size_t i = 0; i < COUNT(table); i++) {
		const struct mail_part *p =
		    mail_part_at(meta.root, table[i].v, table[i].n);

		assert_int_equal(p != NULL, table[i].want != NULL);
		if (p != NULL)
			CHECK_STR(p->subtype, str_c(table[i].want));
	}
	mail_mime_parse(&a, STR("\r\nx"), &meta);
	assert_ptr_equal(
	    mail_part_at(meta.root, (uint32_t[]){ 1 }, 1), meta.root);
	assert_null(mail_part_at(meta.root, (uint32_t[]){ 1, 1 }, 2));
}

static void
a_prefix_moves_everything_but_the_start(void **state)
{
	AUTO_ARENA a = { 0 };
	struct mail_meta meta;
	struct mail_span s;

	(void)state;
	mail_mime_parse(&a,
	    STR("Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nx"), &meta);
	s = mail_part_header(meta.root, 100);
	assert_true(s.off == 0 && s.len == 132);
	s = mail_part_body(meta.root, 100);
	assert_true(s.off == 132 && s.len == 9);
	s = mail_part_header(meta.root->child, 100);
	assert_true(s.off == 132 && s.len == 8);
	s = mail_part_body(meta.root->child, 100);
	assert_true(s.off == 140 && s.len == 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule),
		cmocka_unit_test(splits_change_nothing),
		cmocka_unit_test(every_field),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(parts_are_bounded),
		cmocka_unit_test(kept_bytes_are_bounded),
		cmocka_unit_test(a_long_header_is_cut_not_lost),
		cmocka_unit_test(section_numbers),
		cmocka_unit_test(a_prefix_moves_everything_but_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
