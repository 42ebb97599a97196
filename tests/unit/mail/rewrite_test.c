#include <string.h>

#include "tests/unit/mail/test.h"
#include "mail/header.h"
#include "mail/rewrite.h"

#define S STR_INIT

/* old.example becomes new.example for senders, to.example for recipients. */
static enum rc
map(void *ctx, bool sender, const struct addr *x, struct str *out)
{
	struct addr y = { x->local,
		sender ? STR("new.example") : STR("to.example") };

	if (str_eq(x->domain, STR("long.example")))
		y.domain = STR("a-very-long-name-of-a-host.with-more-of-it-"
			       "in-the-next-label.example");
	else if (!str_eq(x->domain, STR("old.example")))
		return RC_NOENT;
	*out = mail_addr_text(ctx, &y);
	return RC_OK;
}

static struct str
rewritten(struct arena *a, struct str in)
{
	struct mail_patches v;
	AUTO_BUF b = { 0 };
	size_t at = 0;

	buf_init(&b, 1u << 20);
	mail_rewrite(a, in, map, a, &v);
	for (size_t i = 0; i < v.n; i++) {
		assert_true(v.v[i].off >= at);
		assert_int_equal(
		    buf_add(&b, str_sub(in, at, v.v[i].off - at)), RC_OK);
		assert_int_equal(buf_add(&b, v.v[i].text), RC_OK);
		at = v.v[i].off + v.v[i].len;
	}
	assert_int_equal(buf_add(&b, str_from(in, at)), RC_OK);
	return str_dup(a, buf_str(&b));
}

