#include "tests/unit/mail/test.h"
#include "mail/meta.h"
#include "tests/unit/mail/tree.h"

static const struct str msg =
    S("Date: Sun, 22 Nov 2026 05:22:52 -0130\r\nSubject: s\r\nFrom: a@b\r\n"
      "To: c@d\r\nMessage-ID: <1@x>\r\nContent-Language: de\r\n"
      "Content-Type: multipart/mixed; boundary=a\r\n\r\n"
      "pre\r\n--a\r\nContent-ID: <x>\r\n\r\nx\r\n"
      "--a\r\nContent-Type: message/rfc822\r\n\r\n"
      "Subject: inner\r\nDate: 1 Jan 2000 00:00 GMT\r\n"
      "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
      "--b\r\nContent-Type: text/html; charset=utf-8\r\n"
      "Content-Disposition: inline; filename=x\r\n\r\n<p>\r\n--b--\r\n"
      "--a\r\nContent-Type: image/png\r\n\r\n\xff\0\r\n--a--\r\n");

static void
encode(struct arena *a, struct str m, struct mail_meta *meta, struct buf *out)
{
	mail_mime_parse(a, m, meta);
	buf_init(out, MAIL_META_MAX);
	assert_int_equal(mail_meta_encode(meta, out), RC_OK);
}

static void
a_tree_goes_round(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	AUTO_BUF again = { 0 };
	struct mail_meta in, out;

	(void)state;
	encode(&a, msg, &in, &b);
	assert_int_equal(mail_meta_decode(&a, buf_str(&b), &out), RC_OK);
	CHECK_STR(tree_text(&a, &out, true), tree_text(&a, &in, true));
	buf_init(&again, MAIL_META_MAX);
	assert_int_equal(mail_meta_encode(&out, &again), RC_OK);
	CHECK_STR(buf_str(&again), buf_str(&b));
	assert_true(b.n < 600);
}

static void
the_head_alone(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	struct mail_meta in, out;

	(void)state;
	encode(&a, msg, &in, &b);
	assert_int_equal(mail_meta_decode_head(&a, buf_str(&b), &out), RC_OK);
	assert_int_equal(out.size, msg.n);
	assert_true(out.has_nul && out.has_8bit && !out.limited);
	CHECK_STR(out.root->envelope->subject, STR("s"));
	assert_true(out.root->envelope->date_valid);
	assert_int_equal(out.root->envelope->when.unixtime, 1795330372);
	assert_int_equal(out.root->envelope->when.zone, -90);
	assert_null(out.root->child);
}

static void
damage_is_noticed(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	AUTO_BUF more = { 0 };
	struct mail_meta in, out;

	(void)state;
	encode(&a, msg, &in, &b);
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(
		    mail_meta_decode(&a, str_sub(buf_str(&b), 0, n), &out),
		    RC_BAD);
	buf_init(&more, MAIL_META_MAX);
	assert_int_equal(buf_add(&more, buf_str(&b)), RC_OK);
	assert_int_equal(buf_add_char(&more, 0), RC_OK);
	assert_int_equal(mail_meta_decode(&a, buf_str(&more), &out), RC_BAD);
	b.p[0] = MAIL_META_VERSION + 1;
	assert_int_equal(mail_meta_decode(&a, buf_str(&b), &out), RC_NOENT);
	assert_int_equal(
	    mail_meta_decode_head(&a, buf_str(&b), &out), RC_NOENT);
}

/* Whatever a flipped byte gives must be safe to walk. */
static void
every_flipped_byte_is_survived(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	struct mail_meta in, out;

	(void)state;
	encode(&a, msg, &in, &b);
	for (size_t i = 1; i < b.n; i++)
		for (int bit = 0; bit < 8; bit++) {
			AUTO_ARENA c = { 0 };

			b.p[i] = (char)(b.p[i] ^ (1 << bit));
			if (mail_meta_decode(&c, buf_str(&b), &out) == RC_OK)
				tree_text(&c, &out, true);
			b.p[i] = (char)(b.p[i] ^ (1 << bit));
		}
}

static void
a_full_buffer_stays_as_it_was(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	struct mail_meta in;

	(void)state;
	mail_mime_parse(&a, msg, &in);
	buf_init(&b, 100);
	assert_int_equal(buf_add(&b, STR("keep")), RC_OK);
	assert_int_equal(mail_meta_encode(&in, &b), RC_BAD);
	CHECK_STR(buf_str(&b), STR("keep"));
}

/* The limits of the parser must fit the limits of the decoder. */
static void
the_largest_trees_go_round(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF m = { 0 };
	struct mail_meta in, out;

	(void)state;
	buf_init(&m, 8u << 20);
	for (int i = 0; i < 120; i++)
		assert_int_equal(
		    buf_add(&m, STR("Content-Type: message/rfc822\r\n\r\n")),
		    RC_OK);
	for (int round = 0; round < 2; round++) {
		AUTO_BUF b = { 0 };

		encode(&a, buf_str(&m), &in, &b);
		assert_int_equal(
		    mail_meta_decode(&a, buf_str(&b), &out), RC_OK);
		assert_int_equal(out.nparts, in.nparts);
		buf_clear(&m);
		assert_int_equal(
		    buf_add(&m, STR("Content-Type: multipart/digest;"
				    " boundary=b\r\n\r\n")),
		    RC_OK);
		for (int i = 0; i < 12000; i++)
			assert_int_equal(
			    buf_add(&m, STR("--b\r\n\r\n\r\n\r\n")), RC_OK);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tree_goes_round),
		cmocka_unit_test(the_head_alone),
		cmocka_unit_test(damage_is_noticed),
		cmocka_unit_test(every_flipped_byte_is_survived),
		cmocka_unit_test(a_full_buffer_stays_as_it_was),
		cmocka_unit_test(the_largest_trees_go_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
