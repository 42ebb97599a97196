#include "tests/unit/mail/test.h"
#include "mail/dot.h"

struct row {
	struct str in, out, rest;
	bool done, bare;
};

static const struct row rows[] = {
	{ S(".\r\nQUIT\r\n"), S(""), S("QUIT\r\n"), true, false },
	{ S("a\r\n.\r\n"), S("a\r\n"), S(""), true, false },
	{ S("a\r\n..\r\n.\r\nX"), S("a\r\n.\r\n"), S("X"), true, false },
	{ S("..a\r\n.b\r\n.\r\n"), S(".a\r\nb\r\n"), S(""), true, false },
	{ S("\r\n.\r\n"), S("\r\n"), S(""), true, false },
	{ S("a\r\n\r\n.\r\n"), S("a\r\n\r\n"), S(""), true, false },
	{ S("a.\r\n"), S("a.\r\n"), S(""), false, false },
	{ S("a"), S("a"), S(""), false, false },
	{ S("a\r\n."), S("a\r\n"), S(""), false, false },
	{ S("a\r\n.\r"), S("a\r\n"), S(""), false, false },
	/* The smuggling forms: none of them is the end. */
	{ S("a\n.\r\nX"), S("a\n.\r\nX"), S(""), false, true },
	{ S("a\n.\nX"), S("a\n.\nX"), S(""), false, true },
	{ S("a\r.\r\nX"), S("a\r.\r\nX"), S(""), false, true },
	{ S("a\r.\rX"), S("a\r.\rX"), S(""), false, true },
	{ S("a\r\n.\nX\r\n.\r\nY"), S("a\r\n\nX\r\n"), S("Y"), true, true },
	{ S("a\r\n.\rX\r\n.\r\nY"), S("a\r\n\rX\r\n"), S("Y"), true, true },
	{ S("a\r\n.\r\r\n.\r\nY"), S("a\r\n\r\r\n"), S("Y"), true, true },
	{ S("a\r\n.\r.\r\n"), S("a\r\n\r.\r\n"), S(""), false, true },
	/* The end behind a bare one is still found. */
	{ S("a\nb\r\n.\r\nX"), S("a\nb\r\n"), S("X"), true, true },
	{ S("a\rb\r\n.\r\nX"), S("a\rb\r\n"), S("X"), true, true },
	{ S("a\r\r\n.\r\nX"), S("a\r\r\n"), S("X"), true, true },
	{ S("\n\r\n.\r\nX"), S("\n\r\n"), S("X"), true, true },
	{ S("a\0\r\n.\r\n"), S("a\0\r\n"), S(""), true, false },
};

static void
check(const struct row *row, size_t cut, size_t cut2)
{
	AUTO_BUF out = { 0 };
	struct mail_dot d;
	size_t ends[3] = { cut, cut2, row->in.n };
	size_t pos = 0;
	struct str piece;

	buf_init(&out, 4096);
	mail_dot_init(&d);
	for (size_t i = 0; i < 3 && !d.done; i++) {
		struct str in = str_sub(row->in, pos, ends[i] - pos);

		while (mail_dot_next(&d, &in, &piece)) {
			assert_true(piece.n > 0);
			assert_int_equal(buf_add(&out, piece), RC_OK);
		}
		pos = ends[i] - in.n;
	}
	assert_int_equal(d.done, row->done);
	CHECK_STR(buf_str(&out), row->out);
	CHECK_STR(str_from(row->in, pos), row->rest);
	assert_int_equal(d.crlf.bare, row->bare);
}

static void
every_row_in_every_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t c = 0; c <= rows[i].in.n; c++)
			for (size_t e = c; e <= rows[i].in.n; e++)
				check(&rows[i], c, e);
}

static void
bdat_line_ends(void **state)
{
	static const struct {
		struct str in;
		bool ok, bare;
	} table[] = {
		{ S(""), true, false },
		{ S("a\r\n"), true, false },
		{ S("a\r\nb"), false, false },
		{ S("a\r"), false, false },
		{ S("a\r\n\r\n"), true, false },
		{ S("a\nb\r\n"), false, true },
		{ S("a\rb\r\n"), false, true },
		{ S("\n"), false, true },
		{ S("\r\r\n"), false, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		for (size_t c = 0; c <= table[i].in.n; c++) {
			struct mail_crlf crlf;

			mail_crlf_init(&crlf);
			mail_crlf_feed(&crlf, str_sub(table[i].in, 0, c));
			mail_crlf_feed(&crlf, str_from(table[i].in, c));
			assert_int_equal(mail_crlf_ok(&crlf), table[i].ok);
			assert_int_equal(crlf.bare, table[i].bare);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_in_every_split),
		cmocka_unit_test(bdat_line_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