static void
addresses_change_and_nothing_else(void **state)
{
	static const struct {
		struct str in, out;
	} rows[] = {
		{ S("From: ann@old.example\r\n"),
		    S("From: ann@new.example\r\n") },
		{ S("fROM :Ann <ann@OLD.example>(x)\r\n"),
		    S("fROM :Ann <ann@new.example>(x)\r\n") },
		{ S("Sender: a@old.example\r\nReply-To: b@old.example\r\n"),
		    S("Sender: a@new.example\r\nReply-To: b@new.example\r\n") },
		{ S("To: a@old.example, b@other.example,c@old.example\r\n"),
		    S("To: a@to.example, b@other.example,c@to.example\r\n") },
		{ S("Resent-From: a@old.example\r\n"
		    "Resent-Cc: a@old.example\r\n"),
		    S("Resent-From: a@new.example\r\n"
		      "Resent-Cc: a@to.example\r\n") },
		{ S("Disposition-Notification-To: <a@old.example>\r\n"),
		    S("Disposition-Notification-To: <a@new.example>\r\n") },
		/* names, comments, encoded words, groups, folds */
		{ S("To: \"a@old.example\" <a@old.example>\r\n"),
		    S("To: \"a@old.example\" <a@to.example>\r\n") },
		{ S("To: a@old.example <a@old.example>\r\n"),
		    S("To: a@old.example <a@to.example>\r\n") },
		{ S("To: \"x, y <z@old.example>\" <a@old.example>\r\n"),
		    S("To: \"x, y <z@old.example>\" <a@to.example>\r\n") },
		{ S("To: (a@old.example) a@old.example (b@old.example)\r\n"),
		    S("To: (a@old.example) a@to.example (b@old.example)\r\n") },
		{ S("To: =?utf-8?q?a=40old.example?= <a@old.example>\r\n"),
		    S("To: =?utf-8?q?a=40old.example?= <a@to.example>\r\n") },
		{ S("To: team: a@old.example, B <b@old.example>; , "
		    "c@old.example\r\n"),
		    S("To: team: a@to.example, B <b@to.example>; , "
		      "c@to.example\r\n") },
		{ S("To: none:;\r\n"), S("To: none:;\r\n") },
		/* a route goes on being one, and what is none stays */
		{ S("To: <@r.example:\"a b\"@old.example>\r\n"),
		    S("To: <@r.example:\"a b\"@to.example>\r\n") },
		{ S("To: <@r.example\"a b\"@old.example>\r\n"),
		    S("To: <@r.example\"a b\"@old.example>\r\n") },
		{ S("To: A\r\n\t<a@old.example>  ,\r\n  b@old.example \r\n"),
		    S("To: A\r\n\t<a@to.example>  ,\r\n  b@to.example \r\n") },
		{ S("To: <\r\n a@old.example\r\n >\r\n"),
		    S("To: <\r\n a@to.example\r\n >\r\n") },
		{ S("To: \xff\xfe <a@old.example>\r\n"),
		    S("To: \xff\xfe <a@to.example>\r\n") },
		/* RFC 5322 section 4.4 */
		{ S("To: <@r.example,@s.example:a@old.example>\r\n"),
		    S("To: <@r.example,@s.example:a@to.example>\r\n") },
		{ S("To: a . b @ old . example\r\n"),
		    S("To: a.b@to.example\r\n") },
		{ S("To: <a (x)@(y\\))\r\n old.example>\r\n"),
		    S("To: <a@to.example (x) (y\\))>\r\n") },
		{ S("To: \"a b\"@old.example\r\n"),
		    S("To: \"a b\"@to.example\r\n") },
		/* no address that SMTP would take */
		{ S("To: a b@old.example\r\n"), S("To: a b@to.example\r\n") },
		{ S("To: <a b@old.example>\r\n"),
		    S("To: <a b@old.example>\r\n") },
		{ S("To: a..b@old.example, c@old.example\r\n"),
		    S("To: a..b@old.example, c@to.example\r\n") },
		{ S("To: a@b@old.example\r\n"), S("To: a@b@old.example\r\n") },
		{ S("To: <a@old.example\r\n"), S("To: <a@to.example\r\n") },
		{ S("To: (a@old.example\r\n"), S("To: (a@old.example\r\n") },
		{ S("To: \"a@old.example\r\n"), S("To: \"a@old.example\r\n") },
		{ S("To: <>, a\r\n"), S("To: <>, a\r\n") },
		{ S("To:\r\n"), S("To:\r\n") },
		/* other fields, the body, what is no field */
		{ S("Subject: a@old.example\r\nX-To: a@old.example\r\n"
		    "To a@old.example\r\n\r\nTo: a@old.example\r\n"),
		    S("Subject: a@old.example\r\nX-To: a@old.example\r\n"
		      "To a@old.example\r\n\r\nTo: a@old.example\r\n") },
		{ S("To: a@old.example"), S("To: a@to.example") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO_ARENA a = { 0 };
		struct str out = rewritten(&a, rows[i].in);

		if (!str_eq(out, rows[i].out))
			fail_msg("row %zu: %.*s", i, STRF(out));
	}
}

/* `pre` x's in a name, the address, `post` x's in a comment. */
static struct str
long_line(struct arena *a, const char *start, unsigned pre, unsigned post)
{
	char *x = arena_alloc(a, 2000);

	memset(x, 'x', 2000);
	return str_fmt(a, "%s%.*s <a@long.example> (%.*s)\r\n", start, (int)pre,
	    x, (int)post, x);
}

static size_t
longest(struct str s)
{
	size_t most = 0;

	while (s.n > 0) {
		size_t n = str_find(s, STR("\r\n"));

		assert_true(str_trim(str_sub(s, 0, n)).n > 0);
		most = MAX(most, n);
		s = str_from(s, n + 2);
	}
	return most;
}

static void
lines_are_folded_before_they_are_too_long(void **state)
{
	static const char *const starts[] = { "To: ", "To:", "To: b@c.d,\r\n ",
		"To: a@long.example, a@long.example," };

	(void)state;
	for (size_t i = 0; i < COUNT(starts); i++)
		for (unsigned pre = 1; pre < 960; pre += 7)
			for (unsigned post = 1; pre + post < 960; post += 50) {
				AUTO_ARENA a = { 0 };
				struct str in =
				    long_line(&a, starts[i], pre, post);
				struct str out;

				if (longest(in) > MAIL_LINE_MAX)
					continue;
				out = rewritten(&a, in);
				assert_true(longest(out) <= MAIL_LINE_MAX);
				assert_int_equal(
				    str_find(out, STR("a@long.example")),
				    out.n);
			}
}

static void
a_list_on_one_line_is_folded_where_it_must(void **state)
{
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	struct str out;
	size_t n;

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(buf_add(&b, STR("To: ")), RC_OK);
	for (unsigned i = 0; i < 61; i++)
		assert_int_equal(buf_add(&b, STR("a@long.example, ")), RC_OK);
	assert_int_equal(buf_add(&b, STR("a@b.c\r\n")), RC_OK);
	assert_true(longest(buf_str(&b)) <= MAIL_LINE_MAX);
	out = rewritten(&a, buf_str(&b));
	n = longest(out);
	assert_true(n <= MAIL_LINE_MAX && n > MAIL_LINE_MAX - 100);
	assert_int_equal(str_find(out, STR("a@long.example")), out.n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_change_and_nothing_else),
		cmocka_unit_test(lines_are_folded_before_they_are_too_long),
		cmocka_unit_test(a_list_on_one_line_is_folded_where_it_must),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
